"""A template cut into what all its forms share and holes for what differs.

openpyxl fills the template with marks that nothing else contains; where they turn up are the holes,
and what grows with the number of rows shows in the difference between two forms. So the stencil
knows neither the template nor where anything goes, and what it makes is byte for byte what openpyxl
would have made. A template of which that is not certain is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from openpyxl.utils import get_column_letter

from bioduty_xl.forms import style
from bioduty_xl.forms.content import Content, Note, Review
from bioduty_xl.forms.growth import FEW, MORE, Growth, Refused, Run, Split, split_at, split_at_rows
from bioduty_xl.forms.holes import (
    NO_LOOK,
    CellHole,
    Cut,
    Hole,
    Tints,
    addresses,
    filled,
    look_attribute,
    text_with_values,
)
from bioduty_xl.forms.marks import Marks, Shape, hard_content, review_values, values_of
from bioduty_xl.forms.review import FIRST, WEIGHT_COLUMN
from bioduty_xl.forms.template import Blank, Template
from bioduty_xl.forms.writer import form_parts, write_form
from bioduty_xl.layout.package import Member, Parts, deflate, joined
from bioduty_xl.layout.sheets import CORRECTIONS

_ROW = re.compile(rb'<row r="(\d+)"')
_ONE_CELL = re.compile(rb'(sqref="(?:[^" ]+ )*)([A-Z]+\d+):\2(?=[ "])')
"""A range that openpyxl would write as the one cell that it is."""

_CELL = (
    rb'(?P<start><c r="(?P<at>[A-Z]+\d+)")(?: s="(?P<look>\d+)")? '
    rb'(?:t="inlineStr"><is><t(?: xml:space="preserve")?>(?P<text>[^<]*)</t></is>'
    rb'|t="n"><v>(?P<number>\d+)</v>)</c>'
)

_LINK = re.compile(rb"<hyperlink .*?/>")
_NOTE = re.compile(rb"<comment .*?</comment>|<(\w+):shape .*?</\1:shape>")
_NOTE_PARTS = ("xl/comments/", "xl/drawings/")
"""Where notes are, and how they look."""

_NOTE_CELL = re.compile(rb'(?<= ref=")[A-Z]+\d+')
_NOTE_ROW, _NOTE_COLUMN = re.compile(rb"(?<=:Row>)\d+"), re.compile(rb"(?<=:Column>)\d+")

_WEIGHT = get_column_letter(WEIGHT_COLUMN)


class Stencil:
    """A template ready to make forms of one shape, with any number of rows.

    Args:
        template: what to cut.
        shape: of the forms.

    Raises:
        Refused: its forms cannot be made in this way.
        TemplateError: the template lacks something.
    """

    def __init__(self, template: Template, shape: Shape) -> None:
        if len(shape.texts) != 1:
            raise Refused("表格没有内容，或者各行的内容不同")
        self._marks = Marks(template, shape)
        self._pattern = re.compile(_CELL + b"|" + self._marks.pattern.pattern)
        blank = template.open()
        few = form_parts(blank, self._marks.content(FEW))
        more = form_parts(template.open(), self._marks.content(MORE))
        if list(few) != list(more):
            raise Refused("表格行数不同时，文件的组成不同")
        self._looks = {
            tint: style.known_looks(blank.book, tint)
            for tint in (None, *(style.QUERY_FILLS if shape.reviewed else ()))
        }
        self._names = tuple(few)
        self._kept = {
            name: deflate(name, part)
            for name, part in few.items()
            if part == more[name] and not self._marks.are_in(part)
        }
        self._alike = {
            name: self._cut(part, self._marks.known(FEW))
            for name, part in few.items()
            if part == more[name] and name not in self._kept
        }
        self._sheet = blank.sheet.path.removeprefix("/")
        self._reviews = dict(_reviews(few, more, blank, self._marks)) if shape.reviewed else {}
        grows = [name for name in few if few[name] != more[name] and name not in self._reviews]
        self._growing = {
            name: Growth.learnt(few[name], more[name]) for name in grows if name != self._sheet
        }
        self._table = Run.learnt(
            split_at_rows(few[self._sheet], blank.frame.first, FEW),
            split_at_rows(more[self._sheet], blank.frame.first, MORE),
        )
        self._cuts: dict[int, Mapping[str, Cut]] = {}
        self._prove(template, hard_content(shape, template))

    def form(self, content: Content) -> bytes:
        """A form as a file's content, the same as `writer.write_form` gives.

        Args:
            content: of the stencil's shape.

        Raises:
            Refused: only openpyxl can make this one.
        """
        for text in content.phrases.values():
            if not text or text != text.strip() or "\r" in text:
                raise Refused("填入模板的名称、日期或咨询方式为空，首尾有空白，或者有回车符")
        return joined(self._members(content))

    def _members(self, content: Content) -> Iterator[Member]:
        values, cuts = values_of(content), self._cuts_for(len(content.lines))
        tints: dict[str, Tints] = {}
        reviewed: Mapping[str, bytes] = {}
        if content.review is not None:
            tints[self._sheet] = {note.cell: note.severity for note in content.review.notes}
            if tints[self._sheet].keys() - addresses(cuts[self._sheet]):
                raise Refused("批注不在填写的单元格上")
            reviewed = self._reviewed(content.review)
        for name in self._names:
            if name in self._kept:
                yield self._kept[name]
            elif name in reviewed:
                yield deflate(name, reviewed[name])
            else:
                yield deflate(name, filled(cuts[name], values, tints.get(name, {})))

    def _cuts_for(self, count: int) -> Mapping[str, Cut]:
        """The parts that are not kept and no review's, of forms with so many rows."""
        if count not in self._cuts:
            known = self._marks.known(count)
            table = self._table.at(range(count))
            grown = {name: part.at(count) for name, part in self._growing.items()}
            grown[self._sheet] = _ONE_CELL.sub(rb"\1\2", table) if count == 1 else table
            cuts = {name: self._cut(part, known) for name, part in grown.items()}
            self._cuts[count] = self._alike | cuts
        return self._cuts[count]

    def _reviewed(self, review: Review) -> Mapping[str, bytes]:
        """The parts that a review has to itself."""
        if not review.notes:
            raise Refused("没有可以批注的单元格")
        linked = [number for number, query in enumerate(review.queries) if query.cell]
        numbers = {
            _QUERIES: range(len(review.queries)),
            _LINKS: linked,
            _NOTES: range(len(review.notes)),
        }
        known = self._marks.known_review(len(review.queries), len(review.notes))
        values = review_values(review)
        tints = {f"{_WEIGHT}{n}": one.severity for n, one in enumerate(review.queries, start=FIRST)}
        parts = {
            name: b"".join(run.at(numbers[rows]) for rows, run in runs.items())
            for name, runs in self._reviews.items()
        }
        return {name: filled(self._cut(part, known), values, tints) for name, part in parts.items()}

    def _cut(self, part: bytes, known: Mapping[bytes, int]) -> Cut:
        if any(int(one) >= int(other) for one, other in pairwise(_ROW.findall(part))):
            raise Refused("模板在表格下方单独设置过行的格式，与较长的表格相叠")
        pieces: list[bytes | Hole | CellHole] = []
        end = 0
        for found in self._pattern.finditer(part):
            hole = self._hole(found, known)
            if hole is not None:
                pieces += part[end : found.start()], hole
                end = found.end()
        pieces.append(part[end:])
        if any(isinstance(piece, bytes) and self._marks.are_in(piece) for piece in pieces):
            raise Refused("填入的内容出现在单元格以外的地方")
        return tuple(pieces)

    def _hole(self, found: re.Match[bytes], known: Mapping[bytes, int]) -> Hole | CellHole | None:
        """The hole where something was found; None where the template itself says it."""
        text, number = found["text"], found["number"]
        if text is None and number is None:
            mark = found[0]
            return Hole(known[mark]) if mark in known and not self._marks.is_text(mark) else None
        says = text_with_values(number if text is None else text, self._marks.pattern, known)
        if not any(isinstance(piece, int) for piece in says):
            return None
        look = None if found["look"] is None else int(found["look"])
        looks = {tint: numbers[look] for tint, numbers in self._looks.items() if look in numbers}
        if text is None:
            looks.setdefault(None, (look, look))  # no number begins like a formula
        if None not in looks:
            raise Refused(NO_LOOK)
        return CellHole(
            found["at"].decode(),
            found["start"],
            {
                tint: (look_attribute(plain), look_attribute(quoted))
                for tint, (plain, quoted) in looks.items()
            },
            says,
            text is None,
        )

    def _prove(self, template: Template, content: Content) -> None:
        if self.form(content) != write_form(template, content):
            raise Refused("试填的结果与逐份填写的不一致")


_QUERIES, _LINKS, _NOTES = "queries", "links", "notes"
"""What a review's parts have rows of."""


def _reviews(
    few: Parts, more: Parts, blank: Blank, marks: Marks
) -> Iterator[tuple[str, Mapping[str, Run]]]:
    """The parts of a review, each as runs of what it has rows of, one after another."""
    listed = blank.book[CORRECTIONS.title].path.removeprefix("/")
    for name, part in few.items():
        if name == listed:
            rows = [split_at_rows(part, FIRST, FEW), split_at_rows(more[name], FIRST, MORE)]
            links = [split_at(split.tail, _LINK) for split in rows]
            queries = [replace(split, tail=b"") for split in rows]
            yield name, {_QUERIES: Run.learnt(*queries), _LINKS: Run.learnt(*links)}
        elif name.startswith(_NOTE_PARTS) and part != more[name]:
            notes = [_marked(split_at(one, _NOTE), marks) for one in (part, more[name])]
            yield name, {_NOTES: Run.learnt(*notes)}


def _marked(split: Split, marks: Marks) -> Split:
    """Notes at cells that are marks."""
    notes = marks.review(0, len(split.rows)).notes
    return replace(
        split, rows=[_placed(row, note) for row, note in zip(split.rows, notes, strict=True)]
    )


def _placed(row: bytes, note: Note) -> bytes:
    row = _NOTE_CELL.sub(note.cell.encode(), row)
    row = _NOTE_ROW.sub(b"%d" % note.row, row)
    return _NOTE_COLUMN.sub(b"%d" % note.column, row)
