"""Fills a template by openpyxl: the way of making a form that takes every template, correction
copies too, and that the stencil is cut from and compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from openpyxl.cell import Cell
from openpyxl.formatting.rule import Rule
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.domain.plan import Plan
from bioduty_xl.domain.returns import Contact
from bioduty_xl.domain.stamp import looks_like_token
from bioduty_xl.forms import style
from bioduty_xl.forms.content import Content, Counter, Line, contact_texts
from bioduty_xl.forms.counter import unanswered_rule
from bioduty_xl.forms.review import write_review
from bioduty_xl.forms.template import PROGRESS_MARK, Blank, Template, grid_of, trimmed
from bioduty_xl.layout.columns import Column, Filler
from bioduty_xl.layout.package import Parts, packed, parts_of, save
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    GUIDE_TITLE,
    IDENTITY_SHEET,
    SHEET_NAME,
    TOKEN_PROPERTY,
    WORKBOOK_NAME,
)
from bioduty_xl.layout.table import address

Shown = Mapping[str, Mapping[str, str]]
"""Sheet name → cell → what the formula in it shows."""


def write_form(template: Template, content: Content) -> bytes:
    """A form as a file's content; the same arguments give the same bytes.

    Raises:
        TemplateError: the template lacks something.
    """
    blank = template.open()
    return packed(blank.book, fill(blank, content))


def form_parts(blank: Blank, content: Content) -> Parts:
    """The parts of a form's package; the blank is used up."""
    return parts_of(blank.book, fill(blank, content))


def fill(blank: Blank, content: Content) -> Shown:
    """Fill a form and seal it; says what its formulas show."""
    shown = _fill_sheets(blank, content)
    if content.review is not None:
        write_review(blank, content.review)
    _seal_workbook(blank, content)
    return shown


def _fill_sheets(blank: Blank, content: Content) -> Shown:
    _fill_phrases(blank, content)
    _fill_table(blank, content.lines)
    _fill_key_column(blank, content)
    _fill_fields(blank, content.fields)
    style.protect(blank.sheet)
    if GUIDE_TITLE in blank.book.sheetnames:
        style.protect(blank.book[GUIDE_TITLE])
    if content.counter is None:
        return {}
    _tint_unanswered(blank, len(content.lines))
    return {blank.sheet.title: _fill_counter(blank, content.counter)}


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
    blank = Template.read(template, CONTACTS_FORM).open()
    sheet, place = blank.sheet, blank.place
    rows = [
        contact_texts(unit, contact)
        for unit in plan.units
        for contact in contacts.get(unit.code) or (Contact(unit.code),)
    ]
    _make_room(sheet, blank.frame.first, len(rows) - 1)
    for number, row in enumerate(rows, start=blank.frame.first):
        for name, text in row.items():
            column = place.columns[name] + 1
            style.copy_style(sheet.cell(blank.frame.first, column), sheet.cell(number, column))
            _put(sheet, number, column, text)
    for above, index in blank.values.values():
        _put(sheet, above + 1, index, "")  # 校验码 belongs to the forms that go out
    sheet.print_area = f"A1:{address(place.row + len(rows), max(place.columns.values()))}"
    save(blank.book, target)


def _fill_phrases(blank: Blank, content: Content) -> None:
    """Fill in what the template leaves open, wherever it does."""
    for sheet in blank.book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                text = str(cell.value) if cell.data_type == "s" else ""
                if isinstance(cell, Cell) and "{" in text:
                    _put_text(cell, content.filled_in(text))


def _fill_table(blank: Blank, lines: Sequence[Line]) -> None:
    """Write the rows below the headings, each looking as the template's one row does."""
    sheet, first = blank.sheet, blank.frame.first
    samples = [sheet.cell(first, index) for index in range(1, blank.width + 1)]
    asked = blank.asked
    last = _make_room(sheet, first, len(lines) - 1)
    for number, line in enumerate(lines, start=first):
        for index, sample in enumerate(samples, start=1):
            cell = sheet.cell(number, index)
            style.copy_style(sample, cell)
            if index in asked:
                cell.protection = style.UNLOCKED
                if isinstance(cell, Cell):
                    cell.value = None  # an example in the template is nobody's answer
        for key, text in line.texts.items():
            _put_value(blank, key, number, text)
        sheet.row_dimensions[number].height = line.height
    _add_validations(blank, len(lines))
    end = max(first + len(lines) - 1, last)
    sheet.print_area = f"A1:{address(end - 1, blank.key_column - 2)}"


def _fill_key_column(blank: Blank, content: Content) -> None:
    """The sheet's marks, in a hidden column right of all that the template has."""
    sheet, column = blank.sheet, blank.key_column
    _put(sheet, blank.frame.first - 1, column, content.token)
    for number, line in enumerate(content.lines, start=blank.frame.first):
        _put(sheet, number, column, line.mark)
    sheet.column_dimensions[get_column_letter(column)].hidden = True


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
    _put_text(cell, text)


def _put_text(cell: Cell, text: str) -> None:
    style.put_text(cell, text)
    style.number_looks(cell)


def _put_value(blank: Blank, key: str, row: int, text: str) -> None:
    column = blank.columns[key] + 1
    if blank.declared.is_number(key):
        blank.sheet.cell(row, column).value = int(text)
    else:
        _put(blank.sheet, row, column, text)


def _fill_fields(blank: Blank, texts: Mapping[str, str]) -> None:
    for key, (row, index) in blank.values.items():
        entry, cell = blank.declared.field_by_key[key], blank.sheet.cell(row + 1, index + 1)
        if key in texts:
            _put(blank.sheet, row + 1, index + 1, texts[key])
        if entry.filled_by is Filler.UNIT:
            cell.protection = style.UNLOCKED
            if entry.hint:
                _add_hint(blank.sheet, cell.coordinate, entry.label, entry.hint)


def _tint_unanswered(blank: Blank, count: int) -> None:
    """Have required answers that are blank stand out."""
    first, letters = blank.frame.first, blank.frame.letters
    rule = Rule(
        type="expression",
        formula=[unanswered_rule(letters, first)],
        dxf=DifferentialStyle(fill=style.BLANK_FILL),
    )
    for key in ("status", "progress"):
        cells = f"{letters[key]}{first}:{letters[key]}{first + count - 1}"
        blank.sheet.conditional_formatting.add(cells, rule)


def _fill_counter(blank: Blank, counter: Counter) -> dict[str, str]:
    """Put the live count where the template wants it; returns what it shows, by cell."""
    shown = {}
    for row in blank.sheet.iter_rows(max_row=blank.place.row):
        for cell in row:
            if cell.value == PROGRESS_MARK:
                cell.value = counter.formula
                shown[cell.coordinate] = counter.shown
    return shown


def _add_validations(blank: Blank, count: int) -> None:
    first, last = blank.frame.first, blank.frame.first + count - 1
    for column in blank.declared.filled_by(Filler.UNIT):
        letter = blank.frame.letters[column.key]
        cells = f"{letter}{first}:{letter}{last}"
        if column.choices:
            _add_choices(blank.sheet, cells, column)
        elif column.hint:
            _add_hint(blank.sheet, cells, column.heading, column.hint)


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


def _seal_workbook(blank: Blank, content: Content) -> None:
    """The token on the workbook (property, very hidden sheet, name) and on the sheet (a name)."""
    book, token = blank.book, content.token
    book.custom_doc_props.append(  # type: ignore[attr-defined]  # the stubs lack it
        StringProperty(name=TOKEN_PROPERTY, value=token)
    )
    _fill_identity(book.create_sheet(IDENTITY_SHEET), blank, content)
    book.defined_names[WORKBOOK_NAME] = DefinedName(
        WORKBOOK_NAME, attr_text=f'"{token}"', hidden=True
    )
    blank.sheet.defined_names[SHEET_NAME] = DefinedName(
        SHEET_NAME, attr_text=f'"{token}"', hidden=True
    )


def _fill_identity(identity: Worksheet, blank: Blank, content: Content) -> None:
    """The very hidden sheet: the token, and what the coordinator's template has of its own, so that
    nobody takes it for the unit's: columns (A), their order (B), texts below the table (C), sheets
    (D).
    """
    grid, heading = grid_of(blank.sheet), blank.place.row
    below = grid[heading + 1 + len(content.lines) :]
    own = (
        [content.token, *blank.own_headings()],
        [text.strip() for text in trimmed(grid[heading]) if not looks_like_token(text)],
        [text.strip() for row in below for text in row if text.strip()],
        [other.title for other in blank.book.worksheets if other is not blank.sheet],
    )
    for column, texts in enumerate(own, start=1):
        for number, text in enumerate(texts, start=1):
            if text:
                _put(identity, number, column, text)
    identity.sheet_state = "veryHidden"
