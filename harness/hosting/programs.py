"""What runs inside a server's processes: the probe and its companions, and the plan by which threads are perturbed."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from harness.cases.case import Case
from harness.hosting.untrusted import let_server_read

INSIDE = Path(__file__).parent.parent / "inside"
# Copied into a server's directory, compiled for its interpreter; harness/inside/boot.wsgi runs them.
_NAMES = ("probe", "witness", "perturb", "order", "listener", "stacks", "state")
PROGRAMS = tuple(INSIDE / f"{name}.py" for name in _NAMES)


def put_programs(
    directory: Path, compiled: Mapping[str, bytes], plan: dict[str, Any] | None = None, invariant: str = ""
) -> None:
    """Copy what runs inside a server's processes into its directory; with a `plan`, threads are perturbed. The
    `invariant` is a function of the site, `module:function`, that tells its state."""
    files = {"boot.wsgi": (INSIDE / "boot.wsgi").read_bytes()}
    files |= {f"{name}.marshal": code for name, code in compiled.items()}
    if invariant:
        files["invariant"] = invariant.encode()
    if plan is not None:
        files["plan"] = marshal.dumps(plan, 2)  # a format that Python 2.7 and 3 can read
    for name, content in files.items():
        (directory / name).write_bytes(content)
        let_server_read(directory / name)


def plan_of(case: Case, site: PurePath) -> dict[str, Any]:
    """How threads are to be perturbed; `site` is the site's directory as the server sees it."""
    perturb = case.perturb
    packages = [f"/{name.replace('.', '/')}" for name in perturb.packages] or ["/django/", f"{site}/"]
    return {
        "seed": case.seed if perturb.seed is None else perturb.seed,
        "exact": perturb.seed is not None,
        "strategies": list(perturb.strategies),
        "packages": packages,
    }
