#: Leaves while it is imported.
#: verdict = "broken"
#: class = "error"
import os

os._exit(7)
