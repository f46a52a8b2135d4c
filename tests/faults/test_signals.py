"""Signals to the harness and to what it has started: everything ends, and nothing lies. The campaign has more."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from signals import ROOT, Fault, inflict

from harness.hosting import interruption
from harness.hosting.preparing import prepare
from harness.runtimes.spec import declared_runtimes

pytestmark = [pytest.mark.faults, pytest.mark.e2e]
# A form of the campaign: each signal, target and command, at moments at which something is under way.
FAULTS = [
    ("check", "INT", "harness", 0.0),
    ("check", "KILL", "harness", 4.0),
    ("check", "TERM", "harness", 3.0),
    ("check", "KILL", "server", 0.5),
    ("check", "KILL", "locust", 1.0),
    ("check", "KILL", "interpreter", 0.3),
    ("run", "HUP", "harness", 2.5),
    ("explore", "KILL", "interpreter", 0.5),
    ("explore", "TERM", "harness", 3.5),
    ("bench", "HUP", "harness", 4.0),
    ("pytest", "INT", "harness", 1.0),
    ("pytest", "KILL", "server", 1.0),
]


@pytest.fixture(scope="module")
def python():
    return prepare("django52", declared_runtimes()["django52"]).python


@pytest.mark.parametrize(("command", "name", "target", "delay"), FAULTS)
def test_tidy_readable_honest(python, command, name, target, delay):
    """No process, port or directory is left, results can be read, exit code and verdicts are those of the trials."""
    assert [] == inflict(Fault(1, command, name, target, delay), python).complaints


LIVING = """
import sys, time
from harness.hosting import interruption
interruption.install()
{before}
print("ready", flush=True)
{body}
"""
WAITS = """
interruption.begin()
try:
    with interruption.Shield():
        print("shielded", flush=True)
        sys.stdin.readline()
        print("whole", flush=True)
    time.sleep(100)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(100)
"""


def by_default():
    """Before the program starts: a shell lets what it starts in the background ignore some of these."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def program(body, before=""):
    command = [sys.executable, "-c", LIVING.format(body=body, before=before)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        preexec_fn=by_default,  # noqa: PLW1509 - no thread
    )
    assert "ready\n" == process.stdout.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_while_modules_are_imported(number):
    """A signal before anything was started ends the program with exit code 3, one sentence, no traceback."""
    process = program("time.sleep(100)")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (interruption.EXIT_CODE, "harness: interrupted; nothing is left running\n") == (process.returncode, said)


def test_a_shield_delays_and_a_second_signal_ends():
    """What must be whole is finished first; a second signal does not wait."""
    process = program(WAITS)
    assert "shielded\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    time.sleep(interruption.ONE_REASON_SECONDS)
    process.stdin.write("\n")
    process.stdin.flush()
    assert "whole\n" == process.stdout.readline()
    assert "interrupted\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert interruption.EXIT_CODE == process.returncode
    assert said.startswith("harness: interrupted again;")


def test_a_second_signal_passes_the_shield():
    """Where what is shielded hangs, the second signal ends it."""
    process = program(WAITS)
    assert "shielded\n" == process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(2 * interruption.ONE_REASON_SECONDS)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert interruption.EXIT_CODE == process.returncode


def test_what_is_ignored_stays_ignored():
    """As `nohup` asks for it."""
    process = program(
        "sys.stdin.readline(); print('lives')",
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); interruption.install()",
    )
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate("\n", timeout=60)
    assert (0, "lives\n") == (process.returncode, said)


def test_a_guest_gives_the_handlers_back():
    """In pytest's process the handlers are those of before, once its cases are over."""
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    take_back = interruption.install_as_guest()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            pytest.fail("SIGTERM did not interrupt")
    finally:
        take_back()
    assert before == [signal.getsignal(number) for number in interruption.SIGNALS]
