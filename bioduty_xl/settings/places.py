"""Where in a TOML file each key stands. The text is taken to be TOML; it is not checked here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bioduty_xl.language import Said, say
from bioduty_xl.settings.usable import DEEPEST, Path

_BLANK = re.compile(r"[ \t]*")
_NOTHING = re.compile(r"(?:[ \t\n,]|#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_BARE = re.compile(r"[^\s=.\[\]{}\"'#,]+")
_PLAIN_VALUE = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"{3,5}|\Z)|'
    r"'''.*?(?:'{3,5}|\Z)|"
    r'"(?:[^"\\\n]|\\.)*"?|'
    r"'[^'\n]*'?",
    re.DOTALL,
)


@dataclass(frozen=True, order=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int = 1

    @property
    def said(self) -> Said:
        """As people speak of it."""
        return say("第 {line} 行第 {column} 列", line=self.line, column=self.column)


@dataclass(frozen=True)
class Sighting:
    """A key or a table's heading as it is written.

    Attributes:
        is_heading: it opens a table.
        begins: it is the beginning of a statement, no part of a value.
        plain: its value, where that is neither a text in quotes nor in brackets.
    """

    path: Path
    place: Place
    is_heading: bool = False
    begins: bool = False
    plain: str = ""


@dataclass(frozen=True)
class Places:
    """The keys of one text. Settings that say the same are equal, wherever their keys stand."""

    text: str = field(compare=False)

    def of(self, path: Path) -> Place:
        """Where a key stands; of one that is not there, the table that should have it."""
        for length in range(len(path), 0, -1):
            if found := self._first.get(path[:length]):
                return found
        return Place(1)

    def written(self, path: Path) -> str:
        """The value of a key as it is in the text, where that is a number, a date or a word."""
        return next((one.plain for one in self.sightings if one.path == path and one.plain), "")

    @cached_property
    def _first(self) -> Mapping[Path, Place]:
        found: dict[Path, Place] = {}
        for seen in self.sightings:
            for length in range(1, len(seen.path) + 1):
                found.setdefault(seen.path[:length], seen.place)
        return found

    @cached_property
    def sightings(self) -> tuple[Sighting, ...]:
        """Every key and heading, in the order of the text."""
        return tuple(_Scan(self.text).statements())


class _Scan:
    """One way through a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last: dict[Path, int] = {}
        """The number of the newest table of each array of tables."""

    def statements(self) -> Iterator[Sighting]:
        table: Path = ()
        while self._here(_NOTHING):
            if self._sees("["):
                heading = self._heading()
                table = heading.path
                yield heading
            else:
                yield from self._pair(table, begins=True)
            self._take(_REST_OF_LINE)

    def _heading(self) -> Sighting:
        place = self._place()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path = self._resolved(self._key())
        if is_array:
            path = path[:-1] if isinstance(path[-1], int) else path
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
        return Sighting(path, place, is_heading=True, begins=True)

    def _resolved(self, names: Path) -> Path:
        """A heading's path: a table below an array of tables belongs to the newest of them."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._last:
                path = (*path, self._last[path])
        return path or ("",)

    def _pair(self, table: Path, *, begins: bool = False) -> Iterator[Sighting]:
        place, path = self._place(), (*table, *self._key())
        has_value = self._sees("=")
        self._at += has_value
        plain = self._plain() if has_value else ""
        yield Sighting(path, place, begins=begins, plain=plain)
        if has_value:
            yield from self._value(path)

    def _key(self) -> Path:
        names: list[str] = []
        while True:
            self._take(_BLANK)
            names.append(self._name())
            self._take(_BLANK)
            if not self._sees("."):
                return tuple(names)
            self._at += 1

    def _name(self) -> str:
        if self._sees('"') or self._sees("'"):
            return self._take(_STRING).strip("\"'")
        return self._take(_BARE)

    def _plain(self) -> str:
        """The value that comes next, where it is in neither quotes nor brackets."""
        self._take(_BLANK)
        if self._text.startswith(("[", "{", '"', "'"), self._at):
            return ""
        found = _PLAIN_VALUE.match(self._text, self._at)
        return found[0].strip() if found else ""

    def _value(self, path: Path) -> Iterator[Sighting]:
        self._take(_BLANK)
        if len(path) > DEEPEST:
            self._take(_REST_OF_LINE)
        elif self._sees("["):
            yield from self._array(path)
        elif self._sees("{"):
            yield from self._inline(path)
        elif self._sees('"') or self._sees("'"):
            self._take(_STRING)
        else:
            self._take(_PLAIN_VALUE)

    def _array(self, path: Path) -> Iterator[Sighting]:
        self._at += 1
        number = 0
        while self._here(_NOTHING) and not self._sees("]"):
            before = self._at
            yield Sighting((*path, number), self._place(), plain=self._plain())
            yield from self._value((*path, number))
            number += 1
            self._at = max(self._at, before + 1)  # on text that is no TOML it goes on all the same
        self._at += 1

    def _inline(self, path: Path) -> Iterator[Sighting]:
        self._at += 1
        while self._here(_NOTHING) and not self._sees("}"):
            before = self._at
            yield from self._pair(path)
            self._at = max(self._at, before + 1)
        self._at += 1

    def _here(self, between: re.Pattern[str]) -> bool:
        """Skip what is between two things; whether there is another."""
        self._take(between)
        return self._at < len(self._text)

    def _sees(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _place(self) -> Place:
        start = self._text.rfind("\n", 0, self._at) + 1
        return Place(self._text.count("\n", 0, self._at) + 1, self._at - start + 1)
