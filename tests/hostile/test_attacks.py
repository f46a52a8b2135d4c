"""Attacks that an older version did not withstand, each through the command line or pytest.

They test the harness of this tree, or the one that HARNESS_UNDER_TEST names: the path of its `harness` command, in a
virtual environment that has pytest and a Django. Most need Apache and some seconds each, so they run only when they are
asked for:

    HARNESS_UNDER_TEST=/srv/old/bin/harness pytest -m attack tests/hostile/test_attacks.py
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.attack, pytest.mark.hostile, pytest.mark.e2e]
ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests" / "faults"
CAMPAIGN = FAULTS / "campaign_sites.py"
sys.path.insert(0, str(FAULTS))
from warm import WarmHarness  # noqa: E402

NAMED = os.environ.get("HARNESS_UNDER_TEST")
PYTHON = str(Path(NAMED).absolute().with_name("python")) if NAMED else sys.executable
HARNESS = [str(Path(NAMED).absolute())] if NAMED else [sys.executable, "-m", "harness.cli"]
CACHE = os.environ.get("HARNESS_CACHE", str(ROOT / ".harness"))
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Under nohup: whatever an attack starts would ignore the signal too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="it takes another user of the machine")
# On a machine that does other things too; what is meant to end at once, and what is meant to be refused.
LONG, SHORT = 180.0, 30.0
NOBODY = 65534

FINE = """
import time

def application(environ, start_response):
    time.sleep({pause})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
"""
SCENARIO = """
title = "an attack"
site = "site"
scripts = ["app"]
modes = ["daemon"]
runtime = "django52"
trials = {trials}
{more}
[[expect]]
verdict = ["clean", "hazard"]
outcomes.ok = {{ grade = "expected", why = "nothing else is right" }}
"""


class Bench:
    """A directory that the server's user can enter, and the command under test in it."""

    def __init__(self, top: Path, warm: WarmHarness) -> None:
        self.top = top
        self.warm = warm
        self.temporary = top / "t"
        self.temporary.mkdir()
        self.results = top / "results"
        self.site = top / "site"
        self.site.mkdir()

    def script(self, text: str = FINE.format(pause=0.1), name: str = "app.wsgi") -> Path:
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def scenario(self, text: str = FINE.format(pause=0.1), trials: int = 8, more: str = "", name: str = "x") -> Path:
        """A scenario file in scenarios/, for one script of a site in sites/."""
        script = self.top / "sites" / "site" / "scripts" / "app.wsgi"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        path = self.top / "scenarios" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SCENARIO.format(trials=trials, more=more))
        return path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        return {**kept, "HARNESS_CACHE": CACHE, "TMPDIR": str(self.temporary), "COLUMNS": "120", **more}

    def start(self, *arguments: object, command: Sequence[str] = HARNESS, **more: object) -> subprocess.Popen[str]:
        """A command in the background, in a process group of its own."""
        words = [*command, *map(str, arguments)]
        options = {"cwd": self.top, "env": self.environment(), "start_new_session": True, **more}
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="backslashreplace", **options,
        )  # fmt: skip

    def run(self, *arguments: object, timeout: float = LONG, **more: object) -> tuple[int, str]:
        """The exit code and the output of a command, which must end in time. One that needs nothing special is a fork
        of a process that has imported the harness."""
        if set(more) - {"env"}:
            return finish(self.start(*arguments, **more), timeout)
        code, output = self.warm.run(list(map(str, arguments)), self.top, more.get("env", self.environment()), timeout)
        assert code is not None, f"did not end within {timeout:.0f} s"
        return code, output

    def check(self, script: Path, *options: object, trials: int = 3, **more: object) -> tuple[int, str]:
        usual = ["--mode", "daemon", "--trials", trials, "--python", PYTHON, "--results", self.results]
        return self.run("check", script, *usual, *options, **more)

    def start_check(self, script: Path, *options: object, trials: int = 200) -> subprocess.Popen[str]:
        usual = ["--mode", "daemon", "--trials", trials, "--python", PYTHON, "--results", self.results]
        return self.start("check", script, *usual, *options)

    def verdict(self) -> str:
        """Of the only case of the only run; "" where it has none."""
        files = list(self.results.glob("*/result.json"))
        cases = json.loads(files[0].read_text())["cases"] if files else []
        return cases[0]["verdict"] if cases else ""

    def histories(self) -> list[Path]:
        return list(self.results.glob("*/cases/*"))

    def wait_for_trials(self, count: int, process: subprocess.Popen[str]) -> None:
        """Until a history has that many lines."""
        wait(lambda: any(path.read_text(errors="replace").count("\n") >= count for path in self.histories()), process)

    def stored(self) -> Iterator[tuple[Path, bytes]]:
        for path in self.top.rglob("*"):
            if path.is_file() and self.results in path.parents:
                yield path, path.read_bytes()


def finish(process: subprocess.Popen[str], timeout: float = LONG) -> tuple[int, str]:
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        raise AssertionError(f"did not end within {timeout:.0f} s") from None
    return process.returncode, output


def wait(condition: Callable[[], object], process: subprocess.Popen[str] | None = None, timeout: float = 150.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to it in time"
        assert process is None or process.poll() is None, f"it ended before: {process.communicate()[0][-2000:]}"
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def httpd_of(process: subprocess.Popen[str]) -> psutil.Process:
    """httpd's parent process."""

    def is_httpd(one: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            command = " ".join(one.cmdline())
            return "httpd.conf" in command and one.name() in ("apache2", "httpd")
        return False

    wait(lambda: any(map(is_httpd, family(process.pid))), process)
    return next(one for one in family(process.pid) if is_httpd(one))


def locust_of(process: subprocess.Popen[str]) -> psutil.Process:
    def is_locust(one: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return "harness.load" in " ".join(one.cmdline())
        return False

    wait(lambda: any(map(is_locust, family(process.pid))), process)
    return next(one for one in family(process.pid) if is_locust(one))


def still_running(processes: Sequence[psutil.Process], seconds: float = 10.0) -> list[str]:
    """Of these those that do not end within some seconds; they are ended then."""
    _, alive = psutil.wait_procs(list(processes), seconds)
    names = []
    for one in alive:
        with contextlib.suppress(psutil.Error):
            if one.status() != psutil.STATUS_ZOMBIE:
                names.append(" ".join(one.cmdline())[:80])
                one.kill()
    return names


def fault(output: str, longest: int = 4000) -> str:
    """A traceback, or more than somebody would read; "" where there is none."""
    if "Traceback (most recent call last)" in output:
        errors = re.findall(
            r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Timeout|InvalidURL|InvalidHeader).*$", output, re.M
        )
        return f"a traceback: {errors[-1] if errors else output[-200:]}"[:120]
    return f"{len(output)} characters" if len(output) > longest else ""


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmHarness]:
    with WarmHarness(PYTHON) as warm:
        yield warm


@pytest.fixture
def bench(warm) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="ha-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        yield Bench(Path(directory), warm)


# -- 2. nobody gets in -------------------------------------------------------------------------------------------------


@as_root
def test_another_user_writes_to_the_listeners_pipe(bench):
    """Nobody else can reach the pipe that a process is asked through, let alone have code of his own run by it."""
    owned = bench.top / "owned"
    evil = bench.top / "evil"
    evil.mkdir()
    payload = f"open({str(owned)!r}, 'w'); tell = lambda _: b''"
    code = f"import marshal; marshal.dump(compile({payload!r}, 'e', 'exec'), open('evil.marshal', 'wb'))"
    subprocess.run([PYTHON, "-c", code], cwd=evil, check=True)
    bench.top.chmod(0o777)
    process = bench.start_check(bench.script(FINE.format(pause=1)), trials=20)
    try:
        bench.wait_for_trials(2, process)
        written = written_by_another_user(bench.temporary, f"{evil}/evil\n".encode())
    finally:
        process.send_signal(signal.SIGINT)
        finish(process)
    assert not owned.exists()
    assert not written


def written_by_another_user(top: Path, word: bytes) -> bool:
    """Whether a user of the machine can write a word into a pipe of the harness, within some seconds."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    code, end = 1, time.monotonic() + 8
    while time.monotonic() < end:
        for pipe in top.glob("harness-*/**/*.ask"):
            with contextlib.suppress(OSError):
                descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                code = 1 - (os.write(descriptor, word) > 0)
                os.close(descriptor)
        time.sleep(0.05)
    os._exit(code)


RECORDING = """
import os, time
_recording = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
"""


@as_root
def test_site_links_the_pipe_to_a_file_of_roots(bench):
    """Root does not write through a link that the site has put in place of its pipe."""
    secret = bench.top / "secret"
    secret.write_text("untouched")
    secret.chmod(0o600)
    attack = f"os.unlink(_recording + '.ask'); os.symlink({str(secret)!r}, _recording + '.ask')"
    _code, output = bench.check(bench.script(RECORDING + attack + FINE.format(pause=0.1)))
    assert "untouched" == secret.read_text()
    assert "" == fault(output)


@as_root
def test_site_links_its_answer_to_a_file_of_roots(bench):
    """Root does not read for the site what the site may not read."""
    secret = bench.top / "secret"
    secret.write_text('{"state": {"umask": "w0rd-of-root"}, "failed": []}')
    secret.chmod(0o600)
    attack = f"os.symlink({str(secret)!r}, _recording + '.state')"
    _code, output = bench.check(bench.script(RECORDING + attack + FINE.format(pause=0.1)))
    assert "w0rd-of-root" not in output
    assert [] == [path.name for path, content in bench.stored() if b"w0rd-of-root" in content]


@pytest.mark.parametrize("attack", ["os.unlink(_recording); os.mkfifo(_recording)", "os.mkfifo(_recording + '.state')"])
def test_site_puts_a_pipe_where_a_file_was(bench, attack):
    """A named pipe that nobody writes to is not waited for."""
    code, output = bench.check(bench.script(RECORDING + attack + FINE.format(pause=0.1)), timeout=60)
    assert code in (0, 3), output
    assert "" == fault(output)


def test_directory_name_is_a_directive(bench):
    """A directory whose name ends its quotes and its line cannot have httpd run a command."""
    owned = bench.top / "owned"
    directory = f'x"\nErrorLog "|/usr/bin/touch {owned}"\n#/app.wsgi'
    code, output = bench.check(bench.script(name=directory))
    assert not owned.exists()
    assert 2 == code, output
    assert "" == fault(output)


@pytest.mark.parametrize("name", ['a"b', "${PATH}", "a\nb", "a\\"])
def test_directory_name_that_cannot_be_quoted(bench, name):
    """What httpd would read otherwise than it is meant is refused in one sentence."""
    code, output = bench.check(bench.script(name=f"{name}/app.wsgi"))
    assert 2 == code, output
    assert "" == fault(output)


SECRETS = ("s3cret-key-of-the-site", "pa55word-of-the-base", "t0ken-of-the-user", "b3arer-of-the-user", "ca2he-address")
DJANGO = """
import os, sys, time
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls_here", SECRET_KEY="s3cret-key-of-the-site",
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "PASSWORD": "pa55word-of-the-base"}
    },
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "redis://:ca2he-address@h"}
    },
)
django.setup()
_inside = []
def page(request):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        settings.SECRET_KEY = "changed, as the others"
        settings.DATABASES = settings.CACHES = {}
        os.environ["API_TOKEN"] = "changed too"
    return HttpResponse("fine")
urls = type(sys)("urls_here")
urls.urlpatterns = [path("", page)]
sys.modules["urls_here"] = urls
from django.core.handlers.wsgi import WSGIHandler
application = WSGIHandler()
"""


def test_secrets_in_results(bench):
    """Neither settings nor what the user gave for variables and headers stand in results or on the terminal."""
    script = bench.script(DJANGO)
    given = ["--env", "API_TOKEN=t0ken-of-the-user", "--header", "Authorization: Bearer b3arer-of-the-user"]
    code, output = bench.check(script, *given)
    told = [(path.name, word) for path, text in bench.stored() for word in SECRETS if word.encode() in text]
    assert [] == told
    assert [] == [word for word in SECRETS if word in output]
    assert 1 == code, output


def test_results_are_open_to_others(bench):
    """What a run leaves is its user's alone, also under a lax umask."""
    before = os.umask(0)
    try:
        bench.check(bench.script(), trials=1)
    finally:
        os.umask(before)
    run = next(bench.results.iterdir())
    assert [] == [path.name for path in (run, *run.rglob("*")) if path.stat().st_mode & 0o077]


def test_modules_in_the_working_directory(bench):
    """Nothing that lies in the working directory is run by what the harness starts for itself."""
    for name in ("locust", "gevent", "select", "marshal", "base64"):
        text = f"open({str(bench.top / 'owned')!r}, 'a').write({name!r})\nraise SystemExit(9)\n"
        (bench.top / f"{name}.py").write_text(text)
    script = bench.script()
    command = [PYTHON, "-P", "-m", "harness.cli"]  # the command itself is the user's to start
    _code, _output = bench.check(script, command=command, trials=2)
    assert not (bench.top / "owned").exists()


def test_escape_sequences_and_ci_commands(bench):
    """What a site says is not obeyed by a terminal or a CI service."""
    text = 'raise RuntimeError("\\x1b[2J\\x1b]0;owned\\x07\\n::error file=x::owned\\n##[error]owned\\u202e")'
    code, output = bench.check(bench.script(f"def application(environ, start_response):\n    {text}\n"))
    assert 1 == code, output
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", output)
    assert not re.search(r"^\s*::|##\[", output, re.MULTILINE)


def test_bytecode_left_for_the_next_site(bench):
    """A site runs no bytecode that another one has left."""
    leaves = """
import importlib.util, os, pyclbr, marshal, time
_path = importlib.util.cache_from_source(pyclbr.__file__)
try:
    with open(_path, "rb") as stream:
        head = stream.read(16)
except OSError:
    head = b""
_info = os.stat(pyclbr.__file__)
import struct
head = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, int(_info.st_mtime) & 0xFFFFFFFF, _info.st_size)
try:
    os.makedirs(os.path.dirname(_path), exist_ok=True)
    with open(_path, "wb") as stream:
        stream.write(head + marshal.dumps(compile("OWNED = True", "x", "exec")))
    with open(os.environ["LEFT"], "a") as stream:
        stream.write(_path + "\\n")
except OSError:
    pass
"""
    takes = "import pyclbr, time\nif hasattr(pyclbr, 'OWNED'):\n    raise RuntimeError('owned')\n"
    left = bench.top / "left"
    left.touch()
    left.chmod(0o666)
    other = bench.top / "other"
    other.mkdir()
    try:
        bench.check(bench.script(leaves + FINE.format(pause=0.1)), "--env", f"LEFT={left}", trials=1)
        second = other / "app.wsgi"
        second.write_text(takes + FINE.format(pause=0.1))
        code, output = bench.check(second, trials=1)
    finally:
        for path in left.read_text().split("\n"):
            if path.endswith(".pyc"):
                Path(path).unlink(missing_ok=True)
    assert "owned" not in output
    assert code in (0, 3), output


# -- 3. no record lies -------------------------------------------------------------------------------------------------


def test_server_killed_in_the_middle(bench):
    """A run whose server was killed refuses itself, and its report tells of no race."""
    process = bench.start_check(bench.script(FINE.format(pause=0.3)))
    httpd = httpd_of(process)
    bench.wait_for_trials(4, process)
    processes = [httpd, *family(httpd.pid)]
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.kill()
    code, output = finish(process)
    assert 3 == code, output
    assert "" == fault(output)
    _, report = bench.run("report", next(bench.results.iterdir()), "--format", "json", "--output", "-")
    assert not re.search(r'"verdict": "(race|broken)"', report), report[-2000:]


def test_interrupted_pytest(bench):
    """A pytest run that was interrupted is not stored as complete."""
    bench.scenario(FINE.format(pause=0.5), trials=60)
    (bench.top / "pytest.ini").write_text("[pytest]\n")
    options = ["scenarios/x.toml", "--harness-backend", "local", "-p", "no:cacheprovider"]
    process = bench.start(*options, command=[PYTHON, "-m", "pytest"])
    bench.wait_for_trials(5, process)
    process.send_signal(signal.SIGINT)
    _code, output = finish(process)
    result = json.loads(next(bench.results.glob("*/result.json")).read_text())
    assert "complete" != result["status"]
    assert not any(case["met"] for case in result["cases"]), output[-2000:]


def test_few_descriptors(bench):
    """The harness' own limit of open files is not the site's fault."""
    script = bench.script(FINE.format(pause=0.3))
    limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *HARNESS]
    code, output = bench.check(script, command=limited)
    assert 3 == code, output
    assert bench.verdict() not in ("race", "broken")
    assert re.search("open files|ulimit -n|descriptors", output), output
    assert "" == fault(output)


def test_locust_killed(bench):
    """Without its load generator a run ends with a sentence and exit code 3."""
    process = bench.start_check(bench.script(FINE.format(pause=0.3)))
    locust = locust_of(process)
    bench.wait_for_trials(4, process)
    locust.kill()
    code, output = finish(process)
    assert 3 == code, output
    assert "ocust" in output
    assert "" == fault(output)


def test_output_to_a_closed_pipe(bench):
    """`| head -1` ends the run tidily: exit code 3, never 1."""
    words = " ".join(f"'{word}'" for word in HARNESS)
    arguments = f"check '{bench.script()}' --mode daemon --trials 2 --python '{PYTHON}' --results '{bench.results}'"
    line = f"{words} {arguments} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}"
    code, output = bench.run(command=["bash", "-c", line])
    assert code in (0, 3), output  # 0 where all of it was taken before head had ended
    code, output = bench.run(command=["bash", "-c", f"{words} {arguments} 2>&1 | true; exit ${{PIPESTATUS[0]}}"])
    assert 3 == code, output


def test_output_to_a_full_device(bench):
    """`> /dev/full`: a sentence and exit code 3."""
    words = " ".join(f"'{word}'" for word in HARNESS)
    line = f"{words} check '{bench.script()}' --mode daemon --trials 2 --python '{PYTHON}' --results '{bench.results}'"
    code, output = bench.run(command=["bash", "-c", f"{line} > /dev/full"])
    assert 3 == code, output
    assert "" == fault(output)


ECHO = """
import time

def application(environ, start_response):
    time.sleep(0.05)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length < 10000 else b""
    sent = sorted(name for name in environ if name.startswith(("HTTP_", "CONTENT_")) and "HARNESS" not in name)
    parts = [environ["REQUEST_METHOD"], environ.get("REQUEST_URI", ""), environ["PATH_INFO"], environ["QUERY_STRING"]]
    parts += ["%s=%s" % (name, environ[name]) for name in sent]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["|".join(parts).encode("latin-1", "replace") + b"|" + body]
"""


@pytest.mark.parametrize(
    "path",
    [
        "/%7Eu", "/%c3%a9", '/?a[]=1&b="x"|{}', "/a/../b", "/a#b", "/%zz%", "/é/", "//a", "/a;b=c", "OPTIONS /",
        "HEAD /", "DELETE /", "PUT / é\r\nb", "/a%2Fb", "/?", "/a\\b", "/'", "/^`",
    ],
)  # fmt: skip
def test_control_and_stampede_send_the_same(bench, path):
    """A path means the same to each client of the harness, or is refused in a sentence: never a race."""
    code, output = bench.check(bench.script(ECHO), "--path", path)
    assert code in (0, 2), output
    assert "" == fault(output)
    if code == 0:
        result = json.loads(next(bench.results.glob("*/result.json")).read_text())["cases"][0]
        assert {"ok"} == set(result["outcomes"])


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: 99",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Connection: keep-alive",
        "Host: a",
        "Accept-Encoding: gzip",
    ],
)
def test_headers_of_the_users(bench, header):
    """A header means the same to each client of the harness, or is refused in a sentence."""
    code, output = bench.check(bench.script(ECHO), "--header", header)
    assert code in (0, 2), output
    assert "" == fault(output)


def site_as_it_should_be(name: str) -> None:
    """A site of the campaign, checked by the command under test."""
    options = ["--only", name, "--trials", "4", "--limit", str(LONG), "--python", PYTHON, "--harness", PYTHON]
    environment = {**os.environ, "HARNESS_CACHE": CACHE}
    done = subprocess.run(
        [sys.executable, str(CAMPAIGN), *options], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("ok "), done.stdout + done.stderr[-1000:]


@pytest.mark.parametrize("name", ["unauthorised_for_all", "always_compresses", "repeats_kept_headers"])
def test_answers_that_clients_read_differently(name):
    """Two headers of a name, and an answer that is always compressed, are the same to each client."""
    site_as_it_should_be(name)


@pytest.mark.parametrize("name", ["forks_child", "daemonises", "daemon_ignores_signals", "forks_in_import_embedded"])
def test_processes_that_a_site_leaves(name):
    """What a site forks or daemonises is ended, and told."""
    site_as_it_should_be(name)


@pytest.mark.parametrize(
    "name", ["raises_in_the_body", "raises_in_the_body_with_length", "raises_in_the_body_when_met"]
)
def test_raises_in_the_middle_of_a_body(name):
    """A response that was not finished is no right answer."""
    site_as_it_should_be(name)


# -- 4. nothing is left, everything ends -------------------------------------------------------------------------------


def test_httpds_parent_killed(bench):
    """Where httpd's parent is killed its processes are ended all the same."""
    process = bench.start_check(bench.script(FINE.format(pause=0.3)))
    httpd = httpd_of(process)
    bench.wait_for_trials(3, process)
    rest = family(httpd.pid)
    httpd.kill()
    code, output = finish(process)
    assert [] == still_running(rest)
    assert 3 == code, output


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_signals(bench, name):
    """A signal ends the run tidily."""
    process = bench.start_check(bench.script(FINE.format(pause=0.3)))
    bench.wait_for_trials(3, process)
    rest = family(process.pid)
    process.send_signal(getattr(signal, name))
    code, output = finish(process)
    assert [] == still_running(rest)
    assert [] == list(bench.temporary.iterdir())
    assert 3 == code, output
    assert "" == fault(output)


def test_killed_harness(bench):
    """Where the harness is killed its processes end, and the next start sweeps its directories and says so."""
    process = bench.start_check(bench.script(FINE.format(pause=0.3)))
    bench.wait_for_trials(3, process)
    rest = family(process.pid)
    process.kill()
    finish(process)
    assert [] == still_running(rest)
    _code, _output = bench.check(bench.site / "app.wsgi", trials=1)
    assert [] == list(bench.temporary.iterdir())


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_interrupted_in_the_first_second(bench, seconds):
    """Ctrl-C while modules are still being imported is no traceback."""
    process = bench.start("doctor")
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    code, output = finish(process)
    assert "" == fault(output)
    assert 1 != code


def test_killed_bench_keeps_its_cycles(bench):
    """What was measured before the kill is kept."""
    scenario = bench.scenario()
    options = ["--cycles", 30, "--during", 1, "--after", 0.5, "--restart-at", 0.5, "--results", bench.results]
    process = bench.start("bench", scenario, "--backend", "local", *options)
    with contextlib.suppress(AssertionError):
        wait(lambda: False, process, timeout=25)
    assert process.poll() is None
    process.kill()
    finish(process)
    code, output = bench.run("report", next(bench.results.iterdir()), "--format", "json", "--output", "-")
    assert 0 == code, output
    assert re.search(r'"cycles": \[\s*\{', output), output[-1000:]


@pytest.mark.parametrize("name", ["streams_for_ever", "drips", "compression_bomb"])
def test_response_without_end(name):
    """A deadline and a size limit hold for each exchange."""
    site_as_it_should_be(name)


@pytest.mark.parametrize(
    "line",
    [
        'invariant = "{x}"',
        "{x} = 1",
        "[load]\n{x} = 1",
        '[load]\npaths = ["{x}", "{x}"]',
        '[load.headers]\n"{x}" = "y"',
    ],
)
def test_slow_scenario_file(bench, line):
    """A file of 100 kB is read or refused at once."""
    path = bench.scenario(more=line.replace("{x}", "sitf" * (25_000 // line.count("{x}"))))
    code, output = bench.run("run", path, "--backend", "local", timeout=SHORT)
    assert 2 == code, output[-500:]
    assert "" == fault(output)


def test_scenario_of_many_unknown_keys(bench):
    """... and so is one with thousands of mistakes."""
    path = bench.scenario(more="\n".join(f"scriptz{number} = 1" for number in range(6000)))
    code, output = bench.run("run", path, "--backend", "local", timeout=SHORT)
    assert 2 == code, output[-500:]
    assert "" == fault(output)


@pytest.mark.parametrize("name", ["cases/a.jsonl", "result.json", "run.json"])
def test_stored_run_is_a_pipe(bench, name):
    """A named pipe in place of a stored file is not waited for."""
    run = bench.results / "20260101-000000-abcd"
    (run / "cases").mkdir(parents=True)
    os.mkfifo(run / name)
    for words in (["report", run, "--format", "json", "--output", "-"], ["runs", "--results", bench.results]):
        code, output = bench.run(*words, timeout=SHORT)
        assert code in (0, 2, 3), output
        assert "" == fault(output)


def test_resume(bench):
    """An interrupted run goes on where it stopped."""
    scenario = bench.scenario(FINE.format(pause=0.3), trials=12)
    arguments = ["--backend", "local", "--sites", bench.top / "sites", "--results", bench.results]
    process = bench.start("run", scenario, *arguments)
    bench.wait_for_trials(6, process)
    process.send_signal(signal.SIGINT)
    finish(process)
    run = next(bench.results.iterdir())
    code, output = bench.run("resume", run)
    assert 0 == code, output
    results = [json.loads(path.read_text()) for path in bench.results.glob("*/result.json")]
    assert any(one["status"] == "complete" and one["cases"][0]["trials"] == 12 for one in results)


# -- 5. errors are sentences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--application-group", "a b"], 2),
        (["--timeout", "nan"], 2),
        (["--header", "X-A: a\r\nX-B: c"], 2),
        (["--header", "X-A: Grüße \u2028"], 2),
        (["--header", "X A: b"], 2),
        (["--host", "a\nb"], 2),
        (["--host", "ü\u4e16"], 2),
        (["--env", "A=B=C=\n"], 0),
        (["--env", "A B=C"], 2),
        (["--env", "A-B=C"], 2),
        (["--trials", "9" * 5000], 2),
        (["--seed", "9" * 5000], 2),
        (["--path", "/" + "x" * 100_000], 2),
        (["--python", "x" * 300], 2),
        (["--apache-conf", "x" * 300], 2),
        (["--json", "x" * 300 + "/y"], 2),
        (["--results", "x" * 300], 2),
        (["--path", "POST / \udcff\udcfe"], 2),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_options(bench, options, code):
    """What cannot be used is refused in a sentence, with exit code 2."""
    usual = ["--mode", "daemon", "--python", PYTHON, "--results", bench.results]
    trials = [] if "--trials" in options else ["--trials", 1]
    got, output = bench.run("check", bench.script(), *usual, *trials, *options)
    assert code == got or (code == 0 and got == 3), output[-1500:]
    assert "" == fault(output)


@pytest.mark.parametrize("name", ["x" * 300, "loop", "directory", "nothing", "/dev/zero", "binary", "pipe"])
def test_scripts_that_are_none(bench, name):
    """A script that is none is refused in a sentence."""
    path = bench.site / name
    match name:
        case "loop":
            path.symlink_to(path)
        case "directory":
            path.mkdir()
        case "binary":
            path.write_bytes(bytes(range(256)))
        case "pipe":
            os.mkfifo(path)
    code, output = bench.check(path, timeout=SHORT)
    assert 2 == code, output
    assert "" == fault(output)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 20_000 + "]" * 20_000,
        "trials = " + "9" * 5000,
        "[load]\nusers = " + "9" * 5000,
        '[environment]\n"A=B" = "c"',
        '[environment]\nA = "b\\u0000c"',
        '[load.headers]\nX-A = "a\\r\\nX-B: c"',
        "[a" + ".a" * 20_000 + "]",
        'invariant = "' + "x" * 1_000_000 + '"',
    ],
    ids=lambda text: text[:20],
)
def test_scenario_files(bench, text):
    """A scenario file that cannot be used is refused in a short sentence."""
    path = bench.scenario(more=text)
    code, output = bench.run("run", path, "--backend", "local", timeout=SHORT)
    assert 2 == code, output[-1500:]
    assert "" == fault(output)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"cases": [{"trials": ' + "9" * 5000 + "}]}",
        '{"environment": ' + '{"a":' * 50_000,
        "\xff",
        "9" * 5000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("file", ["result.json", "run.json", "bench.json"])
def test_one_broken_run_among_others(bench, content, file):
    """One stored run that cannot be read breaks nothing for the others."""
    run = bench.results / "20260101-000000-abcd"
    (run / "cases").mkdir(parents=True)
    (run / file).write_text(content, encoding="latin-1")
    code, output = bench.run("runs", "--results", bench.results, timeout=SHORT)
    assert 0 == code, output[-1500:]
    assert "" == fault(output)
    code, output = bench.run("report", run, timeout=SHORT)
    assert code in (0, 2, 3), output[-1500:]
    assert "" == fault(output)


def test_terminal_without_an_ellipsis(bench):
    """A terminal that knows ASCII only gets a report too."""
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = bench.environment(**ascii_only)
    code, output = bench.check(bench.script(), env=environment, trials=1)
    assert code in (0, 3), output
    assert "" == fault(output)


def test_deleted_working_directory(bench):
    """In a directory that is gone a command ends with a sentence."""
    gone = bench.top / "gone"
    gone.mkdir()
    words = " ".join(f"'{word}'" for word in HARNESS)
    for command in ("runs", "doctor", f"check '{bench.script()}' --trials 1 --mode daemon"):
        gone.mkdir(exist_ok=True)
        code, output = bench.run(command=["sh", "-c", f"cd '{gone}' && rmdir '{gone}' && {words} {command}"])
        assert "" == fault(output)
        assert 1 != code, output


@as_root
def test_hardly_any_process_allowed(bench):
    """With `ulimit -u 5` a command ends with a sentence."""
    command = ["sh", "-c", 'ulimit -u 5; exec "$@"', "sh", *HARNESS]
    code, output = bench.run("doctor", command=command, user=12345, group=12345)
    assert "" == fault(output, 20_000)
    assert 1 != code


def test_tests_of_one_name_in_two_files(bench):
    """Two tests of one name cold-start their scripts without getting into each other's way."""
    for name in ("one", "two"):
        text = f"def test_it(harness_cold_start):\n    assert harness_cold_start({str(bench.script())!r}, trials=1)\n"
        (bench.top / f"test_{name}.py").write_text(text)
    (bench.top / "pytest.ini").write_text("[pytest]\n")
    options = ["test_one.py", "test_two.py", "-p", "no:cacheprovider"]
    _code, output = bench.run(*options, command=[PYTHON, "-m", "pytest"])
    assert "2 passed" in output, output[-2000:]


def test_two_scenario_files_of_one_stem(bench):
    """Two files of one name are both run, or refused in a sentence."""
    first = bench.scenario(trials=1)
    second = bench.top / "more" / "x.toml"
    second.parent.mkdir()
    shutil.copyfile(first, second)
    arguments = ["--backend", "local", "--sites", bench.top / "sites", "--results", bench.results]
    code, output = bench.run("run", first, second, *arguments)
    assert code in (0, 2, 3), output
    assert "" == fault(output, 8000)


def test_long_temporary_directory(bench):
    """A TMPDIR that is too long for a socket is named, or does not matter."""
    long = bench.temporary / ("d" * 100)
    long.mkdir()
    code, output = bench.check(bench.script(), env=bench.environment(TMPDIR=str(long)), trials=1)
    assert code in (0, 2, 3), output
    assert "no cold interpreter" not in output
    assert "" == fault(output)


def test_explored_script_that_does_not_import(bench):
    """The snapshot lane judges a script that does not import: broken, as it may be expected to be."""
    scenario = bench.scenario("import a_module_that_nobody_has\n", trials=2)
    text = scenario.read_text().replace('["clean", "hazard"]', '"broken"')
    text = text.replace("outcomes.ok", "outcomes.error")
    scenario.write_text(text)
    arguments = ["--sites", bench.top / "sites", "--results", bench.results]
    code, output = bench.run("explore", scenario, *arguments)
    assert 0 == code, output
    assert "broken" == bench.verdict()


def test_long_values_are_not_repeated(bench):
    """Of a wrong value only the beginning is repeated."""
    code, output = bench.check(bench.script(), "--path", "x" * 100_000)
    assert 2 == code
    assert len(output) < 4000
    code, output = bench.run("run", "y" * 100_000, "--backend", "local")
    assert 2 == code
    assert "" == fault(output)


@as_root
@pytest.mark.parametrize("place", ["results", "t"])
def test_full_disk(bench, place):
    """A full disk is named as such, in a sentence, with exit code 3."""
    directory = bench.top / place
    directory.mkdir(exist_ok=True)
    size = "160k" if place == "results" else "1m"
    inner = f"mount -t tmpfs -o size={size},mode=755 none '{directory}' && " + 'exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", inner, "sh", *HARNESS]
    noisy = "import sys, time\nsys.stderr.write('x' * 2000000)\n" if place == "t" else ""
    code, output = bench.check(bench.script(noisy + FINE.format(pause=0.05)), command=command, trials=60)
    assert 3 == code, output[-1500:]
    assert "load.timeout" not in output
    assert "" == fault(output)


def test_garbage_in_headers_and_recordings():
    """What the site writes where the probe should is no traceback."""
    site_as_it_should_be("fakes_the_proof")
    site_as_it_should_be("garbles_its_recording")
