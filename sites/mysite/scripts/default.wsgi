"""What startproject writes: Django is set up while mod_wsgi imports the script, under its lock."""

import os
import sys

# startproject leaves this line to the server's configuration; here the script finds its own site.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
