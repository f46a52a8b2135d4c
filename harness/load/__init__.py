"""Load made by Locust, in a subprocess of its own because Locust patches its process with gevent."""
