"""The constant arrival rate, against a little server of this process: real Locust, no Apache."""

import http.server
import itertools
import os
import signal
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from harness.errors import BadInput, InfrastructureError
from harness.load.client import SteadyClient
from harness.records import Request

MIX = (Request(path="/a"), Request(path="/b"))


@contextmanager
def serving(pause=0.0):
    """A server that takes one request at a time, and `pause` seconds over each, or until the test is over."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            over.wait(pause)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    class Server(http.server.HTTPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address
        over.set()
        server.shutdown()


def ask(client, address, rate=50.0, count=30):
    order = client.steady(address, MIX, {}, begin=time.monotonic() + 0.1, rate=rate, count=count)
    return order.wait(30)


@pytest.mark.parametrize("workers", [0, 2])
def test_requests_are_intended_at_a_constant_rate(tmp_path, workers):
    """One Locust process, or a master with two workers: the mix dealt round, evenly spaced, none twice."""
    with serving() as address, SteadyClient(50, tmp_path / "log", workers) as client:
        answers = ask(client, address)
        again = ask(client, address, count=1)
    assert [each % 2 for each in range(30)] == [each.request for each in answers]
    assert ["/a", "/b"] == [each.body for each in answers[:2]]
    gaps = [b.intended - a.intended for a, b in itertools.pairwise(answers)]
    assert [pytest.approx(0.02, abs=1e-6)] * 29 == gaps
    assert all(each.status == 200 and each.sent >= each.intended for each in answers)
    assert 1 == len(again)


def test_a_slow_server_does_not_slow_the_load(tmp_path):
    """It serves 20/s and is asked 60 times a second: requests leave all the same, and wait longer and longer."""
    with serving(0.05) as address, SteadyClient(100, tmp_path / "log") as client:
        answers = ask(client, address, rate=60.0, count=30)
    assert max(each.sent - each.intended for each in answers) < answers[-1].seconds / 2
    assert answers[-1].seconds > 5 * answers[0].seconds


def test_too_few_users_send_late_and_that_shows(tmp_path):
    """The near-twin: with one user, whose next request waits for its last, the sends are late."""
    with serving(0.05) as address, SteadyClient(1, tmp_path / "log") as client:
        answers = ask(client, address, rate=60.0, count=30)
    assert max(each.sent - each.intended for each in answers) > answers[-1].seconds / 2


def test_open_requests_can_be_abandoned(tmp_path):
    """What is open is then told as open."""
    with serving(30) as address, SteadyClient(10, tmp_path / "log", 1) as client:
        order = client.steady(address, MIX, {}, begin=time.monotonic(), rate=50.0, count=3)
        assert order.wait(0.3) is None
        assert {"open"} == {each.failure for each in order.abandon()}


def test_only_this_machine_is_asked(tmp_path):
    """Another address is refused before anything is sent."""
    with SteadyClient(1, tmp_path / "log") as client, pytest.raises(BadInput, match=r"127\.0\.0\.1 only"):
        client.steady(("192.0.2.1", 80), MIX, {}, begin=0.0, rate=1.0, count=1)


def test_a_worker_that_dies_is_told_and_nothing_is_left(tmp_path):
    """The rate is no longer kept: the load ends, and names the worker."""
    with serving() as address, SteadyClient(10, tmp_path / "log", 2) as client:
        master = psutil.Process(client.pid)
        workers = master.children()
        order = client.steady(address, MIX, {}, begin=time.monotonic(), rate=20.0, count=400)
        os.kill(workers[0].pid, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match=r"Locust worker . of 2 ended with code -9"):
            order.wait(20)
    _gone, alive = psutil.wait_procs([master, *workers], timeout=10)
    assert [] == alive


def test_workers_end_with_their_master(tmp_path):
    """However it ended: killed here."""
    with SteadyClient(4, tmp_path / "log", 2) as client:
        workers = psutil.Process(client.pid).children()
        assert 2 == len(workers)
        os.kill(client.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert [] == alive
