#: Returns nothing at all.
#: verdict = "broken"
#: class = "error"
#: says = ["TypeError"]


def application(environ, start_response):
    start_response("200 OK", [])
