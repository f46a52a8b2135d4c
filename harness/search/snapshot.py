"""The snapshot lane: many trials a second, each in a forked copy of a process that has just imported the script.

What it finds is a candidate: only the Apache lane's word counts. The same checkers judge both.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import msgspec

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting import events, listener
from harness.hosting.environment import environment_of
from harness.hosting.programs import INSIDE, PROGRAMS, plan_of, put_programs
from harness.load.exchange import COMMON_HEADERS, RequestResult, answer_of
from harness.proc import dies_with_us
from harness.records import (
    Answer,
    Control,
    Evidence,
    ProcessId,
    Request,
    State,
    ThreadOrder,
    ThreadStack,
    Trial,
    WatchedProcess,
)
from harness.run.trial import compared
from harness.runtimes.building import Runtime
from harness.runtimes.compiling import compiled_by

# What a child may take beyond its requests, to tell what came of it.
TELLING_SECONDS = 10.0


MEMORY = "/dev/shm"


class _ChildAnswer(msgspec.Struct):
    sent: float | None
    first_byte: float | None
    last_byte: float | None
    status: int | None
    headers: dict[str, str]
    body: str


class _ChildReport(msgspec.Struct):
    """What a child brings home, or how it died."""

    recording: str = ""
    idle: bool | None = None
    stacks: list[ThreadStack] = []
    states: listener.StateReport | None = None
    answers: list[_ChildAnswer] = []
    follow_up: list[_ChildAnswer] = []
    order: ThreadOrder | None = None
    died: int | None = None
    stuck: bool = False
    pid: int = 0


class SnapshotProcess:
    """A process that has imported the script, and forks. A context manager; one trial at a time."""

    def __init__(self, case: Case, runtime: Runtime) -> None:
        self.case = case
        self._runtime = runtime
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory = directory = Path(tempfile.mkdtemp(prefix="harness-", dir=_memory()))
        try:
            self._start(directory)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, directory: Path) -> None:
        directory.chmod(0o755)
        (directory / "events").mkdir()
        put_programs(directory, compiled_by(self._runtime.python, PROGRAMS))
        shutil.copyfile(INSIDE / "snapshot.py", directory / "snapshot.py")
        user, group = proc.server_user()
        if user:
            shutil.chown(directory / "events", user)
        self._process = subprocess.Popen(
            [
                *dies_with_us(),
                str(self._runtime.python),
                str(directory / "snapshot.py"),
                str(directory),
                str(self.case.script_path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(directory / "log").open("wb"),
            env={
                **environment_of(self.case, self._runtime, user),
                # Sets in the same order each time: the same seed is then the same trial, as far as that goes.
                "PYTHONHASHSEED": str(self.case.seed & 0xFFFFFFFF),
                # httpd loads the library as root; this process must find it where the server's user may go.
                "LD_LIBRARY_PATH": os.pathsep.join(str(each / "lib") for each in self._runtime.reads),
            },
            user=user or None,
            group=group or None,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
        ready = self._read(self.case.timeout)
        if not ready.get("ready"):
            raise BadInput(f"{self.case.script_path}: the script cannot be imported: {ready.get('error')}")
        if ready["shared"]:
            raise BadInput(
                f"{self.case.script_path}: after its import the process has {', '.join(ready['shared'])}, which forked "
                f"children would share: the snapshot lane cannot isolate them; the Apache lane can (harness run)"
            )

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._kill(self._process)
            assert self._process.stdout is not None
            self._process.stdout.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """End it, and a child that it waits for."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _read(self, seconds: float | None = None) -> dict[str, Any]:
        """What it says next; `seconds`: it is given so long to import the script."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._directory is not None
        if seconds is not None and not select.select([self._process.stdout], [], [], seconds)[0]:
            self._kill(self._process)
            raise BadInput(
                f"{self.case.script_path}: the script is still being imported after {seconds:g} s (load.timeout): if "
                f"it hangs there, every request does; harness run tells where"
            )
        line = self._process.stdout.readline()
        if not line:
            log = (self._directory / "log").read_text(errors="replace").splitlines()[-8:]
            raise InfrastructureError("the snapshot process ended:\n  " + "\n  ".join(log))
        found: dict[str, Any] = json.loads(line)
        return found

    def control(self, number: int, begin: float) -> Control:
        """The requests one after another, in a child."""
        report = self._fork(f"c{number}", together=False, grace=self.case.timeout, seed=self.case.seed)
        answers, _ = _answers(self.case, report)
        return Control(number=number, answers=answers, begin=begin, evidence=_evidence(report))

    def trial(
        self,
        number: int,
        grace: float,
        reference: State | None = None,
        like: ThreadOrder | None = None,
    ) -> Trial:
        """One stampede in a child, every second one lined up by a slow import; or `like` an earlier one: lined up as
        that was, with points as fine, and made to follow its runs, if it has any."""
        case = self.case
        begin = time.monotonic()
        seed = (case.seed * 1_000_003 + number) & 0xFFFFFFFF if case.perturb.seed is None else case.perturb.seed
        led = like or ThreadOrder(line_up=number % 2 == 0)
        report = self._fork(str(number), together=True, grace=grace, seed=seed, led=led)
        answers, follow_up = _answers(case, report)
        return Trial(
            number=number,
            slot="snapshot",
            begin=begin,
            end=time.monotonic(),
            answers=answers,
            follow_up=follow_up,
            evidence=compared(_evidence(report), reference),
            order=msgspec.structs.replace(report.order or ThreadOrder(), line_up=led.line_up, fine=led.fine),
        )

    def _fork(
        self, number: str, *, together: bool, grace: float, seed: int, led: ThreadOrder | None = None
    ) -> _ChildReport:
        """What a child brings home."""
        case = self.case
        led = led or ThreadOrder()
        plan = plan_of(case, case.site_dir) if case.schedule == "perturbed" else None
        assert self._process is not None
        assert self._process.stdin is not None
        chosen = case.requests_of_stampede()
        order = {
            "requests": [_order(case.requests[index], f"{number}.{user}") for user, index in enumerate(chosen)],
            "follow_up": [
                _order(case.requests[turn % len(case.requests)], f"{number}.f{turn}") for turn in range(case.follow_up)
            ],
            "together": together,
            "line_up": led.line_up,
            "runs": led.runs,
            "grace": grace,
            "telling": TELLING_SECONDS,
            "invariant": case.invariant,
            "seed": seed,
            "plan": plan and {**plan, "fine": led.fine},
        }
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return msgspec.convert(self._read(), _ChildReport)


def _memory() -> str | None:
    """A directory for files that need no disk: a mapped file on one costs a journal entry for each page written."""
    return MEMORY if os.access(MEMORY, os.W_OK) else None


def _order(request: Request, name: str) -> dict[str, Any]:
    headers = {**COMMON_HEADERS, "X-Harness-Request": name, **request.headers}
    return {"method": request.method, "path": request.path, "body": request.body, "headers": headers}


def _answer(told: _ChildAnswer, user: int, index: int) -> Answer:
    given = {key: str(value) for key, value in told.headers.items()}
    return answer_of(
        RequestResult(
            intended=told.sent or 0.0,
            sent=told.sent,
            first_byte=told.first_byte,
            last_byte=told.last_byte,
            status=told.status if told.last_byte is not None else None,
            failure=None if told.last_byte is not None else "open",
            headers=given,
            body=told.body,
        ),
        user,
        index,
    )


def _answers(case: Case, report: _ChildReport) -> tuple[tuple[Answer, ...], tuple[Answer, ...]]:
    """The answers to the requests together, and to those that followed."""
    chosen = case.requests_of_stampede()
    if report.died is not None or report.stuck:
        none = RequestResult(intended=0.0, failure="open" if report.stuck else "reset")
        return tuple(answer_of(none, user, index) for user, index in enumerate(chosen)), ()
    return (
        tuple(
            _answer(answer, user, index)
            for user, (answer, index) in enumerate(zip(report.answers, chosen, strict=True))
        ),
        tuple(_answer(answer, turn, turn % len(case.requests)) for turn, answer in enumerate(report.follow_up)),
    )


def _evidence(report: _ChildReport) -> Evidence:
    """What a child recorded and told of itself; its recording is deleted."""
    if report.died is not None or report.stuck:
        child = ProcessId(report.pid, 0)
        return Evidence(processes=(WatchedProcess(process=child, fresh=True, gone=not report.stuck, idle=report.idle),))
    recording = Path(report.recording)
    process = ProcessId(*map(int, recording.name.split("-")))
    inside = events.read(recording, process)
    recording.unlink()
    return Evidence(
        processes=(WatchedProcess(process=process, fresh=True, idle=report.idle),),
        inside=(inside,) if inside else (),
        states=(report.states.of(process),) if report.states else (),
        stacks=tuple(msgspec.structs.replace(stack, process=process) for stack in report.stacks),
    )
