"""What is secret of a site and of its user does not stand in results; what changed of it is seen all the same."""

import json
import re

import pytest
from build import PROCESS, make_answer, make_case, make_control, make_trial, make_yardstick
from click.testing import CliRunner

from harness.cases import redaction, withheld
from harness.cases.site import site_digest
from harness.checkers.state import changed_state
from harness.checkers.template import Template
from harness.cli import main
from harness.errors import BadInput
from harness.hosting import events
from harness.hosting.listener import StateReport, storable
from harness.inside.probe import CHUNK
from harness.load.exchange import RequestResult, answer_of
from harness.records import Frame, Request, ThreadStack
from harness.store.history import HistoryWriter, read_case

pytestmark = pytest.mark.hostile
SECRET = "hunter2-Xyz"


def state_of(**entries):
    """What is stored of a state; `__` in a name stands for a space."""
    told = {name.replace("__", " "): value for name, value in entries.items()}
    return StateReport(state=told, failed=[]).of(PROCESS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("setting SECRET_KEY", f"'{SECRET}'"),
        ("setting SECRET_KEY_FALLBACKS", f"['{SECRET}']"),
        ("setting DATABASES", f"{{'default': {{'PASSWORD': '{SECRET}'}}}}"),
        ("setting CACHES", f"{{'default': {{'LOCATION': '{SECRET}'}}}}"),
        ("setting EMAIL_HOST_PASSWORD", f"'{SECRET}'"),
        ("setting EMAIL_HOST_USER", f"'{SECRET}'"),
        ("setting BROKER", f"'amqp://shop:{SECRET}@mq/'"),
        ("setting SHOP", f"{{'api_key': '{SECRET}', 'size': 3}}"),
        ("setting SHOP", f"Client(password='{SECRET}')"),
        ("setting PEERS", f"['redis://:{SECRET}@10.0.0.1:6379/0']"),
        ("setting PEM", f"'-----BEGIN PRIVATE KEY-----{SECRET}'"),
        ("environment API_TOKEN", f"'{SECRET}'"),
        ("environment SENTRY_DSN", f"'https://{SECRET}@sentry/1'"),
        ("environment PGPASSWORD", f"'{SECRET}'"),
        ("environment DB_PW", f"'{SECRET}'"),
        ("environment MYSQL_PWD", f"'{SECRET}'"),
        ("environment HTTP_PROXY", f"'http://me:{SECRET}@proxy:3128'"),
        ("environment SESSION_SALT", f"'{SECRET}'"),
        ("environment AWS_ACCESS_KEY_ID", f"'{SECRET}'"),
        ("invariant session cookie", SECRET),
    ],
)
def test_state(name, value):
    """A secret is not stored; the same one is the same, another one is another."""
    (entry,), (again,) = (state_of(**{name: value}).entries.values() for _ in range(2))
    (other,) = state_of(**{name: value.replace(SECRET, "hunter3-Xyz")}).entries.values()
    assert SECRET not in entry
    assert "hunter" not in entry
    assert redaction.is_digested(entry)
    assert entry == again != other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("setting DEBUG", "True"),
        ("setting LANGUAGE_CODE", "'nds'"),
        ("setting SESSION_COOKIE_SECURE", "False"),
        ("setting EMAIL_HOST_PASSWORD", "''"),
        ("setting MIDDLEWARE", "['django.contrib.sessions.middleware.SessionMiddleware', 'shop.auth.Middleware']"),
        ("environment LANG", "'C.UTF-8'"),
        ("environment PWD", "'/'"),
        ("receivers of django.contrib.auth.signals.user_logged_in", "1"),
        ("umask", "0022"),
        ("sys.path", "['/srv/site', '/usr/lib/python3']"),
        ("invariant", "three"),
        ("invariant cache builds", 3),
    ],
)
def test_harmless_state(name, value):
    """What is no secret stands there as it is: a reader needs it."""
    assert {name: value} == state_of(**{name: value}).entries


def test_long_value():
    """The checksum of what was cut off would tell whether a guess is right."""
    (entry,) = state_of(setting__PLACES="x... (4000 characters, checksum 12345678)").entries.values()
    assert entry.startswith("x... (4000 characters, checksum ~")
    assert "12345678" not in entry


def test_masks_work():
    """What is volatile in a secret, and what is not, is told apart token by token."""
    first, second, third, wrong = (
        redaction.digested("setting SHOP_KEYS", text) for text in ("a 1 shop", "a 2 shop", "a 3 shop", "a 3 shed")
    )
    template = Template.of([first, second])
    assert template.matches(third)
    assert not template.matches(wrong)


def test_finding():
    """A secret that a stampede changed is a finding that does not say what it is."""
    sound, changed = (state_of(setting__SECRET_KEY=f"'{text}'") for text in (SECRET, f"{SECRET} {SECRET}"))
    yardstick = make_yardstick(make_control(states=(sound,)), make_control(number=2, states=(sound,)))
    (finding,) = changed_state(make_trial(states=(changed,)), yardstick)
    assert re.match(r"setting SECRET_KEY is ~[0-9a-f]{8} after the stampede, but ~[0-9a-f]{8} after", finding.summary)
    assert "not stored" in finding.summary


def test_the_key_is_not_kept():
    """A digest says nothing to whoever does not have this process's key."""
    assert len(redaction._KEY) >= 16
    assert redaction.digested("setting A", SECRET) != redaction.digested("setting B", SECRET)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"OperationalError: postgres://shop:{SECRET}@db/shop is down", "postgres://…@db/shop is down"),
        (f"connect(host='db', password='{SECRET}')", "connect(host='db', password="),
        (f"    SECRET_KEY = '{SECRET}'", "SECRET_KEY = "),
        (f"{{'Authorization': 'Basic {SECRET}'}}", "Authorization"),
        (f"Cookie: sessionid={SECRET}", "Cookie: "),
        (f"dsn password={SECRET} host=db", "host=db"),
        (f"{{'api_key': '{SECRET}', 'size': 3}}", "'size': 3"),
    ],
)
def test_running_text(text, left):
    """Logs, errors and lines of source are kept without what is plainly a secret in them."""
    kept = redaction.passage(text)
    assert SECRET not in kept
    assert left in kept
    event = json.dumps([1.0, 7, "error", "1.0", text, text]).encode() + b"\n"
    (mishap,) = events.parse([event + bytes(CHUNK - len(event))], PROCESS).mishaps
    assert (kept, kept) == (mishap.error, mishap.traceback)
    stack = ThreadStack(thread=1, frames=(Frame("a.py", 1, "f", text),))
    assert kept == storable(stack, PROCESS).frames[0].source


@pytest.mark.parametrize(
    "text",
    ["KeyError: 'x'", "AuthenticationFailed: no", "    with SECOND:", "token == expected", "GET /a?b=c",
     "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.", "http://127.0.0.1:8000/@me"],
)  # fmt: skip
def test_running_text_stays(text):
    """Errors and sources are evidence."""
    assert text == redaction.passage(text)


def test_answer_headers():
    """A token in a redirect is compared and not kept."""
    kept = answer_of(RequestResult(headers={"location": f"/in/?token={SECRET}", "vary": "Cookie"}), 0, 0).headers
    assert SECRET not in kept["location"]
    assert "Cookie" == kept["vary"]


GIVEN = {
    "environment": {"API_TOKEN": SECRET, "LANGUAGE_CODE": "nds", "DATABASE_URL": f"postgres://u:{SECRET}@db/x"},
    "requests": (Request(path="/", headers={"Authorization": f"Basic {SECRET}", "Accept-Language": "nds"}),),
}


@pytest.fixture
def run(tmp_path):
    """A stored run with one bad trial, of a case that was given secrets."""
    script = tmp_path / "books" / "scripts" / "default.wsgi"
    script.parent.mkdir(parents=True)
    script.write_text("application = None\n")
    site = script.parents[1]
    case = make_case(script_path=script, site_dir=site, digest=site_digest(site), **GIVEN)
    with HistoryWriter(tmp_path / "results" / "run" / "cases" / "books.jsonl", case) as history:
        for number in (1, 2):
            history.add(make_control(number=number))
        history.add(make_trial(make_answer(0, status=500), make_answer(1)))
    return tmp_path / "results" / "run"


def test_what_the_user_gave(run):
    """It is not stored under a name, or in a form, that looks like a secret; and can be given again."""
    (path,) = (run / "cases").iterdir()
    assert SECRET not in path.read_text()
    case = read_case(path)
    assert "nds" == case.environment["LANGUAGE_CODE"] == case.requests[0].headers["Accept-Language"]
    assert "--env API_TOKEN=… --env DATABASE_URL=… --header 'Authorization: …'" == withheld.options(case)
    again = withheld.restored(
        case, {name: GIVEN["environment"][name] for name in ("API_TOKEN", "DATABASE_URL")},
        {"authorization": f"Basic {SECRET}"},
    )  # fmt: skip
    assert GIVEN == {"environment": again.environment, "requests": again.requests}


def test_what_was_not_left_out(run):
    """A replay with another environment than the run's would prove nothing."""
    (path,) = (run / "cases").iterdir()
    with pytest.raises(BadInput, match="--env LANGUAGE_CODE: nothing of that name was left out"):
        withheld.restored(read_case(path), {"LANGUAGE_CODE": "de"}, {})


def test_replay_asks(run):
    """The command says what is missing and how to give it, and ends with exit code 2."""
    arguments = ["replay", "run#1", "--results", str(run.parent), "--env", "API_TOKEN=x"]
    done = CliRunner().invoke(main, arguments)
    assert 2 == done.exit_code, done.output
    assert "DATABASE_URL, Authorization, which is not stored" in done.output
    assert "--env DATABASE_URL=… --header 'Authorization: …'" in done.output
    assert "API_TOKEN" not in done.output
