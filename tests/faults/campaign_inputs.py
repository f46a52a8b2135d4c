"""Broken files and arguments over every command: each ends within 10 s, in one short message, without a traceback.

python tests/faults/campaign_inputs.py [--count 5000] [--seed 1] [--only TEXT] [--real 20] [--keep FILE]

A case runs in a fork of this process, in a workspace of its own; a command that would start a server or build a runtime
ends there with 0. `--real`: so many of those that are refused run as real commands too, and must end with that code.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import broken
import pytest
import scipy.stats  # noqa: F401 - what gate and compare import takes seconds, once
import workspace

from harness.cli import commands
from harness.errors import HarnessError

SECONDS = 10.0
MOST_CHARACTERS = 2000
# A file of 20 GiB that is read whole must fail here, and not take the machine with it.
MEMORY = 3 * 2**30
CRASHED = 70
UNFORESEEN = {
    "Traceback (most recent call last)": "a traceback",
    "INTERNALERROR": "a traceback of pytest's",
    "the harness itself failed": "an error that nobody foresaw",
}
VERDICTS = ("report", "compare", "gate", "pytest")
"""Commands in which 1 is the verdict of what is stored, or of the tests."""


class WouldStart(HarnessError):
    """The command was not refused, and would start something now."""

    exit_code = 0


@dataclass(frozen=True)
class Ending:
    """How a case ended."""

    code: int | None
    """None: it did not within SECONDS."""
    output: str
    seconds: float


def run(case, base):
    """Run a case in a fork: its ending."""
    with tempfile.TemporaryDirectory(prefix="harness-broken-") as text:
        place = Path(text) / "w"
        shutil.copytree(base, place)
        log = Path(text) / "log"
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _in_child(case, place, log)
        code = _wait(child, begin + SECONDS * slowness())
        return Ending(code, log.read_text(errors="replace") if log.exists() else "", time.monotonic() - begin)


def slowness():
    """By how much this machine is slower than one that nobody else uses now."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _wait(child, deadline):
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _in_child(case, place, log):
    code = CRASHED
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(out, descriptor)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        case.change()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with contextlib.ExitStack() as stack:
            _start_nothing(stack)
            code = _call(case.arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - this is what is looked for
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _call(arguments):
    if arguments[:1] != ("pytest",):
        return commands.main([*arguments], prog_name="harness")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--harness-backend=local", *arguments[1:]]
    collect = [] if "--run" in options else ["--collect-only"]
    return int(pytest.main([*collect, *(option for option in options if option != "--run"), "."]))


def _start_nothing(stack):
    """Whatever would start a server or build a runtime ends the command instead."""

    def refuse(*_, **__):
        raise WouldStart("it would start now")

    from unittest import mock  # noqa: PLC0415

    for name in (
        "harness.cli.commands.sweep",
        "harness.hosting.backend.LocalBackend.prepare",
        "harness.hosting.backend.LocalBackend.host",
        "harness.hosting.preparing.Runtimes.get",
        "harness.run.session.Session.__init__",
        "harness.bench.run.BenchRun.__init__",
        "harness.cli.trials.prepare_for_python",
        "harness.parity.run.prepare",
        "harness.parity.run.prepare_for_python",
        "harness.pytest_plugin.prepare_for_python",
    ):
        stack.enter_context(mock.patch(name, refuse if "sweep" not in name else lambda: ""))


def fault(case, ending):
    """What is wrong with an ending; "" if it is as it should be."""
    allowed = {0, 2, 3} | ({1} if case.command in VERDICTS else set()) | ({4, 5} if case.command == "pytest" else set())
    if ending.code is None:
        return f"not ended after {SECONDS:g} s of a machine of its own"
    if ending.code not in allowed:
        return f"exit code {ending.code}"
    for sign, what in UNFORESEEN.items():
        if sign in ending.output:
            return what
    if ending.code in (2, 3) and case.command != "pytest" and len(ending.output) > MOST_CHARACTERS:
        return f"a message of {len(ending.output)} characters"
    if ending.code == 2 and not ending.output.strip():
        return "no message"
    return ""


def real(case, ending, base):
    """The same as a real command: "" if it ends alike."""
    with tempfile.TemporaryDirectory(prefix="harness-broken-") as text:
        place = Path(text) / "w"
        shutil.copytree(base, place)
        before = Path.cwd()
        os.chdir(place)
        try:
            case.change()
            command = [sys.executable, "-P", "-m", "harness.cli", *case.arguments]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
        except (ValueError, OSError):
            return ""  # no such argument can be given: it holds a NUL, or has more than 128 KiB
        finally:
            os.chdir(before)
    same = done.returncode == ending.code and "Traceback" not in done.stderr
    return "" if same else f"as a real command: exit code {done.returncode} instead of {ending.code}"


def campaign(cases, base, say=print, real_ones=0, seed=1):
    """Run the cases: the faults, by name, and how many there were of each command and exit code."""
    faults, counts = {}, collections.Counter()
    refused = []
    for case in cases:
        ending = run(case, base)
        if ending.code is None:
            ending = run(case, base)  # a busy machine may have held it up; what hangs hangs again
        counts[case.command, ending.code] += 1
        why = fault(case, ending)
        if why:
            faults[f"{case.command}: {case.name}"] = why
            say(f"{case.command}: {case.name}: {why}\n    {ending.output[-1500:]}")
        elif ending.code == 2 and case.command != "pytest":
            refused.append((case, ending))
    for case, ending in random.Random(seed).sample(refused, min(real_ones, len(refused))):
        why = real(case, ending, base)
        counts["as a real command", ending.code] += 1
        if why:
            faults[f"real {case.command}: {case.name}"] = why
            say(f"{case.command}: {case.name}: {why}")
    return faults, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="cases in all: the named ones, and mutations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="every n-th case only")
    parser.add_argument("--real", type=int, default=20, help="so many as real commands too")
    parser.add_argument("--keep", type=Path, help="write the counts here")
    options = parser.parse_args()
    cases = broken.all_cases(options.count, random.Random(options.seed))
    cases = [case for case in cases if options.only in f"{case.command}: {case.name}"][:: options.every]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-broken-base-") as text:
        base = workspace.make(Path(text) / "base")
        faults, counts = campaign(cases, base, lambda line: print(line, flush=True), options.real, options.seed)
    commands = sorted({command for command, _ in counts})
    table = {
        command: {str(code): count for (name, code), count in sorted(counts.items(), key=str) if name == command}
        for command in commands
    }
    for command in commands:
        print(f"{command}: " + ", ".join(f"{count} ended with {code}" for code, count in table[command].items()))
    total = sum(counts.values())
    if options.keep:
        record = {"seed": options.seed, "cases": total, "as_they_should_be": total - len(faults), "exit_codes": table}
        options.keep.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{total - len(faults)} of {total} as they should be")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
