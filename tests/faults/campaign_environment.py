"""Faults of the environment, one after another: limits, disks, variables, streams, cache, network.

    python tests/faults/campaign_environment.py [--count N] [--seed N] [--only WORD] [--keep FILE] [--command HARNESS]

Each runs the harness on a site that is sound, or on one that always races, and must end in time with an honest exit
code (a limit of the machine is never the site's race), at most one sentence that says why, and nothing left: no process
and no directory. One line for each fault, and "N of N as they should be". Some need root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests" / "e2e" / "scripts"
# A run of three trials takes a few seconds; on a machine with nothing to spare, many.
LONGEST_SECONDS = 180
SOUND, RACE, BAD, UNDECIDED = 0, 1, 2, 3


@dataclass(frozen=True)
class Fault:
    """One fault, and the exit codes that are honest under it."""

    name: str
    codes: tuple[int, ...]
    says: str = ""
    """A part of what is said, where it is known."""
    environment: dict[str, str | None] = field(default_factory=dict)
    """Variables; None: unset. `{scratch}` is the fault's own directory."""
    before: Callable[[], object] = lambda: None
    """In the child, before the command."""
    shell: str = ""
    """A shell's lines before the command: `exec "$@"` follows."""
    options: tuple[str, ...] = ()
    script: str = "check_then_act_fixed"
    root: bool = False
    command: tuple[str, ...] = ("check",)


def limited(kind: int, value: int) -> Callable[[], object]:
    return lambda: resource.setrlimit(kind, (value, value))


def on_tmpfs(size: str, where: str, then: str = "") -> str:
    """A shell's lines: a small file system in a name space of its own."""
    return f"mkdir -p {where}; mount -t tmpfs -o size={size},mode=1777 tmpfs {where} || exit 77; {then}"


def filled_later(where: str, sign: str) -> str:
    """Fill a disk as soon as a pattern of files exists."""
    loop = f"for i in $(seq 1200); do ls {sign} >/dev/null 2>&1 && break; sleep 0.1; done"
    return f"({loop}; exec dd if=/dev/zero of={where}/filling bs=64k) >/dev/null 2>&1 & "


FILES, TASKS, MEMORY, SIZE, CPU = (
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_AS,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CPU,
)
TMP, RESULTS = "{scratch}/tmp", "{scratch}/results"
PIPED = 'set -o pipefail; "$@" |'
EITHER = (SOUND, UNDECIDED)

FAULTS = [
    Fault("nothing at all", (SOUND,)),
    Fault("nothing at all, a site that races", (RACE,), script="check_then_act"),
    *(Fault(f"open files {n}", (UNDECIDED,), before=limited(FILES, n)) for n in (8, 16, 24, 32, 48, 64, 96, 128)),
    Fault("open files 64, a site that races", (UNDECIDED,), before=limited(FILES, 64), script="check_then_act"),
    *(Fault(f"open files {n}", EITHER, before=limited(FILES, n)) for n in (160, 256, 1024)),
    *(Fault(f"processes {n}", EITHER, before=limited(TASKS, n)) for n in (5, 60, 120, 250, 500, 1000)),
    Fault("processes 120, a site that races", (UNDECIDED,), before=limited(TASKS, 120), script="check_then_act"),
    *(Fault(f"memory {n} MiB", (UNDECIDED,), before=limited(MEMORY, n * 2**20)) for n in (60, 120, 300, 700)),
    Fault("memory 4 GiB", (SOUND,), before=limited(MEMORY, 4 * 2**30)),
    *(Fault(f"file size {n} kB", (UNDECIDED,), "ulimit -f", before=limited(SIZE, n * 1024)) for n in (0, 10, 1000)),
    Fault("CPU time 20 s", (UNDECIDED,), "ulimit -t", before=limited(CPU, 20)),
    Fault("no core files", (SOUND,), before=limited(resource.RLIMIT_CORE, 0)),
    Fault("loopback down", (UNDECIDED,), "ip link set lo up", shell='exec unshare -n "$@"', root=True),
    Fault("TMPDIR missing", (SOUND,), environment={"TMPDIR": "{scratch}/none"}),
    Fault("TMPDIR not writable", EITHER, environment={"TMPDIR": "/proc"}),
    Fault("TMPDIR a file", EITHER, environment={"TMPDIR": "/etc/hostname"}),
    Fault("TMPDIR long", (SOUND, BAD, UNDECIDED), environment={"TMPDIR": "{scratch}/" + "x" * 90}),
    Fault("TMPDIR with a blank and a quote", (SOUND, BAD), environment={"TMPDIR": '{scratch}/a "b'}),
    Fault("TMPDIR full", (UNDECIDED,), "TMPDIR", {"TMPDIR": TMP}, shell=on_tmpfs("1m", TMP), root=True),
    Fault("TMPDIR nearly full", (UNDECIDED,), "TMPDIR", {"TMPDIR": TMP}, shell=on_tmpfs("60m", TMP), root=True),
    Fault("TMPDIR noexec", (SOUND,), "", {"TMPDIR": TMP}, shell=on_tmpfs("200m,noexec", TMP), root=True),
    *(
        Fault(
            f"TMPDIR full {when}",
            EITHER if "late" in when else (UNDECIDED,),
            "",
            {"TMPDIR": TMP},
            shell=on_tmpfs("80m", TMP, filled_later(TMP, sign)),
            options=("--trials", "30"),
            root=True,
            script=script,
        )
        for when, sign, script in (
            ("when the server starts", f"{TMP}/harness-*/httpd.conf", "check_then_act_fixed"),
            ("when a process records", f"{TMP}/harness-*/events/*", "check_then_act_fixed"),
            ("late, in trials", f"{RESULTS}/*/locust.log", "check_then_act_fixed"),
        )
    ),
    Fault("results full", (UNDECIDED,), "--results", shell=on_tmpfs("1m", RESULTS), root=True),
    *(
        Fault(
            f"results full {when}",
            codes,
            "no space is left",
            shell=on_tmpfs("20m", RESULTS, filled_later(RESULTS, sign)),
            options=("--trials", "60"),
            root=True,
        )
        for when, sign, codes in (
            ("at once", f"{RESULTS}/*", (UNDECIDED,)),
            ("when the plan is there", f"{RESULTS}/*/run.json", (UNDECIDED,)),
            ("when trials run", f"{RESULTS}/*/cases/*.jsonl", (UNDECIDED,)),
        )
    ),
    Fault("results read-only", (BAD,), "cannot be written", options=("--results", "/proc/nowhere")),
    Fault("results a file", (BAD,), "cannot be written", options=("--results", "/etc/hostname")),
    Fault("results in /dev/full", (BAD,), "cannot be written", options=("--results", "/dev/full")),
    Fault("/dev/shm full", (SOUND,), shell="mount -t tmpfs -o size=4k tmpfs /dev/shm && echo > /dev/shm/x;", root=True),
    Fault("HOME missing", (SOUND,), environment={"HOME": None}),
    Fault("HOME nowhere", (SOUND,), environment={"HOME": "/nowhere"}),
    Fault("PATH empty", (SOUND, BAD, UNDECIDED), environment={"PATH": ""}),
    Fault("PATH nowhere", (SOUND, BAD, UNDECIDED), environment={"PATH": "/nowhere"}),
    Fault("no variables", (SOUND, BAD, UNDECIDED), environment={"": None}),
    *(
        Fault(f"{name}={value}", (SOUND,), environment={"LC_ALL": None, name: value})
        for name, value in (
            ("LANG", "C"),
            ("LC_ALL", "POSIX"),
            ("LC_ALL", "de_DE.ISO-8859-1"),
            ("LC_ALL", "nonsense"),
            ("PYTHONIOENCODING", "ascii"),
            ("PYTHONIOENCODING", "latin-1"),
            ("PYTHONUTF8", "0"),
            ("PYTHONOPTIMIZE", "2"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONHASHSEED", "0"),
            ("PYTHONDEVMODE", "1"),
            ("PYTHONMALLOC", "debug"),
            ("TERM", "dumb"),
            ("COLUMNS", "1"),
            ("http_proxy", "http://127.0.0.1:1"),
            ("all_proxy", "http://127.0.0.1:1"),
            ("no_proxy", "*"),
            ("TZ", "Nowhere/There"),
            ("NO_COLOR", "1"),
            ("MALLOC_ARENA_MAX", "1"),
        )
    ),
    Fault("ascii, a site that races", (RACE,), environment={"PYTHONIOENCODING": "ascii"}, script="check_then_act"),
    Fault("PYTHONWARNINGS=error", EITHER, environment={"PYTHONWARNINGS": "error"}),
    Fault("PYTHONPATH nowhere", (SOUND,), environment={"PYTHONPATH": "/nowhere:/etc"}),
    Fault("umask 077", (SOUND,), before=lambda: os.umask(0o077)),
    Fault("umask 000", (SOUND,), before=lambda: os.umask(0)),
    Fault("umask 777", (SOUND, BAD, UNDECIDED), before=lambda: os.umask(0o777)),
    Fault("no input", (SOUND,), before=lambda: os.close(0)),
    Fault("no output", (SOUND,), before=lambda: os.close(1)),
    Fault("no errors", (SOUND,), before=lambda: os.close(2)),
    Fault("no streams", (SOUND,), before=lambda: [os.close(number) for number in range(3)]),
    Fault("output full", (UNDECIDED,), "the output cannot be written", shell='exec "$@" > /dev/full'),
    Fault("errors full", EITHER, shell='exec "$@" 2> /dev/full'),
    Fault("output of a race full", (UNDECIDED,), shell='exec "$@" > /dev/full', script="check_then_act"),
    Fault("reader gone", (UNDECIDED,), shell=f"{PIPED} true; exit $?"),
    Fault(
        "reader of a race gone", (UNDECIDED,), shell='set -o pipefail; "$@" | true; exit $?', script="check_then_act"
    ),
    Fault("reader takes one line", (UNDECIDED,), shell=f"{PIPED} head -1; exit $?"),
    Fault("cache read-only", (SOUND, BAD), environment={"HARNESS_CACHE": "/proc/nowhere"}),
    Fault("cache on a full disk", (BAD, UNDECIDED), environment={"HARNESS_CACHE": "/dev/full"}),
    Fault("working directory deleted", (SOUND, BAD, UNDECIDED), shell="mkdir {scratch}/d; cd {scratch}/d; rmdir $PWD;"),
    Fault("SIGPIPE, SIGCHLD ignored", (SOUND,), before=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)),
    Fault("low priority", (SOUND,), before=lambda: os.nice(5)),
    Fault("a wrong runtime", (BAD,), options=("--python", "/nowhere")),
]


def processes_of(scratch: Path) -> list[str]:
    """The processes that carry a fault's mark in their environment."""
    mark = f"HARNESS_CAMPAIGN={scratch}".encode()
    left = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if (
                    command
                    and not command.startswith("bash -c")
                    and (mark in (directory / "environ").read_bytes() or str(scratch) in command)
                ):
                    left.append(f"{directory.name} {command[:80]}")
            except OSError:
                continue
    return left


def run(fault: Fault, harness: list[str], scratch: Path) -> list[str]:
    """What is wrong about how the harness ended under this fault; [] if nothing is."""

    def here(text: str) -> str:
        return text.replace("{scratch}", str(scratch))

    environment: dict[str, str] = {} if "" in fault.environment else dict(os.environ)
    environment |= {"HARNESS_CACHE": os.environ["HARNESS_CACHE"], "HARNESS_CAMPAIGN": str(scratch), "TMPDIR": here(TMP)}
    for name, value in fault.environment.items():
        environment.pop(name, None)
        if value is not None and name:
            environment[name] = here(value)
    (scratch / "tmp").mkdir()
    (scratch / ("x" * 90)).mkdir()
    (scratch / 'a "b').mkdir()
    for directory in scratch.rglob("*"):
        directory.chmod(0o755)
    options = list(map(here, fault.options))
    if "--results" not in options:
        options += ["--results", here(RESULTS)]
    if "--trials" not in options:
        options += ["--trials", "3" if fault.script == "check_then_act_fixed" else "12"]
    script = str(SCRIPTS / f"{fault.script}.wsgi")
    command = [*harness, "check", script, "--mode", "daemon", "--users", "8", *options]
    if fault.shell:
        text = f"{here(fault.shell)}\n" + 'exec "$@"'
        space = ["unshare", "-m"] if "mount " in fault.shell else []
        command = [*space, "bash", "-c", text, "bash", *command]
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=fault.before,  # noqa: PLW1509 - nothing else runs in this process
        start_new_session=True,
    )
    wrong = []
    try:
        output, errors = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        wrong.append(f"not over after {LONGEST_SECONDS} s")
    text = (output + errors).decode(errors="replace")
    if process.returncode not in fault.codes:
        wrong.append(f"exit code {process.returncode} instead of {fault.codes}: {text.strip()[-300:]!r}")
    if b"Traceback (most" in errors or "the harness itself failed" in text:
        wrong.append(f"a traceback or an unforeseen error: {text.strip()[-400:]!r}")
    if process.returncode == UNDECIDED and fault.says and fault.says not in text:
        wrong.append(f"does not say {fault.says!r}: {text.strip()[-300:]!r}")
    if (
        process.returncode in (BAD, UNDECIDED)
        and "errors full" not in fault.name
        and not errors.strip()
        and "inconclusive" not in text
    ):
        wrong.append("says nothing")
    time.sleep(0.3)
    wrong += [f"left running: {left}" for left in processes_of(scratch)]
    wrong += [f"left: {path}" for path in (scratch / "tmp").glob("harness-*") if not path.is_file()]
    print(
        f"{fault.name}: exit {process.returncode}, {time.monotonic() - begin:.0f} s",
        *(wrong or ["as it should be"]),
        sep="; ",
        flush=True,
    )
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=len(FAULTS), help="so many of the faults, chosen by the seed")
    parser.add_argument("--seed", type=int, default=20100321)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--keep", type=Path, help="write the outcome here, as JSON")
    parser.add_argument("--command", default=f"{sys.executable} -m harness.cli", help="the harness to test")
    given = parser.parse_args()
    os.environ.setdefault("HARNESS_CACHE", str(ROOT / ".harness"))
    chosen = [fault for fault in FAULTS if given.only in fault.name and (os.geteuid() == 0 or not fault.root)]
    if given.count < len(chosen):
        chosen = random.Random(given.seed).sample(chosen, given.count)
    outcome = {}
    for fault in chosen:
        scratch = Path(tempfile.mkdtemp(prefix="fault-"))
        scratch.chmod(0o755)
        try:
            outcome[fault.name] = run(fault, given.command.split(), scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    good = sum(not wrong for wrong in outcome.values())
    print(f"{good} of {len(outcome)} as they should be")
    if given.keep:
        kept = {"good": good, "of": len(outcome), "wrong": {name: wrong for name, wrong in outcome.items() if wrong}}
        given.keep.write_text(json.dumps({**kept, "faults": list(outcome)}, indent=1) + "\n")
    sys.exit(good != len(outcome))


if __name__ == "__main__":
    main()
