"""Two pages: one needs the models, the other a module that is seldom needed and therefore imported when it is."""

from django.db.models import get_models
from django.http import HttpResponse


def inventory(request):
    return HttpResponse(", ".join(sorted(model.__name__ for model in get_models())))


def report(request):
    from office import reports

    return HttpResponse(reports.heading())
