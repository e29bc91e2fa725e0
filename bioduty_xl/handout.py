"""Hands out forms: from plan, ledger and settings to one workbook for each unit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from bioduty_xl.config import Office
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Obligation, Plan, Unit
from bioduty_xl.domain.returns import Contact
from bioduty_xl.domain.stamp import FormKind, Seal, Stamp
from bioduty_xl.forms.content import Content, Order, contacts_content, return_content
from bioduty_xl.forms.correction import Correction, corrected
from bioduty_xl.forms.press import Made, Press
from bioduty_xl.forms.template import CONTACTS_TEMPLATE, RETURN_TEMPLATE, Template
from bioduty_xl.forms.writer import write_contact_list
from bioduty_xl.layout.atomic import write_whole
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    EXEMPT_BEFORE,
    NO_PREVIOUS,
    NO_PREVIOUS_ANSWER,
    NOT_RETURNED_BEFORE,
    RETURN_FORM,
)
from bioduty_xl.ledger import Book, FileRecord, Ledger
from bioduty_xl.terms import Terms


@dataclass(frozen=True)
class Form:
    """A form to be handed out.

    Attributes:
        stamp: whose it is.
        path: where it goes.
        made: what it holds, and how it was made.
    """

    stamp: Stamp
    path: Path
    made: Made


@dataclass(frozen=True)
class Handout:
    """What a period's forms are made from, and where they go. It stands for one moment: what it
    has asked the ledger or read from a template it does not ask again.

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
        known, asked = self._contact_forms, self.ledger.units_asked(FormKind.CONTACTS)
        return (
            *((FormKind.RETURN, unit) for unit in units),
            *(
                (FormKind.CONTACTS, unit)
                for unit in units
                if first or contacts or (unit.code in asked and unit.code not in known)
            ),
        )

    def make(self, kind: FormKind, unit: Unit) -> Form:
        """One form; the same inputs give the same bytes.

        Raises:
            TemplateError: the template lacks something.
        """
        order = self._order(kind, unit)
        if kind is FormKind.CONTACTS:
            press = self._contacts_press
            content = contacts_content(order, self.seal, press.frame)
        else:
            press, content = self._return_press, self._content(order)
        return Form(order.stamp, self._file(kind, unit), press.make(content))

    def _file(self, kind: FormKind, unit: Unit) -> Path:
        name = f"{self.terms.file_name(unit, self.period)}_{self.period}"
        if kind is FormKind.CONTACTS:
            return self.folder / "contacts" / f"{name}_{CONTACTS_FORM.title}.xlsx"
        return self.folder / "forms" / f"{name}.xlsx"

    def list_contacts(self, target: Path, as_of: datetime) -> list[Path]:
        """Write the list of every unit's contacts as of a moment, if any is known and the list
        would show anything else than it does, or is gone.

        Returns:
            Its path if it was written.
        """
        forms = self.ledger.contact_forms(as_of)
        contacts = {unit: self.ledger.contacts_in(file) for unit, file in forms.items()}
        names = [(unit.code, unit.name) for unit in self.plan.units]
        template = self.template(CONTACTS_TEMPLATE)
        book = Book(_digest(names, sorted(contacts.items()), template.read_bytes()))
        if not contacts or (target.exists() and self.ledger.book(target.name) == book):
            return []
        write_contact_list(self.plan, contacts, template, target)
        self.ledger.record_book(target.name, book)
        return [target]

    def asks(self, unit: str) -> bool:
        """Whether the unit with a code has anything to report in the period."""
        return bool(self._obligations.get(unit))

    def correction(self, unit: Unit, correction: Correction) -> Content:
        """What a unit's correction copy says."""
        fresh = self._content(self._order(FormKind.RETURN, unit), correction)
        items = [duty.item for duty in self._obligations[unit.code]]
        return corrected(fresh, items, self.plan, correction, self._return_press.frame)

    def correction_shows(self, content: Content) -> str:
        """A fingerprint of all that a correction copy shows."""
        return _digest(content, hashlib.sha256(self._return_template.file).hexdigest())

    def correct(self, unit: Unit, content: Content) -> Path:
        """Write a unit's correction copy; the same content gives the same bytes."""
        path = self.correction_file(unit)
        write_whole(path, self._return_press.make(content).file)
        return path

    def correction_file(self, unit: Unit) -> Path:
        """Where a unit's correction copy goes."""
        name = self.terms.file_name(unit, self.period)
        return self.folder / "corrections" / f"{name}_{self.period}_退回修改.xlsx"

    @property
    def plan(self) -> Plan:
        """The plan of the period."""
        return self.terms.plan(self.period)

    def _content(self, order: Order, correction: Correction | None = None) -> Content:
        """What a return form says."""
        obligations = self._obligations[order.unit.code]
        wording = self.terms.settings.wording
        return return_content(
            order,
            self.plan,
            obligations,
            self.seal,
            wording,
            self._return_press.frame,
            correction.answered(obligations, wording) if correction else 0,
        )

    @cached_property
    def _return_template(self) -> Template:
        return Template.read(self.template(RETURN_TEMPLATE), RETURN_FORM)

    @cached_property
    def _return_press(self) -> Press:
        return Press(self._return_template)

    @cached_property
    def _contacts_press(self) -> Press:
        return Press(Template.read(self.template(CONTACTS_TEMPLATE), CONTACTS_FORM))

    @cached_property
    def _obligations(self) -> Mapping[str, Sequence[Obligation]]:
        """By unit code, in plan order."""
        found: dict[str, list[Obligation]] = {unit.code: [] for unit in self.plan.units}
        for duty in self.terms.obligations(self.period):
            found[duty.unit].append(duty)
        return found

    def _order(self, kind: FormKind, unit: Unit) -> Order:
        calendar = self.terms.calendar
        due = calendar.due(self.period, unit.code)
        return Order(
            self.seal.stamp(kind, unit.code, self.period),
            unit,
            due,
            (calendar.covers(self.period)[0], due),
            help_line(self.terms.settings.office),
            self._previous(unit) if kind is FormKind.RETURN else {},
            self._contacts(unit) if kind is FormKind.CONTACTS else (),
        )

    def _previous(self, unit: Unit) -> Mapping[str, str]:
        """What the unit said last quarter that it would do next, by item; what it has taken over
        from a unit that was merged into it, that one said.
        """
        items = [duty.item for duty in self._obligations[unit.code]]
        if not self._were_out_before:
            return dict.fromkeys(items, NO_PREVIOUS)
        said: dict[str, str] = {}
        for code in (*self._merged.get(unit.code, ()), unit.code):  # its own words go first
            said |= self._promised_before.get(code, {})
        silence = self._silence(unit)
        return {item: said.get(item) or silence for item in items}

    @cached_property
    def _were_out_before(self) -> bool:
        return bool(self.ledger.units_with_form(FormKind.RETURN, self.period.shift(-1)))

    @cached_property
    def _returned_before(self) -> Mapping[str, FileRecord]:
        """The newest return of last quarter by unit code."""
        revisions = self.ledger.revisions(FormKind.RETURN, self.period.shift(-1))
        return {code: files[-1] for code, files in revisions.items()}

    @cached_property
    def _promised_before(self) -> Mapping[str, Mapping[str, str]]:
        """What last quarter's returns say will be done next, where they say something: by unit code
        and item key.
        """
        returned = self._returned_before
        answers = self.ledger.answers(returned.values(), "next_steps")
        return {code: _said(answers.get(file.id, {})) for code, file in returned.items()}

    @cached_property
    def _merged(self) -> Mapping[str, Sequence[str]]:
        return self.terms.predecessors(self.period)

    def _silence(self, unit: Unit) -> str:
        """Why nothing is known of what a unit promised."""
        if unit.code in self._returned_before:
            return NO_PREVIOUS_ANSWER
        exempt = (unit.code, self.period.shift(-1)) in self.terms.calendar.exemptions
        return EXEMPT_BEFORE if exempt else NOT_RETURNED_BEFORE

    def _contacts(self, unit: Unit) -> tuple[Contact, ...]:
        known = self._contact_forms
        return self.ledger.contacts_in(known[unit.code]) if unit.code in known else ()

    @cached_property
    def _contact_forms(self) -> Mapping[str, FileRecord]:
        return self.ledger.contact_forms()


def _said(answers: Mapping[str, str]) -> dict[str, str]:
    """Answers without those that are blank."""
    return {item: text.strip() for item, text in answers.items() if text.strip()}


def _digest(*parts: object) -> str:
    """A fingerprint of values; sets must not be among them, since their order is not kept."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def help_line(office: Office) -> str:
    """Whom to call, as the form prints it."""
    whom = [f"联系人：{office.contact}"] if office.contact else []
    whom += [f"电话：{office.phone}"] if office.phone else []
    return office.name + (f"（{'，'.join(whom)}）" if whom else "")
