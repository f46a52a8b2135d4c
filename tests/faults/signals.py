"""Signals at random moments, to the harness and to what it has started; and what must be true afterwards.

The campaign (campaign_signals.py) and the tests (test_signals.py) share this.
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from harness.errors import HarnessError
from harness.hosting.leftovers import MEMORY
from harness.store.regrade import regrade
from harness.store.runs import BENCH_FILE, CASES, RESULT_FILE, stored_runs

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "sites" / "mysite" / "scripts" / "deferred.wsgi"
SIGNALS = ("INT", "TERM", "HUP", "KILL")
TARGETS = ("harness", "locust", "server", "interpreter")
COMMANDS = ("run", "check", "explore", "bench", "pytest")
# For a command to end after its signal, on a machine with nothing to spare: a server killed, other cases may follow.
END_SECONDS = 300.0
# For what it had started to end after it, where it was killed itself.
GONE_SECONDS = 15.0
# For a target to appear.
TARGET_SECONDS = 40.0
# Signals come up to so long after the target is there; most commands take so long undisturbed.
LATEST_SECONDS = 9.0


@dataclass(frozen=True)
class Fault:
    """One signal."""

    number: int
    command: str
    signal: str
    target: str
    delay: float
    """In seconds, from the moment the target is there."""

    def __str__(self) -> str:
        return f"{self.number:3}. {self.command:8} {self.signal:5} to {self.target:12} after {self.delay:5.2f} s"


@dataclass
class Aftermath:
    """What came of a fault: sentences about what is not as it should be."""

    code: int | None = None
    untidy: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    dishonest: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        return self.untidy + self.unreadable + self.dishonest


def faults(count: int, seed: int) -> list[Fault]:
    """Each command, signal and target about equally often, in an order that the seed decides."""
    draw = random.Random(seed)
    cells = [(command, name, target) for command in COMMANDS for name in SIGNALS for target in TARGETS]
    # Without a server of its own the search has only an interpreter; Locust idles beside it.
    cells = [cell for cell in cells if cell[0] != "explore" or cell[2] != "server"]
    draw.shuffle(cells)
    chosen = [cells[number % len(cells)] for number in range(count)]
    return [Fault(number, *cell, _delay(draw)) for number, cell in enumerate(chosen, 1)]


def _delay(draw: random.Random) -> float:
    """A third in the first second, where much begins."""
    return round(draw.uniform(0, 1.0) if draw.random() < 1 / 3 else draw.uniform(1.0, LATEST_SECONDS), 3)


def command_line(command: str, results: Path, python: Path) -> list[str]:
    harness = [sys.executable, "-m", "harness.cli"]
    if command == "run":
        return [
            *harness,
            "run",
            "mysite",
            "--backend",
            "local",
            "--case",
            "daemon",
            "--trials",
            "4",
            "--results",
            str(results),
        ]
    if command == "check":
        options = ["--python", str(python), "--mode", "daemon", "--trials", "8", "--results", str(results)]
        return [*harness, "check", str(SITE), *options]
    if command == "explore":
        return [*harness, "explore", "mysite", "--case", "deferred", "--trials", "60", "--results", str(results)]
    if command == "bench":
        options = ["--script", "deferred", "--mode", "daemon", "--restart", "respawn", "--backend", "local"]
        short = ["--cycles", "2", "--rate", "20", "--restart-at", "1.0", "--during", "1.0", "--after", "1.0"]
        return [*harness, "bench", "mysite", *options, *short, "--results", str(results)]
    options = ["--harness-backend", "local", "--harness-trials", "4", "--harness-results", str(results)]
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "daemon and default"),
        *(*options, str(ROOT / "scenarios" / "mysite.toml")),
    ]


def inflict(fault: Fault, python: Path) -> Aftermath:
    """Run the command, send the signal, and look at what is left."""
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as text:
        place = Path(text)
        place.chmod(0o755)  # the server's user must pass
        temporary, results = place / "t", place / "r"
        temporary.mkdir(mode=0o755)
        environment = {"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ, "TMPDIR": str(temporary)}
        with (place / "out").open("wb") as output:
            process = subprocess.Popen(
                command_line(fault.command, results, python),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        begun = psutil.Process(process.pid)
        try:
            family, ports = _signal(fault, begun, temporary)
            aftermath = Aftermath()
            try:
                aftermath.code = process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                aftermath.untidy.append(f"it goes on {END_SECONDS:.0f} s after the signal")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said = (place / "out").read_text(errors="replace")
        _look_at_processes(aftermath, family, ports, temporary)
        _look_at_results(aftermath, fault, results, said)
        if aftermath.code is not None:
            _look_at_directories(aftermath, fault, temporary, environment, process.pid)
        return aftermath


def _signal(fault: Fault, harness: psutil.Process, temporary: Path) -> tuple[list[psutil.Process], list[int]]:
    """Send the signal. Returns what the harness has started by then, and the ports of its servers."""
    deadline = time.monotonic() + TARGET_SECONDS
    target = None
    while target is None and time.monotonic() < deadline and harness.is_running() and harness.status() != "zombie":
        with contextlib.suppress(psutil.Error, OSError):
            target = _target(fault.target, harness)
        time.sleep(0.01)
    time.sleep(fault.delay)
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error, OSError):
        family = harness.children(recursive=True)
        if target is not None and not target.is_running():  # it was replaced meanwhile
            target = _target(fault.target, harness) or target
    ports = []
    for config in temporary.glob("harness-*/**/httpd.conf"):
        with contextlib.suppress(OSError):
            ports += map(int, re.findall(r"^Listen 127\.0\.0\.1:(\d+)", config.read_text(), re.MULTILINE))
    with contextlib.suppress(psutil.Error):
        if target is not None:
            target.send_signal(signal.Signals[f"SIG{fault.signal}"])
    return family, ports


def _target(name: str, harness: psutil.Process) -> psutil.Process | None:
    """The process of that name, if it is there; the harness itself once it handles signals."""
    if name == "harness":
        caught = next(line for line in Path(f"/proc/{harness.pid}/status").read_text().splitlines() if "SigCgt" in line)
        # SIGINT is handled by every Python: that SIGTERM is, too, says that the harness is there. pytest takes longer.
        return harness if int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)) else None
    for process in harness.children(recursive=True):
        words = process.cmdline()
        parent = process.parent()
        kept = parent is not None and any("keeper.py" in word for word in parent.cmdline())
        if name == "locust" and any("harness.load" in word for word in words):
            return process
        if name == "server" and kept and "-DFOREGROUND" in words:
            return process
        if name == "interpreter" and (words[:1] and words[0].startswith(("wsgi:", "(wsgi:"))):
            return process
        if name == "interpreter" and kept and any("snapshot.py" in word for word in words):
            return process
    return None


def _look_at_processes(aftermath: Aftermath, family: list[psutil.Process], ports: list[int], temporary: Path) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while (alive := _alive(family, temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in alive:
        aftermath.untidy.append(f"a process lives on: {process}")
        with contextlib.suppress(psutil.Error):
            process.kill()
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                aftermath.untidy.append(f"port {port} is still served")


def _alive(family: list[psutil.Process], temporary: Path) -> list[psutil.Process]:
    """What lives of the family, and whatever else belongs to this command: its temporary directory is in its words."""
    others = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and any(str(temporary) in word for word in process.cmdline()):
                others.append(process)
    living = [process for process in {*family, *others} if process.is_running()]
    return [process for process in living if _status(process) != "zombie"]


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.Error:
        return "zombie"


def _look_at_results(aftermath: Aftermath, fault: Fault, results: Path, said: str) -> None:
    code = aftermath.code
    if "Traceback" in said:
        aftermath.dishonest.append(f"a traceback: {said.strip().splitlines()[-1][:200]}")
    complete = False
    try:
        stored_runs(results)
    except (HarnessError, OSError) as error:
        aftermath.unreadable.append(f"the list of runs: {error}")
    for directory in results.iterdir() if results.is_dir() else []:
        complete = _look_at_run(aftermath, directory) or complete
    # pytest's code of a failed test is 1, whatever has failed: there an inconclusive case fails, too.
    if code in ((0,) if fault.command == "pytest" else (0, 1)) and not complete:
        aftermath.dishonest.append(f"exit code {code}, but the run is not complete")
    ends = {-signal.SIGKILL} if (fault.signal, fault.target) == ("KILL", "harness") else set()
    if fault.command == "pytest":
        ends |= {2}  # pytest's own code of an interruption
        if fault.target == "harness":  # before a case of the harness's has begun, a signal is none of its business
            ends |= {-signal.SIGTERM, -signal.SIGHUP}
    if code is not None and code not in {0, 1, 3} | ends:
        aftermath.dishonest.append(f"exit code {code}: {said.strip().splitlines()[-1:]}")


def _look_at_run(aftermath: Aftermath, directory: Path) -> bool:
    """Is this run complete? Its stored verdicts must follow from its trials."""
    for name in (RESULT_FILE, BENCH_FILE):
        if (directory / name).is_file():
            try:
                stored = msgspec.json.decode((directory / name).read_bytes())
            except msgspec.DecodeError as error:
                aftermath.unreadable.append(f"{name}: {error}")
                return False
            if name == BENCH_FILE:
                return bool(stored["status"] == "complete")
            break
    else:
        stored = {"cases": [], "status": "unfinished"}
    if not (directory / CASES).is_dir():
        return False
    try:
        again = {case.case: case for case in regrade(directory).cases}
    except HarnessError as error:
        aftermath.unreadable.append(f"report: {error}")
        return False
    for case in stored["cases"]:
        graded = again.get(case["case"])
        if graded is None:
            aftermath.dishonest.append(f"{case['case']}: it has a verdict, but no history")
        elif (case["verdict"], case["trials"]) != (graded.verdict, graded.trials):
            text = f"{case['verdict']} of {case['trials']} trials, by its history {graded.verdict} of {graded.trials}"
            aftermath.dishonest.append(f"{case['case']}: {text}")
    return bool(stored["status"] == "complete")


def _look_at_directories(
    aftermath: Aftermath, fault: Fault, temporary: Path, environment: dict[str, str], pid: int
) -> None:
    before = _directories(temporary, pid)
    # Whatever was killed cannot tidy up: the next start does.
    killed = fault.target == "harness" and (fault.signal == "KILL" or fault.command == "pytest")
    if before and not killed:
        aftermath.untidy.append(f"directories are left: {', '.join(map(str, before))}")
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "runs", "--results", str(temporary / "none")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Traceback" in done.stderr:
        aftermath.unreadable.append(f"harness runs: {done.stderr.splitlines()[-1]}")
    if before and "removed" not in done.stderr:
        aftermath.untidy.append("the next start does not say that it removed what was left")
    if after := _directories(temporary, pid):
        aftermath.untidy.append(f"directories are left after the next start: {', '.join(map(str, after))}")


def _directories(temporary: Path, pid: int) -> list[Path]:
    digits, number = "", pid
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return [*temporary.glob("harness-*"), *Path(MEMORY).glob(f"harness-{digits}-*")]
