"""The coordinator's register as a workbook: 延期, 免报, 收件更正, 归属认定, 节假日, 机构变动, 邮箱.

People edit it for years in Excel, WPS or LibreOffice, so it is read by heading and in any usual
spelling, with calamine (values only); a row that cannot take effect becomes a `Problem` with its
place, and the rest still counts. Only a blank one is ever written, with openpyxl.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from bioduty_xl.domain.address import is_mail_address
from bioduty_xl.domain.calendar import Calendar
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit, fold
from bioduty_xl.domain.register import (
    ChangeKind,
    DayChange,
    Exemption,
    Extension,
    MailAddress,
    Ownership,
    Plans,
    Problem,
    Register,
    TrueReceipt,
    UnitChange,
    changed,
)
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
from bioduty_xl.plan.register_rows import Row, Slip, plain, read_tables

if TYPE_CHECKING:  # openpyxl takes long to import, and only writing needs it
    from openpyxl import Workbook
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

_TITLE = "登记表"
_HEADING_ROW, _FIRST_ROW, _LAST_ROW = 2, 3, 500
"""Rows of a written sheet: the headings; the first entry; the last that has drop-downs."""

_UNIT_COLUMNS = ("unit", "successor")
_MOST_DAYS = 60
"""Days of one 节假日 entry; more is a slip of the pen."""

_MOST_CHANGES = 500
"""Changes of units that are read: each makes a plan of its own."""

_T = TypeVar("_T", bound=Hashable)


def _no_objection(_: UnitChange) -> None:
    """Nothing is said against a change of units."""


def read_register(
    content: bytes,
    name: str,
    plan: Plan,
    calendar: Calendar,
    objection: Callable[[UnitChange], str | None] = _no_objection,
) -> Register:
    """Read a register.

    A unit is looked up in the plan as it stands for the entry's period, after the changes of units
    that the register itself has; a mail address under the name of any time. Entries are in the
    order of the rows, changes of units in the order in which they take effect.

    Args:
        content: of the workbook.
        name: its file's, for what has to be said.
        plan: as its workbook says it, before any change.
        calendar: the due dates that extensions are measured by; the register's own 节假日 are
            added to it.
        objection: why a change of units cannot take effect, where the rows alone do not show it.

    Raises:
        PlanError: it cannot be opened as a workbook at all.
    """
    tables, lost = read_tables(content, name)
    days = _unless_contradicted(_take(tables[REGISTER_DAYS], _day_change, lambda one: one))
    changes = _changes(tables[REGISTER_CHANGES], plan, objection)
    own_days = {day: change.works for change in days.entries for day in change.days}
    reader = _EntryReader(Plans(plan, changes.entries), replace(calendar, days=own_days))
    exemptions = _take(tables[REGISTER_EXEMPTIONS], reader.exemption, _whose)
    extensions = _unless_exempt(
        _take(tables[REGISTER_EXTENSIONS], reader.extension, _whose), exemptions
    )
    receipts = _take(tables[REGISTER_RECEIPTS], reader.receipt, _whose)
    ownerships = _take(tables[REGISTER_OWNERSHIPS], reader.ownership, lambda one: one)
    addresses = _take(tables[REGISTER_ADDRESSES], reader.addresses, lambda one: one)
    problems = chain(
        *(lost, extensions.problems, exemptions.problems, receipts.problems, ownerships.problems),
        *(days.problems, changes.problems, addresses.problems),
    )
    return Register(
        extensions.entries,
        exemptions.entries,
        tuple(replace(entry, row=row.number) for row, entry in receipts.rows),
        tuple(replace(entry, row=row.number) for row, entry in ownerships.rows),
        days.entries,
        changes.entries,
        tuple(dict.fromkeys(chain.from_iterable(addresses.entries))),
        tuple(sorted(problems, key=_place)),
    )


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


# From rows to entries


@dataclass(frozen=True)
class _Taken(Generic[_T]):
    """What came of a sheet: each entry with its row, and the problems."""

    rows: tuple[tuple[Row, _T], ...]
    problems: tuple[Problem, ...]

    @property
    def entries(self) -> tuple[_T, ...]:
        return tuple(entry for _, entry in self.rows)

    def unless(self, objection: Callable[[Row, _T], str | None]) -> _Taken[_T]:
        """Without the rows that an objection is raised to; each of them is a problem."""
        kept, problems = [], list(self.problems)
        for row, entry in self.rows:
            if message := objection(row, entry):
                problems.append(row.problem(message))
            else:
                kept.append((row, entry))
        return _Taken(tuple(kept), tuple(problems))


def _take(
    rows: Iterable[Row], read: Callable[[Row], _T], key: Callable[[_T], Hashable]
) -> _Taken[_T]:
    """Read rows one by one. Of two entries with one key the first counts; the second is a problem
    unless it says the same.
    """
    taken: dict[Hashable, tuple[Row, _T]] = {}
    problems = []
    for row in rows:
        try:
            entry = read(row)
        except Slip as slip:
            problems.append(row.problem(str(slip)))
            continue
        first, known = taken.setdefault(key(entry), (row, entry))
        if entry != known:
            problems.append(
                row.problem(f"与第 {first.number} 行说的是同一件事而内容不同，请留一行")
            )
    return _Taken(tuple(taken.values()), tuple(problems))


@dataclass(frozen=True)
class _EntryReader:
    """Reads entries about units, each in the plan of its period.

    Attributes:
        plans: with the changes of units that the register has.
        calendar: the due dates that extensions are measured by.
    """

    plans: Plans
    calendar: Calendar

    def extension(self, row: Row) -> Extension:
        unit, period = self._whose(row)
        due = row.day("due")
        if fault := self.calendar.extension_fault(period, due):
            raise Slip(f"{row.sheet['due'].heading} {due} {fault}")
        return Extension(unit, period, due, row.text("approved_by"), row.text("reason"))

    def exemption(self, row: Row) -> Exemption:
        unit, period = self._whose(row)
        return Exemption(unit, period, row.need("reason"), row.text("approved_by"))

    def receipt(self, row: Row) -> TrueReceipt:
        unit, period = self._whose(row)
        received = row.moment("received")
        if received.date() < period.start:
            heading = row.sheet["received"].heading
            raise Slip(f"{heading} {received.date()} 早于 {period} 的第一天，请核对日期和报送期")
        return TrueReceipt(unit, period, received, row.text("way"))

    def ownership(self, row: Row) -> Ownership:
        row.need("file")
        unit, period = self._whose(row)
        return Ownership(row.texts["file"].strip(), unit, period, row.need("reason"))

    def addresses(self, row: Row) -> tuple[MailAddress, ...]:
        name = row.need("unit")
        unit = self.plans.base.find_unit(name) or _find(self.plans.latest, name)
        texts = [text for text in re.split(r"[、；;，,\s]+", plain(row.need("address"))) if text]
        wrong = [text for text in texts if not is_mail_address(text)]
        if wrong or not texts:
            listed = "、".join(wrong) or row.need("address")
            raise Slip(f"“{listed}”不是邮箱地址，应为 name@example.org 的样子，几个之间用“、”隔开")
        return tuple(MailAddress(unit.code, text) for text in texts)

    def _whose(self, row: Row) -> tuple[str, Period]:
        name, period = row.need("unit"), row.period()
        plan = self.plans.of(period)
        if unit := plan.find_unit(name):
            return unit.code, period
        for other in self.plans.steps:  # a name of another time
            if (known := other.find_unit(name)) is None:
                continue
            then = plan.by_code.get(known.code) or plan.find_unit(known.name)
            if then is not None:
                raise Slip(f"{period} 的责任分工方案中没有“{name}”，是否指：{then.name}")
        return _find(plan, name).code, period


def _whose(entry: Extension | Exemption | TrueReceipt) -> tuple[str, Period]:
    return entry.unit, entry.period


def _find(plan: Plan, name: str) -> Unit:
    """A unit by name, alias or code; the slip that there is none names the likely ones."""
    if unit := plan.find_unit(name):
        return unit
    raise Slip(plan.unknown(name))


def _unless_exempt(
    extensions: _Taken[Extension], exemptions: _Taken[Exemption]
) -> _Taken[Extension]:
    exempt = {_whose(entry): row.number for row, entry in exemptions.rows}

    def objection(_row: Row, entry: Extension) -> str | None:
        if (number := exempt.get(_whose(entry))) is None:
            return None
        where = f"“{REGISTER_EXEMPTIONS.title}”第 {number} 行"
        return f"该单位 {entry.period} 已免报（{where}），不会再延期，请删去其中一行"

    return extensions.unless(objection)


def _day_change(row: Row) -> DayChange:
    first = row.day("first")
    last = row.day("last") if row.text("last") else first
    if last < first:
        headings = row.sheet["last"].heading, row.sheet["first"].heading
        raise Slip(f"{headings[0]} {last} 早于{headings[1]} {first}，请核对")
    if (last - first).days >= _MOST_DAYS:
        raise Slip(f"{first} 至 {last} 超过 {_MOST_DAYS} 天，请核对日期")
    works = row.word("kind") == REGISTER_DAYS["kind"].choices[True]
    return DayChange(first, last, works, row.text("note"))


def _unless_contradicted(days: _Taken[DayChange]) -> _Taken[DayChange]:
    known: dict[date, tuple[bool, int]] = {}

    def objection(row: Row, entry: DayChange) -> str | None:
        for day in entry.days:
            works, number = known.get(day, (entry.works, 0))
            if works is not entry.works:
                return f"{day} 在第 {number} 行写的是另一种类别，请核对"
        known.update((day, (entry.works, row.number)) for day in entry.days if day not in known)
        return None

    return days.unless(objection)


def _changes(
    rows: Sequence[Row], plan: Plan, objection: Callable[[UnitChange], str | None]
) -> _Taken[UnitChange]:
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
            if fault := objection(known):
                raise Slip(fault)
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


def _unit_change(row: Row) -> UnitChange:
    since, kind = row.period("since"), ChangeKind(row.word("kind"))
    unit, successor = row.need("unit"), row.need("successor")
    if fold(unit) == fold(successor):
        headings = row.sheet["successor"].heading, row.sheet["unit"].heading
        raise Slip(f"{'与'.join(headings)}都写的是“{unit}”，请核对")
    return UnitChange(since, kind, unit, successor, row.text("basis"))


def _named_in(
    plan: Plan, change: UnitChange, gone: Mapping[str, tuple[int, UnitChange]]
) -> UnitChange:
    """A change with its units' names in the plan; a unit merged before does not change again."""
    if before := gone.get(fold(change.unit)):
        number, merger = before
        raise Slip(
            f"“{change.unit}”已自 {merger.since} 起并入{merger.successor}（第 {number} 行），请核对"
        )
    named = replace(change, unit=_find(plan, change.unit).name)
    if change.kind is not ChangeKind.MERGED:
        return named
    return replace(named, successor=_find(plan, change.successor).name)


def _place(problem: Problem) -> tuple[int, int]:
    return [sheet.title for sheet in REGISTER_BOOK].index(problem.sheet), problem.row
