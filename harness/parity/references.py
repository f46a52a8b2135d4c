"""Names by which a site's code speaks of the site's own modules: imports, and dotted names in strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 5000
_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import\s+(.+)|import\s+(.+))", re.MULTILINE)
_STRING = re.compile(r"""["']([A-Za-z_]\w*(?:\.\w+)+)["']""")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)+\Z")


@dataclass(frozen=True, order=True)
class Reference:
    """A module of the site, named in its code."""

    module: str
    """The name that must be importable for it."""
    written: str
    where: str
    """file:line, from the site's directory."""


def sources(root: Path) -> list[Path]:
    """The site's Python files: none of an environment that lies in its directory, none that are hidden."""
    found: list[Path] = []
    waiting = [root]
    while waiting and len(found) < MOST_FILES:
        directory = waiting.pop()
        for each in sorted(directory.iterdir()):
            if each.name.startswith(".") or each.is_symlink():
                continue
            if (
                each.is_dir()
                and not (each / "pyvenv.cfg").exists()
                and each.name not in ("site-packages", "__pycache__")
            ):
                waiting.append(each)
            elif each.suffix == ".py":
                found.append(each)
    return sorted(found)


def module_names(files: Iterable[Path], bases: Iterable[Path]) -> set[str]:
    """Every name by which one of these files may be imported, if one of the directories `bases` is on sys.path."""
    found = set()
    for file in files:
        for base in bases:
            if file.is_relative_to(base):
                parts = file.relative_to(base).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                if parts and all(part.isidentifier() for part in parts):
                    found.add(".".join(parts))
    return found


def references(files: Iterable[Path], root: Path, modules: set[str], *, implicit: bool = False) -> list[Reference]:
    """Where these files name one of `modules`; of each name the first place.

    Imports that say where they start (`from . import views`) mean the same everywhere and are left out; with
    `implicit` (Python 2 without absolute_import) those of a file that lies in the same package are, too.
    """
    found: dict[str, Reference] = {}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        near = implicit and "absolute_import" not in text and (file.parent / "__init__.py").exists()
        for written, line in _written(text):
            module = _longest(written, modules)
            top = written.partition(".")[0]
            beside = near and ((file.parent / f"{top}.py").exists() or (file.parent / top).is_dir())
            if module and not beside:
                reference = Reference(module, written, f"{file.relative_to(root)}:{line}")
                found.setdefault(module, reference)
    return sorted(found.values())


def _longest(written: str, modules: set[str]) -> str | None:
    while written and written not in modules:
        written = written.rpartition(".")[0]
    return written or None


def _written(text: str) -> Iterator[tuple[str, int]]:
    """Dotted names and their lines: of Python 2, which this Python cannot parse, as they look."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        yield from _looks_written(text)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.match(node.value):
            yield node.value, node.lineno


def _looks_written(text: str) -> Iterator[tuple[str, int]]:
    for match in _IMPORT.finditer(text):
        source, taken, plain = match.groups()
        line = text.count("\n", 0, match.start(match.lastindex or 0)) + 1
        for each in re.findall(r"(\w[\w.]*)(?:\s+as\s+\w+)?", taken or plain):
            yield (f"{source}.{each}" if source else each), line
    for match in _STRING.finditer(text):
        yield match[1], text.count("\n", 0, match.start()) + 1
