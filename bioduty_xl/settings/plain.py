"""Values that are plainly what a setting wants, made into settings.

Nearly every file holds nothing else, and it is read in no time. Whatever is not plain, whether it
can be used after all or is wrong, is left to the model (`settings.model`), which knows both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints


class Written(NamedTuple):
    """How a value is written, where that is not as TOML has it.

    Attributes:
        read: makes the value of what is written; its ValueError says in a sentence what is wrong.
    """

    read: Callable[[object], object]


class Within(NamedTuple):
    """The bounds of a number."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None

    def holds(self, number: float) -> bool:
        """Whether a number is within them; what is no number is not."""
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
        )


@dataclass(frozen=True)
class Section:
    """A table of the file, or all of it, to be declared as a dataclass; what is no key in it begins
    with `_`. Kinds and bounds are those of the file: what is made in code is taken as it is.
    """

    def fault(self) -> str | None:
        """What is wrong where the values are sound one by one, as a sentence."""
        return None


class Key(NamedTuple):
    """A key as it is declared."""

    kind: Any
    is_needed: bool


def keys(section: type[Section]) -> Mapping[str, Key]:
    """The keys of a section."""
    kinds = get_type_hints(section, include_extras=True)
    return {
        one.name: Key(kinds[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(section)
        if not one.name.startswith("_")
    }


class NotPlain(ValueError):
    """A value is for the model to judge."""


_AnySection = TypeVar("_AnySection", bound=Section)


def plainly(section: type[_AnySection], data: Mapping[str, object]) -> _AnySection:
    """A section of plain values.

    Raises:
        ValueError: something is not plain, or wrong: the model has to be asked.
    """
    declared = keys(section)
    if any(key.is_needed and name not in data for name, key in declared.items()):
        raise NotPlain
    if not data.keys() <= declared.keys():
        raise NotPlain
    made = section(**{name: _value(declared[name].kind, value) for name, value in data.items()})
    if made.fault() is not None:
        raise NotPlain
    return made


def _value(kind: Any, value: object) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _marked(inner[0], inner[1:], value)
    if origin in (tuple, frozenset) and type(value) is list:
        return origin(_value(inner[0], one) for one in value)
    if origin is Mapping and type(value) is dict:
        return {_value(inner[0], key): _value(inner[1], one) for key, one in value.items()}
    if origin in (Union, UnionType):  # a value that may be left out
        return _value(inner[0], value)
    if isinstance(value, dict):
        return _table(kind, value)
    return _single(kind, value)


def _table(kind: Any, value: Mapping[str, object]) -> Section:
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        raise NotPlain
    return plainly(kind, value)


def _marked(kind: Any, marks: tuple[object, ...], value: object) -> Any:
    for mark in marks:
        if isinstance(mark, Written):
            value = mark.read(value)
    found: Any = value if type(value) is kind else _value(kind, value)
    if any(isinstance(mark, Within) and not mark.holds(found) for mark in marks):
        raise NotPlain
    return found


def _single(kind: Any, value: object) -> Any:
    """A value that has no others in it."""
    if type(value) is kind and kind in (str, int, float):
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is str and isinstance(kind, type) and issubclass(kind, Path | Enum):
        return kind(value)
    raise NotPlain
