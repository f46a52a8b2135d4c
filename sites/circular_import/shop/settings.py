"""The least a site needs: what races here is Python's import system, not Django."""

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "shop.urls"

# Errors with their tracebacks belong in the server's error log: without this, and with DEBUG off,
# Django mails them to ADMINS and nowhere else.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"error_log": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["error_log"]},
}
