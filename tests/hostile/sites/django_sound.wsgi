#: The smallest Django site: everything is set up in the import.
#: verdict = ["clean", "hazard"]
#: why = "Sound; what Django itself still does in requests is a hazard, where others meet it."
import sys
import time

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="hostile_urls", SECRET_KEY="5ecret-of-the-site-1234567890")
django.setup()


def page(request):
    time.sleep(0.1)
    return HttpResponse("fine")


urls = type(sys)("hostile_urls")
urls.urlpatterns = [path("", page)]
sys.modules["hostile_urls"] = urls
from django.core.handlers.wsgi import WSGIHandler

application = WSGIHandler()
