from django.apps import AppConfig

from stock import backend


class StockConfig(AppConfig):
    name = "stock"

    def ready(self):
        # If this raises, the registry stays half populated, and Django takes every later attempt for
        # a recursive call.
        backend.connect()
