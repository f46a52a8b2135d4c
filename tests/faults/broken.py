"""Broken files and arguments: a table of named ones, and mutations by a seed. Each is a case for campaign_inputs.py."""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workspace import BENCH_RUN, OLD_RUN, RUN

HISTORY = f"results/{RUN}/cases/cached-property.daemon.default.natural.jsonl"
OLD_HISTORY = f"results/{OLD_RUN}/cases/cached-property.daemon.default.natural.jsonl"
RESULT, PLAN = f"results/{RUN}/result.json", f"results/{RUN}/run.json"
BENCH, BASELINE = f"results/{BENCH_RUN}/bench.json", "results/baselines/mine.json"

LOCAL = ("--backend", "local")
# The commands that read each file. A command that would start a server ends before it with 0: see campaign_inputs.py.
READERS = {
    "scenarios/tiny.toml": (
        ("run", "scenarios/tiny.toml", *LOCAL),
        ("explore", "scenarios/tiny.toml"),
        ("bench", "scenarios/tiny.toml", *LOCAL),
        ("baseline", "scenarios/tiny.toml", *LOCAL),
        ("corpus", *LOCAL),
        ("pytest",),
    ),
    "runtimes.toml": (
        ("run", "tiny", "--runtimes", "runtimes.toml", *LOCAL),
        ("replay", f"{RUN}#1", "--runtimes", "runtimes.toml", *LOCAL),
        ("pytest", "--harness-runtimes", "runtimes.toml"),
    ),
    "sites/tiny/scripts/plain.wsgi": (
        ("check", "sites/tiny/scripts/plain.wsgi"),
        ("run", "tiny", *LOCAL),
        ("parity", "tiny", "--script", "plain"),
        ("gate", "tiny", "--against", "sites/tiny/scripts/plain.wsgi", *LOCAL),
    ),
    "sites/tiny/manage.py": (("parity", "tiny"), ("run", "tiny", *LOCAL)),
    "extra.conf": (("check", "sites/tiny/scripts/plain.wsgi", "--apache-conf", "extra.conf"),),
    HISTORY: (
        ("report", RUN),
        ("report", RUN, "--format", "json"),
        ("report", RUN, "--format", "html", "--output", "-"),
        ("report", RUN, "--format", "markdown"),
        ("report", RUN, "--format", "perfetto", "--output", "-"),
        ("runs",),
        ("compare", RUN, OLD_RUN),
        ("replay", f"{RUN}#1", *LOCAL),
        ("gate", "--run", RUN, "--baseline", "mine"),
    ),
    OLD_HISTORY: (("report", OLD_RUN), ("runs",), ("compare", OLD_RUN, RUN), ("replay", f"{OLD_RUN}#1", *LOCAL)),
    RESULT: (("runs",), ("report", RUN), ("compare", RUN, OLD_RUN), ("replay", f"{RUN}#1", *LOCAL)),
    PLAN: (("runs",), ("report", RUN)),
    BENCH: (
        ("runs",),
        ("report", BENCH_RUN),
        ("report", BENCH_RUN, "--format", "html", "--output", "-"),
        ("report", BENCH_RUN, "--format", "markdown"),
        ("report", BENCH_RUN, "--format", "json"),
        ("compare", BENCH_RUN, RUN),
    ),
    BASELINE: (("gate", "--run", RUN, "--baseline", "mine"), ("pytest", "--harness-gate=mine")),
    "pytest.ini": (("pytest",),),
}


@dataclass(frozen=True)
class Broken:
    """One case: what is done to the workspace, and the command that is run in it."""

    name: str
    arguments: tuple[str, ...]
    change: Callable[[], object] = lambda: None

    @property
    def command(self) -> str:
        first = self.arguments[0] if self.arguments else ""
        return first if first.isascii() and first.isalpha() and len(first) < 20 else "(no command)"


# --- files of another kind or size ---


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the path of a socket may have 107 bytes
        server.bind(path.name)


def _sparse(path):
    with path.open("wb") as stream:
        stream.truncate(20 * 2**30)


def _text(content):
    return lambda path: path.write_bytes(content)


DEEP = 100_000
KINDS = {
    "pipe": _pipe,
    "directory": Path.mkdir,
    "socket": _socket,
    "missing": lambda path: None,
    "dev-zero": lambda path: path.symlink_to("/dev/zero"),
    "dev-full": lambda path: path.symlink_to("/dev/full"),
    "tty": lambda path: path.symlink_to("/dev/tty"),
    "proc-mem": lambda path: path.symlink_to("/proc/self/mem"),
    "kmsg": lambda path: path.symlink_to("/dev/kmsg"),
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "link-to-pipe": lambda path: (os.mkfifo(f"{path}.pipe"), path.symlink_to(f"{path.name}.pipe")),
    "link-to-directory": lambda path: (Path(f"{path}.d").mkdir(), path.symlink_to(f"{path.name}.d")),
    "empty": _text(b""),
    "newline": _text(b"\n"),
    "20-GiB": _sparse,
    "nul": _text(b"\0" * 1000),
    "utf-16": _text("a = 1\n".encode("utf-16")),
    "latin-1": _text(b'title = "Gr\xfc\xdfe"\n'),
    "bom": _text(b"\xef\xbb\xbf"),
    "binary": _text(bytes(range(256)) * 40),
    "deep-arrays": _text(b"[" * DEEP),
    "deep-key": _text(b"a = " + b"[" * DEEP),
    "deep-tables": _text(b"a = " + b"{a = " * DEEP),
    "deep-json": _text(b'{"type": "case", "cases": ' + b"[" * DEEP + b"]" * DEEP + b"}\n"),
    "deep-ignored": _text(b'{"type": "case", "case": {"x": ' + b'{"a": ' * DEEP + b"1" + b"}" * DEEP + b"}}\n"),
    "dotted": _text(b"a." * 50_000 + b"a = 1"),
    "dotted-table": _text(b"[" + b"a." * 50_000 + b"a]"),
    "quotes": _text(b'"' * 100_001),
    "multi-line": _text(b'a = """\\' * 10_000),
    "keys": _text(b"".join(b"k%d = 1\n" % number for number in range(9_000))),
    "long-line": _text(b"x" * 2**20),
    "long-number": _text(b"a = " + b"9" * 5_000),
    "long-number-json": _text(b'{"status": "complete", "cases": [{"duration_s": ' + b"9" * 5_000 + b"}]}"),
    "huge-float": _text(b'{"status": "complete", "cases": [{"duration_s": 1e400}]}'),
    "large-float": _text(b'{"status": "complete", "cases": [{"duration_s": 1e308}, {"duration_s": 1e308}]}'),
    "nan": _text(b'{"status": "complete", "cases": [{"duration_s": NaN}]}'),
    "markup": _text(b'{"status": "[/]", "cases": [{"case": "[/x]", "verdict": "[/y]"}]}'),
    "markup-complete": _text(b'{"status": "complete", "cases": [{"case": "[/x]", "verdict": "[/y]"}]}'),
    "escapes": _text(
        b'{"status": "complete", "cases": [{"case": "\\u001b[2J\\u202e::error::", "verdict": "\\u001b"}]}'
    ),
    "surrogate": _text(b'{"status": "complete", "cases": [{"case": "\\ud800"}]}'),
    "nul-text": _text(b'{"status": "complete", "cases": [{"case": "a\\u0000b", "verdict": "\\u0000"}]}'),
    "duplicate-keys": _text(b'{"status": "complete", "status": 5}'),
    "wrong-types": _text(b'{"status": [], "cases": "x"}'),
    "array": _text(b"[]"),
    "null": _text(b"null"),
    "newer": _text(b'{"type": "case", "case": {}, "version": 99}\n'),
    "version-0": _text(b'{"type": "case", "case": {}, "version": 0}\n'),
    "version-negative": _text(b'{"type": "case", "case": {}, "version": -1}\n'),
    "schema-99": _text(b'{"schema_version": 99, "cases": []}'),
    "empty-case": _text(b'{"type": "case", "case": {}, "version": 2}\n'),
    "half-a-line": _text(b'{"type": "case", "case": {"id"'),
    "syntax-error": _text(b"def (:\n"),
    "coding": _text(b"# -*- coding: nonsense -*-\nx = 1\n"),
    "ini": _text(b"[pytest]\nharness_trials_at_most = many\n"),
    "ini-negative": _text(b"[pytest]\nharness_trials_at_most = -4\n"),
    "ini-long": _text(b"[pytest]\nharness_trials_at_most = " + b"9" * 5_000 + b"\n"),
    "ini-glob": _text(b"[pytest]\nharness_scenarios = **x.toml /abs/*.toml\n"),
    "ini-globs": _text(b"[pytest]\nharness_scenarios = scenarios/[.toml ../../*.toml a//b\n"),
}


def kinds():
    """Each file of the workspace as each of these, for each command that reads it."""
    for file, commands in READERS.items():
        for kind, make in KINDS.items():
            if kind.startswith("ini") != (file == "pytest.ini"):
                continue
            for arguments in commands:
                yield Broken(f"{file} {kind}", arguments, _replaced(file, make))


def _replaced(file, make):
    def change():
        path = Path.cwd() / file
        path.unlink()
        here = Path.cwd()
        make(path)
        os.chdir(here)

    return change


# --- mutations ---

WORDS = (
    b"-1", b"0", b"1e400", b"NaN", b"Infinity", b"9" * 4_301, b"9" * 19, b"-9223372036854775809", b"1e308", b"true",
    b"null", b'""', b"[]", b"{}", b'"\\u0000"', b'"\\ud800"', b'"' + b"x" * 100_000 + b'"', b'"\\u001b[31m"',
    b'"::error::x"', b'"\\u202e"', b'"../../../etc/passwd"', b"[" * 200 + b"]" * 200, b"1.5", b"inf", b"-0.0",
    b'"a\\nb"', b"[1, 2]", b'{"a": 1}', b"2147483648", b'"%s%n"',
)  # fmt: skip


def mutated(content, random):
    """Bytes with one thing changed."""
    where, length = random.randrange(len(content)), random.randrange(1, 40)
    changed = (
        content[:where],
        content[:where] + bytes([random.randrange(256)]) + content[where + 1 :],
        content[:where] + content[where + length :],
        content[: where + length] + content[where:],
        content[:where] + random.choice(WORDS) + content[where:],
        content.replace(b"\n", b"\r\n"),
    )
    kind = random.randrange(2 * len(changed))
    return changed[kind] if kind < len(changed) else _other_value(content, random)


def _other_value(content, random):
    """One of the values of JSON or TOML replaced; of a history in one of its lines."""
    lines = content.splitlines(keepends=True)
    number = random.randrange(len(lines))
    line = lines[number]
    try:
        data = json.loads(line if line.startswith(b'{"type"') else content)
    except ValueError:
        head, separator, _ = line.partition(b"=")
        lines[number] = head + separator + b" " + random.choice(WORDS) + b"\n" if separator else line
        return b"".join(lines)
    places = list(_places(data))
    container, key = random.choice(places)
    word = random.choice(WORDS)
    if random.random() < 0.2:
        del container[key]
        text = json.dumps(data).encode()
    else:
        container[key] = "@@@"
        text = json.dumps(data).encode().replace(b'"@@@"', word, 1)
    if line.startswith(b'{"type"'):
        lines[number] = text + b"\n"
        return b"".join(lines)
    return text


def _places(data):
    """Every value that lies in another one: what holds it, and where."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _places(value)


def mutations(count, random):
    """`count` mutated files, each read by one of its commands."""
    files = [file for file in READERS if file not in ("sites/tiny/manage.py", "pytest.ini")]
    # What is read most carefully is what has the most to be read.
    weights = [
        6 if file in (HISTORY, "scenarios/tiny.toml") else 3 if file in (BENCH, BASELINE, RESULT) else 1
        for file in files
    ]
    for number in range(count):
        file = random.choices(files, weights)[0]
        seed = random.randrange(2**32)
        yield Broken(f"{file} mutation {number} seed {seed}", random.choice(READERS[file]), _mutation(file, seed))


def _mutation(file, seed):
    def change():
        from random import Random  # noqa: PLC0415

        path, random = Path(file), Random(seed)
        content = path.read_bytes()
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            content = mutated(content, random) or b"\n"
        path.write_bytes(content)

    return change


# --- arguments ---

MEGABYTE = "x" * 2**20
NUMBERS = (
    "",
    "-1",
    "0",
    "-0",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e-400",
    "9" * 5_000,
    "0x10",
    "1_000",
    "²",
    "1.5",
    MEGABYTE,
    "\0",
    "a b",
)
TEXTS = (
    "",
    " ",
    "a b",
    "a\nb",
    "\x1b[31m",
    "\u202e",
    "\udcff",
    "\ud800",
    "::error::x",
    "é",
    "..",
    "/",
    "%",
    "'\"",
    "x" * 300,
    MEGABYTE,
)
PLAIN = "sites/tiny/scripts/plain.wsgi"
NUMERIC = {
    ("check", PLAIN): ("--trials", "--seed", "--threads", "--processes", "--users", "--timeout", "--parallel"),
    ("run", "tiny", *LOCAL): ("--trials", "--seed", "--parallel"),
    ("explore", "tiny"): ("--trials", "--parallel"),
    ("bench", "tiny", *LOCAL): (
        "--rate", "--cycles", "--restart-at", "--during", "--after", "--workers", "--seed", "--threads", "--processes",
    ),
    ("gate", "tiny", *LOCAL): ("--pairs", "--tolerance", "--trials", "--cold-starts", "--seed", "--parallel"),
    ("baseline", "tiny", *LOCAL): ("--trials", "--cold-starts"),
    ("report", RUN, "--format", "html"): ("--trial",),
    ("replay", f"{RUN}#1", *LOCAL): ("--trials",),
    ("parity", "tiny"): ("--timeout",),
    ("pytest",): ("--harness-trials", "--harness-parallel"),
}  # fmt: skip
TEXTUAL = {
    ("check",): ("",),
    ("check", PLAIN): (
        "--application-group", "--host", "--header", "--env", "--path", "--python", "--apache-conf", "--mode",
        "--restart", "--json", "--results", "--nonsense",
    ),
    ("run",): ("",),
    ("run", "tiny", *LOCAL): ("--sites", "--runtime", "--runtimes", "--case", "--results", "--json", "--fail-on"),
    ("explore",): ("",),
    ("bench", "tiny", *LOCAL): ("--script", "--mode", "--restart", "--preload", "--sites", "--json"),
    ("corpus", *LOCAL): ("--row", "--scenarios"),
    ("gate", "tiny", *LOCAL): ("--baseline", "--against", "--summary"),
    ("gate",): ("--run",),
    ("baseline", "tiny", *LOCAL): ("--name",),
    ("report",): ("",),
    ("report", RUN): ("--case", "--format", "--output", "--json", "--results"),
    ("runs",): ("--results",),
    ("compare", RUN): ("",),
    ("replay",): ("",),
    ("replay", f"{RUN}#1", *LOCAL): ("--case", "--runtimes", "--results"),
    ("parity",): ("",),
    ("parity", "tiny"): ("--script", "--runtime", "--python", "--path", "--host", "--env", "--accept", "--json"),
    ("schema",): ("",),
    ("doctor",): ("",),
    (): ("",),
    ("pytest",): ("--harness-sites", "--harness-runtimes", "--harness-results", "--harness-gate", "--harness-backend"),
}  # fmt: skip
FORMS = {
    "--env": ("A", "=b", "A=b=c", "A B=c", "A\n=c", "A=\udcff", "A=\0", "1A=b", "A;b=c"),
    "--header": ("A", ": b", "A b: c", "A: b\r\nC: d", "A: é", "A\n: c", "A: \0", "\udcff: b"),
    "--path": ("a", "http://127.0.0.1/", "GET", "get /", "GET /a b\nc", "/a\nb", "/\udcff", "/\0"),
}


def arguments():
    """Options and arguments with wrong values."""
    for table, values in ((NUMERIC, NUMBERS), (TEXTUAL, TEXTS)):
        for command, names in table.items():
            for name in names:
                for value in (*values, *FORMS.get(name, ())):
                    given = (f"{name}={value}",) if name else ("--", value) if value.startswith("-") else (value,)
                    yield Broken(f"{' '.join(command)} {name} {value[:30]!r}", (*command, *given))


MARKERS = (
    "trials='x'", "trials=-1", "trials=10**6", "threads=10**9", "users=0", "paths='/'", "paths=[1]", "paths=[]",
    "paths=5", "headers=5", "headers={'A': 1}", "headers={'A\\nB': 'c'}", "environment=['a']",
    "environment={'A=B': 'c'}",
    "environment={1: 2}", "mode='weird'", "restart=None", "timeout=float('nan')", "timeout='1'", "seed=-1",
    "seed=10**30", "black_box='no'", "application_group='a b'", "application_group=5", "apache_conf='nowhere'",
    "apache_conf=5", "python=5", "python='/nowhere'", "python='/dev/zero'", "nonsense=1", "processes=1.5", "users='15'",
)  # fmt: skip


def tests():
    """Markers and calls of the fixture with wrong values."""
    for options in MARKERS:
        yield Broken(
            f"marker {options}", ("pytest", "--run"), _test(f"@pytest.mark.harness({options})\n", "'{script}'")
        )
    for script in ("5", "None", "b'x'", "'nowhere'", "'/dev/zero'", "'a\\0b'", "'" + "x" * 300 + "'", "'\\udcff'"):
        yield Broken(f"fixture {script[:20]}", ("pytest", "--run"), _test("", script))


def _test(marker, script):
    text = f"import pytest\n\n{marker}def test_cold(harness_cold_start):\n    harness_cold_start({script})\n"
    return lambda: Path("test_it.py").write_text(text.replace("{script}", PLAIN))


def all_cases(count, random):
    """The named ones, and mutations up to `count`."""
    named = [*kinds(), *arguments(), *tests()]
    return [*named, *mutations(max(0, count - len(named)), random)]
