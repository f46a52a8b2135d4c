"""The constant arrival rate, against a small server in this process: real Locust, no Apache."""

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
    """A server that takes one request at a time, and spends `pause` seconds on it, or until the test is over."""
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
def test_constant_rate_of_requests(tmp_path, workers):
    """One Locust process, or a master with two workers: the mix round robin, evenly spaced, none twice."""
    with serving() as address, SteadyClient(50, tmp_path / "log", workers) as client:
        answers = ask(client, address)
        again = ask(client, address, count=1)
    assert [number % 2 for number in range(30)] == [answer.request for answer in answers]
    assert ["/a", "/b"] == [answer.body for answer in answers[:2]]
    gaps = [b.intended - a.intended for a, b in itertools.pairwise(answers)]
    assert [pytest.approx(0.02, abs=1e-6)] * 29 == gaps
    assert all(answer.status == 200 and answer.sent >= answer.intended for answer in answers)
    assert 1 == len(again)


def test_slow_server_keeps_rate(tmp_path):
    """It serves 20 of 60 requests a second: they are sent on time all the same, and wait longer and longer."""
    with serving(0.05) as address, SteadyClient(100, tmp_path / "log") as client:
        answers = ask(client, address, rate=60.0, count=30)
    assert max(answer.sent - answer.intended for answer in answers) < answers[-1].seconds / 2
    assert answers[-1].seconds > 5 * answers[0].seconds


def test_too_few_users_send_late(tmp_path):
    """With one user, whose next request waits for its last, requests are sent late, and the record shows it."""
    with serving(0.05) as address, SteadyClient(1, tmp_path / "log") as client:
        answers = ask(client, address, rate=60.0, count=30)
    assert max(answer.sent - answer.intended for answer in answers) > answers[-1].seconds / 2


def test_open_requests_can_be_abandoned(tmp_path):
    """Requests that are abandoned are recorded as open."""
    with serving(30) as address, SteadyClient(10, tmp_path / "log", 1) as client:
        order = client.steady(address, MIX, {}, begin=time.monotonic(), rate=50.0, count=3)
        assert order.wait(0.3) is None
        assert {"open"} == {answer.failure for answer in order.abandon()}


def test_only_this_machine_is_asked(tmp_path):
    """Another machine's address is refused before anything is sent."""
    with SteadyClient(1, tmp_path / "log") as client, pytest.raises(BadInput, match=r"127\.0\.0\.1 only"):
        client.steady(("192.0.2.1", 80), MIX, {}, begin=0.0, rate=1.0, count=1)


def test_dead_worker_ends_the_load(tmp_path):
    """The rate is no longer kept: the load ends, the error names the worker, and no process is left."""
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
    """Workers end with their master, even if it was killed."""
    with SteadyClient(4, tmp_path / "log", 2) as client:
        workers = psutil.Process(client.pid).children()
        assert 2 == len(workers)
        os.kill(client.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert [] == alive
