import logging

from django.http import HttpResponse
from django.urls import path

log = logging.getLogger("guestbook")


def guests(request):
    log.info("somebody has looked at the guest book")
    return HttpResponse("Nobody has signed yet.", content_type="text/plain")


urlpatterns = [path("", guests)]
