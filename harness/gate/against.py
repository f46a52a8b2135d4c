"""The old script of a case for `--against REV|SCRIPT`: from another file, or from git."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

from harness import proc
from harness.cases.case import Case
from harness.cases.reading import MAX_SCRIPT, check_file, is_file
from harness.cases.site import site_directory
from harness.errors import BadInput, nearest, quoted


def old_case(case: Case, against: str, directory: Path) -> Case:
    """The case with its old script: a WSGI file, another script of its site by name, or the same script in a git
    revision, whose site is extracted into `directory`. Raises BadInput: it is none of them."""
    beside = case.script_path.parent / f"{against}.wsgi"
    site = case.site_dir
    if is_file(Path(against)):
        check_file(Path(against), MAX_SCRIPT, "script")
        script = Path(against).resolve()
        site = site_directory(script)
    elif is_file(beside):
        script = beside
    else:
        script, site = _at_revision(case, against, directory)
    return case.model_copy(update={"script_path": script, "site_dir": site, "id": f"{case.id}::old"})


def _at_revision(case: Case, revision: str, directory: Path) -> tuple[Path, Path]:
    """The script, and its site's directory."""
    site = case.site_dir
    commit_id = _git(site, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit_id is None:
        known = [path.stem for path in case.script_path.parent.glob("*.wsgi")]
        raise BadInput(
            f"--against {quoted(revision)} is no script file, no script of {site} and no git revision there"
            f"{nearest(revision, known)}"
        )
    commit = commit_id.decode().strip()
    top = Path((_git(site, "rev-parse", "--show-toplevel") or b"").decode().strip())
    inside = site.relative_to(top)
    place = directory / commit[:12]
    script = place / inside / case.script_path.relative_to(site)
    if not place.exists():
        packed = _git(top, "archive", commit, "--", str(inside))
        if packed is None:
            raise BadInput(f"--against {quoted(revision)}: {inside} is not in that revision")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
    if not is_file(script):
        raise BadInput(f"--against {quoted(revision)}: {script.relative_to(place)} is not in that revision")
    return script, place / inside


def _git(directory: Path, *arguments: str) -> bytes | None:
    """Standard output of git; None where it fails. Raises BadInput where there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments],
            capture_output=True,
            check=False,
            env={**os.environ, "PATH": proc.search_path()},
        )
    except FileNotFoundError as error:
        raise BadInput("--against needs git to find a revision: apt install git") from error
    except (OSError, ValueError) as error:  # a revision of a megabyte, or with a NUL in it
        raise BadInput(f"--against {quoted(arguments[-1])}: git cannot be asked for it: {error}") from None
    return done.stdout if done.returncode == 0 else None
