#: A script without an application.
#: verdict = "broken"
#: class = "error"
#: why = "Every request fails, one at a time too."
import time
