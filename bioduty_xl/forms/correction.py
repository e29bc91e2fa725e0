"""The correction copy: a fresh form with a unit's own answers, its cells in question marked.

Filled in and sent back it is the unit's next revision, since it carries the marks of the form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.domain.plan import Obligation, Plan
from bioduty_xl.domain.returns import ANSWERED, Entry, Finding, Severity, Wording, state_of
from bioduty_xl.forms import style
from bioduty_xl.forms.template import Blank, width_of
from bioduty_xl.layout.columns import OWN, Filler, Kind
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.sheets import CORRECTIONS, RETURN_FORM
from bioduty_xl.layout.table import address

AUTHOR = "审核意见"
"""Who the notes on the cells are from."""

_ANSWERS = RETURN_FORM.filled_by(Filler.UNIT)

WEIGHTS = {Severity.ERROR: "须修改", Severity.WARNING: "请核对"}

_ABOUT = (
    "须修改 {errors} 处，请核对 {warnings} 处。请点击“位置”找到有颜色的单元格，按意见改好，"
    "保存后将本文件返回；批注和本清单不必删除。"
)


@dataclass(frozen=True)
class Correction:
    """What is put into a fresh form.

    Attributes:
        header: the labelled fields that the unit filled, by key.
        entries: its rows by item key.
        findings: what should be mended; errors and warnings.
    """

    header: Mapping[str, str]
    entries: Mapping[str, Entry]
    findings: Sequence[Finding]

    def answered(self, obligations: Sequence[Obligation], wording: Wording) -> int:
        """How many of the required obligations have an answer already."""
        rows = (self.entries.get(duty.item) for duty in obligations if duty.required)
        return sum(state_of(row, wording) in ANSWERED for row in rows)


def fill_answers(blank: Blank, rows: Mapping[str, int], correction: Correction) -> None:
    """Put the unit's answers where they were; a cell that could not be read stays blank.

    Args:
        rows: row number by item key.
    """
    columns = {column.key: blank.place.columns[column.key] for column in _ANSWERS}
    columns |= {OWN + heading: index for heading, index in blank.own_columns().items()}
    for item, number in rows.items():
        entry = correction.entries.get(item)
        if entry is not None:
            _fill_row(blank.sheet, columns, number, entry)
    for key, (row, index) in blank.values.items():
        if RETURN_FORM.field_by_key[key].filled_by is Filler.UNIT:
            _put(blank.sheet, row + 1, index + 1, correction.header.get(key, ""))


def _fill_row(sheet: Worksheet, columns: Mapping[str, int], number: int, entry: Entry) -> None:
    texts = []
    for key, index in columns.items():
        if key not in entry.unreadable:
            _put(sheet, number, index + 1, entry[key])
            texts.append((entry[key], width_of(sheet, get_column_letter(index + 1))))
    dimensions = sheet.row_dimensions[number]
    dimensions.height = height_for(texts, least=dimensions.height or 0.0)


def mark(
    blank: Blank, rows: Mapping[str, int], plan: Plan, correction: Correction, title: str
) -> None:
    """Tint and annotate the cells in question, and list every finding on a first sheet."""
    sheet = blank.sheet
    located = [(finding, _cell_of(finding, blank, rows)) for finding in _ranked(correction)]
    notes: dict[str, list[Finding]] = defaultdict(list)
    for finding, cell in located:
        if cell:
            notes[cell].append(finding)
    for cell, findings in notes.items():
        worst = min(findings, key=lambda finding: finding.severity.value)
        sheet[cell].fill = style.QUERY_FILLS[worst.severity]
        text = "\n".join(f"{WEIGHTS[f.severity]}：{f.message}" for f in findings)
        sheet[cell].comment = Comment(text, AUTHOR, height=40 + 18 * len(text) // 16, width=260)
    _list(blank.book, sheet, plan, located, title)


def _ranked(correction: Correction) -> list[Finding]:
    return sorted(correction.findings, key=lambda finding: (finding.severity.value, finding.item))


def _cell_of(finding: Finding, blank: Blank, rows: Mapping[str, int]) -> str:
    """Where a finding's cell stands in the fresh form; empty where it has none there."""
    if finding.item in rows:
        columns = blank.place.columns
        column = columns.get(finding.about, min(columns.values()))
        return address(rows[finding.item] - 1, column)
    return address(*blank.values[finding.about]) if finding.about in blank.values else ""


def _put(sheet: Worksheet, row: int, column: int, text: str) -> None:
    cell = sheet.cell(row, column)
    if isinstance(cell, Cell):
        style.put_text(cell, text)


def _list(
    book: Workbook,
    form: Worksheet,
    plan: Plan,
    located: Sequence[tuple[Finding, str]],
    title: str,
) -> None:
    sheet = book.create_sheet(CORRECTIONS.title, 0)
    errors = sum(finding.severity is Severity.ERROR for finding, _ in located)
    sheet["A1"], sheet["A2"] = title, _ABOUT.format(errors=errors, warnings=len(located) - errors)
    last = get_column_letter(len(CORRECTIONS.columns))
    for row, (font, height) in enumerate(((style.TITLE, 34), (style.BODY, 32)), start=1):
        sheet.merge_cells(f"A{row}:{last}{row}")
        sheet[f"A{row}"].font = font
        sheet[f"A{row}"].alignment = style.CENTRE if row == 1 else style.LEFT
        sheet.row_dimensions[row].height = height
    for index, column in enumerate(CORRECTIONS.columns, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = column.width
        heading = sheet.cell(3, index, column.heading)
        heading.font, heading.fill, heading.border = style.HEADING, style.HEADING_FILL, style.BOX
        heading.alignment = style.CENTRE
    for number, (finding, cell) in enumerate(located, start=1):
        item = plan.by_key.get(finding.item)
        task = item.title if item else ""
        values = (number, WEIGHTS[finding.severity], task, cell, finding.message)
        _write_row(sheet, 3 + number, values, finding)
        if cell:
            link = sheet.cell(3 + number, 4)
            link.hyperlink = Hyperlink(ref=link.coordinate, location=f"'{form.title}'!{cell}")
            link.font = style.LINK
    sheet.freeze_panes = "A4"
    style.set_up_page(sheet, "landscape")
    sheet.print_title_rows = "3:3"
    style.protect(sheet)
    book.active = 0
    for other in book.worksheets:
        other.sheet_view.tabSelected = other is sheet


def _write_row(sheet: Worksheet, number: int, row: tuple[int | str, ...], finding: Finding) -> None:
    for index, (column, value) in enumerate(zip(CORRECTIONS.columns, row, strict=True), start=1):
        cell = sheet.cell(number, index)
        assert isinstance(cell, Cell)
        if isinstance(value, str):
            style.put_text(cell, value)
        else:
            cell.value = value
        cell.font, cell.border = style.BODY, style.BOX
        cell.alignment = style.TOP if column.kind is Kind.TEXT else style.CENTRE
    sheet.cell(number, 2).fill = style.QUERY_FILLS[finding.severity]
    texts = [
        (str(value), column.width) for column, value in zip(CORRECTIONS.columns, row, strict=True)
    ]
    sheet.row_dimensions[number].height = height_for(texts, least=22.0)
