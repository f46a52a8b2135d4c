"""Lines of Python that do a piece of Django's initialisation when a script is imported, by Django's version.

Pure text. That they are right for a version is shown by the tests that run them there, and by `harness check` itself.
"""

from __future__ import annotations

import re

Version = tuple[int, int]
NEWEST: Version = (99, 0)


def version(text: str) -> Version:
    """`5.2.19` as (5, 2); of an unknown one, the newest."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else NEWEST


def bootstrap(directory: str, options: str = "") -> tuple[str, ...]:
    """A script that sets everything up: `directory` holds manage.py, `options` are further arguments."""
    return (
        "from harness_bootstrap import get_application",
        f'application = get_application("{directory}"{options})',
    )
