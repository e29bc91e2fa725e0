"""The form's live count of required items still to fill, by functions that every suite has.

It counts as `domain.returns.state_of` does, so that the form and the consolidated book agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from bioduty_xl.domain.returns import Progress, Wording

_REQUIRED = "必报"
_MARKS = ' \n\u3000。.．、,，；…—-－/／\\·*~×?？()（）“”"'
"""White space and punctuation that do not make a text an answer: `无。` and `N/A` say as little as
无. Excel nests 64 functions at most, and a formula has 8192 characters at most.
"""

_END = "|"
"""Ends what is compared, so that an empty text is one that can be found."""


def counter_text(required: int, optional: int, filled: int) -> str:
    """What the counter says."""
    if not required:
        return f"本单位没有必报项，选报 {optional} 项"
    return f"必报 {required} 项，已填 {filled} 项，还有 {required - filled} 项未填"


def counter_formula(
    letters: Mapping[str, str],
    first: int,
    last: int,
    required: int,
    optional: int,
    wording: Wording,
) -> str:
    """A formula that gives `counter_text`.

    Args:
        letters: column letter by column key.
        first, last: rows of the table, counted from 1.
        required, optional: how many of each the unit has.
    """
    if not required:
        return f'="{counter_text(required, optional, 0)}"'

    def cells(key: str) -> str:
        return f"${letters[key]}${first}:${letters[key]}${last}"

    def answered(key: str) -> str:
        # A text of more than 255 characters cannot be looked up in Excel: an error, so an answer.
        found = f'MATCH({_without_marks(cells(key))}&"{_END}",{_said_nothing(wording.cores)},0)'
        return f"ISERROR({found})"

    nothing = _array((Progress.NO_PROGRESS.value, Progress.NOT_APPLICABLE.value))
    excused = f"ISNUMBER(MATCH(TRIM({cells('status')}),{nothing},0))"
    reason = f"({answered('problems')}+{answered('remark')})"
    filled = (
        f'SUMPRODUCT(ISNUMBER(SEARCH("{_REQUIRED}",{cells("duty")}))'
        f"*SIGN({answered('progress')}+{excused}*{reason}))"
    )
    return f'="必报 {required} 项，已填 "&{filled}&" 项，还有 "&({required}-{filled})&" 项未填"'


def unanswered_rule(letters: Mapping[str, str], row: int) -> str:
    """Condition, for the table's first row, under which a required answer is tinted as blank."""
    required = f'ISNUMBER(SEARCH("{_REQUIRED}",${letters["duty"]}{row}))'
    blanks = f"COUNTBLANK(${letters['progress']}{row})+COUNTBLANK(${letters['status']}{row})"
    return f"AND({required},{blanks}>0)"


@lru_cache(maxsize=8)
def _said_nothing(cores: tuple[str, ...]) -> str:
    """The texts that are no answers, once they are without marks."""
    return _array(f"{word}{_END}" for word in ("", *cores))


@lru_cache(maxsize=256)
def _without_marks(text: str) -> str:
    for mark in _MARKS:
        literal = _quoted(mark) if mark >= " " else f"CHAR({ord(mark)})"
        text = f'SUBSTITUTE({text},{literal},"")'
    return text


def _array(words: Iterable[str]) -> str:
    return "{" + ",".join(map(_quoted, words)) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
