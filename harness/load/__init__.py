"""Load, made by Locust. Importing Locust patches gevent into a process, so it stays in a subprocess."""
