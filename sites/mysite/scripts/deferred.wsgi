"""Today's naive script: Django is set up inside the request.

The usual reason: the site is configured with Apache's SetEnv, which reaches a script only through the
environ of a request, and settings.py reads os.environ. So everything waits for the first request,
and under load for several first requests at once.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.core.wsgi import get_wsgi_application


def application(environ, start_response):
    for name, value in environ.items():
        if name.startswith("MYSITE_"):
            os.environ[name] = value
    return get_wsgi_application()(environ, start_response)
