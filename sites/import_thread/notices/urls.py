from django.http import HttpResponse
from django.urls import path


def notices(request):
    return HttpResponse("Nothing to notice.", content_type="text/plain")


urlpatterns = [path("", notices)]
