#: Asks for memory until there is none, within a limit of its own.
#: verdict = "broken"
#: class = ["error", "poisoned"]
#: says = ["MemoryError"]
import resource

_limit = resource.getrlimit(resource.RLIMIT_AS)[1]
with open("/proc/self/statm") as _stream:
    _now = int(_stream.read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (_now + 150 * 2**20, _limit))


def application(environ, start_response):
    hoard = []
    while True:
        hoard.append(bytearray(2**23))
