"""A page that proves the runtime: which Python, Django and mod_wsgi answer, and that Django has its catalogues."""

import os
import sys

import django
import mod_wsgi


def application(environ, start_response):
    catalogue = os.path.join(os.path.dirname(django.__file__), "conf", "locale", "de", "LC_MESSAGES", "django.mo")
    lines = [
        "Python %s" % sys.version.split()[0],
        "Django %s" % django.get_version(),
        "mod_wsgi %s" % ".".join(map(str, mod_wsgi.version)),
        "process group %r, threads %s" % (environ["mod_wsgi.process_group"], mod_wsgi.threads_per_process),
        "German catalogue: %s" % os.path.exists(catalogue),
    ]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines + [""])]
