from django.conf.urls.defaults import patterns

urlpatterns = patterns("office.views", (r"^a$", "inventory"), (r"^b$", "report"))
