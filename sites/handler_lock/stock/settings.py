"""The least a site needs, and a middleware that wants its back end."""

DEBUG_PROPAGATE_EXCEPTIONS = True  # failures are told in the server's error log
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
USE_I18N = False

MIDDLEWARE_CLASSES = ("stock.middleware.StockMiddleware",)
ROOT_URLCONF = "stock.urls"
INSTALLED_APPS = ()
