#: Becomes another program in its first request.
#: verdict = "broken"
#: class = ["hang", "error"]
#: options = ["--timeout", "5"]
import os


def application(environ, start_response):
    os.execv("/bin/sleep", ["sleep", "3600"])
