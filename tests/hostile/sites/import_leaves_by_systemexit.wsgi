#: The import raises SystemExit.
#: verdict = "broken"
#: class = "error"
import sys

sys.exit("gone")
