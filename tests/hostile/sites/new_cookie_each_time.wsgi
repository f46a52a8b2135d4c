#: A new session for everybody.
#: verdict = "clean"
import time
import uuid


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "sessionid=%s; Path=/" % uuid.uuid4().hex)])
    return [b"fine"]
