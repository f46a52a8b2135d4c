#: Answers before a second request can come: nothing is tested by it.
#: verdict = ["inconclusive", "clean"]
#: why = "No race; whether two requests met depends on the machine."


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
