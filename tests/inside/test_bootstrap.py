"""Where `harness.bootstrap` finds a site, and what it answers to bad input: in every interpreter of this machine."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TODAY = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}.settings")\n'
IN_2010 = "import settings\nfrom django.core.management import execute_manager\nexecute_manager(settings)\n"
PRELUDE = """
import json, os, sys
sys.path.insert(0, {bootstrap!r})
import harness_bootstrap as b
sys.path.pop(0)

def told(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except b.BootstrapError as error:
        return str(error)
"""


def run(python, code, **environment):
    """What a piece of code prints as JSON, in an interpreter that has the bootstrap as `b`."""
    prelude = PRELUDE.format(bootstrap=str(ROOT / "bootstrap"))
    done = subprocess.run(
        [python, "-B", "-c", prelude + code], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write(directory, files):
    """A directory with these files."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def find(python, directory, settings=None, **environment):
    """[directory, settings, parent], or the error."""
    return run(python, f"print(json.dumps(told(b.find_site, {str(directory)!r}, {settings!r})))", **environment)


class TestFindSite:
    def test_today(self, python, tmp_path):
        """manage.py names the settings: the site's directory is all that sys.path needs."""
        write(tmp_path, {"manage.py": TODAY.format("shop"), "shop/settings.py": "", "other/settings.py": ""})

        assert [str(tmp_path), "shop.settings", None] == find(python, tmp_path)

    def test_comment(self, python, tmp_path):
        """Settings that are named in a comment of manage.py are not named."""
        write(tmp_path, {"manage.py": "# " + TODAY.format("old").splitlines()[1] + "\n" + TODAY.format("shop")})

        assert "shop.settings" == find(python, tmp_path)[1]

    def test_2010(self, python, tmp_path):
        """settings.py beside manage.py: the directory is the package, and its parent is needed to import it."""
        site = write(tmp_path / "shop", {"manage.py": IN_2010, "settings.py": "", "__init__.py": ""})

        assert [str(site), "shop.settings", str(tmp_path)] == find(python, site)

    def test_2010_without_init(self, python, tmp_path):
        """In that layout the directory must be a package."""
        site = write(tmp_path / "shop", {"manage.py": IN_2010, "settings.py": ""})

        assert "it needs an __init__.py" in find(python, site)

    def test_2010_no_name(self, python, tmp_path):
        """... with a name that can be imported."""
        site = write(tmp_path / "my-shop", {"manage.py": IN_2010, "settings.py": "", "__init__.py": ""})

        assert "my-shop" in find(python, site)
        assert "is no name of a package" in find(python, site)

    def test_only_candidate(self, python, tmp_path):
        """Without manage.py the only package with settings is the site's."""
        write(tmp_path, {"shop/settings/__init__.py": "", "shop/__init__.py": "", "docs/readme": ""})

        assert "shop.settings" == find(python, tmp_path)[1]

    def test_two_candidates(self, python, tmp_path):
        """Two of them, and nothing that settles it: both are named, and how to say which."""
        write(tmp_path, {"a/settings.py": "", "b/settings.py": ""})

        error = find(python, tmp_path)
        assert "there are several settings (a.settings, b.settings)" in error
        assert 'settings="a.settings"' in error
        assert "b.settings" == find(python, tmp_path, "b.settings")[1]

    def test_two_named(self, python, tmp_path):
        """A manage.py that names two settings does not settle it either."""
        write(tmp_path, {"manage.py": TODAY.format("a") + TODAY.format("b"), "a/settings.py": "", "b/settings.py": ""})

        assert "manage.py names several settings" in find(python, tmp_path)

    def test_environment(self, python, tmp_path):
        """The environment settles it, as it does for manage.py; but not with the name of another site's settings."""
        write(tmp_path, {"manage.py": TODAY.format("shop"), "shop/settings.py": "", "shop/live.py": ""})

        assert "shop.live" == find(python, tmp_path, DJANGO_SETTINGS_MODULE="shop.live")[1]
        assert "shop.settings" == find(python, tmp_path, DJANGO_SETTINGS_MODULE="elsewhere.settings")[1]

    def test_settings_elsewhere(self, python, tmp_path):
        """Settings that lie elsewhere, as an installed application's do, are those that the script has set."""
        write(tmp_path, {"graphite.wsgi": ""})

        assert "graphite.settings" == find(python, tmp_path, DJANGO_SETTINGS_MODULE="graphite.settings")[1]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("nothing", "does not exist"), ("file", "is a file"), ("empty", "is no Django site")],
    )
    def test_no_site(self, python, tmp_path, name, reason):
        """A directory that is no site is called so, and what would be one is said."""
        write(tmp_path, {"file": "", "empty/readme": ""})

        error = find(python, tmp_path / name)
        assert f"{tmp_path / name} {reason}" in error
        assert "name the directory that holds manage.py" in error


class TestPath:
    def test_site_first(self, python, tmp_path):
        """The site comes first, once; the current directory and the package's own go: they give modules two names."""
        write(tmp_path, {"manage.py": TODAY.format("shop"), "shop/settings.py": "", "shop/__init__.py": ""})
        code = f"""
sys.path[:] = ["", "/kept", {str(tmp_path / "shop")!r}, {str(tmp_path)!r}]
b.set_path(b.find_site({str(tmp_path)!r}))
print(json.dumps(sys.path))
"""
        assert [str(tmp_path), "/kept"] == run(python, code)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"checks": "loud"}, "checks='loud': expected one of warn, refuse, off"),
            ({"warm_failure": "no"}, "warm_failure='no': expected one of warn, refuse"),
            ({"skip": ["cheks"]}, "skip='cheks': there is no such step to leave out (those are: commands, checks"),
            ({"skip": "settings"}, "skip='settings': there is no such step to leave out"),
            ({"warm": "/"}, "warm='/': expected a list of paths: warm=['/']"),
            ({"budget": "5"}, "budget='5': expected a number of seconds, or None"),
            ({"budget": -1}, "budget=-1: expected a number of seconds, or None"),
        ],
    )
    def test_refused(self, python, options, reason):
        """An option that does not fit is named, with what would."""
        told = run(python, f"print(json.dumps(told(b.get_application, '/nowhere', **{options!r})))")

        assert told.startswith(reason)
