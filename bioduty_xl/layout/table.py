"""Finds a declared sheet in a real one: the heading row, each column, each labelled field.

Works on plain grids of text, whoever read them, so that forms, plan and intake look things up in
the same way: by heading, never by position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import pairwise

from rapidfuzz import fuzz

from bioduty_xl.domain.plan import fold
from bioduty_xl.layout.columns import Column, Sheet

Grid = Sequence[Sequence[str]]
"""Rows of cell texts from A1; rows may differ in length."""

HEADING_ROWS = 60
"""How far down a heading row is looked for; ours is in row 5."""

_ADDRESS = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")

ALIKE = 75.0
"""Least likeness (rapidfuzz ratio, 0 to 100) of a respelt heading to the declared one."""


@dataclass(frozen=True)
class Location:
    """Where a declared sheet's table stands in a grid; rows and columns count from 0.

    Attributes:
        row: the heading row.
        columns: column index by column key, for the columns found.
        missing: declared columns that are not there.
        respelt: (as found, as declared) of headings recognised by likeness.
        extra: headings that are not declared.
    """

    row: int
    columns: Mapping[str, int]
    missing: tuple[Column, ...] = ()
    respelt: tuple[tuple[str, str], ...] = ()
    extra: tuple[str, ...] = field(default=())


def locate(sheet: Sheet, grid: Grid) -> Location | None:
    """The table of a declared sheet, or None where fewer than half of its headings are in a row."""
    best: Location | None = None
    for number, row in enumerate(grid[:HEADING_ROWS]):
        found = _match_headings(sheet, number, row)
        if best is None or len(found.columns) > len(best.columns):
            best = found
    if best is None or len(best.columns) * 2 < len(sheet.columns):
        return None
    return best


def find_fields(sheet: Sheet, grid: Grid, above: int) -> dict[str, tuple[int, int]]:
    """(row, column) of each labelled field's value: the first filled cell to the right of its
    label, before the next label; where none is filled, the cell right of the label.

    Args:
        above: the heading row; fields stand over it.
    """
    labels = {fold(entry.label): entry.key for entry in sheet.fields}
    found: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(grid[:above]):
        places = [
            (index, labels[key])
            for index, text in enumerate(row)
            if (key := fold(text).rstrip(":")) in labels
        ]
        for (index, key), (end, _) in pairwise([*places, (len(row), "")]):
            filled = (n for n in range(index + 1, end) if row[n].strip())
            found.setdefault(key, (number, next(filled, index + 1)))
    return found


def rows_below(location: Location, grid: Grid) -> Iterator[tuple[int, dict[str, str]]]:
    """(row index, text by column key) of every row under the headings that is not blank."""
    for number, row in enumerate(grid[location.row + 1 :], start=location.row + 1):
        texts = {key: cell_at(row, index) for key, index in location.columns.items()}
        if any(text.strip() for text in texts.values()):
            yield number, texts


def cell_at(row: Sequence[str], index: int) -> str:
    """A cell's text; empty beyond the row's end."""
    return row[index] if index < len(row) else ""


def address(row: int, column: int) -> str:
    """`(4, 6)` → `G5`."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def parse_address(cell: str) -> tuple[int, int]:
    """`G5` → `(4, 6)`.

    Raises:
        ValueError: it is no address.
    """
    match = _ADDRESS.fullmatch(cell)
    if match is None:
        raise ValueError(cell)
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]) - 1, column - 1


def text_of(value: object) -> str:
    """A cell's value as the text a person sees: 5.0 as 5, dates as 2024-06-25, no value as ''."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def _match_headings(sheet: Sheet, number: int, row: Sequence[str]) -> Location:
    columns: dict[str, int] = {}
    for index, text in enumerate(row):
        column = _first(sheet, fold(text), taken=columns)
        if column is not None:
            columns[column.key] = index
    respelt = []
    if columns:
        for index in range(len(row)):
            if index in columns.values() or len(fold(row[index])) < 2:
                continue
            column = _nearest(sheet, fold(row[index]), taken=columns)
            if column is not None:
                columns[column.key] = index
                respelt.append((row[index].strip(), column.heading))
    return Location(
        number,
        columns,
        tuple(column for column in sheet.columns if column.key not in columns),
        tuple(respelt),
        tuple(
            text.strip()
            for index, text in enumerate(row)
            if text.strip() and index not in columns.values()
        ),
    )


def _first(sheet: Sheet, heading: str, taken: Mapping[str, int]) -> Column | None:
    """The first declared column with this heading that has no place yet: where two columns share
    a heading, their order decides.
    """
    for column in sheet.columns:
        if column.key not in taken and heading in map(fold, (column.heading, *column.spellings)):
            return column
    return None


def _nearest(sheet: Sheet, heading: str, taken: Mapping[str, int]) -> Column | None:
    likeness = {
        column.key: fuzz.ratio(heading, fold(column.heading))
        for column in sheet.columns
        if column.key not in taken
    }
    key = max(likeness, key=likeness.__getitem__, default=None)
    return sheet[key] if key is not None and likeness[key] >= ALIKE else None
