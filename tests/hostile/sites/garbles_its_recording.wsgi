#: Writes what a parser chokes on into its recording.
#: verdict = "inconclusive"
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
with open(_RECORDING, "r+b") as _stream:
    for _number, _text in enumerate([b"[" * 60000 + b"\n", b"[1e999, 1, \"end\", 1, 0, 0]\n", b"9" * 5000 + b"\n", b"[null]\n\xff\xfe\n", b'[NaN,1,"begin",1,"a","b"]\n']):
        _stream.seek(65536 * (_number + 1))
        _stream.write(_text)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
