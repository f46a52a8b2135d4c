"""Logging with a handler class of the site's own, as sites with a log of their own have it."""

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "guestbook.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"journal": {"class": "guestbook.journal.Journal", "size": 100}},
    "loggers": {"guestbook": {"handlers": ["journal"], "level": "INFO"}},
}
