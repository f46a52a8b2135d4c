"""Programs and bytecode that another user, or another site, could have put somewhere are not run."""

import os
import stat
import time
from pathlib import Path

import pytest
from build import make_case, make_interpreter

from harness import proc
from harness.errors import BadInput
from harness.parity.observation import recordings
from harness.runtimes import building, bytecode, interpreters
from harness.runtimes.building import Runtime, cache_directory

pytestmark = pytest.mark.hostile
ROOT = os.geteuid() == 0


class TestCache:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    def test_made(self, cache):
        """Under a lax umask too, the cache is its user's alone to write."""
        before = os.umask(0)
        try:
            assert cache == cache_directory()
        finally:
            os.umask(before)
        assert 0o755 == stat.S_IMODE(cache.stat().st_mode)
        assert cache == cache_directory()

    @pytest.mark.parametrize("place", ["", "runtimes", "interpreters", "tools"])
    def test_writable_by_all(self, cache, place):
        """Where every user may put programs, none is run."""
        (cache / place).mkdir(parents=True)
        cache.chmod(0o755)
        (cache / place).chmod(0o1777)
        with pytest.raises(BadInput, match="every user of this machine may write there"):
            cache_directory()

    @pytest.mark.skipif(not ROOT, reason="only root can give files away")
    @pytest.mark.parametrize("place", ["", "runtimes"])
    def test_of_another_user(self, cache, place):
        """A .harness that another user has made in this directory is refused."""
        (cache / place).mkdir(parents=True)
        os.chown(cache / place, 12345, 12345)
        with pytest.raises(BadInput, match="belongs to another user"):
            cache_directory()

    def test_runtime_that_all_may_write(self, cache):
        """A runtime in which everybody may replace the interpreter is not used."""
        interpreter = interpreters.describe(str(make_interpreter(cache.parent / "bin" / "python")))
        arguments = (cache_directory(), "mine", interpreter, ["django==5.2.19"], lambda _: None)
        identity = [interpreter.version, interpreter.base, ["django==5.2.19"], None, ""]
        home = cache / "runtimes" / f"mine-{building._key(building.json.dumps(identity))}"
        home.mkdir(parents=True)
        (home / "complete").touch()
        assert home == building.make_environment(*arguments)
        home.chmod(0o777)
        with pytest.raises(BadInput, match="every user"):
            building.make_environment(*arguments)

    def test_builds_under_a_lax_umask(self, tmp_path):
        """What is built can be changed by its user alone."""
        before = os.umask(0)
        try:
            building.Build(tmp_path / "log").step("touch", str(tmp_path / "built"))
        finally:
            os.umask(before)
        assert 0o644 == stat.S_IMODE((tmp_path / "built").stat().st_mode)


class TestPath:
    @pytest.fixture(autouse=True)
    def trap(self, tmp_path, monkeypatch):
        """A working directory with programs in it, which is on PATH."""
        for name in ("python3.99", "apxs", "setpriv", "docker"):
            make_interpreter(tmp_path / "here" / name, minor="3.99")
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
        monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))

    @pytest.mark.parametrize("entries", [".", "", "./", "../here"])
    def test_working_directory(self, monkeypatch, entries):
        """An entry that depends on the working directory is passed over."""
        monkeypatch.setenv("PATH", f"{entries}:/usr/bin")
        assert "/usr/bin" == proc.search_path() == interpreters.clean_environment()["PATH"]
        assert proc.program("apxs") in (None, "/usr/bin/apxs")
        assert [] == list(interpreters.interpreters("3.99"))

    def test_other_entries(self, monkeypatch):
        """One that was named by its whole path is used."""
        monkeypatch.setenv("PATH", f"{Path.cwd()}:/usr/bin")
        assert str(Path.cwd() / "apxs") == proc.program("apxs")
        assert ["3.99.1"] == [found.version for found in interpreters.interpreters("3.99")]


class TestBytecode:
    @pytest.fixture
    def sites(self, tmp_path):
        """Two sites with the same files."""
        for name in ("one", "two"):
            (tmp_path / name / "shop").mkdir(parents=True)
            (tmp_path / name / "shop" / "views.py").write_text("A = 1\n")
        return tmp_path / "one", tmp_path / "two"

    def runtime(self, tmp_path):
        return Runtime("here", Path("python"), tmp_path, (), tmp_path / "cache" / "bytecode" / "build", {}, {})

    def where(self, tmp_path, site):
        case = make_case(site_dir=site)
        return Path(self.runtime(tmp_path).environment_for(case, proc.server_user()[0])["PYTHONPYCACHEPREFIX"])

    def test_each_site_has_its_own(self, tmp_path, sites):
        """What one site has left is run by no other, and not after its files have changed."""
        one, two = (self.where(tmp_path, site) for site in sites)
        assert one != two
        assert one == self.where(tmp_path, sites[0])
        views = sites[0] / "shop" / "views.py"
        info = views.stat()
        views.write_text("A = 2\n")
        os.utime(views, ns=(info.st_atime_ns, info.st_mtime_ns))  # as Python's own check would not notice
        assert one != self.where(tmp_path, sites[0])

    def test_what_does_not_count(self, tmp_path, sites):
        """What is no source of the site does not cost it its bytecode."""
        before = self.where(tmp_path, sites[0])
        (sites[0] / ".git").mkdir()
        (sites[0] / ".git" / "x.py").touch()
        (sites[0] / "db.sqlite3").touch()
        os.mkfifo(sites[0] / "pipe.py")
        assert before == self.where(tmp_path, sites[0])

    def test_owner(self, tmp_path, sites):
        """The server's user writes in its site's directory, and not beside it; nobody else enters it."""
        place = self.where(tmp_path, sites[0])
        assert 0o700 == stat.S_IMODE(place.stat().st_mode)
        if ROOT:
            assert 0 != place.stat().st_uid
            assert (0, 0) == (place.parent.stat().st_uid, stat.S_IMODE(place.parent.stat().st_mode) & 0o022)

    def test_too_large(self, tmp_path, sites, monkeypatch):
        """A site that is too large to be told apart shares with nobody, not even with itself."""
        monkeypatch.setattr(bytecode, "MAX_BYTES", 3)
        assert self.where(tmp_path, sites[0]) != self.where(tmp_path, sites[0])

    def test_does_not_grow(self, tmp_path, sites, monkeypatch):
        """Directories that were not used for long are deleted; the newest stay."""
        monkeypatch.setattr(bytecode, "MOST_KEPT", 2)
        root = tmp_path / "cache" / "bytecode"
        (tmp_path / "kept").mkdir()
        for number in range(4):
            (root / f"{number}").mkdir(parents=True)
            (root / f"{number}" / "link").symlink_to(tmp_path / "kept")
            os.utime(root / f"{number}", times=(time.time() - 1e6 + number,) * 2)
        (root / "3").touch()  # used a moment ago
        newest = self.where(tmp_path, sites[1])
        assert ["2", "3", newest.name] == sorted(path.name for path in root.iterdir())
        assert (tmp_path / "kept").is_dir()


def test_recordings_of_parity(tmp_path):
    """What a site puts in place of its recordings is neither followed nor waited for."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"hunter2\n")
    events = tmp_path / "events"
    events.mkdir()
    (events / "link.jsonl").symlink_to(secret)
    os.mkfifo(events / "pipe.jsonl")
    assert [] == list(recordings(events, os.geteuid()))
    (events / "real.jsonl").write_bytes(b"{}\n")
    mine, other = os.geteuid(), os.geteuid() + 1
    assert ([b"{}\n"], []) == (list(recordings(events, mine)), list(recordings(events, other)))
