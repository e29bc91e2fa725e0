"""Rules on a return as a whole: who filled it, whether every row is there, the contacts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from bioduty_xl.domain.returns import Severity
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.layout.columns import Filler, Kind
from bioduty_xl.layout.sheets import CONTACTS_FORM, RETURN_FORM
from bioduty_xl.rules.rule import Case, Hit, Rule, quoted

_HOW = "位数或写法不对，应为 11 位手机号码，或区号-座机号码，如 0812-1234567"
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"(?:0\d{2,3}-?)?\d{7,8}(?:(?:-|转|转分机|分机|ext\.?)\d{1,6})?")
_BETWEEN = re.compile(r"[、,;/\n]|或")
_DASHES = str.maketrans(dict.fromkeys("—–－‐‑−", "-"))
_COUNTRY = re.compile(r"^(?:\+|00)86-?")
_ASIDE = re.compile(r"\([^0-9)]*\)")
_AREA = re.compile(r"^\((0\d{2,3})\)-?")


def header_blank(case: Case) -> Iterator[Hit]:
    """Nobody signed the return."""
    if case.returned.kind is not FormKind.RETURN:
        return
    for field in RETURN_FORM.fields:
        text = case.returned.header.get(field.key, "")
        if field.filled_by is Filler.UNIT and case.wording.is_blank(text):
            yield _at_field(case, field.key, f"没有填写“{field.label}”，请补填")


def phone_doubtful(case: Case) -> Iterator[Hit]:
    """A telephone number of a length or form that does not exist."""
    phone = case.returned.header.get("phone", "")
    if case.returned.kind is FormKind.RETURN and phone.strip() and not is_phone(phone):
        yield _at_field(case, "phone", f"联系电话“{quoted(phone.strip())}”{_HOW}")
    for contact in case.returned.contacts:
        for column in CONTACTS_FORM.columns:
            if column.kind is Kind.PHONE:
                number = getattr(contact, column.key)
                if number and not is_phone(number):
                    owner = contact.leader if column.key == "leader_phone" else contact.name
                    yield Hit(f"{owner}的联系电话“{quoted(number)}”{_HOW}", CONTACTS_FORM.title)


def row_missing(case: Case) -> Iterator[Hit]:
    """A required row that is gone from the form."""
    if case.returned.kind is not FormKind.RETURN:
        return
    here = {entry.item for entry in case.returned.entries}
    for duty in case.obligations.values():
        if duty.required and duty.item not in here:
            title = case.plan.by_key[duty.item].title
            yield Hit(
                f"表中缺少“{title}”一行，请用下发的原表补报", RETURN_FORM.title, item=duty.item
            )


def contact_blank(case: Case) -> Iterator[Hit]:
    """A contact form without a contact, or a contact without name or number."""
    if case.returned.kind is not FormKind.CONTACTS:
        return
    if not case.returned.contacts:
        yield Hit("联系人名单没有填写，请补填分管领导和联系人", CONTACTS_FORM.title)
    for contact in case.returned.contacts:
        for key in ("name", "phone"):
            if not getattr(contact, key):
                heading = CONTACTS_FORM[key].heading
                yield Hit(f"联系人一行没有填写“{heading}”，请补填", CONTACTS_FORM.title)


def is_phone(text: str) -> bool:
    """Whether each number in a text is a mobile number or a landline of mainland China.

    Several numbers may be separated by 、 or a comma; full-width digits and dashes count as plain
    ones. Mobile numbers have 11 digits from 13 to 19, landlines 7 or 8 with an area code or not
    (the Ministry of Industry's numbering plan, 电信网编号计划 2017).
    """
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES)
    numbers = [part for part in _BETWEEN.split(plain) if part.strip()]
    return bool(numbers) and all(map(_is_number_or_several, numbers))


def _is_number_or_several(text: str) -> bool:
    """One number, whatever blanks are in it, or several with blanks between them."""
    parts = text.split()
    return _is_number("".join(parts)) or (len(parts) > 1 and all(map(_is_number, parts)))


def _is_number(text: str) -> bool:
    bare = _AREA.sub(r"\1-", _COUNTRY.sub("", _ASIDE.sub("", text)))
    return bool(_MOBILE.fullmatch(bare.replace("-", "")) or _LANDLINE.fullmatch(bare.lower()))


def _at_field(case: Case, field: str, message: str) -> Hit:
    cell = case.returned.header_cells.get(field, "")
    return Hit(message, RETURN_FORM.title, cell, about=field)


RULES = (
    Rule(
        "HEADER_BLANK",
        Severity.WARNING,
        "填报人、联系电话、审签领导是核实和追问的依据。",
        "补填表头各栏。",
        header_blank,
    ),
    Rule(
        "PHONE_DOUBTFUL",
        Severity.WARNING,
        "位数或者写法不对的号码打不通（依据工业和信息化部《电信网编号计划》）。",
        "写 11 位手机号码，或者区号加座机号码。",
        phone_doubtful,
    ),
    Rule(
        "ROW_MISSING",
        Severity.ERROR,
        "必报项的行被删去，这一项就没有地方填报。",
        "用下发的原表补报。",
        row_missing,
    ),
    Rule(
        "CONTACT_BLANK",
        Severity.ERROR,
        "首次报送须附联系人名单（函第二条）。",
        "补填分管领导、联系人和电话。",
        contact_blank,
    ),
)
