"""Compares the state that a stampede leaves a process in with the state after the controls."""

from __future__ import annotations

from collections.abc import Iterable

from harness.cases.redaction import brief, is_digested
from harness.checkers.coldness import is_cold
from harness.checkers.findings import Finding
from harness.checkers.yardstick import Yardstick
from harness.records import Trial

_LONGEST = 160  # characters of a value in a sentence: two lines of a terminal
_UNREPORTED = "not told: "  # as harness/inside/state.py writes it


def changed_state(trial: Trial, yardstick: Yardstick) -> Iterable[Finding]:
    """Entries with a value that no control had, where all controls agree with each other.

    A number that is higher than in the controls counts something that was done too often: duplicate-init. Everything
    else is wrong-state. A reload is not judged: what a script does again, it does again one request at a time too.
    Where a trial's state could not be read completely, only what was read is judged, and its grade names the rest.
    Raises LookupError: a control's state could not be read completely, so there is nothing to compare with."""
    if not is_cold(trial) or not yardstick.state:
        return
    incomplete = _incomplete(yardstick)
    if incomplete and any(not state.failed for state in trial.evidence.states):
        raise LookupError(incomplete)
    if incomplete:  # the trial says so itself
        return
    for state in trial.evidence.states:
        for name, value in state.entries.items():
            known = yardstick.state.get(name, {None})
            if value in known or len(known) > 1 or name.startswith(_UNREPORTED) or (value is None and state.failed):
                continue
            (expected,) = known
            more = isinstance(value, int) and isinstance(expected, int) and value > expected
            if more:
                summary = f"{name} is {value} after the stampede, but {expected} after one request at a time"
            elif value is None:
                summary = f"{name} is missing after the stampede, but {_cut(expected)} after one request at a time"
            elif expected is None:
                summary = f"{name} is {_cut(value)} after the stampede, but missing after one request at a time"
            else:
                summary = (
                    f"{name} is {_cut(value)} after the stampede, "
                    f"but {_cut(expected)} after one request at a time; the process answers all the same"
                )
            if is_digested(value) or is_digested(expected):
                summary += " (digests: what looks like a secret is not stored)"
            yield Finding(
                outcome="duplicate-init" if more else "wrong-state",
                race_class="duplicate-init" if more else "wrong-state",
                summary=summary,
                trial=trial.number,
                process=str(state.process),
                kind="state",
                subject=name,
                key=f"state|{name}",
            )


def _incomplete(yardstick: Yardstick) -> str:
    """What a control could not report, in a sentence; "" where the state of all controls is complete."""
    state = yardstick.state
    reasons = [str(text) for name in state if name.startswith(_UNREPORTED) for text in state[name] if text]
    if reasons:
        return f"a control could not report its state: {_cut(min(reasons))}"
    if all(None in values for values in state.values()):
        return "a control did not report its state"
    return ""


def _cut(value: object) -> str:
    text = brief(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
