"""What goes into httpd's configuration, an environment and a request is quoted, or refused in one sentence."""

from pathlib import Path

import pytest
from build import make_case

from harness.cases.scenario import parse_scenario
from harness.cases.script import script_case
from harness.errors import BadInput
from harness.hosting.config import render

pytestmark = pytest.mark.hostile
SCRIPT = Path(__file__)


def rendered(case=None, **places):
    """The configuration of a case; a place that is not given is an ordinary one."""
    usual = {
        "directory": "/tmp/harness-1", "scratch": "/tmp/harness-1", "listen": "127.0.0.1:10240", "groups": ["s0"],
        "user": "www-data", "group": "www-data", "modules_directory": "/usr/lib/apache2/modules",
        "mod_wsgi": "/srv/mod_wsgi.so", "python_home": "/srv/venv", "script": "/srv/site/wsgi.py", "probe": "",
    }  # fmt: skip
    return render(case or make_case(), 2, **{**usual, **places})


@pytest.mark.parametrize(
    "text", ['/srv/a"b', "/srv/a\nLoadModule x y", "/srv/${PATH}", "/srv/a\\", "/srv/a\rb", "/srv/a\0b", "/srv/\x7f"]
)
@pytest.mark.parametrize("place", ["directory", "script", "python_home", "modules_directory", "probe"])
def test_refused(place, text):
    """A path that would end its quotes or its line, or be replaced, is refused wherever it stands."""
    with pytest.raises(BadInput, match="cannot stand in httpd's configuration"):
        rendered(**{place: text})


@pytest.mark.parametrize(
    "text", ["/srv/my site", "/srv/$HOME", "/srv/a{b}", "/srv/Grüße", "/srv/%{x}", "/srv/a'b", "/srv/#"]
)
def test_quoted(text):
    """A path with spaces or other harmless characters stands between quotes."""
    assert f'WSGIScriptAlias / "{text}"' in rendered(script=text)


@pytest.mark.parametrize("name", ["*.conf", "a?.conf", "[ab].conf"])
def test_patterns(name):
    """The user's fragment is one file, never a pattern."""
    with pytest.raises(BadInput, match="pattern"):
        rendered(make_case(apache_conf=f"/srv/{name}"))
    assert 'Include "/srv/a.conf"' in rendered(make_case(apache_conf="/srv/a.conf"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"application_group": "a b"}, "application group 'a b'"),
        ({"application_group": 'a"'}, "application group"),
        ({"headers": {"X-A": "a\r\nX-B: c"}}, "header X-A"),
        ({"headers": {"X A": "a"}}, "header 'X A'"),
        ({"headers": {"X-A": "Grüße"}}, "header X-A"),
        ({"environment": {"A=B": "c"}}, "environment variable 'A=B'"),
        ({"environment": {"A;reboot": "c"}}, "environment variable"),
        ({"environment": {"A": "b\0c"}}, "environment variable A"),
    ],
)
def test_options(options, sentence):
    """What no server could be given is bad input, named."""
    with pytest.raises(BadInput, match=sentence):
        script_case(SCRIPT, **options)


def test_ordinary_options():
    """What servers are given every day is taken."""
    case = script_case(
        SCRIPT,
        application_group="%{GLOBAL}",
        headers={"Accept-Language": "nds, de;q=0.8"},
        environment={"A_1": "b c;$d"},
    )
    assert {"A_1": "b c;$d"} == case.environment


@pytest.mark.parametrize("table", ['[environment]\n"A=B" = "c"', '[load.headers]\n"X A" = "b"'])
def test_scenario_files(table):
    """The same holds for a scenario file."""
    text = (Path(__file__).parents[2] / "scenarios" / "mysite.toml").read_text()
    section = table.partition("\n")[0]
    if section in text:
        text = text.replace(section, table)
    else:
        text += f"\n{table}\n"
    with pytest.raises(BadInput, match=r"mysite.toml: .*(header|environment variable)"):
        parse_scenario(text, "mysite.toml")
