"""The compose backend on a real Docker: each test has a checkout with a project and ports of its own."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from test_cli import refused, trials_of, until, write

from harness.bench.journal import read_bench
from harness.hosting.diagnosis import docker as doctor_row
from harness.hosting.httpd import free_port
from harness.hosting.stack import FILE
from harness.records import Trial
from harness.store.history import read

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
SERVICE = "daemon-default"
OTHER_SERVICE = "embedded-default"
# A case that goes on until its trials are used up.
LONG = ("run", "mysite", "--case", "daemon::default", "--trials", "5000")
SHORT = ("run", "mysite", "--case", "daemon::default", "--trials", "1")

SCENARIO = """
title = "a test"
site = "mysite"
scripts = ["default"]
modes = ["daemon"]
runtime = "django52"
{more}

[[expect]]
verdict = ["hazard", "clean"]
outcomes.ok = {{ grade = "expected", why = "it is the default script" }}
"""


def missing():
    """Why these tests cannot run here; empty where they can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for arguments, reason in [
        (("compose", "version"), "there is no docker compose (v2)"),
        (("version",), "no Docker daemon answers"),
    ]:
        if subprocess.run(["docker", *arguments], capture_output=True, check=False).returncode:
            return reason
    image = docker("compose", "--file", ROOT / FILE, "config", "--images", SERVICE).split()[0]
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode:
        return f"there is no image {image}: docker compose build"
    return ""


def docker(*arguments, **more):
    return subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, check=True, timeout=120, **more
    ).stdout


class Checkout:
    """A directory as `git clone` leaves it, as far as Compose and scenarios look at it."""

    def __init__(self, path):
        path.chmod(0o755)
        self.path = path
        self.results = path / "results"
        self.mounted = path / "docker" / "mounted" / SERVICE
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "HARNESS_"))},
            "HARNESS_CACHE": str(ROOT / ".harness"),
        }
        shutil.copy(ROOT / FILE, path)
        for name in ("sites/mysite", "scenarios"):
            shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in (SERVICE, OTHER_SERVICE):
            (path / "docker" / "mounted" / name).mkdir(parents=True)
        self.ports = {name: free_port() for name in re.findall(r"HARNESS_PORT_\w+", (path / FILE).read_text())}
        (path / ".env").write_text("".join(f"{name}={port}\n" for name, port in self.ports.items()))

    def compose(self, *arguments):
        return docker("compose", *arguments, cwd=self.path, env=self.environment)

    def cut(self, **changes):
        """Leave one service in its file, changed; None takes a key away."""
        config = json.loads(self.compose("config", "--format", "json"))
        service = {**config["services"][SERVICE], **changes}
        config["services"] = {SERVICE: {key: value for key, value in service.items() if value is not None}}
        (self.path / FILE).write_text(json.dumps(config))  # JSON is YAML

    def containers(self):
        """Every container that belongs to this directory, running or not."""
        label = f"label=com.docker.compose.project.working_dir={self.path}"
        return docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()

    def left(self):
        """What Docker has of this directory: containers and networks."""
        label = f"label=com.docker.compose.project={self.path.name}"
        return [*self.containers(), *docker("network", "ls", "--quiet", "--filter", label).split()]

    def inspect(self, form, service=SERVICE):
        return docker("inspect", "--format", form, *self.compose("ps", "--all", "--quiet", service).split()).strip()

    def page(self):
        """What the service serves; None while it does not."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.ports['HARNESS_PORT_DAEMON_DEFAULT']}/", timeout=30)
        except requests.ConnectionError:
            return None
        return answer.text if answer.status_code == 200 else None

    @contextmanager
    def running(self, *arguments, env=None, **more):
        """A harness command that is under way."""
        shutil.rmtree(self.results, ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *map(str, arguments)],
            cwd=self.path,
            env={**self.environment, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, *arguments, **more):
        with self.running(*arguments, **more) as process:
            return ended(process)

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        return ended(process)

    def cases(self):
        """What the only run left, by script."""
        (result,) = self.results.glob("*/result.json")
        return {case["script"]: case for case in json.loads(result.read_text())["cases"]}


def ended(process):
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


@contextmanager
def checkout():
    # Compose calls the project like the directory: no other has this name.
    with tempfile.TemporaryDirectory(prefix="harness-checkout-") as directory:
        made = Checkout(Path(directory))
        try:
            yield made
        finally:
            if made.left():
                made.compose("down", "--timeout", "0", "--remove-orphans")


@pytest.fixture(scope="module")
def engine():
    reason = missing()
    if reason:
        pytest.skip(f"the compose backend is not covered: {reason}")


@pytest.fixture
def idle(engine):
    """A checkout in which nothing runs."""
    with checkout() as made:
        yield made


@pytest.fixture(scope="module")
def shared(engine):
    with checkout() as made:
        made.compose("up", "--detach", "--wait", SERVICE, OTHER_SERVICE)
        yield made


@pytest.fixture
def stack(shared):
    """A checkout whose stack the user has started. Each test leaves it as it was: the same containers, served
    their own script, and nothing of the harness in the mounted directory."""
    before = shared.containers()
    yield shared
    assert before == shared.containers()
    assert until(shared.page)
    assert ["lock"] == [each.name for each in shared.mounted.iterdir()]


# -- no Docker ---------------------------------------------------------------------------------------------


NOWHERE = "unix:///nowhere/docker.sock"


def test_compose_refuses_without_daemon(command):
    """Asked for by name, the compose backend says which daemon does not answer."""
    done = command("run", "mysite", "--backend", "compose", env={"DOCKER_HOST": NOWHERE})
    refused(done, "no Docker daemon answers", NOWHERE, code=3)


def test_auto_is_local_without_daemon(command, tmp_path):
    """The run says which backend it took and why, and container restarts are skipped with their reason."""
    scenario = write(tmp_path / "mine.toml", SCENARIO.format(more='restart = "container"'))
    done = command("run", scenario, "--backend", "auto", env={"DOCKER_HOST": NOWHERE, "COLUMNS": "500"})
    refused(done, "restart = 'container' needs the compose backend", code=2)
    assert "backend local: no Docker daemon answers" in done.stdout
    assert "not covered: container restarts" in done.stdout


@pytest.mark.parametrize(
    ("script", "fragment"), [(None, "no `docker` command"), ("#!/bin/sh\nexit 1\n", "no `docker compose`")]
)
def test_without_compose_no_stack_is_started(idle, tmp_path, script, fragment):
    """A daemon alone is not enough to start a stack: the command that is missing is named."""
    if script:
        write(tmp_path / "docker", script).chmod(0o755)
    refused(idle.run(*SHORT, "--backend", "compose", env={"PATH": str(tmp_path)}), fragment, code=3)
    assert [] == idle.left()


# -- a stack that the harness starts -------------------------------------------------------------------------


def _no_such_image(checkout):
    checkout.cut(build=None, image=f"127.0.0.1:{free_port()}/nothing:1", pull_policy="missing")


def _dies(checkout):
    checkout.cut(environment={"HARNESS_MODE": "nonsense", "HARNESS_SITE": "mysite", "HARNESS_SCRIPT": "default"})


@pytest.mark.parametrize(
    ("fault", "fragments"),
    [
        (_no_such_image, ("127.0.0.1:", "connection refused")),
        (_dies, ("exited (2)", "serve: HARNESS_MODE=nonsense: daemon or embedded")),
    ],
)
def test_a_stack_that_does_not_start(idle, fault, fragments):
    """The cause and the container's last words are told; what was started is taken down again."""
    fault(idle)
    refused(idle.run(*SHORT, "--backend", "compose"), *fragments, code=3)
    assert [] == idle.left()


def test_a_taken_port(idle):
    """The port that another program holds is named; what was started is taken down again."""
    idle.cut()
    port = idle.ports["HARNESS_PORT_DAEMON_DEFAULT"]
    with socket.create_server(("127.0.0.1", port)):
        refused(idle.run(*SHORT, "--backend", "compose"), f"127.0.0.1:{port}", "address already in use", code=3)
    assert [] == idle.left()


def test_ctrl_c_while_the_stack_starts(idle):
    """What has been started so far is taken down again."""
    idle.cut(healthcheck={"test": ["CMD", "sleep", "600"], "interval": "1s", "timeout": "600s"})
    with idle.running(*SHORT, "--backend", "compose") as process:
        assert until(idle.containers)
        refused(idle.interrupt(process), "interrupted", code=3)
    assert [] == idle.left()


def test_killed_container_ends_own_stack(idle):
    """Killed in mid-run: the run names the service, its exit code and last log lines; the harness's stack is gone."""
    idle.cut()
    with idle.running(*LONG, "--backend", "compose") as process:
        assert until(lambda: trials_of(idle.results))
        docker("kill", *idle.containers())
        done = ended(process)
    refused(done, f"service {SERVICE} ended (exit code 137)", "-f /harness/conf/httpd.conf", code=3)
    assert "starting the stack" in done.stderr
    assert [] == idle.left()


# -- a stack that the user has started -----------------------------------------------------------------------


def test_killed_container_is_brought_back(stack):
    """Killed in mid-run: the run ends with what it has seen of it; the service that the user started is up again."""
    with stack.running(*LONG) as process:
        assert until(lambda: trials_of(stack.results))
        docker("kill", stack.inspect("{{.Id}}"))
        done = ended(process)
    refused(done, f"service {SERVICE} ended (exit code 137)", "-f /harness/conf/httpd.conf", code=3)


def test_ctrl_c_gives_the_service_back(stack):
    """Interrupted in mid-run: what ran is kept, and the service serves its own script again."""
    page = stack.page()
    with stack.running(*LONG) as process:
        assert until(lambda: trials_of(stack.results))
        refused(stack.interrupt(process), "interrupted", code=3)
    assert until(lambda: stack.page() == page)
    assert "compose" == stack.cases()["default"]["backend"]


def test_busy_service_is_left_alone(stack):
    """A run that is interrupted while it waits for a service that another run uses has touched nothing of that run."""
    started = stack.inspect("{{.State.StartedAt}}")
    theirs = stack.mounted / "site"
    with (stack.mounted / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        theirs.mkdir()
        with stack.running(*SHORT) as process:
            assert until(lambda: list(stack.results.glob("*/cases/*.jsonl")))
            refused(stack.interrupt(process), "interrupted", code=3)
        theirs.rmdir()
    assert started == stack.inspect("{{.State.StartedAt}}")


def test_other_checkout_is_left_alone(stack, idle):
    """Where another checkout has the project name nothing is started: Compose would take its containers over."""
    name = {"COMPOSE_PROJECT_NAME": stack.path.name}
    refused(idle.run(*SHORT, "--backend", "compose", env=name), "another checkout", str(stack.path), code=3)
    assert [] == idle.left()


def test_broken_user_service_stays(idle):
    """auto does not pass over a broken stack that the user started: it says what is wrong, and leaves it as it is."""
    idle.cut(healthcheck={"test": ["CMD", "false"], "interval": "1s", "retries": 1})
    idle.compose("up", "--detach")
    before = idle.containers()
    refused(idle.run(*SHORT), f"service {SERVICE} is unhealthy", "resuming normal operations", code=3)
    assert before == idle.containers()
    assert "running" == idle.inspect("{{.State.Status}}")


def test_services_started_by_hand_answer(idle):
    """As soon as Compose calls it healthy, a service serves its own script: no run of the harness has to come first."""
    idle.compose("up", "--detach", "--wait", SERVICE)
    assert "Moby" in idle.page()
    assert [] == list(idle.mounted.iterdir())


# -- what a run on it finds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "choice"), [("compose", "auto"), ("local", "local")])
def test_both_backends_find_the_same(stack, backend, choice):
    """The deferred script builds its settings more than once, the default one does not: wherever Apache runs."""
    done = stack.run("run", "mysite", "--case", "daemon::de", "--trials", 4, "--backend", choice)
    assert 0 == done.returncode, done.stderr
    cases = stack.cases()
    assert ("race", "duplicate-init") == (cases["deferred"]["verdict"], cases["deferred"]["race_class"])
    assert cases["default"]["verdict"] in ("hazard", "clean")
    assert {backend} == {case["backend"] for case in cases.values()}
    assert (f"backend compose: the stack of 2 services in {stack.path}" in done.stdout) == (choice == "auto")


def test_container_is_a_restart_method(stack):
    """Each trial meets a process that a restart of the container has made cold."""
    write(stack.path / "container.toml", SCENARIO.format(more='restart = "container"'))
    done = stack.run("run", "container.toml", "--trials", 2)
    assert 0 == done.returncode, done.stderr
    case = stack.cases()["default"]
    assert ("container", 2, 2) == (case["restart"], case["trials"], case["cold_trials"])


def test_a_restart_under_load_is_measured(stack):
    """`harness bench`: a container restart costs what is under way, a respawn nothing but time; both are told."""
    done = stack.run(
        "bench", "mysite", "--mode", "daemon", "--script", "default", "--backend", "compose", "--restart", "container",
        "--restart", "respawn", "--cycles", 1, "--restart-at", 1, "--during", 3, "--after", 1, "--rate", 30,
    )  # fmt: skip
    if done.returncode:  # a machine that is too busy for the rate is told, and what was measured stays
        assert 3 == done.returncode, done.stderr
        assert "hardly keeps 30 requests/s" in done.stdout
    (run,) = stack.results.iterdir()
    cells = {each.restart: each for each in read_bench(run).cells}
    assert {"container", "respawn"} == set(cells)
    assert cells["container"].summary.outcomes["dropped"] > 0
    for cell in cells.values():
        (cycle,) = cell.cycles
        assert 165 == sum(cell.summary.outcomes.values())
        assert cell.summary.first_new_ms >= cell.summary.start_ms > 0
        assert cycle.cold.first_ms > cycle.cold.warm_ms
    assert "container" in (run / "report.html").read_text()


def test_schedules_take_turns_in_any_order(stack):
    """Slots are dealt before the service is taken, when its directory holds nothing yet."""
    write(stack.path / "turns.toml", SCENARIO.format(more='schedules = ["perturbed", "natural"]'))
    done = stack.run("run", "turns.toml", "--backend", "compose", "--trials", 2)
    assert 0 == done.returncode, done.stderr
    (result,) = stack.results.glob("*/result.json")
    told = {case["schedule"]: case["trials"] for case in json.loads(result.read_text())["cases"]}
    assert {"perturbed": 2, "natural": 2} == told


def test_the_checkout_is_what_is_served(stack):
    """The site is that of the checkout, not of the image, and has the scenario's environment. Files that only
    their owner may read, and one that is no Python of this version, are no obstacle."""
    greeting = 'it\'s "quoted" $HOME \\n'
    site = stack.path / "sites" / "greeting"
    shutil.copytree(stack.path / "sites" / "mysite", site)
    (site / "library" / "of_old.py").write_text("print 'hello'\n")
    with (site / "library" / "views.py").open("a") as views:
        views.write("\n\ndef hello(request):\n    import os\n    return HttpResponse(os.environ['GREETING'])\n")
    for each in site.rglob("*"):
        each.chmod(0o700 if each.is_dir() else 0o600)
    more = f"environment = {{ GREETING = {json.dumps(greeting)} }}\nload.paths = ['/hello/']"
    scenario = write(stack.path / "greeting.toml", SCENARIO.replace("mysite", "greeting").format(more=more))
    done = stack.run("run", scenario, "--trials", 2, umask=0o077)
    assert 0 == done.returncode, done.stderr
    (history,) = stack.results.glob("*/cases/*.jsonl")
    trials = [each for each in read(history) if isinstance(each, Trial)]
    assert {greeting} == {answer.body for trial in trials for answer in trial.answers}


def test_the_doctor_tells_of_the_stack(stack, monkeypatch):
    """Engine, Compose, and the stack of this very directory."""
    monkeypatch.chdir(stack.path)
    _, found, advice = doctor_row()
    assert re.fullmatch(rf"engine \S+, compose 2\S+, stack of 2 services in {stack.path}", found)
    assert not advice


def test_the_doctor_tells_of_no_stack(idle, monkeypatch):
    """A stack of another directory is none of this one's."""
    monkeypatch.chdir(idle.path)
    _, found, advice = doctor_row()
    assert re.fullmatch(r"engine \S+, compose 2\S+", found)
    assert "docker compose up -d --wait" in advice
