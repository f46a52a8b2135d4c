"""Plain Locust, for benchmarks/time_to_detection.py: ordinary users, started again after each restart.

One process, so that Locust's own start does not count. A line of JSON on standard input ({"host": …, "headers": …,
"paths": […], "users": n, "seconds": s}) starts all users; the answer is the number of requests by status, where 0 is no
answer in time.
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
    """Requests a random path, again and again."""

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
        # Until there are as many answers as users times paths, or one request got none.
        enough = RUN["users"] * len(RUN["paths"])
        while STATUSES.total() < enough and time.monotonic() - begin < RUN["seconds"] and not STATUSES[0]:
            gevent.sleep(0.01)
        STATUSES[0] += STATUSES.total() < enough and time.monotonic() - begin >= RUN["seconds"]
        runner.quit()
        print(json.dumps(STATUSES), flush=True)


if __name__ == "__main__":
    main()
