"""The snapshot lane: many trials a second, each in a forked copy of a process that has just imported the script.

What it finds is a candidate: only the Apache lane's word counts. The same checkers judge both.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from harness.checkers import grade
from harness.checkers.baseline import Baseline
from harness.checkers.controls import judge_controls
from harness.control import slowest
from harness.errors import BadInput, InfrastructureError
from harness.history import HistoryWriter
from harness.hosting import events, listener, proc
from harness.hosting.apache import INSIDE, PROGRAMS, plan_of, put_programs
from harness.hosting.local import environment_of
from harness.load.client import COMMON_HEADERS, Result, answer_of
from harness.records import Answer, Control, ProcessId, Request, ThreadStack, Trial, Watched
from harness.runner import CONTROLS
from harness.runtime import Runtime, compiled_by
from harness.scenario import Case
from harness.trial import differing, grace_seconds
from harness.verdict import Tally


class _Answered(msgspec.Struct):
    sent: float | None
    first_byte: float | None
    last_byte: float | None
    status: int | None
    headers: dict[str, str]
    body: str


class _Done(msgspec.Struct):
    """What a child brings home, or how it died."""

    recording: str = ""
    idle: bool | None = None
    stacks: list[ThreadStack] = []
    states: listener.Told | None = None
    answers: list[_Answered] = []
    follow_up: list[_Answered] = []
    died: int | None = None
    pid: int = 0


class Snapshot:
    """A process that has imported the script, and forks. A context manager; one trial at a time."""

    def __init__(self, case: Case, runtime: Runtime) -> None:
        self.case = case
        self._runtime = runtime
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory = directory = Path(tempfile.mkdtemp(prefix="harness-"))
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
            [str(self._runtime.python), str(directory / "snapshot.py"), str(directory), str(self.case.script_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(directory / "log").open("wb"),
            env={
                **environment_of(self.case, self._runtime, user),
                # httpd loads the library as root; this process must find it where the server's user may go.
                "LD_LIBRARY_PATH": str(self._runtime.python.resolve().parent.parent / "lib"),
            },
            user=user or None,
            group=group or None,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
        ready = self._read()
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
                self._process.kill()
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._directory is not None
        line = self._process.stdout.readline()
        if not line:
            log = (self._directory / "log").read_text(errors="replace").splitlines()[-8:]
            raise InfrastructureError("the snapshot process ended:\n  " + "\n  ".join(log))
        found: dict[str, Any] = json.loads(line)
        return found

    def fork(self, number: str, *, together: bool, grace: float, seed: int) -> _Done:
        """One trial in a child."""
        case = self.case
        assert self._process is not None
        assert self._process.stdin is not None
        chosen = case.requests_of_stampede()
        order = {
            "requests": [_order(case.requests[index], f"{number}.{user}") for user, index in enumerate(chosen)],
            "follow_up": [
                _order(case.requests[turn % len(case.requests)], f"{number}.f{turn}") for turn in range(case.follow_up)
            ],
            "together": together,
            "grace": grace,
            "invariant": case.invariant,
            "seed": seed,
            "plan": plan_of(case, case.script_path.parent.parent),
        }
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return msgspec.convert(self._read(), _Done)


def _order(request: Request, name: str) -> dict[str, Any]:
    headers = {**COMMON_HEADERS, "X-Harness-Request": name, **request.headers}
    return {"method": request.method, "path": request.path, "body": request.body, "headers": headers}


def _answer(told: _Answered, user: int, index: int) -> Answer:
    given = {key: str(value) for key, value in told.headers.items()}
    return answer_of(
        Result(
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


@dataclass
class _Brought:
    """What a child brought home, as records."""

    answers: tuple[Answer, ...]
    follow_up: tuple[Answer, ...]
    rest: dict[str, Any]


def _records(case: Case, done: _Done) -> _Brought:
    chosen = case.requests_of_stampede()
    if done.died is not None:
        gone = Result(intended=0.0, failure="reset")
        process = ProcessId(done.pid, 0)
        answers = tuple(answer_of(gone, user, index) for user, index in enumerate(chosen))
        return _Brought(answers, (), {"processes": (Watched(process=process, fresh=True, gone=True),)})
    recording = Path(done.recording)
    process = ProcessId(*map(int, recording.name.split("-")))
    inside = events.read(recording, process)
    recording.unlink()
    states = (done.states.of(process),) if done.states else ()
    return _Brought(
        tuple(_answer(each, user, index) for user, (each, index) in enumerate(zip(done.answers, chosen, strict=True))),
        tuple(_answer(each, turn, turn % len(case.requests)) for turn, each in enumerate(done.follow_up)),
        {
            "processes": (Watched(process=process, fresh=True, idle=done.idle),),
            "inside": (inside,) if inside else (),
            "states": states,
            "stacks": tuple(msgspec.structs.replace(each, process=process) for each in done.stacks),
        },
    )


def explore_case(
    case: Case, runtime: Runtime, path: Path, flights: int, watch: Callable[[Tally], None]
) -> tuple[Tally, float]:
    """Controls, then the case's trials, each in a forked child; the history goes to `path`.

    Raises:
        BadInput: the script does not import, or its process cannot be forked in isolation.
    """
    begin = time.monotonic()
    tally = Tally(begin=begin)
    lock = threading.Lock()
    with HistoryWriter(path, case) as history:
        controls: list[Control] = []
        with Snapshot(case, runtime) as first:
            for number in range(1, CONTROLS + 1):
                brought = _records(case, first.fork(f"c{number}", together=False, grace=case.timeout, seed=case.seed))
                controls.append(Control(number=number, answers=brought.answers, begin=begin, **brought.rest))
                history.add(controls[-1])
        tally.broken = judge_controls(controls, case.requests)
        if tally.broken:
            return tally, time.monotonic() - begin
        baseline = Baseline.of(case.requests, controls)
        reference = controls[0].states[0] if controls[0].states else None
        grace = grace_seconds(slowest(controls))
        numbers = iter(range(1, case.trials + 1))

        def fly(_: int) -> None:
            with Snapshot(case, runtime) as snapshot:
                while True:
                    with lock:
                        number = None if tally.settled(case.expectation) and not case.full else next(numbers, None)
                    if number is None:
                        return
                    at = time.monotonic()
                    seed = (
                        (case.seed * 1_000_003 + number) & 0xFFFFFFFF
                        if case.perturb.seed is None
                        else case.perturb.seed
                    )
                    brought = _records(case, snapshot.fork(str(number), together=True, grace=grace, seed=seed))
                    states = tuple(differing(each, reference) for each in brought.rest.pop("states", ()))
                    trial = Trial(
                        number=number,
                        slot="snapshot",
                        begin=at,
                        end=time.monotonic(),
                        answers=brought.answers,
                        follow_up=brought.follow_up,
                        states=states,
                        **brought.rest,
                    )
                    history.add(trial)
                    with lock:
                        tally.add(grade(trial, baseline))
                        watch(tally)

        with ThreadPoolExecutor(flights) as pool:
            for _ in pool.map(fly, range(flights)):
                pass
    return tally, time.monotonic() - begin
