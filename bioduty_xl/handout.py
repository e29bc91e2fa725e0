"""Hands out forms: from plan, ledger and settings to one workbook for each unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bioduty_xl.config import Office, Settings
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Obligation, Plan, Unit
from bioduty_xl.domain.returns import Contact
from bioduty_xl.domain.stamp import FormKind, Seal, Stamp
from bioduty_xl.domain.standing import Rulebook
from bioduty_xl.forms.correction import Correction
from bioduty_xl.forms.template import CONTACTS_TEMPLATE, RETURN_TEMPLATE
from bioduty_xl.forms.writer import (
    Order,
    write_contact_list,
    write_contacts_form,
    write_return_form,
)
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    EXEMPT_BEFORE,
    NO_PREVIOUS,
    NO_PREVIOUS_ANSWER,
    NOT_RETURNED_BEFORE,
)
from bioduty_xl.ledger import Ledger

_FORBIDDEN_IN_NAMES = str.maketrans(dict.fromkeys('\\/:*?"<>|\r\n\t', "_"))


@dataclass(frozen=True)
class Handout:
    """What a period's forms are made from, and where they go.

    Attributes:
        folder: the period's folder in the outbox.
        template: path of a template by its name.
    """

    settings: Settings
    plan: Plan
    rulebook: Rulebook
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
        first = self.period == self.rulebook.calendar.first
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
        name = unit.name.translate(_FORBIDDEN_IN_NAMES)
        if kind is FormKind.CONTACTS:
            path = self.folder / "contacts" / f"{name}_{self.period}_{CONTACTS_FORM.title}.xlsx"
            write_contacts_form(order, self.seal, self.template(CONTACTS_TEMPLATE), path)
            return order.stamp, path
        path = self.folder / "forms" / f"{name}_{self.period}.xlsx"
        write_return_form(
            order,
            self.plan,
            [duty for duty in self._obligations if duty.unit == unit.code],
            self.seal,
            self.settings.wording,
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
            [duty for duty in self._obligations if duty.unit == unit.code],
            self.seal,
            self.settings.wording,
            self.template(RETURN_TEMPLATE),
            path,
            correction,
        )
        return path

    def correction_file(self, unit: Unit) -> Path:
        """Where a unit's correction copy goes."""
        name = unit.name.translate(_FORBIDDEN_IN_NAMES)
        return self.folder / "corrections" / f"{name}_{self.period}_退回修改.xlsx"

    @property
    def _obligations(self) -> tuple[Obligation, ...]:
        return self.plan.obligations(self.rulebook.required)

    def _order(self, kind: FormKind, unit: Unit) -> Order:
        calendar = self.rulebook.calendar
        first_day, _ = calendar.covers(self.period)
        due = calendar.due(self.period, unit.code)
        return Order(
            self.seal.stamp(kind, unit.code, self.period),
            unit,
            due,
            (first_day, due),
            help_line(self.settings.office),
            self._previous(unit) if kind is FormKind.RETURN else {},
            self._contacts(unit),
        )

    def _previous(self, unit: Unit) -> Mapping[str, str]:
        """What the unit said last quarter that it would do next, by item."""
        before = self.period.shift(-1)
        items = [item.key for item in self.plan.items]
        if not self.ledger.units_with_form(FormKind.RETURN, before):
            return dict.fromkeys(items, NO_PREVIOUS)
        revisions = self.ledger.revisions(FormKind.RETURN, before).get(unit.code)
        if not revisions:
            exempt = (unit.code, before) in self.rulebook.calendar.exemptions
            return dict.fromkeys(items, EXEMPT_BEFORE if exempt else NOT_RETURNED_BEFORE)
        entries = self.ledger.entries(revisions[-1])
        said = {
            entry.item: entry["next_steps"].strip()
            for entry in entries
            if "next_steps" not in entry.unreadable
        }
        return {item: said.get(item) or NO_PREVIOUS_ANSWER for item in items}

    def _contacts(self, unit: Unit) -> tuple[Contact, ...]:
        forms = self.ledger.contact_forms()
        return self.ledger.contacts_in(forms[unit.code]) if unit.code in forms else ()


def help_line(office: Office) -> str:
    """Whom to call, as the form prints it."""
    whom = [f"联系人：{office.contact}"] if office.contact else []
    whom += [f"电话：{office.phone}"] if office.phone else []
    return office.name + (f"（{'，'.join(whom)}）" if whom else "")
