"""The forms' look: fonts and colours that Excel, WPS and LibreOffice all have."""

from __future__ import annotations

from copy import copy

from openpyxl.cell import Cell, MergedCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side

TITLE = Font(name="黑体", size=16)
HEADING = Font(name="黑体", size=10.5)
BODY = Font(name="宋体", size=10)
GUIDE = Font(name="宋体", size=12)

HEADING_FILL = PatternFill("solid", fgColor="D9E7DF")
PLAN_FILL = PatternFill("solid", fgColor="F4F6F5")
ANSWER_FILL = PatternFill("solid", fgColor="FFFBE6")
BLANK_FILL = PatternFill("solid", bgColor="FFD9A0")
"""A required answer that is still blank; a conditional format takes its colour from bgColor."""

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


def put_text(cell: Cell, text: str) -> None:
    """Write a text that stays text: never a formula, even after somebody edits the cell."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)[:CELL_LIMIT]
    if cell.value:
        cell.data_type = "s"
    cell.quotePrefix = text.startswith(FORMULA_STARTS)


def copy_style(source: Cell | MergedCell, target: Cell | MergedCell) -> None:
    """Give a cell another's look and lock, within one workbook."""
    target._style = copy(source._style)  # type: ignore[union-attr]  # the stubs lack it
