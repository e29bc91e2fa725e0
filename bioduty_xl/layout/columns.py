"""Kinds of column, and the declaration that a sheet is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a column holds; decides cell format, alignment and wrapping."""

    WORD = "word"
    TEXT = "text"
    NUMBER = "number"
    RATE = "rate"
    DATE = "date"
    TIME = "time"
    PHONE = "phone"
    CHOICE = "choice"


class Filler(StrEnum):
    """Who fills a column of a form."""

    PLAN = "plan"
    PREVIOUS = "previous"
    UNIT = "unit"


OWN = "+"
"""What the key of a column starts with that the coordinator added to a form's template; the rest
is its heading."""


def one_line(text: str) -> str:
    """A name as a heading, a link or a chart's label takes it: nothing in it that cannot be seen,
    which no table, and often no XML, can hold.
    """
    visible = (char if char.isprintable() else " " for char in text)
    return " ".join("".join(visible).split())


@dataclass(frozen=True)
class Column:
    """One column of a declared sheet.

    Attributes:
        key: its name in code, JSON and frames.
        heading: what stands above it.
        kind: what it holds.
        width: in characters of the workbook's font.
        filled_by: who fills it; None on sheets that are no form.
        choices: what a drop-down offers.
        hint: what the cell says when it is entered (255 characters at most in Excel).
        spellings: other headings that mean the same.
    """

    key: str
    heading: str
    kind: Kind = Kind.WORD
    width: float = 12
    filled_by: Filler | None = None
    choices: tuple[str, ...] = ()
    hint: str = ""
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """A labelled cell above a form's table; its value stands to the right of the label.

    Attributes:
        key, label: its name in code and on the sheet.
        filled_by: who fills it.
        kind: what it holds.
        hint: as for a column.
    """

    key: str
    label: str
    filled_by: Filler = Filler.PLAN
    kind: Kind = Kind.WORD
    hint: str = ""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A declared sheet; each is itself alone, so that looking one up costs nothing.

    Attributes:
        key: its name in code.
        title: the sheet's name in the workbook.
        columns: in the order in which they are written; reading goes by heading.
        fields: labelled cells above the table.
        heading: printed title, where a sheet has one.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    fields: tuple[Field, ...] = ()
    heading: str = ""

    @cached_property
    def by_key(self) -> dict[str, Column]:
        """Columns by key."""
        return {column.key: column for column in self.columns}

    @cached_property
    def field_by_key(self) -> dict[str, Field]:
        """Fields by key."""
        return {entry.key: entry for entry in self.fields}

    def __getitem__(self, key: str) -> Column:
        return self.by_key[key]

    def is_number(self, key: str) -> bool:
        """Whether a column holds numbers; one that is not declared holds text."""
        return key in self.by_key and self.by_key[key].kind is Kind.NUMBER

    def filled_by(self, filler: Filler) -> tuple[Column, ...]:
        """The columns that somebody fills."""
        return tuple(column for column in self.columns if column.filled_by is filler)
