from django.http import HttpResponse
from django.urls import path

# Importing a model needs the app registry: this line is what fails in a request that came too early.
from catalogue.models import Book


def genres(request):
    return HttpResponse(", ".join(Book.Genre.labels))


urlpatterns = [path("", genres)]
