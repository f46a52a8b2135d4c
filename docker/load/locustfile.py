"""An ordinary load over the services of this stack, for Locust's web UI.

Each user requests a path of its own choice, so many times a second, for as long as the run lasts. Nothing here knows
of cold processes: restart a service meanwhile, and see what it costs the users.

Only services of this stack may be loaded. The master refuses another host before a run begins, with a reason that the
web UI shows; a user that is given one all the same stops before its first request.
"""

from __future__ import annotations

import os
import random
from typing import Any

from flask import jsonify, request
from locust import FastHttpUser, constant_pacing, events, task
from locust.exception import StopTest

TARGETS = [f"http://{service}:8080" for service in os.environ["LOAD_TARGETS"].split()]


def objection(host: str | None, paths: str) -> str | None:
    """Why this must not be requested, or None."""
    if (host or "").rstrip("/") not in TARGETS:
        return f"Host {host!r} is no service of this stack. Choose one of: {', '.join(TARGETS)}"
    if not paths.split() or not all(path.startswith("/") for path in paths.split()):
        return f"Paths {paths!r}: each must begin with a slash, with spaces between them"
    return None


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    parser.add_argument(
        "--paths", env_var="LOAD_PATHS", default="/", help="Paths, with spaces between them: each request takes one"
    )
    parser.add_argument(
        "--rate", env_var="LOAD_RATE", type=float, default=1.0, help="Requests per second of each user; 0: no pause"
    )


@events.init.add_listener
def guard(environment: Any, web_ui: Any = None, **_: Any) -> None:
    if web_ui is None:
        return

    @web_ui.app.before_request
    def refuse() -> Any:
        if request.endpoint == "locust.update_user":
            # It would set anything, a proxy for example; the web UI needs it for its class picker only, which is off.
            return "not here", 403
        if request.endpoint != "locust.swarm":
            return None
        host = request.form.get("host", environment.host)
        reason = objection(host, request.form.get("paths", environment.parsed_options.paths))
        return jsonify(success=False, message=reason, host=environment.host) if reason else None


class Visitor(FastHttpUser):
    # The name that every site allows; the compose network's names are known to none.
    default_headers = {"Host": "localhost"}  # noqa: RUF012

    def __init__(self, environment: Any) -> None:
        reason = objection(self.host, environment.parsed_options.paths)
        if reason:
            raise StopTest(reason)
        self.host = self.host.rstrip("/")
        super().__init__(environment)

    def wait_time(self) -> float:
        rate = self.environment.parsed_options.rate
        return constant_pacing(1 / rate)(self) if rate else 0

    @task
    def visit(self) -> None:
        path = random.choice(self.environment.parsed_options.paths.split())
        # Not followed: a redirect may lead out of the stack.
        self.client.get(path, allow_redirects=False)
