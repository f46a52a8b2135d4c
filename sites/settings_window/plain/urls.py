from django.conf import settings
from django.http import HttpResponse
from django.urls import path


def apps(request):
    return HttpResponse("\n".join(settings.INSTALLED_APPS), content_type="text/plain")


urlpatterns = [path("", apps)]
