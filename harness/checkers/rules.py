"""The number of the rules by which trials are judged."""

RULES = 2
"""To be raised whenever the same record may get another verdict, other counts or another exit code than before.

A history carries the number of those that it was judged by: `harness report` then says that it judges anew.
1: harness 0.1 and 0.2. 2: a trial in which the server ended, or anything ran out, counts for nothing.
"""

LACKING = {
    1: "whether the server lived through each trial, and whether anything ran out meanwhile",
}
"""What a record of older rules does not say, by their number."""


def lost_by(rules: int) -> list[str]:
    """What the record of a case that was judged by these rules lacks, in sentences; [] for today's rules."""
    lacking = "; ".join(what for number, what in sorted(LACKING.items()) if number >= rules)
    return [f"judged anew by newer rules ({rules}, now {RULES}): its record does not say {lacking}"] if lacking else []
