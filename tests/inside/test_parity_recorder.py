"""What the parity recorder tells of a development server's process, in every interpreter of this machine.

Each test starts a stand-in for manage.py with the recorder on PYTHONPATH, as `harness parity` does.
"""

import json
import os
import shutil
import subprocess

import pytest
from playing import INSIDE

from harness.parity.observation import Observation, read_events

DJANGO = {
    "django/__init__.py": "def get_version():\n    return '1.1.4'\n",
    "django/conf.py": "class settings(object):\n    INSTALLED_APPS = ['one', 'two']\n",
    "django/core/__init__.py": "",
    "django/core/management/__init__.py": "def get_commands():\n    return {'syncdb': 1, 'runserver': 2}\n",
    "django/core/handlers/__init__.py": "",
    "django/core/urlresolvers.py": """
class Pattern(object):
    def __init__(self, name):
        self._callback_str = name
    @property
    def callback(self):
        __import__(self._callback_str.rpartition(".")[0])
        return self
def get_resolver(urlconf):
    return type("Resolver", (), {"url_patterns": [Pattern("mysite.late.view"), Pattern("nowhere.view")]})
""",
    "django/core/handlers/wsgi.py": """
class WSGIHandler(object):
    def __call__(self, environ, start_response):
        import mysite.views
        import django.core.urlresolvers
        start_response("200 OK", [])
        return [b"x"]
""",
    "django/utils/__init__.py": "",
    "django/utils/translation/__init__.py": "",
    "django/utils/translation/trans_real.py": """
class _active(object):
    value = None
class Catalogue(object):
    def to_language(self):
        return "nds"
_translations = {}
def activate(language):
    _translations[language] = _active.value = Catalogue()
""",
}
# The layout of 2010: manage.py inside the site's package. It finds the package by its parent, for just a moment.
SITE = {
    "mysite/__init__.py": "",
    "mysite/settings.py": "",
    "mysite/views.py": "",
    "mysite/late.py": "",
    "mysite/manage.py": """
import os, sys
import django.conf
import settings
parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(parent)
import mysite
sys.path.pop()
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
import mysite.settings
from django.core.management import get_commands
assert get_commands() == {"syncdb": 1, "runserver": 2}
from django.utils.translation import trans_real
trans_real.activate("nds")
from django.core.handlers.wsgi import WSGIHandler
told = []
body = WSGIHandler()({"PATH_INFO": "/"}, lambda status, headers: told.append(status))
assert (body, told) == ([b"x"], ["200 OK"])
sys.stdout.write(repr(sys.path))
""",
}


def run(python, directory, *, spoil=lambda recorder: None, beside=()):
    """Run the stand-in under the recorder: the finished process, and what was recorded."""
    site, library, recorder = directory / "site", directory / "library", directory / "recorder"
    for root, files in ((site, SITE), (library, {**DJANGO, **dict(beside)})):
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    (recorder / "events").mkdir(parents=True)
    shutil.copyfile(INSIDE / "parity.py", recorder / "sitecustomize.py")
    names = ["settings", "views", "mysite", "mysite.views", "mysite.nothing"]
    (recorder / "plan.json").write_text(json.dumps({"root": str(site.resolve()), "names": names}))
    spoil(recorder)
    done = subprocess.run(
        [python, "-B", "manage.py"],
        cwd=site / "mysite",
        env={**os.environ, "PYTHONPATH": f"{recorder}:{library}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, Observation(read_events(recorder / "events"), 200)


@pytest.fixture(scope="module")
def seen(python, tmp_path_factory):
    done, seen = run(python, tmp_path_factory.mktemp("parity"))
    assert (done.returncode, done.stderr) == (0, "")
    return done, seen


def test_each_settings_load_is_recorded(seen):
    """The settings of 2010 are executed twice, under two names, each with the state of the process at that moment."""
    loads = seen[1].settings_loads
    assert [("settings", "start", None), ("mysite.settings", "start", "mysite.settings")] == [
        (each.name, each.phase, each.settings) for each in loads
    ]
    assert "mysite.settings" not in loads[0].modules


def test_request_imports_are_marked(seen):
    """What is imported inside the request is of the phase `request`, all else of `start`."""
    assert ["mysite.views"] == [each.name for each in seen[1].served if each.phase == "request"]


def test_development_server_steps_are_recorded(seen):
    """Commands are recorded with their phase, the language active when the request begins, and the applications."""
    (commands,) = seen[1].calls("commands")
    assert (["runserver", "syncdb"], "start") == (commands.names, commands.phase)
    assert ("nds", ["nds"]) == (seen[1].request.language, seen[1].request.catalogues)
    assert ["one", "two"] == seen[1].snapshot.apps


def test_views_named_by_strings_are_tried(seen):
    """And what that imports is not taken for the site's doing."""
    views = seen[1].snapshot.views
    assert ("", True) == (views["mysite.late.view"], "nowhere" in views["nowhere.view"])
    assert "mysite.late" not in [each.name for each in seen[1].served]


def test_names_are_not_imported(seen):
    """A name resolves as an import would, without one: a package in sys.modules counts, though its parent directory is
    no longer on sys.path."""
    found = seen[1].snapshot.files
    assert {"settings", "views", "mysite", "mysite.views"} == {name for name, file in found.items() if file}
    assert "views" not in seen[1].snapshot.modules


def test_recorder_is_invisible(seen):
    """The recorder's directory is not on sys.path."""
    assert "recorder" not in seen[0].stdout


def test_users_sitecustomize_still_runs(python, tmp_path):
    """The user's own sitecustomize still runs: the recorder takes its place only for a moment."""
    done, seen = run(python, tmp_path, beside={"sitecustomize.py": "import sys\nsys.stdout.write('theirs ')\n"}.items())
    assert done.stdout.startswith("theirs "), done.stderr
    assert seen.answered


@pytest.mark.parametrize("spoilt", ["events", "plan.json"])
def test_failing_recorder_is_harmless(python, tmp_path, spoilt):
    """A recorder without a place for its events, or without a plan, leaves the site running as if it was not there."""

    def spoil(recorder):
        path = recorder / spoilt
        path.rmdir() if path.is_dir() else path.write_text("no JSON")

    done, seen = run(python, tmp_path, spoil=spoil)
    assert 0 == done.returncode, done.stderr
    assert not seen.answered
