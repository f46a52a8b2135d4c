#: Does not import.
#: verdict = "broken"
#: class = "error"
#: lane = "explore"
raise RuntimeError("\x1b[31m\n::error::owned")
