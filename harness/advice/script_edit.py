"""A WSGI script with advice put into it, as a diff. Pure: text in, text out; nothing is written."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.advice import recipes
from harness.advice.advise import Advice
from harness.advice.recipes import Version

MADE = ("get_wsgi_application", "WSGIHandler")
HEADING = "# Before the first request, on the one thread that imports this script:"
NAME = "django_application"


@dataclass(frozen=True)
class _Call:
    """A call inside a function, that belongs to the import of the script."""

    node: ast.Call
    function: ast.stmt
    """The statement at module level that holds it."""
    alone: ast.Expr | None
    """The statement that consists of it."""
    last: bool
    """Is that the only statement of its block?"""


def edited(source: str, advice: Sequence[Advice], django: Version) -> str:
    """The script with the lines of all advice in it; the same where nothing can be done."""
    lines = _set_up(source, django) if any(each.set_up for each in advice) else source.splitlines()
    added = [line for each in advice for line in _named(lines, each.lines)]
    bottom = [line for line in added if not (line in lines and _is_import(line))]
    if bottom:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", *([""] if lines[-1].startswith(" ") else []), HEADING, *_imports_first(bottom)]
    return "\n".join(lines) + "\n"


def preview(source: str, name: str, advice: Sequence[Advice], django: Version) -> str:
    """A unified diff of the script with the advice put into it; empty where there is nothing to put."""
    before, after = source.splitlines(), edited(source, advice, django).splitlines()
    found = difflib.unified_diff(before, after, name, f"{name} (with the advice)", lineterm="")
    return "\n".join(found)


def _imports_first(lines: Sequence[str]) -> list[str]:
    imports = [line for line in lines if _is_import(line)]
    rest = [line for line in lines if not _is_import(line)]
    return [*dict.fromkeys(imports), *([""] if imports and rest else []), *rest]


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))


def _named(script: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The lines, with the application by the name that it has in this script."""
    name = NAME if any(line.startswith(f"{NAME} = ") for line in script) else "application"
    return [line.replace("application.load_middleware()", f"{name}.load_middleware()") for line in lines]


def _set_up(source: str, django: Version) -> list[str]:
    """The script's lines with its set-up moved out of functions; a script that has none gets one."""
    lines = source.splitlines()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # Python 2's syntax: what is there stays as it is
        return lines
    inside = list(_calls(tree))
    made = [each for each in inside if _called(each.node) in MADE]
    setups = [each for each in inside if _called(each.node) == "setup"]
    at_top = [node for node in tree.body if _makes(node)]
    first = min([each.function.lineno for each in (*made, *setups)] + [node.lineno for node in at_top], default=0)
    if not first:
        return lines
    new: list[str] = []
    complete = made or _sets_up(tree) or any(_makes(node) == "get_wsgi_application" for node in at_top)
    if django >= (1, 7) and (setups or not complete):
        new += ["django.setup()", ""] if "import django" in lines else ["import django", "", "django.setup()", ""]
    if made:
        imported, expression = recipes.application(django)
        if any(_imports(node, _called(made[0].node)) for node in tree.body):
            expression = ast.get_source_segment(source, made[0].node) or expression
        else:
            new.append(imported)
        new += [f"{NAME} = {expression}", "", ""]
    _replace(lines, made, NAME)
    gone = _removed(lines, setups)
    begin = first - 1
    while begin > 0 and lines[begin - 1].startswith("#"):  # a comment belongs to what it stands above
        begin -= 1
    kept = [line for number, line in enumerate(lines) if number not in gone]
    begin -= sum(number < begin for number in gone)
    return [*kept[:begin], *new, *kept[begin:]]


def takes_from_requests(source: str) -> bool:
    """Does a function of the script put something into os.environ, as scripts do that are configured by SetEnv?"""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
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
    return any(isinstance(each, ast.Attribute) and each.attr == "environ" for each in targets)


def _calls(tree: ast.Module) -> Iterator[_Call]:
    for top in tree.body:
        for function in [node for node in ast.walk(top) if isinstance(node, ast.FunctionDef | ast.ClassDef)][:1]:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _called(node) in (*MADE, "setup"):
                    alone, last = _statement(function, node)
                    yield _Call(node, top, alone, last)


def _statement(function: ast.AST, call: ast.Call) -> tuple[ast.Expr | None, bool]:
    """The statement that consists of a call, and whether its block has no other."""
    for parent in ast.walk(function):
        blocks: list[object] = [getattr(parent, field, None) for field in ("body", "orelse", "finalbody")]
        for block in blocks:
            for statement in block if isinstance(block, list) else []:
                if isinstance(statement, ast.Expr) and statement.value is call:
                    return statement, isinstance(block, list) and len(block) == 1
    return None, False


def _called(call: ast.Call) -> str:
    """`setup` of django.setup(), `get_wsgi_application` of a call by that name, however it is reached."""
    function = call.func
    if isinstance(function, ast.Attribute):
        if function.attr == "setup":
            return "setup" if isinstance(function.value, ast.Name) and function.value.id == "django" else ""
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _makes(node: ast.stmt) -> str:
    """What a statement at module level makes an application with, if it does."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return ""
    return next((_called(each) for each in ast.walk(node) if isinstance(each, ast.Call) and _called(each) in MADE), "")


def _sets_up(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) == "setup"
        for node in tree.body
    )


def _imports(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and (
        isinstance(node, ast.Import) or any((alias.asname or alias.name) == name for alias in node.names)
    )


def _replace(lines: list[str], calls: Sequence[_Call], name: str) -> None:
    """Put a name where a call was, as long as it is on one line."""
    for call in sorted(calls, key=lambda each: (each.node.lineno, each.node.col_offset), reverse=True):
        node = call.node
        if node.end_lineno == node.lineno:
            raw = lines[node.lineno - 1].encode()
            lines[node.lineno - 1] = (raw[: node.col_offset] + name.encode() + raw[node.end_col_offset :]).decode()


def _removed(lines: list[str], calls: Sequence[_Call]) -> set[int]:
    """Take statements out of functions; where nothing else is in a block, `pass` stays."""
    gone = set()
    for call in calls:
        if call.alone is not None and call.alone.end_lineno == call.alone.lineno:
            number = call.alone.lineno - 1
            if call.last:
                lines[number] = lines[number][: call.alone.col_offset] + "pass"
            else:
                gone.add(number)
    return gone
