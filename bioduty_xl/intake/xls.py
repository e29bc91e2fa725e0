"""Reads xls and et workbooks (BIFF in an OLE2 file), in the child process.

By xlrd, which on damaged files fails where other readers crash or misread in silence; the custom
properties, which xlrd does not know, by olefile.
"""

from __future__ import annotations

import io
import os
from datetime import time

import olefile
import xlrd
from xlrd import xldate

from bioduty_xl.intake.raw import Cells, Locked, Odd, RawBook, is_imprecise
from bioduty_xl.layout.table import text_of

_SUMMARY = "\x05DocumentSummaryInformation"
_MACROS = "_VBA_PROJECT_CUR"


def read(content: bytes) -> RawBook:
    """Everything that identity and answers need from a workbook.

    Raises:
        Locked: it has a password.
        TooLarge: a sheet holds far more than any form.
    """
    with olefile.OleFileIO(io.BytesIO(content)) as package:
        properties = _properties(package)
        macros = package.exists(_MACROS)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            book = xlrd.open_workbook(file_contents=content, ragged_rows=True, logfile=nowhere)
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise Locked from error
        raise
    names: dict[int, dict[str, str]] = {}
    for name in book.name_obj_list:
        result = name.result
        if result is not None and isinstance(result.value, str):
            names.setdefault(name.scope, {})[name.name] = result.value.strip()
    sheets = [
        _cells(book, sheet).sheet(sheet.name, sheet.visibility == 0, names.get(number, {}))
        for number, sheet in enumerate(book.sheets())
    ]
    return RawBook(tuple(sheets), properties, names.get(-1, {}), macros)


def _properties(package: olefile.OleFileIO) -> dict[str, str]:
    if not package.exists(_SUMMARY):
        return {}
    return {
        str(entry["property_name"]): value.decode("utf-8", "replace").strip("\0 ")
        for entry in package.get_userdefined_properties(_SUMMARY)
        if isinstance(value := entry["value"], bytes)
    }


def _cells(book: xlrd.Book, sheet: xlrd.sheet.Sheet) -> Cells:
    cells = Cells()
    for row in range(sheet.nrows):
        for column, cell in enumerate(sheet.row(row)):
            cells.put(row, column, *_value(book, cell))
    return cells


def _value(book: xlrd.Book, cell: xlrd.sheet.Cell) -> tuple[str, Odd | None]:
    """A cell's text, and what is odd about it."""
    match cell.ctype:
        case xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code.get(cell.value, "#ERROR!"), Odd.ERROR
        case xlrd.XL_CELL_BOOLEAN:
            return text_of(bool(cell.value)), None
        case xlrd.XL_CELL_DATE:
            return _date(book, cell.value), None
        case xlrd.XL_CELL_NUMBER:
            return text_of(cell.value), Odd.NUMBER if is_imprecise(cell.value) else None
    return text_of(cell.value), None


def _date(book: xlrd.Book, number: float) -> str:
    try:
        moment = xldate.xldate_as_datetime(number, book.datemode)
    except (xldate.XLDateError, ValueError, OverflowError):
        return text_of(number)
    if number < 1:
        return text_of(time(moment.hour, moment.minute, moment.second))
    return text_of(moment)
