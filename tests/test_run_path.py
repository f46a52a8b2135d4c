"""A program that was built elsewhere finds its libraries beside it, and nowhere else."""

import shutil
import subprocess

import pytest

from harness.errors import InfrastructureError
from harness.hosting.run_path import mend, set_run_path

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
DTAGS = ("--enable-new-dtags", "--disable-new-dtags")


def compiled(source, file, *options):
    subprocess.run(["cc", "-x", "c", "-", "-o", file, *options], input=source.encode(), check=True)
    return file


@pytest.fixture
def make_server(tmp_path):
    """A program, built in one directory and moved to another, whose library needs another library."""

    def make(dtags):
        built = tmp_path / "built-in-a-directory-of-some-length"
        for name in ("bin", "lib", "modules"):
            (built / name).mkdir(parents=True)
        paths = [f"-L{built}/lib", f"-Wl,{dtags},-rpath,{built}/lib"]
        compiled("int inner() { return 42; }", built / "lib" / "libinner.so", "-shared", "-fPIC")
        compiled(
            "int inner(); int outer() { return inner(); }",
            built / "lib" / "libouter.so",
            *("-shared", "-fPIC", *paths, "-Wl,--no-as-needed", "-linner"),
        )
        compiled("int outer(); int main() { return outer(); }", built / "bin" / "httpd", *paths, "-louter", "-linner")
        (built / "bin" / "apxs").write_text("#!/bin/sh\n")
        return built.rename(tmp_path / "moved")

    return make


def code(server):
    return subprocess.run([server / "bin" / "httpd"], check=False, capture_output=True).returncode


@pytest.mark.parametrize("dtags", DTAGS)
def test_moved_server(make_server, dtags):
    """Before it is mended it does not start; after, its libraries are found in its lib directory, also when moved."""
    server = make_server(dtags)
    assert 127 == code(server)

    mend(server)
    mend(server)  # once more changes nothing

    assert 42 == code(server)
    assert 42 == code(server.rename(server.with_name("again")))


def test_old_directory(make_server, tmp_path):
    """Whoever makes the build's directory anew no longer puts libraries into the program."""
    server = make_server(DTAGS[0])
    mend(server)
    theirs = tmp_path / "built-in-a-directory-of-some-length" / "lib"
    theirs.mkdir(parents=True)
    compiled("int outer() { return 7; }", theirs / "libouter.so", "-shared", "-fPIC")

    assert 42 == code(server)


def test_no_run_path(tmp_path):
    """Files without a run path stay as they are: a plain program, a script, an empty and a truncated file."""
    program = compiled("int main() { return 0; }", tmp_path / "program")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "empty").touch()
    (tmp_path / "truncated").write_bytes(program.read_bytes()[:100])

    for name in ("program", "script", "empty", "truncated"):
        before = (tmp_path / name).read_bytes()
        assert not set_run_path(tmp_path / name, "$ORIGIN/../lib")
        assert before == (tmp_path / name).read_bytes()


def test_no_room(tmp_path):
    """A run path that is shorter than the new one cannot be replaced: an error, and the file as it was."""
    program = compiled("int main() { return 0; }", tmp_path / "program", "-Wl,-rpath,/a")
    before = program.read_bytes()

    with pytest.raises(InfrastructureError, match="no room"):
        set_run_path(program, "$ORIGIN/../lib")
    assert before == program.read_bytes()
