"""What the coordinator decides on the way: the register's entries, as frozen values.

Units are codes and moments are in China, except where a class says otherwise. How a register
workbook is read: plan.register.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Item, Plan, Unit


@dataclass(frozen=True)
class Extension:
    """延期: a later due date granted to one unit."""

    unit: str
    period: Period
    due: date
    approved_by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Exemption:
    """免报: a unit that owes no return for a period."""

    unit: str
    period: Period
    reason: str = ""
    approved_by: str = ""


@dataclass(frozen=True)
class TrueReceipt:
    """收件更正: when a return truly came that reached the inbox later, or did not reach it yet.

    Attributes:
        way: how it came (传真, 邮件, …).
        row: where it stands in the register, for what has to be said of it.
    """

    unit: str
    period: Period
    received: datetime
    way: str = ""
    row: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Ownership:
    """归属认定: whose return a held file is.

    Attributes:
        file: its name in 收件台账, or the start of its SHA-256.
        row: where it stands in the register, for what has to be said of it.
    """

    file: str
    unit: str
    period: Period
    reason: str
    row: int = field(default=0, compare=False)


@dataclass(frozen=True)
class DayChange:
    """节假日: days on which offices work or rest, whatever is announced; both ends included."""

    first: date
    last: date
    works: bool
    note: str = ""

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of it."""
        count = (self.last - self.first).days + 1
        return tuple(self.first + timedelta(days=n) for n in range(count))


class ChangeKind(StrEnum):
    """What becomes of a unit; the value is the register's word."""

    RENAMED = "更名"
    REPLACED = "接替"
    MERGED = "并入"


@dataclass(frozen=True)
class UnitChange:
    """机构变动: a unit renamed, replaced by another, or merged into another, from a period on.

    Attributes:
        since: the first period for which it holds.
        unit: name of the unit as it was called until then.
        successor: the new name; of a merger, the name of the unit that goes on.
    """

    since: Period
    kind: ChangeKind
    unit: str
    successor: str
    basis: str = ""


@dataclass(frozen=True)
class MailAddress:
    """邮箱: where a unit gets its mail."""

    unit: str
    address: str


@dataclass(frozen=True)
class Problem:
    """A row that cannot take effect; row is 0 where it is the whole sheet, and sheet is empty too
    where it is the whole book.
    """

    sheet: str
    row: int
    message: str

    def __str__(self) -> str:
        row = f"第 {self.row} 行" if self.row else ""
        where = f"“{self.sheet}”{row}：" if self.sheet else ""
        return where + self.message


Entry = Extension | Exemption | TrueReceipt | Ownership | DayChange | UnitChange | MailAddress


@dataclass(frozen=True)
class Register:
    """A whole register: the entries that take effect, and what is wrong with the others."""

    extensions: tuple[Extension, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    receipts: tuple[TrueReceipt, ...] = ()
    ownerships: tuple[Ownership, ...] = ()
    days: tuple[DayChange, ...] = ()
    changes: tuple[UnitChange, ...] = ()
    addresses: tuple[MailAddress, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry that takes effect, sheet by sheet."""
        return (
            *self.extensions,
            *self.exemptions,
            *self.receipts,
            *self.ownerships,
            *self.days,
            *self.changes,
            *self.addresses,
        )


def changed(plan: Plan, changes: Iterable[UnitChange]) -> Plan:
    """The plan after some changes of units, in the order given.

    A unit that is renamed or replaced keeps its code, so its quarters hang together; one that is
    merged leaves the plan, and its duties and spellings go to the unit that goes on. Old names stay
    as aliases: the plan's measures still speak of them.

    Raises:
        ValueError: a change cannot be made; the message says why, in Chinese.
    """
    for change in changes:
        plan = _after(plan, change)
    return plan


@dataclass(frozen=True)
class Plans:
    """The plan of every period: a plan, and the changes of units that come on the way.

    Attributes:
        base: before any change.
        changes: in order of effect.
    """

    base: Plan
    changes: Sequence[UnitChange] = ()

    def of(self, period: Period) -> Plan:
        """The plan that holds for a period."""
        return self.steps[sum(change.since <= period for change in self.changes)]

    @property
    def latest(self) -> Plan:
        """The plan after every change."""
        return self.steps[-1]

    @cached_property
    def steps(self) -> tuple[Plan, ...]:
        """The plan after none, one, two … of the changes."""
        return tuple(accumulate(self.changes, _after, initial=self.base))

    def predecessors(self, period: Period) -> dict[str, list[str]]:
        """Codes of the units that were merged into a unit with the start of a period, by its
        code.
        """
        found: dict[str, list[str]] = {}
        for plan, change in zip(self.steps, self.changes, strict=False):
            old, into = plan.find_unit(change.unit), plan.find_unit(change.successor)
            if change.kind is ChangeKind.MERGED and change.since == period and old and into:
                inherited = (*found.pop(old.code, ()), old.code)
                found.setdefault(into.code, []).extend(inherited)
        return found


def _after(plan: Plan, change: UnitChange) -> Plan:
    old, namesake = plan.find_unit(change.unit), plan.find_unit(change.successor)
    if old is None:
        raise ValueError(plan.unknown(change.unit))
    if change.kind is ChangeKind.MERGED:
        if namesake is None:
            raise ValueError(f"并入的单位“{change.successor}”不在责任分工方案中")
        if namesake == old:
            raise ValueError(f"“{change.successor}”就是{old.name}，不能并入自身")
        return _merged(plan, old, namesake)
    if namesake is not None and namesake != old:
        raise ValueError(f"“{change.successor}”已是{namesake.name}的名称，合并的请选“并入”")
    return _renamed(plan, old, change.successor.strip())


def _renamed(plan: Plan, old: Unit, name: str) -> Plan:
    aliases = dict.fromkeys(spelling for spelling in old.spellings if spelling != name)
    new = replace(old, name=name, aliases=tuple(aliases))
    units = tuple(new if unit == old else unit for unit in plan.units)
    return replace(plan, units=units).with_named_units()


def _merged(plan: Plan, old: Unit, into: Unit) -> Plan:
    heir = replace(into, aliases=tuple(dict.fromkeys((*into.aliases, *old.spellings))))
    units = tuple(heir if unit == into else unit for unit in plan.units if unit != old)
    items = tuple(_inherited(item, old.code, into.code) for item in plan.items)
    return replace(plan, units=units, items=items).with_named_units()


def _inherited(item: Item, old: str, new: str) -> Item:
    """An item whose duties of one unit are another's; one that has both roles keeps the higher."""
    taken: set[str] = set()
    roles = []
    for codes in (item.lead, item.responsible, item.counties):
        heirs = dict.fromkeys(new if code == old else code for code in codes)
        roles.append(tuple(code for code in heirs if code != new or new not in taken))
        taken |= set(heirs)
    lead, responsible, counties = roles
    return replace(item, lead=lead, responsible=responsible, counties=counties)
