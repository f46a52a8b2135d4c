#: Django is set up in the first requests: each thread that comes early builds its settings.
#: verdict = "race"
#: class = ["duplicate-init", "failed-request"]
#: writable = true
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)
with open(os.path.join(_HERE, "hostile_settings.py"), "w") as _stream:
    _stream.write("import time\ntime.sleep(0.2)\nSECRET_KEY = '5ecret-of-the-site-1234567890'\n")
    _stream.write("ALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'hostile_urls'\n")
with open(os.path.join(_HERE, "hostile_urls.py"), "w") as _stream:
    _stream.write("from django.http import HttpResponse\nfrom django.urls import path\n")
    _stream.write("urlpatterns = [path('', lambda request: HttpResponse('fine'))]\n")
os.environ["DJANGO_SETTINGS_MODULE"] = "hostile_settings"
from django.core.wsgi import get_wsgi_application

_handler = None


def application(environ, start_response):
    global _handler
    if _handler is None:
        _handler = get_wsgi_application()
    return _handler(environ, start_response)
