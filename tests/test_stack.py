"""The Compose stack by Docker's records of its containers: what runs, what is broken, what suits a case."""

import fcntl
import os

import docker
import docker.errors
import pytest
from build import make_case
from docker.models.containers import Container, ExecResult

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.hosting import diagnosis, service, stack
from harness.hosting.backend import ComposeBackend, LocalBackend, choose
from harness.hosting.service import ComposeServer, Service, make_readable
from harness.hosting.stack import Stack
from harness.records import ProcessId
from harness.runtimes.spec import RuntimeSpec

HEALTHY, UNHEALTHY, STARTING = ({"Status": status} for status in ("healthy", "unhealthy", "starting"))
SPEC = RuntimeSpec(python="3.13", django="django>=5.2,<5.3", compose="docker compose up")
DJANGO6 = RuntimeSpec(python="3.13", django="django>=6.0")


def make_state(status="running", **changes):
    return {"Status": status, "Running": status in ("running", "paused"), "ExitCode": 0, "Error": "", **changes}


def make_container(
    name="daemon-default",
    *,
    directory="/srv/checkout",
    project="checkout",
    mode="daemon",
    mount="/srv/checkout/docker/mounted/x",
    state=None,
    image="sha256:5.2",
    port=8181,
    address="127.0.0.1",
    one_off=False,
    logs=b"",
):
    """A container as Docker describes it; by default a service that is well."""
    labels = {
        "com.docker.compose.service": name,
        "com.docker.compose.project": project,
        "com.docker.compose.project.working_dir": str(directory),
        "com.docker.compose.oneoff": str(one_off),
    }
    attributes = {
        "Id": name,
        "Image": image,
        "State": state or make_state(Health=HEALTHY),
        "Config": {"Env": [f"HARNESS_MODE={mode}", "PATH=/bin"], "Labels": labels},
        "Mounts": [{"Destination": "/harness", "Source": str(mount)}] if mount else [],
        "NetworkSettings": {"Ports": {"8080/tcp": port and [{"HostIp": address, "HostPort": str(port)}]}},
    }
    made = Container(attrs=attributes)
    made.logs = lambda **_: logs
    made.reload = lambda: None
    made.exec_run = lambda *_, **__: ExecResult(0, (b"33\n", b""))
    return made


@pytest.fixture
def engine(monkeypatch):
    """Docker, with the containers that are put into this list."""
    containers = []

    class Containers:
        def list(self, **_):
            return list(containers)

    class Client:
        containers = Containers()

        def version(self):
            return {"Version": "20.10"}

    monkeypatch.setattr(docker, "from_env", Client)
    return containers


@pytest.fixture
def make_service(tmp_path):
    """A service whose mounted directory is here."""

    def make_service(name="daemon-default", **changes):
        mount = tmp_path / name
        mount.mkdir(exist_ok=True)
        return Service(make_container(name, mount=mount, directory=tmp_path, **changes))

    return make_service


@pytest.fixture
def make_stack(make_service, tmp_path, monkeypatch):
    """A stack of services, given as name=(mode, image); an image's name ends with the Django it has."""

    def described(self, program, *_):
        assert not self.container.attrs.get("busy"), f"{self.name} was disturbed"
        if program == "httpd":
            return b"Server version: Apache/2.4.68 (Unix)\n"
        django = self.image.partition(":")[2]
        return (
            '{"version": "3.13.5", "executable": "/x", "prefix": "/x", "base": "/x", "include": "/x", "library": "",'
            f' "django": "{django}", "installed": {{"mod_wsgi": "6.1.1"}}}}'
        ).encode()

    def make_stack(**services):
        monkeypatch.setattr(Service, "exec", described)
        made = [make_service(name, mode=mode, image=image) for name, (mode, image) in services.items()]
        return Stack(tmp_path, made)

    return make_stack


class TestBroken:
    @pytest.mark.parametrize(
        "state",
        [
            make_state(),
            make_state(Health=HEALTHY),
            make_state("exited"),
            make_state("created"),
        ],
        ids=["no health check", "healthy", "stopped on purpose", "never started"],
    )
    def test_well_or_stopped_on_purpose(self, make_service, state):
        """A service that runs is not broken, nor is one that was stopped or never started."""
        assert not make_service(state=state).is_broken

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            (make_state("exited", ExitCode=2), "exited (exit code 2)"),
            (make_state("exited", ExitCode=137), "exited (exit code 137)"),
            (make_state("created", ExitCode=128, Error="port is already allocated"), "not started"),
            (make_state("paused", Health=HEALTHY), "paused"),
            (make_state("dead"), "dead"),
            (make_state(Health=UNHEALTHY), "unhealthy"),
            (make_state(Health=STARTING), "starting"),
        ],
    )
    def test_broken_service(self, make_service, monkeypatch, state, words):
        """Any other is broken; the error has its state, Docker's reason and the end of its log."""
        monkeypatch.setattr(stack, "HEALTHY_SECONDS", 0.0)
        broken = make_service(state=state, logs=b"serve: mysite\nno memory left\n")
        assert broken.is_broken
        with pytest.raises(InfrastructureError) as error:
            stack._is_up(broken)
        for part in (f"service daemon-default is {words};", "no memory left", state["Error"]):
            assert part in str(error.value)


class TestUp:
    @pytest.mark.parametrize(("state", "up"), [(make_state(Health=HEALTHY), True), (make_state("exited"), False)])
    def test_as_docker_says(self, make_service, state, up):
        """A service that runs is up, one that was stopped is not."""
        assert up == stack._is_up(make_service(state=state))

    def test_starting_service_is_awaited(self, make_service):
        """A service that is starting is up as soon as it is healthy."""
        starting = make_service(state=make_state(Health=STARTING))
        answers = iter([STARTING, STARTING, HEALTHY])
        starting.container.reload = lambda: starting.state.update(Health=next(answers))
        assert stack._is_up(starting)

    @pytest.mark.parametrize("states", [["running"], ["exited", "exited", "running"]])
    def test_locked_service_is_not_judged(self, make_service, states):
        """During another run's restart it looks like one that died; the run that holds its lock brings it back."""
        taken = make_service()
        answers = iter(states)
        taken.container.reload = lambda: taken.container.attrs.update(State=make_state(next(answers), ExitCode=137))
        with (taken.mount / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert stack._is_up(taken)
            assert taken.state["Running"]
            assert taken.in_use
        assert not taken.in_use


class TestServices:
    def test_those_of_this_directory(self, engine, tmp_path):
        """Services of this directory are listed, running or not; nothing else is."""
        engine += [
            make_container("daemon-default", directory=tmp_path),
            make_container("daemon-deferred", directory=tmp_path, state=make_state("exited")),
            make_container("daemon-default", directory="/srv/other"),
            make_container("telemetry", directory=tmp_path, mount=""),
            make_container("daemon-improved", directory=tmp_path, one_off=True),
        ]
        here, _ = stack._services(tmp_path)
        assert ["daemon-default", "daemon-deferred"] == [service.name for service in here]

    def test_link_to_the_directory(self, engine, tmp_path):
        """A stack that was started through a link to the directory belongs to the directory."""
        (tmp_path / "link").symlink_to(tmp_path)
        engine.append(make_container(directory=tmp_path / "link"))
        assert 1 == len(stack._services(tmp_path)[0])

    def test_other_stacks_by_their_project(self, engine, tmp_path):
        """Stacks of other directories are listed while they run, not when they are stopped."""
        engine += [
            make_container(directory="/srv/other", project="other"),
            make_container(directory="/srv/old", project="old", state=make_state("exited")),
            make_container(directory=tmp_path, project="mine"),
        ]
        assert {"other": "/srv/other"} == stack._services(tmp_path)[1]

    @pytest.mark.parametrize(
        ("state", "running"),
        [
            (make_state(), True),
            (make_state(Health=UNHEALTHY), True),
            (make_state("exited", ExitCode=2), False),
            (make_state("exited"), False),
            (make_state("created"), False),
        ],
    )
    def test_is_running(self, engine, tmp_path, state, running):
        """A stack that is not well counts as running; one of which nothing runs does not."""
        engine.append(make_container(directory=tmp_path, state=state))
        assert running == stack.is_running(tmp_path)

    def test_find_stack(self, engine, tmp_path):
        """A stack has the services that run, sorted by name; without any there is no stack."""
        engine += [
            make_container("b", directory=tmp_path, mount=tmp_path),
            make_container("a", directory=tmp_path, mount=tmp_path),
            make_container("stopped", directory=tmp_path, mount=tmp_path, state=make_state("exited")),
        ]
        assert f"stack of 2 services in {tmp_path}" == str(Stack.find(tmp_path))
        del engine[:2]
        assert Stack.find(tmp_path) is None

    def test_unwritable_mount_is_named(self, engine, tmp_path):
        """If the mounted directory is gone, the error names it and the service."""
        engine.append(make_container(directory=tmp_path, mount=tmp_path / "gone"))
        with pytest.raises(InfrastructureError, match=r"gone/lock: No such file.* daemon-default"):
            Stack.find(tmp_path)


class TestRuntimes:
    def test_services_for(self, make_stack):
        """The services that have the runtime, those of the case's mode first, and no others."""
        made = make_stack(
            **{"d1": ("daemon", "i:5.2.19"), "d6": ("daemon", "i:6.1.3"), "e1": ("embedded", "i:5.2.19")},
        )
        assert ["d1", "e1"] == [service.name for service in made.services_for("daemon", SPEC)]
        assert ["e1", "d1"] == [service.name for service in made.services_for("embedded", SPEC)]
        assert ["d6"] == [service.name for service in made.services_for("daemon", DJANGO6)]
        assert [] == made.services_for("daemon", RuntimeSpec(python="2.7", django="django==1.1.4"))

    def test_versions_of_service(self, make_stack):
        """The versions are those that the service's own interpreter and httpd report."""
        made = make_stack(d1=("daemon", "i:5.2.19"))
        (only,) = made.services_for("daemon", SPEC)
        expected = {"python": "3.13.5", "django": "5.2.19", "mod_wsgi": "6.1.1", "httpd": "2.4.68"}
        assert expected == made.versions(only)

    def test_locked_service_is_not_asked(self, make_stack, monkeypatch):
        """Another run may restart a locked service at any moment: one of the same image answers for it."""
        monkeypatch.setattr(service, "LOCK_SECONDS", 0.0)
        made = make_stack(a=("daemon", "i:5.2.19"), b=("daemon", "i:5.2.19"))
        busy = made._services[0]
        busy.container.attrs["busy"] = True
        with (busy.mount / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert ["a", "b"] == [service.name for service in made.services_for("daemon", SPEC)]

    def test_no_service_has_the_runtime(self, make_stack, tmp_path):
        """The error for a missing runtime names those that run, and the command that starts the right one."""
        hosts = ComposeBackend(tmp_path, {"vintage": RuntimeSpec(python="2.7", django="django", compose="do this")})
        hosts._stack = make_stack(d1=("daemon", "i:5.2.19"))
        with pytest.raises(MissingRuntime, match=r"run Python 3.13.5, Django 5.2.19.*start one with `do this`"):
            hosts.host(make_case(runtime="vintage"), 1)


class TestService:
    def test_published_address(self, make_service):
        """A service's address is the one at which its port is published."""
        assert ("127.0.0.1", 8181) == make_service().address

    @pytest.mark.parametrize(
        ("changes", "words"),
        [({"address": "0.0.0.0"}, "load goes to 127.0.0.1 only"), ({"port": None}, "is not published")],
    )
    def test_public_address_is_refused(self, make_service, changes, words):
        """A service must be published on the loopback interface: no other machine can reach it under test."""
        with pytest.raises(InfrastructureError, match=words):
            _ = make_service(**changes).address

    def test_log_tail_of_last_start(self, make_service):
        """Lines of an earlier start do not explain how this one ended."""
        logs = b"serve: mysite\nan old error\nserve: /harness/conf/httpd.conf, which is mounted\na new error\n"
        words = make_service(logs=logs).log_tail()
        assert "a new error" in words
        assert "an old error" not in words

    def test_log_tail_during_removal(self, make_service):
        """Docker refuses the log then; its own error is returned all the same."""
        removed = make_service(state=make_state("exited", ExitCode=137, Error="out of memory"))

        def refuse(**_):
            raise docker.errors.APIError("marked for removal")

        removed.container.logs = refuse
        assert "out of memory" == removed.log_tail()

    def test_given_back_without_a_daemon(self, make_service):
        """If Docker is gone, the mounted directory is emptied and the lock released all the same."""

        def refuse(**_):
            raise ConnectionError

        held = make_service()
        held.container.restart = refuse
        taken = ComposeServer(held, [], held.mount / "scripts" / "x.wsgi")
        taken.take()
        assert held.in_use
        assert (held.mount / "run" / "events").is_dir()
        taken.stop()
        assert not held.in_use
        assert ["lock"] == [path.name for path in held.mount.iterdir()]

    def test_interrupted_trial_deletes_too(self, make_service, monkeypatch):
        """A recording that the trial deletes meanwhile is no error: everything else is deleted too."""
        held = make_service()
        held.container.restart = lambda **_: None
        taken = ComposeServer(held, [], held.mount / "x.wsgi")
        taken.take()
        for name in ("run/events/1-1", "run/log", "site/x.wsgi"):
            (held.mount / name).parent.mkdir(exist_ok=True)
            (held.mount / name).touch()
        unlink = os.unlink

        def too_late(path, **where):
            unlink(path, **where)
            if path == "1-1":
                raise FileNotFoundError(path)

        monkeypatch.setattr(os, "unlink", too_late)
        taken.stop()
        assert ["lock"] == [path.name for path in held.mount.iterdir()]

    def test_ended_service_is_not_taken(self, make_service):
        """A service that was killed before its case began is reported with its last lines."""
        dead = make_service(state=make_state("exited", ExitCode=137), logs=b"serve: mysite\nlast words\n")
        with pytest.raises(InfrastructureError, match=r"daemon-default has ended \(exit code 137\)[^$]*last words"):
            ComposeServer(dead, [], dead.mount / "x.wsgi").take()

    @pytest.mark.parametrize(
        ("later", "words"),
        [
            (make_state("exited", ExitCode=137, Pid=0), r"ended \(exit code 137\)"),
            (make_state(Pid=2), "was restarted by somebody else"),
        ],
    )
    def test_docker_notices_late(self, make_service, later, words):
        """The process is gone before Docker knows: the error waits for Docker's account of it."""
        held = make_service(state=make_state(Pid=1))
        taken = ComposeServer(held, [], held.mount / "x.wsgi")
        taken._main = ProcessId(1, -1)
        answers = iter([held.state, held.state, later])
        held.container.reload = lambda: held.container.attrs.update(State=next(answers))
        with pytest.raises(InfrastructureError, match=words):
            taken.check_alive()

    def test_service_stays_locked(self, make_service, monkeypatch):
        """A run that waits for too long gives up, and leaves the other run's files alone."""
        monkeypatch.setattr(service, "LOCK_SECONDS", 0.0)
        held = make_service()
        (held.mount / "run").mkdir()
        taken = ComposeServer(held, [], held.mount / "x.wsgi")
        with (held.mount / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(InfrastructureError, match="in use by another run"):
                taken.take()
            taken.stop()
            assert (held.mount / "run").is_dir()

    def test_a_site_that_cannot_be_copied(self, make_service, tmp_path):
        """A file that cannot be copied is bad input, and is named."""
        site = tmp_path / "site"
        site.mkdir()
        os.mkfifo(site / "pipe")
        held = make_service()
        with pytest.raises(BadInput, match=r"site/pipe: cannot be copied for service daemon-default"):
            ComposeServer(held, [], held.mount / "x.wsgi").put_site(site)

    def test_links_of_a_site(self, make_service, tmp_path):
        """A link is copied as its target, wherever that is; dangling links and bytecode are left out."""
        site = tmp_path / "site"
        site.mkdir()
        (tmp_path / "shared.py").write_text("shared = 1\n")
        (site / "shared.py").symlink_to("../shared.py")
        (site / "gone.py").symlink_to("../gone.py")
        (site / "old.pyc").touch()
        held = make_service()
        taken = ComposeServer(held, [], held.mount / "x.wsgi")
        taken.put_site(site)
        assert {"shared.py": "shared = 1\n"} == {path.name: path.read_text() for path in taken.site.iterdir()}

    def test_readable_files(self, tmp_path):
        """Private files become readable, and none writable; a program stays executable."""
        (tmp_path / "below").mkdir(mode=0o700)
        for name, mode in (("secret", 0o600), ("program", 0o700), ("lax", 0o666)):
            (tmp_path / "below" / name).touch()
            (tmp_path / "below" / name).chmod(mode)
        make_readable(tmp_path / "below")
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
        assert {"below": "0o755", "secret": "0o644", "program": "0o744", "lax": "0o644"} == modes


def _raise(text):
    def connect():
        raise docker.errors.DockerException(text)

    return connect


class TestDocker:
    @pytest.mark.parametrize(
        ("message", "host", "words"),
        [
            ("Error while fetching: FileNotFoundError", None, "no Docker on this machine"),
            ("Error while fetching: ConnectionRefused", "tcp://127.0.0.1:1", r"DOCKER_HOST=tcp://127.0.0.1:1: is it"),
            ("Error while fetching: PermissionError(13, 'Permission denied')", "unix:///x", "group docker"),
        ],
    )
    def test_no_daemon(self, tmp_path, monkeypatch, message, host, words):
        """The error says what is missing: Docker, its daemon, or the permission to use it."""
        monkeypatch.setattr(docker, "from_env", _raise(message))
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        if host:
            monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(InfrastructureError, match=words):
            stack.connect()

    @pytest.mark.parametrize(
        ("script", "words"), [(None, "no `docker` command"), ("#!/bin/sh\nexit 1\n", "no `docker compose`")]
    )
    def test_no_compose(self, tmp_path, monkeypatch, script, words):
        """A missing docker command, and one without the plugin, are errors."""
        _docker_command(tmp_path, monkeypatch, script)
        with pytest.raises(InfrastructureError, match=words):
            stack.check_compose()

    def test_compose_version(self, tmp_path, monkeypatch):
        """The version is the one that the plugin prints."""
        _docker_command(tmp_path, monkeypatch, "#!/bin/sh\necho 2.26.1-4\n")
        assert "2.26.1-4" == stack.check_compose()


def _docker_command(directory, monkeypatch, script):
    if script:
        (directory / "docker").write_text(script)
        (directory / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """A docker command that records its calls; `up` does what the returned file says."""
    (tmp_path / stack.FILE).touch()
    up = tmp_path / "up"
    up.write_text("exit 0\n")
    _docker_command(
        tmp_path,
        monkeypatch,
        f"""#!/bin/sh
case "$*" in
*config*) echo 'a warning' >&2; echo '{{"name": "checkout"}}' ;;
*" up "*) echo up >>{tmp_path}/calls; . {up} ;;
*" down "*) echo down >>{tmp_path}/calls ;;
esac
""",
    )
    return up


class TestStart:
    def calls(self, directory):
        return (directory / "calls").read_text().split() if (directory / "calls").exists() else []

    def test_stack_starts(self, engine, compose, tmp_path):
        """The start, which can take minutes, is announced; a warning of Compose does not prevent it."""
        reports = []
        stack.start(tmp_path, reports.append)
        assert ["up"] == self.calls(tmp_path)
        assert "starting the stack" in reports[0]

    def test_start_fails(self, engine, compose, tmp_path):
        """The error has Compose's last lines without its progress, and the container's log; the stack is taken down."""
        compose.write_text("echo ' Container x  Started' >&2; echo 'the cause' >&2; exit 1\n")
        engine.append(make_container(directory=tmp_path, state=make_state("exited", ExitCode=2), logs=b"serve: no\n"))
        with pytest.raises(InfrastructureError) as error:
            stack.start(tmp_path, lambda _: None)
        assert "failed; the stack was taken down again:\n  the cause\n  daemon-default: serve: no" in str(error.value)
        assert ["up", "down"] == self.calls(tmp_path)

    def test_interrupted_start(self, engine, compose, tmp_path):
        """Ctrl-C during the start takes down what has been started."""
        compose.write_text("kill -INT $PPID; exec sleep 10\n")
        with pytest.raises(KeyboardInterrupt):
            stack.start(tmp_path, lambda _: None)
        assert ["up", "down"] == self.calls(tmp_path)

    @pytest.mark.parametrize(("project", "refused"), [("checkout", True), ("another", False)])
    def test_another_checkout(self, engine, compose, tmp_path, project, refused):
        """A running stack of the same project name prevents the start; nothing is started or taken down."""
        engine.append(make_container(directory="/srv/other", project=project))
        if refused:
            with pytest.raises(InfrastructureError, match=r"/srv/other.*COMPOSE_PROJECT_NAME"):
                stack.start(tmp_path, lambda _: None)
        else:
            stack.start(tmp_path, lambda _: None)
        assert ([] if refused else ["up"]) == self.calls(tmp_path)

    def test_no_file(self, engine, compose, tmp_path):
        """A directory without a Compose file is bad input."""
        (tmp_path / stack.FILE).unlink()
        with pytest.raises(BadInput, match=f"no {stack.FILE}"):
            stack.start(tmp_path, lambda _: None)

    def test_broken_stack_is_taken_down(self, engine, compose, tmp_path):
        """If a service has died after Compose succeeded, the stack is taken down."""
        compose.write_text("exit 0\n")

        def start(*_):
            engine.append(make_container(directory=tmp_path, mount=tmp_path, state=make_state("exited", ExitCode=1)))

        hosts = ComposeBackend(tmp_path, {}, start)
        with pytest.raises(InfrastructureError, match="exit code 1"):
            hosts.__enter__()
        assert ["up", "down"] == self.calls(tmp_path)

    def test_what_the_user_started_stays(self, engine, compose, tmp_path):
        """A stack that was running before is not stopped, however the run ends."""
        engine.append(make_container(directory=tmp_path, mount=tmp_path))
        with pytest.raises(KeyboardInterrupt), ComposeBackend(tmp_path, {}) as hosts:
            assert f"the stack of 1 service in {tmp_path}" == hosts.note
            raise KeyboardInterrupt
        assert [] == self.calls(tmp_path)


class TestChoice:
    def choose(self, choice, directory):
        return choose(choice, directory, {}, lambda _: None)

    def test_auto_prefers_a_running_stack(self, engine, tmp_path):
        """`auto` is the Compose backend if a stack of this directory runs, broken or not."""
        engine.append(make_container(directory=tmp_path, state=make_state(Health=UNHEALTHY)))
        assert "compose" == self.choose("auto", tmp_path).name

    def test_auto_without_stack_is_local(self, engine, tmp_path):
        """A stack of another directory does not count; the note says what is not covered."""
        engine.append(make_container(directory="/srv/other"))
        chosen = self.choose("auto", tmp_path)
        assert "local" == chosen.name
        assert f"no stack is running in {tmp_path}" in chosen.note
        assert "not covered: container restarts" in chosen.note

    def test_auto_without_docker_is_local(self, monkeypatch, tmp_path):
        """Without Docker `auto` is local, and the note says what is not covered."""
        monkeypatch.setattr(docker, "from_env", _raise("no"))
        chosen = self.choose("auto", tmp_path)
        assert ("local", True) == (chosen.name, "not covered" in chosen.note)

    @pytest.mark.parametrize(("choice", "kind"), [("local", LocalBackend), ("compose", ComposeBackend)])
    def test_a_choice_is_a_choice(self, engine, tmp_path, choice, kind):
        """A backend that was asked for by name is used, whatever runs."""
        chosen = self.choose(choice, tmp_path)
        assert isinstance(chosen, kind)
        assert not chosen.note

    def test_local_cannot_restart_containers(self):
        """Nothing is built for a case that the local backend cannot run."""
        with pytest.raises(MissingRuntime, match="needs the compose backend"):
            LocalBackend(lambda _: pytest.fail("built")).prepare(make_case(restart="container"))


class TestDoctor:
    def test_no_docker(self, monkeypatch):
        """The advice says that only the Compose backend needs Docker."""
        monkeypatch.setattr(docker, "from_env", _raise("no"))
        what, here, advice = diagnosis.docker()
        assert ("Docker", "-") == (what, here)
        assert "only for the compose backend" in advice

    def test_no_compose(self, engine, monkeypatch, tmp_path):
        """What is there is shown beside what is missing."""
        _docker_command(tmp_path, monkeypatch, None)
        _, here, advice = diagnosis.docker()
        assert "engine 20.10" == here
        assert "no `docker` command" in advice
