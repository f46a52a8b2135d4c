"""What startproject writes, from Django 1.1 to 1.8. No request's language is known to it."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

os.environ["DJANGO_SETTINGS_MODULE"] = "greeting.settings"

try:
    from django.core.wsgi import get_wsgi_application as handler
except ImportError:  # before Django 1.4
    from django.core.handlers.wsgi import WSGIHandler as handler

application = handler()
