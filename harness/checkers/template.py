"""What is volatile in an answer: text that differs between answers that are both right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# A token ends where markup or white space does, so that a token such as a date or a CSRF secret is masked whole
# and not only the characters in which two of them happen to differ.
_TOKEN = re.compile(r"[^\s<>\"'&=;,]+|.", re.DOTALL)
# A mask stands for a text of up to this many times the longest seen in its place: a date or a token grows a little, an
# error page in its place is far longer. It stands for nothing at all only where a sample had nothing there, and for
# white space and markup only where a sample had some.
_SLACK = 2
_SPACE_OR_MARKUP = re.compile(r"[\s<>]")


@dataclass(frozen=True)
class Template:
    """A text with masks in it, learnt from samples that are all right."""

    pattern: re.Pattern[str]
    sample: str
    masks: int

    @classmethod
    def of(cls, samples: Sequence[str]) -> Template:
        """The first sample, with a mask wherever another one differs from it."""
        first, *others = dict.fromkeys(samples)
        tokens = _TOKEN.findall(first)
        split = [_TOKEN.findall(other) for other in others]
        gaps = [_gaps(tokens, other) for other in split]
        parts, at = [], 0
        regions = _regions([(gap.begin, gap.end) for of_sample in gaps for gap in of_sample])
        for begin, end in regions:
            parts.append(re.escape("".join(tokens[at:begin])))
            seen = ["".join(tokens[begin:end])]
            seen += [_in_place_of(begin, end, *sample) for sample in zip(gaps, split, strict=True)]
            parts.append(_mask(seen))
            at = end
        parts.append(re.escape("".join(tokens[at:])))
        return cls(re.compile("".join(parts), re.DOTALL), first, len(regions))

    def matches(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None

    def difference(self, text: str) -> str:
        """Where `text` first differs from the sample: a short excerpt of both."""
        at = next(
            (i for i, (ours, theirs) in enumerate(zip(self.sample, text, strict=False)) if ours != theirs),
            min(len(self.sample), len(text)),
        )
        begin = max(0, at - 20)
        return f"expected {self.sample[begin : at + 60]!r}, got {text[begin : at + 60]!r}"


@dataclass(frozen=True)
class _Gap:
    """Tokens `begin` to `end` of the first sample stand where another has `length` tokens of its own."""

    begin: int
    end: int
    length: int


def _gaps(tokens: list[str], other: list[str]) -> list[_Gap]:
    matcher = difflib.SequenceMatcher(None, tokens, other, autojunk=False)
    return [
        _Gap(begin, end, other_end - other_begin)
        for tag, begin, end, other_begin, other_end in matcher.get_opcodes()
        if tag != "equal"
    ]


def _regions(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The gaps of all samples, merged where they touch."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(gaps):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _in_place_of(begin: int, end: int, gaps: list[_Gap], other: list[str]) -> str:
    """What another sample has where the first has its tokens `begin` to `end`."""
    before = sum(gap.length - (gap.end - gap.begin) for gap in gaps if gap.end < begin)
    inside = sum(gap.length - (gap.end - gap.begin) for gap in gaps if begin <= gap.begin and gap.end <= end)
    return "".join(other[begin + before : end + before + inside])


def _mask(seen: list[str]) -> str:
    """A pattern for what may stand where these texts stood."""
    anything = "." if any(_SPACE_OR_MARKUP.search(text) for text in seen) else r"[^\s<>]"
    return f"{anything}{{{min(1, *map(len, seen))},{_SLACK * max(map(len, seen)) + 1}}}?"
