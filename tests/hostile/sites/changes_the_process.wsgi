#: Changes directory, mask, locale, time zone and limits in its import, each time the same way.
#: verdict = "clean"
import locale
import os
import resource
import time

os.chdir("/usr")
os.umask(0)
os.environ["TZ"] = "Pacific/Auckland"
time.tzset()
locale.setlocale(locale.LC_ALL, "C")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_STACK, (2**20, 2**20))
os.environ.clear()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
