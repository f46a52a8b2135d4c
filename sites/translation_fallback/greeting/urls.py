try:
    from django.conf.urls import patterns
except ImportError:  # before Django 1.4
    from django.conf.urls.defaults import patterns

urlpatterns = patterns("greeting.views", (r"^nds/$", "greet"))
