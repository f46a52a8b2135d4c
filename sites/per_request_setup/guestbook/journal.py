"""Where the guest book's log goes: the last lines, in memory."""

import collections
import logging


class Journal(logging.Handler):
    def __init__(self, size):
        super().__init__()
        self.lines = collections.deque(maxlen=size)

    def emit(self, record):
        self.lines.append(self.format(record))
