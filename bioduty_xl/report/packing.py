"""Packs a workbook whose rows are streamed: xlsxwriter writes everything but them.

xlsxwriter makes each sheet with its headings, table, links and print set-up, and lists the formats;
then the package is written anew with the rows put into the sheets' XML. What number a format has is
read from the sheets themselves, where cells with every look that is needed were written to be
replaced.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.report.looks import Formats, Look
from bioduty_xl.report.rows import Rows

_PLAIN = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "in_memory": True,
}

LEVEL = 3
"""How hard parts are deflated: a third of the time that 6 takes, for a sixth more bytes."""

_PROBES = 16
"""The row, counted from 0, of the cells that formats are read from; it lies outside the block of 16
rows for which xlsxwriter states the heading's extent."""

_ZIP64 = (1 << 31) - 1
"""A part that may be longer than this needs the longer kind of entry."""

_PROBED = re.compile(rb'<c r="([A-Z]+)%d" s="(\d+)"/>' % (_PROBES + 1))
_TABLE = re.compile(rb' displayName="(\w+)"')
_EXTENT = re.compile(rb' ref="[^"]*"')
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')
_DATA, _DATA_END = b"<sheetData>", b"</sheetData>"


class StreamedBook:
    """An xlsxwriter workbook in memory into which the rows of tables are streamed at its end.

    Its texts stay texts, and its bytes depend on its content alone.

    Args:
        title: its document property.
        created: the moment that it states.

    Attributes:
        book: for everything but the rows.
        formats: its cell formats.
    """

    def __init__(self, title: str, created: datetime) -> None:
        self._buffer = io.BytesIO()
        self.book = xlsxwriter.Workbook(self._buffer, _PLAIN)
        made = created.astimezone(CHINA).replace(tzinfo=None)
        self.book.set_properties({"title": title, "created": made})
        self.formats = Formats(self.book)
        self._streamed: dict[str, Rows] = {}
        self._tables: dict[str, Rows] = {}

    def stream(self, worksheet: Worksheet, table: str, rows: Rows) -> None:
        """Have a worksheet's rows put in below its heading, in place of all that is written there;
        links in those cells stay.

        Args:
            table: name of the table that they are in; its extent becomes theirs.
        """
        self._streamed[worksheet.get_name()] = rows
        self._tables[table] = rows

    def close(self) -> bytes:
        """The workbook as a file's content."""
        parts = {}
        for number, worksheet in enumerate(self.book.worksheets(), start=1):
            if rows := self._streamed.get(worksheet.get_name()):
                self._probe(worksheet, rows)
                parts[f"xl/worksheets/sheet{number}.xml"] = rows
        self.book.close()
        out = io.BytesIO()
        with (
            zipfile.ZipFile(self._buffer) as made,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as package,
        ):
            for name in made.namelist():
                self._pack(package, name, made.read(name), parts.get(name))
        return out.getvalue()

    def _probe(self, worksheet: Worksheet, rows: Rows) -> None:
        """Write a cell of every look that the rows need, to be learnt from and replaced."""
        for column, look in enumerate(rows.looks):
            worksheet.write_blank(_PROBES, column, None, self.formats.of(look))

    def _pack(self, package: zipfile.ZipFile, name: str, content: bytes, rows: Rows | None) -> None:
        """One part of the package, with its rows or the extent of its table put in."""
        if rows is not None:
            with package.open(name, "w", force_zip64=rows.most_bytes > _ZIP64) as part:
                part.writelines(_with_rows(content, rows))
            return
        if named := _TABLE.search(content) if name.startswith("xl/tables/") else None:
            content = _with_extent(content, self._tables.get(named[1].decode()))
        with package.open(name, "w") as part:
            part.write(content)


def _with_rows(sheet: bytes, rows: Rows) -> Iterator[bytes]:
    """A sheet's XML with its headings, then the rows in place of all others."""
    before, _, rest = sheet.partition(_DATA)
    data, _, after = rest.partition(_DATA_END)
    headings, end, _ = data.partition(b"</row>")
    yield _DIMENSION.sub(b'<dimension ref="%s"/>' % rows.extent.encode(), before, count=1)
    yield _DATA + headings + end
    yield from rows.xml(_styles(data, rows))
    yield _DATA_END + after


def _styles(data: bytes, rows: Rows) -> dict[Look, str]:
    """The number of each look in the list of formats, from the cells written for it."""
    numbers = {name.decode(): number.decode() for name, number in _PROBED.findall(data)}
    return {look: numbers[xl_col_to_name(n)] for n, look in enumerate(rows.looks)}


def _with_extent(table: bytes, rows: Rows | None) -> bytes:
    """A table's XML, its extent and its filter's that of the rows."""
    return _EXTENT.sub(b' ref="%s"' % rows.extent.encode(), table) if rows else table
