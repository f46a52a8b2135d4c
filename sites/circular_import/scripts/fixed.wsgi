"""The cycle is imported before there is an application, on the one thread that loads the script."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

from django.core.wsgi import get_wsgi_application

from shop import invoices, orders

application = get_wsgi_application()
