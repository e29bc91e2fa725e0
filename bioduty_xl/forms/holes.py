"""A part of a workbook cut into what all forms share and holes for what differs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bioduty_xl.domain.returns import Severity
from bioduty_xl.forms import style
from bioduty_xl.forms.growth import Refused

_SPELLING = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
"""What openpyxl spells, and how."""

NO_LOOK = "单元格的样式无法识别"
"""Why a form is refused whose cell would need a look that is not known."""

Tints = Mapping[str, Severity | None]
"""By what the cells of a sheet are tinted, by address; those that are not named are not."""


@dataclass(frozen=True)
class Hole:
    """Where a value stands by itself.

    Attributes:
        value: its place among the values.
    """

    value: int

    def filled(self, values: Sequence[str]) -> bytes:
        """What stands there with these values."""
        return _escaped(values[self.value])


@dataclass(frozen=True)
class CellHole:
    """A cell that says a value, or has some in its text.

    Attributes:
        at: its address.
        start: of its element, with that.
        looks: by tint, the attribute with its look, and with that of a text like a formula.
        says: places of values, and what the template has between them.
        number: whether that is a number.
    """

    at: str
    start: bytes
    looks: Mapping[Severity | None, tuple[bytes, bytes]]
    says: tuple[int | str, ...]
    number: bool

    def filled(self, values: Sequence[str], tint: Severity | None) -> bytes:
        """The cell's element with these values; raises `Refused` where no look has that tint."""
        if tint not in self.looks:
            raise Refused(NO_LOOK)
        plain, quoted = self.looks[tint]
        pieces = [values[one] if isinstance(one, int) else one for one in self.says]
        text = "".join(pieces) if len(pieces) > 1 else pieces[0]
        if self.number:
            return self.start + plain + b' t="n"><v>%s</v></c>' % text.encode()
        like_formula, spelt = _spelt(text)
        if spelt:
            return self.start + (quoted if like_formula else plain) + spelt
        return self.start + plain + b' t="n"></c>' if plain else b""


Cut = tuple[bytes | Hole | CellHole, ...]
"""A part with its holes."""


def filled(cut: Cut, values: Sequence[str], tints: Tints) -> bytes:
    """A part with these values.

    Raises:
        Refused: a cell has no look with its tint.
    """
    pieces: list[bytes] = []
    for piece in cut:
        if isinstance(piece, CellHole):
            pieces.append(piece.filled(values, tints.get(piece.at)))
        else:
            pieces.append(piece.filled(values) if isinstance(piece, Hole) else piece)
    return b"".join(pieces)


def addresses(cut: Cut) -> set[str]:
    """Of the cells that are holes."""
    return {piece.at for piece in cut if isinstance(piece, CellHole)}


def look_attribute(number: int | None) -> bytes:
    """A cell's attribute with its look."""
    return b"" if number is None else b' s="%d"' % number


def text_with_values(
    spelt: bytes, marks: re.Pattern[bytes], known: Mapping[bytes, int]
) -> tuple[int | str, ...]:
    """A cell's text: places of values, and what stands between them.

    Args:
        spelt: as the part has it.
        marks: what may be a mark.
        known: the place of the value that each mark stands for.
    """
    pieces: list[int | str] = []
    end = 0
    for mark in marks.finditer(spelt):
        if mark[0] in known:
            pieces += _read(spelt[end : mark.start()]), known[mark[0]]
            end = mark.end()
    pieces.append(_read(spelt[end:]))
    return tuple(piece for piece in pieces if piece != "")


def _spelt(text: str) -> tuple[bool, bytes]:
    """Whether a text begins like a formula, and how a cell says it: what follows its look."""
    return _spelt_once(text) if len(text) <= _REMEMBERED else _spell(text)


_REMEMBERED = 1000
"""Characters up to which it is remembered how a text is spelt: what the plan says is on many forms,
long answers are on one."""


def _spell(text: str) -> tuple[bool, bytes]:
    text = style.writable(text)
    if not text:
        return False, b""
    space = b' xml:space="preserve"' if text != text.strip() else b""
    inline = b' t="inlineStr"><is><t%s>%s</t></is></c>' % (space, _escaped(text))
    return text.startswith(style.FORMULA_STARTS), inline


_spelt_once = lru_cache(maxsize=512)(_spell)


def _read(spelt: bytes) -> str:
    text = spelt.decode()
    for letter, spelling in reversed(_SPELLING):
        text = text.replace(spelling, letter)
    return text


def _escaped(text: str) -> bytes:
    for letter, spelt in _SPELLING:
        text = text.replace(letter, spelt)
    return text.encode()
