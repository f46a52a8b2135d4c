#: A body without end, as fast as it goes.
#: verdict = ["inconclusive", "broken"]
#: class = ["", "hang", "error"]
#: options = ["--timeout", "8"]
#: why = "What was cut proves nothing; one request at a time too it never ends."


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    while True:
        yield b"x" * 65536
