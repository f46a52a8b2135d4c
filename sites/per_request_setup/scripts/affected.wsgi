"""Sets Django up in each request, to be sure that it is."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guestbook.settings")

import django
from django.core.handlers.wsgi import WSGIHandler

handler = WSGIHandler()  # builds the settings: what is left to the requests is logging and the registry


def application(environ, start_response):
    django.setup()
    return handler(environ, start_response)
