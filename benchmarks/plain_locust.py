"""Locust as it comes, for benchmarks/time_to_detection.py: ordinary users, started anew after each restart.

One process, so that Locust's own start is not counted: a line of JSON on standard input ({"host": …, "headers": …,
"paths": […], "users": n, "seconds": s}) is a start of all users; the answer is how many requests got which status, 0
for none in time.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

import gevent
from locust import HttpUser, constant, task
from locust.env import Environment

RUN: dict[str, Any] = {}
STATUSES: Counter[int] = Counter()


class PlainUser(HttpUser):
    """Asks for one path after another."""

    host = ""
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        for path in RUN["paths"]:
            answer = self.client.get(path, headers=RUN["headers"], timeout=RUN["seconds"])
            STATUSES[answer.status_code] += 1


def main() -> None:
    environment = Environment(user_classes=[PlainUser])
    for line in sys.stdin:
        RUN.update(json.loads(line))
        STATUSES.clear()
        environment.host = PlainUser.host = RUN["host"]
        runner = environment.create_local_runner()
        begin = time.monotonic()
        runner.start(RUN["users"], spawn_rate=1000)
        # Until each user has had an answer to each path, or one of them has got none.
        enough = RUN["users"] * len(RUN["paths"])
        while STATUSES.total() < enough and time.monotonic() - begin < RUN["seconds"] and not STATUSES[0]:
            gevent.sleep(0.01)
        STATUSES[0] += STATUSES.total() < enough and time.monotonic() - begin >= RUN["seconds"]
        runner.quit()
        print(json.dumps(STATUSES), flush=True)


if __name__ == "__main__":
    main()
