"""The state that a stampede leaves a process in, against the state after the controls."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checkers.coldness import is_cold
from harness.checkers.findings import Finding
from harness.checkers.yardstick import Yardstick
from harness.records import Trial

_LONGEST = 160
_NOT_TOLD = "not told: "  # see harness/inside/state.py


def changed_state(trial: Trial, baseline: Yardstick) -> Iterable[Finding]:
    """Entries that no control has had, where all controls agree with each other.

    A number of the site's own invariant that is higher than in any control counts something that was done too often:
    duplicate-init. Everything else is wrong-state. A reload is not judged: what a script does again, it does again one
    request at a time too. What could not be told is neither the same nor gone: where a trial could not tell all, only
    what it did tell is judged, and its grade names the rest.

    Raises:
        LookupError: a control could not tell all, so there is nothing to compare with.
    """
    if not is_cold(trial) or not baseline.state:
        return
    untold = _untold(baseline)
    if untold and any(not state.failed for state in trial.evidence.states):
        raise LookupError(untold)
    if untold:  # the trial says so itself
        return
    for state in trial.evidence.states:
        for name, value in state.entries.items():
            known = baseline.state.get(name, {None})
            if value in known or len(known) > 1 or name.startswith(_NOT_TOLD) or (value is None and state.failed):
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


def _untold(baseline: Yardstick) -> str:
    """What a control could not tell, in a sentence; "" where all controls told all."""
    found = [str(text) for name, told in baseline.state.items() if name.startswith(_NOT_TOLD) for text in told if text]
    if found:
        return f"a control could not tell its state: {_cut(min(found))}"
    if all(None in told for told in baseline.state.values()):
        return "a control did not tell its state"
    return ""


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
