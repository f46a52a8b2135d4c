"""One view for each thing a first request may have to set up.

The list and the detail page need the database and the templates, hello needs a translation
catalogue, login needs a form and answers with a fresh CSRF token each time: the volatile part that a
comparison of answers has to allow for.
"""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.generic import DetailView, ListView

from library.forms import LoginForm
from library.models import Book


class BookList(ListView):
    queryset = Book.objects.select_related("author")


class BookDetail(DetailView):
    queryset = Book.objects.select_related("author")


def hello(request):
    return HttpResponse(_("Hello, dear reader."), content_type="text/plain; charset=utf-8")


def login(request):
    form = LoginForm(request.POST or None)
    if form.is_valid():
        # A name for the session, no user and no password: the database cannot be written.
        request.session["reader"] = form.cleaned_data["reader"]
        return redirect("library:books")
    return render(request, "library/login.html", {"form": form})
