"""What can be asked for: one parser for scenario files and --path."""

import pytest

from harness.cases.scenario import parse_scenario
from harness.cases.script import parse_request
from harness.errors import BadInput
from harness.records import Request

SCENARIO = """
title = "some"
site = "books"
scripts = ["naive"]
runtime = "django52"
[load]
{load}
[[expect]]
verdict = "clean"
outcomes.ok = {{ grade = "expected", why = "nothing is shared" }}
"""


def of_scenario(load):
    return parse_scenario(SCENARIO.format(load=load), "some.toml").load.requests


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/%7Eu", "/%7Eu"),
        ("/%c3%a9", "/%c3%a9"),
        ('/?a[]=1&b="x"|{}^`<>\\', '/?a[]=1&b="x"|{}^`<>\\'),
        ("/a/../b//./c;d=e", "/a/../b//./c;d=e"),
        ("/%zz%", "/%zz%"),
        ("/é/?ü=\u3000", "/%C3%A9/?%C3%BC=%E3%80%80"),
        ("/\udcff", "/%FF"),
        ("//a", "//a"),
        ("/?", "/?"),
    ],
)
def test_sent(path, sent):
    """ASCII goes as it is written, the rest percent-encoded as UTF-8; a byte that is no UTF-8 as that byte."""
    assert Request(path=sent) == parse_request(path)
    assert sent == parse_request(sent).path


@pytest.mark.parametrize("path", ["/%7Eu", "/é/", "/a;b?c[]={}"])
def test_scenario_file_is_read_alike(path):
    """A string, a table and the command line are the same request."""
    request = parse_request(path)
    assert (request, request) == of_scenario(f"paths = ['{path}', {{ path = '{path}' }}]")


@pytest.mark.parametrize(
    "path",
    ["", "a", "*", "OPTIONS *", "http://x/", "/a b", "/a\n", "/a\t", "/\0", "/a#b", "/" + "a" * 70_000, "/\ud800"],
)
def test_unsendable_path(path):
    """What cannot be sent is refused in one line that is not as long as the path."""
    with pytest.raises(BadInput) as refused:
        parse_request(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("path", ["/a b", "/a#b", "b", "/a\\nb"])
def test_unsendable_path_in_a_file(path):
    """In a scenario file too, with its key, whether it is a string or in a table."""
    for load in (f'paths = ["{path}"]', f'paths = [{{ path = "{path}" }}]'):
        with pytest.raises(BadInput, match=r"some\.toml") as refused:
            of_scenario(load)
        assert "path" in str(refused.value)


@pytest.mark.parametrize("text", ["CONNECT /", "get /", "GET  /", "POST", "POST / \udcff"])
def test_unsendable_request(text):
    with pytest.raises(BadInput):
        parse_request(text)


def test_body():
    """All that follows the path and one space, line ends too."""
    text = "a=1 b\r\n\r\nGET / HTTP/1.1\r\n"
    assert Request(path="/x", method="DELETE", body=text) == parse_request(f"DELETE /x {text}")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "X-Harness-Slot"])
def test_own_headers(name):
    """Headers that the harness makes itself are refused; those of the near-twin are not."""
    with pytest.raises(BadInput, match="the harness makes it itself"):
        of_scenario(f'headers = {{ "{name}" = "99" }}')
    assert {"Expect": "100-continue"} == of_scenario('headers = { "Expect" = "100-continue" }')[0].headers
