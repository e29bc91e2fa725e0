"""What a model's refusals mean, in sentences: which key, what is wrong, what was probably meant."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rapidfuzz import process, utils

from bioduty_xl.language import listed, say
from bioduty_xl.settings.places import Places
from bioduty_xl.settings.slips import Fault
from bioduty_xl.settings.usable import Path

_LIKELY = 65
"""How alike two names are, out of 100, for one to be a slip of the other."""


@dataclass(frozen=True)
class Known:
    """The keys that there are.

    Attributes:
        model: of the whole file.
        in_chinese: what people call a key, by its dotted name.
    """

    model: type[BaseModel]
    in_chinese: Mapping[str, Sequence[str]]

    def meant(self, name: str, table: tuple[str, ...] = ()) -> str:
        """What to say of a name that there is not: `，是否想写 due_day？`, or what there is.

        Args:
            table: the dotted name of where it was written; `()` is the top of the file.
        """
        word = name.strip().lower()
        if word in self._by_word:
            return say("，是否想写 {key}？", key=self._shown(self._by_word[word], table))
        elsewhere = [key for key in self._keys if key[-1] == word and key[:-1] != table]
        if elsewhere == [(word,)] and self._is_single(elsewhere[0]):
            return say("，请把它移到文件开头，写在第一个 [节名] 的前面")
        if len(elsewhere) == 1:
            return say("，它应写成 {key}", key=self._shown(elsewhere[0], table))
        here = [key[-1] for key in self._keys if key[:-1] == table]
        if likely := process.extractOne(
            word, here, processor=utils.default_process, score_cutoff=_LIKELY
        ):
            return say("，是否想写 {likely}？", likely=likely[0])
        everywhere = {key[-1]: key for key in self._keys}
        if likely := process.extractOne(
            word, everywhere.keys(), processor=utils.default_process, score_cutoff=_LIKELY + 15
        ):
            return say("，是否想写 {likely}？", likely=self._shown(everywhere[likely[0]], table))
        return say("，这里可用的有：{known}", known=listed(sorted(here)))

    def meant_in_chinese(self, name: str) -> str:
        """The same for a name in Chinese of which it is not known where it stands; empty where
        nothing is like it.
        """
        likely = process.extractOne(name, self._by_word.keys(), score_cutoff=_LIKELY)
        return (
            say("，是否想写 {likely}？", likely=self._shown(self._by_word[likely[0]], None))
            if likely
            else ""
        )

    def is_text(self, path: Path) -> bool:
        """Whether the value of a key is a text, whatever it looks like; in a table that there is
        not, whether one of that name is.
        """
        same = [path] if self.field(path) else [key for key in self._keys if key[-1] == path[-1]]
        fields = map(self.field, same)
        return any(field.annotation in (str, pathlib.Path) for field in fields if field)

    def field(self, path: Path) -> FieldInfo | None:
        """The declaration of a key, within a mapping that of the mapping; None where there is
        none.
        """
        model: type[BaseModel] | None = self.model
        found: FieldInfo | None = None
        for name in path:
            if isinstance(name, int):
                continue
            if model is None:  # a name within a mapping
                return found
            found = model.model_fields.get(name)
            if found is None:
                return None
            model = _model_in(found.annotation)
        return found

    def _shown(self, key: tuple[str, ...], table: tuple[str, ...] | None) -> str:
        """A key as one would write it who stands in a table."""
        field, whole = self.field(key), ".".join(key)
        if field is not None and _model_in(field.annotation):
            return (
                f"[{whole}]" if _model_in(field.annotation) is field.annotation else f"[[{whole}]]"
            )
        *above, name = key
        if tuple(above) == table:
            return name
        if not above:
            return say("文件开头（第一个 [节名] 的前面）的 {name}", name=name)
        return say("[{table}] 一节的 {name}", table=".".join(above), name=name)

    def _is_single(self, key: tuple[str, ...]) -> bool:
        """Whether a key is no table."""
        field = self.field(key)
        return field is not None and _model_in(field.annotation) is None

    @cached_property
    def _keys(self) -> tuple[tuple[str, ...], ...]:
        return tuple(keys_of(self.model, ()))

    @cached_property
    def _by_word(self) -> Mapping[str, tuple[str, ...]]:
        return {
            word: tuple(dotted.split("."))
            for dotted, words in self.in_chinese.items()
            for word in words
        }


def keys_of(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key of a model and of the tables in it, each with the names above it."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        if below := _model_in(field.annotation):
            yield from keys_of(below, (*above, name))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a key holds, or that an array of tables holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def faults_of(
    errors: Sequence[Mapping[str, Any]],
    known: Known,
    places: Places,
    left_out: Collection[Path] = (),
) -> list[Fault]:
    """A fault for each refusal of a model, in the order of the file.

    Args:
        errors: `ValidationError.errors()`.
        left_out: keys that the file has and the model was not shown; it is not said to miss them.
    """
    found = {}
    for error in errors:
        path = _written(error["loc"])
        if _is_of_what_is_left_out(error["type"], path, left_out):
            continue
        place = places.of(path)
        message = _message(error, path, known, places.written(path))
        found[place, path] = Fault(
            place, say("{key}：{message}", key=dotted(path), message=message) if path else message
        )
    return sorted(found.values())


def _is_of_what_is_left_out(kind: str, path: Path, left_out: Collection[Path]) -> bool:
    if kind == "missing":
        return path in left_out
    return kind == "value_error" and any(path == one[:-1] for one in left_out)


def dotted(path: Path) -> str:
    """A key as it is spoken of: `deadlines.special` for each of its tables."""
    return ".".join(str(part) for part in path if not isinstance(part, int))


def _written(location: Path) -> Path:
    """A place in the data as it is in the file; a model marks the key of a mapping on its own."""
    return location[:-1] if location and location[-1] == "[key]" else location


def _message(error: Mapping[str, Any], path: Path, known: Known, written: str) -> str:
    """What is wrong.

    Args:
        written: the value as it is in the file, where it is a number, a date or a word.
    """
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        table = tuple(str(part) for part in path[:-1] if not isinstance(part, int))
        return say("没有这一项{hint}", hint=known.meant(str(path[-1]), table))
    if kind == "missing":
        return say("缺少这一项，请补上")
    if kind == "value_error":
        return _sentence(error["ctx"]["error"])
    shown = _excerpt(written or value)
    said = _shape(kind, value, path, known, shown) or _limit(error) or error["msg"]
    return (
        said if isinstance(value, dict) else say("“{value}”不能用，{said}", value=shown, said=said)
    )


def _sentence(error: ValueError) -> str:
    """What a check of ours said, as it said it; `str` would forget how to say it in English."""
    said = error.args[0]
    assert isinstance(said, str), "checks say what is wrong"
    return said


_MOST_SHOWN = 40


def _excerpt(value: object) -> str:
    text = listed(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _shape(kind: str, value: object, path: Path, known: Known, shown: str) -> str | None:
    """What kind of value belongs there."""
    name = dotted(path)
    if kind in ("model_type", "dict_type", "mapping_type"):
        return _table(path, known)
    if kind in ("tuple_type", "frozen_set_type", "list_type"):
        field = known.field(path)
        if field is not None and _model_in(field.annotation):
            return say("应写成 [[{name}]]（双方括号），每节一条", name=name)
        return say(
            "应写成列表，用方括号，如 {key} = [{value}]", key=path[-1], value=_literal(value)
        )
    if kind.startswith(("int_", "float_")):
        return say("应写数字，不加引号") if "from_float" not in kind else say("应写整数")
    if kind in ("string_type", "path_type"):
        return say('应写文字，加引号，如 "{value}"', value=shown)
    if kind == "enum":
        return say("只能写：{known}", known=_choices(known.field(path)))
    return None


def _table(path: Path, known: Known) -> str:
    name = dotted(path)
    field = known.field(path)
    if isinstance(path[-1], int):
        return say("应写成 [[{name}]] 一节，其中每行一项", name=name)
    if field is not None and get_origin(field.annotation) is not None:
        return say('应写成花括号，如 {{NO_FIGURE = "ERROR"}}')
    return say("应写成 [{name}] 一节，其中每行一项", name=name)


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _choices(field: FieldInfo | None) -> str:
    found = _enum_in(field.annotation) if field else None
    return listed(str(one.value) for one in found) if found else ""


def _enum_in(annotation: Any) -> type[Enum] | None:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return annotation
    return next(filter(None, map(_enum_in, get_args(annotation))), None)


_BOUNDS = {"ge": say("不能小于"), "gt": say("应大于"), "le": say("不能大于"), "lt": say("应小于")}


def _limit(error: Mapping[str, Any]) -> str | None:
    bounds = error.get("ctx", {})
    said = listed(
        say("{words} {bound}", words=words, bound=bounds[sign])
        for sign, words in _BOUNDS.items()
        if sign in bounds
    )
    return said if re.match("greater|less", error["type"]) else None
