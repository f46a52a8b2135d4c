"""The same, but the threads are told which vault: they want nothing of the settings."""

from concurrent.futures import ThreadPoolExecutor

from notices import vault
from notices.common import *

with ThreadPoolExecutor(2) as _pool:
    SECRET_KEY, PEPPER = _pool.map(vault.read_from, [VAULT, VAULT], ["key", "pepper"])
