"""A template cut into what all its forms share and holes for what differs.

openpyxl fills the template with marks that nothing else contains; where they turn up are the holes,
and what grows with the number of rows shows in the difference between two forms. So the stencil
knows neither the template nor where anything goes, and what it makes is byte for byte what openpyxl
would have made. A template of which that is not certain is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from bioduty_xl.forms import style
from bioduty_xl.forms.content import Content, Review
from bioduty_xl.forms.growth import FEW, MORE, Growth, Refused, Run, split_at_rows
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
from bioduty_xl.forms.review_parts import ReviewParts, tints_of_list
from bioduty_xl.forms.template import Template
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
        tints = (None, *(style.QUERY_FILLS if shape.reviewed else ()))
        self._looks = {tint: style.known_looks(blank.book, tint) for tint in tints}
        self._names = tuple(few)
        self._sheet = blank.sheet.path.removeprefix("/")
        self._table = Run.learnt(
            split_at_rows(few[self._sheet], blank.frame.first, FEW),
            split_at_rows(more[self._sheet], blank.frame.first, MORE),
        )
        listed = blank.book[CORRECTIONS.title].path.removeprefix("/") if shape.reviewed else ""
        self._review_parts = ReviewParts.learnt(few, more, listed, self._marks)
        self._learn_others(few, more)
        self._cuts: dict[int, Mapping[str, Cut]] = {}
        self._prove(template, hard_content(shape, template))

    def _learn_others(self, few: Parts, more: Parts) -> None:
        """The parts that all forms share, that have holes alone, and that grow."""
        alike = {name: part for name, part in few.items() if part == more[name]}
        self._kept = {
            name: deflate(name, part)
            for name, part in alike.items()
            if not self._marks.are_in(part)
        }
        self._alike = {
            name: self._cut(part, self._marks.known(FEW))
            for name, part in alike.items()
            if name not in self._kept
        }
        learnt = {*alike, self._sheet, *self._review_parts.runs}
        self._growing = {
            name: Growth.learnt(part, more[name])
            for name, part in few.items()
            if name not in learnt
        }

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
        known = self._marks.known_review(len(review.queries), len(review.notes))
        values, tints = review_values(review), tints_of_list(review)
        parts = self._review_parts.at(review)
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
