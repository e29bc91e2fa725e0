"""What a rule is: a code, a weight, and a function that finds its hits in a return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bioduty_xl.domain.plan import Obligation, Plan
from bioduty_xl.domain.returns import Entry, Return, Severity, Wording


@dataclass(frozen=True)
class Case:
    """A return, with what its rules need to know.

    Attributes:
        returned: the return.
        plan: the plan in force.
        obligations: the unit's own, by item key.
        wording: which texts are no answer.
        previous: the entries of the unit's revision before this one, by item key.
    """

    returned: Return
    plan: Plan
    obligations: Mapping[str, Obligation]
    wording: Wording = Wording()
    previous: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A place where a rule fires: what to say there, and where."""

    message: str
    sheet: str = ""
    cell: str = ""
    item: str = ""

    @classmethod
    def at(cls, entry: Entry, column: str, message: str) -> Hit:
        """A hit on one answer of a return."""
        return cls(message, entry.sheet, entry.cells.get(column, ""), entry.item)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        code: stable name, in capitals.
        severity: of its findings.
        why: what it is for, in Chinese, for the documentation.
        check: finds its hits in a case.
    """

    code: str
    severity: Severity
    why: str
    check: Callable[[Case], Iterator[Hit]]
