"""One page, in the site's language or in the one that its address asks for."""

import datetime

from django.shortcuts import render_to_response
from django.utils import translation


def welcome(request, language=None):
    if language:
        # For this thread; LocaleMiddleware sets it back. By the reader's browser it would not be found:
        # Django takes only languages from there that it has a catalogue for itself.
        translation.activate(language)
    return render_to_response("welcome.html", {"day": datetime.date(2010, 3, 21)})
