from django.conf.urls.defaults import patterns

urlpatterns = patterns("stock.views", (r"^$", "stock"))
