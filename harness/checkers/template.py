"""What is volatile in an answer: text that differs between answers that are both right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cases.redaction import TOKEN
from harness.checkers.alignment import Gap, gaps

# A mask stands for a text of up to this many times the longest seen in its place: a date or a token grows a little, an
# error page in its place is far longer. It stands for nothing at all only where a sample had nothing there, and for
# white space and markup only where a sample had some.
_SLACK = 2
_SPACE_OR_MARKUP = re.compile(r"[\s<>]")
# How many ways to read a text are followed at a time. Two masks with a short text between them can be read in several
# ways; those that lie apart by more than a few of them cannot.
_MOST_READINGS = 200
# What a difference quotes: some words before the place, and a line from there on.
_BEFORE, _AFTER = 20, 60


@dataclass(frozen=True)
class Mask:
    """What may stand in one place: `shortest` to `longest` characters."""

    shortest: int
    longest: int
    anything: bool
    """May they be white space and markup?"""

    @classmethod
    def of(cls, seen: Sequence[str]) -> Mask:
        """For what may stand where these texts stood."""
        anything = any(map(_SPACE_OR_MARKUP.search, seen))
        return cls(min(1, *map(len, seen)), _SLACK * max(map(len, seen)) + 1, anything)


@dataclass(frozen=True)
class Template:
    """A text with masks in it, learnt from samples that are all right."""

    sample: str
    texts: tuple[str, ...]
    """Before the first mask, between two of them, and after the last."""
    blanks: tuple[Mask, ...]

    @classmethod
    def of(cls, samples: Sequence[str]) -> Template:
        """The first sample, with a mask wherever another one differs from it."""
        first, *others = dict.fromkeys(samples)
        tokens = TOKEN.findall(first)
        split = [TOKEN.findall(other) for other in others]
        differences = [gaps(tokens, other) for other in split]
        regions = _regions([gap for of_sample in differences for gap in of_sample])
        seen = [["".join(tokens[begin:end])] for begin, end in regions]
        for other, of_sample in zip(split, differences, strict=True):
            for texts, (begin, end) in zip(seen, _in_the_other(regions, of_sample), strict=True):
                texts.append("".join(other[begin:end]))
        bounds = [0, *(place for region in regions for place in region), len(tokens)]
        kept = ("".join(tokens[begin:end]) for begin, end in zip(bounds[::2], bounds[1::2], strict=True))
        return cls(first, tuple(kept), tuple(map(Mask.of, seen)))

    @property
    def masks(self) -> int:
        return len(self.blanks)

    def matches(self, text: str) -> bool:
        return self._read(text)[0]

    def difference(self, text: str) -> str:
        """Where `text` first differs from the sample, masks left out: a short excerpt of both."""
        _, at, number = self._read(text)
        expected = self.texts[number]
        same = next((i for i, (a, b) in enumerate(zip(expected, text[at:], strict=False)) if a != b), None)
        if same is None:
            same = min(len(expected), len(text) - at)
        ours, theirs = expected[max(0, same - _BEFORE) :], text[max(0, at + same - _BEFORE) :]
        if number < self.masks and len(expected) - same < _AFTER:
            ours += "…"
        return f"expected {ours[: _BEFORE + _AFTER]!r}, got {theirs[: _BEFORE + _AFTER]!r}"

    def _read(self, text: str) -> tuple[bool, int, int]:
        """Does the text match? If not, up to where it does, and which of the texts should stand there."""
        if not text.startswith(self.texts[0]):
            return False, 0, 0
        if not self.blanks:
            return text == self.texts[0], 0, 0
        places = [len(self.texts[0])]
        last = len(self.blanks)
        for number, (mask, following) in enumerate(zip(self.blanks, self.texts[1:], strict=True), 1):
            ends = _after(text, places, mask, following, to_the_end=number == last)
            if not ends:
                return False, _likely(text, places[0], mask), number
            places = ends
        return True, len(text), last


def _after(text: str, places: Sequence[int], mask: Mask, following: str, *, to_the_end: bool) -> list[int]:
    """Where the text can be read on, if what the mask stands for begins at one of these places and `following` comes
    after it. In order, each place once."""
    ends: list[int] = []
    for place in places:
        least = max(place + mask.shortest, ends[-1] - len(following) + 1 if ends else 0)
        most = min(place + mask.longest, len(text) - len(following))
        if not mask.anything and (barrier := _SPACE_OR_MARKUP.search(text, place, most)):
            most = barrier.start()
        if to_the_end:
            if least <= (at := len(text) - len(following)) <= most and text.endswith(following):
                return [len(text)]
            continue
        at = text.find(following, least, most + len(following))
        while at >= 0 and len(ends) < _MOST_READINGS:
            ends.append(at + len(following))
            at = text.find(following, at + 1, most + len(following))
    return ends


def _likely(text: str, place: int, mask: Mask) -> int:
    """Where the text behind a mask most likely begins, although it is not as it should be: a token later."""
    token = TOKEN.match(text, place)
    at = token.end() if token and mask.longest > 1 else place
    return min(at, place + mask.longest)


def _regions(differences: Sequence[Gap]) -> list[tuple[int, int]]:
    """The gaps of all samples, merged where they touch."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((gap.begin, gap.end) for gap in differences):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _in_the_other(regions: Sequence[tuple[int, int]], differences: Sequence[Gap]) -> Iterator[tuple[int, int]]:
    """The tokens of another sample that stand where the first has each of these regions: `differences` are its gaps,
    each of which lies in one region."""
    shift = number = 0
    for begin, end in regions:
        before = shift
        while number < len(differences) and differences[number].end <= end:
            shift = differences[number].other_end - differences[number].end
            number += 1
        yield begin + before, end + shift
