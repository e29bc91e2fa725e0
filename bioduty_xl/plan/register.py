"""The coordinator's register as a workbook: 延期, 免报, 收件更正, 归属认定, 节假日, 机构变动, 邮箱.

People edit it for years in Excel, WPS or LibreOffice, so it is read by heading and in any usual
spelling, with calamine (values only); a row that cannot take effect becomes a `Problem` with its
place, and the rest still counts. Only a blank one is ever written, with openpyxl.
"""

from __future__ import annotations

import io
import posixpath
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook
from rapidfuzz import process

from bioduty_xl.domain.calendar import CHINA, end_of_day, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit, fold
from bioduty_xl.domain.register import (
    ChangeKind,
    DayChange,
    Entry,
    Exemption,
    Extension,
    MailAddress,
    Ownership,
    Problem,
    Register,
    TrueReceipt,
    UnitChange,
    changed,
)
from bioduty_xl.errors import PlanError
from bioduty_xl.layout.columns import Column, Kind, Sheet
from bioduty_xl.layout.sheets import (
    REGISTER_ADDRESSES,
    REGISTER_BOOK,
    REGISTER_CHANGES,
    REGISTER_DAYS,
    REGISTER_EXEMPTIONS,
    REGISTER_EXTENSIONS,
    REGISTER_OWNERSHIPS,
    REGISTER_RECEIPTS,
    REGISTER_UNITS,
)
from bioduty_xl.layout.table import locate, parse_address, rows_below, text_of

if TYPE_CHECKING:  # openpyxl takes long to import, and only writing needs it
    from openpyxl import Workbook
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

MOST_ROWS = 5000
"""Rows of a sheet that are read; what stands below is left out, and said to be."""

_TITLE = "登记表"
_HEADING_ROW, _FIRST_ROW, _LAST_ROW = 2, 3, 500
"""Rows of a written sheet: the headings; the first entry; the last that has drop-downs."""

_UNIT_COLUMNS = ("unit", "successor")
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
_MOST_DAYS = 60
"""Days of one 节假日 entry; more is a slip of the pen."""

_MOST_CHANGES = 500
"""Changes of units that are read: each makes a plan of its own."""

_MOST_BYTES = 400 * 2**20
_MOST_CELLS = 12_000_000
"""Cells between A1 and the last one filled, which calamine keeps all; a whole column is fine."""

_DATE = re.compile(
    r"(\d{4})(?:\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)\s*日?|(\d{2})(\d{2})(?!\d))"
    r"(?:[T\s]*(\d{1,2})[:时点](?:(\d{2})(?:分|:(\d{2})(?:\.\d+)?)?)?)?"
)
_NAME = r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?=.{{1,254}}\Z){_NAME}@(?:{_LABEL}\.)+{_LABEL}")
_PHONE = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}[- ]?\d{7,8})(?!\d)")

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

_T = TypeVar("_T", bound=Hashable)

_ErrorCells = Mapping[str, Sequence[tuple[int, int]]]
"""(row, column) of formulas that end in an error, counted from 0, by sheet name."""


def read_register(path: Path, plan: Plan) -> Register:
    """Read a register.

    A unit is looked up in the plan as it stands for the entry's period, after the changes of units
    that the register itself has; a mail address under the name of any time. Entries are in the
    order of the rows, changes of units in the order in which they take effect.

    Args:
        plan: as its workbook says it, before any change.

    Raises:
        PlanError: the file cannot be opened as a workbook at all.
    """
    tables, lost = _read_tables(path)
    changes = _changes(tables[REGISTER_CHANGES], plan)
    units = _Units(plan, changes.entries)
    exemptions = _take(tables[REGISTER_EXEMPTIONS], units.exemption, _whose)
    extensions = _unless_exempt(
        _take(tables[REGISTER_EXTENSIONS], units.extension, _whose), exemptions
    )
    receipts = _take(tables[REGISTER_RECEIPTS], units.receipt, _whose)
    ownerships = _take(tables[REGISTER_OWNERSHIPS], units.ownership, lambda one: one.file)
    days = _unless_contradicted(_take(tables[REGISTER_DAYS], _day_change, lambda one: one))
    addresses = _take(tables[REGISTER_ADDRESSES], units.addresses, lambda one: one)
    problems = chain(
        *(lost, extensions.problems, exemptions.problems, receipts.problems, ownerships.problems),
        *(days.problems, changes.problems, addresses.problems),
    )
    return Register(
        extensions.entries,
        exemptions.entries,
        receipts.entries,
        tuple(replace(entry, row=row.number) for row, entry in ownerships.rows),
        days.entries,
        changes.entries,
        tuple(dict.fromkeys(chain.from_iterable(addresses.entries))),
        tuple(sorted(problems, key=_place)),
    )


def entry_texts(register: Register, plan: Plan) -> tuple[tuple[str, str], ...]:
    """(sheet title, text) of every entry that takes effect, for the record.

    An entry's text says the unit's name of its period, so that it stays the same whatever becomes
    of the unit later. Telephone numbers in reasons and notes are left out.

    Args:
        plan: as its workbook says it, before any change.
    """
    units = _Units(plan, register.changes)
    texts = ((sheet.title, " ".join(words)) for sheet, words in map(units.words, register.entries))
    return tuple(texts)


def write_register(path: Path, plan: Plan) -> None:
    """Write a blank register; the same plan gives the same bytes.

    Args:
        plan: whose units the drop-downs offer.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    from bioduty_xl.layout.package import save

    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = _TITLE
    for sheet in REGISTER_BOOK:
        worksheet = _blank_sheet(book, sheet)
        for number, column in enumerate(sheet.columns, start=1):
            if (choices := _choices(column, plan)) is not None:
                letter = get_column_letter(number)
                choices.add(f"{letter}{_FIRST_ROW}:{letter}{_LAST_ROW}")
                worksheet.add_data_validation(choices)
    names = _blank_sheet(book, REGISTER_UNITS)
    for number, unit in enumerate(plan.units, start=_FIRST_ROW):
        names.cell(number, 1, unit.name).data_type = "s"
    save(book, path)


# Writing


def _blank_sheet(book: Workbook, sheet: Sheet) -> Worksheet:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    from bioduty_xl.layout.measure import height_for

    worksheet: Worksheet = book.create_sheet(sheet.title)
    width = sum(column.width for column in sheet.columns)
    top = worksheet.cell(1, 1, sheet.heading)
    top.font = Font(name="宋体", size=10)
    top.alignment = Alignment(vertical="center", wrap_text=True)
    worksheet.row_dimensions[1].height = height_for([(sheet.heading, width)], 24)
    if len(sheet.columns) > 1:
        worksheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(sheet.columns))
    for number, column in enumerate(sheet.columns, start=1):
        head = worksheet.cell(_HEADING_ROW, number, column.heading)
        head.font = Font(name="黑体", bold=True)
        head.fill = PatternFill("solid", fgColor="D9E7DF")
        look = worksheet.column_dimensions[get_column_letter(number)]
        look.width = column.width
        look.number_format = "yyyy-mm-dd" if column.kind is Kind.DATE else "@"
        look.alignment = Alignment("left", "top", wrap_text=column.kind is Kind.TEXT)
    _set_up_page(worksheet)
    return worksheet


def _set_up_page(worksheet: Worksheet) -> None:
    from openpyxl.worksheet.properties import PageSetupProperties

    worksheet.freeze_panes = f"A{_FIRST_ROW}"
    worksheet.page_setup.orientation = "landscape"
    worksheet.page_setup.paperSize = 9
    worksheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    worksheet.page_setup.fitToHeight = 0
    worksheet.print_title_rows = f"1:{_HEADING_ROW}"
    worksheet.print_options.gridLines = True


def _choices(column: Column, plan: Plan) -> DataValidation | None:
    """A column's drop-down. Units are offered, not demanded: other spellings and new names hold."""
    from openpyxl.worksheet.datavalidation import DataValidation

    if column.key in _UNIT_COLUMNS:
        last = _HEADING_ROW + len(plan.units)
        formula = f"'{REGISTER_UNITS.title}'!$A${_FIRST_ROW}:$A${last}"
        return DataValidation("list", formula, allow_blank=True)
    if not column.choices:
        return None
    return DataValidation(
        "list",
        f'"{",".join(column.choices)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=column.heading,
        error=f"请从下拉列表中选择：{'、'.join(column.choices)}。",
    )


# From the file to rows of texts


class _Slip(ValueError):
    """What is wrong with a row and what to do, in Chinese."""


@dataclass(frozen=True)
class _Row:
    """A filled row; what it asks for and cannot find is a `_Slip`.

    Attributes:
        number: as Excel counts.
        texts: by column key, for the columns that are there.
    """

    sheet: Sheet
    number: int
    texts: Mapping[str, str]

    def problem(self, message: str) -> Problem:
        return Problem(self.sheet.title, self.number, message)

    def text(self, key: str) -> str:
        """A cell's text in one line."""
        text = " ".join(self.texts.get(key, "").split())
        if _ERROR.fullmatch(text):
            raise _Slip(f"“{self.sheet[key].heading}”是公式错误，请重新填写")
        return text

    def need(self, key: str) -> str:
        if text := self.text(key):
            return text
        raise _Slip(f"“{self.sheet[key].heading}”是空的，请填写")

    def word(self, key: str) -> str:
        column, text = self.sheet[key], _plain(self.need(key))
        if text not in column.choices:
            choices = "、".join(column.choices)
            raise _Slip(f"{column.heading}“{text}”无法识别，应为{choices}之一")
        return text

    def period(self, key: str = "period") -> Period:
        text = self.need(key)
        try:
            period = Period.parse(_plain(text))
        except ValueError:
            heading = self.sheet[key].heading
            raise _Slip(f"“{heading}”中的“{text}”不是报送期，请写成 2024Q2 的样子") from None
        _require_likely(period.year, text)
        return period

    def too_early(self, key: str, day: date, period: Period) -> _Slip:
        heading = self.sheet[key].heading
        return _Slip(f"{heading} {day} 早于 {period} 的第一天，请核对日期和报送期")

    def day(self, key: str) -> date:
        value = self._when(key)
        if isinstance(value, datetime):
            raise _Slip(f"“{self.sheet[key].heading}”中有时间，请只写日期，以当日为整天")
        return value

    def moment(self, key: str) -> datetime:
        """A date alone is the end of that day."""
        return moment(self._when(key))

    def _when(self, key: str) -> date | datetime:
        text = self.need(key)
        try:
            value = _date_in(_plain(text))
        except ValueError:
            heading = self.sheet[key].heading
            raise _Slip(f"“{heading}”中的“{text}”不是日期，请写成 2024-07-05 的样子") from None
        _require_likely(value.year, text)
        return value


_Tables = Mapping[Sheet, Sequence[_Row]]


def _read_tables(path: Path) -> tuple[_Tables, list[Problem]]:
    """The filled rows of each declared sheet, and what is wrong with whole sheets."""
    content = _content(path)
    lost: list[Problem] = []
    try:
        errors = _look_through(content, path.name)
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = {fold(name): name for name in reversed(book.sheet_names)}
        tables: dict[Sheet, list[_Row]] = {}
        for sheet in REGISTER_BOOK:
            name = names.get(fold(sheet.title))
            if name is None:
                lost.append(Problem(sheet.title, 0, "没有这个工作表，这类事项都没有计入，请补上"))
                tables[sheet] = []
                continue
            found = book.get_sheet_by_name(name)
            tables[sheet], wrong = _read_table(sheet, found, errors.get(name, ()))
            lost += wrong
    except (*_DAMAGE, CalamineError) as error:
        raise PlanError(f"{path.name} 不是能打开的 Excel 工作簿（有密码的请先去掉）") from error
    return tables, lost


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise PlanError(f"没有登记表：{path}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise PlanError(f"读不了登记表 {path}，正在其他程序中打开的请先关闭") from error


def _read_table(
    sheet: Sheet, found: CalamineSheet, errors: Iterable[tuple[int, int]]
) -> tuple[list[_Row], list[Problem]]:
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
    rows = (_Row(sheet, number + 1, texts) for number, texts in rows_below(location, grid))
    return [row for row in rows if any(_filled(row))], wrong


def _filled(row: _Row) -> Iterator[str]:
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
            raise PlanError(f"{name} 解开后太大，请把内容复制到新的登记表")
        try:
            parts = _sheet_parts(package)
        except (KeyError, ParseError, DefusedXmlException) as error:
            raise PlanError(f"{name} 不是能打开的 Excel 工作簿") from error
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
            raise PlanError(f"{name} 的 {found[1].decode()} 也有内容，离表太远，请删去后重试")
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


# From rows to entries


@dataclass(frozen=True)
class _Taken(Generic[_T]):
    """What came of a sheet: each entry with its row, and the problems."""

    rows: tuple[tuple[_Row, _T], ...]
    problems: tuple[Problem, ...]

    @property
    def entries(self) -> tuple[_T, ...]:
        return tuple(entry for _, entry in self.rows)

    def unless(self, objection: Callable[[_Row, _T], str | None]) -> _Taken[_T]:
        """Without the rows that an objection is raised to; each of them is a problem."""
        kept, problems = [], list(self.problems)
        for row, entry in self.rows:
            if message := objection(row, entry):
                problems.append(row.problem(message))
            else:
                kept.append((row, entry))
        return _Taken(tuple(kept), tuple(problems))


def _take(
    rows: Iterable[_Row], read: Callable[[_Row], _T], key: Callable[[_T], Hashable]
) -> _Taken[_T]:
    """Read rows one by one. Of two entries with one key the first counts; the second is a problem
    unless it says the same.
    """
    taken: dict[Hashable, tuple[_Row, _T]] = {}
    problems = []
    for row in rows:
        try:
            entry = read(row)
        except _Slip as slip:
            problems.append(row.problem(str(slip)))
            continue
        first, known = taken.setdefault(key(entry), (row, entry))
        if entry != known:
            problems.append(
                row.problem(f"与第 {first.number} 行说的是同一件事而内容不同，请留一行")
            )
    return _Taken(tuple(taken.values()), tuple(problems))


@dataclass(frozen=True)
class _Units:
    """Reads entries about units, each in the plan of its period; and puts entries into words.

    Attributes:
        plan: before any change.
        changes: in order of effect.
    """

    plan: Plan
    changes: Sequence[UnitChange] = ()

    @cached_property
    def _plans(self) -> list[Plan]:
        """The plan after none, one, two … of the changes."""
        return list(
            accumulate(self.changes, lambda plan, one: changed(plan, [one]), initial=self.plan)
        )

    def at(self, period: Period) -> Plan:
        """The plan that holds for a period."""
        return self._plans[sum(change.since <= period for change in self.changes)]

    def extension(self, row: _Row) -> Extension:
        unit, period = self._whose(row)
        due = row.day("due")
        if due < period.start:
            raise row.too_early("due", due, period)
        return Extension(unit, period, due, row.text("approved_by"), row.text("reason"))

    def exemption(self, row: _Row) -> Exemption:
        unit, period = self._whose(row)
        return Exemption(unit, period, row.need("reason"), row.text("approved_by"))

    def receipt(self, row: _Row) -> TrueReceipt:
        unit, period = self._whose(row)
        received = row.moment("received")
        if received.date() < period.start:
            raise row.too_early("received", received.date(), period)
        return TrueReceipt(unit, period, received, row.text("way"))

    def ownership(self, row: _Row) -> Ownership:
        row.need("file")
        unit, period = self._whose(row)
        return Ownership(row.texts["file"].strip(), unit, period, row.need("reason"))

    def addresses(self, row: _Row) -> tuple[MailAddress, ...]:
        name = row.need("unit")
        unit = self.plan.find_unit(name) or _find(self._plans[-1], name)
        texts = [text for text in re.split(r"[、；;，,\s]+", _plain(row.need("address"))) if text]
        wrong = [text for text in texts if not _MAIL.fullmatch(text)]
        if wrong or not texts:
            listed = "、".join(wrong) or row.need("address")
            raise _Slip(f"“{listed}”不是邮箱地址，应为 name@example.org 的样子，几个之间用“、”隔开")
        return tuple(MailAddress(unit.code, text) for text in texts)

    def _whose(self, row: _Row) -> tuple[str, Period]:
        name, period = row.need("unit"), row.period()
        plan = self.at(period)
        if unit := plan.find_unit(name):
            return unit.code, period
        for other in self._plans:  # a name of another time
            if (known := other.find_unit(name)) is None:
                continue
            then = plan.by_code.get(known.code) or plan.find_unit(known.name)
            if then is not None:
                raise _Slip(f"{period} 的责任分工方案中没有“{name}”，是否指：{then.name}")
        return _find(plan, name).code, period

    def words(self, entry: Entry) -> tuple[Sheet, list[str]]:
        """The sheet that an entry stands in, and what it says."""
        keys: tuple[str, ...]
        match entry:
            case Extension():
                sheet, keys = REGISTER_EXTENSIONS, ("approved_by", "reason")
                words = [*self._named(entry), f"{sheet['due'].heading} {entry.due}"]
            case Exemption():
                sheet, keys = REGISTER_EXEMPTIONS, ("approved_by", "reason")
                words = [*self._named(entry), sheet.title]
            case TrueReceipt():
                sheet, keys = REGISTER_RECEIPTS, ("way",)
                words = [*self._named(entry), "实际收到", _moment_words(entry.received)]
            case Ownership():
                sheet, keys = REGISTER_OWNERSHIPS, ("reason",)
                words = [
                    sheet["file"].heading,
                    " ".join(entry.file.split()),
                    "归属",
                    *self._named(entry),
                ]
            case DayChange():
                sheet, keys = REGISTER_DAYS, ("note",)
                words = [_span(entry), sheet["kind"].choices[entry.works]]
            case UnitChange():
                sheet, keys = REGISTER_CHANGES, ("basis",)
                words = [f"自 {entry.since} 起", entry.unit, entry.kind.value, entry.successor]
            case MailAddress():
                unit = self.plan.by_code[entry.unit]
                return REGISTER_ADDRESSES, [f"{unit.name}（{unit.code}）", entry.address]
        said = ((sheet[key].heading, _line(getattr(entry, key))) for key in keys)
        return sheet, [*words, *(f"{heading} {text}" for heading, text in said if text)]

    def _named(self, entry: Extension | Exemption | TrueReceipt | Ownership) -> tuple[str, str]:
        """A unit's name of the period and its code, and the period."""
        unit = self.at(entry.period).by_code[entry.unit]
        return f"{unit.name}（{unit.code}）", str(entry.period)


def _whose(entry: Extension | Exemption | TrueReceipt) -> tuple[str, Period]:
    return entry.unit, entry.period


def _find(plan: Plan, name: str) -> Unit:
    """A unit by name, alias or code; the slip that there is none names the likely ones."""
    if unit := plan.find_unit(name):
        return unit
    names = [spelling for unit in plan.units for spelling in unit.spellings]
    likely = [text for text, _, _ in process.extract(name, names, limit=3, score_cutoff=50)]
    hint = f"是否指：{'、'.join(likely)}" if likely else "请照抄单位名录"
    raise _Slip(f"责任分工方案中没有“{name}”，{hint}")


def _unless_exempt(
    extensions: _Taken[Extension], exemptions: _Taken[Exemption]
) -> _Taken[Extension]:
    exempt = {_whose(entry): row.number for row, entry in exemptions.rows}

    def objection(_row: _Row, entry: Extension) -> str | None:
        if (number := exempt.get(_whose(entry))) is None:
            return None
        where = f"“{REGISTER_EXEMPTIONS.title}”第 {number} 行"
        return f"该单位 {entry.period} 已免报（{where}），不会再延期，请删去其中一行"

    return extensions.unless(objection)


def _day_change(row: _Row) -> DayChange:
    first = row.day("first")
    last = row.day("last") if row.text("last") else first
    if last < first:
        headings = row.sheet["last"].heading, row.sheet["first"].heading
        raise _Slip(f"{headings[0]} {last} 早于{headings[1]} {first}，请核对")
    if (last - first).days >= _MOST_DAYS:
        raise _Slip(f"{first} 至 {last} 超过 {_MOST_DAYS} 天，请核对日期")
    works = row.word("kind") == REGISTER_DAYS["kind"].choices[True]
    return DayChange(first, last, works, row.text("note"))


def _unless_contradicted(days: _Taken[DayChange]) -> _Taken[DayChange]:
    known: dict[date, tuple[bool, int]] = {}

    def objection(row: _Row, entry: DayChange) -> str | None:
        for day in entry.days:
            works, number = known.get(day, (entry.works, 0))
            if works is not entry.works:
                return f"{day} 在第 {number} 行写的是另一种类别，请核对"
        known.update((day, (entry.works, row.number)) for day in entry.days if day not in known)
        return None

    return days.unless(objection)


def _changes(rows: Sequence[_Row], plan: Plan) -> _Taken[UnitChange]:
    """The changes of units in the order in which they take effect, each with its units' names."""
    written = _take(
        rows[:_MOST_CHANGES],
        _unit_change,
        lambda one: (one.since, fold(one.unit), fold(one.successor)),
    )
    gone: dict[str, tuple[int, UnitChange]] = {}
    in_order = sorted(written.rows, key=lambda pair: pair[1].since)
    kept, problems = [], list(written.problems)
    for row in rows[_MOST_CHANGES:][:1]:
        problems.append(row.problem(f"只读前 {_MOST_CHANGES} 条变动，从这一行起没有计入"))
    for row, change in in_order:
        try:
            known = _named_in(plan, change, gone)
            after = changed(plan, [known])
        except ValueError as error:
            problems.append(row.problem(str(error)))
            continue
        if known.kind is ChangeKind.MERGED:
            old = _find(plan, known.unit)
            gone |= {fold(name): (row.number, known) for name in (old.code, *old.spellings)}
        plan = after
        kept.append((row, known))
    return _Taken(tuple(kept), tuple(problems))


def _unit_change(row: _Row) -> UnitChange:
    since, kind = row.period("since"), ChangeKind(row.word("kind"))
    unit, successor = row.need("unit"), row.need("successor")
    if fold(unit) == fold(successor):
        headings = row.sheet["successor"].heading, row.sheet["unit"].heading
        raise _Slip(f"{'与'.join(headings)}都写的是“{unit}”，请核对")
    return UnitChange(since, kind, unit, successor, row.text("basis"))


def _named_in(
    plan: Plan, change: UnitChange, gone: Mapping[str, tuple[int, UnitChange]]
) -> UnitChange:
    """A change with its units' names in the plan; a unit merged before does not change again."""
    if before := gone.get(fold(change.unit)):
        number, merger = before
        raise _Slip(
            f"“{change.unit}”已自 {merger.since} 起并入{merger.successor}（第 {number} 行），请核对"
        )
    named = replace(change, unit=_find(plan, change.unit).name)
    if change.kind is not ChangeKind.MERGED:
        return named
    return replace(named, successor=_find(plan, change.successor).name)


# Words and numbers as people write them


def _plain(text: str) -> str:
    """Full-width forms folded, without blanks at the ends."""
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
        raise _Slip(f"“{text}”的年份不在 {_FIRST_YEAR} 至 {_LAST_YEAR} 之间，请核对")


def _line(text: str) -> str:
    """A text in one line, without telephone numbers."""
    return _PHONE.sub("（号码略）", " ".join(text.split()))


def _moment_words(when: datetime) -> str:
    whole_day = when == end_of_day(when.date())
    return f"{when:%Y-%m-%d}" if whole_day else f"{when:%Y-%m-%d %H:%M}"


def _span(days: DayChange) -> str:
    return f"{days.first}" if days.first == days.last else f"{days.first} 至 {days.last}"


def _place(problem: Problem) -> tuple[int, int]:
    return [sheet.title for sheet in REGISTER_BOOK].index(problem.sheet), problem.row
