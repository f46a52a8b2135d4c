"""A file cache whose directory is not there when the process starts."""

import glob
import os
import shutil
import tempfile

SECRET_KEY = "not-a-secret-this-is-a-sample-site-never-use-it-elsewhere"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "letters.urls"


def private_directory():
    """A directory of this process's own, gone when it ends. One that is killed cannot see to that: the next does."""
    prefix = "umask-leak-"
    for left in glob.glob(os.path.join(tempfile.gettempdir(), prefix + "*")):
        pid = os.path.basename(left)[len(prefix):].partition("-")[0]
        if not os.path.exists("/proc/%s" % pid):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix="%s%d-" % (prefix, os.getpid()))


_directory = private_directory()

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        # Below it, so that the first requests of each process make it.
        "LOCATION": os.path.join(_directory.name, "cache", "letters"),
    }
}
