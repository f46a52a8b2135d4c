#: A Django that was never told its settings.
#: verdict = "broken"
#: class = "error"
#: says = ["ImproperlyConfigured"]
from django.core.handlers.wsgi import WSGIHandler

application = WSGIHandler()
