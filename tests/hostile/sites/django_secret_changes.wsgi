#: Two that meet change secrets of the settings: told by name, never by value.
#: verdict = "race"
#: class = "wrong-state"
#: says = ["SECRET_KEY", "DATABASES"]
#: never = ["5ecret", "pa55word", "t0ken"]
import os
import sys
import time

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF="hostile_urls", SECRET_KEY="5ecret-of-the-site-1234567890",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "PASSWORD": "pa55word-1"}},
)
django.setup()
_inside = []


def page(request):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        settings.SECRET_KEY = "5ecret-that-was-changed-098765"
        settings.DATABASES = {"default": {"PASSWORD": "pa55word-2"}}
        os.environ["API_TOKEN"] = "t0ken-of-the-site"
    _inside.pop()
    return HttpResponse("fine")


urls = type(sys)("hostile_urls")
urls.urlpatterns = [path("", page)]
sys.modules["hostile_urls"] = urls
from django.core.handlers.wsgi import WSGIHandler

application = WSGIHandler()
