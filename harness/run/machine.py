"""The machine that a run was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

from harness import __version__


def describe_machine() -> dict[str, Any]:
    """What a reader needs to know of the machine to compare two runs."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "locust": version("locust"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "load_average": [round(average, 2) for average in os.getloadavg()],
    }
