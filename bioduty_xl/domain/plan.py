"""The responsibility plan: who answers for which item, and what of it must be reported.

Terms and counts are those of the letter's Annex 1 (攀环委办发〔2023〕3号): 9 parts, 23 items,
56 measures. Units answer in one of three roles; `Plan.obligations` turns the plan into the list of
things that must or may be reported.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache

from bioduty_xl.language import listed, say

UNIT_CODE = r"[A-Z]\d{2,3}"
ITEM_KEY = r"[A-Z]\d{1,3}"
"""How codes and keys are written: they ride in the marks of the forms (domain.stamp)."""


class Role(StrEnum):
    """In what capacity a unit answers for an item; the value is the word the plan uses."""

    LEAD = "牵头"
    RESPONSIBLE = "责任"
    COUNTY = "属地"


class UnitKind(StrEnum):
    """What kind of office a reporting unit is."""

    DEPARTMENT = "department"
    COUNTY = "county"


class Ground(StrEnum):
    """A reason why an obligation is required rather than optional."""

    LEAD = "lead"
    SOLE = "sole"
    NAMED = "named"
    COUNTY = "county"


ALL_GROUNDS = frozenset(Ground)
"""The rule in force: leads the item; answers for an item without a lead; is named in a measure; is
a county. Clause 一 of the letter asks the lead departments and the counties."""


@dataclass(frozen=True)
class Part:
    """一、…九、: a chapter of the plan."""

    no: int
    title: str


@dataclass(frozen=True)
class Unit:
    """An office that owes a return.

    Attributes:
        code: `U01`… for departments in order of first appearance, `C01`… for counties.
        name: as the plan writes it.
        kind: department or county.
        aliases: other ways in which people write the name.
    """

    code: str
    name: str
    kind: UnitKind
    aliases: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name, then the aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Measure:
    """One of an item's 主要举措.

    Attributes:
        key: `T01-M1`; a measure without a number is M1.
        text: whole, without its number.
        units: codes of the units that the text names, in plan order.
    """

    key: str
    text: str
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """（一）…（二十三）: what is reported on.

    Attributes:
        key: `T01`…
        no: its number in the plan, from 1 through all parts.
        part: number of its part.
        title: its heading, without the full stop.
        description: the paragraph below the heading.
        lead, responsible, counties: unit codes, in the plan's order.
        measures: its 主要举措.
    """

    key: str
    no: int
    part: int
    title: str
    description: str
    lead: tuple[str, ...]
    responsible: tuple[str, ...]
    counties: tuple[str, ...]
    measures: tuple[Measure, ...]

    @property
    def assignments(self) -> tuple[tuple[str, Role], ...]:
        """Every (unit code, role) of the item: leads, responsible units, counties."""
        return (
            *((code, Role.LEAD) for code in self.lead),
            *((code, Role.RESPONSIBLE) for code in self.responsible),
            *((code, Role.COUNTY) for code in self.counties),
        )

    def grounds(self, unit: str, role: Role) -> frozenset[Ground]:
        """Why this unit must report on the item in this role; empty: it may."""
        tests = {
            Ground.LEAD: role is Role.LEAD,
            Ground.SOLE: role is Role.RESPONSIBLE and not self.lead,
            Ground.NAMED: unit in self._named,
            Ground.COUNTY: role is Role.COUNTY,
        }
        return frozenset(ground for ground, holds in tests.items() if holds)

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(code for measure in self.measures for code in measure.units)

    def printed_measures(self, unit: str) -> str:
        """主要举措 as a unit's form prints them: numbered, those that name the unit marked ★."""
        return "\n".join(
            f"{'★' if unit in measure.units else ''}{number}. {measure.text}"
            for number, measure in enumerate(self.measures, start=1)
        )


@dataclass(frozen=True, slots=True)
class Obligation:
    """应报事项: one unit, one item, one role.

    Attributes:
        required: an unanswered one is missing; an optional one never is.
    """

    unit: str
    item: str
    role: Role
    required: bool

    @property
    def duty(self) -> str:
        """As the form prints it: 牵头（必报）, 责任（必报）, 责任（选报）, 属地（必报）"""
        return f"{self.role.value}（{'必报' if self.required else '选报'}）"


@dataclass(frozen=True)
class Plan:
    """The whole plan. Order within each tuple is the document's.

    Attributes:
        title: of the plan document.
        parts, units, items: see their classes; units are departments first, then counties.
    """

    title: str
    parts: tuple[Part, ...]
    units: tuple[Unit, ...]
    items: tuple[Item, ...]

    @cached_property
    def by_code(self) -> dict[str, Unit]:
        """Units by code."""
        return {unit.code: unit for unit in self.units}

    @cached_property
    def by_key(self) -> dict[str, Item]:
        """Items by key."""
        return {item.key: item for item in self.items}

    @cached_property
    def _by_spelling(self) -> dict[str, Unit]:
        return {fold(name): unit for unit in self.units for name in (unit.code, *unit.spellings)}

    def find_unit(self, text: str) -> Unit | None:
        """The unit with this code, name or alias; widths, case and blanks do not matter."""
        return self._by_spelling.get(fold(text))

    def unknown(self, text: str) -> str:
        """That a name is no unit's, as a Chinese sentence with the likely ones."""
        from rapidfuzz import process

        names = [spelling for unit in self.units for spelling in unit.spellings]
        likely = [name for name, _, _ in process.extract(text, names, limit=3, score_cutoff=50)]
        hint = say("是否指：{names}", names=listed(likely)) if likely else say("请照抄单位名录")
        return say("责任分工方案中没有“{text}”，{hint}", text=text, hint=hint)

    def part_of(self, item: Item) -> Part:
        """The part that an item stands in."""
        return next(part for part in self.parts if part.no == item.part)

    def obligations(self, rule: frozenset[Ground] = ALL_GROUNDS) -> tuple[Obligation, ...]:
        """Every unit × item × role, by item and then in the item's order.

        Args:
            rule: the grounds that make an obligation required.
        """
        if rule not in self._obligations:
            self._obligations[rule] = tuple(
                Obligation(code, item.key, role, bool(rule & item.grounds(code, role)))
                for item in self.items
                for code, role in item.assignments
            )
        return self._obligations[rule]

    @cached_property
    def _obligations(self) -> dict[frozenset[Ground], tuple[Obligation, ...]]:
        """By rule, as they were asked for."""
        return {}

    def with_named_units(self) -> Plan:
        """The same plan with each measure's `units` read anew from its text."""
        items = tuple(
            replace(
                item,
                measures=tuple(
                    replace(measure, units=units_named_in(measure.text, self.units))
                    for measure in item.measures
                ),
            )
            for item in self.items
        )
        return replace(self, items=items)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the plan, one Chinese sentence each; empty when it is sound."""
        return tuple(self._find_problems())

    def _find_problems(self) -> Iterator[str]:
        yield from _repeated(say("单位代码"), [unit.code for unit in self.units])
        yield from _repeated(say("任务编号"), [item.key for item in self.items])
        yield from _repeated(say("任务序号"), [str(item.no) for item in self.items])
        yield from _repeated(say("举措编号"), [m.key for item in self.items for m in item.measures])
        yield from _repeated(say("部分序号"), [str(part.no) for part in self.parts])
        for unit in self.units:
            if not re.fullmatch(UNIT_CODE, unit.code):
                yield say("单位代码“{code}”应为一个大写字母加两三位数字，如 U01", code=unit.code)
        for item in self.items:
            if not re.fullmatch(ITEM_KEY, item.key):
                yield say("任务编号“{item}”应为一个大写字母加一至三位数字，如 T01", item=item.key)
        yield from self._colliding_spellings()
        known = {part.no for part in self.parts}
        for item in self.items:
            yield from self._item_problems(item, known)
        filled = {item.part for item in self.items}
        for part in self.parts:
            if part.no not in filled:
                yield say("第 {no} 部分“{title}”没有任务", no=part.no, title=part.title)
        assigned = {code for item in self.items for code, _ in item.assignments}
        for unit in self.units:
            if unit.code not in assigned:
                yield say(
                    "单位“{unit}”（{code}）没有承担任何任务，请补充分工或删去该单位",
                    unit=unit.name,
                    code=unit.code,
                )

    def _item_problems(self, item: Item, parts: set[int]) -> Iterator[str]:
        if item.part not in parts:
            yield say("{item} 所属的第 {part} 部分不存在", item=item.key, part=item.part)
        if not item.lead and not item.responsible:
            yield say(
                "{item}“{title}”没有牵头单位，也没有责任单位", item=item.key, title=item.title
            )
        if not item.measures:
            yield say("{item}“{title}”没有主要举措", item=item.key, title=item.title)
        codes = [code for code, _ in item.assignments]
        for code in dict.fromkeys(codes):
            if code not in self.by_code:
                yield say("{item} 的分工中有未登记的单位“{code}”", item=item.key, code=code)
        names = [self.by_code[code].name if code in self.by_code else code for code in codes]
        yield from (
            say("{item} 分工：{text}", item=item.key, text=text)
            for text in _repeated(say("单位"), names)
        )

    def _colliding_spellings(self) -> Iterator[str]:
        owners: dict[str, Unit] = {}
        for unit in self.units:
            for name in dict.fromkeys(map(fold, unit.spellings)):
                other = owners.setdefault(name, unit)
                if other is not unit:
                    yield say(
                        "“{name}”同时是“{other}”和“{unit}”的名称或简称，请改掉一处",
                        name=name,
                        other=other.name,
                        unit=unit.name,
                    )


def fold(text: str) -> str:
    """A name as it is compared: full-width forms folded, no white space, lower case."""
    return _folded_once(text) if len(text) <= _REMEMBERED else _folded(text)


_REMEMBERED = 300
"""Characters up to which a text's folded form is remembered: headings, names and what the plan says
come back in every return.
"""


def _folded(text: str) -> str:
    return "".join(_normalized(text).split()).lower()


def _normalized(text: str) -> str:
    """Its normal form NFKC: what Chinese texts are full of is replaced at once, and what is in that
    form then, as nearly all are, is told in a tenth of the time that normalizing takes.
    """
    for wide, narrow in _COMMON_WIDE:
        text = text.replace(wide, narrow)
    is_done = unicodedata.is_normalized("NFKC", text)
    return text if is_done else unicodedata.normalize("NFKC", text)


_COMMON_WIDE = tuple((wide, unicodedata.normalize("NFKC", wide)) for wide in "，；：（）！？％／　")


_folded_once = lru_cache(maxsize=8192)(_folded)


def units_named_in(text: str, units: tuple[Unit, ...]) -> tuple[str, ...]:
    """Codes of the units that a text names, in the order of `units`.

    The longest spelling wins where one contains another, so that 市委办公室 is not found in a
    longer name. Spellings of fewer than three characters (东区) are too common to count.
    """
    found: set[str] = set()
    for name, code in _longest_first(units):
        if name in text:
            found.add(code)
            text = text.replace(name, "\0")
    return tuple(unit.code for unit in units if unit.code in found)


@lru_cache(maxsize=8)
def _longest_first(units: tuple[Unit, ...]) -> tuple[tuple[str, str], ...]:
    """(spelling, code) of every spelling that counts in a text."""
    pairs = ((name, unit.code) for unit in units for name in unit.spellings if len(name) > 2)
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


def _repeated(what: str, values: list[str]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield say("{what}“{value}”出现了 {count} 次", what=what, value=value, count=count)
