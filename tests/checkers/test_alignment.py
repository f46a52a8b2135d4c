"""Alignment: the gaps of two sequences, and nothing but them, in time that grows with their length."""

import json
import random
import time

import pytest

from harness.checkers.alignment import Gap, gaps
from harness.checkers.template import Template

LETTERS = "abcdefgh <>\"',"


def rebuilt(tokens, other, differences):
    """The other sequence, from the first one and the gaps."""
    parts, at = [], 0
    for gap in differences:
        parts += tokens[at : gap.begin]
        parts += other[gap.other_begin : gap.other_end]
        at = gap.end
    return parts + list(tokens[at:])


def records(count, draw):
    return json.dumps([{"id": draw.randrange(10**6), "name": str(draw.random()), "n": [1, 2]} for _ in range(count)])


def cpu_seconds(size):
    """What it takes to learn from two documents of that many records which are all different, one of them longer."""
    draw = random.Random(size)
    samples = [records(size, draw), records(size + 1, draw)]
    begin = time.process_time()
    Template.of(samples)
    return time.process_time() - begin


class TestGaps:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            ("abc", "abc", []),
            ("abc", "axc", [Gap(1, 2, 1, 2)]),
            ("abc", "ac", [Gap(1, 2, 1, 1)]),
            ("ac", "abc", [Gap(1, 1, 1, 2)]),
            ("", "abc", [Gap(0, 0, 0, 3)]),
            ("abxcd", "xabcd", [Gap(0, 0, 0, 1), Gap(2, 3, 3, 3)]),
        ],
    )
    def test_known(self, one, other, expected):
        """A change, an insertion, an end that is missing: each is a gap of its own."""
        assert rebuilt(one, other, gaps(one, other)) == list(other)
        assert len(expected) == len(gaps(one, other))

    @pytest.mark.parametrize("seed", range(200))
    def test_random(self, seed):
        """Whatever two sequences are: the first with the gaps filled from the other is the other."""
        draw = random.Random(seed)
        one, other = (draw.choices(LETTERS, k=draw.randrange(60)) for _ in range(2))

        assert rebuilt(one, other, gaps(one, other)) == other

    def test_record_more(self):
        """One record more than the other has does not make everything behind it differ."""
        one = [f"record {number}" for number in range(50)]
        other = [*one[:20], "another", *one[20:]]

        assert [Gap(20, 20, 20, 21)] == gaps(one, other)


class TestTemplateOfMany:
    @pytest.mark.parametrize("seed", range(100))
    def test_random_samples(self, seed):
        """A template matches each of its samples, whatever they are."""
        draw = random.Random(seed)
        samples = ["".join(draw.choices(LETTERS, k=draw.randrange(80))) for _ in range(3)]

        assert all(map(Template.of(samples).matches, samples))

    def test_excerpt_behind_masks(self):
        """A difference shows the place that differs, not one that is masked."""
        template = Template.of(["<p>token aaaaaaaa</p><b>10 items</b>", "<p>token bbbbbbbb</p><b>10 items</b>"])

        text = template.difference("<p>token cccccccc</p><b>no items</b>")

        assert text.index("no items") > 0
        assert "aaaaaaaa" not in text

    def test_growth(self):
        """Eight times the text takes far less than the 64 times of a quadratic method."""
        small = max(min(cpu_seconds(200) for _ in range(3)), 0.001)

        assert cpu_seconds(1600) < 24 * small
