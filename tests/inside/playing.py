"""Runs drive_probe.py in an interpreter of this machine, and reads what the probe wrote there."""

import functools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from stand_ins import write_site

from harness.hosting import events
from harness.hosting.programs import PROGRAMS, put_programs
from harness.inside import probe
from harness.records import Inside, ProcessId
from harness.runtimes.compiling import compiled_by
from harness.runtimes.interpreters import interpreters

DRIVER = Path(__file__).with_name("drive_probe.py")
INSIDE = Path(probe.__file__).parent
MINORS = ["2.7", *(f"3.{minor}" for minor in range(6, 15))]


def is_there(minor):
    """Is there anything of that name? Cheap, for it is asked when tests are collected."""
    places = [(".pyenv/versions", f"{minor}.*/bin/python"), (".local/share/uv/python", f"cpython-{minor}.*/bin/python")]
    return shutil.which(f"python{minor}") or any(any((Path.home() / root).glob(each)) for root, each in places)


ABSENT = [minor for minor in MINORS if not is_there(minor)]


@functools.cache
def interpreter(minor):
    found = next(interpreters(minor), None)
    return found and found.executable


@dataclass
class Play:
    """What was seen of a process, from outside and from inside."""

    inside: Inside | None
    process: ProcessId | None
    report: dict
    returncode: int
    stderr: str
    began: float
    ended: float

    def answer(self, name):
        return self.report["answers"][name]

    def header(self, request, name):
        return dict(self.answer(request)["headers"])[name]

    def spans(self, kind):
        return [span for span in self.inside.spans if span.kind == kind]

    def request(self, name):
        (found,) = [span for span in self.spans("request") if span.name == name]
        return found

    def during(self, name):
        """The spans of other work on a request's thread while it was there."""
        request = self.request(name)
        return [
            span
            for span in self.inside.spans
            if span.kind != "request" and span.thread == request.thread and request.begin <= span.begin <= request.end
        ]

    def imports(self, name):
        return [(span.name, span.nested, span.failed) for span in self.during(name) if span.kind == "import"]

    def mishaps(self, name):
        return [each for each in self.inside.mishaps if each.request == name]

    def mishap(self, name):
        (found,) = self.mishaps(name)
        return found


def play(python, directory, batches, *, change=None, spoil=None, **site):
    """Run the batches in an interpreter and read the recording.

    `change` may give another source of the probe, `spoil` what was laid ready for it.
    """
    directory.mkdir(exist_ok=True)
    write_site(directory, **site)
    (directory / "events").mkdir()
    put_programs(directory, compiled_by(Path(python), PROGRAMS))
    if change is not None:
        put_programs(directory, compiled_by(Path(python), (change(directory),)))
    if spoil is not None:
        spoil(directory)
    began = time.monotonic()
    done = subprocess.run(
        [python, "-B", DRIVER, directory, json.dumps(batches)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "books.settings"},
    )
    ended = time.monotonic()
    files = [each for each in (directory / "events").glob("*") if not each.suffix]
    process = ProcessId(*map(int, files[0].name.split("-"))) if files else None
    return Play(
        inside=events.read(files[0], process) if files else None,
        process=process,
        report=json.loads(done.stdout) if done.stdout else {},
        returncode=done.returncode,
        stderr=done.stderr,
        began=began,
        ended=ended,
    )


def shrink(directory):
    """A probe whose recorder is so small that it is soon full."""
    text = (INSIDE / "probe.py").read_text()
    for old, new in ((f"CHUNK = {probe.CHUNK} ", "CHUNK = 1024 "), (f"CHUNKS = {probe.CHUNKS} ", "CHUNKS = 3 ")):
        assert old in text
        text = text.replace(old, new)
    path = directory / "probe.py"
    path.write_text(text)
    return path
