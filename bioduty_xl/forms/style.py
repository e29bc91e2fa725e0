"""The forms' look: fonts and colours that Excel, WPS and LibreOffice all have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from typing import Literal

from openpyxl import Workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils.indexed_list import IndexedList
from openpyxl.worksheet.header_footer import HeaderFooterItem, _HeaderFooterPart
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.protection import SheetProtection
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.domain.returns import Severity

TITLE = Font(name="黑体", size=16)
HEADING = Font(name="黑体", size=10.5)
BODY = Font(name="宋体", size=10)
GUIDE = Font(name="宋体", size=12)

HEADING_FILL = PatternFill("solid", fgColor="D9E7DF")
PLAN_FILL = PatternFill("solid", fgColor="F4F6F5")
ANSWER_FILL = PatternFill("solid", fgColor="FFFBE6")
BLANK_FILL = PatternFill("solid", bgColor="FFD9A0")
"""A required answer that is still blank; a conditional format takes its colour from bgColor."""

QUERY_FILLS = {
    Severity.ERROR: PatternFill("solid", fgColor="F8CBC6"),
    Severity.WARNING: PatternFill("solid", fgColor="FFE3B3"),
}
"""Cells of a correction copy that must, or should, be looked at."""

LINK = Font(name="宋体", size=10, color="1F5F8B", underline="single")

_LINE = Side(style="thin", color="A0A8A4")
BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)

CENTRE = Alignment(horizontal="center", vertical="center", wrap_text=True)
LEFT = Alignment(horizontal="left", vertical="center", wrap_text=True)
TOP = Alignment(horizontal="left", vertical="top", wrap_text=True)
LABEL = Alignment(horizontal="right", vertical="center")

UNLOCKED = Protection(locked=False)

CELL_LIMIT = 32767
"""Characters that Excel keeps in a cell."""

FORMULA_STARTS = ("=", "+", "-", "@")


_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot hold."""


def visible(text: str) -> str:
    """A text without what XML cannot hold."""
    return _UNWRITABLE.sub("", text)


def writable(text: str) -> str:
    """As much of a text as a cell can hold."""
    return visible(text)[:CELL_LIMIT]


def put_text(cell: Cell, text: str) -> None:
    """Write a text that stays text: never a formula, even after somebody edits the cell. An empty
    one leaves the cell blank.
    """
    text = writable(text)
    cell.value = text or None
    if text:
        cell.data_type = "s"
    cell.quotePrefix = text.startswith(FORMULA_STARTS)


def number_looks(cell: Cell, *, tinted: bool = False) -> None:
    """Have the workbook know a cell's look with and without the mark of texts that begin like a
    formula, so that it numbers looks alike whatever the cell says.

    Args:
        tinted: also with the tints of a correction copy.
    """
    book = cell.parent.parent
    assert book is not None
    own = cell._style or StyleArray()  # type: ignore[attr-defined]  # the stubs lack it
    for fill in (own.fillId, *(_tints(book).values() if tinted else ())):
        for quoted in (0, 1):
            _looks(book).add(_changed(own, fillId=fill, quotePrefix=quoted))


Looks = Mapping[int | None, tuple[int | None, int | None]]
"""By the number of a cell's look (None: it has none): that of the same look for texts that begin
like no formula, and for those that do."""


def known_looks(book: Workbook, severity: Severity | None = None) -> Looks:
    """The looks of a written workbook in the variants that `number_looks` has made known; a look of
    which it has not is left out.

    Args:
        severity: whose tint the variants have; None: the look's own fill.
    """
    looks = _looks(book)
    written = list(looks)
    found: dict[int | None, tuple[int | None, int | None]] = {}
    for number, look in enumerate(written):
        fill = look.fillId if severity is None else _tints(book)[severity]
        own = number if any(look) else None
        # asking whether a look is there breaks the list where looks repeat
        plain, quoted = (looks.add(_changed(look, fillId=fill, quotePrefix=n)) for n in (0, 1))
        if quoted < len(written):
            found[own] = own if severity is None else plain, quoted
    return found


def _tints(book: Workbook) -> dict[Severity, int]:
    """Numbers of the tints of a correction copy."""
    fills: IndexedList[PatternFill] = book._fills  # type: ignore[attr-defined]
    return {severity: fills.add(fill) for severity, fill in QUERY_FILLS.items()}


def _changed(look: StyleArray, **attributes: int) -> StyleArray:
    changed = copy(look)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed


def _looks(book: Workbook) -> IndexedList[StyleArray]:
    looks: IndexedList[StyleArray] = book._cell_styles  # type: ignore[attr-defined]
    return looks


def copy_style(source: Cell | MergedCell, target: Cell | MergedCell) -> None:
    """Give a cell another's look and lock, within one workbook."""
    target._style = copy(source._style)  # type: ignore[union-attr]  # the stubs lack it


def set_up_page(sheet: Worksheet, orientation: Literal["portrait", "landscape"]) -> None:
    """A4, one page wide, pages numbered."""
    sheet.page_setup.orientation = orientation
    sheet.page_setup.paperSize = 9
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.page_margins.left = sheet.page_margins.right = 0.4 if orientation == "landscape" else 0.9
    sheet.page_margins.top, sheet.page_margins.bottom = 0.5, 0.8
    sheet.page_margins.footer = 0.4
    sheet.print_options.horizontalCentered = True
    sheet.oddFooter = HeaderFooterItem(center=_HeaderFooterPart(text="第 &P 页 共 &N 页"))


def protect(sheet: Worksheet) -> None:
    """Lock what the plan fills, without a password; sizing and filtering stay allowed."""
    sheet.protection = SheetProtection(
        sheet=True,
        formatCells=False,
        formatColumns=False,
        formatRows=False,
        autoFilter=False,
        sort=False,
    )
