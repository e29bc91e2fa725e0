"""Reference periods: the quarters that returns are about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import total_ordering

_SPELLINGS = re.compile(r"(\d{4})\s*(?:年|[-_/])?\s*(?:[Qq第])?\s*([1-4一二三四])\s*(?:季度)?")
_CHINESE = "一二三四"


@total_ordering
@dataclass(frozen=True)
class Period:
    """A calendar quarter, written `2024Q2`.

    Attributes:
        year: four digits.
        quarter: 1 to 4.
    """

    year: int
    quarter: int

    def __post_init__(self) -> None:
        if not 1 <= self.quarter <= 4 or not 1 <= self.year <= 9998:
            raise ValueError(f"{self.year}Q{self.quarter} is not a quarter")

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `2024Q2`, `2024q2`, `2024-2`, `2024年第二季度` and the like.

        Raises:
            ValueError: the text names no quarter.
        """
        match = _SPELLINGS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a quarter such as 2024Q2")
        quarter = match[2]
        return cls(
            int(match[1]), _CHINESE.index(quarter) + 1 if quarter in _CHINESE else int(quarter)
        )

    @classmethod
    def containing(cls, day: date) -> Period:
        """The quarter that a day falls in."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def last_month(self) -> int:
        """The month (1 to 12) in which returns fall due: 每季度末月 (the letter, clause 二)."""
        return self.quarter * 3

    @property
    def start(self) -> date:
        """Its first day."""
        return date(self.year, self.last_month - 2, 1)

    @property
    def label(self) -> str:
        """As an office letter writes it: 2024年第二季度."""
        return f"{self.year}年第{_CHINESE[self.quarter - 1]}季度"

    def shift(self, quarters: int) -> Period:
        """The period so many quarters later (or, negative, earlier)."""
        count = self.year * 4 + self.quarter - 1 + quarters
        return Period(count // 4, count % 4 + 1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.quarter}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Period):
            return NotImplemented
        return (self.year, self.quarter) < (other.year, other.quarter)
