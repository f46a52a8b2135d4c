#: Leaves in the middle of each request, and takes httpd's child with it.
#: verdict = "broken"
#: class = "error"
#: options = ["--mode", "embedded"]
import os


def application(environ, start_response):
    os._exit(0)
