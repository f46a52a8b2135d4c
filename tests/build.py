"""Small builders of records: a test names what matters to it, the rest is an unremarkable cold trial.

The clock of a built trial: it begins at 0, the stampede is released at 1, and its answers are complete at 2.
"""

import json
from pathlib import Path

import msgspec

from harness.cases.case import Case
from harness.cases.scenario import Expectation
from harness.checkers.findings import Finding, LazyWork, TrialGrade
from harness.checkers.yardstick import Yardstick
from harness.records import (
    Answer,
    Control,
    Evidence,
    Inside,
    LogLine,
    Mishap,
    ProcessId,
    Request,
    Span,
    Testimony,
    Trial,
    WatchedProcess,
)
from harness.result import RunResult, case_result, encode
from harness.store.history import HistoryWriter, file_name
from harness.store.stored_case import StoredCase
from harness.verdict import Tally

PROCESS = ProcessId(100, 5000)
OTHER_PROCESS = ProcessId(200, 5001)
REQUESTS = (Request(path="/"), Request(path="/two/"))
PAGE = "<html><title>Books</title><p>Moby-Dick by Herman Melville</p></html>"
ERROR_PAGE = "<html><title>Server Error (500)</title><h1>Server Error (500)</h1></html>"


def make_answer(user=0, **changes):
    """A right and complete answer: the process's request number `user + 1`."""
    fields = {
        "user": user,
        "request": 0,
        "intended": 1.0,
        "sent": 1.0,
        "first_byte": 1.9,
        "last_byte": 2.0,
        "status": 200,
        "headers": {"content-type": "text/html"},
        "body": PAGE,
        "process": PROCESS,
        "count": user + 1,
    }
    return Answer(**fields | changes)


def make_lost_answer(user=0, failure="open", **changes):
    """A request that got no answer."""
    nothing = {"first_byte": None, "last_byte": None, "status": None, "headers": {}, "body": ""}
    return make_answer(user, **nothing | {"process": None, "count": None, "failure": failure} | changes)


def make_span(kind="settings", begin=1.2, end=1.4, *, thread=1, name="", process=PROCESS, **changes):
    return Span(process=process, thread=thread, kind=kind, name=name, begin=begin, end=end, **changes)


def make_request_span(user=0, begin=1.1, end=2.0, **changes):
    """The span of the stampede's request `user`, on a thread of its own: 1 for the first, 2 for the next."""
    return make_span("request", begin, end, **{"thread": user + 1, "name": f"1.{user}"} | changes)


def make_inside(*spans, process=PROCESS, **changes):
    return Inside(process=process, spans=spans, **changes)


def make_mishap(error="ValueError: no", *, request="1.0", traceback="", at=1.5, **changes):
    return Mishap(
        process=PROCESS, thread=1, at=at, request=request, error=error, traceback=traceback or error, **changes
    )


def make_witness(lead=None, *, threads=(), **changes):
    return Testimony(error="ValueError", lead=lead, threads=threads, **changes)


def make_watched(process=PROCESS, *, fresh=True, **changes):
    return WatchedProcess(process=process, fresh=fresh, **changes)


def make_log(*lines):
    return tuple(LogLine(PROCESS.pid, line) for line in lines)


EVIDENCE = ("processes", "inside", "states", "stacks", "log", "reloaded", "short")


def with_evidence(fields):
    """Fields of a trial or a control, those of its evidence gathered."""
    evidence = {name: value for name, value in fields.items() if name in EVIDENCE}
    return {"evidence": Evidence(**evidence)} | {name: value for name, value in fields.items() if name not in evidence}


def replaced(record, **changes):
    """The record with other fields, those of its evidence among them."""
    evidence = {name: value for name, value in changes.items() if name in EVIDENCE}
    rest = {name: value for name, value in changes.items() if name not in evidence}
    return msgspec.structs.replace(record, evidence=msgspec.structs.replace(record.evidence, **evidence), **rest)


def make_trial(*answers, **changes):
    """A cold trial: by default two answers whose requests met in one fresh process."""
    fields = {
        "number": 1,
        "slot": "a",
        "begin": 0.0,
        "end": 3.0,
        "answers": answers or (make_answer(0), make_answer(1)),
        "processes": (make_watched(),),
        "inside": (make_inside(make_request_span(0), make_request_span(1)),),
    }
    return Trial(**with_evidence(fields | changes))


def make_control(*answers, **changes):
    fields = {
        "number": 1,
        "answers": answers or (make_answer(0), make_answer(1)),
        "processes": (make_watched(),),
    }
    return Control(**with_evidence(fields | changes))


def make_yardstick(*controls):
    return Yardstick.of(REQUESTS, controls or (make_control(), make_control(number=2)))


def make_finding(outcome="error", summary="GET / failed", **changes):
    return Finding(outcome=outcome, summary=summary, **{"key": outcome} | changes)


def make_grade(outcomes=None, **changes):
    """The grade of an effective trial, whose two answers were ok if `outcomes` do not say otherwise."""
    outcomes = {"ok": 2} if outcomes is None else outcomes
    fields = {
        "number": 1,
        "cold": True,
        "reloaded": False,
        "requests": sum(count for name, count in outcomes.items() if name != "duplicate-init"),
        "effective": True,
        "exposed": False,
        "outcomes": outcomes,
        "findings": (),
        "lazy": (),
    }
    return TrialGrade(**fields | changes)


def make_lazy(kind="settings", *, waiters=1, milliseconds=5.0, name="site.settings"):
    return LazyWork(kind=kind, name=name, milliseconds=milliseconds, waiters=waiters)


def make_tally(*grades, **fields):
    tally = Tally(**fields)
    for each in grades:
        tally.add(each)
    return tally


def make_expectation(verdict="clean", outcomes=None, **changes):
    """An expectation; `outcomes` maps a name to its grade (by default: ok is expected)."""
    declared = {
        name: {"grade": grade, "why": "a sentence of its own"}
        for name, grade in (outcomes or {"ok": "expected"}).items()
    }
    return Expectation.model_validate({"verdict": verdict, "outcomes": declared, **changes})


def make_case(**changes):
    fields = {
        "id": "books::daemon::default::natural",
        "scenario": "books",
        "site": "books",
        "script": "default",
        "script_path": Path("/srv/books/scripts/default.wsgi"),
        "site_dir": Path("/srv/books"),
        "runtime": "py311-django52",
        "mode": "daemon",
        "schedule": "natural",
        "restart": "respawn",
        "trials": 100,
        "seed": 7,
        "environment": {},
        "requests": REQUESTS,
        "users": 2,
        "follow_up": 1,
        "timeout": 30.0,
    }
    return Case(**fields | changes)


def make_interpreter(path, minor="3.77", **changes):
    """An executable at `path` that describes itself as an interpreter, and can do nothing else."""
    prefix = str(path.parent.parent)
    described = {
        "version": f"{minor}.1",
        "executable": str(path),
        "prefix": prefix,
        "base": prefix,
        "include": f"{prefix}/include",
        "library": "",
        "gil": True,
        "django": None,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(described | changes)}'\n")
    path.chmod(0o755)
    return path


def make_apxs(prefix, program="httpd", lacking=()):
    """The apxs of an httpd installed under `prefix`, without what `lacking` names: program, modules or headers."""
    for part, file in (("program", f"bin/{program}"), ("modules", "modules/mod_x.so"), ("headers", "include/httpd.h")):
        if part not in lacking:
            (prefix / file).parent.mkdir(parents=True, exist_ok=True)
            (prefix / file).touch(mode=0o755)
    apxs = prefix / "bin" / "apxs"
    apxs.parent.mkdir(parents=True, exist_ok=True)
    apxs.write_text(
        f"""#!/bin/sh
case $2 in
    sbindir) echo "{prefix}/bin" ;;
    progname) echo "{program}" ;;
    libexecdir) echo "{prefix}/modules" ;;
    includedir) echo "{prefix}/include" ;;
esac
"""
    )
    apxs.chmod(0o755)
    return apxs


def make_failing_trial(number=1, error="ValueError: no", **changes):
    """Two requests on threads 1 and 2 of a cold process. The first imports a module, the second builds the settings
    meanwhile and fails."""
    fields = {
        "number": number,
        "inside": (
            make_inside(
                make_request_span(0, name=f"{number}.0"),
                make_span("import", 1.2, 1.6, name="shop.orders", nested=3),
                make_request_span(1, name=f"{number}.1"),
                make_span("settings", 1.3, 1.4, thread=2, name="shop.settings"),
                mishaps=(
                    Mishap(
                        process=PROCESS,
                        thread=2,
                        at=1.5,
                        request=f"{number}.1",
                        error=error,
                        traceback=f'Traceback (most recent call last):\n  File "views.py", line 3, in view\n{error}',
                    ),
                ),
            ),
        ),
    }
    return make_trial(make_answer(0), make_answer(1, status=500, body=ERROR_PAGE), **fields | changes)


def store_run(results, *stored, name="20261125-101500-ab12", **changes):
    """A run as the harness leaves it: each of `stored` is a case, followed by the records of its history."""
    directory = results / name
    (directory / "cases").mkdir(parents=True)
    cases = []
    for case, *records in stored:
        path = directory / "cases" / file_name(case.id)
        with HistoryWriter(path, case) as history:
            for record in records:
                history.add(record)
        tally = StoredCase(path).tally()
        cases.append(case_result(case, tally, duration=1.5, backend="local", versions={"django": "5.2.19"}))
    fields = {"schema_version": 1, "run": name, "status": "complete", "environment": {"cores": 2}, "skipped": []}
    (directory / "result.json").write_bytes(encode(RunResult(**fields | {"cases": cases} | changes)))
    return directory


CONTROLS = (make_control(), make_control(number=2))
