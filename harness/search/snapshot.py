"""The snapshot lane: many trials per second, each in a forked copy of a process that has just imported the script.

A race that it finds is a candidate until Apache shows it too. The same checkers judge both lanes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import time
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting import events, listener, untrusted
from harness.hosting.capacity import FREE_BYTES, disk_shortage, free_bytes
from harness.hosting.interruption import Shield
from harness.hosting.leftovers import MEMORY, remove
from harness.hosting.process_tree import ProcessTree, TreeProcess
from harness.hosting.programs import INSIDE, PROGRAMS, plan_of, put_programs
from harness.hosting.untrusted import let_server_read, make_events_directory, make_private_directory
from harness.load.exchange import RequestResult, answer_of, headers_of
from harness.load.wire import Cut, MalformedAnswer, decoded, header_fields, kept_headers, text_of
from harness.records import (
    Answer,
    Control,
    Evidence,
    Failure,
    LeftProcess,
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

# How long a child may take beyond its grace to report its state and stacks before it counts as stuck: far longer than
# that takes even on a busy machine.
REPORT_SECONDS = 10.0
# The process ends as soon as its input is closed; a child that hangs keeps it, and both are killed.
EXIT_SECONDS = 5
# What the Host header says where no request says another.
_ADDRESS = ("127.0.0.1", 80)
LOG_LINES = 8  # the end of a traceback


class _ChildAnswer(msgspec.Struct):
    """An answer as the application gave it."""

    sent: float | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    failure: Failure | None = None
    fields: list[tuple[str, str]] = []
    body: str = ""
    """Its bytes as the characters of the same numbers; of a failure what went wrong."""


class _ChildReport(msgspec.Struct):
    """What a child reports, or how it died."""

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


class ImportFailure(BadInput):
    """The script raises while it is imported: on a server, every request would fail."""


class SnapshotProcess:
    """A process that has imported the script, and forks. A context manager; one trial at a time."""

    def __init__(self, case: Case, runtime: Runtime) -> None:
        self.case = case
        self._runtime = runtime
        self._directory: Path | None = None
        self._tree: ProcessTree | None = None
        self._process: TreeProcess | None = None
        self._input: BinaryIO | None = None
        self._output: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._directory = directory = make_private_directory(inside=_memory())
        try:
            self._start(directory)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, directory: Path) -> None:
        make_events_directory(directory)
        put_programs(directory, compiled_by(self._runtime.python, PROGRAMS))
        shutil.copyfile(INSIDE / "snapshot.py", directory / "snapshot.py")
        let_server_read(directory / "snapshot.py")
        user, _ = proc.server_user()
        orders, output = os.pipe(), os.pipe()
        try:
            self._input, self._output = os.fdopen(orders[1], "wb"), os.fdopen(output[0], "rb")
            self._tree = ProcessTree(orders[0], output[1])
            self._tree.__enter__()
        finally:
            os.close(orders[0])
            os.close(output[1])
        self._process = self._tree.start(
            [self._runtime.python, directory / "snapshot.py", directory, self.case.script_path],
            directory / "log",
            {
                **self._runtime.environment_for(self.case, user),
                # Sets have the same order each time, so that a seed repeats a trial as far as that goes.
                "PYTHONHASHSEED": str(self.case.seed & 0xFFFFFFFF),
                # httpd loads the library as root; this process must find it where the server's user may go.
                "LD_LIBRARY_PATH": self._runtime.library_path,
            },
            directory=Path.cwd(),
            piped=True,
            user=user,
        )
        ready = self._read(self.case.timeout)
        if not ready.get("ready"):
            raise ImportFailure(f"{self.case.script_path}: the script cannot be imported: {ready.get('error')}")
        if ready["shared"]:
            raise BadInput(
                f"{self.case.script_path}: after its import the process has {', '.join(ready['shared'])}, which forked "
                f"children would share: the snapshot lane cannot isolate them, but Apache can (harness run)"
            )

    def __exit__(self, *_: object) -> None:
        with Shield():
            if self._input is not None:
                with contextlib.suppress(OSError):  # it has ended, and left what was written last
                    self._input.close()
            if self._process is not None:
                self._process.wait(EXIT_SECONDS)
            if self._tree is not None:
                self._tree.__exit__()
            if self._output is not None:
                self._output.close()
            if self._directory is not None:
                remove(self._directory)

    def abort(self) -> None:
        """End it at once, whatever is under way."""
        if self._process is not None:
            self._process.stop()

    def left(self) -> tuple[LeftProcess, ...]:
        """What forked children had left running when they ended; once this process has ended."""
        return self._tree.left if self._tree is not None else ()

    def _read(self, seconds: float | None = None) -> dict[str, Any]:
        """The next message from the process. Raises BadInput: the import takes longer than `seconds`."""
        assert self._process is not None
        assert self._output is not None
        assert self._directory is not None
        if seconds is not None and not select.select([self._output], [], [], seconds)[0]:
            self._process.stop()
            raise BadInput(
                f"{self.case.script_path}: the script is still being imported after {seconds:g} s (load.timeout): if "
                f"it hangs there, so does every request; harness run shows where"
            )
        line = self._output.readline()
        if not line:
            log = (self._directory / "log").read_text(errors="replace").splitlines()[-LOG_LINES:]
            raise InfrastructureError("the snapshot process ended:\n  " + "\n  ".join(log))
        message: dict[str, Any] = json.loads(line)
        return message

    def control(self, number: int, begin: float) -> Control:
        """A control in a child: the requests one after another."""
        report = self._fork(f"c{number}", together=False, grace=self.case.timeout, seed=self.case.seed)
        answers, _ = _answers(self.case, report)
        return Control(number=number, answers=answers, begin=begin, evidence=self._evidence(report))

    def trial(
        self, number: int, grace: float, reference: State | None = None, like: ThreadOrder | None = None
    ) -> Trial:
        """One stampede in a child. Every second one is lined up by a slow import; with `like`, the trial is lined up as
        that order was, with points as fine, and follows its runs if it has any."""
        case = self.case
        begin = time.monotonic()
        seed = (case.seed * 1_000_003 + number) & 0xFFFFFFFF if case.perturb.seed is None else case.perturb.seed
        order = like or ThreadOrder(line_up=number % 2 == 0)
        report = self._fork(str(number), together=True, grace=grace, seed=seed, order=order)
        answers, follow_up = _answers(case, report)
        return Trial(
            number=number,
            slot="snapshot",
            begin=begin,
            end=time.monotonic(),
            answers=answers,
            follow_up=follow_up,
            evidence=compared(self._evidence(report), reference),
            order=msgspec.structs.replace(report.order or ThreadOrder(), line_up=order.line_up, fine=order.fine),
        )

    def _fork(
        self, number: str, *, together: bool, grace: float, seed: int, order: ThreadOrder | None = None
    ) -> _ChildReport:
        """Send the requests to a new child; its report."""
        case = self.case
        order = order or ThreadOrder()
        plan = plan_of(case, case.site_dir) if case.schedule == "perturbed" else None
        assert self._input is not None
        chosen = case.requests_of_stampede()
        follow_up = [case.requests[turn % len(case.requests)] for turn in range(case.follow_up)]
        message = {
            "requests": [_encoded(case.requests[index], f"{number}.{user}") for user, index in enumerate(chosen)],
            "follow_up": [_encoded(request, f"{number}.f{turn}") for turn, request in enumerate(follow_up)],
            "together": together,
            "line_up": order.line_up,
            "runs": order.runs,
            "grace": grace,
            "max_body": case.max_body,
            "telling": REPORT_SECONDS,
            "invariant": case.invariant,
            "seed": seed,
            "plan": plan and {**plan, "fine": order.fine},
        }
        try:
            self._input.write(json.dumps(message).encode() + b"\n")
            self._input.flush()
        except OSError as error:
            raise InfrastructureError(f"the snapshot process ended: {error.strerror}") from error
        try:
            return msgspec.convert(self._read(), _ChildReport)
        except (msgspec.ValidationError, ValueError) as error:
            raise InfrastructureError(f"the report of a forked child is damaged: {error}") from error

    def _evidence(self, report: _ChildReport) -> Evidence:
        """The evidence of a child, from its report and its recording, which is deleted. Raises InfrastructureError."""
        assert self._directory is not None
        if report.died is not None or report.stuck:
            child = ProcessId(report.pid, 0)
            watched = WatchedProcess(process=child, fresh=True, gone=not report.stuck, idle=report.idle)
            return Evidence(processes=(watched,), short=disk_shortage(self._directory))
        # The site's code could have reported any path: only its last part is looked at.
        recording = self._directory / "events" / Path(report.recording).name
        try:
            process = ProcessId(*map(int, recording.name.split("-")))
        except (ValueError, TypeError) as error:
            raise InfrastructureError(f"a forked child reports no recording: {report.recording[:80]!r}") from error
        inside = events.read(recording, process)
        untrusted.remove(recording)
        return Evidence(
            processes=(WatchedProcess(process=process, fresh=True, idle=report.idle),),
            inside=(inside,) if inside else (),
            states=(report.states.of(process),) if report.states else (),
            stacks=tuple(listener.storable(stack, process) for stack in report.stacks),
            short=disk_shortage(self._directory),
        )


def _memory() -> str | None:
    """A directory in memory: on a disk, a mapped file costs a journal entry for each page written."""
    free = free_bytes(Path(MEMORY)) or 0
    return MEMORY if os.access(MEMORY, os.W_OK) and free >= FREE_BYTES else None


def _encoded(request: Request, name: str) -> dict[str, Any]:
    """A request as the child reads it, with the header fields that are sent to a server."""
    headers = headers_of(request, {"X-Harness-Request": name})
    fields = header_fields(_ADDRESS, request.method, headers, request.body.encode())
    return {"method": request.method, "path": request.path, "body": request.body, "fields": fields}


def _answer(child: _ChildAnswer, user: int, index: int, max_body: int) -> Answer:
    result = RequestResult(
        intended=child.sent or 0.0,
        sent=child.sent,
        first_byte=child.first_byte,
        status=child.status,
        failure=child.failure,
        headers=kept_headers(child.fields),
        body=child.body,
    )
    if child.failure is None and child.last_byte is None:
        result.status, result.failure, result.body = None, "open", ""
    elif child.failure is None:
        result.last_byte = child.last_byte
        try:
            result.body = text_of(decoded(child.body.encode("latin-1"), child.fields, max_body))
        except Cut as cut:
            result.failure, result.body = "cut", str(cut)
        except (MalformedAnswer, UnicodeEncodeError) as malformed:
            result.failure, result.body = "malformed", str(malformed)
    return answer_of(result, user, index)


def _answers(case: Case, report: _ChildReport) -> tuple[tuple[Answer, ...], tuple[Answer, ...]]:
    """The answers to the stampede, and to the follow-up requests."""
    chosen = case.requests_of_stampede()
    if report.died is not None or report.stuck:
        none = RequestResult(intended=0.0, failure="open" if report.stuck else "reset")
        return tuple(answer_of(none, user, index) for user, index in enumerate(chosen)), ()
    pairs = zip(report.answers, chosen, strict=True)
    return (
        tuple(_answer(answer, user, index, case.max_body) for user, (answer, index) in enumerate(pairs)),
        tuple(
            _answer(answer, turn, turn % len(case.requests), case.max_body)
            for turn, answer in enumerate(report.follow_up)
        ),
    )
