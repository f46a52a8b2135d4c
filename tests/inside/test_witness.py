"""What is seen where a request fails, in every interpreter of this machine."""

import json
import subprocess
from pathlib import Path

import pytest
from test_bootstrap import write

INSIDE = Path(__file__).parents[2] / "harness" / "inside"
SHOP = {
    "shop/__init__.py": "",
    "shop/slow.py": "import gates\nbefore = 1\ngates.inside.set()\ngates.go_on.wait(30)\nlate = 2\n",
    "shop/views.py": """
import json
import sys
import warehouse
from shop.state import pool, basket, MISSING, trap

def own():
    raise KeyError("key")

def library():
    json.loads("{")

def by_another():
    warehouse.find("x")

def shared():
    _use(pool)

def _use(one):
    one.attribute_that_is_not_there

def inner():
    _use(basket.items.first)

def marker(missing=MISSING):
    raise ValueError("no")

def plain(table={}):
    raise ValueError("no")

def hostile(one=trap):
    raise ValueError("no")

def raised_from():
    try:
        own()
    except KeyError as error:
        new = RuntimeError("wrapped")
        new.__cause__ = error
        raise new

def deep(left=300):
    return deep(left - 1) if left else own()

def half_done():
    sys.modules["shop.slow"].late

def deeply(left, ready, go_on):
    if left:
        return deeply(left - 1, ready, go_on)
    ready.set()
    go_on.wait(30)
""",
    "shop/state.py": """
class Pool(object):
    def __init__(self, **own):
        self.__dict__.update(own)

class Trap(object):
    def __init__(self):
        object.__setattr__(self, "x", 1)
    def __getattribute__(self, name):
        raise SystemExit("a lazy object was evaluated")

pool = Pool(size=1)
basket = Pool(items=Pool(first=Pool(count=1)))
MISSING = Pool()
trap = Trap()
""",
    "warehouse/__init__.py": "def find(name):\n    return _find(name)\ndef _find(name):\n    raise LookupError(name)\n",
}


@pytest.fixture(scope="module")
def seen(python, tmp_path_factory):
    """What the witness saw of each failure, by its name."""
    directory = write(tmp_path_factory.mktemp("shop"), SHOP)
    command = [python, "-B", str(Path(__file__).with_name("drive_witness.py")), str(INSIDE / "witness.py"), directory]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def lead(seen, name):
    """(kind, name, function, through) of what a failure leads to."""
    kind, subject, place, through = seen[name]["lead"]
    return kind, subject, place[2], through


class TestLead:
    def test_own_code(self, seen):
        """The failing function, where nothing else is shown."""
        assert ("code", "shop.views", "own", "") == lead(seen, "own")

    def test_library(self, seen):
        """Of a failure inside the standard library the innermost frame outside it."""
        assert ("code", "shop.views", "library", "") == lead(seen, "library")

    def test_through(self, seen):
        """The package that failed, and the one that called it."""
        assert ("code", "warehouse", "_find", "shop.views") == lead(seen, "by_another")

    def test_shared_object(self, seen):
        """An object in a variable of the failing function that hangs from a name of a module."""
        assert ("object", "shop.views.pool", "_use", "") == lead(seen, "shared")

    def test_inner_object(self, seen):
        """Also one that is an attribute of an attribute of it."""
        assert ("object", "shop.views.basket.items.first", "_use", "") == lead(seen, "inner")

    @pytest.mark.parametrize("name", ["marker", "plain"])
    def test_no_object(self, seen, name):
        """A marker without attributes and a plain dictionary are nothing that could be half made."""
        assert ("code", "shop.views", name, "") == lead(seen, name)

    def test_hostile(self, seen):
        """An object that fails on every access is found, and nothing of it is run."""
        assert ("object", "shop.views.trap", "hostile", "") == lead(seen, "hostile")

    def test_raised_from(self, seen, python3):
        """Of an exception that was raised from another one, that other one."""
        assert ("code", "shop.views", "own", "") == lead(seen, "raised_from")
        assert "KeyError" == seen["raised_from"]["error"]

    def test_half_done(self, seen, python3):
        """A module that is still being executed, and the thread that executes it, with its line."""
        assert ("module", "shop.slow", "half_done", "") == lead(seen, "half_done")
        ((_, places),) = [entry for entry in seen["half_done"]["threads"] if entry[0] == seen["executing"]]
        assert ["<module>", 4] in [[place[2], place[1]] for place in places if place[3] == "shop.slow"]


class TestBounds:
    def test_deep_traceback(self, seen):
        """Of a deep traceback the innermost frames."""
        frames = seen["deep"]["frames"]
        assert 40 == len(frames)
        assert "own" == frames[0][2]

    def test_many_threads(self, seen):
        """However many threads there are: what is written fits into a piece of the recording."""
        assert 0 < len(seen["crowd"]["threads"]) <= 30
        assert len(json.dumps(seen["crowd"])) < 32000
