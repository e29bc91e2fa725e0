"""Register entries in words, for the record: one line each, without telephone numbers.

An entry says the unit's name of its period, so that its text stays the same whatever becomes of the
unit later; what people edit in a row makes it another entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from bioduty_xl.domain.calendar import end_of_day
from bioduty_xl.domain.register import (
    DayChange,
    Entry,
    Exemption,
    Extension,
    MailAddress,
    Ownership,
    Plans,
    Register,
    TrueReceipt,
    UnitChange,
)
from bioduty_xl.layout.columns import Sheet
from bioduty_xl.layout.sheets import (
    REGISTER_ADDRESSES,
    REGISTER_CHANGES,
    REGISTER_DAYS,
    REGISTER_EXEMPTIONS,
    REGISTER_EXTENSIONS,
    REGISTER_OWNERSHIPS,
    REGISTER_RECEIPTS,
)

_PHONE = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}[- ]?\d{7,8})(?!\d)")


def entry_texts(register: Register, plans: Plans) -> tuple[tuple[str, str], ...]:
    """(sheet title, text) of every entry that takes effect, in the order of `register.entries`."""
    return tuple(entry_text(entry, plans) for entry in register.entries)


def entry_text(entry: Entry, plans: Plans) -> tuple[str, str]:
    """(sheet title, text) of an entry."""
    sheet, words = _words(entry, plans)
    return sheet.title, " ".join(words)


def is_on_record(change: UnitChange, texts: Iterable[str]) -> bool:
    """Whether a change of units is among the texts on record, whatever reason they give for it:
    that may be worded better without changing what was decided.
    """
    said = " ".join(_change_words(change))
    with_basis = f"{said} {REGISTER_CHANGES['basis'].heading} "
    return any(text == said or text.startswith(with_basis) for text in texts)


def _words(entry: Entry, plans: Plans) -> tuple[Sheet, list[str]]:
    """The sheet that an entry stands in, and what it says."""
    keys: tuple[str, ...]
    match entry:
        case Extension():
            sheet, keys = REGISTER_EXTENSIONS, ("approved_by", "reason")
            words = [*_named(entry, plans), f"{sheet['due'].heading} {entry.due}"]
        case Exemption():
            sheet, keys = REGISTER_EXEMPTIONS, ("approved_by", "reason")
            words = [*_named(entry, plans), sheet.title]
        case TrueReceipt():
            sheet, keys = REGISTER_RECEIPTS, ("way",)
            words = [*_named(entry, plans), "实际收到", _moment_words(entry.received)]
        case Ownership():
            sheet, keys = REGISTER_OWNERSHIPS, ("reason",)
            file = " ".join(entry.file.split())
            words = [sheet["file"].heading, file, "归属", *_named(entry, plans)]
        case DayChange():
            sheet, keys = REGISTER_DAYS, ("note",)
            words = [_span(entry), sheet["kind"].choices[entry.works]]
        case UnitChange():
            sheet, keys = REGISTER_CHANGES, ("basis",)
            words = _change_words(entry)
        case MailAddress():
            unit = plans.base.by_code[entry.unit]
            return REGISTER_ADDRESSES, [f"{unit.name}（{unit.code}）", entry.address]
    said = ((sheet[key].heading, _line(getattr(entry, key))) for key in keys)
    return sheet, [*words, *(f"{heading} {text}" for heading, text in said if text)]


def _named(entry: Extension | Exemption | TrueReceipt | Ownership, plans: Plans) -> tuple[str, str]:
    """A unit's name of the period and its code, and the period."""
    unit = plans.of(entry.period).by_code[entry.unit]
    return f"{unit.name}（{unit.code}）", str(entry.period)


def _change_words(change: UnitChange) -> list[str]:
    return [f"自 {change.since} 起", change.unit, change.kind.value, change.successor]


def _line(text: str) -> str:
    """A text in one line, without telephone numbers."""
    return _PHONE.sub("（号码略）", " ".join(text.split()))


def _moment_words(when: datetime) -> str:
    whole_day = when == end_of_day(when.date())
    return f"{when:%Y-%m-%d}" if whole_day else f"{when:%Y-%m-%d %H:%M}"


def _span(days: DayChange) -> str:
    return f"{days.first}" if days.first == days.last else f"{days.first} 至 {days.last}"
