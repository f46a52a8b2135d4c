"""The environment of a process that runs a site on this machine."""

from __future__ import annotations

import os
import shutil

from harness.cases.case import Case
from harness.runtimes.building import Runtime


def environment_of(case: Case, runtime: Runtime, user: str) -> dict[str, str]:
    """The environment of a server that runs as `user` (empty: as this process)."""
    # The unprivileged server user can seldom write beside the sources. With a bytecode cache of the harness's own no
    # cold start compiles the site again, and the user's tree stays as it was.
    cache = runtime.bytecode
    cache.mkdir(parents=True, exist_ok=True)
    if user:
        shutil.chown(cache, user)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": str(cache),
        **runtime.environment,
        **case.environment,
    }
