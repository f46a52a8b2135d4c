"""The usual script of 2010: it names the settings and builds the handler. All else is left to the first requests."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

os.environ["DJANGO_SETTINGS_MODULE"] = "office.settings"

import django.core.handlers.wsgi

application = django.core.handlers.wsgi.WSGIHandler()
