"""The statements of a text that is not quite TOML: where one begins and ends, and how to go on
without it. Lines keep their numbers.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bioduty_xl.settings.places import Place, Places
from bioduty_xl.settings.usable import Path

DROPPED = "__slip_"
"""How keys begin in mended text that stand for what cannot be used; alone, a value that was left
out.
"""


class Statement(NamedTuple):
    """The lines of one, both counted in, and the key or table that it says."""

    first: int
    last: int
    path: Path


_BEGINS = re.compile(
    r"\s*(?:\[{1,2}[ \t]*[A-Za-z_][\w.\- \t]*\]{1,2}\s*(?:#.*)?$|[\w.\-\"']+[ \t]*=)"
)
_TEXTS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|#.*")


def statement_at(lines: list[str], place: Place) -> Statement:
    """The statement in which the parser stopped. All before that place is TOML."""
    seen = Places("\n".join(lines[: place.line])).sightings
    begun = [one for one in seen if one.begins and one.place.line <= place.line]
    if not begun:
        return Statement(place.line, place.line, ())
    first = begun[-1].place.line
    return Statement(first, _last_line(lines, first), begun[-1].path)


def _last_line(lines: list[str], first: int) -> int:
    """Where its brackets are closed; at the latest, before what begins another statement."""
    depth = 0
    for number, line in enumerate(lines[first - 1 :], first):
        if number > first and _BEGINS.match(line):
            return number - 1
        depth += _opened(line)
        if depth <= 0:
            return number
    return len(lines)


def _opened(line: str) -> int:
    """How many brackets and long texts it leaves open."""
    if line.count('"""') % 2 or line.count("'''") % 2:
        return 1
    bare = _TEXTS.sub("", line)
    return sum(map(bare.count, "[{")) - sum(map(bare.count, "]}"))


def leave_out(lines: list[str], one: Statement) -> None:
    """Blank a statement, but for its key, which is there and has no value."""
    lines[one.first - 1] = _without_value(lines[one.first - 1], one.first)
    lines[one.first : one.last] = [""] * (one.last - one.first)


_NAME = r"(?:[A-Za-z0-9_\-]+|\"[^\"\\]*\"|'[^']*')"
_PAIR = re.compile(rf"\s*{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*[ \t]*=")
_HEADING = re.compile(r"\s*\[{1,2}\s*[^\W\d]")


def _without_value(line: str, number: int) -> str:
    if DROPPED in line:
        return ""
    if _HEADING.match(line):
        return f"[{DROPPED}{number}]"
    found = _PAIR.match(line)
    return valueless(found[0]) if found else ""


def valueless(key: str) -> str:
    """A line whose value is left out, from what stands up to its equals sign."""
    return f'{key} "{DROPPED}"'


def without_dropped(data: Any) -> Any:
    """Data without what was left out."""
    if isinstance(data, dict):
        return {k: without_dropped(v) for k, v in data.items() if not _is_dropped(k, v)}
    return [without_dropped(one) for one in data] if isinstance(data, list) else data


def left_out(data: Any, path: Path = ()) -> frozenset[Path]:
    """The keys whose values were left out."""
    if not isinstance(data, dict | list):
        return frozenset({path} if data == DROPPED else ())
    parts = data.items() if isinstance(data, dict) else enumerate(data)
    return frozenset[Path]().union(*(left_out(part, (*path, name)) for name, part in parts))


def _is_dropped(name: str, value: object) -> bool:
    return name.startswith(DROPPED) or value == DROPPED
