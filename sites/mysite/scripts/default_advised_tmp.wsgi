"""What startproject writes: Django is set up while mod_wsgi imports the script, under its lock."""

import os
import sys

# startproject leaves this line to the server's configuration; here the script finds its own site.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

# Before the first request, on the one thread that imports this script:
from django.conf import settings
from django.urls import get_resolver
from django.utils import translation
from django.template import engines
from django.forms.renderers import get_default_renderer
from wsgiref.util import setup_testing_defaults

# Every language that a request may activate (set LANGUAGES: Django's own list is long).
for language in [settings.LANGUAGE_CODE] + [code for code, name in settings.LANGUAGES]:
    translation.activate(language)  # loads its catalogue
    get_resolver().reverse_dict  # imports the URLconf, builds the tables of this language
translation.deactivate()
engines.all()
getattr(get_default_renderer(), "engine", None)  # forms have an engine of their own
for path in ["/", "/login/", "/hello/"]:
    environ = {"PATH_INFO": path, "HTTP_HOST": "localhost"}  # or another of ALLOWED_HOSTS
    setup_testing_defaults(environ)
    list(application(environ, lambda status, headers, exc_info=None: None))
