"""Reads OpenDocument spreadsheets, in the child process.

Not by calamine, which drops tabs from texts and gives no sign of a formula that was never
calculated; the format (OpenDocument 1.2, part 1, sections 9 and 19) needs little more than a walk
that counts repeated rows and cells.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime, time
from xml.parsers import expat

from defusedxml import ElementTree

from bioduty_xl.intake.raw import Cells, Odd, RawBook, RawSheet, TooLarge, is_imprecise
from bioduty_xl.layout.table import text_of

CONTENT = "content.xml"
_LARGEST = 96 << 20
_MACROS = "Basic/"
_DURATION = re.compile(r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
_ASIDE = frozenset(("annotation", "frame", "custom-shape", "g", "control", "detective"))
"""What may stand in a cell beside its own text: comments, pictures, shapes."""

Attributes = dict[str, str]


def read(content: bytes) -> RawBook:
    """Everything that identity and answers need from a package.

    Raises:
        TooLarge: a sheet holds far more than any form.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        listed = package.namelist()
        if package.getinfo(CONTENT).file_size > _LARGEST:
            raise TooLarge
        walk = _Walk(package.read(CONTENT))
        properties = {}
        if "meta.xml" in listed:
            for element in ElementTree.fromstring(package.read("meta.xml")).iter():
                if element.tag.endswith("}user-defined"):
                    name = next((v for k, v in element.attrib.items() if k.endswith("}name")), "")
                    properties[name] = (element.text or "").strip()
    macros = any(name.startswith(_MACROS) for name in listed)
    return RawBook(tuple(walk.sheets), properties, walk.names, macros)


class _Walk:
    """One pass over content.xml; names are local, since prefixes are the file's own choice."""

    def __init__(self, content: bytes) -> None:
        self.sheets: list[RawSheet] = []
        self.names: dict[str, str] = {}
        self._local_names: dict[str, str] = {}
        self._hidden: set[str] = set()
        self._style = ""
        self._title, self._visible = "", True
        self._cells: Cells | None = None
        self._row = self._column = 0
        self._row_repeat = self._cell_repeat = 1
        self._filled: list[tuple[int, int, str, Odd | None]] = []
        self._cell: Attributes | None = None
        self._paragraphs: list[list[str]] = []
        self._aside = 0
        self._depth = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.Parse(content, True)  # noqa: FBT003

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name)
        if self._aside or (self._cell is not None and local in _ASIDE):
            self._aside += 1
        elif self._cell is not None:
            self._begin_in_cell(local, attributes)
        else:
            self._begin_outside(local, attributes)

    def _begin_in_cell(self, local: str, attributes: dict[str, str]) -> None:
        match local:
            case "p":
                self._paragraphs.append([])
                self._depth += 1
            case "s":
                self._text(" " * min(int(_plain(attributes).get("c", "1")), 1000))
            case "tab":
                self._text("\t")
            case "line-break":
                self._text("\n")

    def _begin_outside(self, local: str, attributes: dict[str, str]) -> None:
        plain = _plain(attributes)
        match local:
            case "style":
                self._style = plain.get("name", "")
            case "table-properties" if plain.get("display") == "false":
                self._hidden.add(self._style)
            case "table":
                self._title = plain.get("name", "")
                self._visible = plain.get("style-name", "") not in self._hidden
                self._cells, self._row, self._local_names = Cells(), 0, {}
            case "table-row":
                self._column, self._filled = 0, []
                self._row_repeat = int(plain.get("number-rows-repeated", "1"))
            case "table-cell" | "covered-table-cell" if self._cells is not None:
                # A cell has value-type twice, in ODF's own namespace and in LibreOffice's.
                plain["error"] = str("error" in _all(attributes, "value-type"))
                self._cell, self._paragraphs, self._depth = plain, [], 0
                self._cell_repeat = int(plain.get("number-columns-repeated", "1"))
            case "named-expression":
                names = self.names if self._cells is None else self._local_names
                names[plain.get("name", "")] = plain.get("expression", "").strip().strip('"')

    def _text(self, text: str) -> None:
        if self._depth and not self._aside:
            self._paragraphs[-1].append(text)

    def _end(self, name: str) -> None:
        if self._aside:
            self._aside -= 1
            return
        match _local(name):
            case "p" if self._cell is not None:
                self._depth -= 1
            case "table-cell" | "covered-table-cell" if self._cell is not None:
                self._close_cell(self._cell)
                self._cell = None
            case "table-row" if self._cells is not None:
                self._close_row(self._cells)
            case "table" if self._cells is not None:
                self.sheets.append(self._cells.sheet(self._title, self._visible, self._local_names))
                self._cells = None

    def _close_cell(self, cell: Attributes) -> None:
        shown = "\n".join("".join(texts) for texts in self._paragraphs)
        text, odd = _value(cell, shown)
        if text or odd:
            self._filled.append((self._column, self._cell_repeat, text, odd))
        self._column += self._cell_repeat

    def _close_row(self, cells: Cells) -> None:
        for column, repeat, text, odd in self._filled:
            for row in range(self._row, self._row + self._row_repeat):
                for at in range(column, column + repeat):
                    cells.put(row, at, text, odd)
        self._row += self._row_repeat


def _value(cell: Attributes, shown: str) -> tuple[str, Odd | None]:
    """A cell's text, and what is odd about it."""
    kind = cell.get("value-type", "")
    if cell["error"] == "True":
        return shown or "#ERROR!", Odd.ERROR
    if not kind:
        formula = cell.get("formula", "")
        uncalculated = bool(formula) and not shown
        return (formula, Odd.FORMULA) if uncalculated else (shown, None)
    match kind:
        case "float" | "percentage" | "currency":
            number = float(cell["value"])
            return text_of(number), Odd.NUMBER if is_imprecise(number) else None
        case "date":
            return text_of(datetime.fromisoformat(cell["date-value"])), None
        case "time" if (parts := _DURATION.fullmatch(cell.get("time-value", ""))) is not None:
            hours, minutes, seconds = map(int, parts.groups())
            return (text_of(time(hours, minutes, seconds)) if hours < 24 else shown), None
        case "boolean":
            return cell.get("boolean-value", shown).upper(), None
    return shown or cell.get("string-value", ""), None


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _plain(attributes: dict[str, str]) -> Attributes:
    """Attributes by local name; where two namespaces share one, the first, which is ODF's."""
    plain: Attributes = {}
    for name, value in attributes.items():
        plain.setdefault(_local(name), value)
    return plain


def _all(attributes: dict[str, str], local: str) -> list[str]:
    return [value for name, value in attributes.items() if _local(name) == local]


def _refuse(*_: object) -> None:
    raise ValueError("doctype")
