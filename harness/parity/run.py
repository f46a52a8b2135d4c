"""Chooses a runtime, starts a site both ways on it, requests the same page from both, and reads what was recorded."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness import proc
from harness.cases.case import Case
from harness.cases.scenario import load_scenario
from harness.cases.script import script_case
from harness.checkers.tracebacks import errors_in
from harness.errors import BadInput, HarnessError, InfrastructureError
from harness.hosting.leftovers import remove
from harness.hosting.local import LocalHost
from harness.hosting.preparing import ServerRuntime, prepare, prepare_for_python
from harness.hosting.untrusted import let_server_read, make_events_directory, make_private_directory
from harness.load.exchange import exchange, headers_of
from harness.parity.compare import ParityComparison, check_keys, compare
from harness.parity.devserver import DevelopmentServer
from harness.parity.observation import Observation, read_events, recordings
from harness.parity.places import Places
from harness.parity.references import module_names, references, sources
from harness.records import LogLine, Mode
from harness.runtimes.compiling import check_syntax
from harness.runtimes.spec import declared_runtimes, spec_named

RECORDER = Path(__file__).parent.parent / "inside" / "parity.py"
# The client may have its answer before the server says that the request is over, which is when the snapshot is made.
# A snapshot takes a fraction of a second: after ten, none will come.
SNAPSHOT_SECONDS = 10.0
# If no request has reached the recorder, another program answered, or none of Django: a short wait is enough.
NO_REQUEST_SECONDS = 1.0
POLL_SECONDS = 0.01  # a user does not notice such a delay
LOG_LINES = 10  # the end of a traceback


def choose_runtime(
    places: Places,
    name: str | None,
    file: Path | None,
    python: Path | None,
    say: Callable[[str], None] = lambda _: None,
) -> ServerRuntime:
    """The runtime of that name, else the one of the site's own scenario file, else the interpreter that runs this.
    Raises BadInput, InfrastructureError: as for a run."""
    if name and python:
        raise BadInput("--runtime and --python both name an interpreter: give one of them")
    if python is None and name is None:
        name = _runtime_of_scenario(places)
    if name is None:
        return prepare_for_python(python or Path(sys.executable), say)
    return prepare(name, spec_named(name, declared_runtimes(file)), say)


def _runtime_of_scenario(places: Places) -> str | None:
    file = Path("scenarios") / f"{places.root.name.replace('_', '-')}.toml"
    if places.root.parent.resolve() != Path("sites").resolve() or not file.is_file():
        return None
    try:
        return load_scenario(file).runtime
    except HarnessError:
        return None


def compare_site(
    places: Places,
    runtime: ServerRuntime,
    *,
    mode: Mode = "daemon",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    accepted: tuple[str, ...] = (),
    timeout: float = 30.0,
    report: Callable[[str], None] = lambda _: None,
) -> ParityComparison:
    """Compare a site's development server with its script under mod_wsgi.

    `accepted` are the keys of rows that may differ; `timeout` is that of one request, in seconds. Raises BadInput: one
    of the two does not start or does not answer; an unknown key in `accepted`; InfrastructureError: the server or the
    recording failed."""
    check_keys(accepted)
    check_syntax(runtime, places.script)
    sent = dict(headers or {})
    case = script_case(
        places.script, mode=mode, paths=(path,), headers=sent, users=1, environment=environment, black_box=True
    )
    files = sources(places.root)
    modules = module_names(files, places.bases)
    plan = {"root": str(places.root), "names": sorted(modules)}
    with _recorders(plan) as directory:
        report(f"development server: {runtime.python} {places.manage.name} runserver in {places.manage.parent}")
        dev = _development_server(places, case, runtime, directory / "dev", timeout)
        report(f"mod_wsgi, {mode} mode: {places.script}")
        wsgi = _server(case, runtime, directory / "wsgi", timeout)
    used = references(
        [file for file in files if file not in (places.manage, places.script)],
        places.root,
        modules,
        implicit=runtime.versions["python"].startswith("2."),
    )
    return compare(dev, wsgi, used, places, mode=mode, versions=runtime.versions, accepted=accepted)


@contextmanager
def _recorders(plan: Mapping[str, object]) -> Iterator[Path]:
    """A directory with a recorder for each of the two."""
    directory = make_private_directory()
    try:
        for name in ("dev", "wsgi"):
            make_events_directory(directory / name)
            shutil.copyfile(RECORDER, directory / name / "sitecustomize.py")
            (directory / name / "plan.json").write_text(json.dumps(plan))
            let_server_read(directory / name / "sitecustomize.py", directory / name / "plan.json")
        yield directory
    finally:
        remove(directory)


def _development_server(
    places: Places, case: Case, runtime: ServerRuntime, recorder: Path, timeout: float
) -> Observation:
    environment = runtime.environment_for(case, proc.server_user()[0])
    before = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{recorder}:{before}" if before else str(recorder)
    # The interpreter must find its library where the server's user may go.
    libraries = (environment.get("LD_LIBRARY_PATH"), runtime.library_path)
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    with DevelopmentServer(runtime.python, places.manage, recorder / "log", environment) as server:
        request = case.requests[0]
        answer = server.get(request.path, request.headers, timeout)
        observation = _await_snapshot(recorder / "events", answer.status)
        if not observation.answered:
            server.check_port()
            raise InfrastructureError(
                f"the development server answered GET {request.path} with {answer.status}, but not through "
                f"Django's WSGIHandler: there is nothing to compare"
            )
        return observation


def _server(case: Case, runtime: ServerRuntime, recorder: Path, timeout: float) -> Observation:
    with LocalHost(case, runtime, 1, 1, recorder=recorder / "sitecustomize.py") as host:
        slot = host.take()
        request = case.requests[0]
        answer = exchange(slot.address, request, headers_of(request, slot.headers), timeout)
        if answer.failure is not None:
            why = f"{answer.failure} {answer.body}".rstrip()
            raise BadInput(f"under mod_wsgi GET {request.path} has no answer: {why}{_log(host)}")
        observation = _await_snapshot(recorder / "events", answer.status)
        if not observation.answered:
            errors = errors_in(LogLine(0, line.partition("] ")[2]) for line in host.recent_log())
            last = f": {errors[-1]}" if errors else ""
            raise BadInput(f"{case.script_path} does not import under mod_wsgi{last}{_log(host)}")
        return observation


def _log(host: LocalHost) -> str:
    lines = host.recent_log()
    return "\n  ".join([". The server's log ends:", *lines[-LOG_LINES:]]) if lines else ""


def _await_snapshot(events: Path, status: int | None) -> Observation:
    has_begun = any(b'"event": "request"' in text for text in recordings(events, proc.server_uid()))
    deadline = time.monotonic() + (SNAPSHOT_SECONDS if has_begun else NO_REQUEST_SECONDS)
    while True:
        try:
            observation = Observation(read_events(events, proc.server_uid()), status)
        except msgspec.DecodeError as error:
            raise InfrastructureError(f"the recording in {events} cannot be read: {error}") from error
        if observation.answered or time.monotonic() > deadline:
            return observation
        time.sleep(POLL_SECONDS)
