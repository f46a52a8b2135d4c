"""The structure of harness/, measured from the code and drawn into docs/development/whats-here.md.

python -m tools.house measure [--against REV]    # the numbers, of this tree and of a git revision
python -m tools.house draw [--check]             # the drawing; --check: is it still true?
"""

from __future__ import annotations

import ast
import collections
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

PAGE = Path("docs/development/whats-here.md")
BEGIN, END = "<!-- drawn by `python -m tools.house draw` -->", "<!-- end of the drawing -->"

# The declared direction: a room imports those before it, never one behind it. `inside` and `bootstrap` run in other
# people's processes and import nothing of the rest.
DIRECTION = (
    "inside", "bootstrap", "errors", "records", "proc", "cases", "runtimes", "load", "hosting", "checkers", "verdict",
    "result", "store", "run", "search", "advice", "bench", "gate", "parity", "report", "cli", "pytest_plugin", "adhoc",
)  # fmt: skip
# What the rooms were called in 0.1, where they stood at the top of harness/.
FORMERLY = {
    "scenario": "cases", "runtime": "runtimes", "backend": "hosting", "history": "store", "control": "run",
    "cores": "run", "trial": "run", "runner": "run", "turns": "run", "session": "run", "explore": "search",
    "replay": "search", "corpus": "report", "doctor": "cli", "cli_bench": "cli", "cli_gate": "cli", "cli_stored": "cli",
}  # fmt: skip
ALL_PURPOSE = ("each", "told", "found")
SERVER = re.compile(r"apache|mod_wsgi|httpd|apxs", re.IGNORECASE)
SERVER_ROOMS = ("hosting", "inside", "bootstrap")
# Words for people: an option of the command line, a value of a frozen interface, a key of a runtimes file.
SERVER_WORDS = {"apache_conf"}
# Nouns all the same.
NOT_PARTICIPLES = {"Seed", "Speed", "Need", "Feed", "Red", "Bed", "Embed"}
PARTICIPLES = {"Told", "Ran", "Shown", "Kept", "Driven", "Brought", "Done", "Due", "Asked", "Both"}
JUDGES = {"judge_controls"}
READERS = {"read", "read_case"}


@dataclass(frozen=True)
class Module:
    """A source file of harness/."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.split(".")[1] if "." in self.name else "__init__"

    def imports(self) -> Iterator[str]:
        """The modules of harness that it imports."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harness":
                if node.module == "harness":
                    yield from (f"harness.{alias.name}" for alias in node.names)
                else:
                    yield node.module
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name.startswith("harness."))


class House:
    """harness/ of one tree."""

    def __init__(self, top: Path) -> None:
        self.top = top

    @cached_property
    def modules(self) -> list[Module]:
        found = []
        for path in sorted((self.top / "harness").rglob("*.py")):
            name = ".".join(path.relative_to(self.top).with_suffix("").parts).removesuffix(".__init__")
            found.append(Module(path, name, ast.parse(path.read_text())))
        return found

    def entries(self) -> list[str]:
        """What stands at the top of harness/."""
        return sorted(path.name for path in (self.top / "harness").iterdir() if path.name != "__pycache__")

    def against_direction(self) -> list[str]:
        """Imports of a room by one that stands before it."""
        return [
            f"{module.name} imports {imported}"
            for module in self.modules
            for imported in module.imports()
            if place(module.name) < place(imported)
        ]

    def abstract_members(self) -> list[str]:
        """Of the seam, Host."""
        return [
            node.name
            for host in self._classes()
            if host.name == "Host"
            for node in host.body
            if isinstance(node, ast.FunctionDef)
            and any("abstract" in ast.unparse(decorator) for decorator in node.decorator_list)
        ]

    def _classes(self) -> Iterator[ast.ClassDef]:
        for module in self.modules:
            yield from (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))

    def unclear_classes(self) -> list[str]:
        """Class names with two meanings, and those that are participles."""
        names = collections.Counter(node.name.lstrip("_") for node in self._classes())
        homonyms = [f"{name} ({count} meanings)" for name, count in sorted(names.items()) if count > 1]
        return homonyms + [name for name in sorted(names) if _is_participle(name)]

    def all_purpose_names(self) -> collections.Counter[str]:
        """How often a variable or parameter is called by a word that says nothing."""
        counts: collections.Counter[str] = collections.Counter()
        for module in self.modules:
            for node in ast.walk(module.tree):
                name = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
                name = node.arg if isinstance(node, ast.arg) else name
                if name in ALL_PURPOSE:
                    counts[name] += 1
        return counts

    def judges(self) -> list[str]:
        """Functions that judge controls."""
        return self._callers(JUDGES, lambda module: any(name.endswith("controls") for name in module.imports()))

    def readers(self) -> list[str]:
        """Classes, or functions outside any, that read histories."""
        callers = self._callers(READERS, lambda module: any(name.endswith("history") for name in module.imports()))
        return sorted({re.sub(r"(:[A-Z]\w+)\..*", r"\1", caller) for caller in callers})

    def _callers(self, names: set[str], looked_at: Callable[[Module], bool]) -> list[str]:
        callers = []
        for module in filter(looked_at, self.modules):
            for owner, function in _functions(module.tree):
                calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
                if any(isinstance(call, ast.Name) and call.id in names for call in calls):
                    callers.append(f"{module.name}:{owner}{function.name}")
        return callers

    def server_names(self) -> list[str]:
        """Identifiers that say which server it is, outside the rooms that may know."""
        found = set()
        for module in self.modules:
            if module.room in SERVER_ROOMS:
                continue
            for node in ast.walk(module.tree):
                for name in _identifiers(node):
                    if SERVER.search(name) and name not in SERVER_WORDS:
                        found.add(f"{module.name}: {name}")
        return sorted(found)

    def lines(self) -> int:
        """Of every file of harness/."""
        files = [
            path for path in (self.top / "harness").rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        return sum(path.read_bytes().count(b"\n") for path in files)

    def rooms(self) -> dict[str, set[str]]:
        """Each room, and the rooms that it imports."""
        found: dict[str, set[str]] = {name: set() for name in DIRECTION}
        for module in self.modules:
            if module.room in found:
                found[module.room] |= {imported.split(".")[1] for imported in module.imports() if "." in imported}
        return {room: (imported & found.keys()) - {room} for room, imported in found.items()}


def place(module: str) -> int:
    """Where a module's room stands in the direction."""
    room = module.split(".")[1] if "." in module else "errors"
    if module in ("harness.report.result", "harness.hosting.proc"):  # in 0.1
        room = module.rpartition(".")[2]
    room = FORMERLY.get(room, room)
    return DIRECTION.index(room) if room in DIRECTION else DIRECTION.index("errors")


def _is_participle(name: str) -> bool:
    last = re.findall(r"[A-Z][a-z]*", name)[-1:] or [name]
    return last[0] in PARTICIPLES or (last[0].endswith("ed") and last[0] not in NOT_PARTICIPLES)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.", each) for each in node.body if isinstance(each, ast.FunctionDef))


def _identifiers(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "name", "arg"):
        name = getattr(node, field, None)
        if isinstance(name, str) and not isinstance(node, ast.alias | ast.ExceptHandler):
            yield name


# -- the numbers -----------------------------------------------------------------------------------------

MEASURES: tuple[tuple[str, Callable[[House], int], str], ...] = (
    ("entries at the top of harness/", lambda house: len(house.entries()), "<= 24"),
    ("imports against the declared direction", lambda house: len(house.against_direction()), "0"),
    ("abstract members of Host", lambda house: len(house.abstract_members()), "<= 9"),
    ("class names with two meanings, or participles", lambda house: len(house.unclear_classes()), "0"),
    ("variables called each, told or found", lambda house: house.all_purpose_names().total(), "< 100"),
    ("places that judge controls", lambda house: len(house.judges()), "1"),
    ("readers of histories", lambda house: len(house.readers()), "1"),
    ("identifiers that name the server, outside hosting/ and inside/", lambda house: len(house.server_names()), "0"),
    ("lines in harness/", House.lines, "<= 19902"),
)


@click.group()
def main() -> None:
    """Measure the structure of harness/, and draw it."""


@main.command()
@click.option("--against", metavar="REV", help="the numbers of this git revision too")
@click.option("--list", "listed", is_flag=True, help="name what is counted")
def measure(against: str | None, listed: bool) -> None:
    """Print the numbers."""
    with tempfile.TemporaryDirectory() as directory:
        house, old = House(Path()), None
        if against is not None:
            packed = subprocess.run(["git", "archive", against, "harness"], check=True, capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(directory, filter="data")
            old = House(Path(directory))
        table = Table("what", *([against] if against else []), "now", "wanted")
        for what, count, wanted in MEASURES:
            table.add_row(what, *([str(count(old))] if old else []), str(count(house)), wanted)
    console = Console(width=110)
    console.print(table)
    if listed:
        for names in (house.against_direction(), house.unclear_classes(), house.judges(), house.readers()):
            console.print(*names, sep="\n  ", markup=False)
        console.print(*house.server_names(), sep="\n  ", markup=False)


# -- the drawing -----------------------------------------------------------------------------------------


def drawing(house: House) -> str:
    """The rooms as a flow chart (Mermaid): an arrow to each room that one imports, without those that it reaches by
    way of another."""
    rooms = house.rooms()
    order = [room for room in DIRECTION if room in rooms]
    lines = ["```mermaid", "flowchart TD"]
    for room in reversed(order):
        direct = rooms[room] - {far for near in rooms[room] for far in _reach(near, rooms)}
        lines += [f"    {room} --> {needed}" for needed in sorted(direct, key=order.index)]
    lines.append("```")
    return "\n".join(lines)


def _reach(room: str, rooms: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = list(rooms[room])
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += rooms[name]
    return reached


def with_drawing(text: str, drawn: str) -> str:
    """The page with this drawing between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{drawn}\n{END}{rest.partition(END)[2]}"


@main.command()
@click.option("--check", is_flag=True, help="exit code 1 if the page has another drawing")
def draw(check: bool) -> None:
    """Draw the rooms into the page."""
    text = PAGE.read_text()
    new = with_drawing(text, drawing(House(Path())))
    if check:
        if new != text:
            raise SystemExit(f"{PAGE} is not as the code is: python -m tools.house draw")
        return
    PAGE.write_text(new)


if __name__ == "__main__":
    sys.exit(main())
