"""Templates as a busy site had them: cached. The one that is asked for is found by the last loader only."""


DEBUG_PROPAGATE_EXCEPTIONS = True  # failures are told in the server's error log
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
USE_I18N = False

MIDDLEWARE_CLASSES = ()
ROOT_URLCONF = "letters.urls"
TEMPLATE_LOADERS = (
    (
        "django.template.loaders.cached.Loader",
        (
            "django.template.loaders.filesystem.Loader",
            "django.template.loaders.app_directories.Loader",
            "letters.post.loader.Loader",
        ),
    ),
)

INSTALLED_APPS = ("django.contrib.sites", "letters.post")
