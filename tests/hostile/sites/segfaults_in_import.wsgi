#: Reads address 0 while it is imported.
#: verdict = "broken"
#: class = "error"
import ctypes

ctypes.string_at(0)
