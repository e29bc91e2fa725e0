"""What one form says: all that differs from unit to unit, in one frozen value.

Both ways of making a form, openpyxl and the stencil, take it and nothing else. It knows no
workbook; what it must know of a template is in a `Frame`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bioduty_xl.domain.plan import Item, Obligation, Plan, Unit
from bioduty_xl.domain.returns import Contact, Severity, Wording
from bioduty_xl.domain.stamp import Seal, Stamp
from bioduty_xl.forms.counter import counter_formula, counter_text
from bioduty_xl.layout.columns import OWN, Filler
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.sheets import CONTACTS_FORM

CONTACT_ROWS = ("R01", "R02", "R03")
"""Rows of a contact form; a unit may name up to three."""

LOWEST = 45.0
"""Height of a row of the table with little in it, in points."""

_OPEN = re.compile(r"\{[^{}]*\}")
"""What a template leaves open."""


@dataclass(frozen=True)
class Order:
    """What one form is made of.

    Attributes:
        stamp: whose form it is.
        unit: the unit.
        due: its due date.
        covers: first and last day that the return reports on.
        help: whom to call, as printed.
        previous: item key → what the unit said it would do next, or why that is not known.
        contacts: what is known of the unit's contacts.
    """

    stamp: Stamp
    unit: Unit
    due: date
    covers: tuple[date, date]
    help: str
    previous: Mapping[str, str]
    contacts: Sequence[Contact] = ()


@dataclass(frozen=True)
class Frame:
    """Where a template's table stands.

    Attributes:
        first: number of its first row below the headings.
        letters: column letter by column key; of columns that the coordinator added, by `OWN` and
            their heading in the template.
        widths: column width in characters, by the same keys.
        values: address of each labelled field's value, by field key.
    """

    first: int
    letters: Mapping[str, str]
    widths: Mapping[str, float]
    values: Mapping[str, str]

    @property
    def leftmost(self) -> str:
        """Letter of the first declared column."""
        declared = (letter for key, letter in self.letters.items() if not key.startswith(OWN))
        return min(declared, key=lambda letter: (len(letter), letter))


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        mark: says whose row it is.
        texts: by column key; what is not named is left blank; a number is spelt as Python does.
        height: in points, more than 0.
    """

    mark: str
    texts: Mapping[str, str]
    height: float


@dataclass(frozen=True)
class Counter:
    """The live count of what is still to fill.

    Attributes:
        formula: with its `=`.
        shown: what the formula gives for the form as it goes out.
    """

    formula: str
    shown: str


@dataclass(frozen=True)
class Query:
    """A line of a correction copy's list: something that the unit is asked to look at.

    Attributes:
        severity: by which it is tinted; None: not at all.
        weight: that in a word.
        task: title of the task; empty where it is about the whole return.
        cell: address in the form; empty where it has none there.
        message: what is wrong, and what to do.
        height: of its row, in points.
    """

    severity: Severity | None
    weight: str
    task: str
    cell: str
    message: str
    height: float


@dataclass(frozen=True)
class Note:
    """What is said at a cell of a correction copy.

    Attributes:
        severity: by which the cell is tinted; None: not at all.
        cell: its address.
        row, column: the same in numbers, from 0.
        text: what is said: what XML can hold, without white space at its ends.
        height: of the note, in pixels.
    """

    severity: Severity | None
    cell: str
    row: int
    column: int
    text: str
    height: int


@dataclass(frozen=True)
class Review:
    """What makes a form a correction copy.

    Attributes:
        title: of the list.
        about: what it asks for, in a sentence or two.
        queries: its lines; those with a cell are the reason for the notes.
        notes: at the form's cells, one for each, from the top left.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Content:
    """What one form says.

    Attributes:
        token: the mark of the workbook and of the sheet.
        phrases: what stands for each of the template's placeholders, by placeholder.
        fields: texts beside the labels above the table, by field key.
        lines: the rows of the table.
        counter: None on a form that counts nothing.
        review: None on a form that is no correction copy.
    """

    token: str
    phrases: Mapping[str, str]
    fields: Mapping[str, str]
    lines: tuple[Line, ...]
    counter: Counter | None = None
    review: Review | None = None

    def filled_in(self, text: str) -> str:
        """A text of the template with what it leaves open."""
        return _OPEN.sub(lambda found: self.phrases.get(found[0], found[0]), text)


def return_content(
    order: Order,
    plan: Plan,
    obligations: Sequence[Obligation],
    seal: Seal,
    wording: Wording,
    frame: Frame,
    filled: int = 0,
) -> Content:
    """What a return form says.

    Args:
        obligations: the unit's own, in plan order.
        filled: how many of the required ones have an answer on the form.
    """
    return Content(
        seal.token(order.stamp),
        _phrases(order),
        {
            "unit": order.unit.name,
            "period": order.stamp.period.label,
            "due": order.due.isoformat(),
            "code": seal.visible_code(order.stamp),
        },
        tuple(
            _line(
                seal.row_mark(order.stamp, duty.item),
                _return_texts(plan.by_key[duty.item], duty, order),
                frame,
            )
            for duty in obligations
        ),
        _counter(obligations, wording, frame, filled),
    )


def contacts_content(order: Order, seal: Seal, frame: Frame) -> Content:
    """What a contact form (Annex 2) says: what is known, and rows for what is not."""
    nobody = Contact(order.unit.code)
    known = [*order.contacts, *(nobody for _ in CONTACT_ROWS)]
    return Content(
        seal.token(order.stamp),
        _phrases(order),
        {"code": seal.visible_code(order.stamp)},
        tuple(
            _line(seal.row_mark(order.stamp, row), contact_texts(order.unit, contact), frame)
            for row, contact in zip(CONTACT_ROWS, known, strict=False)
        ),
    )


def contact_texts(unit: Unit, contact: Contact) -> dict[str, str]:
    """A row of the contact form, by column key."""
    asked = (column.key for column in CONTACTS_FORM.filled_by(Filler.UNIT))
    return {"unit": unit.name, **{key: getattr(contact, key) for key in asked}}


def _line(mark: str, texts: Mapping[str, str], frame: Frame) -> Line:
    sized = [(text, frame.widths[key]) for key, text in texts.items()]
    return Line(mark, texts, height_for(sized, least=LOWEST))


def _return_texts(item: Item, duty: Obligation, order: Order) -> dict[str, str]:
    return {
        "no": str(item.no),
        "task": item.title,
        "measures": item.printed_measures(duty.unit),
        "duty": duty.duty,
        "previous": order.previous.get(item.key, ""),
    }


def _phrases(order: Order) -> dict[str, str]:
    first, last = order.covers
    return {
        "{报送单位}": order.unit.name,
        "{报送期}": order.stamp.period.label,
        "{截止日期}": _chinese_date(order.due),
        "{报送范围}": f"{_chinese_date(first)}至{_chinese_date(last)}的工作",
        "{咨询方式}": order.help,
    }


def _counter(
    obligations: Sequence[Obligation], wording: Wording, frame: Frame, filled: int
) -> Counter:
    required = sum(duty.required for duty in obligations)
    optional = len(obligations) - required
    last = frame.first + len(obligations) - 1
    formula = counter_formula(frame.letters, frame.first, last, required, optional, wording)
    return Counter(formula, counter_text(required, optional, filled))


def _chinese_date(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
