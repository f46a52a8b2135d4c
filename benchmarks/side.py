"""One measurement of the harness in the tree that it is started in, for benchmarks/against.py.

The text of this module is handed to `python -c` in the working tree and in a worktree of an older revision, so that
both are measured by the same code. It therefore looks for each name of the harness where it is today and then where it
was, and passes by position what was once a keyword of another name.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

USERS = 15
WARM_UP = 6  # trials; the first ones wait for the servers
LAST = 2  # trials that have no others beside them, and do not count
WAVES_AT_FIRST = 20  # until a process is warm
ANSWER_SECONDS = 60.0  # as the other benchmarks allow; a cold process on a busy machine takes a few


def of_revision(*places: str) -> Any:
    """The first "module:name" that this revision has. Raises SystemExit where it has none of them."""
    for place in places:
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("harness"):
                raise
        except AttributeError:
            continue
    raise SystemExit(f"this revision has none of {', '.join(places)}: benchmarks/side.py has to learn where it is")


class Side:
    """The harness of this tree, with one script in one mode."""

    def __init__(self, script: Path, runtime: str, mode: str) -> None:
        self._script = script
        self._mode = mode
        prepare = of_revision("harness.hosting.preparing:prepare", "harness.runtime:prepare")
        declared = of_revision("harness.runtimes.spec:declared_runtimes", "harness.runtime:declared_runtimes")
        self._runtime = prepare(runtime, declared()[runtime])
        self._script_case = of_revision("harness.cases.script:script_case", "harness.adhoc:script_case")
        self._local_host = of_revision("harness.hosting.local:LocalHost")
        self._locust_client = of_revision("harness.load.client:LocustClient")

    def trial_rate(self, trials: int) -> dict[str, float]:
        """Effective cold trials a second: two at a time on two cores, as `harness run` makes them."""
        history_writer = of_revision("harness.store.history:HistoryWriter", "harness.history:HistoryWriter")
        case_runner = of_revision("harness.run.runner:CaseRunner", "harness.runner:CaseRunner")
        turns = of_revision("harness.run.turns:Turns", "harness.turns:Turns")
        case = self._script_case(self._script, mode=self._mode, users=USERS, trials=WARM_UP + trials + LAST)
        parallel = os.cpu_count() or 1
        marks: list[tuple[float, int]] = []

        def watch(_: Any, tally: Any) -> None:
            # Two trials may end at one moment: no number of them is certain to be seen.
            if tally.trials >= (WARM_UP, WARM_UP + trials)[min(len(marks), 1)] and len(marks) < 2:
                marks.append((time.monotonic(), tally.effective))

        host = self._local_host(case, self._runtime, None, parallel)
        with (
            tempfile.TemporaryDirectory() as directory,
            self._locust_client(USERS * parallel, Path(directory) / "locust.log") as locust,
            host,
            history_writer(Path(directory) / "history.jsonl", case) as history,
        ):
            turns([case_runner(case, host, locust, history)], host, parallel, watch).run()
        if len(marks) < 2 or marks[0][1] == marks[1][1]:
            raise SystemExit(f"of {trials} trials none was effective")
        (begin, before), (end, after) = marks
        return {"rate": (after - before) / (end - begin)}

    def probe(self, cold: int, warm: int) -> dict[str, float]:
        """What the first request to a cold process takes, and a wave of requests to a warm one, with the probe on."""
        case = self._script_case(self._script, mode=self._mode)
        host = self._local_host(case, self._runtime, 4)
        with (
            tempfile.TemporaryDirectory() as directory,
            self._locust_client(USERS, Path(directory) / "locust.log") as locust,
            host,
        ):

            def exchange(slot: Any, requests: int) -> tuple[float, float]:
                """Send requests at one moment: seconds until all are answered, and CPU seconds that they take."""
                watch: Callable[[], Any] = getattr(slot, "watch", None) or (lambda: host.watch(slot))
                before = cpu_seconds(watch())
                order = locust.order(slot.address, case.requests, [0] * requests, [slot.headers] * requests)
                answers = order.wait(ANSWER_SECONDS)
                if answers is None or any(answer.status != 200 for answer in answers):
                    raise SystemExit("a request did not get the right answer")
                seconds = max(answer.last_byte for answer in answers) - min(answer.intended for answer in answers)
                return seconds, cpu_seconds(watch()) - before

            def first_request() -> tuple[float, float]:
                with host.cold() as slot:
                    return exchange(slot, 1)

            first_request()  # compiles what is not compiled yet
            first = [first_request() for _ in range(cold)]
            with host.cold() as slot:
                for _ in range(WAVES_AT_FIRST):
                    exchange(slot, USERS)
                waves = [exchange(slot, USERS) for _ in range(warm)]
        names = ("first", "first CPU", "warm", "warm CPU")
        values = [statistics.median(column) for rows in (first, waves) for column in zip(*rows, strict=True)]
        return dict(zip(names, values, strict=True))


def cpu_seconds(processes: Any) -> float:
    """CPU time of processes by the scheduler's clock, which is exact: /proc counts in ticks of 10 ms."""
    # The number of the clock is made of the pid: see clock_getcpuclockid(3).
    return sum(time.clock_gettime(~watched.process.pid << 3 | 2) for watched in processes if not watched.gone)


def main() -> None:
    """Measure what the argument, an object of JSON, asks for, and print it as JSON."""
    order = json.loads(sys.argv[1])
    harness = Path(importlib.import_module("harness").__file__ or "").resolve()
    if not harness.is_relative_to(order["tree"]):
        raise SystemExit(f"{harness} was imported, which is not of {order['tree']}")
    side = Side(Path(order["script"]), order["runtime"], order["mode"])
    print(json.dumps(getattr(side, order["method"])(**order["options"])))


if __name__ == "__main__":
    main()
