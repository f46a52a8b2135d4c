"""Stands in for a back end that is down while the site starts and up ever after.

The count lives as long as the interpreter: each cold start meets the back end down once.
"""

import itertools

_attempts = itertools.count(1)


def connect():
    if next(_attempts) == 1:
        raise IOError("the stock back end is not up yet")
    return {"tea": 7}
