"""The least a site needs: what races here is Python's standard library, not Django."""

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "weather.urls"
