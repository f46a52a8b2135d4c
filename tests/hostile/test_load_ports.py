"""Nobody else on the machine can join the load generator: it opens no port."""

import psutil
import pytest

from harness.load.client import LocustClient, SteadyClient

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("workers", [None, 0, 2])
def test_no_port(tmp_path, workers):
    """Neither Locust nor a master with workers listens on any address of the network."""
    log = tmp_path / "log"
    with LocustClient(2, log) if workers is None else SteadyClient(2, log, workers) as client:
        generator = psutil.Process(client.pid)
        processes = [generator, *generator.children(recursive=True)]
        assert 1 + (workers or 0) == len(processes)
        assert [] == [port for process in processes for port in process.net_connections("inet")]
