"""When a unit is reminded, and how urgently. Pure; nothing here asks the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bioduty_xl.domain.calendar import Calendar
from bioduty_xl.domain.standing import Standing, UnitStanding, UnitState


class Urgency(StrEnum):
    """紧急程度 of a letter, as GB/T 9704-2012 (7.2.3) knows it; the value is the word printed."""

    ORDINARY = ""
    URGENT = "加急"
    VERY_URGENT = "特急"


@dataclass(frozen=True)
class Degrees:
    """From how many days overdue a reminder is urgent, and very urgent."""

    urgent_from: int = 5
    very_urgent_from: int = 10

    def of(self, days_overdue: int) -> Urgency:
        """How urgent a reminder is."""
        if days_overdue >= self.very_urgent_from:
            return Urgency.VERY_URGENT
        return Urgency.URGENT if days_overdue >= self.urgent_from else Urgency.ORDINARY


@dataclass(frozen=True)
class Stage:
    """A day on which units are reminded.

    Attributes:
        distance: working days from the due date; negative before it.
        day: the first day on which it is due.
    """

    distance: int
    day: date


def stages(calendar: Calendar, due: date, distances: Iterable[int]) -> tuple[Stage, ...]:
    """The stages of a due date, in order of time."""
    found = (Stage(n, calendar.working_day(due, n)) for n in sorted(set(distances)) if n)
    return tuple(found)


@dataclass(frozen=True)
class Chased:
    """A unit that owes something.

    Attributes:
        line: where it stands.
        urgency: by its days overdue; a return that is here but wanting is never urgent.
    """

    line: UnitStanding
    urgency: Urgency

    @property
    def has_returned(self) -> bool:
        """Whether a return is here, with items missing; also one that came by another way, of
        which the form is missing.
        """
        return self.line.receipt is not None

    @property
    def asked(self) -> tuple[str, ...]:
        """Keys of the items that it is asked for; none: the whole return."""
        missing = tuple(cell.obligation.item for cell in self.line.missing)
        return missing if self.has_returned else ()

    @property
    def has_form(self) -> bool:
        """Whether that return came on its form."""
        return self.line.receipt is not None and self.line.receipt.has_form


def chased(standing: Standing, degrees: Degrees, today: date) -> tuple[Chased, ...]:
    """The units that owe a return, or items in one that is here; longest overdue first."""
    found = (
        Chased(line, Urgency.ORDINARY if line.receipt else degrees.of(line.days_overdue))
        for line in standing.expected
        if line.receipt is None or line.missing
    )
    owing = (one for one in found if not one.has_returned or today > one.line.due)
    return tuple(sorted(owing, key=lambda one: (one.has_returned, -_days(one), one.line.unit.code)))


def _days(one: Chased) -> int:
    return one.line.days_overdue if one.line.state is UnitState.OVERDUE else 0


@dataclass(frozen=True)
class Call:
    """A reminder that is due: a unit that owes something, at a stage that has come."""

    one: Chased
    stage: Stage


def calls(
    owing: Iterable[Chased],
    calendar: Calendar,
    distances: Iterable[int],
    issued: Mapping[str, date],
    today: date,
) -> tuple[Call, ...]:
    """For each unit the latest stage that has come since its form went out, if there is one. Who
    was not there for several stages catches up with the last of them alone.

    Args:
        issued: the day on which a unit's form went out, by its code.
    """
    wanted, found = tuple(distances), []
    for one in owing:
        since = issued.get(one.line.unit.code, date.max)
        dated = stages(calendar, one.line.due, wanted)
        come = [stage for stage in dated if since < stage.day <= today]
        found += [Call(one, stage) for stage in come[-1:]]
    return tuple(found)
