"""The Compose stack: who may write into what is mounted, what is data and what is a program, and what has a limit."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from docker.models.containers import ExecResult
from packaging.requirements import Requirement
from test_stack import make_container

from harness.hosting.service import ComposeServer, Service
from harness.runtimes.spec import declared_runtimes

pytestmark = pytest.mark.hostile
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path):
    """A service that has been taken; its commands run here, as this user."""
    mount = tmp_path / "mounted"
    mount.mkdir()
    mount.chmod(0o777)
    container = make_container(mount=mount, directory=tmp_path)

    def run(command, **_):
        here = [word.replace("/harness", str(mount), 1) if word.startswith("/harness") else word for word in command]
        return ExecResult(0, (subprocess.run(here, capture_output=True, check=True).stdout, b""))

    container.exec_run = run
    server = ComposeServer(Service(container), [], Path("x.wsgi"))
    server.take()
    yield server
    server._lock.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_mounted_directory(server, tmp_path):
    """Other users of the machine may not enter; the container's group writes recordings and the log, nothing else."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "views.py").touch()
    (tmp_path / "site" / "views.py").chmod(0o666)
    server.put_site(tmp_path / "site")
    server.configure("Listen 8080", {"A": "b"})
    mounted = server.directory.parent
    assert 0o750 == mode(mounted)
    writable = {str(path.relative_to(mounted)): oct(mode(path)) for path in mounted.rglob("*") if mode(path) & 0o022}
    assert {"run/events": "0o770", "run/error.log": "0o660"} == writable
    # Root needs no pipe that others may write to.
    assert (os.geteuid() != 0) == (server.directory / "shared").exists()


def test_link_planted_by_the_site(server, tmp_path):
    """What processes of the container put into the mounted directory is not opened up in its place."""
    secret = tmp_path / "secret"
    secret.touch()
    secret.chmod(0o600)
    (server.directory / "events" / "1-1").symlink_to(secret)
    server.configure("Listen 8080", {})
    assert 0o600 == mode(secret)


VALUES = {"A": "$(touch ran)", "B": 'it\'s "quoted" `touch ran`', "C_1": "two\nlines; touch ran", "D": "", "E": "a=b"}


@pytest.fixture
def serve(tmp_path):
    """docker/serve with its mounted directory here, and a httpd that prints its environment."""
    conf = tmp_path / "harness" / "conf"
    conf.mkdir(parents=True)
    (conf / "httpd.conf").touch()
    script = tmp_path / "serve"
    script.write_text((ROOT / "docker" / "serve").read_text().replace("/harness/", f"{tmp_path}/harness/"))
    httpd = tmp_path / "httpd"
    httpd.write_text("#!/bin/sh\nexec env -0\n")
    httpd.chmod(0o755)

    def serve(content):
        (conf / "environment").write_bytes(content)
        done = subprocess.run(
            ["bash", script], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False
        )
        assert not (tmp_path / "ran").exists()
        return done

    return serve


def test_environment_is_data(serve):
    """Values arrive as they are, whatever a shell would take them for."""
    done = serve("".join(f"{name}={value}\0" for name, value in VALUES.items()).encode())
    assert 0 == done.returncode, done.stderr
    given = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if "=" in pair)
    assert VALUES == {name: given[name] for name in VALUES}


@pytest.mark.parametrize("content", [b"touch ran\0", b"A B=c\0", b"-i\0", b"=x\0", b"a[$(touch ran)]=1\0"])
def test_environment_that_is_none(serve, content):
    """What is no variable is refused, and nothing of it is run."""
    done = serve(content)
    assert (2, b"not NAME=VALUE") == (done.returncode, done.stderr.strip()[-14:])


def test_every_service_has_limits():
    """Memory, processes, no capabilities, an init; published on the loopback interface alone."""
    text = (ROOT / "docker-compose.yml").read_text()
    shared = text.partition("x-service: &service")[2].partition("\nx-django6")[0]
    for key in ("init: true", "mem_limit:", "pids_limit:", "cap_drop: [ALL]", "read_only: true", "no-new-privileges"):
        assert key in shared
    services = re.split(
        r"^  (?=[a-z][\w-]*:$)", text.partition("\nservices:\n")[2].partition("\nvolumes:")[0], flags=re.M
    )
    services = [block for block in services if block.strip() and not block.lstrip().startswith("#")]
    assert len(services) > 12
    for block in services:
        assert re.search(r"<<: (\*service|\[.*\*service\])", block), block
        assert "privileged" not in block
        assert "docker.sock" not in block
    ports = re.findall(r"ports: \[(.*)\]", text)
    assert len(ports) > 12
    assert all(port.startswith('"127.0.0.1:') for port in ports)


@pytest.mark.parametrize("path", sorted((ROOT / "docker").rglob("*Dockerfile")), ids=str)
def test_images_install_by_digest(path):
    """Whatever an image installs from PyPI has a digest."""
    text = path.read_text()
    if "pip" in text:
        assert "PIP_REQUIRE_HASHES=1" in text or text.count("pip install") == text.count("--require-hashes")


@pytest.mark.parametrize(
    "path", ["requirements.txt", "build-requirements.txt", "load/requirements.txt", "telemetry/requirements.txt",
             "vintage/requirements.txt", "vintage/virtualenv.txt"],
)  # fmt: skip
def test_requirements_have_digests(path):
    """Each is one version, with the digest of each of its files."""
    text = (ROOT / "docker" / path).read_text()
    blocks = re.findall(r"^[A-Za-z].*(?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)*", text, re.MULTILINE)
    assert blocks
    for block in blocks:
        assert re.match(r"[A-Za-z0-9_.-]+==[0-9][\w.]*", block)
        assert "--hash=sha256:" in block


def test_an_unknown_version_has_no_digest():
    """A version whose digests nobody has looked up is not installed."""
    command = [ROOT / "docker" / "pinned", ROOT / "docker" / "requirements.txt"]
    done = subprocess.run([*command, "django==5.2.19", "mod_wsgi==6.1.1"], capture_output=True, text=True, check=True)
    assert ["asgiref", "django", "mod-wsgi", "sqlparse"] == re.findall(r"^([a-z-]+)==", done.stdout, re.MULTILINE)
    done = subprocess.run([*command, "django==5.2.18"], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "no digests of django==5.2.18" in done.stderr


def test_runtimes_are_pins():
    """A runtime is one release of Django, the same one tomorrow."""
    for name, spec in declared_runtimes().items():
        (clause,) = Requirement(spec.django).specifier
        assert ("==", False) == (clause.operator, "*" in clause.version), name
