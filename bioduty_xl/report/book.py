"""Writes the consolidated workbook: frames in, one xlsx out, the same bytes for the same frames.

What a sheet looks like and leads to is written here; its rows are streamed (`rows`, `packing`), and
a sheet that is too long for Excel is shared out (`pieces`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

import pandas as pd
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.period import Period
from bioduty_xl.layout.columns import OWN, Column, Kind, Sheet
from bioduty_xl.layout.sheets import (
    DETAIL,
    FINDINGS,
    INDEX,
    LATE_RETURNS,
    MATRIX,
    MISSING_ITEMS,
    OVERVIEW,
    RECEIPTS,
    REMINDERS,
)
from bioduty_xl.report import frames
from bioduty_xl.report.evidence import Evidence
from bioduty_xl.report.looks import Look
from bioduty_xl.report.overview import write_overview
from bioduty_xl.report.packing import StreamedBook
from bioduty_xl.report.pieces import EXCEL, Limits, Piece, pieces
from bioduty_xl.report.rows import Rows

_A3, _A4 = 8, 9
"""Paper sizes, as Excel numbers them."""

_LINKS = 65_529
"""Links that Excel keeps on a worksheet, beside the one back to 总览."""

_NOTHING = {
    "overdue": "本期截至统计时点没有逾期单位",
    "missing": "本期必报事项没有缺项",
    "detail": "本期还没有可汇总的答复",
    "problems": "各单位没有反映问题",
    "findings": "返回表没有校验意见",
    "reminders": "截至统计时点没有需要催报的单位",
    "files": "本期还没有收到文件",
}
"""What an empty sheet says, so that nobody wonders whether it was left out."""

Pieces = Mapping[str, Sequence[Piece]]
"""The worksheets of every declared sheet, by its key."""


def render(
    evidence: Evidence,
    tables: Mapping[str, pd.DataFrame] | None = None,
    limits: Limits = EXCEL,
) -> bytes:
    """The consolidated workbook as a file's content.

    Args:
        tables: the frames of its sheets, where they were made already.
        limits: what a worksheet holds; a sheet with more is shared out, and 分表索引 says where.
    """
    standing = evidence.standing
    title = f"{evidence.plan.title}工作推进情况汇总（{standing.period.label}）"
    tables = frames.sheets(evidence) if tables is None else tables
    shared = {
        sheet.key: pieces(
            _with_more(sheet, tables[sheet.key]), tables[sheet.key], evidence.plan.parts, limits
        )
        for sheet in frames.declared(tables)
        if sheet is not OVERVIEW
    }
    written = StreamedBook(title, standing.as_of)
    first = written.book.add_worksheet(OVERVIEW.title)
    index = _write_index(written, shared)
    write_overview(written.book, first, evidence, tables, {**index, **_targets(shared)})
    for piece in (piece for some in shared.values() for piece in some):
        worksheet = written.book.add_worksheet(piece.sheet.title)
        _write_table(written, worksheet, piece)
        if piece.sheet.key == RECEIPTS.key:
            _link_receipts(worksheet, piece, shared)
    return written.close()


def render_reminders(table: pd.DataFrame, period: Period, as_of: datetime) -> bytes:
    """催报清单 as a file's content.

    Args:
        table: as `frames.reminders` gives it.
    """
    written = StreamedBook(f"{REMINDERS.title}（{period.label}）", as_of)
    worksheet = written.book.add_worksheet(REMINDERS.title)
    (piece,) = pieces(REMINDERS, table, ())
    _write_table(written, worksheet, piece, back=None)
    worksheet.set_header(f"&L{REMINDERS.title}（{period.label}）&R统计时点 {as_of:%Y-%m-%d %H:%M}")
    return written.close()


def _with_more(sheet: Sheet, table: pd.DataFrame) -> Sheet:
    """The declared sheet with the columns that its table has beyond: in the matrix one for each
    unit, in the detail those that the coordinator added to the form.
    """
    kind, width = (Kind.CHOICE, 4.8) if sheet is MATRIX else (Kind.TEXT, 20.0)
    more = (str(name) for name in table.columns[len(sheet.columns) :])
    columns = (Column(name, name.removeprefix(OWN), kind, width) for name in more)
    return Sheet(sheet.key, sheet.title, (*sheet.columns, *columns))


def _targets(shared: Pieces) -> dict[str, str]:
    """Where each declared sheet is found: itself, or the index of its pieces."""
    return {
        some[0].whole: some[0].sheet.title if len(some) == 1 else INDEX.title
        for some in shared.values()
    }


def _write_index(written: StreamedBook, shared: Pieces) -> dict[str, str]:
    """分表索引, where any sheet is shared out: each piece with a link to it.

    Returns:
        Its link, as `_targets` gives those of others.
    """
    split = [piece for some in shared.values() if len(some) > 1 for piece in some]
    if not split:
        return {}
    table = pd.DataFrame(
        [(piece.sheet.title, piece.whole, piece.holds, len(piece.table)) for piece in split],
        columns=[column.key for column in INDEX.columns],
        dtype=object,
    )
    worksheet = written.book.add_worksheet(INDEX.title)
    _write_table(written, worksheet, Piece(INDEX, table, INDEX.title, "", f"t_{INDEX.key}"))
    for row, title in enumerate(table["sheet"], start=1):
        worksheet.write_url(row, 0, f"internal:'{title}'!A1", string=title)
    return {INDEX.title: INDEX.title}


def _write_table(
    written: StreamedBook, worksheet: Worksheet, piece: Piece, back: Sheet | None = OVERVIEW
) -> None:
    """One real table from A1: headings, rows, filter, frozen heading, print set-up.

    Args:
        back: the sheet that its first heading leads to.
    """
    sheet, formats = piece.sheet, written.formats
    headings: list[Mapping[str, object]] = [
        {"header": column.heading, "header_format": formats.heading} for column in sheet.columns
    ]
    worksheet.add_table(
        *(0, 0, 1, len(sheet.columns) - 1),
        {"name": piece.name, "columns": headings, "style": None},
    )
    if back is not None:
        link = f"internal:'{back.title}'!A1"
        worksheet.write_url("A1", link, formats.back, sheet.columns[0].heading, f"返回{back.title}")
    for index, column in enumerate(sheet.columns):
        worksheet.set_column(index, index, column.width)
    if piece.table.empty:
        note = _NOTHING.get(sheet.key, "本期没有内容")
        worksheet.write_string(1, 0, note, formats.of(Look(sheet.columns[0].kind)))
    else:
        grouped = sheet.key == MISSING_ITEMS.key
        written.stream(worksheet, piece.name, Rows(sheet.columns, piece.table, grouped))
    worksheet.freeze_panes(1, 2)
    worksheet.set_row(0, 30)
    _set_up_page(worksheet, sheet)


def _link_receipts(worksheet: Worksheet, receipts: Piece, shared: Pieces) -> None:
    """From a unit's counts to its rows: 缺项 to 缺项清单, 错误 and 提示 to 校验意见."""
    for row, column, place in islice(_places(receipts, shared), _LINKS):
        worksheet.write_url(row, column, f"internal:{place}", string=receipts.whole)


def _places(receipts: Piece, shared: Pieces) -> Iterator[tuple[int, int, str]]:
    """Row and column of each count, and where its unit's rows begin."""
    keys = [column.key for column in RECEIPTS.columns]
    for key, target in (("missing", MISSING_ITEMS), ("errors", FINDINGS), ("warnings", FINDINGS)):
        places = _first_places(shared[target.key])
        counts = receipts.table[["code", key]].itertuples(index=False, name=None)
        for row, (code, count) in enumerate(counts, start=1):
            if count and code in places:
                yield row, keys.index(key), places[code]


def _first_places(of: Sequence[Piece]) -> dict[str, str]:
    """Where the first row of each unit is."""
    found: dict[str, str] = {}
    for piece in of:
        for row, code in enumerate(piece.table["code"], start=2):
            found.setdefault(code, f"'{piece.sheet.title}'!A{row}")
    return found


_WIDE = frozenset({DETAIL.key, LATE_RETURNS.key, MATRIX.key})
"""Sheets with more columns than a reader can make out on A4."""


def _set_up_page(worksheet: Worksheet, sheet: Sheet) -> None:
    worksheet.set_landscape()
    worksheet.set_paper(_A3 if sheet.key in _WIDE else _A4)
    worksheet.fit_to_pages(1, 0)
    worksheet.repeat_rows(0)
    worksheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
    worksheet.set_footer("&C第 &P 页 共 &N 页")
    if sheet.key == MATRIX.key:  # on one page, each unit's name read downwards
        worksheet.fit_to_pages(1, 1)
        worksheet.set_row(0, 130)
