"""The tables of a consolidated workbook written cell by cell, as xlsxwriter's manual has it: what
the streamed workbook must be read as.
"""

import io
from datetime import date

import xlsxwriter

from bioduty_xl.layout.columns import Kind
from bioduty_xl.layout.measure import height_for
from bioduty_xl.report.looks import Formats, Look, colours


def plain_book(pieces):
    """A workbook's content: a sheet with a table for each piece, without links and print set-up."""
    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        formats = Formats(book)
        for piece in pieces:
            _write(book.add_worksheet(piece.sheet.title), piece, formats)
    return buffer.getvalue()


def _write(worksheet, piece, formats):
    columns = piece.sheet.columns
    headings = [{"header": column.heading, "header_format": formats.heading} for column in columns]
    options = {"name": piece.name, "columns": headings, "style": None}
    worksheet.add_table(0, 0, len(piece.table), len(columns) - 1, options)
    worksheet.freeze_panes(1, 2)
    worksheet.set_row(0, 30)
    group = None
    for number, row in enumerate(piece.table.itertuples(index=False, name=None), start=1):
        first = piece.sheet.key == "missing" and row[0] != group
        group = row[0]
        for index, (column, value) in enumerate(zip(columns, row, strict=True)):
            look = Look(column.kind, colours(column.kind).get(value, ""), first)
            _write_cell(worksheet, number, index, value, formats.of(look))
        worksheet.set_row(number, height_for(_texts(columns, row), least=18.0))


def _held(text):
    """A text without half characters, and within the 32,767 letters of UTF-16 that Excel keeps."""
    text = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    letters = [1 if letter <= "\uffff" else 2 for letter in text]
    if sum(letters) <= 32767:
        return text
    said = "…（超出单元格上限，全文见原件）"
    room = 32767 - len(said)
    kept = next(n for n in range(len(text)) if sum(letters[: n + 1]) > room)
    return text[:kept] + said


def _texts(columns, row):
    kinds = (Kind.TEXT, Kind.WORD, Kind.CHOICE)
    for column, value in zip(columns, row, strict=True):
        if isinstance(value, str) and column.kind in kinds:
            yield value, column.width


def _write_cell(worksheet, row, column, value, look):
    if isinstance(value, date):
        worksheet.write_datetime(row, column, value, look)
    elif isinstance(value, int | float):
        worksheet.write_number(row, column, value, look)
    elif value:
        worksheet.write_string(row, column, _held(value), look)
    else:
        worksheet.write_blank(row, column, None, look)
