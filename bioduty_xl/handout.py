"""Hands out forms: from plan, ledger and settings to one workbook for each unit."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bioduty_xl.config import Office
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Obligation, Plan, Unit
from bioduty_xl.domain.returns import Contact, Entry
from bioduty_xl.domain.stamp import FormKind, Seal, Stamp
from bioduty_xl.forms.correction import Correction
from bioduty_xl.forms.template import CONTACTS_TEMPLATE, RETURN_TEMPLATE
from bioduty_xl.forms.writer import (
    Order,
    write_contact_list,
    write_contacts_form,
    write_return_form,
)
from bioduty_xl.layout.packaged import version
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    EXEMPT_BEFORE,
    NO_PREVIOUS,
    NO_PREVIOUS_ANSWER,
    NOT_RETURNED_BEFORE,
)
from bioduty_xl.ledger import FileRecord, Ledger
from bioduty_xl.terms import Terms

_FORBIDDEN_IN_NAMES = str.maketrans(dict.fromkeys('\\/:*?"<>|\r\n\t', "_"))


@dataclass(frozen=True)
class Handout:
    """What a period's forms are made from, and where they go.

    Attributes:
        folder: the period's folder in the outbox.
        template: path of a template by its name.
    """

    terms: Terms
    seal: Seal
    ledger: Ledger
    period: Period
    folder: Path
    template: Callable[[str], Path]

    def forms(
        self, units: Sequence[Unit], *, contacts: bool = False
    ) -> tuple[tuple[FormKind, Unit], ...]:
        """The forms that go out, return forms first: with the first return also the contact form
        (the letter, 二), and again to a unit that was asked for its contacts and named none.

        Args:
            contacts: contact forms for all, because they are asked for.
        """
        first = self.period == self.terms.calendar.first
        known, asked = self.ledger.contact_forms(), self.ledger.units_asked(FormKind.CONTACTS)
        return (
            *((FormKind.RETURN, unit) for unit in units),
            *(
                (FormKind.CONTACTS, unit)
                for unit in units
                if first or contacts or (unit.code in asked and unit.code not in known)
            ),
        )

    def write(self, kind: FormKind, unit: Unit) -> tuple[Stamp, Path]:
        """Write one form; the same inputs give the same bytes."""
        order = self._order(kind, unit)
        name = file_name(unit)
        if kind is FormKind.CONTACTS:
            path = self.folder / "contacts" / f"{name}_{self.period}_{CONTACTS_FORM.title}.xlsx"
            write_contacts_form(order, self.seal, self.template(CONTACTS_TEMPLATE), path)
            return order.stamp, path
        path = self.folder / "forms" / f"{name}_{self.period}.xlsx"
        write_return_form(
            order,
            self.plan,
            self._duties[unit.code],
            self.seal,
            self.terms.settings.wording,
            self.template(RETURN_TEMPLATE),
            path,
        )
        return order.stamp, path

    def list_contacts(self, contacts: Mapping[str, Sequence[Contact]], target: Path) -> None:
        """Write the list of every unit's contacts."""
        write_contact_list(self.plan, contacts, self.template(CONTACTS_TEMPLATE), target)

    def correct(self, unit: Unit, correction: Correction) -> Path:
        """Write a unit's correction copy; the same inputs give the same bytes."""
        path = self.correction_file(unit)
        write_return_form(
            self._order(FormKind.RETURN, unit),
            self.plan,
            self._duties[unit.code],
            self.seal,
            self.terms.settings.wording,
            self.template(RETURN_TEMPLATE),
            path,
            correction,
        )
        return path

    def correction_made_of(self, unit: Unit, correction: Correction) -> str:
        """A fingerprint of all that a unit's correction copy is made of: of the same the same copy
        comes.
        """
        return _fingerprint(
            self._made_with(RETURN_TEMPLATE),
            self._order(FormKind.RETURN, unit),
            self._duties[unit.code],
            sorted(correction.header.items()),
            [
                (entry.item, sorted(entry.answers.items()), sorted(entry.unreadable))
                for entry in correction.entries.values()
            ],
            correction.findings,
        )

    def contact_list_made_of(self, contacts: Mapping[str, Sequence[Contact]]) -> str:
        """A fingerprint of all that the list of contacts is made of."""
        return _fingerprint(self._made_with(CONTACTS_TEMPLATE), sorted(contacts.items()))

    def _made_with(self, template: str) -> str:
        """What all papers of one template have in common."""
        if template not in self._common:
            self._common[template] = _fingerprint(
                *(version(), self.plan, self.terms.settings.wording),
                self.template(template).read_bytes(),
            )
        return self._common[template]

    @cached_property
    def _common(self) -> dict[str, str]:
        return {}

    def correction_file(self, unit: Unit) -> Path:
        """Where a unit's correction copy goes."""
        return self.folder / "corrections" / f"{file_name(unit)}_{self.period}_退回修改.xlsx"

    @property
    def plan(self) -> Plan:
        """The plan of the period."""
        return self.terms.plan(self.period)

    @cached_property
    def _duties(self) -> Mapping[str, Sequence[Obligation]]:
        """What each unit answers for, by its code, in plan order."""
        duties: dict[str, list[Obligation]] = defaultdict(list)
        for duty in self.terms.obligations(self.period):
            duties[duty.unit].append(duty)
        return duties

    @cached_property
    def _returned_before(self) -> Mapping[str, Sequence[FileRecord]] | None:
        """The returns of the quarter before, by unit code; None where no form was handed out."""
        before = self.period.shift(-1)
        if not self.ledger.units_with_form(FormKind.RETURN, before):
            return None
        return self.ledger.revisions(FormKind.RETURN, before)

    @cached_property
    def _contact_forms(self) -> Mapping[str, FileRecord]:
        return self.ledger.contact_forms()

    def _order(self, kind: FormKind, unit: Unit) -> Order:
        calendar = self.terms.calendar
        first_day, _ = calendar.covers(self.period)
        due = calendar.due(self.period, unit.code)
        return Order(
            self.seal.stamp(kind, unit.code, self.period),
            unit,
            due,
            (first_day, due),
            help_line(self.terms.settings.office),
            self._previous(unit) if kind is FormKind.RETURN else {},
            self._contacts(unit),
        )

    def _previous(self, unit: Unit) -> Mapping[str, str]:
        """What the unit said last quarter that it would do next, by item; what it has taken over
        from a unit that was merged into it, that one said.
        """
        items = [item.key for item in self.plan.items]
        revisions = self._returned_before
        if revisions is None:
            return dict.fromkeys(items, NO_PREVIOUS)
        merged = self.terms.predecessors(self.period).get(unit.code, ())
        said: dict[str, str] = {}
        for code in (*merged, unit.code):  # its own words go before those of others
            if code in revisions:
                said |= _promises(self.ledger.entries(revisions[code][-1]))
        return {item: said.get(item) or self._silence(unit, revisions) for item in items}

    def _silence(self, unit: Unit, revisions: Container[str]) -> str:
        """Why nothing is known of what a unit promised."""
        if unit.code in revisions:
            return NO_PREVIOUS_ANSWER
        exempt = (unit.code, self.period.shift(-1)) in self.terms.calendar.exemptions
        return EXEMPT_BEFORE if exempt else NOT_RETURNED_BEFORE

    def _contacts(self, unit: Unit) -> tuple[Contact, ...]:
        form = self._contact_forms.get(unit.code)
        return self.ledger.contacts_in(form) if form else ()


def _fingerprint(*values: object) -> str:
    """Of values whose text says all that they are."""
    return hashlib.sha256(repr(values).encode(errors="surrogatepass")).hexdigest()


def _promises(entries: Sequence[Entry]) -> dict[str, str]:
    """What a return says will be done next, by item, where it says something."""
    said = {
        entry.item: entry["next_steps"].strip()
        for entry in entries
        if "next_steps" not in entry.unreadable
    }
    return {item: text for item, text in said.items() if text}


def file_name(unit: Unit) -> str:
    """A unit's name as it may stand in the name of a file."""
    return unit.name.translate(_FORBIDDEN_IN_NAMES)


def help_line(office: Office) -> str:
    """Whom to call, as the form prints it."""
    whom = [f"联系人：{office.contact}"] if office.contact else []
    whom += [f"电话：{office.phone}"] if office.phone else []
    return office.name + (f"（{'，'.join(whom)}）" if whom else "")
