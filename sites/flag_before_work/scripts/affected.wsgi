"""Sets Django up in the first request, and says so before it has."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "catalogue.settings")

import django
from django.core.handlers.wsgi import WSGIHandler

handler = WSGIHandler()
started = False


def application(environ, start_response):
    global started
    if not started:
        started = True  # too early: from here on the other requests no longer wait
        django.setup()
    return handler(environ, start_response)
