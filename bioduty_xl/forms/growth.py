"""What grows in a part of a workbook with the number of rows, learnt from two of them and three."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

FEW, MORE = 2, 3
"""Rows from which it is learnt what grows with their number."""

_UNEVEN = "表格行数不同时，模板的其他内容也不同"
_UNLIKE = "表格各行的样式不一致"

_DIGITS = re.compile(rb"(\d+)")


class Refused(Exception):
    """Only openpyxl can make this form, or any form of this template; says why, in Chinese."""


@dataclass(frozen=True)
class Growth:
    """Bytes with numbers in them that follow a count.

    Attributes:
        texts: what stands before, between and after the numbers.
        numbers: by how much each differs from the count.
    """

    texts: tuple[bytes, ...]
    numbers: tuple[int, ...]

    @classmethod
    def learnt(cls, one: bytes, other: bytes, count: int = FEW, complaint: str = _UNEVEN) -> Growth:
        """From what stands there at a count and at the next one.

        Raises:
            Refused: they differ otherwise than in such numbers.
        """
        pieces, following = _DIGITS.split(one), _DIGITS.split(other)
        if len(pieces) != len(following):
            raise Refused(complaint)
        texts: list[list[bytes]] = [[]]
        numbers = []
        for piece, next_piece in zip(pieces, following, strict=True):
            if piece == next_piece:
                texts[-1].append(piece)
            elif _follows(piece, next_piece):
                numbers.append(int(piece) - count)
                texts.append([])
            else:
                raise Refused(complaint)
        return cls(tuple(map(b"".join, texts)), tuple(numbers))

    def at(self, count: int) -> bytes:
        """What stands there at a count."""
        numbers = (b"%d" % (number + count) for number in self.numbers)
        between = zip(numbers, self.texts[1:], strict=True)
        return b"".join((self.texts[0], *chain.from_iterable(between)))


@dataclass(frozen=True)
class Split:
    """A piece of a part taken apart: what stands before its rows, the rows, and what follows."""

    head: bytes
    rows: Sequence[bytes]
    tail: bytes


@dataclass(frozen=True)
class Run:
    """Rows that are alike, what stands before them, and what follows."""

    head: Growth
    row: Growth
    tail: Growth

    @classmethod
    def learnt(cls, few: Split, more: Split) -> Run:
        """From `FEW` and from `MORE` rows; raises as `Growth.learnt`."""
        if (len(few.rows), len(more.rows)) != (FEW, MORE):
            raise Refused(_UNEVEN)
        row = Growth.learnt(few.rows[0], few.rows[1], 0, _UNLIKE)
        if [row.at(number) for number in range(MORE)] != list(more.rows):
            raise Refused(_UNLIKE)
        return cls(Growth.learnt(few.head, more.head), row, Growth.learnt(few.tail, more.tail))

    def at(self, numbers: Sequence[int]) -> bytes:
        """What stands there with the rows of these numbers, from 0."""
        count = len(numbers)
        return b"".join((self.head.at(count), *map(self.row.at, numbers), self.tail.at(count)))


def split_at_rows(part: bytes, first: int, count: int) -> Split:
    """A sheet taken apart at so many of its rows.

    Args:
        first: number of the first.

    Raises:
        Refused: they are not all there.
    """
    starts = [part.find(b'<row r="%d"' % number) for number in range(first, first + count)]
    end = part.find(b"</row>", starts[-1]) + len(b"</row>")
    if min(starts) < 0 or end < starts[-1]:
        raise Refused("找不到表格的各行")
    rows = [part[a:b] for a, b in pairwise([*starts, end])]
    return Split(part[: starts[0]], rows, part[end:])


def split_at(part: bytes, element: re.Pattern[bytes]) -> Split:
    """A part taken apart at some of its elements, which follow one another.

    Raises:
        Refused: there are none.
    """
    found = list(element.finditer(part))
    if not found:
        raise Refused("找不到批注或清单的各行")
    return Split(part[: found[0].start()], [one[0] for one in found], part[found[-1].end() :])


def _follows(one: bytes, other: bytes) -> bool:
    """Whether one number comes right after another."""
    return one.isdigit() and (one, other) == tuple(b"%d" % (int(one) + n) for n in (0, 1))
