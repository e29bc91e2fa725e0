"""Where a period stands at a moment: who returned, what is missing, who is overdue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from bioduty_xl.domain.calendar import CHINA, Calendar, days_after
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Ground, Obligation, Plan, Unit
from bioduty_xl.domain.returns import MISSING, Entry, ItemState, Wording, state_of
from bioduty_xl.language import say


class UnitState(StrEnum):
    """Where one unit stands with its return."""

    NOT_DUE = "not_due"
    OVERDUE = "overdue"
    ON_TIME = "on_time"
    LATE = "late"
    EXEMPT = "exempt"

    @property
    def word(self) -> str:
        """As the workbooks say it."""
        return _WORDS[self]


_WORDS = {
    UnitState.NOT_DUE: say("未到期"),
    UnitState.OVERDUE: say("逾期"),
    UnitState.ON_TIME: say("按时"),
    UnitState.LATE: say("迟报"),
    UnitState.EXEMPT: say("免报"),
}


@dataclass(frozen=True)
class Receipt:
    """What is on record of one unit's returns for the period, up to the moment asked about.

    Attributes:
        first_received: when the first revision that could be read arrived, or truly came where
            that is registered; decides on time or late.
        received: when the revision that counts (the newest) arrived.
        revision: its number, from 1; 0 where the return came by another way alone (收件更正), so
            that its form is not here and its items are still 未返回.
        entries: its rows by item key.
        errors, warnings: how many findings of each severity it has.
        way: by which a return without a form came, where that is registered.
    """

    first_received: datetime
    received: datetime
    revision: int
    entries: Mapping[str, Entry]
    errors: int = 0
    warnings: int = 0
    way: str = ""

    @property
    def has_form(self) -> bool:
        """Whether a form is here, and not only word of a return that came by another way."""
        return self.revision > 0

    @property
    def without_form(self) -> str:
        """How the return came and that its form did not, in Chinese; empty where it did."""
        return "" if self.has_form else f"以{self.way or '其他方式'}报送，电子表未到"


@dataclass(frozen=True, slots=True)
class Cell:
    """One unit × item: the obligation, the answer, the state.

    Attributes:
        state: one of the five; None for an optional obligation left blank. An exempt unit's are
            all optional.
        entry: the row that counts, if a return is here.
    """

    obligation: Obligation
    state: ItemState | None
    entry: Entry | None = None

    @property
    def is_missing(self) -> bool:
        """缺项: required and not answered."""
        return self.obligation.required and self.state in MISSING


@dataclass(frozen=True)
class UnitStanding:
    """One unit's line.

    Attributes:
        due: its own due date.
        until: when the return came, or else the as-of moment; days overdue count up to it.
        calendar: says which of them are working days.
    """

    unit: Unit
    state: UnitState
    due: date
    until: datetime
    receipt: Receipt | None
    cells: tuple[Cell, ...]
    calendar: Calendar = Calendar()

    @property
    def days_overdue(self) -> int:
        """Calendar days after the due date."""
        return 0 if self.state is UnitState.EXEMPT else days_after(self.due, self.until)

    @property
    def working_days_overdue(self) -> int:
        """The working days among them; found when asked for, since each day is looked up."""
        if self.state is UnitState.EXEMPT:
            return 0
        return self.calendar.working_days_after(self.due, self.until)

    @property
    def required(self) -> tuple[Cell, ...]:
        """Cells that must be answered."""
        return tuple(cell for cell in self.cells if cell.obligation.required)

    @property
    def missing(self) -> tuple[Cell, ...]:
        """Cells that must be answered and are not."""
        return tuple(cell for cell in self.cells if cell.is_missing)

    def count(self, state: ItemState) -> int:
        """How many required cells are in a state."""
        return sum(cell.state is state for cell in self.required)

    def as_json(self) -> dict[str, Any]:
        """The unit's object in `status --json`."""
        receipt = self.receipt
        return {
            "code": self.unit.code,
            "name": self.unit.name,
            "state": self.state.value,
            "received_at": receipt.first_received.isoformat() if receipt else None,
            "days_overdue": self.days_overdue,
            "required": len(self.required),
            "filled": self.count(ItemState.FILLED),
            "missing": [cell.obligation.item for cell in self.missing],
            "errors": receipt.errors if receipt else 0,
            "warnings": receipt.warnings if receipt else 0,
        }


@dataclass(frozen=True)
class FileCounts:
    """How many files of a period are in each verdict."""

    accepted: int = 0
    held: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Standing:
    """A whole period at a moment; `units` are in plan order."""

    period: Period
    due: date
    as_of: datetime
    units: tuple[UnitStanding, ...]
    files: FileCounts

    @property
    def expected(self) -> tuple[UnitStanding, ...]:
        """The units that owe a return."""
        return tuple(line for line in self.units if line.state is not UnitState.EXEMPT)

    @property
    def returned(self) -> tuple[UnitStanding, ...]:
        """The units whose return is here."""
        return tuple(line for line in self.expected if line.receipt is not None)

    @property
    def without_form(self) -> dict[str, str]:
        """How the returns came whose forms are not here, in Chinese, by unit code."""
        return {
            line.unit.code: line.receipt.without_form
            for line in self.units
            if line.receipt and not line.receipt.has_form
        }

    @property
    def required(self) -> tuple[Cell, ...]:
        """Every required cell of the units that owe a return."""
        return tuple(cell for line in self.units for cell in line.required)

    def in_state(self, state: UnitState) -> tuple[UnitStanding, ...]:
        """The units in a state."""
        return tuple(line for line in self.units if line.state is state)

    def count(self, state: ItemState) -> int:
        """How many required cells are in a state."""
        return sum(line.count(state) for line in self.units)

    @property
    def missing(self) -> int:
        """How many required items are not answered."""
        return sum(len(line.missing) for line in self.units)

    def as_json(self) -> dict[str, Any]:
        """The object that `status --json` prints; its keys are public."""
        return {
            "period": str(self.period),
            "due": self.due.isoformat(),
            "as_of": self.as_of.astimezone(CHINA).isoformat(),
            "units": {
                "expected": len(self.expected),
                "returned": len(self.returned),
                "on_time": len(self.in_state(UnitState.ON_TIME)),
                "late": len(self.in_state(UnitState.LATE)),
                "overdue": len(self.in_state(UnitState.OVERDUE)),
            },
            "items": {
                "required": len(self.required),
                "filled": self.count(ItemState.FILLED),
                "nil": self.count(ItemState.NO_PROGRESS),
                "not_applicable": self.count(ItemState.NOT_APPLICABLE),
                "missing": self.missing,
            },
            "files": {
                "accepted": self.files.accepted,
                "held": self.files.held,
                "rejected": self.files.rejected,
            },
            "by_unit": [line.as_json() for line in self.units],
        }


@dataclass(frozen=True)
class Rulebook:
    """The settings that a standing depends on."""

    calendar: Calendar
    wording: Wording = Wording()
    required: frozenset[Ground] = ALL_GROUNDS


def assess(
    plan: Plan,
    period: Period,
    as_of: datetime,
    receipts: Mapping[str, Receipt],
    rulebook: Rulebook,
    files: FileCounts | None = None,
) -> Standing:
    """Work out where a period stands.

    Args:
        as_of: the moment; receipts that arrived later must not be among `receipts`.
        receipts: by unit code, for the units whose return is here.
        files: counts to pass on.
    """
    duties: dict[str, list[Obligation]] = defaultdict(list)
    for duty in plan.obligations(rulebook.required):
        duties[duty.unit].append(duty)
    units = tuple(
        assess_unit(
            unit,
            duties[unit.code],
            period,
            as_of,
            receipts.get(unit.code),
            rulebook,
        )
        for unit in plan.units
    )
    return Standing(period, rulebook.calendar.due(period), as_of, units, files or FileCounts())


def assess_unit(
    unit: Unit,
    obligations: Sequence[Obligation],
    period: Period,
    as_of: datetime,
    receipt: Receipt | None,
    rulebook: Rulebook,
) -> UnitStanding:
    """Work out where one unit stands; see `assess`.

    Args:
        obligations: its own.
    """
    due = rulebook.calendar.due(period, unit.code)
    exempt = (unit.code, period) in rulebook.calendar.exemptions
    state = UnitState.EXEMPT if exempt else _unit_state(due, as_of, receipt)
    return UnitStanding(
        unit,
        state,
        due,
        receipt.first_received if receipt else as_of,
        receipt,
        tuple(_cell(duty, receipt, exempt, rulebook.wording) for duty in obligations),
        rulebook.calendar,
    )


def _unit_state(due: date, as_of: datetime, receipt: Receipt | None) -> UnitState:
    if receipt is not None:
        late = days_after(due, receipt.first_received) > 0
        return UnitState.LATE if late else UnitState.ON_TIME
    return UnitState.OVERDUE if days_after(due, as_of) > 0 else UnitState.NOT_DUE


def _cell(duty: Obligation, receipt: Receipt | None, exempt: bool, wording: Wording) -> Cell:
    if exempt:
        duty = Obligation(duty.unit, duty.item, duty.role, required=False)
    if receipt is None or not receipt.has_form:
        return Cell(duty, ItemState.NOT_RETURNED if duty.required else None)
    # A row that the unit deleted from its return was returned without an answer.
    entry = receipt.entries.get(duty.item) or Entry(duty.item, {})
    state = state_of(entry, wording)
    blank = state is ItemState.NOT_FILLED and not duty.required
    return Cell(duty, None if blank else state, entry)
