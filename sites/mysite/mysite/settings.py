"""Settings of the worked example: what startproject writes, read-only at run time."""

import json
import os
import sys
from pathlib import Path

# Which process loads the settings, how often, under which name and with what on sys.path is exactly
# what differs between the development server and mod_wsgi. The switch makes each load tell.
if os.environ.get("MYSITE_TRACE_SETTINGS"):
    trace = {
        "name": __name__,
        "file": __file__,
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "sys.path": sys.path,
        "modules": sorted(
            name for name in sys.modules if name.split(".")[0] in {"settings", "mysite", "library"}
        ),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE"),
    }
    # One write for the whole line: other threads and processes share the error log.
    sys.stderr.write(f"mysite settings loaded: {json.dumps(trace)}\n")

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "library",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mysite.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# The web server's user may read the database but not write beside it. `immutable` keeps SQLite from
# looking for a journal or taking a lock there. data/rebuild.py makes the file.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": (BASE_DIR / "data" / "mysite.sqlite3").as_uri() + "?mode=ro&immutable=1",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# For the same reason sessions live in the reader's cookie, not in the database.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"

# Errors with their tracebacks belong in the server's error log: without this, and with DEBUG off,
# Django mails them to ADMINS and nowhere else.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"error_log": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["error_log"]},
}
