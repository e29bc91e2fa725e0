"""How tall a row must be for its texts: suites do not fit wrapped rows when they open a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

LINE = 13.0
"""Height of a line of 10-point text, in points."""

TALLEST = 409.0
"""The tallest row that Excel has, in points."""

_WIDE = re.compile("[\u2e80-\U0010ffff“”‘’—…★]")


def height_for(texts: Iterable[tuple[str, float]], least: float) -> float:
    """Row height in points that shows every text.

    Args:
        texts: each text with the width of its column, in characters.
        least: the smallest height to give.
    """
    lines = max((_lines(text, width) for text, width in texts), default=1)
    return min(TALLEST, max(least, lines * LINE + 6))


@lru_cache(maxsize=1024)  # what the plan says is on many forms
def _lines(text: str, width: float) -> int:
    return sum(max(1, math.ceil(_width(line) / max(1, width))) for line in text.split("\n"))


def _width(text: str) -> float:
    """Width in characters: Chinese letters and punctuation take two."""
    wide = len(_WIDE.findall(text))
    return wide * 2.0 + (len(text) - wide) * 1.05
