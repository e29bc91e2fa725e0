"""The filled rows of a register workbook, as texts by column; what is wrong with whole sheets.

People mishandle such books in every way, so a package too large to be opened, cells far away and
errors of formulas, which calamine reads as blanks, are looked for in the bytes themselves.
"""

from __future__ import annotations

import io
import posixpath
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from bioduty_xl.domain.calendar import CHINA, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.register import Problem
from bioduty_xl.errors import PlanError
from bioduty_xl.language import say
from bioduty_xl.layout.columns import Column, Sheet
from bioduty_xl.layout.sheets import (
    REGISTER_ADDRESSES,
    REGISTER_BOOK,
    REGISTER_CHANGES,
    REGISTER_DAYS,
    REGISTER_EXEMPTIONS,
    REGISTER_EXTENSIONS,
    REGISTER_OWNERSHIPS,
    REGISTER_RECEIPTS,
)
from bioduty_xl.layout.table import locate, parse_address, rows_below, text_of

MOST_ROWS = 5000
"""Rows of a sheet that are read; what stands below is left out, and said to be."""

_REMARKS = frozenset({"remark", "note"})
"""Columns that say nothing by themselves: a row with nothing else is no entry."""

_NEEDED = {
    REGISTER_EXTENSIONS: ("unit", "period", "due"),
    REGISTER_EXEMPTIONS: ("unit", "period", "reason"),
    REGISTER_RECEIPTS: ("unit", "period", "received"),
    REGISTER_OWNERSHIPS: ("file", "unit", "period", "reason"),
    REGISTER_DAYS: ("first", "last", "kind"),
    REGISTER_CHANGES: ("since", "unit", "kind", "successor"),
    REGISTER_ADDRESSES: ("unit", "address"),
}
"""Columns without which a sheet says nothing that could be relied on."""

_FIRST_YEAR, _LAST_YEAR = 2020, 2100
_MOST_BYTES = 400 * 2**20
_MOST_CELLS = 12_000_000
"""Cells between A1 and the last one filled, which calamine keeps all; a whole column is fine."""

_DATE = re.compile(
    r"(\d{4})(?:\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)\s*日?|(\d{2})(\d{2})(?!\d))"
    r"(?:[T\s]*(\d{1,2})[:时点](?:(\d{2})(?:分|:(\d{2})(?:\.\d+)?)?)?)?"
)
_ERROR = re.compile(r"#[A-Z0-9/]+[!?]?")
_ANY_ERROR = "#N/A"
"""What stands for the error of a formula, which calamine reads as a blank."""

_FILLED_CELL = re.compile(rb"<(?:\w+:)?c\s([^>]*[^/>])>")
_CELL_ADDRESS = re.compile(rb"\br=[\"']([A-Z]{1,3}[1-9]\d{0,6})[\"']")
_IS_ERROR = re.compile(rb"\bt=[\"']e[\"']")
_CHUNK, _TAG = 2**20, 2**10
"""Bytes of a sheet looked at together, and the longest tag that may run across their end."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What reading a damaged package ends in; one with a password in a `RuntimeError`."""

_ErrorCells = Mapping[str, Sequence[tuple[int, int]]]
"""(row, column) of formulas that end in an error, counted from 0, by sheet name."""


class Slip(ValueError):
    """What is wrong with a row and what to do, in Chinese."""


@dataclass(frozen=True)
class Row:
    """A filled row; what is asked of it and cannot be found is a `Slip`.

    Attributes:
        number: as Excel counts.
        texts: by column key, for the columns that are there.
    """

    sheet: Sheet
    number: int
    texts: Mapping[str, str]

    def problem(self, message: str) -> Problem:
        """What is wrong with it, with its place."""
        return Problem(self.sheet.title, self.number, message)

    def text(self, key: str) -> str:
        """A cell's text in one line."""
        text = " ".join(self.texts.get(key, "").split())
        if _ERROR.fullmatch(text):
            raise Slip(f"“{self.sheet[key].heading}”是公式错误，请重新填写")
        return text

    def need(self, key: str) -> str:
        """A cell's text, which must not be blank."""
        if text := self.text(key):
            return text
        raise Slip(f"“{self.sheet[key].heading}”是空的，请填写")

    def word(self, key: str) -> str:
        """One of a column's choices."""
        column, text = self.sheet[key], plain(self.need(key))
        if text not in column.choices:
            choices = "、".join(column.choices)
            raise Slip(f"{column.heading}“{text}”无法识别，应为{choices}之一")
        return text

    def period(self, key: str = "period") -> Period:
        """A reference period, in any usual spelling."""
        text = self.need(key)
        try:
            period = Period.parse(plain(text))
        except ValueError:
            heading = self.sheet[key].heading
            raise Slip(f"“{heading}”中的“{text}”不是报送期，请写成 2024Q2 的样子") from None
        _require_likely(period.year, text)
        return period

    def day(self, key: str) -> date:
        """A date without a time of day."""
        value = self._when(key)
        if isinstance(value, datetime):
            raise Slip(f"“{self.sheet[key].heading}”中有时间，请只写日期，以当日为整天")
        return value

    def moment(self, key: str) -> datetime:
        """A date alone is the end of that day."""
        return moment(self._when(key))

    def _when(self, key: str) -> date | datetime:
        text = self.need(key)
        try:
            value = _date_in(plain(text))
        except ValueError:
            heading = self.sheet[key].heading
            raise Slip(f"“{heading}”中的“{text}”不是日期，请写成 2024-07-05 的样子") from None
        _require_likely(value.year, text)
        return value


Tables = Mapping[Sheet, Sequence[Row]]
"""The filled rows of each declared sheet."""


def read_tables(content: bytes, name: str) -> tuple[Tables, list[Problem]]:
    """The filled rows of each declared sheet, and what is wrong with whole sheets.

    Args:
        content: of the workbook.
        name: its file's, for what has to be said.

    Raises:
        PlanError: it cannot be opened as a workbook at all.
    """
    lost: list[Problem] = []
    try:
        errors = _look_through(content, name)
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        titles = {fold(title): title for title in reversed(book.sheet_names)}
        tables: dict[Sheet, list[Row]] = {}
        for sheet in REGISTER_BOOK:
            title = titles.get(fold(sheet.title))
            if title is None:
                lost.append(Problem(sheet.title, 0, "没有这个工作表，这类事项都没有计入，请补上"))
                tables[sheet] = []
                continue
            found = book.get_sheet_by_name(title)
            tables[sheet], wrong = _read_table(sheet, found, errors.get(title, ()))
            lost += wrong
    except (*_DAMAGE, CalamineError) as error:
        raise PlanError(
            say("{name} 不是能打开的 Excel 工作簿（有密码的请先去掉）", name=name)
        ) from error
    return tables, lost


def _read_table(
    sheet: Sheet, found: CalamineSheet, errors: Iterable[tuple[int, int]]
) -> tuple[list[Row], list[Problem]]:
    values = found.to_python(skip_empty_area=False, nrows=MOST_ROWS)
    grid = [[text_of(value) for value in row] for row in values]
    for row, column in errors:
        if row < len(grid) and column < len(grid[row]):
            grid[row][column] = _ANY_ERROR
    location = locate(sheet, grid)
    missing = location.missing if location else sheet.columns
    wrong = [_lacking(sheet, missing)] if missing else []
    if found.end and found.end[0] >= MOST_ROWS:
        message = f"只读前 {MOST_ROWS} 行，从这一行起没有计入，请移到上面，多余的行请删去"
        wrong.append(Problem(sheet.title, MOST_ROWS + 1, message))
    if location is None or any(column.key in _NEEDED[sheet] for column in missing):
        return [], wrong
    rows = (Row(sheet, number + 1, texts) for number, texts in rows_below(location, grid))
    return [row for row in rows if any(_filled(row))], wrong


def _filled(row: Row) -> Iterator[str]:
    return (key for key, text in row.texts.items() if text.strip() and key not in _REMARKS)


def _lacking(sheet: Sheet, missing: Iterable[Column]) -> Problem:
    headings = "、".join(column.heading for column in missing)
    needed = any(column.key in _NEEDED[sheet] for column in missing)
    follows = "这个工作表没有计入" if needed else "其余各列照常计入"
    return Problem(sheet.title, 0, f"缺少列：{headings}；{follows}，请补上标题和内容")


def _look_through(content: bytes, name: str) -> _ErrorCells:
    """Where formulas end in an error; a package too large to be opened is turned away.

    Raises:
        PlanError: it is too large, or no Excel workbook.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}  # an old xls is never large
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        if sum(entry.file_size for entry in package.infolist()) > _MOST_BYTES:
            raise PlanError(say("{name} 解开后太大，请把内容复制到新的登记表", name=name))
        try:
            parts = _sheet_parts(package)
        except (KeyError, ParseError, DefusedXmlException) as error:
            raise PlanError(say("{name} 不是能打开的 Excel 工作簿", name=name)) from error
        return {
            title: _errors_in(package, part, name)
            for title, part in parts.items()
            if part in package.namelist()
        }


def _sheet_parts(package: zipfile.ZipFile) -> dict[str, str]:
    """Part of the package by sheet name."""
    book = ElementTree.fromstring(package.read("xl/workbook.xml"))
    links = ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels"))
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    parts = {}
    for sheet in book.iterfind("{*}sheets/{*}sheet"):
        link = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        part = posixpath.normpath(posixpath.join("/xl", targets.get(link, "")))
        parts[sheet.get("name", "")] = part.lstrip("/")
    return parts


def _errors_in(package: zipfile.ZipFile, part: str, name: str) -> list[tuple[int, int]]:
    errors, last_row, last_column = [], 0, 0
    for tag in _filled_cells(package, part):
        if (found := _CELL_ADDRESS.search(tag)) is None:
            continue
        row, column = parse_address(found[1].decode("ascii"))
        last_row, last_column = max(last_row, row), max(last_column, column)
        if _IS_ERROR.search(tag):
            errors.append((row, column))
        if (last_row + 1) * (last_column + 1) > _MOST_CELLS:
            raise PlanError(
                say(
                    "{name} 的 {cell} 也有内容，离表太远，请删去后重试",
                    name=name,
                    cell=found[1].decode(),
                )
            )
    return errors


def _filled_cells(package: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The start tag of each cell that has something in it."""
    rest = b""
    with package.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            chunk, end = rest + chunk, 0
            for match in _FILLED_CELL.finditer(chunk):
                yield match[1]
                end = match.end()
            rest = chunk[max(end, len(chunk) - _TAG) :]


def plain(text: str) -> str:
    """As people write words and numbers: full-width forms folded, without blanks at the ends."""
    return unicodedata.normalize("NFKC", text).strip()


def _date_in(text: str) -> date | datetime:
    """A date, or a moment in China where a time of day other than midnight is written."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day = date(int(match[1]), int(match[2] or match[4]), int(match[3] or match[5]))
    at = time(int(match[6] or 0), int(match[7] or 0), int(match[8] or 0), tzinfo=CHINA)
    return datetime.combine(day, at) if at.replace(tzinfo=None) != time() else day


def _require_likely(year: int, text: str) -> None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise Slip(f"“{text}”的年份不在 {_FIRST_YEAR} 至 {_LAST_YEAR} 之间，请核对")
