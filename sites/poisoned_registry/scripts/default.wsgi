"""What startproject writes. mod_wsgi imports it again after each failure, in the same interpreter."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stock.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
