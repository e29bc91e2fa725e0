"""Shares a table out over worksheets where it is longer or wider than one can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bioduty_xl.domain.plan import Part
from bioduty_xl.layout.columns import Sheet
from bioduty_xl.layout.sheets import DETAIL, MATRIX, REPORT, ROLLUP


@dataclass(frozen=True)
class Limits:
    """How much a worksheet holds.

    Attributes:
        rows: its heading's row included.
        columns: so many, which is more than any declared sheet has.
    """

    rows: int = 1_048_576
    columns: int = 16_384

    def __post_init__(self) -> None:
        widest = max(len(sheet.columns) for sheet in (*REPORT, *ROLLUP))
        if self.rows < 2 or self.columns <= widest:
            raise ValueError(f"a worksheet holds 2 rows and {widest + 1} columns at least: {self}")


EXCEL = Limits()
"""Excel's own."""


@dataclass(frozen=True)
class Piece:
    """One worksheet's share of a table.

    Attributes:
        sheet: as declared, its title that of the worksheet.
        table: its rows.
        whole: title of the declared sheet.
        holds: what of it, in Chinese; empty: all.
        name: of the table in the worksheet.
    """

    sheet: Sheet
    table: pd.DataFrame
    whole: str
    holds: str
    name: str


def pieces(
    sheet: Sheet, table: pd.DataFrame, parts: Sequence[Part], limits: Limits = EXCEL
) -> tuple[Piece, ...]:
    """The worksheets of a table: one, unless it holds more than one can.

    汇总明细 is then shared out by the plan's parts; a part that is still too long, and any other
    table, in numbered pieces.

    Args:
        sheet: with a column for each of the table's.
        parts: the plan's, in order.
    """
    name = f"t_{sheet.key}"
    if len(table) < limits.rows and len(table.columns) <= limits.columns:
        return (Piece(sheet, table, sheet.title, "", name),)
    is_detail = sheet.key == DETAIL.key and len(table.columns) <= limits.columns
    shares = _by_part(sheet, table, parts, limits) if is_detail else None
    return tuple(
        Piece(replace(share, title=title), rows, sheet.title, holds, f"{name}_{n}")
        for n, (title, share, rows, holds) in enumerate(
            shares or _numbered(sheet.title, sheet, table, "", limits), start=1
        )
    )


_Share = tuple[str, Sheet, pd.DataFrame, str]
"""A worksheet's title, its columns, its rows, and what they are."""

_REPEATED = len(MATRIX.columns)
"""Columns that stand in every piece of a table that is too wide."""


def _by_part(
    sheet: Sheet, table: pd.DataFrame, parts: Sequence[Part], limits: Limits
) -> Iterator[_Share]:
    titles = [part.title for part in parts]
    shares = [
        (f"{sheet.title}_第{part.no}部分", part.title, table[table["part"] == part.title])
        for part in parts
    ]
    shares.append((f"{sheet.title}_其他", "不属于任何部分", table[~table["part"].isin(titles)]))
    for title, holds, rows in shares:
        if len(rows) >= limits.rows:
            yield from _numbered(title, sheet, rows, f"{holds}，", limits)
        elif len(rows):
            yield title, sheet, rows, holds


def _numbered(
    title: str, sheet: Sheet, table: pd.DataFrame, of: str, limits: Limits
) -> Iterator[_Share]:
    """Blocks of as many rows and columns as a worksheet holds."""
    number = 0
    for columns in _blocks_of_columns(len(table.columns), limits):
        share = replace(sheet, columns=tuple(sheet.columns[n] for n in columns))
        for start in range(0, len(table), limits.rows - 1):
            rows = table.iloc[start : start + limits.rows - 1, columns]
            holds = f"{of}第 {start + 1} 至 {start + len(rows)} 行"
            if len(columns) < len(table.columns):
                holds += f"，{share.columns[_REPEATED].heading}至{share.columns[-1].heading}"
            number += 1
            yield f"{title}_{number}", share, rows, holds


def _blocks_of_columns(count: int, limits: Limits) -> Iterator[list[int]]:
    """Numbers of the columns of each block; the first ones are in all of them."""
    if count <= limits.columns:
        yield list(range(count))
        return
    size = limits.columns - _REPEATED
    for start in range(_REPEATED, count, size):
        yield [*range(_REPEATED), *range(start, min(start + size, count))]
