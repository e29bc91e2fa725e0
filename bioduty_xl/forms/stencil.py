"""A template cut into what all its forms share and holes for what differs.

openpyxl fills the template with marks that nothing else contains; where they turn up are the holes,
and what grows with the number of rows shows in the difference between two forms. So the stencil
knows neither the template nor where anything goes, and what it makes is byte for byte what openpyxl
would have made. A template of which that is not certain is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise

from bioduty_xl.forms import style
from bioduty_xl.forms.content import Content
from bioduty_xl.forms.marks import Marks, Shape, hard_content, values_of
from bioduty_xl.forms.template import Blank, Template
from bioduty_xl.forms.writer import form_parts, write_form
from bioduty_xl.layout.package import Member, Parts, deflate, joined

_FEW, _MORE = 2, 3
"""Rows of the two forms from which it is learnt what grows with their number."""

_UNEVEN = "表格行数不同时，模板的其他内容也不同"
_UNLIKE = "表格各行的样式不一致"

_DIGITS = re.compile(rb"(\d+)")
_ROW = re.compile(rb'<row r="(\d+)"')
_ONE_CELL = re.compile(rb'(sqref="(?:[^" ]+ )*)([A-Z]+\d+):\2(?=[ "])')
"""A range that openpyxl would write as the one cell that it is."""

_TEXT_CELL = (
    rb'(?P<start><c r="[A-Z]+\d+")(?: s="(?P<look>\d+)")? t="inlineStr">'
    rb'<is><t(?: xml:space="preserve")?>(?P<text>[^<]*)</t></is></c>'
)

_SPELLING = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
"""What openpyxl spells, and how."""


class Refused(Exception):
    """Only openpyxl can make this form, or any form of this template; says why, in Chinese."""


@dataclass(frozen=True)
class _Hole:
    """Where a value stands by itself.

    Attributes:
        value: its place in `values_of`.
    """

    value: int

    def filled(self, values: Sequence[str]) -> bytes:
        return _escaped(values[self.value])


@dataclass(frozen=True)
class _TextCell:
    """A cell whose text is a value, or has some in it.

    Attributes:
        start: of its element, with its address.
        plain, quoted: the attribute with its look, and with that of a text like a formula.
        text: what it says: places of values, and what the template has between them.
    """

    start: bytes
    plain: bytes
    quoted: bytes
    text: tuple[int | str, ...]

    def filled(self, values: Sequence[str]) -> bytes:
        pieces = [values[one] if isinstance(one, int) else one for one in self.text]
        like_formula, spelt = _spelt("".join(pieces) if len(pieces) > 1 else pieces[0])
        if spelt:
            return self.start + (self.quoted if like_formula else self.plain) + spelt
        return self.start + self.plain + b' t="n"></c>' if self.plain else b""


_Cut = tuple[bytes | _Hole | _TextCell, ...]
"""A part with its holes."""


@dataclass(frozen=True)
class _Growth:
    """Bytes with numbers in them that follow a count.

    Attributes:
        texts: what stands before, between and after the numbers.
        numbers: by how much each differs from the count.
    """

    texts: tuple[bytes, ...]
    numbers: tuple[int, ...]

    @classmethod
    def learnt(cls, one: bytes, other: bytes, count: int, complaint: str = _UNEVEN) -> _Growth:
        """From what stands there at a count and at the next one.

        Raises:
            Refused: they differ otherwise than in such numbers.
        """
        pieces, following = _DIGITS.split(one), _DIGITS.split(other)
        if len(pieces) != len(following):
            raise Refused(complaint)
        texts: list[list[bytes]] = [[]]
        numbers = []
        for piece, next_piece in zip(pieces, following, strict=True):
            if piece == next_piece:
                texts[-1].append(piece)
            elif _follows(piece, next_piece):
                numbers.append(int(piece) - count)
                texts.append([])
            else:
                raise Refused(complaint)
        return cls(tuple(map(b"".join, texts)), tuple(numbers))

    def at(self, count: int) -> bytes:
        numbers = (b"%d" % (number + count) for number in self.numbers)
        between = zip(numbers, self.texts[1:], strict=True)
        return b"".join((self.texts[0], *chain.from_iterable(between)))


@dataclass(frozen=True)
class _Table:
    """The part with the table: what stands before its rows, a row, and what follows."""

    head: _Growth
    line: _Growth
    tail: _Growth

    @classmethod
    def learnt(cls, few: bytes, more: bytes, first: int) -> _Table:
        """From the part with `_FEW` and with `_MORE` rows; raises as `_Growth.learnt`.

        Args:
            first: number of the table's first row.
        """
        head, rows, tail = _taken_apart(few, first, _FEW)
        other_head, other_rows, other_tail = _taken_apart(more, first, _MORE)
        line = _Growth.learnt(rows[0], rows[1], 0, _UNLIKE)
        if [line.at(n) for n in range(_MORE)] != other_rows:
            raise Refused(_UNLIKE)
        return cls(
            _Growth.learnt(head, other_head, _FEW), line, _Growth.learnt(tail, other_tail, _FEW)
        )

    def at(self, count: int) -> bytes:
        rows = (self.line.at(number) for number in range(count))
        part = b"".join((self.head.at(count), *rows, self.tail.at(count)))
        return _ONE_CELL.sub(rb"\1\2", part) if count == 1 else part


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
        self._pattern = re.compile(_TEXT_CELL + b"|" + self._marks.pattern.pattern)
        blank = template.open()
        few = form_parts(blank, self._marks.content(_FEW))
        more = form_parts(template.open(), self._marks.content(_MORE))
        if list(few) != list(more):
            raise Refused("表格行数不同时，文件的组成不同")
        self._looks = style.quoted_looks(blank.book)
        self._names = tuple(few)
        self._kept = {
            name: deflate(name, part)
            for name, part in few.items()
            if part == more[name] and not self._marks.are_in(part)
        }
        self._alike = {
            name: self._cut(part, self._marks.known(_FEW))
            for name, part in few.items()
            if part == more[name] and name not in self._kept
        }
        self._growing = dict(_growing(few, more, blank))
        self._cuts: dict[int, Mapping[str, _Cut]] = {}
        self._prove(template, hard_content(shape, template.declared))

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
        values = values_of(content)
        cuts = self._cuts_for(len(content.lines))
        for name in self._names:
            if name in self._kept:
                yield self._kept[name]
            else:
                pieces = [p if isinstance(p, bytes) else p.filled(values) for p in cuts[name]]
                yield deflate(name, b"".join(pieces))

    def _cuts_for(self, count: int) -> Mapping[str, _Cut]:
        """The parts that are not kept, of forms with so many rows."""
        if count not in self._cuts:
            known = self._marks.known(count)
            grown = {name: part.at(count) for name, part in self._growing.items()}
            cuts = {name: self._cut(part, known) for name, part in grown.items()}
            self._cuts[count] = self._alike | cuts
        return self._cuts[count]

    def _cut(self, part: bytes, known: Mapping[bytes, int]) -> _Cut:
        if any(int(one) >= int(other) for one, other in pairwise(_ROW.findall(part))):
            raise Refused("模板在表格下方单独设置过行的格式，与较长的表格相叠")
        pieces: list[bytes | _Hole | _TextCell] = []
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

    def _hole(self, found: re.Match[bytes], known: Mapping[bytes, int]) -> _Hole | _TextCell | None:
        """The hole where something was found; None where the template itself says it."""
        if found["text"] is None:
            mark = found[0]
            return _Hole(known[mark]) if mark in known and not self._marks.is_text(mark) else None
        text = _text(found["text"], self._marks.pattern, known)
        if not any(isinstance(piece, int) for piece in text):
            return None
        look = None if found["look"] is None else int(found["look"])
        if look not in self._looks:
            raise Refused("单元格的样式无法识别")
        return _TextCell(found["start"], _look(look), _look(self._looks[look]), text)

    def _prove(self, template: Template, content: Content) -> None:
        if self.form(content) != write_form(template, content):
            raise Refused("试填的结果与逐份填写的不一致")


def _growing(few: Parts, more: Parts, blank: Blank) -> Iterator[tuple[str, _Growth | _Table]]:
    """The parts in which something grows with the number of rows."""
    table = blank.sheet.path.removeprefix("/")
    for name, part in few.items():
        if name == table:
            yield name, _Table.learnt(part, more[name], blank.frame.first)
        elif part != more[name]:
            yield name, _Growth.learnt(part, more[name], _FEW)


def _follows(one: bytes, other: bytes) -> bool:
    """Whether one number comes right after another."""
    return one.isdigit() and (one, other) == tuple(b"%d" % (int(one) + n) for n in (0, 1))


def _taken_apart(part: bytes, first: int, count: int) -> tuple[bytes, list[bytes], bytes]:
    """What stands before the table's rows, the rows, and what follows."""
    starts = [part.find(b'<row r="%d"' % number) for number in range(first, first + count)]
    end = part.find(b"</row>", starts[-1]) + len(b"</row>")
    if min(starts) < 0 or end < starts[-1]:
        raise Refused("找不到表格的各行")
    return part[: starts[0]], [part[a:b] for a, b in pairwise([*starts, end])], part[end:]


def _text(
    spelt: bytes, marks: re.Pattern[bytes], known: Mapping[bytes, int]
) -> tuple[int | str, ...]:
    """A cell's text: places of values, and what stands between them."""
    pieces: list[int | str] = []
    end = 0
    for mark in marks.finditer(spelt):
        if mark[0] in known:
            pieces += _read(spelt[end : mark.start()]), known[mark[0]]
            end = mark.end()
    pieces.append(_read(spelt[end:]))
    return tuple(piece for piece in pieces if piece != "")


@lru_cache(maxsize=512)  # what the plan says is on many forms
def _spelt(text: str) -> tuple[bool, bytes]:
    """Whether a text begins like a formula, and how a cell says it: what follows its look."""
    text = style.writable(text)
    if not text:
        return False, b""
    space = b' xml:space="preserve"' if text != text.strip() else b""
    inline = b' t="inlineStr"><is><t%s>%s</t></is></c>' % (space, _escaped(text))
    return text.startswith(style.FORMULA_STARTS), inline


def _look(number: int | None) -> bytes:
    return b"" if number is None else b' s="%d"' % number


def _read(spelt: bytes) -> str:
    text = spelt.decode()
    for letter, spelling in reversed(_SPELLING):
        text = text.replace(spelling, letter)
    return text


def _escaped(text: str) -> bytes:
    for letter, spelt in _SPELLING:
        text = text.replace(letter, spelt)
    return text.encode()
