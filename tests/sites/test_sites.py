"""The sample sites do what their READMEs say, one request at a time.

Each test runs a script in a fresh interpreter, loaded as mod_wsgi loads it. What only several
requests at once can show is left to real Apache.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("django") is None,
    reason=f"Django is not installed for {sys.executable}: pip install 'django>=5.2'",
)

SITES = Path(__file__).resolve().parents[2] / "sites"

MYSITE_PATHS = ["/", "/hello/", "/books/1/", "/login/"]

# Runs in the fresh interpreter: a WSGI server for one request at a time. Like mod_wsgi it gives the
# script a module of its own whose name no import can hit, and after a failed load it drops that module
# and tries again in the same interpreter at the next request.
SERVER = """
import io, json, sys, types

def load(script):
    name = "_mod_wsgi_" + script.encode().hex()
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = script
    try:
        with open(script) as source:
            exec(compile(source.read(), script, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module

def environ(path, headers):
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, **headers,
    }

script, requests = json.loads(sys.argv[1])
module, answers = None, []
for path, headers in requests:
    started = []
    try:
        module = module or load(script)
        response = module.application(environ(path, headers), lambda *args: started.append(args))
        body = b"".join(response).decode()
        response.close()
        answers.append({"status": int(started[0][0][:3]), "body": body})
    except Exception as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps({"answers": answers, "modules": sorted(sys.modules)}))
"""


def serve(script, *requests, env=None):
    """Send *requests*, paths or (path, headers), one after another to a cold *script*.

    The interpreter starts away from the site and isolated, as one inside Apache does, and leaves no
    .pyc behind.
    """
    requests = [(r, {}) if isinstance(r, str) else r for r in requests]
    done = subprocess.run(
        [sys.executable, "-IB", "-c", SERVER, json.dumps([str(SITES / script), requests])],
        cwd="/",
        env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"} | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done


def answers(script, *requests):
    return json.loads(serve(script, *requests).stdout)["answers"]


def statuses(script, *requests):
    return [answer.get("status", answer.get("error")) for answer in answers(script, *requests)]


class TestEverySite:
    @pytest.mark.parametrize("site", sorted(p.parent for p in SITES.glob("*/scripts")), ids=lambda p: p.name)
    def test_readme(self, site):
        """A site's README has three lines: what it shows, since when, and when it was fixed."""
        lines = (site / "README.md").read_text().splitlines()

        assert 3 == len(lines)
        assert all(lines)


class TestMysite:
    @pytest.mark.parametrize("script", ["default", "deferred", "improved"])
    def test_answers(self, script):
        """A good script answers every page, one request at a time."""
        assert [200] * 4 == statuses(f"mysite/scripts/{script}.wsgi", *MYSITE_PATHS)

    def test_naive2010(self):
        """The script of 2010 fails on today's Django, at each request and in the same way."""
        first, second = answers("mysite/scripts/naive2010.wsgi", "/", "/")

        assert first["error"].startswith("AppRegistryNotReady: ")
        assert first == second

    def test_database(self):
        """The pages show what is in the shipped database."""
        books, book = answers("mysite/scripts/default.wsgi", "/", "/books/1/")

        assert "Moby-Dick" in books["body"]
        assert "Written by Mary Shelley, published in 1818." in book["body"]

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("de", "Hallo, liebe Leserin, lieber Leser."),
            ("de-at,en;q=0.5", "Hallo, liebe Leserin, lieber Leser."),
            ("en", "Hello, dear reader."),
            ("ja", "Hello, dear reader."),
        ],
    )
    def test_language(self, language, text):
        """A reader is greeted in the language asked for, or else in English."""
        request = ("/hello/", {"HTTP_ACCEPT_LANGUAGE": language})

        assert [{"status": 200, "body": text}] == answers("mysite/scripts/default.wsgi", request)

    def test_volatile_token(self):
        """The login page differs from one request to the next in its CSRF token and nothing else."""
        first, second = (a["body"] for a in answers("mysite/scripts/default.wsgi", "/login/", "/login/"))
        token = re.compile(r'(?<=name="csrfmiddlewaretoken" value=")\w+')

        assert first != second
        assert token.sub("", first) == token.sub("", second)

    def test_trace(self):
        """With the switch on, a load of the settings tells where it happened."""
        done = serve("mysite/scripts/default.wsgi", "/", env={"MYSITE_TRACE_SETTINGS": "1"})
        (line,) = [x for x in done.stderr.splitlines() if x.startswith("mysite settings loaded: ")]
        trace = json.loads(line.partition(": ")[2])

        assert "mysite.settings" == trace["name"] == trace["DJANGO_SETTINGS_MODULE"]
        assert str(SITES / "mysite/mysite/settings.py") == trace["file"]
        assert "/" == trace["cwd"]
        assert str(SITES / "mysite") == trace["sys.path"][0]
        assert ["mysite", "mysite.settings"] == trace["modules"]
        assert trace["pid"] > 0

    def test_no_trace(self):
        """Without the switch nothing is printed."""
        assert "" == serve("mysite/scripts/default.wsgi", *MYSITE_PATHS).stderr

    def test_setenv(self):
        """The deferred script takes the switch from the request, the reason for deferring at all."""
        request = ("/", {"MYSITE_TRACE_SETTINGS": "1"})

        assert "mysite settings loaded: " in serve("mysite/scripts/deferred.wsgi", request).stderr


class TestCircularImport:
    @pytest.mark.parametrize("script", ["affected", "fixed"])
    @pytest.mark.parametrize("order", [["/a/", "/b/"], ["/b/", "/a/"]])
    def test_either_order(self, script, order):
        """Either end of the cycle may be imported first, one request at a time."""
        assert [200, 200] == statuses(f"circular_import/scripts/{script}.wsgi", *order)

    @pytest.mark.parametrize(("script", "loaded"), [("affected", False), ("fixed", True)])
    def test_when_loaded(self, script, loaded):
        """Only the fixed script has loaded the cycle before there is a request."""
        modules = json.loads(serve(f"circular_import/scripts/{script}.wsgi", "/none/").stdout)["modules"]

        assert loaded == ({"shop.orders", "shop.invoices"} <= set(modules))


class TestFlagBeforeWork:
    @pytest.mark.parametrize("script", ["affected", "fixed"])
    def test_one_at_a_time(self, script):
        """Nothing is wrong with either script one request at a time."""
        assert [200, 200] == statuses(f"flag_before_work/scripts/{script}.wsgi", "/", "/")


class TestSettingsWindow:
    @pytest.mark.parametrize("script", ["deferred", "default"])
    def test_one_at_a_time(self, script):
        """Nothing is wrong with either script one request at a time."""
        assert [200, 200] == statuses(f"settings_window/scripts/{script}.wsgi", "/", "/")


class TestPoisonedRegistry:
    def test_sequence(self):
        """The first request gets the site's own error, each later one the registry's, for good."""
        assert [
            "ConnectionRefusedError: the stock back end is not up yet",
            "RuntimeError: populate() isn't reentrant",
            "RuntimeError: populate() isn't reentrant",
        ] == statuses("poisoned_registry/scripts/default.wsgi", "/", "/", "/")
