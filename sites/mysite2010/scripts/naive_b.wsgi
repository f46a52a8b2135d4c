"""The usual script of 2010 that finds its site by itself: the directory above it goes on sys.path."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

import django.core.handlers.wsgi

application = django.core.handlers.wsgi.WSGIHandler()
