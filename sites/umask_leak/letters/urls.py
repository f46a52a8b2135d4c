from django.core.cache import cache
from django.http import HttpResponse
from django.urls import path


def write():
    return "Dear reader, this letter was written once and is kept in a file."


def letter(request):
    return HttpResponse(cache.get_or_set("letter", write), content_type="text/plain")


urlpatterns = [path("", letter)]
