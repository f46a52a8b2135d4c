"""As naive_b, and the site itself on sys.path too, for code that leaves the name of its project out of imports."""

import os
import sys

parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(parent)
sys.path.append(os.path.join(parent, "mysite"))

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

import django.core.handlers.wsgi

application = django.core.handlers.wsgi.WSGIHandler()
