#: Reads address 0.
#: verdict = "broken"
#: class = "error"
import ctypes


def application(environ, start_response):
    ctypes.string_at(0)
