#: Puts a link to a file of root's where its answer should be.
#: verdict = ["clean", "inconclusive"]
#: why = "The process writes its answer over the link, or the link is refused."
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
for _word in ("state", "stacks", "state.part", "stacks.part"):
    os.symlink(os.environ["CANARY"], "%s.%s" % (_RECORDING, _word))


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
