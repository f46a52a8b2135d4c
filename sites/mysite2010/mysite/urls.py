from django.conf.urls.defaults import patterns

urlpatterns = patterns(
    "mysite.views",
    (r"^$", "welcome"),
    (r"^nds/$", "welcome", {"language": "nds"}),
)
