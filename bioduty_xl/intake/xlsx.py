"""Reads xlsx and xlsm packages, in the child process: calamine for the values, and beside it what
calamine does not tell: error cells, formulas that were never calculated, and the marks.

calamine gives '' for both kinds of cell, and needs memory for every cell between the outermost
ones; so each sheet's XML is walked first, cells far off are cut out, and blank rows (a sheet
formatted down to its end has a million) are dropped before anything looks at them.
"""

from __future__ import annotations

import html
import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from xml.etree.ElementTree import Element, fromstring
from xml.parsers import expat
from xml.sax.saxutils import unescape

from defusedxml import ElementTree
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bioduty_xl.intake.raw import (
    Odd,
    RawBook,
    RawSheet,
    TooLarge,
    far_cells,
    is_imprecise,
    trimmed,
)
from bioduty_xl.layout.table import address, cell_at, parse_address, text_of

WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_PROPERTIES = "docProps/custom.xml"
_MACROS = "xl/vbaProject.bin"

_CHUNK = 1 << 20
_LARGE = 4 << 20
"""Bytes of a sheet's XML from which blank rows are dropped before it is walked."""

_LARGEST = 96 << 20
"""Bytes of it beyond which, blank rows dropped, it is no form."""

_PREFIX = re.compile(rb"<((?:\w+:)?)worksheet[\s>]")
"""What a writer puts before its element names, if anything; found in the first bytes."""


def read(content: bytes, parts: Mapping[str, bytes | None]) -> RawBook:
    """Everything that identity and answers need from a package.

    Args:
        parts: names of its parts, with the content of those that were unpacked already.

    Raises:
        TooLarge: a sheet holds far more than any form.
    """
    with _Package(content, parts) as package:
        marks = _marks(package)
        walks = {part: _walk(package, part) for part in marks.parts}
        whole = content
        if any(walk.replaced is not None for walk in walks.values()):
            whole = _replace(package.whole, walks)
    book = CalamineWorkbook.from_filelike(io.BytesIO(whole))
    if len(book.sheets_metadata) != len(marks.parts):
        raise ValueError("sheets")
    sheets = []
    for index, (entry, part) in enumerate(zip(book.sheets_metadata, marks.parts, strict=True)):
        if entry.typ != SheetTypeEnum.WorkSheet:
            continue
        rows = book.get_sheet_by_index(index).to_python(skip_empty_area=False)
        visible = entry.visible == SheetVisibleEnum.Visible
        names = marks.local_names.get(index, {})
        sheets.append(_sheet(entry.name, visible, rows, walks[part], names))
    return RawBook(tuple(sheets), marks.properties, marks.names, marks.macros)


class _Package(AbstractContextManager["_Package"]):
    """A package of which the small parts are unpacked; the zip is opened for others alone."""

    def __init__(self, content: bytes, parts: Mapping[str, bytes | None]) -> None:
        self._content = content
        self.parts = parts

    def __exit__(self, *_: object) -> None:
        if "whole" in self.__dict__:
            self.whole.close()

    @cached_property
    def whole(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self._content))

    def read(self, part: str) -> bytes:
        unpacked = self.parts.get(part)
        return self.whole.read(part) if unpacked is None else unpacked


@dataclass
class _Marks:
    """What the package says about itself: the part of each sheet, in order, and the marks."""

    parts: list[str]
    macros: bool
    properties: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    local_names: dict[int, dict[str, str]] = field(default_factory=dict)


def _marks(package: _Package) -> _Marks:
    listed = package.parts
    workbook = _tree(package.read(WORKBOOK))
    targets = {
        relation.get("Id", ""): posixpath.normpath(
            posixpath.join("/xl", relation.get("Target", ""))
        ).lstrip("/")
        for relation in _tree(package.read(_RELATIONS))
    }
    parts = [targets[_relation_id(sheet)] for sheet in _elements(workbook, "sheet")]
    marks = _Marks(parts, _MACROS in listed)
    if _PROPERTIES in listed:
        for element in _tree(package.read(_PROPERTIES)):
            marks.properties[element.get("name", "")] = "".join(element.itertext()).strip()
    for element in _elements(workbook, "definedName"):
        text = (element.text or "").strip().strip('"')
        scope = element.get("localSheetId", "")
        target = marks.local_names.setdefault(int(scope), {}) if scope.isdigit() else marks.names
        target[element.get("name", "")] = text
    return marks


def _tree(content: bytes) -> Element:
    """A small part parsed: by the careful parser wherever a declaration could hide, in the fast one
    where there is none.
    """
    head = content[:200].lower()
    if b"<!" in content or b"\0" in content or (b"encoding" in head and b"utf-8" not in head):
        return ElementTree.fromstring(content)
    return fromstring(content)  # noqa: S314  # no declarations, no other encodings


def _elements(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def _relation_id(sheet: Element) -> str:
    """`r:id`, whose namespace differs between Transitional and Strict (ECMA-376 parts 1 and 4)."""
    return next(text for name, text in sheet.attrib.items() if name.endswith("/relationships}id"))


def _walk(package: _Package, part: str) -> _Walk:
    """Walk a sheet's XML; where blank rows or far cells were left out, what is left is kept."""
    unpacked = package.parts.get(part)
    if unpacked is not None and (found := _glance(unpacked)):
        return found
    large = unpacked is None and package.whole.getinfo(part).file_size > _LARGE
    content = b"".join(_without_blank_rows(package.whole, part)) if large else package.read(part)
    if len(content) > _LARGEST:
        raise TooLarge
    walk = _XmlWalk(content)
    cut = walk.cut()
    if large or cut != content:
        walk.replaced = cut
    return walk


_FAR = re.compile(rb'<c r="(?:[A-Z]{3}|[G-Z][A-Z]|[A-Z]+[0-9]{5})')
_FORMULA = re.compile(rb"<f[ >/]")
_FORMULA_CELL = re.compile(
    rb'<c r="([A-Z]+[0-9]+)"([^<>]*)><f(?: [^<>]*)?>([^<]*)</f>(<v ?/>|<v>([^<]*)</v>)?</c>'
)
_MISPLACED = re.compile(rb't="inlineStr"[^<>]*>\s*<v')
_ODD_MARKS = (b"<!", b't="e"', b"='", b' ="', b'= "')
"""What makes a sheet's XML worth a walk: comments and CDATA, errors, quotes and blanks that the
patterns here do not expect.
"""


def _glance(content: bytes) -> _Walk | None:
    """What a walk would find in a sheet that is written as programs write most: every cell says
    where it is, all are near, none is an error. None: the sheet has to be walked.
    """
    if any(mark in content for mark in _ODD_MARKS) or b"<worksheet" not in content[:2000]:
        return None
    cells = _FORMULA_CELL.findall(content)
    if len(cells) != len(_FORMULA.findall(content)):
        return None
    if _MISPLACED.search(content) or not _all_are_near(content):
        return None
    _require_well_formed(content)
    return _Walk(
        odd={
            parse_address(place.decode()): (Odd.FORMULA, "=" + _unescaped(formula.decode()))
            for place, kind, formula, result, value in cells
            if not value and not (result and b't="str"' in kind)  # that one's result is empty
        }
    )


def _require_well_formed(content: bytes) -> None:
    """Calamine reads on, or no further, where XML is broken, and does not always say so: a sheet
    whose rows it has lost must not pass for a blank one.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.Parse(content, True)  # noqa: FBT003


def _unescaped(text: str) -> str:
    """A formula's text; the numbered entities, which are few, by the slower way."""
    return unescape(_NUMBERED.sub(lambda found: html.unescape(found[0]), text), _QUOTES)


_NUMBERED = re.compile("&#[0-9a-fA-Fx]+;")
_QUOTES = {"&quot;": '"', "&apos;": "'"}


def _all_are_near(content: bytes) -> bool:
    """Whether every cell says where it is, and that is within 9,999 rows and 182 columns (FZ),
    fewer cells than `raw.CELLS_MAX`.
    """
    placed = content.count(b'<c r="') == content.count(b"<c ") and b"<c>" not in content
    return placed and not _FAR.search(content)


def _without_blank_rows(package: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """A sheet's XML without the rows that only carry formats; only rows that state their number
    are dropped, so that the others keep theirs.
    """
    with package.open(part) as stream:
        left = stream.read(_CHUNK)
        match = _PREFIX.search(left)
        prefix = match[1] if match else b""
        end = b"</" + prefix + b"row>"
        content = tuple(b"<" + prefix + name for name in (b"v", b"is", b"f"))
        row = rb"<" + re.escape(prefix) + rb'row (?:[^>]* )?r="\d+"'
        numbered, empty = re.compile(rb"\s*" + row), re.compile(row + rb"[^>]*/>")
        kept, chunk = 0, b""
        while True:
            *rows, left = (left + chunk).split(end)
            for text in rows:
                if any(mark in text for mark in content) or not numbered.match(text):
                    whole = empty.sub(b"", text) + end
                    kept += len(whole)
                    if kept > _LARGEST:
                        raise TooLarge
                    yield whole
            if len(left) > _LARGE:
                left = empty.sub(b"", left)
            if not (chunk := stream.read(_CHUNK)):
                break
    yield empty.sub(b"", left)


def _replace(package: zipfile.ZipFile, walks: dict[str, _Walk]) -> bytes:
    """The package with its shortened sheets in place of the whole ones."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in package.namelist():
            walk = walks.get(name)
            shortened = walk.replaced if walk else None
            made.writestr(name, package.read(name) if shortened is None else shortened)
    return out.getvalue()


def _sheet(
    title: str, visible: bool, rows: Sequence[Sequence[object]], walk: _Walk, names: dict[str, str]
) -> RawSheet:
    grid = [
        trimmed(
            value if type(value) is str and "\r" not in value else text_of(value) for value in row
        )
        for row in rows
    ]
    odd = {}
    for place, (kind, text) in walk.odd.items():
        if place not in walk.far:
            _put(grid, place, text)
            odd[address(*place)] = kind
    for place, text in walk.texts.items():
        row, column = place
        if place not in walk.far and not (row < len(grid) and cell_at(grid[row], column)):
            _put(grid, place, text_of(text))
    for number, values in enumerate(rows):
        for column, value in enumerate(values):
            if type(value) is not str and is_imprecise(value):
                odd[address(number, column)] = Odd.NUMBER
    return RawSheet(title, visible, grid, names, odd, tuple(map(_name, sorted(walk.far))))


def _put(grid: list[list[str]], place: tuple[int, int], text: str) -> None:
    row, column = place
    grid.extend([] for _ in range(row + 1 - len(grid)))
    grid[row].extend([""] * (column + 1 - len(grid[row])))
    grid[row][column] = text


def _name(place: tuple[int, int]) -> str:
    return address(*place)


@dataclass
class _Walk:
    """What is found in a sheet's XML beside what calamine gives.

    Attributes:
        odd: cells that calamine would give as blank, with what stands in them.
        texts: texts written beside the tables of strings, some of which calamine passes over.
        far: filled cells that are left out.
        replaced: the XML to read in place of the sheet's own; None: that one.
    """

    odd: dict[tuple[int, int], tuple[Odd, str]] = field(default_factory=dict)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    far: frozenset[tuple[int, int]] = frozenset()
    replaced: bytes | None = None


class _XmlWalk(_Walk):
    """One pass over a sheet's XML."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}
        self._row, self._column = -1, -1
        self._type = ""
        self._start = 0
        self._formula: list[str] | None = None
        self._value: list[str] | None = None
        self._inline = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.Parse(content, True)  # noqa: FBT003
        self.far = far_cells(self._spans)

    def cut(self) -> bytes:
        """The XML without its far cells."""
        kept, place = [], 0
        for start, end in sorted(self._spans[far] for far in self.far):
            kept.append(self._content[place:start])
            place = end
        return b"".join((*kept, self._content[place:]))

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row = int(attributes.get("r", self._row + 2)) - 1
                self._column = -1
            case "c":
                self._column += 1
                if "r" in attributes:
                    self._row, self._column = parse_address(attributes["r"])
                self._type = attributes.get("t", "n")
                self._start = self._parser.CurrentByteIndex
                self._formula = self._value = None
                self._inline = False
            case "is":
                self._inline = True
            case "f":
                self._formula = []
                self._parser.CharacterDataHandler = self._formula.append
            case "v":
                self._value = []
                self._parser.CharacterDataHandler = self._value.append

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "f" | "v":
                self._parser.CharacterDataHandler = None
            case "c":
                self._close()

    def _close(self) -> None:
        value = "".join(self._value or ())
        if not (value or self._inline or self._formula is not None):
            return
        place = self._row, self._column
        end = self._content.find(b">", self._parser.CurrentByteIndex) + 1
        self._spans[place] = self._start, end
        if self._type == "e":
            self.odd[place] = Odd.ERROR, value or "#ERROR!"
        elif self._formula is not None and not value and not self._inline:
            if self._type != "str" or self._value is None:  # an empty <v> is an empty result
                self.odd[place] = Odd.FORMULA, "=" + "".join(self._formula)
        elif self._type in ("str", "inlineStr") and value:
            self.texts[place] = value


def _refuse(*_: object) -> None:
    raise ValueError("doctype")
