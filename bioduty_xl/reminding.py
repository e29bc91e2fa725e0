"""Reminding: whom to call, and a letter to each unit when one of its stages has come.

A stage is reminded of once and put on record; who was away for several catches up with the last.
What is no longer owed leaves the folder, so that nobody sends a letter to a unit that has reported.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.chasing import Chased, Degrees, chased, stages
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.evidence import take_standing
from bioduty_xl.handout import file_name
from bioduty_xl.layout.atomic import write_beside_if_open
from bioduty_xl.layout.sheets import REMINDERS
from bioduty_xl.ledger import Ledger, Reminder
from bioduty_xl.report import frames
from bioduty_xl.report.book import render_reminders
from bioduty_xl.report.letters import reminder_letter
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reminding:
    """The reminders of a quarter.

    Attributes:
        folder: where list and letters go.
    """

    terms: Terms
    ledger: Ledger
    period: Period
    folder: Path

    def renew(self, as_of: datetime) -> list[Path]:
        """Write the letters whose stage has come, and the list if it would show anything else.

        Returns:
            What was written.
        """
        today = as_of.astimezone(CHINA).date()
        if today < self._first_day():
            return []
        owing = self._owing(as_of, today)
        known = {(one.unit, one.due, one.distance) for one in self.ledger.reminders(self.period)}
        due = [one for one in owing if one.stage and _key(one) not in known]
        letters = [self._write_letter(one, today) for one in due]
        self._drop_letters(owing)
        self.ledger.record_reminders(
            [
                Reminder(self.period, one.line.unit.code, one.line.due, one.stage.distance, as_of)
                for one in due
                if one.stage
            ]
        )
        if letters:
            _log.info("%s: %d reminders", self.period, len(letters))
        return [*self.list_owing(as_of), *letters]

    def list_owing(self, as_of: datetime) -> list[Path]:
        """Write 催报清单 as of a moment, if it would show anything else than it does or is gone."""
        owing = self._owing(as_of, as_of.astimezone(CHINA).date())
        plan = self.terms.plan(self.period)
        forms = self.ledger.contact_forms(as_of)
        contacts = {unit: self.ledger.contacts_in(file) for unit, file in forms.items()}
        table = frames.reminders(owing, plan, contacts, self._reminded(as_of))
        shown = hashlib.sha256(table.to_csv(index=False).encode(errors="replace")).hexdigest()
        path, name = self.folder / f"{REMINDERS.title}.xlsx", f"{self.period}/{REMINDERS.title}"
        if path.exists() and self.ledger.book_shows(name) == shown:
            return []
        written = write_beside_if_open(path, render_reminders(table, self.period, as_of))
        if written == path:
            self.ledger.record_book(name, shown)
        return [written]

    def letter_file(self, unit: Unit) -> Path:
        """Where a unit's letter goes."""
        return self.folder / f"{file_name(unit)}_{self.period}_催报函.docx"

    def _first_day(self) -> date:
        """The first day on which anybody is reminded."""
        calendar = self.terms.calendar
        dues = {calendar.due(self.period), *self._dues()}
        found = (
            stage.day
            for due in dues
            for stage in stages(calendar, due, self.terms.settings.reminders.distances)
        )
        return min(found, default=date.max)

    def _dues(self) -> Sequence[date]:
        calendar = self.terms.calendar
        units = self.terms.plan(self.period).units
        return [calendar.due(self.period, unit.code) for unit in units]

    def _owing(self, as_of: datetime, today: date) -> tuple[Chased, ...]:
        """The units that owe something and have the form to do it with."""
        reminders = self.terms.settings.reminders
        degrees = Degrees(reminders.urgent_from, reminders.very_urgent_from)
        standing = take_standing(self.terms, self.ledger, self.period, as_of)
        asked = self.ledger.units_with_form(FormKind.RETURN, self.period)
        found = chased(standing, reminders.distances, degrees, self.terms.calendar, today)
        return tuple(one for one in found if one.line.unit.code in asked)

    def _write_letter(self, one: Chased, today: date) -> Path:
        office, plan = self.terms.settings.office, self.terms.plan(self.period)
        content = reminder_letter(office, self.period, one, plan, today)
        return write_beside_if_open(self.letter_file(one.line.unit), content)

    def _drop_letters(self, owing: Sequence[Chased]) -> None:
        wanted = {self.letter_file(one.line.unit) for one in owing}
        for unit in self.terms.plan(self.period).units:
            path = self.letter_file(unit)
            if path not in wanted and path.exists():
                path.unlink()

    def _reminded(self, as_of: datetime) -> Mapping[str, Sequence[date]]:
        found: dict[str, list[date]] = {}
        for one in self.ledger.reminders(self.period):
            if one.made <= as_of:
                found.setdefault(one.unit, []).append(one.made.date())
        return found


def _key(one: Chased) -> tuple[str, date, int]:
    assert one.stage, "only a stage that has come is looked up"
    return one.line.unit.code, one.line.due, one.stage.distance
