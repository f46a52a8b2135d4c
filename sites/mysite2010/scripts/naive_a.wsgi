"""The usual script of 2010, at its shortest: name the settings, build the handler.

Everything else, from the settings to the language, is left to the first request, and under load to several at once.
"""

import os
import site

# Of the site's place the script says nothing: the server's configuration did (WSGIPythonPath, python-path=). This
# line stands in for it, in the way of mod_wsgi, so that the site runs wherever it was copied to.
site.addsitedir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

import django.core.handlers.wsgi

application = django.core.handlers.wsgi.WSGIHandler()
