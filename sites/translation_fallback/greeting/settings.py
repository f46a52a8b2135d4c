"""Runs on Django 1.1 to 1.8: no templates, no database, and a language that Django has no catalogue for."""

DEBUG_PROPAGATE_EXCEPTIONS = True  # failures are told in the server's error log
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
USE_I18N = True

LANGUAGE_CODE = "en-us"
LANGUAGES = (("en", "English"), ("nds", "Low German"))

MIDDLEWARE_CLASSES = ("django.middleware.common.CommonMiddleware",)
ROOT_URLCONF = "greeting.urls"

INSTALLED_APPS = ("django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions")
