"""The state that a stampede leaves a process in, against the state after the controls."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checkers.baseline import Baseline
from harness.checkers.coldness import is_cold
from harness.checkers.findings import Finding
from harness.records import Trial

_LONGEST = 160


def changed_state(trial: Trial, baseline: Baseline) -> Iterable[Finding]:
    """Entries that no control has had, where all controls agree with each other.

    A number of the site's own invariant that is higher than in any control counts something that was done too often:
    duplicate-init. Everything else is wrong-state. A reload is not judged: what a script does again, it does again one
    request at a time too.
    """
    if not is_cold(trial) or not baseline.state:
        return
    for state in trial.states:
        for name, value in state.entries.items():
            known = baseline.state.get(name, {None})
            if value in known or len(known) > 1:
                continue
            (expected,) = known
            more = isinstance(value, int) and isinstance(expected, int) and value > expected
            if more:
                summary = f"{name} is {value} after the stampede, and {expected} after one request at a time"
            elif value is None:
                summary = f"{name} is not there after the stampede, and {_cut(expected)} after one request at a time"
            elif expected is None:
                summary = f"{name} is {_cut(value)} after the stampede, and not there after one request at a time"
            else:
                summary = (
                    f"{name} is {_cut(value)} after the stampede, "
                    f"and {_cut(expected)} after one request at a time, in a process that answered all the same"
                )
            yield Finding(
                outcome="duplicate-init" if more else "wrong-state",
                race_class="duplicate-init" if more else "wrong-state",
                summary=summary,
                trial=trial.number,
                process=str(state.process),
                key=f"state|{name}",
            )


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
