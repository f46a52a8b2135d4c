"""Right answers that are never the same: a token, the time, a process and a thread."""
import os
import threading
import time
import uuid


def application(environ, start_response):
    sum(number * number for number in range(200000))  # long enough in the process to be met by others
    body = "<p>token <b>%s</b> at <i>%s</i></p><p>%d %d</p><p>always this</p>" % (
        uuid.uuid4().hex,
        time.strftime("%H:%M:%S"),
        os.getpid(),
        threading.current_thread().ident,
    )
    start_response("200 OK", [("Content-Type", "text/html")])
    return [body.encode()]
