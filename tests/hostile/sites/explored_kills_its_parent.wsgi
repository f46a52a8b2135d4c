#: Kills the process that it was forked from, as it may.
#: verdict = ["broken", "inconclusive"]
#: class = ["error", ""]
#: lane = "explore"
#: why = "One request at a time too, nothing is left to ask: whatever is said, not clean and no race."
import os


def application(environ, start_response):
    os.kill(os.getppid(), 9)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
