"""The improved script of 2010 in today's terms, as mysite has it: the development server's steps, while it is imported."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "greeting.settings")

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import ManagementUtility
from django.utils import translation

django.setup()
ManagementUtility(["manage.py", "runserver"]).fetch_command("runserver").check()
translation.activate(settings.LANGUAGE_CODE)

application = WSGIHandler()
