"""The bootstrap with each Django since 1.11, on the oldest and the newest Python of this machine that suits it.

    python -m benchmarks.bootstrap_versions

Each is installed into an environment of its own, which is kept in the harness' cache. Older ones, on Python 2.7, are
runtimes of the harness, and tests/inside/test_bootstrap_django.py starts a site with each. No Apache takes part: what
is asked is whether every step is done and whether the first request then imports anything.
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
# What Django needs needs a newer Python now, and pip of those days does not see that it does.
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
done = sum(each.outcome == "done" for each in steps)
print(json.dumps([django.get_version(), status, "%d of %d" % (done, len(steps)), ", ".join(new) or "none"]))
"""


def environment(python: Path, minor: int, release: str) -> Path:
    """An interpreter with that Django; made where it is not there yet."""
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
    """[Django, status, steps done, modules that the first request imported], or what was said at the end."""
    command = [str(python), "-B", "-c", PROGRAM, str(Path("bootstrap").resolve()), str(SITE.resolve())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=clean_environment())
    if done.returncode:
        return ["?", (done.stderr.strip().splitlines() or ["nothing was said"])[-1], "", ""]
    return [str(each) for each in json.loads(done.stdout.splitlines()[-1])]


@click.command()
@keep_option
def main(keep: Path | None) -> None:
    """Print a line for each pair; exit code 1 where one of them does not answer with a 200."""
    here = {each.minor_version[1]: Path(each.executable) for each in interpreters() if not each.is_2}
    table = Table("Django", "Python", "first request", "steps done", "modules that it imported")
    failed = False
    for release, (first, last) in RELEASES.items():
        usable = [minor for minor in sorted(here) if first <= minor <= last]
        for minor in dict.fromkeys([*usable[:1], *usable[-1:]]):
            try:
                told = start(environment(here[minor], minor, release))
            except subprocess.CalledProcessError as error:
                told = [release, (error.stderr.decode().strip().splitlines() or ["cannot be installed"])[-1], "", ""]
            failed |= told[1] != "200"
            table.add_row(told[0], f"3.{minor}", *told[1:])
    show(table, keep=keep)
    sys.exit(failed)


if __name__ == "__main__":
    main()
