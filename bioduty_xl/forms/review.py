"""Writes into a form what makes it a correction copy: tints, notes at cells, and the list."""

from __future__ import annotations

from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.forms import style
from bioduty_xl.forms.content import Query, Review
from bioduty_xl.forms.template import Blank
from bioduty_xl.layout.columns import Column, Kind
from bioduty_xl.layout.sheets import CORRECTIONS

FIRST = 4
"""The first row of the list below its headings."""

WEIGHT_COLUMN = 1 + [column.key for column in CORRECTIONS.columns].index("severity")
"""Number of the list's column that is tinted."""

_AUTHOR = "审核意见"
"""Who the notes at the cells are from."""

_WIDTH = 260
"""Of a note, in pixels."""


def write_review(blank: Blank, review: Review) -> None:
    """Tint and annotate the cells in question of a filled form, and list every query on a sheet
    before the others.
    """
    sheet = blank.sheet
    for row, column in _tintable(blank):
        cell = sheet.cell(row, column)
        if isinstance(cell, Cell):
            style.number_looks(cell, tinted=True)
    for note in review.notes:
        cell = sheet[note.cell]
        if note.severity is not None:
            cell.fill = style.QUERY_FILLS[note.severity]
        cell.comment = Comment(note.text, _AUTHOR, height=note.height, width=_WIDTH)
    _list(blank.book, sheet, review)


def _tintable(blank: Blank) -> list[tuple[int, int]]:
    """A cell, by row and column, for each look that a cell in question may have."""
    table = [(blank.frame.first, index + 1) for index in blank.columns.values()]
    return [*table, *((row + 1, index + 1) for row, index in blank.values.values())]


def _list(book: Workbook, form: Worksheet, review: Review) -> None:
    sheet = book.create_sheet(CORRECTIONS.title, 0)
    last = get_column_letter(len(CORRECTIONS.columns))
    texts = (
        (review.title, style.TITLE, style.CENTRE, 34),
        (review.about, style.BODY, style.LEFT, 32),
    )
    for row, (text, font, alignment, height) in enumerate(texts, start=1):
        sheet.merge_cells(f"A{row}:{last}{row}")
        cell = sheet[f"A{row}"]
        cell.font, cell.alignment = font, alignment
        style.put_text(cell, text)
        style.number_looks(cell)
        sheet.row_dimensions[row].height = height
    for index, column in enumerate(CORRECTIONS.columns, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = column.width
        heading = sheet.cell(FIRST - 1, index, column.heading)
        heading.font, heading.fill, heading.border = style.HEADING, style.HEADING_FILL, style.BOX
        heading.alignment = style.CENTRE
    samples = [_sample(sheet, column) for column in CORRECTIONS.columns]
    for number, query in enumerate(review.queries):
        _write_row(sheet, samples, number, query, form.title)
    sheet.freeze_panes = f"A{FIRST}"
    style.set_up_page(sheet, "landscape")
    sheet.print_title_rows = f"{FIRST - 1}:{FIRST - 1}"
    style.protect(sheet)
    book.active = 0
    for other in book.worksheets:
        other.sheet_view.tabSelected = other is sheet


def _sample(sheet: Worksheet, column: Column) -> Cell:
    """A cell in no sheet that looks as those of a column do."""
    sample = Cell(sheet, row=1, column=1)
    sample.font, sample.border = style.LINK if column.key == "cell" else style.BODY, style.BOX
    sample.alignment = style.TOP if column.kind is Kind.TEXT else style.CENTRE
    style.number_looks(sample, tinted=column.key == "severity")
    return sample


def _write_row(
    sheet: Worksheet, samples: Sequence[Cell], number: int, query: Query, form: str
) -> None:
    row = FIRST + number
    texts = {
        "severity": query.weight,
        "task": query.task,
        "cell": query.cell,
        "message": query.message,
    }
    for index, (sample, column) in enumerate(zip(samples, CORRECTIONS.columns, strict=True), 1):
        cell = sheet.cell(row, index)
        assert isinstance(cell, Cell)
        style.copy_style(sample, cell)
        if column.key in texts:
            style.put_text(cell, texts[column.key])
        else:
            cell.value = number + 1
        if column.key == "cell" and query.cell:
            cell.hyperlink = Hyperlink(ref=cell.coordinate, location=f"'{form}'!{query.cell}")
    if query.severity is not None:
        sheet.cell(row, WEIGHT_COLUMN).fill = style.QUERY_FILLS[query.severity]
    sheet.row_dimensions[row].height = query.height
