"""The declared settings as pydantic's model, which takes what can be used in any spelling and says
of everything else what is wrong. Made only where a file holds more than plain values.
"""

from __future__ import annotations

from types import GenericAlias, UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    field_validator,
    model_validator,
)

from bioduty_xl.language import say
from bioduty_xl.settings.plain import Section, Within, Written, keys


class _Modelled(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    section: ClassVar[type[Section]] = Section

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: object) -> object:
        """Nothing here is switched on or off; true would pass for the number 1."""
        if any(isinstance(one, bool) for one in (value if isinstance(value, list) else [value])):
            raise ValueError(say("不能写 true 或 false"))
        return value

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if fault := declared(self).fault():
            raise ValueError(fault)
        return self


def model_of(section: type[Section]) -> type[BaseModel]:
    """The model of a section."""
    fields: dict[str, Any] = {
        name: (_modelled(key.kind), ... if key.is_needed else None)
        for name, key in keys(section).items()
    }
    made = create_model(section.__name__, __base__=_Modelled, **fields)
    made.section = section
    return made


def declared(found: Any) -> Any:
    """What a model has found, as it is declared; where it has found nothing, the defaults hold."""
    if isinstance(found, _Modelled):
        return found.section(
            **{name: declared(getattr(found, name)) for name in found.model_fields_set}
        )
    return tuple(map(declared, found)) if isinstance(found, tuple) else found


def _modelled(kind: Any) -> Any:
    """A declared kind of value in pydantic's words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[(_modelled(inner[0]), *map(_mark, inner[1:]))]
    if origin is tuple:
        return GenericAlias(tuple, (_modelled(inner[0]), ...))
    if origin in (Union, UnionType):
        return _modelled(inner[0]) | None
    if isinstance(kind, type) and issubclass(kind, Section):
        return model_of(kind)
    return kind


def _mark(mark: object) -> object:
    if isinstance(mark, Written):
        return BeforeValidator(mark.read)
    assert isinstance(mark, Within), "a kind has no other marks"
    return Field(**mark._asdict())
