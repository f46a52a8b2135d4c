"""The installed httpd is found under each system's names, and an incomplete one is no httpd."""

import pytest
from build import make_apxs

from harness.errors import MissingRuntime
from harness.hosting import diagnosis, installed
from harness.hosting.installed import installed_httpd
from harness.hosting.preparing import _tools, mod_wsgi_requirement


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty PATH, and nothing in the usual places."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("APXS", raising=False)
    monkeypatch.setattr(installed, "PLACES", (str(tmp_path / "sbin"),))
    installed._search.cache_clear()
    yield tmp_path
    installed._search.cache_clear()


@pytest.mark.parametrize("program", ["httpd", "apache2", "httpd-prefork"])
def test_complete(machine, program):
    """An apxs with its program, modules and headers is used, whatever the program is called."""
    tool = make_apxs(machine, program)

    httpd = installed_httpd().httpd

    assert (tool, machine / "bin" / program, machine / "modules") == (httpd.apxs, httpd.program, httpd.modules)
    assert "mod_wsgi==6.1.1" == mod_wsgi_requirement("6.1.1")
    assert {"APXS": str(tool)} == _tools().environment


def test_beside_path(machine):
    """It is also found where an ordinary user's PATH does not reach."""
    tool = make_apxs(machine)
    (machine / "sbin").mkdir()
    tool.rename(machine / "sbin" / "apxs")

    assert machine / "sbin" / "apxs" == installed_httpd().httpd.apxs


def test_other_program_name(machine):
    """The program that apxs names may be there under another of its names: openSUSE has one for each MPM."""
    make_apxs(machine, "httpd")
    (machine / "bin" / "httpd").rename(machine / "bin" / "httpd-event")

    assert machine / "bin" / "httpd-event" == installed_httpd().httpd.program


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [("program", "without its httpd"), ("modules", "has no modules"), ("headers", "has no httpd.h")],
)
def test_incomplete(machine, lacking, expected):
    """An apxs without its httpd is not built for: mod_wsgi brings its own, and says why, and what is quicker."""
    tool = make_apxs(machine, lacking=[lacking])

    search = installed_httpd()

    assert search.httpd is None
    assert str(tool) in search.lack
    assert expected in search.lack
    assert "mod_wsgi-standalone==6.1.1" == mod_wsgi_requirement("6.1.1")
    assert {"APXS": None} == _tools().environment
    assert search.lack in _tools().note
    assert search.remedy in _tools().note


def test_broken(machine):
    """So it is for an apxs that does not work; its own words are told."""
    (machine / "bin" / "apxs").write_text("#!/bin/sh\necho perl: not found >&2\nexit 127\n")
    (machine / "bin" / "apxs").chmod(0o755)

    assert installed_httpd().lack.endswith("apxs does not work: perl: not found")


def test_second_apxs(machine):
    """Of two, the one that has its httpd is taken."""
    make_apxs(machine)
    (machine / "bin" / "apxs").rename(machine / "bin" / "apxs2")
    (machine / "bin" / "apxs").write_text("#!/bin/sh\nexit 1\n")
    (machine / "bin" / "apxs").chmod(0o755)

    assert machine / "bin" / "apxs2" == installed_httpd().httpd.apxs


def test_none(machine):
    """What was looked for and what is there is told: here an httpd without the package that has its apxs."""
    (machine / "bin" / "httpd").touch(mode=0o755)

    row = diagnosis.server()

    assert f"httpd: {machine}/bin/httpd, apachectl: not found, apxs: not found" in row.here
    assert installed.install_command("httpd") in row.if_missing


@pytest.mark.parametrize("lacking", ["program", "modules"])
def test_named(machine, monkeypatch, lacking):
    """An $APXS that cannot be used is not passed over in silence."""
    monkeypatch.setenv("APXS", str(make_apxs(machine / "opt", lacking=[lacking])))

    with pytest.raises(MissingRuntime, match=r"^APXS=.*; correct or unset APXS$"):
        installed_httpd()


def test_own_asked_for(machine, monkeypatch):
    """APXS= asks for mod_wsgi's own httpd; then nothing quicker is proposed."""
    make_apxs(machine)
    monkeypatch.setenv("APXS", "")

    assert installed_httpd().httpd is None
    assert "quicker" not in _tools().note


@pytest.mark.parametrize(("tools", "expected"), [((), "no C compiler"), (("cc",), "no make")])
def test_cannot_be_built(machine, tools, expected):
    """Where its own httpd cannot be built either, one sentence names all that is missing, and what was looked for."""
    for name in tools:
        (machine / "bin" / name).touch(mode=0o755)

    with pytest.raises(MissingRuntime, match=expected) as caught:
        _tools().check()

    assert "apxs: not found" in str(caught.value)
    assert "\n" not in str(caught.value)
