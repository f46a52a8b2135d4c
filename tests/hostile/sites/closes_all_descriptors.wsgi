#: Closes every descriptor of the process, the server's too, in each request.
#: verdict = ["broken", "inconclusive"]
#: class = ["", "error", "hang"]
#: options = ["--timeout", "5"]
#: why = "Nobody is answered, one request at a time too."
import os


def application(environ, start_response):
    os.closerange(0, 4096)
    start_response("200 OK", [])
    return [b"fine"]
