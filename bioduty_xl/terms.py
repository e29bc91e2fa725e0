"""The terms of a collection: settings, plan and register, worked out for each period.

The plan of a period is the plan workbook with the changes of units that hold by then, so that past
quarters stay as they were. Who needs units, due dates or duties asks here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from bioduty_xl.config import Settings
from bioduty_xl.domain.calendar import CHINA, Calendar, end_of_day
from bioduty_xl.domain.filename import clean_name, distinct_names
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Obligation, Plan, Unit
from bioduty_xl.domain.register import Plans, Register, TrueReceipt
from bioduty_xl.domain.standing import Rulebook
from bioduty_xl.errors import ConfigError


@dataclass(frozen=True)
class Terms:
    """What is agreed on.

    Attributes:
        settings: bioduty.toml.
        base: the plan as its workbook says it, before any change of units.
        register: what the coordinator decided on the way.
    """

    settings: Settings
    base: Plan
    register: Register = Register()

    def plan(self, period: Period) -> Plan:
        """The plan that holds for a period."""
        return self.plans.of(period)

    def plan_with(self, unit: str, period: Period) -> Plan | None:
        """The plan that holds for a period; where a unit has left it by then, the last one that
        still had the unit.

        Args:
            unit: its code.
        """
        starts = sorted(
            {change.since for change in self.register.changes if change.since <= period},
            reverse=True,
        )
        plans = (self.plan(period), *(self.plan(start.shift(-1)) for start in starts), self.base)
        return next((plan for plan in plans if unit in plan.by_code), None)

    def file_name(self, unit: Unit, period: Period) -> str:
        """A unit's name as it stands in the names of a period's files: one that every system takes,
        and no other unit of the period has.
        """
        if period not in self._file_names:
            names = {one.code: one.name for one in self.plan(period).units}
            self._file_names[period] = distinct_names(names)
        left = f"{clean_name(unit.name)}（{clean_name(unit.code)}）"  # the plan by then
        return self._file_names[period].get(unit.code, left)

    @property
    def latest(self) -> Plan:
        """The plan with every change of units."""
        return self.plans.latest

    def obligations(self, period: Period) -> tuple[Obligation, ...]:
        """What must or may be reported for a period."""
        return self.plan(period).obligations(self.settings.rules.required)

    def duties_of(self, unit: str, period: Period) -> Mapping[str, Obligation]:
        """What one unit must or may report for a period, by item key."""
        if period not in self._duties:
            by_unit: dict[str, dict[str, Obligation]] = defaultdict(dict)
            for duty in self.obligations(period):
                by_unit[duty.unit][duty.item] = duty
            self._duties[period] = dict(by_unit)
        return self._duties[period].get(unit, {})

    def predecessors(self, period: Period) -> dict[str, list[str]]:
        """Codes of the units that were merged into a unit with the start of a period, by its
        code.
        """
        return self.plans.predecessors(period)

    def find_unit(self, name: str, period: Period | None = None) -> Unit:
        """A unit by name, alias or code, as it stands in a period (None: after all changes).

        Raises:
            ConfigError: the plan has no such unit; the likely ones are named.
        """
        plan = self.plan(period) if period else self.latest
        unit = plan.find_unit(name)
        if unit is None:
            raise ConfigError(plan.unknown(name))
        return unit

    def true_receipts(self, period: Period, as_of: datetime) -> dict[str, TrueReceipt]:
        """The returns of a period that truly came at another time than their files, or without
        any (收件更正), by unit code: those that had come by the end of a moment's day.
        """
        until = end_of_day(as_of.astimezone(CHINA).date())
        return {
            one.unit: one
            for one in self.register.receipts
            if one.period == period and one.received <= until
        }

    @property
    def calendar(self) -> Calendar:
        """Due dates, extensions, exemptions and working days in force."""
        return self.rulebook.calendar

    @cached_property
    def rulebook(self) -> Rulebook:
        """Due dates, exemptions and definitions in force; the register goes before the settings.

        Raises:
            ConfigError: the settings name a unit that is not in the plan, or grant an extension
                that cannot be one.
        """
        register = self.register
        days = {day: change.works for change in register.days for day in change.days}
        usual = self.settings.rulebook(self.plan, days)
        calendar = usual.calendar
        return replace(
            usual,
            calendar=replace(
                calendar,
                extensions={
                    **calendar.extensions,
                    **{(one.unit, one.period): one.due for one in register.extensions},
                },
                exemptions={
                    **calendar.exemptions,
                    **{(one.unit, one.period): one.reason for one in register.exemptions},
                },
            ),
        )

    @cached_property
    def _duties(self) -> dict[Period, dict[str, dict[str, Obligation]]]:
        """By period and unit code, as they were asked for."""
        return {}

    @cached_property
    def _file_names(self) -> dict[Period, dict[str, str]]:
        """By period and unit code, as they were asked for."""
        return {}

    @cached_property
    def plans(self) -> Plans:
        """The plan of every period."""
        changes = sorted(self.register.changes, key=lambda change: change.since)
        return Plans(self.base, changes)
