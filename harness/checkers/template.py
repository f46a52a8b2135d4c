"""What is volatile in an answer: text that differs between answers that are both right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# A token ends where markup or white space does, so that a token such as a date or a CSRF secret is masked whole
# and not only the characters in which two of them happen to differ.
_TOKEN = re.compile(r"[^\s<>\"'&=;,]+|.", re.DOTALL)
# A mask stands for a text of any length up to this many times the longest seen, but never for nothing less
# than what may separate a token from an error page.
_SLACK = 2


@dataclass(frozen=True)
class Template:
    """A text with masks in it, learnt from samples that are all right."""

    pattern: re.Pattern[str]
    sample: str
    masks: int

    @classmethod
    def of(cls, samples: Sequence[str]) -> Template:
        """The first sample with everything masked in which any other differs from it."""
        first = samples[0]
        tokens = _TOKEN.findall(first)
        kept = [True] * len(tokens)
        longest = [0] * (len(tokens) + 1)
        inserted: dict[int, int] = {}
        for sample in dict.fromkeys(samples[1:]):
            if sample == first:
                continue
            other = _TOKEN.findall(sample)
            matcher = difflib.SequenceMatcher(None, tokens, other, autojunk=False)
            for tag, begin, end, other_begin, other_end in matcher.get_opcodes():
                if tag == "equal":
                    continue
                length = len("".join(other[other_begin:other_end]))
                if begin == end:
                    inserted[begin] = max(inserted.get(begin, 0), length)
                for index in range(begin, end):
                    kept[index] = False
                    longest[index] = max(longest[index], length)
        return cls(_compile(tokens, kept, longest, inserted), first, kept.count(False) + len(inserted))

    def matches(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None

    def difference(self, text: str) -> str:
        """Where `text` leaves the sample: a short excerpt of both."""
        at = next(
            (i for i, (ours, theirs) in enumerate(zip(self.sample, text, strict=False)) if ours != theirs),
            min(len(self.sample), len(text)),
        )
        begin = max(0, at - 20)
        return f"expected {self.sample[begin : at + 60]!r}, got {text[begin : at + 60]!r}"


def _compile(tokens: list[str], kept: list[bool], longest: list[int], inserted: dict[int, int]) -> re.Pattern[str]:
    parts: list[str] = []
    masked, room = "", 0

    def close_mask() -> None:
        nonlocal masked, room
        if masked or room:
            spaces = any(each.isspace() for each in masked) or not masked
            limit = _SLACK * max(len(masked), room) + 1
            parts.append(("." if spaces else r"[^\s<>]") + f"{{0,{limit}}}?")
        masked, room = "", 0

    for index, token in enumerate(tokens):
        if index in inserted:
            room = max(room, inserted[index])
        if kept[index]:
            close_mask()
            parts.append(re.escape(token))
        else:
            masked += token
            room = max(room, longest[index])
    room = max(room, inserted.get(len(tokens), 0))
    close_mask()
    return re.compile("".join(parts), re.DOTALL)
