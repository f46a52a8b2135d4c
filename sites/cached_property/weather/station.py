"""A service as many sites have one: an object at module level, whose client is opened when it is first wanted."""

import functools
import http.client
import ssl

_opened = []


class Station:
    def __init__(self, host):
        self.host = host

    @functools.cached_property
    def client(self):
        """Loads the certificate authorities, as any client of HTTPS does. It connects when it is asked to: never."""
        _opened.append(self.host)
        return http.client.HTTPSConnection(self.host, context=ssl.create_default_context())

    def report(self):
        return f"The station at {self.client.host} says: fine, with a light breeze."


station = Station("station.invalid")


def opened():
    """How many clients were opened in this process. There is one station."""
    return len(_opened)
