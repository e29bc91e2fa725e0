"""Writes books of tables: frames in, one xlsx out, the same bytes for the same frames.

What a sheet looks like and leads to is written here; its rows are streamed (`rows`, `packing`), and
a sheet that is too long for Excel is shared out (`pieces`).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import pandas as pd
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Part
from bioduty_xl.layout.columns import OWN, Column, Kind, Sheet, one_line
from bioduty_xl.layout.sheets import (
    CITIES,
    CITY_DETAIL,
    CITY_ITEMS,
    CITY_MISSING,
    CITY_PROBLEMS,
    CITY_UNITS,
    DETAIL,
    FINDINGS,
    INDEX,
    LATE_RETURNS,
    MATRIX,
    MISSING_ITEMS,
    OVERVIEW,
    PLAN_DIFFERENCES,
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

LINKS = 65_529
"""Links that Excel keeps on a worksheet, beside the one back to the first."""

_NOTHING = {
    "overdue": "本期截至统计时点没有逾期单位",
    "missing": "本期必报事项没有缺项",
    "detail": "本期还没有可汇总的答复",
    "problems": "各单位没有反映问题",
    "findings": "返回表没有校验意见",
    "reminders": "截至统计时点没有需要催报的单位",
    "files": "本期还没有收到文件",
    CITY_MISSING.key: "各市（州）本期必报事项没有缺项",
    CITY_DETAIL.key: "各市（州）本期还没有可汇总的答复",
    CITY_PROBLEMS.key: "各市（州）没有反映问题",
    PLAN_DIFFERENCES.key: "各市（州）方案的任务名称和编号一致",
}
"""What an empty sheet says, so that nobody wonders whether it was left out."""

_GROUPED = frozenset(
    sheet.key for sheet in (MISSING_ITEMS, CITY_UNITS, CITY_MISSING, CITY_DETAIL, CITY_PROBLEMS)
)
"""Sheets on which a line sets apart the rows of each unit, or city: their first column."""

_WIDE = frozenset(
    sheet.key
    for sheet in (
        *(DETAIL, LATE_RETURNS, MATRIX),
        *(CITIES, CITY_ITEMS, CITY_UNITS, CITY_DETAIL, CITY_PROBLEMS),
    )
)
"""Sheets with more columns than a reader can make out on A4."""

_HEADING_HEIGHTS = {MATRIX.key: 130, CITY_ITEMS.key: 48}
"""Of headings that are read downwards, or take several lines, in points."""

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
    sheets = [sheet for sheet in frames.declared(tables) if sheet is not OVERVIEW]
    shared = share_out(sheets, tables, evidence.plan.parts, limits)
    written = StreamedBook(title, standing.as_of)
    first = written.book.add_worksheet(OVERVIEW.title)
    links = write_index(written, shared, OVERVIEW)
    write_overview(written.book, first, evidence, tables, links)
    for piece in itertools.chain.from_iterable(shared.values()):
        worksheet = write_piece(written, piece, OVERVIEW)
        if piece.sheet.key == RECEIPTS.key:
            _link_receipts(worksheet, piece, shared)
    return written.close()


def render_reminders(table: pd.DataFrame, period: Period, as_of: datetime) -> bytes:
    """催报清单 as a file's content.

    Args:
        table: as `frames.reminders` gives it.
    """
    written = StreamedBook(f"{REMINDERS.title}（{period.label}）", as_of)
    (piece,) = pieces(REMINDERS, table, ())
    worksheet = write_piece(written, piece)
    worksheet.set_header(f"&L{REMINDERS.title}（{period.label}）&R统计时点 {as_of:%Y-%m-%d %H:%M}")
    return written.close()


def share_out(
    sheets: Sequence[Sheet],
    tables: Mapping[str, pd.DataFrame],
    parts: Sequence[Part] = (),
    limits: Limits = EXCEL,
) -> Pieces:
    """The worksheets that declared sheets come to, with all the columns that their tables have."""
    return {
        sheet.key: pieces(_with_more(sheet, tables[sheet.key]), tables[sheet.key], parts, limits)
        for sheet in sheets
    }


def _with_more(sheet: Sheet, table: pd.DataFrame) -> Sheet:
    """The declared sheet with the columns that its table has beyond: in the matrix one for each
    unit or city, in the detail those that the coordinator added to the form.
    """
    kind, width = _MORE.get(sheet.key, (Kind.TEXT, 20.0))
    columns = list(sheet.columns)
    taken = {column.heading.lower() for column in columns}
    for name in table.columns[len(sheet.columns) :]:
        plain = one_line(name.removeprefix(OWN))[:_LONGEST_HEADING] or "—"
        heading = _not_among(taken, plain)
        taken.add(heading.lower())
        columns.append(Column(name, heading, kind, width))
    return Sheet(sheet.key, sheet.title, tuple(columns))


_MORE = {MATRIX.key: (Kind.CHOICE, 4.8), CITY_ITEMS.key: (Kind.CHOICE, 8.5)}
"""Kind and width of the columns that a sheet has beyond the declared ones."""


_LONGEST_HEADING = 250
"""Characters of a heading: Excel takes 255 in a table, of which some may go to a number."""


def _not_among(taken: Collection[str], heading: str) -> str:
    """A heading, numbered where the table has it already: Excel wants each once."""
    numbered = (f"{heading}{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain((heading,), numbered) if one.lower() not in taken)


def write_index(written: StreamedBook, shared: Pieces, back: Sheet) -> dict[str, str]:
    """分表索引, where any sheet is shared out: each piece with a link to it.

    Returns:
        What is read in a list of all sheets, and the worksheet that it leads to: a sheet itself,
        or the index of its pieces.
    """
    split = [piece for some in shared.values() if len(some) > 1 for piece in some]
    links = {
        some[0].whole: some[0].sheet.title if len(some) == 1 else INDEX.title
        for some in shared.values()
    }
    if not split:
        return links
    table = pd.DataFrame(
        [(piece.sheet.title, piece.whole, piece.holds, len(piece.table)) for piece in split],
        columns=[column.key for column in INDEX.columns],
        dtype=object,
    )
    worksheet = write_piece(written, Piece(INDEX, table, INDEX.title, "", f"t_{INDEX.key}"), back)
    for row, title in enumerate(table["sheet"], start=1):
        worksheet.write_url(row, 0, f"internal:'{title}'!A1", string=title)
    return {INDEX.title: INDEX.title, **links}


def write_piece(written: StreamedBook, piece: Piece, back: Sheet | None = None) -> Worksheet:
    """A worksheet with one real table from A1: headings, rows, filter, frozen heading, print
    set-up.

    Args:
        back: the sheet that its first heading leads to.
    """
    sheet, formats = piece.sheet, written.formats
    worksheet = written.book.add_worksheet(sheet.title)
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
        rows = Rows(sheet.columns, piece.table, grouped=sheet.key in _GROUPED)
        written.stream(worksheet, piece.name, rows)
    worksheet.freeze_panes(1, 2)
    worksheet.set_row(0, _HEADING_HEIGHTS.get(sheet.key, 30))
    _set_up_page(worksheet, sheet)
    return worksheet


def _link_receipts(worksheet: Worksheet, receipts: Piece, shared: Pieces) -> None:
    """From a unit's counts to its rows: 缺项 to 缺项清单, 错误 and 提示 to 校验意见."""
    for row, column, place in itertools.islice(_places(receipts, shared), LINKS):
        worksheet.write_url(row, column, f"internal:{place}", string=receipts.whole)


def _places(receipts: Piece, shared: Pieces) -> Iterator[tuple[int, int, str]]:
    """Row and column of each count, and where its unit's rows begin."""
    keys = [column.key for column in RECEIPTS.columns]
    for key, target in (("missing", MISSING_ITEMS), ("errors", FINDINGS), ("warnings", FINDINGS)):
        places = first_places(shared[target.key], "code")
        counts = receipts.table[["code", key]].itertuples(index=False, name=None)
        for row, (code, count) in enumerate(counts, start=1):
            if count and code in places:
                yield row, keys.index(key), places[code]


def first_places(of: Sequence[Piece], key: str) -> dict[str, str]:
    """Where the first row of each unit, or whatever a column names, is."""
    found: dict[str, str] = {}
    for piece in of:
        for row, name in enumerate(piece.table[key], start=2):
            found.setdefault(name, f"'{piece.sheet.title}'!A{row}")
    return found


def _set_up_page(worksheet: Worksheet, sheet: Sheet) -> None:
    worksheet.set_landscape()
    worksheet.set_paper(_A3 if sheet.key in _WIDE else _A4)
    worksheet.fit_to_pages(1, 0)
    worksheet.repeat_rows(0)
    worksheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
    worksheet.set_footer("&C第 &P 页 共 &N 页")
    if sheet.key == MATRIX.key:
        worksheet.fit_to_pages(1, 1)
