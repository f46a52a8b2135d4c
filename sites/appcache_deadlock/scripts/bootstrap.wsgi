"""Everything is set up while the script is imported, before there is a request.

A view imports a module inside its function, where nobody can see it: the module is named.

harness_bootstrap.py, one file, lies beside this script, as a copy would on a server.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness_bootstrap import get_application

sys.path.remove(HERE)

application = get_application(os.path.dirname(HERE), imports=["office.reports"])
