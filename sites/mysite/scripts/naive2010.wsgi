"""The usual script of 2010, to the letter: name the settings, build the handler, set nothing up.

It raced then. Since Django 1.7 it does not get that far: the handler imports the middleware, one of
those imports the user model, and models need an app registry that nobody has filled
(AppRegistryNotReady). mod_wsgi imports the script again for each request, and it fails each time.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

import django.core.handlers.wsgi

application = django.core.handlers.wsgi.WSGIHandler()
