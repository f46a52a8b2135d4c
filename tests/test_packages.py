"""What is missing on a machine is named as its own package manager names it."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runtimes import packages

ROOT = Path(packages.__file__).parents[2]


@pytest.fixture
def on(monkeypatch):
    """On a system with this os-release."""

    def choose(**release):
        monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)

    return choose


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"ID": "debian"}, "apt install apache2 apache2-dev python3.13-dev"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt install apache2 apache2-dev python3.13-dev"),
        ({"ID": "fedora"}, "dnf install httpd httpd-devel redhat-rpm-config python3.13-devel"),
        (
            {"ID": "rocky", "ID_LIKE": "rhel centos fedora"},
            "dnf install httpd httpd-devel redhat-rpm-config python3.13",
        ),
        ({"ID": "arch"}, "pacman -S apache python"),
        ({"ID": "alpine"}, "apk add apache2 apache2-dev python3-dev"),
        (
            {"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"},
            "zypper install apache2 apache2-devel python313-dev",
        ),
        (
            {"ID": "slackware"},
            "your system's packages of the kind of apache2 apache2-dev python3.13-dev (Debian) or httpd",
        ),
    ],
)
def test_install_command(on, release, expected):
    """The command and the names are those of the system, or of the one that it is like; else two are told."""
    on(**release)

    assert packages.install_command("httpd", "headers", minor="3.13").startswith(expected)


def test_every_need_named():
    """Each package manager has a name for all that can be missing."""
    needs = {frozenset(manager.names) for manager in packages._MANAGERS.values()}

    assert 1 == len(needs)


def test_no_os_release(monkeypatch):
    """A system without os-release has a name, and a command, all the same."""

    def missing():
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", missing)

    assert platform.system() == packages.system_name()
    assert packages.install_command("compiler").startswith("your system's packages")


@pytest.mark.parametrize("name", ["darwin", "freebsd14"])
def test_other_system(monkeypatch, name):
    """On another system than Linux one sentence says that it will not do, and what does."""
    monkeypatch.setattr(sys, "platform", name)

    sentence = packages.unsupported_system()

    assert sentence.startswith("the local backend needs Linux")
    assert "apt install apache2 apache2-dev" in sentence
    assert "\n" not in sentence


def test_linux():
    """Linux has no such sentence."""
    assert "" == packages.unsupported_system()


class TestMissingHere:
    def test_all_named(self, on, monkeypatch):
        """All that is missing is named at once, and one command installs it."""
        on(ID="debian", PRETTY_NAME="Debian")
        monkeypatch.setattr(packages, "find_spec", lambda _: None)
        monkeypatch.setattr(packages, "find_compiler", lambda: None)
        monkeypatch.setattr(packages.sysconfig, "get_path", lambda _: "/nowhere")
        minor = "%d.%d" % sys.version_info[:2]  # noqa: UP031

        sentence = packages.missing_here()

        assert f"venv of Python {minor}, headers of Python {minor}, a C compiler" in sentence
        assert sentence.endswith(f": apt install python{minor}-venv python{minor}-dev gcc libc6-dev")

    def test_wanted_only(self, monkeypatch):
        """Who wants only one of them is told only of that."""
        monkeypatch.setattr(packages, "find_compiler", lambda: None)

        assert "a C compiler" in packages.missing_here("compiler")
        assert "" == packages.missing_here("venv")

    def test_standard_library_only(self):
        """`make demo` asks before anything is installed: nothing but the standard library is imported."""
        names = "msgspec", "click", "pydantic", "psutil"
        program = (
            "import sys, runpy\n"
            f"sys.modules.update(dict.fromkeys({names!r}))\n"
            "sys.argv = ['packages', 'venv']\n"
            "runpy.run_module('harness.runtimes.packages', run_name='__main__')\n"
        )

        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

        assert (0, "") == (done.returncode, done.stderr)
