"""Hostile sites: `harness check` (or `explore`) on each script in tests/hostile/sites, compared with its truth.

    python tests/faults/campaign_sites.py --trials 6 [--only NAME] [--keep FILE]

The truth stands in the first lines of each script, and was found by thinking about the site, not by asking the harness:
a sentence, then TOML. `verdict` (one or several; `refused` is exit code 2 without a verdict), `class` of a race or a
broken site, `says` and `never` (patterns of the output), `options` of `harness check`, `lane` (check, explore), `place`
(the script's path in its directory), `deep` (directories on the way to it, of 100 characters each), `writable` (the
site may write into its directory), `root` (only where the harness is another user than the site), `why`.

Of every site it is demanded too: it ends in time; the exit code is that of the verdict; no traceback of the harness;
nothing that a terminal or a CI service would obey in the output or in a report; `harness report` judges alike; a file
that only the harness' user may read is neither told nor changed; no process and no file is left.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from warm import WarmHarness

ROOT = Path(__file__).resolve().parents[2]
SITES = ROOT / "tests" / "hostile" / "sites"
EXIT_CODES = {"clean": 0, "hazard": 0, "race": 1, "broken": 1, "refused": 2, "inconclusive": 3}
# prctl(2): what a site has daemonised comes back to the process that runs the site's check.
PR_SET_CHILD_SUBREAPER = 36
# What the harness has asked to end may take a moment to do so.
END_SECONDS = 5.0
# An output that nobody would read.
LONGEST_OUTPUT = 60_000
# Control characters but for tab and newline, and marks that turn the direction of text.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What CI services take for commands.
COMMAND = re.compile(r"^\s*::|##\[|##vso\[", re.MULTILINE)
# A traceback of the harness begins its line; one that it quotes from a site does not.
TRACEBACK = re.compile(r"^Traceback \(most recent call last\)|^Exception ignored in", re.MULTILINE)
SCENARIO = """
title = "a hostile site"
site = "site"
scripts = ["{stem}"]
runtime = "django52"
trials = {trials}
[load]
users = 15
timeout = 8.0
[[expect]]
verdict = ["clean", "hazard"]
outcomes.ok = {{ grade = "expected", why = "nothing else is right" }}
"""


@dataclass(frozen=True)
class Truth:
    """What is known of a site before anybody asks the harness."""

    shows: str
    verdict: tuple[str, ...]
    classes: tuple[str, ...]
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    lane: str = "check"
    place: str = ""
    deep: int = 0
    writable: bool = False
    root: bool = False
    why: str = ""


def read_truth(script: Path) -> Truth:
    """The truth in a script's first lines. Raises ValueError: a key is missing or unknown."""
    head = []
    for line in script.read_bytes().splitlines():
        if not line.startswith(b"#:"):
            break
        head.append(line[2:].decode().strip())
    given = tomllib.loads("\n".join(head[1:]))
    wanted, classes = given.pop("verdict"), given.pop("class", None)
    verdict = tuple([wanted] if isinstance(wanted, str) else wanted)
    if classes is None:
        classes = [] if {"race", "broken"} & set(verdict) else [""]
    classes = tuple([classes] if isinstance(classes, str) else classes)
    if set(given) - set(Truth.__dataclass_fields__) or set(verdict) - set(EXIT_CODES) or not classes:
        raise ValueError(f"{script}: {given}, {verdict}, {classes}: not a truth")
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Truth(head[0], verdict, classes, **lists)


@dataclass
class Check:
    """One site that was checked: what the harness said, and what is wrong with that."""

    name: str
    verdict: str = ""
    kind: str = ""
    code: int | None = None
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""
    output: str = ""


class Place:
    """A site's own directories: the script's copy, temporary files, results, and a file that it may not read."""

    def __init__(self, script: Path, truth: Truth) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="hs-"))
        self.top.chmod(0o755)
        self.temporary, self.results = self.top / "t", self.top / "results"
        self.temporary.mkdir()
        self.word = secrets.token_hex(12)
        self.canary = self.top / "canary"
        self.canary.write_text(self.word)
        self.canary.chmod(0o600)
        site = self.top / "sites" / "site"
        home = site / "scripts" if truth.lane == "explore" else site
        self.script = home.joinpath(*["d" * 100] * truth.deep, truth.place or script.name)
        self.script.parent.mkdir(parents=True)
        shutil.copyfile(script, self.script)
        for directory in (site, *site.rglob("*")):
            mode = (0o777 if truth.writable else 0o755) if directory.is_dir() else 0o644
            directory.chmod(mode)

    def left(self) -> list[str]:
        """Files that the harness has left among its temporary ones."""
        return [f"{path.name} is left in TMPDIR" for path in self.temporary.iterdir()]

    def told(self, output: str) -> list[str]:
        """Where the word stands that the site may not read, and whether it was changed."""
        wrong = [] if self.canary.read_text() == self.word else ["a file of the harness' user was changed"]
        if os.geteuid() != 0:  # the site is the same user then
            return wrong
        kept = [path for path in self.results.rglob("*") if path.is_file() and not path.is_symlink()]
        texts = [output.encode(), *(path.read_bytes() for path in kept)]
        return wrong + ["a file of the harness' user was read"] * any(self.word.encode() in text for text in texts)

    def remove(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)


@dataclass(frozen=True)
class Campaign:
    """How the sites are checked."""

    harness: str
    """The interpreter of the harness under test."""
    python: str
    """The interpreter that has what the sites import."""
    trials: int
    limit: float


_warm: list[WarmHarness] = []


def begin_worker(campaign: Campaign) -> None:
    """What its sites leave comes back to this process; its commands are forks of one child."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _warm.append(WarmHarness(campaign.harness).__enter__())


def check_site(name: str, campaign: Campaign) -> Check:
    """Check one site. Runs in a process of its own, to which what the site leaves comes back."""
    script = SITES / f"{name}.wsgi"
    truth = read_truth(script)
    check = Check(name)
    if truth.root and os.geteuid() != 0:
        check.skipped = "the harness would be the same user as the site"
        return check
    place = Place(script, truth)
    try:
        begin = time.monotonic()
        arguments = _arguments(place, truth, campaign)
        check.code, check.output = _run(arguments, place, campaign, explored=truth.lane == "explore")
        check.seconds = round(time.monotonic() - begin, 1)
        check.wrong += [f"left running: {process}" for process in _end_descendants()]
        check.wrong += [*_judge(check, truth, place, campaign), *place.left(), *place.told(check.output)]
    finally:
        place.remove()
    return check


def _arguments(place: Place, truth: Truth, campaign: Campaign) -> list[str]:
    results = ["--results", str(place.results)]
    if truth.lane == "explore":
        scenario = place.top / "hostile.toml"
        scenario.write_text(SCENARIO.format(stem=place.script.stem, trials=campaign.trials))
        return ["explore", str(scenario), "--sites", str(place.top / "sites"), *results]
    mode = [] if "--mode" in truth.options else ["--mode", "daemon"]
    trials = [] if "--trials" in truth.options else ["--trials", str(campaign.trials)]
    rest = [*mode, *trials, *truth.options, "--env", f"CANARY={place.canary}", *results]
    return ["check", str(place.script), "--python", campaign.python, *rest]


def _run(arguments: Sequence[str], place: Place, campaign: Campaign, *, explored: bool) -> tuple[int | None, str]:
    """The exit code (None: it did not end in time) and the output of a command."""
    environment = {"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ}
    environment |= {"TMPDIR": str(place.temporary), "LEFT": str(place.top / "left"), "COLUMNS": "120"}
    if not explored or os.geteuid() != 0 or not shutil.which("unshare"):
        return _warm[0].run(arguments, place.top, environment, campaign.limit)
    # Its files are in /dev/shm: with one of its own it is seen what is left there.
    inner = 'mount -t tmpfs none /dev/shm && "$@"; code=$?; ls -A /dev/shm >"$LEFT"; exit $code'
    wrapped = ["unshare", "--mount", "sh", "-c", inner, "sh", campaign.harness, "-P", "-m", "harness.cli", *arguments]
    with (place.top / "output").open("w+b") as output:
        process = subprocess.Popen(
            wrapped, cwd=place.top, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        code: int | None = None
        for number in (None, signal.SIGINT, signal.SIGKILL):
            if number is not None:
                for one in [*psutil.Process(process.pid).children(), process]:
                    one.send_signal(number)
            try:
                ended = process.wait(campaign.limit)
                code = ended if number is None else None
                break
            except subprocess.TimeoutExpired:
                continue
        output.seek(0)
        text = output.read().decode(errors="surrogateescape")
    left = place.top / "left"
    if left.exists() and left.read_text().strip():
        text += f"\nleft in /dev/shm: {left.read_text().split()}\n"
    return code, text


def _end_descendants() -> Iterator[str]:
    """Those that still live after a moment, which are ended."""
    deadline = time.monotonic() + END_SECONDS
    while (living := _living()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for _ in range(40):  # who is killed may have been started anew by another
        for process in living:
            try:
                yield f"{process.pid} {' '.join(process.cmdline())[:80]}"
                process.kill()
            except psutil.Error:
                pass
        _reap()
        living = _living()
        if not living:
            return


def _living() -> list[psutil.Process]:
    _reap()
    processes = [one for one in psutil.Process().children(recursive=True) if one.pid != _warm[0].pid]
    return [process for process in processes if process.status() != psutil.STATUS_ZOMBIE]


def _reap() -> None:
    for child in psutil.Process().children():
        if child.pid != _warm[0].pid and child.status() == psutil.STATUS_ZOMBIE:
            os.waitpid(child.pid, os.WNOHANG)


def _judge(check: Check, truth: Truth, place: Place, campaign: Campaign) -> Iterator[str]:
    """What is wrong with what the harness did and said."""
    if check.code is None:
        yield f"did not end within {campaign.limit:.0f} s"
    result = _result(place)
    if result is None:
        check.verdict = {2: "refused", 3: "inconclusive"}.get(check.code or 0, "none")
    else:
        check.verdict = result["verdict"]
        check.kind = result["race_class"] or result["broken_class"] or ""
        yield from _reports(check, place, campaign)
    if check.verdict not in truth.verdict:
        yield f"verdict {check.verdict}, not {' or '.join(truth.verdict)}"
    elif check.kind not in truth.classes:
        yield f"class {check.kind or '(none)'}, not {' or '.join(truth.classes)}"
    if check.code is not None and check.code != EXIT_CODES.get(check.verdict):
        yield f"exit code {check.code} for {check.verdict}"
    yield from _unfit(check.output, "output")
    yield from (f"does not say {text!r}" for text in truth.says if not re.search(text, check.output))
    yield from (f"says {text!r}" for text in truth.never if re.search(text, check.output))
    if "left in /dev/shm" in check.output:
        yield check.output.strip().splitlines()[-1]


def _result(place: Place) -> dict[str, Any] | None:
    files = list(place.results.glob("*/result.json"))
    cases = json.loads(files[0].read_text())["cases"] if files else []
    return cases[0] if cases else None


def _reports(check: Check, place: Place, campaign: Campaign) -> Iterator[str]:
    """What is wrong with the report of a stored run, which judges it anew."""
    command = ["report", str(next(place.results.iterdir())), "--format", "markdown", "--output", "-"]
    _, text = _run(command, place, campaign, explored=False)
    if not re.search(rf"\b{check.verdict}\b", text):
        yield f"harness report says {text[-200:]!r}"
    yield from _unfit(text, "report")


def _unfit(text: str, what: str) -> Iterator[str]:
    if TRACEBACK.search(text):
        yield f"{what}: a traceback"
    if match := OBEYED.search(text):
        yield f"{what}: a control character {match[0]!r} in {text[max(0, match.start() - 30) : match.end() + 10]!r}"
    if match := COMMAND.search(text):
        yield f"{what}: a CI command in {text[max(0, match.start() - 30) : match.end() + 20]!r}"
    if len(text) > LONGEST_OUTPUT:
        yield f"{what}: {len(text)} characters"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has a Django, for the sites")
    parser.add_argument("--harness", default=sys.executable, help="interpreter of the harness under test")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this site; repeatable")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2), help="sites at a time")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that a site may take")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write what was seen as JSON")
    parser.add_argument("--show", action="store_true", help="show the output of what is wrong")
    given = parser.parse_args(arguments)
    names = given.only or sorted(path.stem for path in SITES.glob("*.wsgi"))
    campaign = Campaign(given.harness, given.python, given.trials, given.limit)
    checks = []
    with ProcessPoolExecutor(given.jobs, initializer=begin_worker, initargs=(campaign,)) as pool:
        for check in pool.map(check_site, names, [campaign] * len(names)):
            checks.append(check)
            print(describe(check), flush=True)
            if check.wrong and given.show:
                print(*(f"    | {ascii(line)[1:-1]}" for line in check.output[-3000:].splitlines()), sep="\n")
    ran = [check for check in checks if not check.skipped]
    right = [check for check in ran if not check.wrong]
    if given.keep:
        names = ("name", "verdict", "kind", "code", "wrong")
        kept = [{name: getattr(check, name) for name in names} for check in ran]
        given.keep.write_text(json.dumps({"right": len(right), "of": len(ran), "sites": kept}, indent=1) + "\n")
    print(f"{len(right)} of {len(ran)} as they should be")
    return 0 if len(right) == len(ran) else 1


def describe(check: Check) -> str:
    if check.skipped:
        return f"skipped  {check.name}: {check.skipped}"
    said = check.verdict + (f" ({check.kind})" if check.kind else "")
    if not check.wrong:
        return f"ok       {check.name}: {said}, {check.seconds:.0f} s"
    return "WRONG    " + ascii(f"{check.name}: {said}, {check.seconds:.0f} s: {'; '.join(check.wrong)}")[1:-1]


if __name__ == "__main__":
    raise SystemExit(main())
