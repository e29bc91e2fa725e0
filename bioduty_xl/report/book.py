"""Writes the consolidated workbook: frames in, one xlsx out, the same bytes for the same frames."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.chasing import Urgency
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import ItemState
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.columns import OWN, Column, Kind, Sheet
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.sheets import (
    CITY_DETAIL,
    CITY_ITEMS,
    CITY_MISSING,
    CITY_PROBLEMS,
    CITY_UNITS,
    DETAIL,
    FINDINGS,
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
from bioduty_xl.report.overview import write_overview

CELL_LIMIT = 32767
"""Characters that Excel keeps in a cell."""

_A3, _A4 = 8, 9
"""Paper sizes, as Excel numbers them."""

_NO_DUTY = "#EDEFEE"
"""Where a unit does not answer for an item at all."""

_CUT = "…（超出单元格上限，全文见原件）"
_SURROGATES = re.compile(r"[\ud800-\udfff]")

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

_STATE_COLOURS = {
    ItemState.FILLED.value: "#D8EFD9",
    ItemState.NO_PROGRESS.value: "#FFF2CC",
    ItemState.NOT_APPLICABLE.value: "#E7E6E6",
    ItemState.NOT_FILLED.value: "#FCE0C8",
    ItemState.NOT_RETURNED.value: "#F8CBC6",
    UnitState.ON_TIME.word: "#D8EFD9",
    UnitState.LATE.word: "#FFF2CC",
    UnitState.OVERDUE.word: "#F8CBC6",
    UnitState.EXEMPT.word: "#E7E6E6",
    "错误": "#F8CBC6",
    "待处理": "#FFF2CC",
    "拒收": "#F8CBC6",
    "重复": "#FFF2CC",
    "未汇总": "#F8CBC6",
    Urgency.URGENT.value: "#FCE0C8",
    Urgency.VERY_URGENT.value: "#F8CBC6",
}

_GROUPED = frozenset(
    sheet.key for sheet in (MISSING_ITEMS, CITY_UNITS, CITY_MISSING, CITY_DETAIL, CITY_PROBLEMS)
)
"""Sheets on which a line sets apart the rows of each unit, or city: their first column."""

_NUMBER_FORMATS = {
    Kind.NUMBER: "0",
    Kind.PERCENT: "0%",
    Kind.RATE: "0.0%",
    Kind.DATE: "yyyy-mm-dd",
    Kind.TIME: "yyyy-mm-dd hh:mm",
}


def render(evidence: Evidence, tables: Mapping[str, pd.DataFrame] | None = None) -> bytes:
    """The consolidated workbook as a file's content.

    Args:
        tables: the frames of its sheets, where they were made already.
    """
    standing = evidence.standing
    title = f"{evidence.plan.title}工作推进情况汇总（{standing.period.label}）"
    buffer, book = new_book(title, standing.as_of)
    tables = frames.sheets(evidence) if tables is None else tables
    sheets = frames.declared(tables)
    formats = Formats(book)
    worksheets = {sheet.key: book.add_worksheet(sheet.title) for sheet in sheets}
    write_overview(book, worksheets[OVERVIEW.key], evidence, tables)
    for sheet in sheets:
        if sheet is not OVERVIEW:
            declared = with_more(sheet, tables[sheet.key])
            write_table(worksheets[sheet.key], declared, tables[sheet.key], formats)
    _link_receipts(worksheets[RECEIPTS.key], tables, formats)
    fit_wide(worksheets[DETAIL.key])
    _fit_matrix(worksheets[MATRIX.key])
    if LATE_RETURNS.key in worksheets:
        fit_wide(worksheets[LATE_RETURNS.key])
    book.close()
    return buffer.getvalue()


def render_reminders(table: pd.DataFrame, period: Period, as_of: datetime) -> bytes:
    """催报清单 as a file's content.

    Args:
        table: as `frames.reminders` gives it.
    """
    buffer, book = new_book(f"{REMINDERS.title}（{period.label}）", as_of)
    worksheet = book.add_worksheet(REMINDERS.title)
    write_table(worksheet, REMINDERS, table, Formats(book), back=None)
    worksheet.set_header(f"&L{REMINDERS.title}（{period.label}）&R统计时点 {as_of:%Y-%m-%d %H:%M}")
    book.close()
    return buffer.getvalue()


def new_book(title: str, created: datetime) -> tuple[io.BytesIO, xlsxwriter.Workbook]:
    """A workbook in memory whose texts stay texts, and whose bytes depend on its content alone."""
    buffer = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, plain)
    made = created.astimezone(CHINA).replace(tzinfo=None)
    book.set_properties({"title": title, "created": made})
    return buffer, book


class Formats:
    """The workbook's cell formats, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[Kind, str, bool], Format] = {}
        heading = {
            "font_name": "黑体",
            "font_size": 10.5,
            "bg_color": "#D9E7DF",
            "border": 1,
            "align": "center",
            "valign": "vcenter",
            "text_wrap": True,
        }
        self.heading = book.add_format(heading)
        self.back = book.add_format({**heading, "font_color": "#1F5F8B", "underline": 1})

    def of(self, column: Column, value: object, *, first: bool = False) -> Format:
        """The look of a cell; the first row of a group has a line above it."""
        colour = ""
        if column.kind is not Kind.TEXT and isinstance(value, str):
            colour = _STATE_COLOURS.get(value, "")
        elif column.kind is Kind.CHOICE and value is None:
            colour = _NO_DUTY
        key = (column.kind, colour, first)
        if key not in self._made:
            left = column.kind is Kind.TEXT
            properties: dict[str, object] = {
                "font_name": "宋体",
                "font_size": 10,
                "border": 1,
                "border_color": "#B8C0BC",
                "valign": "top" if left else "vcenter",
                "align": "left" if left else "center",
                "text_wrap": column.kind not in (Kind.DATE, Kind.TIME, Kind.NUMBER),
                "num_format": _NUMBER_FORMATS.get(column.kind, "@"),
            }
            if colour:
                properties["bg_color"] = colour
            if first:
                properties |= {"top": 2, "top_color": "#5F7268"}
            self._made[key] = self._book.add_format(properties)
        return self._made[key]


def with_more(sheet: Sheet, table: pd.DataFrame) -> Sheet:
    """The declared sheet with the columns that its table has beyond: in the matrix one for each
    unit or city, in the detail those that the coordinator added to the form.
    """
    kind, width = _MORE.get(sheet.key, (Kind.TEXT, 20.0))
    columns = list(sheet.columns)
    for name in table.columns[len(sheet.columns) :]:
        taken = {column.heading.lower() for column in columns}
        columns.append(Column(name, _not_among(taken, name.removeprefix(OWN)), kind, width))
    return Sheet(sheet.key, sheet.title, tuple(columns))


_MORE = {MATRIX.key: (Kind.CHOICE, 4.8), CITY_ITEMS.key: (Kind.CHOICE, 8.5)}
"""Kind and width of the columns that a sheet has beyond the declared ones."""


def _not_among(taken: Collection[str], heading: str) -> str:
    """A heading, numbered where the table has it already: Excel wants each once."""
    numbered = (f"{heading}{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain((heading,), numbered) if one.lower() not in taken)


def write_table(
    worksheet: Worksheet,
    sheet: Sheet,
    table: pd.DataFrame,
    formats: Formats,
    back: Sheet | None = OVERVIEW,
) -> None:
    """One real table from A1: headings, rows, filter, frozen heading, print set-up.

    Args:
        back: the sheet that its first heading leads to.
    """
    last_row, last_column = max(1, len(table)), len(sheet.columns) - 1
    headings: list[Mapping[str, object]] = [
        {"header": column.heading, "header_format": formats.heading} for column in sheet.columns
    ]
    worksheet.add_table(
        *(0, 0, last_row, last_column),
        {"name": f"t_{sheet.key}", "columns": headings, "style": None},
    )
    if back is not None:
        link = f"internal:'{back.title}'!A1"
        worksheet.write_url("A1", link, formats.back, sheet.columns[0].heading, f"返回{back.title}")
    for index, column in enumerate(sheet.columns):
        worksheet.set_column(index, index, column.width)
    group = None
    for number, row in enumerate(table.itertuples(index=False, name=None), start=1):
        first = sheet.key in _GROUPED and row[0] != group
        group = row[0]
        for index, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
            write_cell(worksheet, number, index, value, formats.of(column, value, first=first))
        worksheet.set_row(number, _row_height(sheet, row))
    if table.empty:
        note = _NOTHING.get(sheet.key, "本期没有内容")
        worksheet.write_string(1, 0, note, formats.of(sheet.columns[0], note))
    worksheet.freeze_panes(1, 2)
    worksheet.set_row(0, 30)
    _set_up_page(worksheet)


def _link_receipts(
    worksheet: Worksheet, tables: Mapping[str, pd.DataFrame], formats: Formats
) -> None:
    """From a unit's counts to its rows: 缺项 to 缺项清单, 错误 and 提示 to 校验意见."""
    keys = [column.key for column in RECEIPTS.columns]
    for key, target in (("missing", MISSING_ITEMS), ("errors", FINDINGS), ("warnings", FINDINGS)):
        codes = list(tables[target.key]["code"])
        for row, (code, count) in enumerate(
            tables[RECEIPTS.key][["code", key]].itertuples(index=False, name=None), start=1
        ):
            if count and code in codes:
                place = row, keys.index(key)
                look = formats.of(RECEIPTS[key], count)
                worksheet.write_url(*place, f"internal:'{target.title}'!A{codes.index(code) + 2}")
                worksheet.write_number(*place, count, look)  # a number that is also a link


def _row_height(sheet: Sheet, row: tuple[object, ...]) -> float:
    texts = (
        (value, column.width)
        for column, value in zip(sheet.columns, row, strict=True)
        if isinstance(value, str) and column.kind in (Kind.TEXT, Kind.WORD, Kind.CHOICE)
    )
    return height_for(texts, least=18.0)


def write_cell(worksheet: Worksheet, row: int, column: int, value: object, look: Format) -> None:
    """A value as what it is; a text stays text, whatever it looks like."""
    if isinstance(value, datetime | date):
        worksheet.write_datetime(row, column, value, look)
    elif isinstance(value, bool):
        worksheet.write_boolean(row, column, value, look)
    elif isinstance(value, int | float) and value == value:
        worksheet.write_number(row, column, value, look)
    elif isinstance(value, str) and value:
        worksheet.write_string(row, column, _writable(value), look)
    else:
        worksheet.write_blank(row, column, None, look)


def _writable(text: str) -> str:
    """A text that a cell can hold: no lone surrogates, within Excel's limit, the cut said."""
    text = _SURROGATES.sub("\ufffd", text)
    return text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - len(_CUT)] + _CUT


def fit_wide(worksheet: Worksheet) -> None:
    """On A3, because it has more columns than a reader can make out on A4."""
    worksheet.set_paper(_A3)


def _fit_matrix(worksheet: Worksheet) -> None:
    """The matrix on one page, each unit's name read downwards."""
    worksheet.set_paper(_A3)
    worksheet.fit_to_pages(1, 1)
    worksheet.set_row(0, 130)


def _set_up_page(worksheet: Worksheet) -> None:
    worksheet.set_landscape()
    worksheet.set_paper(_A4)
    worksheet.fit_to_pages(1, 0)
    worksheet.repeat_rows(0)
    worksheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
    worksheet.set_footer("&C第 &P 页 共 &N 页")
