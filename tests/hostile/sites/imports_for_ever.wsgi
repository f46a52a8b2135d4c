#: The import never ends.
#: verdict = "broken"
#: class = "hang"
#: options = ["--timeout", "5"]
import time

time.sleep(3600)
