"""The comparison itself: two observations in, rows out, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.errors import BadInput, listing, nearest, quoted
from harness.parity import words
from harness.parity.observation import Observation
from harness.parity.places import Places
from harness.parity.references import Reference
from harness.parity.rows import ROWS, ParityRow, Sides
from harness.records import Mode, Record


class ParityComparison(Record, frozen=True):
    """A site's set-up under the development server and under mod_wsgi, row by row."""

    site: str
    directory: str
    """That of manage.py."""
    script: str
    mode: Mode
    versions: dict[str, str]
    rows: tuple[ParityRow, ...]

    @property
    def differing(self) -> tuple[ParityRow, ...]:
        """Rows that differ and are not accepted."""
        return tuple(row for row in self.rows if not row.same and not row.accepted)

    @property
    def same(self) -> bool:
        return not self.differing


def check_keys(accepted: Sequence[str]) -> None:
    """Raises BadInput: a key of no row."""
    for key in accepted:
        if key not in ROWS:
            known = listing("rows", list(ROWS))
            raise BadInput(f"--accept {quoted(key)} is no row of the comparison{nearest(key, ROWS)}{known}")


def compare(
    dev: Observation,
    wsgi: Observation,
    used: Sequence[Reference],
    places: Places,
    *,
    mode: Mode,
    versions: Mapping[str, str],
    accepted: Sequence[str] = (),
) -> ParityComparison:
    """Compare the two, each of which has answered one request. Raises BadInput: an unknown key in `accepted`."""
    check_keys(accepted)
    both = Sides(dev, wsgi, places, mode, tuple(used), words.version(versions.get("django", "")))
    rows = []
    for key, make in ROWS.items():
        row = make(both)
        rows.append(row if key not in accepted else msgspec.structs.replace(row, accepted=not row.same, advice=""))
    return ParityComparison(
        site=str(places.root),
        directory=str(places.manage.parent),
        script=str(places.script),
        mode=mode,
        versions=dict(versions),
        rows=tuple(rows),
    )
