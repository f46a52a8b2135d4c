"""Builds the application anew in each request, the first ones included: every one of them finds the
settings not loaded yet and loads them."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plain.settings")

from django.core.wsgi import get_wsgi_application


def application(environ, start_response):
    return get_wsgi_application()(environ, start_response)
