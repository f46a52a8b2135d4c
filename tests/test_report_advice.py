"""Advice as it is printed."""

import io

import pytest
from rich.console import Console
from test_advice import changed, hazard, result

from harness.cases.site import project_directory
from harness.report.advice import print_advice

DEFERRED = """import os
from django.core.wsgi import get_wsgi_application


def application(environ, start_response):
    os.environ["MODE"] = environ["MODE"]
    return get_wsgi_application()(environ, start_response)
"""


def printed(cases, script, *, terminal=False, **options):
    out = io.StringIO()
    print_advice(Console(file=out, force_terminal=terminal, width=150), cases, script, ["/"], **options)
    return out.getvalue()


@pytest.fixture
def script(tmp_path):
    (tmp_path / "mysite").mkdir()
    (tmp_path / "manage.py").touch()
    (tmp_path / "mysite" / "wsgi.py").write_text(DEFERRED)
    return tmp_path / "mysite" / "wsgi.py"


def test_advice_shows_lines_and_bootstrap(script):
    """The lines that the script gains, the call that does it all for its site, and what a moved set-up costs."""
    text = printed([result(hazards=[hazard("settings")])], script)
    assert "    | django_application = get_wsgi_application()" in text
    assert f"get_application(\"{script.parent.parent}\", warm=['/'])" in text
    assert "SetEnv" in text


def test_a_clean_case_gets_no_word(script):
    """Nor does a preview have anything to add."""
    assert "" == printed([result("clean")], script)
    assert f"{script}: no lines to add\n" == printed([result("clean")], script, fix_preview=True)


def test_no_diff_where_none_helps(script):
    """A race of the site's own, where no line helps, has words only, and no diff."""
    race = result("race", findings=[changed("umask")])
    assert "no lines to add" in printed([race], script, fix_preview=True)


def test_preview_is_coloured_on_terminals_only(script):
    """In a log the preview is a plain diff for patch, on a terminal it is coloured; the script stays as it was."""
    cases = [result(hazards=[hazard("urlconf")])]
    plain = printed(cases, script, fix_preview=True)
    assert f"--- {script}\n+++ {script} (with the advice)\n@@" in plain
    assert "\x1b[" in printed(cases, script, fix_preview=True, terminal=True)
    assert DEFERRED == script.read_text()


@pytest.mark.parametrize(
    ("manage", "script", "site"),
    [
        ("a/manage.py", "a/a/wsgi.py", "a"),
        ("a/manage.py", "a/scripts/x.wsgi", "a"),
        ("a/a/manage.py", "a/scripts/x.wsgi", "a/a"),
        ("other/manage.py", "a/scripts/x.wsgi", "a"),
    ],
)
def test_site_is_where_manage_lies(tmp_path, manage, script, site):
    """A script's site is where manage.py lies: above it, or beside its directory as in 2010; never a neighbour's."""
    for name in (manage, script):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert tmp_path / site == project_directory(tmp_path / script)
