"""Reads xls and et workbooks (BIFF in an OLE2 file), in the child process.

By xlrd, which on damaged files fails where other readers crash or misread in silence; the custom
properties, which xlrd does not know, by olefile.
"""

from __future__ import annotations

import io
import os
import struct
from datetime import time

import olefile
import xlrd
from xlrd import xldate

from bioduty_xl.intake.raw import Cells, Locked, Odd, RawBook, is_imprecise
from bioduty_xl.layout.table import text_of

_RECORD = struct.Struct("<HH")
_BOF, _EOF = 0x0809, 0x000A
"""A record's type and length; the first and the last record of each part of the stream."""

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
        if package.exists("Workbook"):
            _check_records(package.openstream("Workbook").read())
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
    return RawBook(tuple(sheets), properties, names.get(-1, {}), macros, checked=False)


def _check_records(stream: bytes) -> None:
    """Walk the records of a BIFF8 stream ([MS-XLS] 2.1.4): a block that was lost reads as records
    of type 0, which there are none of, and xlrd would pass over it.

    Raises:
        ValueError: the chain of records is broken.
    """
    place, depth = 0, 0
    while place + 4 <= len(stream):
        kind, length = _RECORD.unpack_from(stream, place)
        place += 4 + length
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
        elif depth == 0:
            if any(stream[place - 4 - length :]):
                raise ValueError("records")
            return
        elif kind == 0:
            raise ValueError("records")
    if depth:
        raise ValueError("records")


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
