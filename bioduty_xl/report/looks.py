"""How cells of the consolidated workbook look: fonts, colours of states, formats of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import xlsxwriter
from xlsxwriter.format import Format

from bioduty_xl.domain.chasing import Urgency
from bioduty_xl.domain.returns import ItemState
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.columns import Kind

_NO_DUTY = "#EDEFEE"
"""Where a unit does not answer for an item at all."""

_STATE_COLOURS: Mapping[object, str] = {
    ItemState.FILLED.value: "#D8EFD9",
    ItemState.NO_PROGRESS.value: "#FFF2CC",
    ItemState.NOT_APPLICABLE.value: "#E7E6E6",
    ItemState.NOT_FILLED.value: "#FCE0C8",
    ItemState.NOT_RETURNED.value: "#F8CBC6",
    UnitState.ON_TIME.word: "#D8EFD9",
    UnitState.LATE.word: "#FFF2CC",
    UnitState.OVERDUE.word: "#F8CBC6",
    UnitState.EXEMPT.word: "#E7E6E6",
    "错误": "#F8CBC6",
    "待处理": "#FFF2CC",
    "拒收": "#F8CBC6",
    "重复": "#FFF2CC",
    "未汇总": "#F8CBC6",
    Urgency.URGENT.value: "#FCE0C8",
    Urgency.VERY_URGENT.value: "#F8CBC6",
}

_COLOURS: Mapping[Kind, Mapping[object, str]] = {
    Kind.WORD: _STATE_COLOURS,
    Kind.CHOICE: {**_STATE_COLOURS, None: _NO_DUTY},
}

_NUMBER_FORMATS = {
    Kind.NUMBER: "0",
    Kind.RATE: "0.0%",
    Kind.DATE: "yyyy-mm-dd",
    Kind.TIME: "yyyy-mm-dd hh:mm",
}


class Look(NamedTuple):
    """How a cell looks.

    Attributes:
        kind: of its column.
        colour: of its ground; empty: none.
        first: whether it begins a group, which has a line above it.
    """

    kind: Kind
    colour: str = ""
    first: bool = False


def look_of(kind: Kind, value: object) -> Look:
    """How a value looks in a column of a kind."""
    return Look(kind, colours(kind).get(value, ""))


def colours(kind: Kind) -> Mapping[object, str]:
    """The values that are coloured in a column of a kind; None is no value."""
    return _COLOURS.get(kind, {})


class Formats:
    """A workbook's cell formats, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[Look, Format] = {}
        heading = {
            "font_name": "黑体",
            "font_size": 10.5,
            "bg_color": "#D9E7DF",
            "border": 1,
            "align": "center",
            "valign": "vcenter",
            "text_wrap": True,
        }
        self.heading = book.add_format(heading)
        self.back = book.add_format({**heading, "font_color": "#1F5F8B", "underline": 1})

    def of(self, look: Look) -> Format:
        """The format of a look."""
        if look not in self._made:
            self._made[look] = self._book.add_format(_properties(look))
        return self._made[look]


def _properties(look: Look) -> dict[str, object]:
    left = look.kind is Kind.TEXT
    properties: dict[str, object] = {
        "font_name": "宋体",
        "font_size": 10,
        "border": 1,
        "border_color": "#B8C0BC",
        "valign": "top" if left else "vcenter",
        "align": "left" if left else "center",
        "text_wrap": look.kind not in (Kind.DATE, Kind.TIME, Kind.NUMBER),
        "num_format": _NUMBER_FORMATS.get(look.kind, "@"),
    }
    if look.colour:
        properties["bg_color"] = look.colour
    if look.first:
        properties |= {"top": 2, "top_color": "#5F7268"}
    return properties
