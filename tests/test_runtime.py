"""What is missing on a machine is reported, with how to get it."""

import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from build import make_apxs, make_interpreter

from harness import proc
from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.hosting import installed
from harness.hosting.preparing import mod_wsgi_requirement, prepare, prepare_for_python
from harness.runtimes import building
from harness.runtimes import interpreters as interpreters_module
from harness.runtimes.interpreters import describe, find_interpreter, interpreters
from harness.runtimes.spec import RuntimeSpec, declared_runtimes, spec_named

USER = "nobody"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without interpreters: PATH, pyenv and uv are empty directories."""
    for variable, name in (("PATH", "bin"), ("PYENV_ROOT", "pyenv"), ("UV_PYTHON_INSTALL_DIR", "uv")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    # The fixed directories of the system cannot be emptied: no interpreter there is called 3.77.
    return tmp_path


class TestDescribe:
    def test_this_interpreter(self):
        """An interpreter reports its version and where it is."""
        interpreter = describe(sys.executable)

        assert "%d.%d.%d" % sys.version_info[:3] == interpreter.version  # noqa: UP031 - as the interpreter writes it
        assert (sys.prefix, sys.base_prefix) == (interpreter.prefix, interpreter.base)
        assert "%d.%d" % sys.version_info[:2] == interpreter.minor  # noqa: UP031

    @pytest.mark.parametrize(
        "script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho not JSON\n", "#!/bin/sh\necho '{}'\n", "no program at all"]
    )
    def test_no_interpreter(self, tmp_path, script):
        """A file that is no interpreter has no description, and raises nothing."""
        file = tmp_path / "python"
        file.write_text(script)
        file.chmod(0o755)

        assert describe(str(file)) is None

    @pytest.mark.parametrize("name", ["none", ""])
    def test_missing_file(self, tmp_path, name):
        """Nor does a file that does not exist, or a directory."""
        assert describe(str(tmp_path / name)) is None

    def test_neutral_directory(self, tmp_path, monkeypatch):
        """A django/ in the current directory, or on PYTHONPATH, is not the interpreter's."""
        (tmp_path / "django").mkdir()
        (tmp_path / "django" / "__init__.py").write_text("get_version = lambda: '0.0.1'\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        again = tmp_path / "python"  # a path of its own: descriptions are remembered
        again.symlink_to(sys.executable)

        assert "0.0.1" != describe(str(again)).django


class TestFindInterpreter:
    def test_missing_2(self, machine):
        """uv, which has no Python 2, is not suggested for one."""
        with pytest.raises(MissingRuntime) as caught:
            find_interpreter("2.77")

        assert "uv python install" not in str(caught.value)
        assert "pyenv install 2.77" in str(caught.value)

    def test_missing_3(self, machine):
        """The error for a missing Python names its version and three ways to get it."""
        with pytest.raises(MissingRuntime) as caught:
            find_interpreter("3.77")

        message = str(caught.value)
        assert message.startswith("Python 3.77 is not on this machine (looked on PATH, in pyenv and uv): ")
        for cure in ("uv python install 3.77", "pyenv install 3.77", "python3.77 and its -dev package"):
            assert cure in message

    @pytest.mark.parametrize(
        "place", ["bin/python3.77", "pyenv/versions/3.77.1/bin/python", "uv/cpython-3.77.1-linux/bin/python"]
    )
    def test_all_places(self, machine, place):
        """An interpreter is found on PATH, in pyenv and in uv."""
        if place.startswith("pyenv"):
            (machine / "pyenv" / "versions").mkdir()
        make_interpreter(machine / place)

        assert [str(machine / place)] == [interpreter.executable for interpreter in interpreters("3.77")]

    def test_no_headers(self, machine):
        """The error for one without headers names its path and the package that has them."""
        path = make_interpreter(machine / "bin" / "python3.77")

        with pytest.raises(MissingRuntime) as caught:
            find_interpreter("3.77")
        expected = f"Python 3.77 ({path}) has no headers, which mod_wsgi needs: apt install python3.77-dev"
        assert expected == str(caught.value)

    def test_with_headers(self, machine):
        """One with headers is preferred to an earlier one without them."""
        make_interpreter(machine / "bin" / "python3.77")
        better = make_interpreter(machine / "uv" / "cpython-3.77" / "bin" / "python")
        (better.parent.parent / "lib").mkdir()
        (better.parent.parent / "include").mkdir()
        (better.parent.parent / "include" / "Python.h").touch()

        assert str(better) == find_interpreter("3.77").executable

    def test_virtual_environment(self, machine):
        """A virtual environment is no base interpreter."""
        make_interpreter(machine / "bin" / "python3.77", base="/elsewhere")

        assert [] == list(interpreters("3.77"))

    def test_other_version(self, machine):
        """One whose version is not the one in its name is ignored."""
        make_interpreter(machine / "bin" / "python3.77", minor="3.76")

        assert [] == list(interpreters("3.77"))

    def test_two_names(self, machine):
        """One with two names is listed once."""
        path = make_interpreter(machine / "bin" / "python3.77")
        (machine / "uv" / "cpython-3.77.1" / "bin").mkdir(parents=True)
        (machine / "uv" / "cpython-3.77.1" / "bin" / "python").symlink_to(path)

        assert 1 == len(list(interpreters("3.77")))


class TestSpecNamed:
    DECLARED = {  # noqa: RUF012 - read only
        "py311-django52": RuntimeSpec(python="3.11", django="django>=5.2"),
        "py27-django1": RuntimeSpec(python="2.7", django="django<2"),
    }

    def test_declared_name(self):
        """A declared runtime is found by its name."""
        assert self.DECLARED["py27-django1"] is spec_named("py27-django1", self.DECLARED)

    def test_nearest_name(self):
        """The error for another name has the nearest one and all that are declared."""
        with pytest.raises(BadInput) as caught:
            spec_named("py311-djago52", self.DECLARED)

        assert (
            "runtime 'py311-djago52' is not declared; did you mean 'py311-django52'? "
            "(declared: py27-django1, py311-django52)" == str(caught.value)
        )

    def test_builtin_runtimes(self):
        """The built-in runtimes are declared without a mistake."""
        assert "py311-django52" in declared_runtimes()

    def test_own_file(self, tmp_path):
        """A file of the user's adds to them."""
        (tmp_path / "own.toml").write_text('[runtimes.mine]\npython = "3.9"\ndjango = "django<4"\n')

        assert {"mine", "py311-django52"} <= set(declared_runtimes(tmp_path / "own.toml"))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('[runtimes.mine]\npyton = "3.9"\ndjango = "django<4"\n', ["pyton: unknown key", "'python'?"]),
            ('[runtimes.mine]\npython = "three"\ndjango = "django<4"\n', ["runtimes.mine.python", "'three'"]),
            ('[runtimes.mine]\npython = "3.9"\ndjango = "flask"\n', ["runtimes.mine.django", "'flask'"]),
            ("[runtimes.mine\n", ["not valid TOML", "line 1"]),
        ],
    )
    def test_mistakes_in_file(self, tmp_path, text, expected):
        """A mistake in it is reported with file and key."""
        (tmp_path / "own.toml").write_text(text)
        with pytest.raises(BadInput) as caught:
            declared_runtimes(tmp_path / "own.toml")

        assert [] == [part for part in [f"{tmp_path}/own.toml: ", *expected] if part not in str(caught.value)]


class TestPrepare:
    @pytest.mark.parametrize(
        ("compose", "expected"), [("", "its -dev package"), ("docker compose up", "container: `docker compose up`")]
    )
    def test_missing_python(self, machine, compose, expected):
        """A missing Python makes a missing runtime; the error names the container that has it."""
        with pytest.raises(MissingRuntime, match=r"Python 3\.77 is not on this machine") as caught:
            prepare("old", RuntimeSpec(python="3.77", django="django", compose=compose))

        assert str(caught.value).endswith(expected)

    def test_nothing_made(self, machine):
        """Nothing is built or downloaded for a Python that is missing."""
        with pytest.raises(MissingRuntime):
            prepare("old", RuntimeSpec(python="2.77", django="django==1.1.4", mod_wsgi="4.9.4"))

        assert [] == [path.name for path in (machine / "cache").iterdir() if path.is_dir()]


@pytest.fixture
def steps(machine, monkeypatch):
    """The commands of a build; they all succeed, and make what a later one needs."""
    made = []

    def step(self, *command, optional=False):
        made.append(command)
        if command[-2] == "venv" or command[0].endswith("/bin/virtualenv"):
            Path(command[-1]).mkdir(parents=True)
        if "download" in command:
            django = Path(command[command.index("--dest") + 1]) / "Django-1.1.4" / "django"
            django.mkdir(parents=True)
            (django / "django.mo").touch()
            (django.parent.parent / "Django-1.1.4.tar.gz").touch()

    monkeypatch.setattr(building.Build, "step", step)
    make_interpreter(machine / "bin" / "cc")
    monkeypatch.setenv("APXS", str(make_interpreter(machine / "bin" / "apxs")))
    return made


def build(machine, minor, *requirements):
    interpreter = describe(str(make_interpreter(machine / "bin" / f"python{minor}", minor)))
    (machine / "cache" / "runtimes").mkdir(parents=True, exist_ok=True)
    return building.make_environment(machine / "cache", "built", interpreter, list(requirements), lambda _: None)


class TestEnvironment:
    def test_python_3(self, machine, steps):
        """Python 3 makes its own environment, then pip installs, then everything is compiled."""
        home = build(machine, "3.77", "django==5.2", "mod_wsgi==6.1.1")

        assert [("-m", "venv"), ("-m", "pip"), ("-m", "compileall")] == [command[1:3] for command in steps]
        assert str(home) == steps[0][-1]

    def test_python_2(self, machine, steps):
        """Python 2 cannot: a virtualenv in the cache makes its environment, and keeps its data in the cache too."""
        build(machine, "2.77", "mod_wsgi==4.9.4")
        (tool, fetch, make, *_) = steps

        assert (sys.executable, "-m", "venv") == tool[:3]
        assert "virtualenv==20.15.1" == fetch[-1]
        assert str(machine / "bin" / "python2.77") == make[make.index("--python") + 1]
        assert make[0].startswith(f"{machine}/cache/tools/")
        assert make[make.index("--app-data") + 1].startswith(f"{machine}/cache/")

    def test_virtualenv_once(self, machine, steps):
        """That virtualenv is installed once."""
        build(machine, "2.77", "mod_wsgi==4.9.4")
        build(machine, "2.77", "mod_wsgi==4.9.4", "django==1.1.4")

        assert 1 == [command[-1] for command in steps].count("virtualenv==20.15.1")

    def test_complete_django(self, machine, steps):
        """An old Django gets what its wheel may lack from its source archive, which is deleted then."""
        home = build(machine, "2.77", "django==1.1.4", "mod_wsgi==4.9.4")

        assert (home / "lib" / "python2.77" / "site-packages" / "django" / "django.mo").is_file()
        assert not (home / "sources").exists()
        assert "compileall" == steps[-1][2]  # what was added is compiled too

    def test_built_once(self, machine, steps):
        """A complete environment is not built again; an incomplete one is."""
        home = build(machine, "3.77", "mod_wsgi==6.1.1")
        before = len(steps)
        build(machine, "3.77", "mod_wsgi==6.1.1")
        assert before == len(steps)

        (home / "complete").unlink()
        (home / "left-over").touch()
        build(machine, "3.77", "mod_wsgi==6.1.1")
        assert before < len(steps)
        assert not (home / "left-over").exists()


class TestFailingBuild:
    def test_nothing_left(self, machine, steps, monkeypatch):
        """A build that fails, or is interrupted, leaves neither a directory nor temporary files."""
        for error in (InfrastructureError("no"), KeyboardInterrupt()):

            def fail(self, *command, optional=False, error=error):
                raise error

            monkeypatch.setattr(building.Build, "step", fail)
            with pytest.raises(type(error)):
                build(machine, "3.77", "mod_wsgi==6.1.1")

            assert [] == [path for path in (machine / "cache" / "runtimes").iterdir() if path.is_dir()]

    def test_cannot_be_written(self, machine, steps):
        """A cache that cannot be written to, or a full disk, is an error of one sentence."""
        (machine / "cache").mkdir()
        (machine / "cache" / "runtimes").touch()
        interpreter = describe(str(make_interpreter(machine / "bin" / "python3.77")))

        with pytest.raises(InfrastructureError, match="cannot be made: File exists; see HARNESS_CACHE"):
            building.make_environment(machine / "cache", "built", interpreter, [], lambda _: None)


class TestBuild:
    def test_failing_step(self, tmp_path):
        """The error for a failing step has the last lines; an optional one may fail."""
        steps = building.Build(tmp_path / "log")
        steps.step("sh", "-c", "echo first")
        steps.step("sh", "-c", "echo second; exit 1", optional=True)
        with pytest.raises(InfrastructureError) as caught:
            steps.step("sh", "-c", "echo third; exit 1")

        assert "first\n  second\n  third" in str(caught.value)

    def test_no_program(self, tmp_path):
        """A program that does not exist is an error with one sentence."""
        with pytest.raises(InfrastructureError, match="`nothing-like-it` cannot be run: No such file"):
            building.Build(tmp_path / "log").step("nothing-like-it")


class TestInterpreterEnvironment:
    @pytest.mark.parametrize(("minor", "written"), [("2.7", False), ("3.7", False), ("3.8", True), ("3.14", True)])
    def test_bytecode_in_tree(self, machine, minor, written):
        """An interpreter that could write bytecode only beside the sources, in the user's tree, writes none."""
        interpreter = describe(str(make_interpreter(machine / "bin" / f"python{minor}", minor)))

        assert written == ("PYTHONDONTWRITEBYTECODE" not in building.interpreter_environment(interpreter))


class TestReachable:
    def test_copied_once(self, machine, monkeypatch):
        """An interpreter that the server's user cannot reach is copied, without packages and tests, once."""
        source = make_interpreter(machine / "home" / "bin" / "python2.77", "2.77")
        library = machine / "home" / "lib" / "python2.77"
        for name in ("os.py", "site-packages/private.py", "test/test_os.py"):
            (library / name).parent.mkdir(parents=True, exist_ok=True)
            (library / name).touch()
        monkeypatch.setattr(proc, "server_user", lambda: ("somebody", "somebody"))
        monkeypatch.setattr(proc, "barred_directory", lambda *_: machine / "home")
        reports = []
        for _ in range(2):
            building.reachable(describe(str(source)), machine / "cache", reports.append)
        (copy,) = (machine / "cache" / "interpreters").glob("2.77*/lib/python2.77")

        assert [f"copying Python 2.77.1 from {machine}/home, which the server's user cannot enter"] == reports
        assert ["os.py", "site-packages"] == sorted(path.name for path in copy.iterdir())
        assert [] == list((copy / "site-packages").iterdir())


class TestPrepareForPython:
    def complaint(self, kind, python):
        with pytest.raises(kind) as caught:
            prepare_for_python(python)
        return str(caught.value)

    @pytest.mark.parametrize("name", ["", "bin/python"])
    def test_no_interpreter(self, machine, name):
        """A path that is no interpreter, or an environment without one, is bad input."""
        (machine / "env").mkdir()

        assert f"--python {machine}/env/bin/python: no such interpreter, or it does not run" == self.complaint(
            BadInput, machine / "env" / name
        )

    @pytest.mark.parametrize("name", ["", "bin/python"])
    @pytest.mark.parametrize("django", [None, "5.2"])
    def test_no_headers(self, machine, name, django):
        """One whose base has no headers is a missing runtime, with or without Django."""
        make_interpreter(machine / "env" / "bin" / "python", django=django, base=str(machine))
        make_interpreter(machine / "bin" / "python3.77")

        assert (
            f"Python 3.77 in {machine} has no headers, which mod_wsgi needs: apt install python3.77-dev"
            == self.complaint(MissingRuntime, machine / "env" / name)
        )

    def test_no_base(self, machine):
        """So is one whose base is gone."""
        make_interpreter(machine / "env" / "bin" / "python", base=str(machine / "gone"))

        assert f"Python 3.77 in {machine}/gone has no headers" in self.complaint(MissingRuntime, machine / "env")


class TestApxs:
    def test_named_apxs(self, machine, monkeypatch):
        """$APXS selects the httpd that mod_wsgi is built for; set but empty, mod_wsgi's own."""
        monkeypatch.setenv("APXS", str(make_apxs(machine / "opt")))
        assert "mod_wsgi==6.1.1" == mod_wsgi_requirement("6.1.1")

        monkeypatch.setenv("APXS", "")
        assert "mod_wsgi-standalone==6.1.1" == mod_wsgi_requirement("6.1.1")

    @pytest.mark.parametrize("name", ["none", "file"])
    def test_no_program(self, machine, monkeypatch, name):
        """An $APXS that is no program is a missing runtime; the error says what to do."""
        (machine / "file").touch()
        monkeypatch.setenv("APXS", str(machine / name))

        with pytest.raises(
            MissingRuntime, match=f"APXS={machine}/{name}: .*; apt install apache2 apache2-dev, or unset APXS"
        ):
            mod_wsgi_requirement("6.1.1")

    @pytest.mark.parametrize(("expected", "name"), [("mod_wsgi==5", "apxs2"), ("mod_wsgi-standalone==5", "other")])
    def test_apxs_on_path(self, machine, monkeypatch, expected, name):
        """Without $APXS the one on PATH is used, if there is one."""
        monkeypatch.delenv("APXS", raising=False)
        monkeypatch.setattr(installed, "PLACES", ())
        make_apxs(machine).rename(machine / "bin" / name)

        assert expected == mod_wsgi_requirement("5")


@pytest.fixture
def tree():
    """A file four directories deep, all of them open to everybody."""
    root = Path(tempfile.mkdtemp()).resolve()  # not tmp_path, which is closed to others
    try:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            pytest.skip(f"there is no user {USER} on this machine")
        if barred := proc.barred_directory(root.parent, USER):
            pytest.skip(f"{USER} cannot even enter {barred}")
        file = root / "a" / "b" / "file"
        file.parent.mkdir(parents=True)
        file.touch()
        for directory in (root, root / "a", root / "a" / "b"):
            directory.chmod(0o755)
        file.chmod(0o644)
        yield root
    finally:
        shutil.rmtree(root)


class TestBarredDirectory:
    def barred(self, path, **options):
        return proc.barred_directory(path, USER, **options)

    @pytest.mark.parametrize("name", ["a", "a/b", "a/b/file"])
    def test_open_way(self, tree, name):
        """A path that is open to everybody has no barred directory."""
        assert self.barred(tree / name) is None

    @pytest.mark.parametrize("mode", [0o700, 0o750, 0o754])
    def test_first_barred(self, tree, mode):
        """The first directory that cannot be entered is returned, not a later one."""
        (tree / "a").chmod(mode)
        (tree / "a" / "b").chmod(0o700)

        assert tree / "a" == self.barred(tree / "a" / "b" / "file")

    def test_pass_only(self, tree):
        """A directory on the way need only be entered; at the end it must be readable too."""
        (tree / "a").chmod(0o711)

        assert self.barred(tree / "a" / "b" / "file") is None
        assert tree / "a" == self.barred(tree / "a")
        assert self.barred(tree / "a", readable=False) is None

    def test_unreadable_end(self, tree):
        """A file that cannot be read is returned itself, unless it need not be readable."""
        (tree / "a" / "b" / "file").chmod(0o600)

        assert tree / "a" / "b" / "file" == self.barred(tree / "a" / "b" / "file")
        assert self.barred(tree / "a" / "b" / "file", readable=False) is None

    def test_through_link(self, tree):
        """The target of a link is checked too."""
        (tree / "link").symlink_to(tree / "a" / "b")
        assert self.barred(tree / "link" / "file") is None

        (tree / "a").chmod(0o700)
        assert tree / "a" == self.barred(tree / "link" / "file")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    @pytest.mark.parametrize(
        ("expected", "mode"),
        [(None, 0o710), (None, 0o711), ("a", 0o701), ("a", 0o700)],
        ids=["710", "711", "701", "700"],
    )
    def test_group_bits(self, tree, expected, mode):
        """For a member of its group only the group's bits count."""
        os.chown(tree / "a", -1, pwd.getpwnam(USER).pw_gid)
        (tree / "a").chmod(mode)

        assert (expected and tree / expected) == self.barred(tree / "a" / "b" / "file")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    @pytest.mark.parametrize(("expected", "mode"), [(None, 0o100), ("a", 0o077)], ids=["100", "077"])
    def test_owner_bits(self, tree, expected, mode):
        """For its owner only the owner's bits count."""
        os.chown(tree / "a", pwd.getpwnam(USER).pw_uid, -1)
        (tree / "a").chmod(mode)

        assert (expected and tree / expected) == self.barred(tree / "a" / "b" / "file")


class TestServerUser:
    def test_root_only(self, monkeypatch):
        """Started by root, a server drops to an unprivileged user; any other user needs none."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert proc.server_user()[0] in {entry.pw_name for entry in pwd.getpwall()} - {"root"}

        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert ("", "") == proc.server_user()


class TestFindFirst:
    @pytest.fixture(autouse=True)
    def only_one(self, monkeypatch):
        """A machine whose only Python is 3.12."""

        def find(minor):
            if minor != "3.12":
                raise MissingRuntime(f"Python {minor} is not on this machine")
            return minor

        monkeypatch.setattr(interpreters_module, "find_interpreter", find)

    def test_first_present(self):
        """The first version that is on the machine is used, whatever precedes it in the list."""
        assert "3.12" == interpreters_module.find_first(["3.11", "3.12", "3.13"])

    def test_none_present(self):
        """If none is, the error names all of them."""
        with pytest.raises(MissingRuntime, match=r"Python 3\.13 is not .*nor is Python 3\.14"):
            interpreters_module.find_first(["3.13", "3.14"])
