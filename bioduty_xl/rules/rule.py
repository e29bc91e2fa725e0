"""What a rule is: a code, a weight, and a function that finds its hits in a return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bioduty_xl.config import Rules
from bioduty_xl.domain.plan import Obligation, Plan, Role
from bioduty_xl.domain.returns import Contact, Entry, FindingKind, Return, Wording, shortened


@dataclass(frozen=True)
class Case:
    """A return, with what its rules need to know.

    Attributes:
        returned: the return.
        plan: the plan in force.
        obligations: the unit's own, by item key.
        wording: which texts are no answer.
        previous: the entries of the unit's revision before this one, by item key.
        last: those of the return that counts for the quarter before.
        tuning: thresholds and words.
    """

    returned: Return
    plan: Plan
    obligations: Mapping[str, Obligation]
    wording: Wording = Wording()
    previous: Mapping[str, Entry] = field(default_factory=dict)
    last: Mapping[str, Entry] = field(default_factory=dict)
    tuning: Rules = Rules()

    def answer(self, entry: Entry, key: str) -> str:
        """An answer's text; empty where it says nothing or could not be read."""
        text = entry[key]
        return text if key not in entry.unreadable and self.wording.is_answer(text) else ""


@dataclass(frozen=True)
class Filed:
    """A unit's return that counts, among those of its period.

    Attributes:
        unit: its code.
        entries: its rows by item key.
        header: its labelled fields.
    """

    unit: str
    entries: Mapping[str, Entry]
    header: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarter:
    """All returns that count for a period, for the rules that compare units.

    Attributes:
        returns: in plan order.
        roles: each unit's role in each item, by (unit, item).
        contacts: the contacts known of each unit.
    """

    plan: Plan
    returns: Sequence[Filed]
    roles: Mapping[tuple[str, str], Role]
    contacts: Mapping[str, Sequence[Contact]] = field(default_factory=dict)
    wording: Wording = Wording()
    tuning: Rules = Rules()


@dataclass(frozen=True)
class Hit:
    """A place where a rule fires: what to say there, and where; `about` is a column or field."""

    message: str
    sheet: str = ""
    cell: str = ""
    item: str = ""
    about: str = ""

    @classmethod
    def at(cls, entry: Entry, column: str, message: str) -> Hit:
        """A hit on one answer of a return."""
        return cls(message, entry.sheet, entry.cells.get(column, ""), entry.item, column)


_QUOTED_MOST = 60
"""Characters of a text that a finding quotes."""


def quoted(text: str) -> str:
    """As much of a text as a finding quotes."""
    return shortened(text, _QUOTED_MOST)


@dataclass(frozen=True)
class Rule(FindingKind):
    """One rule; `check` finds its hits in a case."""

    check: Callable[[Case], Iterator[Hit]]


@dataclass(frozen=True)
class QuarterRule(FindingKind):
    """A rule that compares the returns of several units; `check` gives (unit, hit) pairs."""

    check: Callable[[Quarter], Iterator[tuple[str, Hit]]]
