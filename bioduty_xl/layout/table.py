"""Finds a declared sheet in a real one: the heading row, each column, each labelled field.

Works on plain grids of text, whoever read them, so that forms, plan and intake look things up in
the same way: by heading, never by position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise

from bioduty_xl.domain.plan import fold
from bioduty_xl.layout.columns import Column, Filler, Sheet

Grid = Sequence[Sequence[str]]
"""Rows of cell texts from A1; rows may differ in length."""

HEADING_ROWS = 60
"""How far down a heading row is looked for; ours is in row 5."""

_ADDRESS = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")

HEADING_LENGTH = 60
"""Characters of a text beyond which it is no heading."""

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
        doubtful: declared headings of columns that units fill which several columns could be.
    """

    row: int
    columns: Mapping[str, int]
    missing: tuple[Column, ...] = ()
    respelt: tuple[tuple[str, str], ...] = ()
    extra: tuple[str, ...] = field(default=())
    doubtful: tuple[str, ...] = ()


def locate(sheet: Sheet, grid: Grid) -> Location | None:
    """The table of a declared sheet, or None where fewer than half of its headings are in a row."""
    best: Location | None = None
    for number, row in enumerate(grid[:HEADING_ROWS]):
        if sum(map(bool, row)) * 2 < len(sheet.columns):
            continue  # too few texts, whatever they are
        found = _match_headings(sheet, number, row)
        if best is None or len(found.columns) > len(best.columns):
            best = found
        if not best.missing:
            break
    if best is None or len(best.columns) * 2 < len(sheet.columns):
        return None
    return best


def find_fields(sheet: Sheet, grid: Grid, above: int) -> dict[str, tuple[int, int]]:
    """(row, column) of each labelled field's value: the first filled cell to the right of its
    label, before the next label; where none is filled, the cell right of the label.

    Args:
        above: the heading row; fields stand over it.
    """
    labels = _labels(sheet)
    found: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(grid[:above]):
        places = [
            (index, labels[key])
            for index, text in enumerate(row)
            if 0 < len(text) <= HEADING_LENGTH and (key := fold(text).rstrip(":")) in labels
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


@lru_cache(maxsize=4096)
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
    folded = [fold(text) if len(text) <= HEADING_LENGTH else "" for text in row]
    by_heading = _columns_by_heading(sheet)
    columns: dict[str, int] = {}
    for index, heading in enumerate(folded):
        column = _named(sheet, folded, index, taken=columns) if heading in by_heading else None
        if column is not None:
            columns[column.key] = index
    respelt, doubtful = _respelt(sheet, row, folded, columns) if columns else ([], [])
    spare = [index for index in range(len(row)) if index not in columns.values()]
    doubtful += [
        column.heading
        for index in spare
        for column in by_heading.get(folded[index], ())
        if column.filled_by is Filler.UNIT
    ]
    return Location(
        number,
        columns,
        tuple(column for column in sheet.columns if column.key not in columns),
        tuple(respelt),
        tuple(row[index].strip() for index in spare if row[index].strip()),
        tuple(dict.fromkeys(doubtful)),
    )


@lru_cache
def _labels(sheet: Sheet) -> dict[str, str]:
    """Keys of the labelled fields by folded label."""
    return {fold(entry.label): entry.key for entry in sheet.fields}


@lru_cache
def _columns_by_heading(sheet: Sheet) -> dict[str, tuple[Column, ...]]:
    """The columns that a folded heading may stand for; some sheets have one heading twice."""
    found: dict[str, tuple[Column, ...]] = {}
    for column in sheet.columns:
        for heading in map(fold, (column.heading, *column.spellings)):
            found[heading] = (*found.get(heading, ()), column)
    return found


def _named(
    sheet: Sheet, folded: Sequence[str], index: int, taken: Mapping[str, int]
) -> Column | None:
    """The declared column with a heading. Where several share it, the one whose neighbour on the
    left is the same (whose telephone is it?), and only then the first without a place.
    """
    by_heading = _columns_by_heading(sheet)
    free = [column for column in by_heading[folded[index]] if column.key not in taken]
    before = by_heading.get(folded[index - 1], ()) if index else ()
    for column in free if len(free) > 1 else ():
        place = sheet.columns.index(column)
        if place and sheet.columns[place - 1] in before:
            return column
    return free[0] if free else None


def _respelt(
    sheet: Sheet, row: Sequence[str], folded: Sequence[str], columns: dict[str, int]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Give columns without a place the heading most like theirs; tells (as found, as declared), and
    the declared headings that several are alike to.
    """
    lacking = [column for column in sheet.columns if column.key not in columns]
    if not lacking:
        return [], []
    from rapidfuzz import fuzz

    found, doubtful = [], []
    for column in lacking:
        alike = {
            index: fuzz.ratio(heading, fold(column.heading))
            for index, heading in enumerate(folded)
            if index not in columns.values() and len(heading) > 1
        }
        near = [index for index, likeness in alike.items() if likeness >= ALIKE]
        if len(near) > 1 and column.filled_by is Filler.UNIT:
            doubtful.append(column.heading)
        if near:
            best = max(near, key=alike.__getitem__)
            columns[column.key] = best
            found.append((row[best].strip(), column.heading))
    return found, doubtful
