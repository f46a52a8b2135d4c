"""Where two sequences of tokens differ, in time that grows with their length: pages have up to megabytes."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import compress, count, pairwise
from typing import NamedTuple

# How often a stretch without a common token at its ends is divided further: each time the tokens that both halves have
# equally often are aligned, and a page is rarely nested deeper than this. What is left then differs as a whole.
_MOST_DIVISIONS = 8
# Sequences of one length that agree in this share of their places differ in values only, not in structure.
_ALIKE = 0.5
# A stretch as short as this differs as a whole: a value and what stands around it.
_SHORT = 2
_second = operator.itemgetter(1)


class Gap(NamedTuple):
    """Tokens `begin` to `end` of one sequence stand where the other has its tokens `other_begin` to `other_end`."""

    begin: int
    end: int
    other_begin: int
    other_end: int


def gaps(tokens: Sequence[str], other: Sequence[str]) -> list[Gap]:
    """Where two sequences differ, in order; between the gaps they are the same.

    Not always the shortest difference: that takes quadratic time (difflib needs seconds for 8 kB of JSON). Tokens are
    aligned by their rank, the k-th `"name"` with the k-th, and of these pairs the longest increasing subsequence is
    kept, as patience diff keeps it of unique lines.
    """
    return _merged(_divided(tokens, other, Gap(0, len(tokens), 0, len(other)), _MOST_DIVISIONS))


def _divided(tokens: Sequence[str], other: Sequence[str], window: Gap, divisions: int) -> Iterator[Gap]:
    begin, end, other_begin, other_end = _trimmed(tokens, other, window)
    if begin == end and other_begin == other_end:
        return
    if not divisions or min(end - begin, other_end - other_begin) <= _SHORT:
        yield Gap(begin, end, other_begin, other_end)
        return
    mine, theirs = tokens[begin:end], other[other_begin:other_end]
    if len(mine) == len(theirs):
        differing = list(compress(count(), map(operator.ne, mine, theirs)))
        if len(differing) <= (1 - _ALIKE) * len(mine):
            yield from (Gap(begin + at, begin + at + 1, other_begin + at, other_begin + at + 1) for at in differing)
            return
    anchors = _increasing(_pairs_by_rank(mine, theirs))
    if not anchors:
        yield Gap(begin, end, other_begin, other_end)
        return
    for (at, other_at), (until, other_until) in pairwise([(-1, -1), *anchors, (len(mine), len(theirs))]):
        if until - at > 1 or other_until - other_at > 1:
            between = Gap(begin + at + 1, begin + until, other_begin + other_at + 1, other_begin + other_until)
            yield from _divided(tokens, other, between, divisions - 1)


def _trimmed(tokens: Sequence[str], other: Sequence[str], window: Gap) -> Gap:
    """The window without what is the same at both ends."""
    begin, end, other_begin, other_end = window
    while begin < end and other_begin < other_end and tokens[begin] == other[other_begin]:
        begin, other_begin = begin + 1, other_begin + 1
    while begin < end and other_begin < other_end and tokens[end - 1] == other[other_end - 1]:
        end, other_end = end - 1, other_end - 1
    return Gap(begin, end, other_begin, other_end)


def _pairs_by_rank(mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """The places of equal tokens of equal rank. Tokens that both have equally often, or else all that both have: one
    record more than the other has then shifts those behind it."""
    times, other_times = Counter(mine), Counter(theirs)
    common = times.keys() & other_times.keys()
    chosen = {token for token in common if times[token] == other_times[token]} or common
    places: dict[str, deque[int]] = {token: deque() for token in chosen}
    for place, token in enumerate(theirs):
        if token in chosen:
            places[token].append(place)
    return [(at, places[token].popleft()) for at, token in enumerate(mine) if token in chosen and places[token]]


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second members increase, as their first ones do (Fredman 1975)."""
    if all(map(operator.lt, map(_second, pairs), map(_second, pairs[1:]))):
        return list(pairs)
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [place]
        ends[length : length + 1] = [number]
    chosen = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = before[number]
    return chosen[::-1]


def _merged(parts: Iterator[Gap]) -> list[Gap]:
    """Gaps that touch, as one."""
    merged: list[Gap] = []
    for gap in parts:
        if merged and merged[-1].end == gap.begin and merged[-1].other_end == gap.other_begin:
            merged[-1] = Gap(merged[-1].begin, gap.end, merged[-1].other_begin, gap.other_end)
        else:
            merged.append(gap)
    return merged
