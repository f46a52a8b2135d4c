"""A real development server beside a real mod_wsgi."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.hosting.preparing import prepare, prepare_for_python
from harness.parity import devserver
from harness.parity.places import find_places
from harness.parity.run import compare_site
from harness.runtimes.spec import declared_runtimes

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
SITES = ROOT / "sites"
FACTS_OF_2010 = {
    "settings": "4 loads: settings, mysite.settings in each of 2 processes, before any request",
    "sys.path": "mysite2010/mysite",
    "checks": "run before any request",
    "locale": "nds",
}


@pytest.fixture
def compared(python):
    """The rows of a site's comparison, by key."""
    runtime = prepare_for_python(python)

    def compared(script, site="mysite", **options):
        return {row.key: row for row in compare_site(find_places(site, SITES, script), runtime, **options).rows}

    return compared


def test_todays_script_and_todays_development_server(command, python, tmp_path):
    """Both load the settings before any request and under one name; the script leaves the URLconf, the checks and the
    commands out, and mod_wsgi works in another directory. That is exit code 1, and 0 when it is accepted."""
    differing = {"cwd", "first-request", "checks", "commands"}
    accepted = [word for key in sorted(differing) for word in ("--accept", key)]
    done = command("parity", "mysite", "--python", python, "--json", tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text())
    assert differing == {row["key"] for row in told["rows"] if not row["same"]}, done.stdout
    assert (1, False) == (done.returncode, told["same"])
    loads = next(row for row in told["rows"] if row["key"] == "settings")
    assert "2 loads: mysite.settings in each of 2 processes, before any request" == loads["development_server"]
    assert "1 load: mysite.settings in 1 process, before any request" == loads["script"]
    assert "what to change in default.wsgi:" in done.stdout
    assert 0 == command("parity", "mysite", "--python", python, *accepted).returncode


def test_deferred_script_loads_in_request(compared):
    """A deferred script loads its settings in the first request, in embedded mode too."""
    found = compared("deferred", mode="embedded")
    assert "1 load: mysite.settings in 1 process, in the first request" == found["settings"].script
    assert "filled in the first request" == found["registry"].script


def test_the_improved_script_differs_in_little(assert_parity, python):
    """Its working directory, and a language that today's development server does not activate any more."""
    assert_parity("sites/mysite", "improved", python=python, ignore=("cwd", "locale"))
    with pytest.raises(AssertionError, match=r"differs in 1 of \d+ rows: locale"):
        assert_parity("sites/mysite", "improved", python=python)


@pytest.fixture(scope="session")
def vintage():
    try:
        return prepare("py27-django1.1", declared_runtimes()["py27-django1.1"])
    except MissingRuntime as error:
        pytest.skip(str(error))


def test_the_observations_of_2010(vintage):
    """On Django 1.1 the development server loads the settings four times, with the site's directory on sys.path and not
    its parent. The naive script loads them once, in the first request, with the parent there; the improved one
    does as the development server."""
    naive, improved = (
        {row.key: row for row in compare_site(find_places("mysite2010", SITES, script), vintage).rows}
        for script in ("naive_b", "improved")
    )
    assert FACTS_OF_2010 == {key: naive[key].development_server for key in FACTS_OF_2010}
    assert "1 load: mysite.settings in 1 process, in the first request" == naive["settings"].script
    assert "mysite2010" == naive["sys.path"].script
    assert "not run" == naive["checks"].script
    assert "settings, urls, views" == naive["names"].development_server
    # What differs is the working directory, and the language in which commands run.
    assert ["cwd", "catalogues"] == [key for key, row in improved.items() if not row.same]


# -- bad input -------------------------------------------------------------------------------------------


def test_failing_import_is_named(command, python):
    """A script that does not import is named with the error of its log."""
    done = command("parity", "mysite", "--script", "naive2010", "--python", python)
    assert 2 == done.returncode
    assert "naive2010.wsgi does not import under mod_wsgi: django.core.exceptions.AppRegistryNotReady" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mysit",), "did you mean 'mysite'?"),
        (("handler_lock",), "there is no manage.py"),
        (("mysite", "--script", "improvd"), "did you mean 'improved'?"),
        (("mysite", "--accept", "cw"), "did you mean 'cwd'?"),
        (("mysite", "--runtime", "django25"), "did you mean 'django52'?"),
        (("mysite", "--json", "/nowhere/out.json"), "there is no directory"),
    ],
)
def test_bad_input_is_one_sentence(command, python, arguments, said):
    """Exit code 2 and no traceback."""
    chosen = () if "--runtime" in arguments else ("--python", python)
    done = command("parity", *arguments, *chosen)
    assert (2, True, False) == (done.returncode, said in done.stderr, "Traceback" in done.stderr), done.stderr


def site_with(directory, settings):
    (directory / "plain").mkdir()
    (directory / "plain" / "__init__.py").touch()
    (directory / "plain" / "settings.py").write_text(settings)
    (directory / "manage.py").write_text((SITES / "settings_window" / "manage.py").read_text())
    (directory / "default.wsgi").write_text("application = None\n")
    return directory


def test_failing_development_server_is_named(python, open_tmp_path, monkeypatch):
    """A development server that does not start is named with its error, although its reloader goes on waiting."""
    monkeypatch.setattr(devserver, "QUIET_SECONDS", 0.3)
    places = find_places(str(site_with(open_tmp_path, "raise RuntimeError('no database')\n")), SITES, None)
    with pytest.raises(BadInput, match="does not start: RuntimeError: no database"):
        compare_site(places, prepare_for_python(python))


def test_taken_port_is_infrastructure(python, monkeypatch, tmp_path):
    """A port that another program took between the choice and the start is no fault of the site's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(devserver, "free_port", lambda: taken.getsockname()[1])
        server = devserver.DevelopmentServer(python, SITES / "mysite" / "manage.py", tmp_path / "log", dict(os.environ))
        with server, pytest.raises(InfrastructureError, match="taken by another program"):
            server.get("/", {}, timeout=30.0)


def test_ctrl_c_leaves_nothing_running(python):
    """Neither the development server with its reloader, nor httpd, nor a directory."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "parity", "mysite", "--python", python],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ},
    )
    started = []
    deadline = time.monotonic() + 60
    while len(started) < 2 and time.monotonic() < deadline and process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)  # the server, and its reloader's child
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (3, True) == (process.returncode, "nothing is left running" in said)
    assert [] == [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert [] == list(Path(tempfile.gettempdir()).glob(f"harness-parity-{process.pid}-*"))
