"""A few of Django's own apps, so that setting Django up takes the time it usually takes."""

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "catalogue",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "catalogue.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Errors with their tracebacks belong in the server's error log: without this, and with DEBUG off,
# Django mails them to ADMINS and nowhere else.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"error_log": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["error_log"]},
}
