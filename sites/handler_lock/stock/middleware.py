from stock import backend


class StockMiddleware(object):
    def __init__(self):
        self.stock = backend.connect()

    def process_request(self, request):
        request.stock = self.stock
