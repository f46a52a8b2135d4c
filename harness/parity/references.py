"""Where a site's code names the site's own modules: in imports, and in dotted names in strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cases.reading import MAX_SCRIPT, entries, is_file, read_bytes
from harness.errors import BadInput

# All the files of a large site are parsed in some seconds; more lie only in directories that are not the site's code.
MOST_FILES = 5000
_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import\s+(.+)|import\s+(.+))", re.MULTILINE)
_STRING = re.compile(r"""["']([A-Za-z_]\w*(?:\.\w+)+)["']""")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)+\Z")


@dataclass(frozen=True, order=True)
class Reference:
    """A place in the site's code that names a module of the site."""

    module: str
    """The name that must be importable."""
    written: str
    where: str
    """file:line, relative to the site's directory."""


def sources(root: Path) -> list[Path]:
    """The site's Python files, without hidden ones and those of an environment in the site's directory."""
    files: list[Path] = []
    directories = [root]
    while directories and len(files) < MOST_FILES:
        for path in entries(directories.pop()):
            if path.name.startswith(".") or path.is_symlink():
                continue
            foreign = path.name in ("site-packages", "__pycache__") or (path / "pyvenv.cfg").exists()
            if path.is_dir() and not foreign:
                directories.append(path)
            elif path.suffix == ".py" and is_file(path):
                files.append(path)
    return sorted(files)


def module_names(files: Iterable[Path], bases: Iterable[Path]) -> set[str]:
    """Every name by which one of these files can be imported if one of the directories `bases` is on sys.path."""
    names = set()
    for file in files:
        for base in bases:
            if file.is_relative_to(base):
                parts = file.relative_to(base).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                if parts and all(part.isidentifier() for part in parts):
                    names.add(".".join(parts))
    return names


def references(files: Iterable[Path], root: Path, modules: set[str], *, implicit: bool = False) -> list[Reference]:
    """The first place in these files that names each of `modules`.

    Relative imports (`from . import views`) mean the same everywhere and are left out; with `implicit` (Python 2
    without absolute_import) so are imports of a file in the same package.
    """
    first: dict[str, Reference] = {}
    for file in files:
        text = _text(file)
        near = implicit and "absolute_import" not in text and (file.parent / "__init__.py").exists()
        for written, line in _written(text):
            module = _longest(written, modules)
            top = written.partition(".")[0]
            beside = near and ((file.parent / f"{top}.py").exists() or (file.parent / top).is_dir())
            if module and not beside:
                reference = Reference(module, written, f"{file.relative_to(root)}:{line}")
                first.setdefault(module, reference)
    return sorted(first.values())


def _text(file: Path) -> str:
    """What a file says; nothing of one that is no code, because it is so large, or that cannot be read."""
    try:
        return read_bytes(file, MAX_SCRIPT).decode(errors="replace")
    except BadInput:
        return ""


def _longest(written: str, modules: set[str]) -> str | None:
    while written and written not in modules:
        written = written.rpartition(".")[0]
    return written or None


def _written(text: str) -> Iterator[tuple[str, int]]:
    """Dotted names and their lines; of Python 2, which this Python cannot parse, by regular expressions."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested a thousand deep
        yield from _matched(text)
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


def _matched(text: str) -> Iterator[tuple[str, int]]:
    for match in _IMPORT.finditer(text):
        source, taken, plain = match.groups()
        line = text.count("\n", 0, match.start(match.lastindex or 0)) + 1
        for name in re.findall(r"(\w[\w.]*)(?:\s+as\s+\w+)?", taken or plain):
            yield (f"{source}.{name}" if source else name), line
    for match in _STRING.finditer(text):
        yield match[1], text.count("\n", 0, match.start()) + 1
