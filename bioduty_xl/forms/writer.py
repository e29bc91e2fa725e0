"""Fills a template for one unit: its items, its marks, what it promised last quarter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.formatting.rule import Rule
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.domain.plan import Item, Obligation, Plan, Unit
from bioduty_xl.domain.returns import ANSWERED, Contact, Entry, Wording, state_of
from bioduty_xl.domain.stamp import Seal, Stamp, looks_like_row_mark, looks_like_token
from bioduty_xl.forms import style
from bioduty_xl.forms.correction import Correction, fill_answers, mark
from bioduty_xl.forms.counter import counter_formula, counter_text, unanswered_rule
from bioduty_xl.forms.template import (
    PROGRESS_MARK,
    grid_of,
    open_template,
    own_columns,
    place_of,
    trimmed,
    value_cells,
)
from bioduty_xl.layout.columns import Column, Filler, Kind, Sheet
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.package import save
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    CORRECTIONS,
    GUIDE_TITLE,
    IDENTITY_SHEET,
    RETURN_FORM,
    SHEET_NAME,
    TOKEN_PROPERTY,
    WORKBOOK_NAME,
)
from bioduty_xl.layout.table import Location, address

CONTACT_ROWS = ("R01", "R02", "R03")
"""Rows of a contact form; a unit may name up to three."""


@dataclass(frozen=True)
class Order:
    """What one form is made of.

    Attributes:
        stamp: whose form it is.
        unit: the unit.
        due: its due date.
        covers: first and last day that the return reports on.
        help: whom to call, as printed.
        previous: item key → what the unit said it would do next, or why that is not known.
        contacts: what is known of the unit's contacts.
    """

    stamp: Stamp
    unit: Unit
    due: date
    covers: tuple[date, date]
    help: str
    previous: Mapping[str, str]
    contacts: Sequence[Contact] = ()


def write_return_form(
    order: Order,
    plan: Plan,
    obligations: Sequence[Obligation],
    seal: Seal,
    wording: Wording,
    template: Path,
    target: Path,
    correction: Correction | None = None,
) -> None:
    """Write one unit's return form; the same arguments give the same bytes.

    Args:
        obligations: the unit's own, in plan order.
        template: the return form's template.
        correction: the unit's answers and what to mend in them; None: a blank form.

    Raises:
        TemplateError: the template lacks something.
    """
    book = open_template(template, RETURN_FORM)
    sheet = book[RETURN_FORM.title]
    _replace_placeholders(book, order)
    rows = [_return_row(plan.by_key[duty.item], duty, order) for duty in obligations]
    keys = [duty.item for duty in obligations]
    place = _fill_table(sheet, RETURN_FORM, rows, keys, order.stamp, seal)
    _fill_fields(
        sheet,
        RETURN_FORM,
        place,
        {
            "unit": order.unit.name,
            "period": order.stamp.period.label,
            "due": order.due.isoformat(),
            "code": seal.visible_code(order.stamp),
        },
    )
    cached = _add_counter(sheet, place, obligations, wording, correction)
    if GUIDE_TITLE in book.sheetnames:
        style.protect(book[GUIDE_TITLE])
    if correction is not None:
        numbers = {key: place.row + 2 + n for n, key in enumerate(keys)}
        fill_answers(sheet, place, numbers, correction)
        mark(book, sheet, place, numbers, plan, correction, _filled_in(CORRECTIONS.heading, order))
    _seal_workbook(book, sheet, place, order.stamp, seal)
    save(book, target, {sheet.title: cached})


def write_contacts_form(order: Order, seal: Seal, template: Path, target: Path) -> None:
    """Write one unit's contact form (Annex 2), prefilled with what is known.

    Raises:
        TemplateError: the template lacks something.
    """
    book = open_template(template, CONTACTS_FORM)
    sheet = book[CONTACTS_FORM.title]
    _replace_placeholders(book, order)
    known = [_contact_row(contact) for contact in order.contacts[: len(CONTACT_ROWS)]]
    rows = known + [{} for _ in CONTACT_ROWS[len(known) :]]
    for row in rows:
        row["unit"] = order.unit.name
    place = _fill_table(sheet, CONTACTS_FORM, rows, CONTACT_ROWS, order.stamp, seal)
    _fill_fields(sheet, CONTACTS_FORM, place, {"code": seal.visible_code(order.stamp)})
    _seal_workbook(book, sheet, place, order.stamp, seal)
    save(book, target)


def write_contact_list(
    plan: Plan, contacts: Mapping[str, Sequence[Contact]], template: Path, target: Path
) -> None:
    """Write what is known of every unit's contacts in the letter's own form (Annex 2). It is no
    form to fill: nothing marks it.

    Args:
        contacts: by unit code.

    Raises:
        TemplateError: the template lacks something.
    """
    book = open_template(template, CONTACTS_FORM)
    sheet = book[CONTACTS_FORM.title]
    place = place_of(CONTACTS_FORM, sheet)
    rows = [
        {"unit": unit.name, **_contact_row(contact)}
        for unit in plan.units
        for contact in contacts.get(unit.code) or (Contact(unit.code),)
    ]
    _make_room(sheet, place.row + 2, len(rows) - 1)
    for number, row in enumerate(rows, start=place.row + 2):
        for name, text in row.items():
            column = place.columns[name] + 1
            style.copy_style(sheet.cell(place.row + 2, column), sheet.cell(number, column))
            _put(sheet, number, column, text)
    for above, index in value_cells(CONTACTS_FORM, sheet, place).values():
        _put(sheet, above + 1, index, "")  # 校验码 belongs to the forms that go out
    sheet.print_area = f"A1:{address(place.row + len(rows), max(place.columns.values()))}"
    save(book, target)


def _return_row(item: Item, duty: Obligation, order: Order) -> dict[str, str]:
    return {
        "no": str(item.no),
        "task": item.title,
        "measures": item.printed_measures(duty.unit),
        "duty": duty.duty,
        "previous": order.previous.get(item.key, ""),
    }


def _contact_row(contact: Contact) -> dict[str, str]:
    return {
        column.key: getattr(contact, column.key)
        for column in CONTACTS_FORM.columns
        if column.filled_by is Filler.UNIT
    }


def _fill_table(
    sheet: Worksheet,
    declared: Sheet,
    rows: Sequence[Mapping[str, str]],
    keys: Sequence[str],
    stamp: Stamp,
    seal: Seal,
) -> Location:
    """Write the rows below the headings, and the hidden key column to the right of them."""
    place = place_of(declared, sheet)
    grid = grid_of(sheet)
    width = max(n for n, text in enumerate(grid[place.row], start=1) if text.strip())
    key_column = max(len(trimmed(row)) for row in grid) + 1
    samples = [sheet.cell(place.row + 2, index) for index in range(1, width + 1)]
    last = _make_room(sheet, place.row + 2, len(rows) - 1)
    _put(sheet, place.row + 1, key_column, seal.token(stamp))
    asked = {place.columns[column.key] + 1 for column in declared.filled_by(Filler.UNIT)}
    asked |= {index + 1 for index in own_columns(place, grid).values()}
    for number, (row, key) in enumerate(zip(rows, keys, strict=True), start=place.row + 2):
        for index, sample in enumerate(samples, start=1):
            cell = sheet.cell(number, index)
            style.copy_style(sample, cell)
            if index in asked:
                cell.protection = style.UNLOCKED
                if isinstance(cell, Cell):
                    cell.value = None  # an example in the template is nobody's answer
        for name, text in row.items():
            _put_value(sheet, declared[name], number, place.columns[name] + 1, text)
        _put(sheet, number, key_column, seal.row_mark(stamp, key))
        texts = [
            (text, sheet.column_dimensions[get_column_letter(place.columns[name] + 1)].width)
            for name, text in row.items()
        ]
        sheet.row_dimensions[number].height = height_for(texts, least=45.0)
    sheet.column_dimensions[get_column_letter(key_column)].hidden = True
    _add_validations(sheet, declared, place, len(rows))
    style.protect(sheet)
    sheet.print_area = f"A1:{address(max(place.row + len(rows), last - 1), key_column - 2)}"
    return place


def _make_room(sheet: Worksheet, sample: int, more: int) -> int:
    """Move what the template has below its sample row down by so many rows; returns the number of
    the last row with something in it.
    """
    merged = [area for area in list(sheet.merged_cells.ranges) if area.min_row > sample]
    filled = any(cell.value for row in sheet.iter_rows(min_row=sample + 1) for cell in row)
    if not (filled or merged):
        return sample
    last, width = sheet.max_row, get_column_letter(sheet.max_column)
    heights = {n: sheet.row_dimensions[n].height for n in range(sample + 1, last + 1)}
    for area in merged:
        sheet.unmerge_cells(str(area))
    sheet.move_range(f"A{sample + 1}:{width}{last}", rows=more)
    for area in merged:
        area.shift(row_shift=more)
        sheet.merge_cells(str(area))
    for number in sorted(heights, reverse=True):
        sheet.row_dimensions[number + more].height = heights[number]
    return last + more


def _put(sheet: Worksheet, row: int, column: int, text: str) -> None:
    cell = sheet.cell(row, column)
    assert isinstance(cell, Cell), f"a merged cell in the table at {cell.coordinate}"
    style.put_text(cell, text)


def _put_value(sheet: Worksheet, column: Column, row: int, index: int, text: str) -> None:
    if column.kind is Kind.NUMBER:
        sheet.cell(row, index).value = int(text)
    else:
        _put(sheet, row, index, text)


def _fill_fields(
    sheet: Worksheet, declared: Sheet, place: Location, values: Mapping[str, str]
) -> None:
    for key, (row, index) in value_cells(declared, sheet, place).items():
        field, cell = declared.field_by_key[key], sheet.cell(row + 1, index + 1)
        if key in values:
            _put(sheet, row + 1, index + 1, values[key])
        if field.filled_by is Filler.UNIT:
            cell.protection = style.UNLOCKED
            if field.hint:
                _add_hint(sheet, cell.coordinate, field.label, field.hint)


def _replace_placeholders(book: Workbook, order: Order) -> None:
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell, Cell) and isinstance(cell.value, str) and "{" in cell.value:
                    style.put_text(cell, _filled_in(cell.value, order))


def _filled_in(text: str, order: Order) -> str:
    """A text of the template with what it leaves open."""
    first, last = order.covers
    for mark_, value in (
        ("{报送单位}", order.unit.name),
        ("{报送期}", order.stamp.period.label),
        ("{截止日期}", _chinese_date(order.due)),
        ("{报送范围}", f"{_chinese_date(first)}至{_chinese_date(last)}的工作"),
        ("{咨询方式}", order.help),
    ):
        text = text.replace(mark_, value)
    return text


def _add_counter(
    sheet: Worksheet,
    place: Location,
    obligations: Sequence[Obligation],
    wording: Wording,
    correction: Correction | None,
) -> dict[str, str]:
    """Put the live count where the template wants it; returns what it shows, by cell."""
    letters = {key: get_column_letter(index + 1) for key, index in place.columns.items()}
    first, last = place.row + 2, place.row + 1 + len(obligations)
    required = sum(duty.required for duty in obligations)
    optional = len(obligations) - required
    filled = _answered(obligations, correction.entries, wording) if correction else 0
    rule = Rule(
        type="expression",
        formula=[unanswered_rule(letters, first)],
        dxf=DifferentialStyle(fill=style.BLANK_FILL),
    )
    for key in ("status", "progress"):
        sheet.conditional_formatting.add(f"{letters[key]}{first}:{letters[key]}{last}", rule)
    cached = {}
    for row in sheet.iter_rows(max_row=place.row):
        for cell in row:
            if cell.value == PROGRESS_MARK:
                cell.value = counter_formula(letters, first, last, required, optional, wording)
                cached[cell.coordinate] = counter_text(required, optional, filled)
    return cached


def _answered(
    obligations: Sequence[Obligation], entries: Mapping[str, Entry], wording: Wording
) -> int:
    """How many required items have an answer already."""
    rows = (entries.get(duty.item) for duty in obligations if duty.required)
    return sum(state_of(row, wording) in ANSWERED for row in rows)


def _add_validations(sheet: Worksheet, declared: Sheet, place: Location, count: int) -> None:
    first, last = place.row + 2, place.row + 1 + count
    for column in declared.filled_by(Filler.UNIT):
        letter = get_column_letter(place.columns[column.key] + 1)
        cells = f"{letter}{first}:{letter}{last}"
        if column.choices:
            _add_choices(sheet, cells, column)
        elif column.hint:
            _add_hint(sheet, cells, column.heading, column.hint)


def _add_choices(sheet: Worksheet, cells: str, column: Column) -> None:
    choices = DataValidation("list", formula1=f'"{",".join(column.choices)}"', allow_blank=True)
    choices.promptTitle, choices.prompt = column.heading, column.hint
    choices.errorTitle = column.heading
    choices.error = f"请从下拉列表中选择：{'、'.join(column.choices)}。"
    choices.showInputMessage = choices.showErrorMessage = True
    choices.add(cells)
    sheet.add_data_validation(choices)


def _add_hint(sheet: Worksheet, cells: str, title: str, hint: str) -> None:
    """A message shown on entering a cell, and a warning that does not block over-long text."""
    validation = DataValidation(
        "textLength", operator="lessThanOrEqual", formula1="3000", allow_blank=True
    )
    validation.errorStyle = "warning"
    validation.error = "内容超过 3000 字，请精简；确需保留可选“是”。"
    validation.promptTitle, validation.prompt = title, hint
    validation.showInputMessage = validation.showErrorMessage = True
    validation.add(cells)
    sheet.add_data_validation(validation)


def _seal_workbook(
    book: Workbook, sheet: Worksheet, place: Location, stamp: Stamp, seal: Seal
) -> None:
    """The token on the workbook (property, very hidden sheet, name) and on the sheet (a name).

    The very hidden sheet also says what the coordinator's template has of its own, so that nobody
    takes it for the unit's: columns (A), their order (B), texts below the table (C), sheets (D).
    """
    token = seal.token(stamp)
    book.custom_doc_props.append(  # type: ignore[attr-defined]  # the stubs lack it
        StringProperty(name=TOKEN_PROPERTY, value=token)
    )
    identity = book.create_sheet(IDENTITY_SHEET)
    identity["A1"] = token
    grid = grid_of(sheet)
    marked = max(n for n, row in enumerate(grid) if looks_like_row_mark(row[-1].strip()))
    own = (
        ["", *own_columns(place, grid)],
        [text.strip() for text in trimmed(grid[place.row]) if not looks_like_token(text)],
        [text.strip() for row in grid[marked + 1 :] for text in row if text.strip()],
        [other.title for other in book.worksheets if other is not sheet],
    )
    for column, texts in enumerate(own, start=1):
        for number, text in enumerate(texts, start=1):
            cell = identity.cell(number, column)
            if text and isinstance(cell, Cell):
                style.put_text(cell, text)
    identity.sheet_state = "veryHidden"
    book.defined_names[WORKBOOK_NAME] = DefinedName(
        WORKBOOK_NAME, attr_text=f'"{token}"', hidden=True
    )
    sheet.defined_names[SHEET_NAME] = DefinedName(SHEET_NAME, attr_text=f'"{token}"', hidden=True)


def _chinese_date(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
