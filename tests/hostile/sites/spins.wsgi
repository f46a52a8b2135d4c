#: Never answers, and keeps a core busy.
#: verdict = "inconclusive"
#: options = ["--timeout", "5"]
#: why = "A process that still computes may yet answer: not a proven hang, and not clean."


def application(environ, start_response):
    while True:
        pass
