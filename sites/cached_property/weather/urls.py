from django.http import HttpResponse
from django.urls import path

from weather.station import station


def report(request):
    return HttpResponse(station.report(), content_type="text/plain")


urlpatterns = [path("", report)]
