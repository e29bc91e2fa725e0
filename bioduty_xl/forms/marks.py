"""Contents of forms that no unit gets: one in which every value is a mark that nothing else
contains, so that it can be found again, and one of values that are hard to write.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle

from bioduty_xl.domain.returns import Severity
from bioduty_xl.forms.content import Content, Counter, Frame, Line, Note, Query, Review
from bioduty_xl.forms.style import visible
from bioduty_xl.forms.template import Template
from bioduty_xl.layout.table import parse_address

_LETTERS = "abcdef"
"""Of the tag in every mark; the marks of rows take hexadecimal digits alone."""

_HARD = (
    "=<&>\"'",
    "第一行\n第二行\n\t]]>",
    "+_x000D_ &amp; &#13; &#24247;",
    "-\x00\x7f\x85\ud800\uffff😀",
    "@",
)
"""Texts that are hard to write, with something to be seen at both ends."""

_HARDER = ("", "第一行\r\n第二行", " =前后有空白\u3000", "x" * 40_000, "\x01", "\n", *_HARD)


_HEIGHTS, _ROWS, _COLUMNS, _NOTE_HEIGHTS = (n * 10_000 for n in range(4, 8))
"""What the marks of a review's numbers begin at, above those of the lines'."""


@dataclass(frozen=True)
class Shape:
    """What a content is made of, whatever it says: the keys of its texts, in their order.

    Attributes:
        phrases, fields: as in `Content`.
        texts: of its lines; several where they are not alike.
        counted: whether there is a counter.
        reviewed: whether it is a correction copy.
    """

    phrases: tuple[str, ...]
    fields: tuple[str, ...]
    texts: frozenset[tuple[str, ...]]
    counted: bool
    reviewed: bool = False

    @classmethod
    def of(cls, content: Content) -> Shape:
        """The shape of a content."""
        return cls(
            tuple(content.phrases),
            tuple(content.fields),
            frozenset(tuple(line.texts) for line in content.lines),
            content.counter is not None,
            content.review is not None,
        )


def values_of(content: Content) -> list[str]:
    """All that a content says but its review, one after another, as a form spells it."""
    values = [content.token, *content.phrases.values(), *content.fields.values()]
    if content.counter is not None:
        values += content.counter.formula[1:], content.counter.shown
    for line in content.lines:
        values += line.mark, f"{line.height:.16g}", *line.texts.values()
    return values


def review_values(review: Review) -> list[str]:
    """All that a review says, as `values_of`."""
    values = [review.title, review.about]
    for query in review.queries:
        values += query.weight, query.task, query.cell, query.message, f"{query.height:.16g}"
    for note in review.notes:
        values += note.cell, str(note.row), str(note.column), note.text, str(note.height)
    return values


class Marks:
    """Makes and finds the marks for one template; they are made of its hash, which it cannot
    contain. In all marks of a line stands its number, so that they grow as row numbers do.
    """

    def __init__(self, template: Template, shape: Shape) -> None:
        digest = hashlib.sha256(template.file).digest()
        self._shape = shape
        self._declared, self._frame = template.declared, template.frame
        self._tag = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:8])
        self._number = (1000 + int.from_bytes(digest[8:12]) % 9000) * 10**5
        shapes = rb"(?:BD1\.)?%(tag)b[a-z]\d+(?:k\d+)?z|Q\d+\.%(tag)b|(?<!\d)%(number)b\d{5}(?!\d)"
        own = {b"tag": self._tag.encode(), b"number": b"%d" % (self._number // 10**5)}
        self.pattern = re.compile(shapes % own)

    def content(self, lines: int) -> Content:
        """A content of so many lines in which every value is a mark."""
        tag, shape = self._tag, self._shape
        return Content(
            f"BD1.{tag}t0z",
            {key: f"{tag}p{n}z" for n, key in enumerate(shape.phrases)},
            {key: f"{tag}f{n}z" for n, key in enumerate(shape.fields)},
            tuple(map(self._line, range(lines))),
            Counter(f"={tag}c0z", f"{tag}c1z") if shape.counted else None,
            self._placed(self.review(lines, lines)) if shape.reviewed else None,
        )

    def known(self, lines: int) -> dict[bytes, int]:
        """The marks in such a content, each with its place in `values_of`."""
        values = values_of(self.content(lines))
        return {value.encode(): place for place, value in enumerate(values)}

    def review(self, queries: int, notes: int) -> Review:
        """A review of so many lines and notes in which every value is a mark and nothing tinted."""
        tag, number = self._tag, self._number
        return Review(
            f"{tag}q0z",
            f"{tag}q1z",
            tuple(
                Query(
                    None,
                    f"{tag}q{n}k0z",
                    f"{tag}q{n}k1z",
                    f"{tag}a{n}z",
                    f"{tag}q{n}k2z",
                    number + _HEIGHTS + n,
                )
                for n in range(queries)
            ),
            tuple(
                Note(
                    None,
                    f"{tag}a{n}k0z",
                    number + _ROWS + n,
                    number + _COLUMNS + n,
                    f"{tag}o{n}z",
                    number + _NOTE_HEIGHTS + n,
                )
                for n in range(notes)
            ),
        )

    def known_review(self, queries: int, notes: int) -> dict[bytes, int]:
        """The marks in such a review, each with its place in `review_values`."""
        values = review_values(self.review(queries, notes))
        return {value.encode(): place for place, value in enumerate(values)}

    def are_in(self, part: bytes) -> bool:
        """Whether marks are left in a part, or in a piece of one."""
        return self._tag.encode() in part

    def is_text(self, mark: bytes) -> bool:
        """Whether a mark stands for a text that people read, which belongs in a cell."""
        return bool(re.match(rb"%s[pfnq]" % self._tag.encode(), mark))

    def _placed(self, review: Review) -> Review:
        """A review whose notes are at cells of the table, since no workbook has them elsewhere."""
        letter, first = self._frame.leftmost, self._frame.first
        cells = [f"{letter}{first + number}" for number in range(len(review.notes))]
        return replace(review, notes=tuple(map(_moved, review.notes, cells)))

    def _line(self, number: int) -> Line:
        texts = {}
        for n, key in enumerate(_keys(self._shape)):
            if self._declared.is_number(key):
                texts[key] = str(self._number + 1000 * (n + 1) + number)
            else:
                texts[key] = f"{self._tag}n{number}k{n}z"
        return Line(f"Q{number}.{self._tag}", texts, self._number + number)


def hard_content(shape: Shape, template: Template) -> Content:
    """A content of one line with texts that are hard to write."""
    hard, harder = cycle(_HARD), cycle(_HARDER)
    texts = {key: "7" if template.declared.is_number(key) else next(harder) for key in _keys(shape)}
    return Content(
        "BD1.R.0123abcd.U01.2024Q2.1.0123456789abcdef",
        {key: next(hard) for key in shape.phrases},
        {key: next(harder) for key in shape.fields},
        (Line("T07.0123abcd", texts, 123.75),),
        Counter('="1"&"<>"&1', '1<>1&"') if shape.counted else None,
        _hard_review(template.frame) if shape.reviewed else None,
    )


def _hard_review(frame: Frame) -> Review:
    """A review of every cell that may be in question, and of one that has no place."""
    harder, severities = cycle(_HARDER), cycle(Severity)
    cells = ["", *_cells(frame)]
    notes = (
        Note(next(severities), cell, 0, 0, visible(f"意见：{next(harder)}").strip(), 59)
        for cell in cells[1:]
    )
    return Review(
        next(harder),
        next(harder),
        tuple(
            Query(next(severities), next(harder), next(harder), cell, next(harder), 32.5)
            for cell in cells
        ),
        tuple(sorted(map(_moved, notes, cells[1:]), key=lambda note: (note.row, note.column))),
    )


def _cells(frame: Frame) -> Iterator[str]:
    """Those of the table's first row, and the values of the labelled fields."""
    yield from (f"{letter}{frame.first}" for letter in frame.letters.values())
    yield from frame.values.values()


def _moved(note: Note, cell: str) -> Note:
    row, column = parse_address(cell)
    return replace(note, cell=cell, row=row, column=column)


def _keys(shape: Shape) -> tuple[str, ...]:
    """The keys of a line's texts."""
    (keys,) = shape.texts
    return keys
