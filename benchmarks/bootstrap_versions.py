"""The bootstrap with each Django since 1.11, on the oldest and the newest Python of this machine that suits it.

    python -m benchmarks.bootstrap_versions

Each is installed into an environment of its own, which stays in the harness' cache. Older releases, on Python 2.7, are
runtimes of the harness, and tests/inside/test_bootstrap_django.py starts a site with each. Apache takes no part: the
questions are whether every step is done, and whether the first request then imports anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.runtimes.building import cache_directory
from harness.runtimes.interpreters import clean_environment, interpreters

# First and last Python 3 that each release runs on, as its release notes say.
RELEASES = {
    "1.11": (6, 6), "2.0": (6, 7), "2.1": (6, 7), "2.2": (6, 9), "3.0": (6, 9), "3.1": (6, 9), "3.2": (6, 10),
    "4.0": (8, 10), "4.1": (8, 11), "4.2": (8, 12), "5.0": (10, 12), "5.1": (10, 13), "5.2": (10, 14),
    "6.0": (12, 14), "6.1": (12, 14),
}  # fmt: skip
SITE = Path("sites/settings_window")
# The newest releases of what Django depends on need a newer Python, which the pip of Python 3.6 does not notice.
FOR_36 = ["sqlparse<0.4.5", "asgiref<3.5", "typing_extensions<4.2"]
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import harness_bootstrap as b
sys.path.pop(0)
application = b.get_application(sys.argv[2])
before = set(name for name, module in sys.modules.items() if module)
status = b.ask(application, "/")
new = sorted(set(name for name, module in sys.modules.items() if module) - before)
import django
steps = application.bootstrap_report.steps
done = sum(step.outcome == "done" for step in steps)
print(json.dumps([django.get_version(), status, "%d of %d" % (done, len(steps)), ", ".join(new) or "none"]))
"""


def environment(python: Path, minor: int, release: str) -> Path:
    """An interpreter with that Django, from the cache or newly installed."""
    home = cache_directory() / "bootstrap-versions" / f"3.{minor}-{release}"
    made = home / "bin" / "python"
    if not (home / "complete").exists():
        subprocess.run([str(python), "-m", "venv", "--clear", str(home)], check=True, capture_output=True)
        wanted = [f"django=={release}.*", *(FOR_36 if minor == 6 else [])]
        command = [str(made), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
        subprocess.run(command, check=True, capture_output=True, env=clean_environment())
        (home / "complete").touch()
    return made


def start(python: Path) -> list[str]:
    """[Django, status, steps done, modules that the first request imported], or the last line of the error."""
    command = [str(python), "-B", "-c", PROGRAM, str(Path("bootstrap").resolve()), str(SITE.resolve())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=clean_environment())
    if done.returncode:
        return ["?", (done.stderr.strip().splitlines() or ["no output"])[-1], "", ""]
    return [str(cell) for cell in json.loads(done.stdout.splitlines()[-1])]


@click.command()
@keep_option
def main(keep: Path | None) -> None:
    """Print a line for each pair; exit code 1 if the first request of one does not get a 200."""
    pythons = {python.minor_version[1]: Path(python.executable) for python in interpreters() if not python.is_2}
    table = Table("Django", "Python", "first request", "steps done", "modules that it imported")
    failed = False
    for release, (first, last) in RELEASES.items():
        usable = [minor for minor in sorted(pythons) if first <= minor <= last]
        for minor in dict.fromkeys([*usable[:1], *usable[-1:]]):
            try:
                cells = start(environment(pythons[minor], minor, release))
            except subprocess.CalledProcessError as error:
                cells = [release, (error.stderr.decode().strip().splitlines() or ["cannot be installed"])[-1], "", ""]
            failed |= cells[1] != "200"
            table.add_row(cells[0], f"3.{minor}", *cells[1:])
    show(table, keep=keep)
    sys.exit(failed)


if __name__ == "__main__":
    main()
