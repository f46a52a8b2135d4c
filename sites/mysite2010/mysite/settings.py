"""Settings of a site of March 2010: no database, and nothing that differs from one request to the next."""

import os
import sys

# Which process loads the settings, how often, under which name and with what on sys.path is exactly what differs
# between the development server and mod_wsgi. So each load tells, a line a field: other threads share the log.
# (Python 2 keeps names in sys.modules that were looked for and not found, as None.)
loaded = [name for name, module in sys.modules.items() if module and name.split(".")[0] in ("settings", "mysite")]
for field, value in [
    ("__name__", __name__),
    ("__file__", __file__),
    ("pid", os.getpid()),
    ("cwd", os.getcwd()),
    ("sys.path", sys.path),
    ("modules", sorted(loaded)),
    ("DJANGO_SETTINGS_MODULE", os.environ.get("DJANGO_SETTINGS_MODULE")),
]:
    sys.stderr.write("mysite2010 settings: %s = %r\n" % (field, value))

HERE = os.path.dirname(os.path.abspath(__file__))

# Failures go past Django's own error page to mod_wsgi, whose log then tells what they were.
DEBUG_PROPAGATE_EXCEPTIONS = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]  # asked for since Django 1.3.6
SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
TIME_ZONE = "Europe/Berlin"
USE_I18N = True

# Low German is a language that Django has no catalogue for. Catalogues of a site's own do for it.
LANGUAGE_CODE = os.environ.get("LANGUAGE_CODE", "nds")
LANGUAGES = (("en", "English"), ("nds", "Low German"))

MIDDLEWARE_CLASSES = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
)

ROOT_URLCONF = "mysite.urls"
TEMPLATE_DIRS = (os.path.join(HERE, "templates"),)

INSTALLED_APPS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.sites",
)
