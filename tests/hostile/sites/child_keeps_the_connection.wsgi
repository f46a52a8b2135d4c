#: A forked child inherits the connection, so that the end of the answer never reaches the client.
#: verdict = ["broken", "inconclusive"]
#: class = ["hang", "error", ""]
#: options = ["--timeout", "5"]
#: why = "One request at a time too, the client waits for ever: whatever it is called, it is no race and not clean."
import os
import time


def application(environ, start_response):
    if not os.fork():
        time.sleep(3600)
        os._exit(0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
