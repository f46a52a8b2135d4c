"""Stands in for a back end that is down while the site starts and up ever after.

The count lives as long as the interpreter: each cold start meets the back end down once. Where STOCK_DOWN_ONCE names a
file, the first to come makes it and is refused, and whoever finds it is let in: a fresh process after it, too.
"""

import itertools
import os

_attempts = itertools.count(1)


def connect():
    flag = os.environ.get("STOCK_DOWN_ONCE")
    down = not os.path.exists(flag) if flag else next(_attempts) == 1
    if down:
        if flag:
            open(flag, "w").close()
        raise ConnectionRefusedError("the stock back end is not up yet")
