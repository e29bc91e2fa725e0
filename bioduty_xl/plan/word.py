"""The paragraphs of a Word document as they stand on the page, tracked changes accepted.

Word's own numbers are no text. Chinese ones (一、（一）) are counted and written out, because they
say which heading it is; of all others it is only told that there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bioduty_xl.errors import PlanError
from bioduty_xl.language import say

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.xmlchemy import BaseOxmlElement
    from docx.text.paragraph import Paragraph

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CHINESE = ("chineseCounting", "chineseCountingThousand", "japaneseCounting", "taiwaneseCounting")
_DIGITS = ["", *"一二三四五六七八九"]


def read_paragraphs(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Number of the paragraph, text and whether Word numbers it, of every piece of text between
    paragraph and line breaks that is not blank.

    Raises:
        PlanError: the file is no docx document.
    """
    document = _open(path)
    numbering = _Numbering(document)
    for no, paragraph in enumerate(_paragraphs(document), start=1):
        label = numbering.label(paragraph)
        for text in _full_text(paragraph).split("\n"):
            if text.strip():
                yield no, (label or "") + text.strip(), label == ""
                label = None


def chinese(value: int) -> str:
    """A number from 1 to 99 as a Chinese numeral."""
    if value > 99:
        return str(value)
    tens, ones = divmod(value, 10)
    head = f"{_DIGITS[tens]}十" if tens > 1 else "十" * tens
    return f"{head}{_DIGITS[ones]}"


def _open(path: Path) -> Document:
    import zipfile

    import docx
    from docx.opc.exceptions import PackageNotFoundError

    damaged = (PackageNotFoundError, zipfile.BadZipFile, SyntaxError, KeyError, ValueError)
    try:
        return docx.Document(str(path))
    except damaged as error:
        raise PlanError(say("{file} 不是能打开的 Word 文件（docx）", file=path.name)) from error


def _paragraphs(document: Document) -> Iterator[Paragraph]:
    """All paragraphs, those in tables and text boxes too; of a box in two versions, the newer."""
    from docx.text.paragraph import Paragraph

    for element in document.element.body.iter(f"{_W}p"):
        if next(element.iterancestors(_FALLBACK), None) is None:
            yield Paragraph(element, document)


def _full_text(paragraph: Paragraph) -> str:
    """The paragraph's text with tracked insertions, which python-docx leaves out, and without
    moved-away and deleted text.
    """
    marks = {"tab": " ", "noBreakHyphen": "-", "br": "\n", "cr": "\n"}
    gone = (f"{_W}del", f"{_W}moveFrom", f"{_W}tabs")
    pieces = []
    for element in paragraph._p.iter(f"{_W}t", *(f"{_W}{mark}" for mark in marks)):
        if next(element.iterancestors(f"{_W}p")) is not paragraph._p:
            continue
        if next(element.iterancestors(*gone), None) is not None:
            continue
        tag = element.tag.removeprefix(_W)
        pieces.append(marks.get(tag) or element.text or "")
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(pieces))


class _Numbering:
    """Counts Word's automatic numbers while the paragraphs are read in order."""

    def __init__(self, document: Document) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.opc.part import XmlPart

        self.lists: dict[str, BaseOxmlElement] = {}
        self.levels: dict[tuple[str, int], BaseOxmlElement] = {}
        self.counts: dict[tuple[str, int], int] = {}
        self.started: set[tuple[str, int]] = set()
        try:
            part = document.part.part_related_by(RELATIONSHIP_TYPE.NUMBERING)
        except KeyError:
            return
        assert isinstance(part, XmlPart)
        root = part.element
        self.lists = {entry.get(f"{_W}numId"): entry for entry in root.iterchildren(f"{_W}num")}
        for kind in root.iterchildren(f"{_W}abstractNum"):
            for level in kind.iterchildren(f"{_W}lvl"):
                place = kind.get(f"{_W}abstractNumId"), int(level.get(f"{_W}ilvl"))
                self.levels[place] = level

    def label(self, paragraph: Paragraph) -> str | None:
        """The number where it is Chinese, empty for any other, None for a paragraph without."""
        number, depth = _list_and_level(paragraph)
        if number == "0":
            return None
        if number not in self.lists:
            return ""
        kind = _value(self.lists[number], "abstractNumId")
        level = self.levels.get((kind, depth))
        if level is None:
            return ""
        self._count(number, kind, depth)
        if _value(level, "numFmt") not in _CHINESE:
            return ""
        return re.sub(
            r"%(\d)",
            lambda match: chinese(self.counts.get((kind, int(match[1]) - 1), 1)),
            _value(level, "lvlText"),
        )

    def _count(self, number: str, kind: str, depth: int) -> None:
        first = int(_value(self.levels[kind, depth], "start", "1"))
        override = f"{_W}lvlOverride[@{_W}ilvl='{depth}']/{_W}startOverride"
        restart = self.lists[number].find(override)
        if restart is not None and (number, depth) not in self.started:
            self.counts[kind, depth] = int(restart.get(f"{_W}val", "1")) - 1
        self.started.add((number, depth))
        self.counts[kind, depth] = self.counts.get((kind, depth), first - 1) + 1
        for place, level in self.levels.items():
            if place[0] == kind and place[1] > depth and _value(level, "lvlRestart") != "0":
                self.counts.pop(place, None)


def _list_and_level(paragraph: Paragraph) -> tuple[str, int]:
    """Id of the list that numbers a paragraph, by itself or through its style, and the level in
    it; list 0 is none.
    """
    style = paragraph.style if paragraph._p.style else None
    properties = [paragraph._p.pPr]
    while style is not None:
        properties.append(style.element.pPr)
        style = style.base_style
    for entry in properties:
        numbered = None if entry is None else entry.find(f"{_W}numPr")
        if numbered is not None and _value(numbered, "numId"):
            return _value(numbered, "numId"), int(_value(numbered, "ilvl", "0"))
    return "0", 0


def _value(element: BaseOxmlElement, name: str, default: str = "") -> str:
    child = element.find(f"{_W}{name}")
    return default if child is None else str(child.get(f"{_W}val", default))
