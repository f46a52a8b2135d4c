"""Django's development server as a developer starts it: `manage.py runserver`, with its reloader."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from harness.errors import BadInput, InfrastructureError
from harness.hosting.httpd import free_port
from harness.hosting.interruption import Shield
from harness.hosting.process_tree import ProcessTree, TreeProcess
from harness.load.exchange import RequestResult, exchange, headers_of
from harness.proc import server_user
from harness.records import UNENDED, Request

# Django 1.1 on Python 2.7 listens within seconds even on a busy machine; a site may do as much again many times over.
START_SECONDS = 60.0
# Often enough that waiting adds nothing that a user would notice, rarely enough to leave the CPU to the server.
POLL_SECONDS = 0.02
# A reloader outlives a server that cannot start and waits for the source to change: if nothing follows an error in the
# output for this long, the server has failed.
QUIET_SECONDS = 3.0
OUTPUT_LINES = 8  # the end of a traceback
_ERROR = re.compile(r"^(Traceback|Error:|CommandError|\w*Error\b)", re.MULTILINE)


class DevelopmentServer:
    """A context manager around the server's processes."""

    def __init__(self, python: Path, manage: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._command = [str(python), manage.name, "runserver"]
        self._directory = manage.parent
        self._log = log
        self._environment = dict(environment)
        self._tree = ProcessTree()
        self._process: TreeProcess | None = None
        self.address = ("127.0.0.1", free_port())

    def __enter__(self) -> Self:
        host, port = self.address
        self._tree.__enter__()
        try:
            self._process = self._tree.start(
                [*self._command, f"{host}:{port}"],
                self._log,
                self._environment,
                directory=self._directory,
                user=server_user()[0],  # it runs the site's code, as the server does
            )
        except BaseException:
            self._tree.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with Shield():
            self._tree.__exit__()

    def get(self, path: str, headers: Mapping[str, str], timeout: float) -> RequestResult:
        """The answer to one request, sent as soon as the server listens. Raises BadInput: the server does not start or
        does not answer; the message ends with its output; InfrastructureError: another program has its port."""
        request = Request(path=path, headers=dict(headers))
        deadline = time.monotonic() + START_SECONDS
        while True:
            answer = exchange(self.address, request, headers_of(request, {}), timeout)
            if answer.failure is None:
                return answer
            if answer.failure in UNENDED:
                self.check_port()
                raise BadInput(
                    f"the development server does not answer GET {path} in {timeout:.0f} s: {answer.failure} "
                    f"{answer.body}".rstrip()
                    + self._output_end()
                )
            if answer.failure in ("truncated", "malformed"):
                self.check_port()
                raise BadInput(
                    f"the development server's answer to GET {path} is {answer.failure}: {answer.body}"
                    f"{self._output_end()}"
                )
            self._check(deadline)
            time.sleep(POLL_SECONDS)

    def check_port(self) -> None:
        """Raises InfrastructureError: another program has the server's port, and has got the request."""
        if "already in use" in self._log.read_text(errors="replace"):
            raise InfrastructureError(f"port {self.address[1]} on 127.0.0.1 was taken by another program: run again")

    def _check(self, deadline: float) -> None:
        """Raises BadInput: the server has ended or failed, or the deadline is over. InfrastructureError: see above."""
        assert self._process is not None
        self.check_port()
        output = self._log.read_text(errors="replace")
        quiet = time.time() - self._log.stat().st_mtime > QUIET_SECONDS
        ended = self._process.exit_code() is not None
        if ended or (quiet and _ERROR.search(output)) or time.monotonic() > deadline:
            raise BadInput(f"the development server does not start{self._output_end()}")

    def _output_end(self) -> str:
        """The end of the server's output for a message: the error first, if there is one."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        errors = [
            line
            for line in lines
            if re.match(r"(Error: |[A-Za-z_][\w.]*(Error|Exception|Configured|NotReady)\b)", line)
        ]
        error = f": {errors[-1].strip()}" if errors else ""
        tail = "\n  ".join(lines[-OUTPUT_LINES:])
        if not lines:
            return ": it printed nothing"
        return f"{error} (`manage.py runserver` in {self._directory}):\n  {tail}"
