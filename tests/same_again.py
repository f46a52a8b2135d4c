"""Checks that a stored run is judged again as it was judged: the same verdicts, counts and exit code."""

import json
from pathlib import Path

import msgspec

from harness.checkers.rules import RULES
from harness.result import CaseResult, RunError, exit_code
from harness.store.regrade import regrade
from harness.store.runs import RESULT_FILE, histories
from harness.store.stored_case import StoredCase


class _Run(msgspec.Struct):
    cases: list[CaseResult]
    status: str = "complete"
    error: RunError | None = None


def differences(directory):
    """What `harness report` would say otherwise than the run did, one line for each; [] of a run of older rules."""
    directory = Path(directory)
    if any(StoredCase(path).rules != RULES for path in histories(directory)):
        return []
    live = msgspec.json.decode((directory / RESULT_FILE).read_bytes(), type=_Run)
    again = regrade(directory)
    by_id = {case.case: case for case in again.cases}
    lines = [f"{case.case} is not told again" for case in live.cases if case.case not in by_id]
    for case in live.cases:
        if case.case in by_id:
            before, after = msgspec.to_builtins(case), msgspec.to_builtins(by_id[case.case])
            lines += [
                f"{case.case}: {name} was {json.dumps(before[name])[:300]} and is {json.dumps(after[name])[:300]}"
                for name in before
                if before[name] != after[name]
            ]
    codes = [exit_code(run.cases, run.status, run.error) for run in (live, again)]
    # A case that had no result was not judged then: it can only make the run undecided.
    if codes[0] != codes[1] and not (codes == [0, 3] and len(by_id) > len(live.cases)):
        lines.append(f"the exit code was {codes[0]} and is {codes[1]}")
    return lines


def stored_runs_under(*directories):
    """The runs with a result that were left under these directories."""
    files = [file for directory in directories for file in Path(directory).rglob(RESULT_FILE)]
    return [file.parent for file in files if (file.parent / "cases").is_dir()]
