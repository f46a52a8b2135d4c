"""Puts advice into a WSGI script, as text or as a diff. Pure: text in, text out; nothing is written."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.advice import recipes
from harness.advice.advise import Advice
from harness.advice.recipes import Version

FACTORIES = ("get_wsgi_application", "WSGIHandler")
HEADING = "# Before the first request, on the one thread that imports this script:"
NAME = "django_application"


@dataclass(frozen=True)
class _SetUpCall:
    """A call inside a function that belongs at the top level of the script."""

    node: ast.Call
    function: ast.stmt
    """The top-level statement that contains it."""
    alone: ast.Expr | None
    """The statement that is nothing but this call, if there is one."""
    last: bool
    """Is that the only statement of its block?"""


def edited(source: str, advice: Sequence[Advice], django: Version) -> str:
    """The script with the lines of all advice in it; unchanged where there is nothing to add."""
    lines = _set_up(source, django) if any(piece.set_up for piece in advice) else source.splitlines()
    added = [line for piece in advice for line in _named(lines, piece.lines)]
    bottom = [line for line in added if not (line in lines and _is_import(line))]
    if bottom:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", *([""] if lines[-1].startswith(" ") else []), HEADING, *_imports_first(bottom)]
    return "\n".join(lines) + "\n"


def preview(source: str, name: str, advice: Sequence[Advice], django: Version) -> str:
    """A unified diff that puts the advice into the script; empty where there is nothing to add."""
    before, after = source.splitlines(), edited(source, advice, django).splitlines()
    return "\n".join(difflib.unified_diff(before, after, name, f"{name} (with the advice)", lineterm=""))


def _imports_first(lines: Sequence[str]) -> list[str]:
    imports = [line for line in lines if _is_import(line)]
    rest = [line for line in lines if not _is_import(line)]
    return [*dict.fromkeys(imports), *([""] if imports and rest else []), *rest]


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))


def _named(script: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The lines, with the application under the name that it has in this script."""
    name = NAME if any(line.startswith(f"{NAME} = ") for line in script) else "application"
    return [line.replace("application.load_middleware()", f"{name}.load_middleware()") for line in lines]


def _set_up(source: str, django: Version) -> list[str]:
    """The script's lines with the set-up moved out of functions; a script that has none gets one."""
    lines = source.splitlines()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # Python 2's syntax: the script stays as it is
        return lines
    inside = list(_calls(tree))
    factories = [call for call in inside if _callee(call.node) in FACTORIES]
    setups = [call for call in inside if _callee(call.node) == "setup"]
    at_top = [node for node in tree.body if _factory_in(node)]
    first = min([call.function.lineno for call in (*factories, *setups)] + [node.lineno for node in at_top], default=0)
    if not first:
        return lines
    new: list[str] = []
    complete = factories or _sets_up(tree) or any(_factory_in(node) == "get_wsgi_application" for node in at_top)
    if django >= (1, 7) and (setups or not complete):
        new += ["django.setup()", ""] if "import django" in lines else ["import django", "", "django.setup()", ""]
    if factories:
        imported, expression = recipes.application(django)
        if any(_imports(node, _callee(factories[0].node)) for node in tree.body):
            expression = ast.get_source_segment(source, factories[0].node) or expression
        else:
            new.append(imported)
        new += [f"{NAME} = {expression}", "", ""]
    _replace(lines, factories, NAME)
    gone = _removed(lines, setups)
    begin = first - 1
    while begin > 0 and lines[begin - 1].startswith("#"):  # a comment belongs to the line below it
        begin -= 1
    kept = [line for number, line in enumerate(lines) if number not in gone]
    begin -= sum(number < begin for number in gone)
    return [*kept[:begin], *new, *kept[begin:]]


def takes_from_requests(source: str) -> bool:
    """Does a function of the script write to os.environ, as in scripts that are configured by SetEnv?"""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    targets = [
        target.value
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript)
    ]
    return any(isinstance(target, ast.Attribute) and target.attr == "environ" for target in targets)


def _calls(tree: ast.Module) -> Iterator[_SetUpCall]:
    for top in tree.body:
        for function in [node for node in ast.walk(top) if isinstance(node, ast.FunctionDef | ast.ClassDef)][:1]:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _callee(node) in (*FACTORIES, "setup"):
                    alone, last = _statement(function, node)
                    yield _SetUpCall(node, top, alone, last)


def _statement(function: ast.AST, call: ast.Call) -> tuple[ast.Expr | None, bool]:
    """The statement that is nothing but this call, and whether its block has no other one."""
    for parent in ast.walk(function):
        blocks: list[object] = [getattr(parent, field, None) for field in ("body", "orelse", "finalbody")]
        for block in blocks:
            for statement in block if isinstance(block, list) else []:
                if isinstance(statement, ast.Expr) and statement.value is call:
                    return statement, isinstance(block, list) and len(block) == 1
    return None, False


def _callee(call: ast.Call) -> str:
    """`setup` for django.setup(), `get_wsgi_application` for a call of that name, however it is imported."""
    function = call.func
    if isinstance(function, ast.Attribute):
        if function.attr == "setup":
            return "setup" if isinstance(function.value, ast.Name) and function.value.id == "django" else ""
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _factory_in(node: ast.stmt) -> str:
    """The name of the function with which a top-level statement creates an application; "" where it does not."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return ""
    names = (_callee(call) for call in ast.walk(node) if isinstance(call, ast.Call))
    return next((name for name in names if name in FACTORIES), "")


def _sets_up(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _callee(node.value) == "setup"
        for node in tree.body
    )


def _imports(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and (
        isinstance(node, ast.Import) or any((alias.asname or alias.name) == name for alias in node.names)
    )


def _replace(lines: list[str], calls: Sequence[_SetUpCall], name: str) -> None:
    """Put a name in the place of each call that is on one line."""
    for call in sorted(calls, key=lambda call: (call.node.lineno, call.node.col_offset), reverse=True):
        node = call.node
        if node.end_lineno == node.lineno:
            raw = lines[node.lineno - 1].encode()
            lines[node.lineno - 1] = (raw[: node.col_offset] + name.encode() + raw[node.end_col_offset :]).decode()


def _removed(lines: list[str], calls: Sequence[_SetUpCall]) -> set[int]:
    """The numbers of the lines to leave out; where a block has no other statement, `pass` takes its place."""
    gone = set()
    for call in calls:
        if call.alone is not None and call.alone.end_lineno == call.alone.lineno:
            number = call.alone.lineno - 1
            if call.last:
                lines[number] = lines[number][: call.alone.col_offset] + "pass"
            else:
                gone.add(number)
    return gone
