"""Five ordinary apps and no database: what races here are two locks."""

DEBUG_PROPAGATE_EXCEPTIONS = True  # failures are told in the server's error log
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
USE_I18N = False

MIDDLEWARE_CLASSES = ()
ROOT_URLCONF = "office.urls"

INSTALLED_APPS = ("office.people", "office.rooms", "office.letters", "office.accounts", "office.archive")
