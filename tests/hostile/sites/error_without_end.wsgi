#: Recurses until it may not.
#: verdict = "broken"
#: class = "error"
#: says = ["RecursionError"]


def application(environ, start_response):
    return application(environ, start_response)
