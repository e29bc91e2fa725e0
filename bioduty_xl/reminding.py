"""Reminding: whom to call, and a letter to each unit when one of its stages has come.

A stage is reminded of once, with what it asked for on record; who was away for several catches up
with the last. A letter stays in the folder only while that still holds, so that nobody sends a unit
a letter about a return that is here, a date that has been moved or a quarter that is closed; the
next stage makes the right one.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.chasing import Call, Chased, Degrees, calls, chased, stages
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.evidence import take_standing
from bioduty_xl.layout.atomic import remove_unless_open, write_beside_if_open
from bioduty_xl.layout.sheets import REMINDERS
from bioduty_xl.ledger import Book, Ledger, Reminder
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
        """Write the letters whose stage has come, take away those that hold no longer, and write
        the list if it would show anything else than it does.

        Returns:
            What was written; nothing before the first stage of anybody.
        """
        today = _day(as_of)
        if today < self._first_day():
            self.drop_letters()
            return []
        owing = self._owing(as_of)
        due = self._calls(owing, today)
        letters = self._write_letters(due, as_of)
        self._drop_letters({*letters, *map(self.letter_file, self._held(due))})
        if letters:
            _log.info("%s: %d reminders", self.period, len(letters))
        return [*self._list(owing, as_of), *letters]

    def close(self, as_of: datetime) -> list[Path]:
        """Write 催报清单 as of the moment of closing, and take every letter away.

        Returns:
            The list, if it was written.
        """
        written = self._list(self._owing(as_of), as_of)
        self.drop_letters()
        return written

    def drop_letters(self) -> None:
        """Take every letter away; one that is open in another program stays for now."""
        self._drop_letters(())

    def holding(self, as_of: datetime) -> dict[str, Reminder]:
        """The reminders on record that hold at a moment, by unit code: the unit's last one, if its
        due date, its stage and what it was asked for are still the same.
        """
        due = self._calls(self._owing(as_of), _day(as_of))
        return {unit.code: reminder for unit, reminder in self._held(due).items()}

    def letter_file(self, unit: Unit) -> Path:
        """Where a unit's letter goes."""
        name = self.terms.file_name(unit, self.period)
        return self.folder / f"{name}_{self.period}_催报函.docx"

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

    def _owing(self, as_of: datetime) -> tuple[Chased, ...]:
        """The units that owe something and have the form to do it with."""
        reminders = self.terms.settings.reminders
        degrees = Degrees(reminders.urgent_from, reminders.very_urgent_from)
        standing = take_standing(self.terms, self.ledger, self.period, as_of)
        asked = self.ledger.units_with_form(FormKind.RETURN, self.period)
        found = chased(standing, degrees, _day(as_of))
        return tuple(one for one in found if one.line.unit.code in asked)

    def _calls(self, owing: Sequence[Chased], today: date) -> tuple[Call, ...]:
        distances = self.terms.settings.reminders.distances
        return calls(owing, self.terms.calendar, distances, self._issued(), today)

    def _issued(self) -> dict[str, date]:
        """The day on which each unit's form went out; long ago where nobody said."""
        return {
            form.unit: _day(form.issued) if form.issued else date.min
            for form in self.ledger.forms(self.period)
            if form.kind is FormKind.RETURN
        }

    def _write_letters(self, due: Sequence[Call], as_of: datetime) -> list[Path]:
        """Write and put on record the letters of stages that are not. One that is open in another
        program is written beside it, and again by the next pass.
        """
        known = {(one.unit, one.due, one.distance) for one in self.ledger.reminders(self.period)}
        new = [call for call in due if (*_who(call), call.stage.distance) not in known]
        written = [(call, self._write_letter(call, as_of)) for call in new]
        self.ledger.record_reminders(
            [
                Reminder(self.period, *_who(call), call.stage.distance, call.one.asked, as_of)
                for call, path in written
                if path == self.letter_file(call.one.line.unit)
            ]
        )
        return [path for _, path in written]

    def _write_letter(self, call: Call, as_of: datetime) -> Path:
        office, plan = self.terms.settings.office, self.terms.plan(self.period)
        content = reminder_letter(office, self.period, call.one, plan, _day(as_of))
        return write_beside_if_open(self.letter_file(call.one.line.unit), content)

    def _held(self, due: Sequence[Call]) -> dict[Unit, Reminder]:
        last = {one.unit: one for one in self.ledger.reminders(self.period)}
        return {
            call.one.line.unit: last[call.one.line.unit.code]
            for call in due
            if call.one.line.unit.code in last and _is_of(last[call.one.line.unit.code], call)
        }

    def _drop_letters(self, wanted: Container[Path]) -> None:
        """Take away what is named like a letter of ours and not wanted, whatever units are called
        by now.
        """
        ours = re.compile(rf".+_{self.period}_催报函(_\d+)?\.docx")
        for path in self.folder.glob("*.docx"):
            if ours.fullmatch(path.name) and path not in wanted:
                remove_unless_open(path)

    def _list(self, owing: Sequence[Chased], as_of: datetime) -> list[Path]:
        """Write 催报清单 if it would show anything else than it does or is gone."""
        plan = self.terms.plan(self.period)
        forms = self.ledger.contact_forms(as_of)
        contacts = {unit: self.ledger.contacts_in(file) for unit, file in forms.items()}
        table = frames.reminders(owing, plan, contacts, self._reminded(as_of))
        shown = hashlib.sha256(table.to_csv(index=False).encode(errors="replace")).hexdigest()
        path, name = self.folder / f"{REMINDERS.title}.xlsx", f"{self.period}/{REMINDERS.title}"
        if path.exists() and self.ledger.book(name).shown == shown:
            return []
        written = write_beside_if_open(path, render_reminders(table, self.period, as_of))
        if written == path:
            self.ledger.record_book(name, Book(shown))
        return [written]

    def _reminded(self, as_of: datetime) -> Mapping[str, Sequence[date]]:
        found: dict[str, list[date]] = {}
        for one in self.ledger.reminders(self.period):
            if one.made <= as_of:
                found.setdefault(one.unit, []).append(one.made.date())
        return found


def _who(call: Call) -> tuple[str, date]:
    return call.one.line.unit.code, call.one.line.due


def _is_of(reminder: Reminder, call: Call) -> bool:
    """Whether a reminder on record is what would be made now."""
    now = (call.one.line.due, call.stage.distance, call.one.asked)
    return (reminder.due, reminder.distance, reminder.asked) == now


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()
