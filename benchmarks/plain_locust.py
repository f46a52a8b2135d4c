"""Locust as it comes, for benchmarks/time_to_detection.py: ordinary users, started anew after each restart.

One process, so that Locust's own start is not counted: a line of JSON on standard input ({"host": …, "headers": …,
"paths": […], "users": n, "seconds": s}) is a start of all users; the answer is how many requests got which status, 0
for none in time.
"""

from __future__ import annotations

import json
import random
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
    """Asks for any of the paths, again and again."""

    host = ""
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        answer = self.client.get(random.choice(RUN["paths"]), headers=RUN["headers"], timeout=RUN["seconds"])
        STATUSES[answer.status_code] += 1


def main() -> None:
    for line in sys.stdin:
        RUN.update(json.loads(line))
        STATUSES.clear()
        PlainUser.host = RUN["host"]
        environment = Environment(user_classes=[PlainUser])
        runner = environment.create_local_runner()
        begin = time.monotonic()
        runner.start(RUN["users"], spawn_rate=100)
        # Until there is an answer for each user and path, or one of them has got none.
        enough = RUN["users"] * len(RUN["paths"])
        while STATUSES.total() < enough and time.monotonic() - begin < RUN["seconds"] and not STATUSES[0]:
            gevent.sleep(0.01)
        STATUSES[0] += STATUSES.total() < enough and time.monotonic() - begin >= RUN["seconds"]
        runner.quit()
        print(json.dumps(STATUSES), flush=True)


if __name__ == "__main__":
    main()
