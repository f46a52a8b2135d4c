#: Two that meet add a setting whose name and value would be obeyed.
#: verdict = "race"
#: class = "wrong-state"
import sys
import time

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="hostile_urls", SECRET_KEY="5ecret-of-the-site-1234567890")
django.setup()
_inside = []


def page(request):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        setattr(settings, "X\x1B[31M\n::ERROR::OWNED\u202E", "##[error]\x1b]0;x\x07")
    _inside.pop()
    return HttpResponse("fine")


urls = type(sys)("hostile_urls")
urls.urlpatterns = [path("", page)]
sys.modules["hostile_urls"] = urls
from django.core.handlers.wsgi import WSGIHandler

application = WSGIHandler()
