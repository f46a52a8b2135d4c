"""The improved script of 2010, as mysite2010 has it: the development server's steps, while it is imported."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "letters"))

import settings

import django.conf
import django.core.handlers.wsgi
import django.core.management
import django.utils.translation

django.core.management.setup_environ(settings)
django.core.management.ManagementUtility().fetch_command("runserver").validate()
django.utils.translation.activate(django.conf.settings.LANGUAGE_CODE)

application = django.core.handlers.wsgi.WSGIHandler()
