"""The improved script of 2010: the development server's own steps, while mod_wsgi imports the script on one thread.

As there, the settings are loaded twice, under two names, and only the site itself stays on sys.path.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mysite"))

import settings

import django.conf
import django.core.handlers.wsgi
import django.core.management
import django.utils.translation

# Names the settings mysite.settings, and imports mysite with its parent on sys.path for just that moment.
django.core.management.setup_environ(settings)

# Lists the management commands of every app; validation imports the models.
django.core.management.ManagementUtility().fetch_command("runserver").validate()

# The activation holds for this thread only; what helps the others is the catalogue it has loaded.
django.utils.translation.activate(django.conf.settings.LANGUAGE_CODE)

application = django.core.handlers.wsgi.WSGIHandler()
