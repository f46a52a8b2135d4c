"""The same script put right: the flag follows the work, and a lock keeps the others waiting for it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "catalogue.settings")

import threading

import django
from django.core.handlers.wsgi import WSGIHandler

handler = WSGIHandler()
started = False
starting = threading.Lock()


def application(environ, start_response):
    global started
    if not started:
        with starting:
            if not started:
                django.setup()
                started = True
    return handler(environ, start_response)
