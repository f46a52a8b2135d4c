from django.http import HttpResponse
from django.urls import path


def stock(request):
    return HttpResponse("in stock")


urlpatterns = [path("", stock)]
