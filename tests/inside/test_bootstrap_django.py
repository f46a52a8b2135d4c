"""What `harness.bootstrap` does with a real Django: each that a runtime of the harness has been built with."""

import json
import os
import subprocess
import sys

import pytest
from test_bootstrap import PRELUDE, ROOT, TODAY, write

from harness.runtimes.building import cache_directory
from harness.runtimes.interpreters import describe

SITES = ROOT / "sites"
# A site that the Django can run, by runtime.
RUNTIMES = {
    "py27-django1.1": "mysite2010/mysite",
    "py27-django1.2": "mysite2010/mysite",
    "py27-django1.3": "mysite2010/mysite",
    "py27-django1.4": "mysite2010/mysite",
    "py27-django1.5": "mysite2010/mysite",
    "py27-django1.7": "translation_fallback",
    "py27-django1.8": "translation_fallback",
    "py27-django1.11": "settings_window",
    "django52": "mysite",
    "django6": "mysite",
}
PATHS = {"translation_fallback": "/nds/"}


def built(name):
    """The interpreter of a runtime that has been built; a test is no reason to build one."""
    if name == "django52":  # what the tests themselves run on
        return sys.executable
    for home in sorted((cache_directory() / "runtimes").glob(f"{name}-????????")):
        if (home / "complete").exists() and describe(str(home / "bin" / "python")):
            return str(home / "bin" / "python")
    return pytest.skip(f"the runtime {name} is not built: `harness run` of a scenario on it builds it")


def run(python, code, **environment):
    """What a piece of code prints as JSON at its end, and what it wrote to stderr."""
    prelude = PRELUDE.format(bootstrap=str(ROOT / "bootstrap"))
    done = subprocess.run(
        [python, "-B", "-c", prelude + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", **environment},
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    """(interpreter, site, path) of each runtime."""
    site = RUNTIMES[request.param]
    return built(request.param), str(SITES / site), PATHS.get(site, "/")


@pytest.fixture
def python():
    return built("django52")


class TestStart:
    def test_answers(self, runtime):
        """Every step is done, and the application answers; nothing that is one thread's alone stays."""
        python, site, path = runtime
        told, stderr = run(
            python,
            f"""
application = b.get_application({site!r}, log=True)
report = application.bootstrap_report
from django.utils import translation
trans = sys.modules["django.utils.translation.trans_real"]
print(json.dumps({{
    "status": b.ask(application, {path!r}),
    "outcomes": sorted(set(each.outcome for each in report.steps)),
    "steps": [each.name for each in report.steps] == [each.name for each in b.STEPS],
    "times": report.seconds > 0 and all(each.seconds >= 0 for each in report.steps),
    "threads": report.threads, "path": sys.path[0], "report": bool(json.dumps(report.as_dict())),
    "parent": os.path.dirname({site!r}) in sys.path,
}}))
""",
        )

        expected = {"status": 200, "outcomes": ["done"], "steps": True, "times": True, "threads": [], "report": True}
        assert expected | {"path": site, "parent": False} == told
        assert f"bootstrap: {site} with " in stderr

    def test_loaded_once(self):
        """In the layout of 2010 the settings are loaded once, as the package's, and the parent has left sys.path."""
        site = str(SITES / "mysite2010" / "mysite")
        _, stderr = run(built("py27-django1.1"), f"b.get_application({site!r})\nprint(1)")

        assert ["mysite2010 settings: __name__ = 'mysite.settings'"] == [
            line for line in stderr.splitlines() if "__name__" in line
        ]

    def test_nothing_is_left(self, runtime):
        """A request after the start executes no module that was not there before it."""
        python, site, path = runtime
        new, _ = run(
            python,
            f"""
application = b.get_application({site!r})
before = set(name for name, module in sys.modules.items() if module)
b.ask(application, {path!r})
print(json.dumps(sorted(set(name for name, module in sys.modules.items() if module) - before)))
""",
        )
        assert [] == new

    def test_each_step_off(self, runtime):
        """Each step that may be left out can be; the site answers without any of them."""
        python, site, path = runtime
        (off, status), _ = run(
            python,
            f"""
off = [each.name for each in b.STEPS if each.needed != "always"]
application = b.get_application({site!r}, skip=off)
left_out = [each.name for each in application.bootstrap_report.steps if each.outcome == "off"]
print(json.dumps([off == left_out, b.ask(application, {path!r})]))
""",
        )
        assert (True, 200) == (off, status)

    def test_warm(self, python):
        """Warm-up requests go through the application; no connection that they opened stays."""
        site = str(SITES / "mysite")
        (warm, closed), _ = run(
            python,
            f"""
report = b.get_application({site!r}, warm=["/", ("/login/", {{"HTTP_ACCEPT_LANGUAGE": "de"}})]).bootstrap_report
from django.db import connection
print(json.dumps([[each[:2] for each in report.warm], connection.connection is None]))
""",
        )
        assert ([["/", 200], ["/login/", 200]], True) == (warm, closed)

    @pytest.mark.parametrize(
        ("settings", "options", "expected"),
        [
            ("", "", ["en-us"]),
            ('LANGUAGES = [("fr", "French"), ("de", "German")]\n', "", ["en-us", "fr", "de"]),
            ("", ', languages=["nl"]', ["en-us", "nl"]),
        ],
        ids=["Django's own", "the site's own", "more"],
    )
    def test_languages(self, python, tmp_path, settings, options, expected):
        """With a LocaleMiddleware too, only the languages that the site names are loaded: Django's own list has 98."""
        middleware = 'MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]\nUSE_I18N = True\n'
        site = write_site(tmp_path, settings=SETTINGS.replace("MIDDLEWARE = []\n", middleware) + settings)
        (catalogues, status), _ = run(
            python,
            f"""
application = b.get_application({site!r}{options})
catalogues = sys.modules["django.utils.translation.trans_real"]._translations
asked = {{"HTTP_ACCEPT_LANGUAGE": "el"}}
print(json.dumps([sorted(catalogues), b.ask(application, "/", extra=asked)]))
""",
        )
        assert (sorted(expected), 200) == (catalogues, status)

    def test_budget(self, python):
        """Once the budget is spent, what only spares requests some work is left to them, and that is noted."""
        site = str(SITES / "mysite")
        (over, needed, status), stderr = run(
            python,
            f"""
application = b.get_application({site!r}, budget=0)
outcomes = dict((each.name, each.outcome) for each in application.bootstrap_report.steps)
needed = [each.name for each in b.STEPS if each.needed] + ["garbage"]
over = sorted(name for name, outcome in outcomes.items() if outcome == "over budget")
print(json.dumps([over, sorted(set(outcomes[name] for name in needed)), b.ask(application, "/")]))
""",
        )
        assert {"languages", "templates", "tables"} < set(over)
        assert (["done"], 200) == (needed, status)
        assert "step tables is left to the requests: the budget of 0 s is spent" in stderr

    def test_budget_in_a_step(self, python):
        """A step of many parts ends between two of them, and says how many are left."""
        site = str(SITES / "mysite")
        (codes, left), _ = run(
            python,
            f"""
import time
application = b.get_application({site!r}, budget=600)
start = b._start
done = []
for code in b._Languages(start):
    done.append(code)
    start._deadline = 0
print(json.dumps([done, start.report.notes]))
""",
        )
        assert ["en-us"] == codes
        assert ["2 of 3 parts (each a language) are left to the requests: the budget of 600 s is spent"] == left

    def test_memory(self, python):
        """Each step tells how much the process grew, and the whole start as well."""
        site = str(SITES / "mysite")
        (grown, each), stderr = run(
            python,
            f"""
report = b.get_application({site!r}, log=True).bootstrap_report
print(json.dumps([report.megabytes, [step.megabytes for step in report.steps]]))
""",
        )
        assert grown == pytest.approx(sum(each))
        assert 5 < grown < 500
        assert f"bootstrap: {site} with mysite.settings: " in stderr
        assert " MB (" in stderr

    def test_admin(self, python, tmp_path):
        """What Django's admin imports inside its functions is there before the first page of it."""
        apps = ", ".join(
            f'"django.contrib.{name}"' for name in ("admin", "auth", "contenttypes", "sessions", "messages")
        )
        site = write_site(tmp_path, settings=SETTINGS.replace('["shop"]', f'[{apps}, "shop"]'))
        (loaded, absent), _ = run(
            python,
            f"""
b.get_application({site!r}, checks="off")
print(json.dumps(["django.contrib.admin.forms" in sys.modules, "encodings.unicode_escape" in sys.modules]))
""",
        )
        assert (True, True) == (loaded, absent)

    def test_connection(self, python, tmp_path):
        """A connection that the site's own code opens meanwhile is closed, and told: a fork may follow."""
        database = (
            f'DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "{tmp_path}/books"}}}}\n'
        )
        urls = VIEWS + "from django.db import connection\nconnection.ensure_connection()\n"
        site = write_site(tmp_path, settings=SETTINGS + database, urls=urls)
        (closed, gone), _ = run(
            python,
            f"""
report = b.get_application({site!r}).bootstrap_report
from django.db import connection
print(json.dumps([report.connections_closed, connection.connection is None]))
""",
        )
        assert (1, True) == (closed, gone)

    def test_warm_failure(self, python, tmp_path):
        """A warm-up request that fails is noted, or, if so asked, is a failed start."""
        urls = VIEWS + 'urlpatterns += [path("bad/", lambda request: 1 / 0)]\n'
        code = "print(json.dumps(str(told(b.get_application, {!r}, warm=['/bad/'], warm_failure={!r}))))"
        site = write_site(tmp_path, urls=urls)
        noted, stderr = run(python, code.format(site, "warn"))
        refused, _ = run(python, code.format(site, "refuse"))

        assert "WSGIHandler" in noted
        assert "the warm-up request /bad/ failed: 500" in stderr
        assert "the warm-up request /bad/ failed: 500" == refused


class TestAgain:
    @pytest.mark.parametrize(
        "call",
        ["get()", "in_thread()", "b.get_application(site + '/.', warm=['/'])"],
        ids=["twice", "thread", "options"],
    )
    def test_same(self, python, call):
        """Called again for the same site it gives the same application, from whichever thread."""
        same, _ = run(
            python,
            f"""
import threading
site = {str(SITES / "mysite")!r}
def get():
    return b.get_application(site)
def in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(get()))
    thread.start()
    thread.join()
    return found[0]
print(json.dumps(get() is {call}))
""",
        )
        assert same

    def test_threads(self, python):
        """Called by several threads at once it starts the site once."""
        (applications, loads), _ = run(
            python,
            f"""
import threading
found = []
def get():
    found.append(b.get_application({str(SITES / "mysite")!r}))
threads = [threading.Thread(target=get) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
print(json.dumps([len(set(map(id, found))), len(found[0].bootstrap_report.steps) == len(b.STEPS)]))
""",
        )
        assert (1, True) == (applications, loads)

    def test_two_sites(self, python):
        """A second site in one interpreter is refused, and both are named."""
        error, _ = run(
            python,
            f"""
b.get_application({str(SITES / "mysite")!r})
print(json.dumps(told(b.get_application, {str(SITES / "settings_window")!r})))
""",
        )
        assert f"this interpreter already serves {SITES / 'mysite'} with mysite.settings" in error
        assert "WSGIApplicationGroup" in error

    def test_configured(self, python):
        """An interpreter that is configured with other settings is refused; with the same ones it goes on."""
        code = """
os.environ["DJANGO_SETTINGS_MODULE"] = {!r}
sys.path.insert(0, {!r})
import django
django.setup()
os.environ.pop("DJANGO_SETTINGS_MODULE")
print(json.dumps(str(told(b.get_application, {!r}))))
"""
        mine, other = str(SITES / "settings_window"), str(SITES / "per_request_setup")
        refused, _ = run(python, code.format("guestbook.settings", other, mine))
        taken, _ = run(python, code.format("plain.settings", mine, mine))

        assert "this interpreter is already configured with guestbook.settings" in refused
        assert "WSGIHandler" in taken

    def test_from_within(self, python, tmp_path):
        """A module that the start loads, and that loads the WSGI script, is told so."""
        views = "import harness_bootstrap\nharness_bootstrap.get_application({!r})\nurlpatterns = []\n"
        site = write_site(tmp_path, urls=views.format(str(tmp_path)))
        error, _ = run(python, FAILING.format(site))

        assert "get_application is called again while it starts" in error


SETTINGS = 'SECRET_KEY = "x"\nROOT_URLCONF = "shop.urls"\nMIDDLEWARE = []\nINSTALLED_APPS = ["shop"]\n'
VIEWS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("ok"))]
"""
FAILING = """
try:
    b.get_application({0!r})
except Exception as error:
    print(json.dumps(str(error)))
"""


def write_site(directory, settings=SETTINGS, urls=VIEWS, **files):
    modules = {"settings": settings, "urls": urls, "__init__": "", **files}
    texts = {f"shop/{name}.py": text for name, text in modules.items()}
    return str(write(directory, {"manage.py": TODAY.format("shop"), **texts}))


class TestBadSite:
    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ("import nowhere\n", "No module named 'nowhere' ({site}/shop/settings.py, line 1)"),
            ("X = 1\nY = X +\n", "SyntaxError: invalid syntax"),
            ("import sys\nsys.exit(3)\n", "SystemExit: 3 ({site}/shop/settings.py, line 2)"),
        ],
    )
    def test_settings(self, python, tmp_path, settings, reason):
        """Settings that do not import: the error says why, and where."""
        site = write_site(tmp_path, settings)
        error, _ = run(python, FAILING.format(site))

        assert error.startswith(f"the settings shop.settings of {site} do not import: ")
        assert reason.format(site=site) in error

    @pytest.mark.parametrize(("checks", "starts"), [("warn", True), ("off", True), ("refuse", False)])
    def test_checks(self, python, tmp_path, checks, starts):
        """Errors of the system checks are told, or refused, or not looked for, as the script says."""
        models = """
from django.db import models
class Book(models.Model):
    id = models.AutoField(primary_key=True)
    title = models.CharField()
    length = models.DecimalField()
"""
        site = write_site(tmp_path, models=models)
        told, stderr = run(python, f"print(json.dumps(str(told(b.get_application, {site!r}, checks={checks!r}))))")

        assert starts == ("WSGIHandler" in told)
        assert ("fields.E1" in stderr + told) == (checks != "off")

    def test_thread(self, python, tmp_path):
        """A thread that the site starts meanwhile is told: no fork takes it along."""
        urls = VIEWS + "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        site = write_site(tmp_path, urls=urls)
        threads, stderr = run(python, f"print(json.dumps(len(b.get_application({site!r}).bootstrap_report.threads)))")

        assert 1 == threads
        assert "threads were started meanwhile" in stderr
