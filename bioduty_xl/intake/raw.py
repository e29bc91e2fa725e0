"""A workbook as the child process hands it over: plain cells and marks, nothing of the file's own.

It crosses between the processes as JSON: what a hostile file does to the child must not be able to
run code in the parent, as unpickling could.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bioduty_xl.layout.table import Grid


@dataclass(frozen=True)
class RawSheet:
    """One worksheet: its name, whether it is shown, its texts from A1, and sheet-level names."""

    title: str
    visible: bool
    grid: Grid
    names: Mapping[str, str]


@dataclass(frozen=True)
class RawBook:
    """A workbook's sheets, custom document properties and workbook-level names (texts alone)."""

    sheets: tuple[RawSheet, ...]
    properties: Mapping[str, str]
    names: Mapping[str, str]

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> RawBook:
        """The workbook that a line of JSON describes."""
        data = json.loads(text)
        sheets = tuple(RawSheet(**sheet) for sheet in data["sheets"])
        return cls(sheets, data["properties"], data["names"])
