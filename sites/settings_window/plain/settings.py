"""Deliberately plain: the window is in Django's LazySettings, not in anything a site does."""

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "plain.urls"
