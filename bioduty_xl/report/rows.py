"""The rows of a worksheet as XML: what a writer of single cells would write, many rows at a time.

Every distinct text of some hundred rows is escaped and measured once, and a row is one formatting
of its cells. Texts are inline strings, so that they stay texts whatever they look like, and nothing
of a big sheet is held but the rows under way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from numbers import Real

import numpy as np
import pandas as pd
from xlsxwriter.utility import xl_col_to_name

from bioduty_xl.layout.columns import Column, Kind
from bioduty_xl.layout.measure import height_of, lines_of
from bioduty_xl.report.looks import Look, colours

CELL_LIMIT = 32767
"""Characters that Excel keeps in a cell, those beyond U+FFFF counted twice."""

_CUT = "…（超出单元格上限，全文见原件）"

_AT_ONCE = 500
"""Rows that are made at once."""

_WORDS = (Kind.TEXT, Kind.WORD, Kind.CHOICE, Kind.PHONE)
"""Kinds of column that hold texts."""

_MEASURED = (Kind.TEXT, Kind.WORD, Kind.CHOICE)
"""Kinds of column whose texts make a row taller."""

_LEAST = 18.0
"""Height of a row of one line, in points."""

_MARKUP = 128
"""Bytes that the XML of a cell takes beside its text, at the very most."""

_LONGEST_ESCAPE = 7
"""Bytes that a character may take: _x0001_"""


@dataclass(frozen=True)
class Rows:
    """The rows of a table below its headings, from row 2 on.

    Attributes:
        columns: as declared, one for each of the frame's.
        table: their values.
        grouped: whether rows with the same first value belong together, a line above them.
    """

    columns: tuple[Column, ...]
    table: pd.DataFrame
    grouped: bool = False

    @property
    def extent(self) -> str:
        """Where the table stands, its headings included."""
        return f"A1:{xl_col_to_name(len(self.columns) - 1)}{len(self.table) + 1}"

    @property
    def most_bytes(self) -> int:
        """So many bytes its XML has at the very most."""
        return len(self.table) * len(self.columns) * _MARKUP + self._survey[1] * _LONGEST_ESCAPE

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every look that its cells have."""
        return self._survey[0]

    def xml(self, styles: Mapping[Look, str]) -> Iterator[bytes]:
        """The rows as elements of a sheet's data.

        Args:
            styles: the number of each look in the workbook's list of formats.
        """
        writers = [_Cells.of(column, styles, grouped=self.grouped) for column in self.columns]
        for start, values in self._batches():
            count = len(values[0])
            firsts = [n - start for n in self._firsts if start <= n < start + count]
            cells = [
                writer.cells(some, firsts) for writer, some in zip(writers, values, strict=True)
            ]
            numbers = range(start + 2, start + 2 + count)
            heights = _heights(self.columns, values)
            yield "".join(map(self._row, numbers, heights, *cells)).encode()

    def _batches(self) -> Iterator[tuple[int, list[list[object]]]]:
        """Some rows at a time: the number of the first, from 0, and the values of each column."""
        for start in range(0, len(self.table), _AT_ONCE):
            part = self.table.iloc[start : start + _AT_ONCE]
            yield start, part.to_numpy(dtype=object).T.tolist()

    @cached_property
    def _survey(self) -> tuple[tuple[Look, ...], int]:
        """The looks that there are, and how many letters at most."""
        met = {Look(column.kind): None for column in self.columns}
        letters = 0
        for _, values in self._batches():
            for column, some in zip(self.columns, values, strict=True):
                if column.kind in _WORDS:
                    letters += sum(map(len, map(str, some)))
                if coloured := colours(column.kind):
                    here = set(some)
                    met |= {
                        Look(column.kind, colour): None
                        for value, colour in coloured.items()
                        if value in here
                    }
        more = [look._replace(first=True) for look in met] if self.grouped else []
        return (*met, *more), letters

    @cached_property
    def _firsts(self) -> Sequence[int]:
        """Which rows begin a group, counted from 0."""
        if not self.grouped:
            return ()
        groups = self.table.iloc[:, 0].tolist()
        return [n for n, group in enumerate(groups) if n == 0 or group != groups[n - 1]]

    @cached_property
    def _row(self) -> Callable[..., str]:
        """Puts a row together: its number, its height, and its cells without their addresses."""
        letters = (xl_col_to_name(n) for n in range(len(self.columns)))
        cells = "".join(f'<c r="{name}{{0}}"{{{n}}}' for n, name in enumerate(letters, start=2))
        return f'<row r="{{0}}" ht="{{1}}" customHeight="1">{cells}</row>'.format


@dataclass(frozen=True)
class _Cells:
    """Writes the cells of a column, each without the beginning that states its address.

    Attributes:
        kind: of the column.
        usual, first: the styles of values that are not coloured; `first` in the first row of a
            group.
        coloured, first_coloured: the styles of those that are.
    """

    kind: Kind
    usual: str
    coloured: Mapping[object, str]
    first: str
    first_coloured: Mapping[object, str]

    @classmethod
    def of(cls, column: Column, styles: Mapping[Look, str], *, grouped: bool) -> _Cells:
        known = colours(column.kind)

        def coloured(*, first: bool) -> Mapping[object, str]:
            looks = {value: Look(column.kind, colour, first) for value, colour in known.items()}
            return {value: styles[look] for value, look in looks.items() if look in styles}

        return cls(
            column.kind,
            styles[Look(column.kind)],
            coloured(first=False),
            styles[Look(column.kind, first=grouped)],
            coloured(first=grouped),
        )

    def cells(self, values: Sequence[object], firsts: Sequence[int]) -> list[str]:
        """The cells of some rows, of which those numbered in `firsts` begin a group."""
        if self.kind in _WORDS:  # the same words stand in many rows
            style = self.coloured.get
            made = {v: f' s="{style(v, self.usual)}"{_content(v)}' for v in set(values)}
            cells = [made[value] for value in values]
        else:
            cells = [f' s="{self.usual}"{_content(value)}' for value in values]
        for n in firsts:
            first = self.first_coloured.get(values[n], self.first)
            cells[n] = f' s="{first}"{_content(values[n])}'
        return cells


def _content(value: object) -> str:
    """The rest of a cell behind its style: nothing, a text, a truth, or a number."""
    if isinstance(value, str):
        return _text(value) if value else "/>"
    if value is None or value is pd.NA or value != value:  # what is no number, and no date
        return "/>"
    if isinstance(value, bool | np.bool):
        return f' t="b"><v>{value:d}</v></c>'
    if isinstance(value, date):
        value = _serial(value)
    if isinstance(value, Real) and math.isfinite(value):
        return f"><v>{value:.16G}</v></c>"
    raise TypeError(f"no cell of a workbook can hold {value!r}")


_EPOCH = date(1899, 12, 30).toordinal()


def _serial(moment: date) -> float:
    """A date or time as Excel counts it: in days (right from March 1900 on)."""
    days = float(moment.toordinal() - _EPOCH)
    if not isinstance(moment, datetime):
        return days
    since = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
    return days + (since.total_seconds() + moment.microsecond / 1e6) / 86400


def _text(text: str) -> str:
    plain = text.isprintable() and text[0] != " " != text[-1] and len(text) <= CELL_LIMIT // 2
    if plain and not ("&" in text or "<" in text or ">" in text or "_x" in text):
        return f' t="inlineStr"><is><t>{text}</t></is></c>'
    runs = _LIKE_ESCAPES.split(writable(text))
    said = "".join(f"<r>{_run(run)}</r>" for run in runs) if len(runs) > 1 else _run(runs[0])
    return f' t="inlineStr"><is>{said}</is></c>'


def _run(text: str) -> str:
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<t{space}>{_escaped(text)}</t>"


_SURROGATES = re.compile(r"[\ud800-\udfff]")
_NOT_IN_XML = r"\x00-\x08\x0b-\x1f\ufffe\uffff"
_UNWRITABLE = re.compile(f"[{_NOT_IN_XML}]")
_LIKE_ESCAPES = re.compile(f"(?<=_)(?=x[0-9A-Fa-f]{{4}}[_{_NOT_IN_XML}])")
"""Where a text that looks like an escaped character is parted: no program that reads the parts for
themselves takes it for one, where not all know the escape of the escape. What XML cannot hold is
escaped in turn, and begins with the `_` that would end it.
"""


def writable(text: str) -> str:
    """A text that a cell can hold: no lone surrogates, within Excel's limit, the cut said."""
    text = sound(text)
    if len(text) <= CELL_LIMIT // 2:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CELL_LIMIT:
        return text
    kept = units[: 2 * (CELL_LIMIT - len(_CUT))].decode("utf-16-le", "ignore")
    return kept + _CUT


def sound(text: str) -> str:
    """A text without lone surrogates, which no file can hold."""
    return _SURROGATES.sub("\ufffd", text)


def _escaped(text: str) -> str:
    """A text in XML; what XML cannot hold as Excel writes it: _x0001_"""
    text = _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _heights(columns: Sequence[Column], values: Sequence[Sequence[object]]) -> Sequence[str]:
    """How tall each row is, as XML says it."""
    tall = [
        [known.get(value, 1) for value in of_column]
        for column, of_column in zip(columns, values, strict=True)
        if column.kind in _MEASURED and (known := _lines(column, of_column))
    ]
    return [_height(max(lines)) for lines in zip([1] * len(values[0]), *tall, strict=True)]


def _lines(column: Column, values: Sequence[object]) -> dict[object, int]:
    """How many lines each value of a column takes that may take more than one."""
    longest = column.width / 2
    return {
        value: lines_of(value, column.width)
        for value in set(values)
        if isinstance(value, str) and (len(value) > longest or "\n" in value)
    }


@cache
def _height(lines: int) -> str:
    """The height of a row of so many lines; Excel keeps heights in whole pixels of 0.75 points."""
    return f"{int(height_of(lines, _LEAST) * 4 / 3 + 0.5) * 0.75:.16g}"
