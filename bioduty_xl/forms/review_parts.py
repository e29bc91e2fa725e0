"""The parts of a correction copy that no other form has: the list, and the notes at cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from openpyxl.utils import get_column_letter

from bioduty_xl.forms.content import Note, Review
from bioduty_xl.forms.growth import FEW, MORE, Refused, Run, Split, split_at, split_at_rows
from bioduty_xl.forms.holes import Tints
from bioduty_xl.forms.marks import Marks
from bioduty_xl.forms.review import FIRST, WEIGHT_COLUMN
from bioduty_xl.layout.package import Parts

_LINK = re.compile(rb"<hyperlink .*?/>")
_NOTE = re.compile(rb"<comment .*?</comment>|<(\w+):shape .*?</\1:shape>")
_NOTE_PARTS = ("xl/comments/", "xl/drawings/")
"""Where notes are, and how they look."""

_NOTE_CELL = re.compile(rb'(?<= ref=")[A-Z]+\d+')
_NOTE_ROW, _NOTE_COLUMN = re.compile(rb"(?<=:Row>)\d+"), re.compile(rb"(?<=:Column>)\d+")

_WEIGHT = get_column_letter(WEIGHT_COLUMN)


class Rows(Enum):
    """What these parts have rows of."""

    QUERIES = auto()
    LINKS = auto()
    NOTES = auto()


@dataclass(frozen=True)
class ReviewParts:
    """What grows in these parts, each of which is a run after another.

    Attributes:
        runs: by part, and by what they are rows of.
    """

    runs: Mapping[str, Mapping[Rows, Run]]

    @classmethod
    def learnt(cls, few: Parts, more: Parts, listed: str, marks: Marks) -> ReviewParts:
        """From a copy with `FEW` of all and one with `MORE`.

        Args:
            listed: the part with the list; empty: the forms are no correction copies.

        Raises:
            Refused: they grow otherwise than in rows that are alike.
        """
        return cls(dict(_learnt(few, more, listed, marks)) if listed else {})

    def at(self, review: Review) -> dict[str, bytes]:
        """The parts of a review, with marks in the place of what it says."""
        numbers = {
            Rows.QUERIES: range(len(review.queries)),
            Rows.LINKS: [number for number, query in enumerate(review.queries) if query.cell],
            Rows.NOTES: range(len(review.notes)),
        }
        return {
            name: b"".join(run.at(numbers[rows]) for rows, run in runs.items())
            for name, runs in self.runs.items()
        }


def tints_of_list(review: Review) -> Tints:
    """How the cells of the list are tinted."""
    return {f"{_WEIGHT}{n}": one.severity for n, one in enumerate(review.queries, start=FIRST)}


def _learnt(
    few: Parts, more: Parts, listed: str, marks: Marks
) -> Iterator[tuple[str, Mapping[Rows, Run]]]:
    for name, part in few.items():
        if name == listed:
            rows = [split_at_rows(part, FIRST, FEW), split_at_rows(more[name], FIRST, MORE)]
            links = [split_at(split.tail, _LINK) for split in rows]
            queries = [replace(split, tail=b"") for split in rows]
            yield name, {Rows.QUERIES: Run.learnt(*queries), Rows.LINKS: Run.learnt(*links)}
        elif name.startswith(_NOTE_PARTS) and part != more[name]:
            notes = _notes(part, FEW, marks), _notes(more[name], MORE, marks)
            yield name, {Rows.NOTES: Run.learnt(*notes)}


def _notes(part: bytes, count: int, marks: Marks) -> Split:
    """So many notes, at cells that are marks."""
    split = split_at(part, _NOTE)
    if len(split.rows) != count:
        raise Refused("模板的工作表上已有批注")
    pairs = zip(split.rows, marks.review(0, count).notes, strict=True)
    return replace(split, rows=[_placed(row, note) for row, note in pairs])


def _placed(row: bytes, note: Note) -> bytes:
    row = _NOTE_CELL.sub(note.cell.encode(), row)
    row = _NOTE_ROW.sub(b"%d" % note.row, row)
    return _NOTE_COLUMN.sub(b"%d" % note.column, row)
