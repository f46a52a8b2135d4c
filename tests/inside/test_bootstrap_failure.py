"""What becomes of a process whose start failed, with a stand-in for mod_wsgi: nothing half-built is ever entered."""

import pytest
from test_bootstrap_django import SETTINGS, SITES, VIEWS, built, run, write_site

# Where the process is: its group, as mod_wsgi tells it. Each request tells its status.
UNDER_MOD_WSGI = """
import signal, threading, time, types
sys.modules["mod_wsgi"] = types.ModuleType("mod_wsgi")
sys.modules["mod_wsgi"].process_group = {group!r}
application = b.get_application({site!r}, retry_after={after!r}, end_process={ends!r})
"""


@pytest.fixture
def python():
    return built("django52")


def under_mod_wsgi(python, site, code, group="", after=0, ends=None, **environment):
    return run(python, UNDER_MOD_WSGI.format(site=str(site), group=group, after=after, ends=ends) + code, **environment)


ASK = "print(json.dumps([b.ask(application, '/') for _ in range(3)]))"
# Fails when it is first executed in an interpreter, and never again.
ONCE = "import sys\nif not hasattr(sys, 'tried'):\n    sys.tried = True\n    raise OSError('the vault is sealed')\n"


class TestOutside:
    def test_raises(self, python):
        """Where there is no mod_wsgi the failure is raised; a second call does not go on with what is half built."""
        (first, second), _ = run(
            python,
            f"""
errors = []
for _ in range(2):
    try:
        b.get_application({str(SITES / "poisoned_registry")!r})
    except Exception as error:
        errors.append("%s: %s" % (type(error).__name__, error))
print(json.dumps(errors))
""",
        )
        assert "ConnectionRefusedError: the stock back end is not up yet" == first
        assert second.startswith("BootstrapError: the start of ")
        assert "failed in this interpreter, step apps: ConnectionRefusedError" in second
        assert second.endswith("start a fresh process")


class TestEmbedded:
    def test_registry(self, python):
        """A registry that is half built is never entered again: 503, however often it is asked."""
        statuses, stderr = under_mod_wsgi(python, SITES / "poisoned_registry", ASK)

        assert [503, 503, 503] == statuses
        assert "the start of" in stderr
        assert "step apps: ConnectionRefusedError" in stderr
        assert "reentrant" not in stderr

    @pytest.mark.parametrize("part", ["settings", "urls"])
    def test_goes_on(self, python, tmp_path, part):
        """Where it failed before or after the registry, the start goes on from that step once it is time."""
        text = {"settings": SETTINGS, "urls": VIEWS}[part]
        statuses, _ = under_mod_wsgi(python, write_site(tmp_path, **{part: ONCE + text}), ASK)

        assert [200, 200, 200] == statuses

    def test_not_at_once(self, python, tmp_path):
        """Until it is time it answers 503, with the seconds after which to ask again."""
        site = write_site(tmp_path, urls=ONCE + VIEWS)
        (statuses, headers), _ = under_mod_wsgi(
            python,
            site,
            """
seen = []
list(application({"PATH_INFO": "/"}, lambda status, headers: seen.append(dict(headers))))
print(json.dumps([[b.ask(application, "/") for _ in range(3)], seen[0]]))
""",
            after=60,
        )
        assert [503, 503, 503] == statuses
        assert "60" == headers["Retry-After"]
        assert "no-store" == headers["Cache-Control"]

    def test_report(self, python):
        """What stands in for the site has the report of the start that failed."""
        failed, _ = under_mod_wsgi(
            python, SITES / "poisoned_registry", "print(json.dumps(application.bootstrap_report.failed))"
        )
        assert failed.startswith("apps: ConnectionRefusedError: the stock back end is not up yet")

    def test_ends(self, python):
        """If so asked the process ends, but not while somebody has not got the whole answer."""
        open_at_end, _ = under_mod_wsgi(
            python,
            SITES / "poisoned_registry",
            """
ended = threading.Event()
b.os = types.SimpleNamespace(_exit=lambda code: ended.set())
body = application({"PATH_INFO": "/"}, lambda status, headers: None)
early = ended.wait(0.5)
body.close()
print(json.dumps([early, ended.wait(20)]))
""",
            ends=True,
            after=0.1,
        )
        assert [False, True] == open_at_end


class TestDaemon:
    def test_ends(self, python):
        """A daemon process sends itself the signal by which mod_wsgi ends it gracefully, and answers 503 until then."""
        (statuses, signalled), _ = under_mod_wsgi(
            python,
            SITES / "poisoned_registry",
            """
arrived = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: arrived.set())
statuses = [b.ask(application, "/") for _ in range(3)]
print(json.dumps([statuses, arrived.wait(20)]))
sys.stdout.flush()
os._exit(0)
""",
            group="site",
            after=1.0,
        )
        assert ([503, 503, 503], True) == (statuses, signalled)

    def test_script_again(self, python):
        """A script that is imported again in the same process gets the same stand-in: Django is not entered."""
        same, stderr = under_mod_wsgi(
            python,
            SITES / "poisoned_registry",
            f"print(json.dumps(b.get_application({str(SITES / 'poisoned_registry')!r}) is application))",
            group="site",
            after=60,
        )
        assert same
        assert "reentrant" not in stderr
