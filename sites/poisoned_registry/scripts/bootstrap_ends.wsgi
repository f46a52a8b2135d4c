"""Everything is set up while the script is imported, before there is a request.

The back end is down while it is: the start fails, and nothing half-built serves. In embedded mode too the
process ends itself, which is not the default there: it may cut off what else that child of httpd is sending.

harness_bootstrap.py, one file, lies beside this script, as a copy would on a server.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness_bootstrap import get_application

sys.path.remove(HERE)

application = get_application(os.path.dirname(HERE), end_process=True)
