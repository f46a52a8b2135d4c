"""Everything is set up while the script is imported, before there is a request.

The cache's directory is made by a request from within. The race stays all the same: each thread builds its own cache
backend, and each of them sets the umask for a moment.

harness_bootstrap.py, one file, lies beside this script, as a copy would on a server.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness_bootstrap import get_application

sys.path.remove(HERE)

application = get_application(os.path.dirname(HERE), warm=["/"])
