"""A workspace whose plan has as many units as wanted: the real plan's, over and over.

Each round of the real plan's units is a district of its own: the same roles in the same items,
under codes and names of its own. No measure names a unit of them, so what is required follows from
roles alone, and is the same in every district.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bioduty_xl.domain.plan import Item, Obligation, Plan, Unit, UnitKind
from bioduty_xl.domain.stamp import Seal
from bioduty_xl.plan.book import write_plan
from bioduty_xl.workspace import Workspace

PERIOD = "2024Q2"

ISSUED, COLLECTED, SHOWN = "2024-06-03", "2024-06-21", "2024-06-26"
"""When forms go out, when the inbox is emptied, and the moment of the book, which is the day after
the due date.
"""

UNITS_MAX = 26_000
"""How many codes there are, of a letter and three digits."""

DISTRICT = 38
"""Units of the real plan, and so of a district."""

_STRIDE = 7
"""The real plan's units are taken in strides of so many, so that a small city has all sorts."""

_KEY = "be" * 32
"""Marks come out the same each time."""


@dataclass(frozen=True)
class City:
    """A workspace and what its returns are made with.

    Attributes:
        root: the workspace's folder.
        size: how many units its plan has.
    """

    root: Path
    size: int

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace, as it was when first asked for."""
        return Workspace.open(self.root)

    @property
    def seal(self) -> Seal:
        """The seal of its forms."""
        return Seal(bytes.fromhex(_KEY))

    @property
    def plan_file(self) -> Path:
        """The plan's workbook."""
        return self.root / "plan.xlsx"

    @property
    def forms(self) -> Path:
        """The folder of the forms that are handed out."""
        return self.workspace.outbox(PERIOD) / "forms"

    def form(self, unit: Unit) -> Path:
        """The form of a unit."""
        return self.forms / f"{unit.name}_{PERIOD}.xlsx"

    def units(self) -> list[Unit]:
        """The units by number."""
        return sorted(self.workspace.plan.units, key=lambda unit: unit.code)

    @cached_property
    def duties(self) -> dict[str, list[Obligation]]:
        """Each unit's obligations, in the order of its form's rows."""
        found: dict[str, list[Obligation]] = {}
        for duty in self.workspace.plan.obligations():
            found.setdefault(duty.unit, []).append(duty)
        return found

    def model(self, unit: Unit) -> Unit:
        """The unit of the first district that has the same roles."""
        number = (ord(unit.code[0]) - ord("A")) * 1000 + int(unit.code[1:])
        return self.workspace.plan.by_code[_code(number % DISTRICT)]


def found(root: Path, size: int) -> City:
    """Make a workspace for so many units in a folder that is not there yet; no form is out.

    Files are taken at once: the second that a pass waits for files to settle is no work, and would
    be most of what a small city takes.
    """
    workspace = Workspace.create(root)
    write_plan(repeated(workspace.plan, size), root / "plan.xlsx")
    settings = root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), "utf-8")
    workspace.state_dir.mkdir(mode=0o700)
    (workspace.state_dir / "signing.key").write_text(_KEY, encoding="ascii")
    return City(root, size)


def repeated(plan: Plan, size: int) -> Plan:
    """A plan for so many units; a small one leaves out the items that nobody leads or is
    responsible for.

    Raises:
        ValueError: there are not so many codes.
    """
    if not 1 <= size <= UNITS_MAX:
        raise ValueError(f"{size} units: from 1 to {UNITS_MAX} can be had")
    likes: dict[str, list[Unit]] = {base.code: [] for base in plan.units}
    for number in range(size):
        base = plan.units[number * _STRIDE % DISTRICT]
        name = f"{base.name}（第{_in_chinese(number // DISTRICT + 1)}片区）"
        likes[base.code].append(Unit(_code(number), name, base.kind))
    units = [unit for like in likes.values() for unit in like]
    items = [_for_all(item, likes) for item in plan.items]
    kept = tuple(item for item in items if item.lead or item.responsible)
    return Plan(
        plan.title,
        tuple(part for part in plan.parts if part.no in {item.part for item in kept}),
        tuple(sorted(units, key=lambda unit: unit.kind is UnitKind.COUNTY)),
        kept,
    )


def _code(number: int) -> str:
    return f"{chr(ord('A') + number // 1000)}{number % 1000:03d}"


def _in_chinese(number: int) -> str:
    """Digit by digit. LibreOffice saves a text in pieces where Chinese and Arabic figures meet, and
    a name in pieces could not be exchanged for another.
    """
    return str(number).translate(str.maketrans("0123456789", "零一二三四五六七八九"))


def _for_all(item: Item, likes: dict[str, list[Unit]]) -> Item:
    def codes(bases: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(unit.code for base in bases for unit in likes[base])

    return replace(
        item,
        lead=codes(item.lead),
        responsible=codes(item.responsible),
        counties=codes(item.counties),
        measures=tuple(replace(measure, units=()) for measure in item.measures),
    )
