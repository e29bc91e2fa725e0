"""How tall a row must be for its texts: suites do not fit wrapped rows when they open a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

LINE = 13.0
"""Height of a line of 10-point text, in points."""

TALLEST = 409.0
"""The tallest row that Excel has, in points."""

_FURTHER_NARROW = re.compile(
    "[\u0080-\u2013\u2015-\u2017\u201a\u201b\u201e-\u2025\u2027-\u2604\u2606-\u2e7f]"
)
"""What takes one character's width beside ASCII: all but Chinese letters and “”‘’—…★."""


def height_for(texts: Iterable[tuple[str, float]], least: float) -> float:
    """Row height in points that shows every text.

    Args:
        texts: each text with the width of its column, in characters.
        least: the smallest height to give.
    """
    return height_of(max((lines_of(text, width) for text, width in texts), default=1), least)


def height_of(lines: int, least: float) -> float:
    """Row height in points for so many lines."""
    return min(TALLEST, max(least, lines * LINE + 6))


def lines_of(text: str, width: float) -> int:
    """How many lines a text takes in a column of so many characters."""
    width = max(1, width)
    if "\n" in text:
        return sum(lines_of(line, width) for line in text.split("\n"))
    return 1 if 2 * len(text) <= width else math.ceil(_width(text) / width)


def _width(text: str) -> float:
    """Width in characters: Chinese letters and punctuation take two."""
    narrow = len(text.encode("ascii", "ignore")) + len(_FURTHER_NARROW.findall(text))
    return (200 * len(text) - 95 * narrow) / 100  # exact, where many 1.05 would not add up
