from django.conf import settings
from django.http import HttpResponse


def apps(request):
    return HttpResponse("\n".join(settings.INSTALLED_APPS), content_type="text/plain")


try:
    from django.urls import path

    urlpatterns = [path("", apps)]
except ImportError:  # before Django 2.0
    from django.conf.urls import url

    urlpatterns = [url("^$", apps)]
