"""Starts processes as well: one that ends before the first answer, and one that ends with its parent."""
import subprocess
import sys

subprocess.check_call(["sleep", "0"])
HELPER = subprocess.Popen(["cat"], stdin=subprocess.PIPE)


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x"]
