#: The import raises KeyboardInterrupt.
#: verdict = "broken"
#: class = "error"
raise KeyboardInterrupt
