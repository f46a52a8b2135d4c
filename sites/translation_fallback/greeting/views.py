"""One page, in the language that its address asks for."""

from django.http import HttpResponse
from django.utils import translation


def greet(request):
    translation.activate("nds")
    try:
        return HttpResponse(translation.ugettext("Yes"))
    finally:
        translation.deactivate()
