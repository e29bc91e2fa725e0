"""The mark that says whose form a workbook is, and that nobody made it up.

A token names form, unit, period and form version and carries an HMAC-SHA256 cut to 128 bits
(RFC 2104, section 5, on truncation). Each row carries a short keyed hash of its own, and the sheet
shows a short code that a person can read out on the telephone. The key never leaves the workspace.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ITEM_KEY, UNIT_CODE

FORM_VERSION = 1
"""Counts changes of the form that an older reader could not take."""

_TOKEN = re.compile(
    rf"BD1\.(?P<kind>[RC])\.(?P<form>[0-9a-f]{{8}})\.(?P<unit>{UNIT_CODE})"
    r"\.(?P<period>\d{4}Q[1-4])\.(?P<version>\d{1,3})\.(?P<mac>[0-9a-f]{32})"
)
_ROW = re.compile(rf"(?P<row>{ITEM_KEY})\.(?P<mac>[0-9a-f]{{8}})")
_CODE = re.compile(r"[A-Z2-7]{4}-[A-Z2-7]{4}")


class Forged(ValueError):
    """A mark has the right shape, but was not made with this key."""


class FormKind(StrEnum):
    """Which of the two forms a stamp is on."""

    RETURN = "return"
    CONTACTS = "contacts"


@dataclass(frozen=True)
class Stamp:
    """What a token says.

    Attributes:
        kind: return form or contact form.
        form_id: eight hexadecimal digits, one per form handed out.
        unit: unit code.
        period: reference period.
        version: of the form's layout.
    """

    kind: FormKind
    form_id: str
    unit: str
    period: Period
    version: int = FORM_VERSION

    @cached_property
    def plain(self) -> str:
        """As the token says it, without the hash."""
        letter = "R" if self.kind is FormKind.RETURN else "C"
        return f"BD1.{letter}.{self.form_id}.{self.unit}.{self.period}.{self.version}"


@dataclass(frozen=True)
class Seal:
    """Makes and checks marks with one secret key."""

    key: bytes

    def stamp(self, kind: FormKind, unit: str, period: Period) -> Stamp:
        """The stamp of a unit's form: the same each time the form is generated."""
        form_id = self._mac("form", kind.value, unit, str(period), str(FORM_VERSION)).hex()[:8]
        return Stamp(kind, form_id, unit, period)

    def token(self, stamp: Stamp) -> str:
        """The stamp as text with its keyed hash; ASCII, 61 characters or so."""
        return f"{stamp.plain}.{self._mac('token', stamp.plain).hex()[:32]}"

    def read(self, token: str) -> Stamp:
        """The stamp that a token carries.

        Raises:
            Forged: it is no token, or its hash is wrong.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise Forged(token)
        kind = FormKind.RETURN if match["kind"] == "R" else FormKind.CONTACTS
        period = Period.parse(match["period"])
        stamp = Stamp(kind, match["form"], match["unit"], period, int(match["version"]))
        if not hmac.compare_digest(self.token(stamp), token):
            raise Forged(token)
        return stamp

    def row_mark(self, stamp: Stamp, row: str) -> str:
        """The mark of one row of a form, such as `T05.1a2b3c4d`.

        Args:
            row: the item's key, or the row's name on a contact form.
        """
        return f"{row}.{self._mac('row', stamp.plain, row).hex()[:8]}"

    def read_row_mark(self, stamp: Stamp, mark: str) -> str:
        """The row that a mark stands for on the form with this stamp.

        Raises:
            Forged: the mark belongs to another form, or was changed.
        """
        match = _ROW.fullmatch(mark)
        if match is None or not hmac.compare_digest(self.row_mark(stamp, match["row"]), mark):
            raise Forged(mark)
        return match["row"]

    def visible_code(self, stamp: Stamp) -> str:
        """校验码: 40 bits as eight letters and digits, for people; it may suggest, never decide."""
        code = base64.b32encode(self._mac("code", stamp.plain)[:5]).decode("ascii")
        return f"{code[:4]}-{code[4:]}"

    def _mac(self, *parts: str) -> bytes:
        code = _keyed(self.key).copy()
        code.update("\x1f".join(parts).encode())
        return code.digest()


def looks_like_token(text: str) -> bool:
    """Whether a text starts as a token does, whole or not."""
    return text.startswith("BD1.")


def looks_like_code(text: str) -> bool:
    """Whether a text has the shape of a 校验码."""
    return _CODE.fullmatch(text) is not None


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    """A hash that has taken in the key, which is half the work; only copies of it are used."""
    return hmac.new(key, digestmod=hashlib.sha256)
