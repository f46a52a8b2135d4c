#: A body without end.
#: verdict = ["inconclusive", "broken"]
#: class = ["", "hang", "error"]
#: lane = "explore"
#: why = "One request at a time too nobody is answered: no race, and not clean."


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    while True:
        yield b"x" * 65536
