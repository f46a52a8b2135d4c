"""The comparison of a development server with a script: its pure parts."""

import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import BadInput
from harness.parity.compare import compare
from harness.parity.observation import Call, Execution, Observation, ProcessSnapshot, ServedRequest, read_events
from harness.parity.places import Places, find_places
from harness.parity.references import Reference, module_names, references, sources
from harness.parity.report import encode, words_of
from harness.parity.rows import ROWS

SETTINGS = "/srv/mysite/mysite/settings.py"
PATH = ["/srv/mysite", "/usr/lib/python3"]


def execution(name="mysite.settings", *, file=SETTINGS, phase="start", pid=2):
    return Execution(
        pid=pid, thread=1, phase=phase, name=name, file=file, cwd="/", path=[], settings=None, modules=[]
    )  # fmt: skip


def call(what, **changes):
    return Call(**{"pid": 2, "thread": 1, "phase": "start", "what": what} | changes)


def seen(*events, request=None, status=200, **changes):
    """What was seen of a server whose process 2 has answered; by default there is nothing to say of it."""
    snapshot = {
        "pid": 2, "thread": 1, "phase": "request", "cwd": "/srv/mysite", "path": PATH, "settings": "mysite.settings",
        "settings_file": SETTINGS, "modules": {"mysite.settings": SETTINGS}, "time_zone": "UTC", "time_names": ["UTC"],
        "files": {}, "apps": ["library"], "views": {}, "django": "5.2",
    }  # fmt: skip
    request = {"pid": 2, "thread": 1, "phase": "request", "path": "/", "language": None, "catalogues": []} | (
        request or {}
    )
    return Observation((*events, ServedRequest(**request), ProcessSnapshot(**snapshot | changes)), status)


PLACES = Places(Path("/srv/mysite"), Path("/srv/mysite/manage.py"), Path("/srv/mysite/scripts/mine.wsgi"))


def rows(dev, wsgi, *, used=(), django="5.2", accepted=()):
    comparison = compare(dev, wsgi, used, PLACES, mode="daemon", versions={"django": django}, accepted=accepted)
    return {row.key: row for row in comparison.rows}


# -- rows: each with a case that differs, and a near-twin that does not -----------------------------------


def test_same_set_up_is_same():
    """Two processes that did the same differ in no row, and the words say so."""
    one = seen(execution(), call("checks"))
    comparison = compare(one, one, [], PLACES, mode="daemon", versions={})
    assert comparison.same
    assert ["the script sets the process up as the development server does"] == list(words_of(comparison))


def test_settings_under_a_second_name_differ():
    """The development server of 2010 loads them as `settings` too; loads of its reloader are shown and not compared."""
    both = [execution("settings"), execution()]
    reloader = [execution("settings", pid=1), execution(pid=1)]
    row = rows(seen(*reloader, *both), seen(execution()), django="1.1.4")["settings"]
    assert (False, "4 loads: settings, mysite.settings in each of 2 processes, before any request") == (
        row.same,
        row.development_server,
    )
    assert "setup_environ(settings)" in row.advice
    assert rows(seen(*reloader, *both), seen(*both))["settings"].same


def test_settings_that_a_request_loads_differ():
    """Loaded as often and under the same name, but in the first request."""
    row = rows(seen(execution()), seen(execution(phase="request")))["settings"]
    assert (False, "1 load: mysite.settings in 1 process, in the first request") == (row.same, row.script)
    assert "get_wsgi_application()" in row.advice


def test_foreign_settings_are_not_seen():
    """Only the site's own modules are watched: settings that lie elsewhere are "not seen", and no difference."""
    row = rows(seen(settings_file=""), seen(settings_file=""))["settings"]
    assert row.same
    assert row.script.startswith("not seen")


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("cwd", {"cwd": "/"}),
        ("DJANGO_SETTINGS_MODULE", {"settings": "settings"}),
        ("modules", {"modules": {}}),
        ("apps", {"apps": ["library", "django.contrib.admin"]}),
        ("TZ", {"time_zone": None}),
        ("sys.path", {"path": [*PATH, "/srv/mysite/library"]}),
        ("sys.path", {"path": [*PATH, "/opt/elsewhere"]}),
        ("views", {"views": {"views.home": "ImportError: No module named views"}}),
        ("names", {"files": {"views": "/srv/mysite/views.py"}}),
    ],
)
def test_one_difference_is_one_row(key, changes):
    """Each thing that differs makes its own row differ, with advice, and no other."""
    compared = rows(seen(), seen(**changes))
    assert [key] == [name for name, row in compared.items() if not row.same]
    assert compared[key].advice


@pytest.mark.parametrize(
    ("key", "dev", "django"),
    [
        ("checks", call("checks"), "5.2"),
        ("checks", call("checks"), "1.1.4"),
        ("commands", call("commands", names=["runserver"]), "5.2"),
        ("registry", call("registry"), "5.2"),
        ("registry", call("registry"), "1.1.4"),
    ],
)
def test_missing_step_differs(key, dev, django):
    """What only the development server does, or the script as late as in the first request, is a difference."""
    assert "not" in rows(seen(dev), seen(), django=django)[key].script
    late = msgspec.structs.replace(dev, phase="request")
    assert rows(seen(dev), seen(late), django=django)[key].script.endswith("in the first request")
    assert rows(seen(dev), seen(dev), django=django)[key].same


def test_language_of_one_thread():
    """The improved script's activation holds for the thread that loaded it: the same, with a word about it."""
    active = {"language": "nds"}
    row = rows(seen(request=active), seen(call("activate"), request=active))["locale"]
    assert (True, "nds", "nds, on the thread that loaded the script") == (row.same, row.development_server, row.script)
    assert not rows(seen(request=active), seen())["locale"].same


def test_catalogues_that_were_not_loaded_differ():
    """The advice names the language."""
    row = rows(seen(request={"catalogues": ["en-us", "nds"]}), seen(request={"catalogues": ["nds"]}))["catalogues"]
    assert not row.same
    assert 'translation.activate("en-us")' in row.advice


def test_used_names_come_first():
    """A name that the site's code uses comes first, with the place that uses it; names that nothing uses follow."""
    used = [Reference("views", "views", "mysite/urls.py:3")]
    files = {"alpha": "/srv/a.py", "views": "/srv/views.py"}
    row = rows(seen(files=files), seen(files=dict.fromkeys(files)), used=used)["names"]
    assert "views (mysite/urls.py:3), alpha" == row.development_server
    assert "mysite/urls.py:3 names views" in row.advice


def test_bytecode_equals_its_source():
    """A module's bytecode is the same file as its source: Python 2 reports one or the other, as it happens."""
    compared = rows(seen(files={"a": "/srv/a.py"}), seen(files={"a": "/srv/a.pyc"}))
    assert compared["names"].same


def test_an_accepted_row_does_not_count():
    """It is shown as accepted, and the comparison is the same."""
    comparison = compare(seen(), seen(cwd="/"), [], PLACES, mode="daemon", versions={}, accepted=["cwd"])
    assert comparison.same
    assert ["cwd"] == [row.key for row in comparison.rows if row.accepted]
    assert json.loads(encode(comparison))["same"] is True


def test_an_unknown_row_is_bad_input():
    """With the nearest one."""
    with pytest.raises(BadInput, match="did you mean 'checks'"):
        rows(seen(), seen(), accepted=["check"])


def test_words_name_differing_rows():
    """The words name every row that differs, and the sum says how many of how many."""
    comparison = compare(seen(), seen(cwd="/", time_zone=None), [], PLACES, mode="daemon", versions={})
    lines = list(words_of(comparison))
    assert f"differs in 2 of {len(ROWS)} rows: cwd, TZ (--accept KEY for each that may)" == lines[-1]
    assert any("get_application" in line for line in lines)


def test_unfinished_line_is_left_out(tmp_path):
    """Events are read while processes write them: a line that is not finished is left out."""
    line = b'{"event":"start","pid":1,"thread":1,"phase":"start","argv":[],"cwd":"/"}\n'
    (tmp_path / "1.jsonl").write_bytes(line + line[:20])
    assert 1 == len(read_events(tmp_path))


# -- places ----------------------------------------------------------------------------------------------


def test_layout_of_2010(tmp_path):
    """In the layout of 2010 manage.py lies inside the package; its directory and the one above both name modules."""
    for name in ("mysite/manage.py", "scripts/naive.wsgi"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    places = find_places(str(tmp_path), tmp_path, None)
    assert (tmp_path / "mysite" / "manage.py", "naive") == (places.manage, places.script.stem)
    assert (tmp_path, tmp_path / "mysite") == places.bases


@pytest.mark.parametrize(
    ("files", "site", "script", "said"),
    [
        ((), ".", None, "there is no manage.py"),
        (("manage.py",), ".", None, "there is no WSGI script"),
        (("manage.py", "scripts/a.wsgi", "scripts/b.wsgi"), ".", None, "several WSGI scripts"),
        (("manage.py", "scripts/naive.wsgi"), ".", "naiv", "did you mean 'naive'"),
        (("one/manage.py", "two/manage.py"), ".", None, "several manage.py"),
        (("manage.py",), "manage.py", None, "is a file"),
        (("mine/manage.py",), "mint", None, "did you mean 'mine'"),
    ],
)
def test_what_cannot_be_found_is_said(tmp_path, monkeypatch, files, site, script, said):
    """Each with what there is, or how to say what is meant."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=said):
        find_places(site, tmp_path, script)


# -- references ------------------------------------------------------------------------------------------

CODE = {
    "mysite/__init__.py": "",
    "mysite/views.py": "from library import models\nimport os\n",
    "mysite/urls.py": 'HOME = "mysite.views.home"\nWORD = "library"\nSPACED = "library. models"\n',
    "mysite/library/__init__.py": "",
    "mysite/library/models.py": "from . import shelves\n",
    "mysite/library/shelves.py": "",
    "venv/pyvenv.cfg": "",
    "venv/lib/models.py": "import library\n",
}


@pytest.fixture
def code(tmp_path):
    for name, text in CODE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def named(root, **options):
    files = sources(root)
    modules = module_names(files, (root, root / "mysite"))
    return [(reference.module, reference.where) for reference in references(files, root, modules, **options)]


def test_imports_and_dotted_strings_are_references(code):
    """Imports of the site's own modules, and dotted strings; not other modules, single words, relative imports, nor an
    environment in the site's directory."""
    assert [("library.models", "mysite/views.py:1"), ("mysite.views", "mysite/urls.py:1")] == named(code)


def test_implicit_import_is_no_reference(code):
    """Where Python 2 takes `import library` in a file of the package from the file beside it, it is no reference."""
    assert [("mysite.views", "mysite/urls.py:1")] == named(code, implicit=True)


def test_python_2_code_is_read(code):
    """Code of Python 2 does not parse here, and its imports are found all the same, by how they look."""
    (code / "mysite" / "views.py").write_text('print "x"\nfrom library import models, shelves as s\n')
    references = named(code)
    assert ("library.models", "mysite/views.py:2") in references
    assert ("library.shelves", "mysite/views.py:2") in references
