"""What the province's workbook is made of: many cities' evidence. Frozen values, no pandas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bioduty_xl.config import Office
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.standing import Standing
from bioduty_xl.report.evidence import Evidence


@dataclass(frozen=True)
class City:
    """One workspace, as its ledger had it.

    Attributes:
        name: what the book calls it; no two cities of a book have the same.
        folder: the workspace, as it was given.
        office: who collects there, and whom to call.
        evidence: all that the city's own consolidated workbook shows; its moment is
            `evidence.standing.as_of`.
        is_closed: whether the quarter was closed by then, so that the city counts as published.
        came_later: how many units' returns came, or were settled, after it was closed.
        notes: what should be known of its figures, in Chinese, a sentence each.
        doubts: what is so odd that a person must look.
    """

    name: str
    folder: str
    office: Office
    evidence: Evidence
    is_closed: bool = False
    came_later: int = 0
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def standing(self) -> Standing:
        """Where its period stands."""
        return self.evidence.standing

    def as_json(self) -> dict[str, Any]:
        """The city's object in `rollup --json`: `units`, `items` and `files` as in `status`."""
        said = self.standing.as_json()
        return {
            "name": self.name,
            "folder": self.folder,
            **{key: said[key] for key in ("due", "as_of")},
            "closed": self.is_closed,
            "came_later": self.came_later,
            **{key: said[key] for key in _COUNTS},
            "notes": [*self.doubts, *self.notes],
        }


@dataclass(frozen=True)
class LeftOut:
    """A folder that does not count.

    Attributes:
        name: what the book would have called it.
        folder: as it was given.
        reason: why, in Chinese.
        is_double: whether its city is in the book by another folder.
    """

    name: str
    folder: str
    reason: str
    is_double: bool = False


@dataclass(frozen=True)
class ProvinceEvidence:
    """All that a province's workbook is made of.

    Attributes:
        as_of: the moment asked for; a closed city shows the one at which it was closed.
        rows: a city, or why there is none, for each folder, in the order given.
    """

    period: Period
    as_of: datetime
    rows: tuple[City | LeftOut, ...]

    @property
    def cities(self) -> tuple[City, ...]:
        """The cities that count."""
        return tuple(row for row in self.rows if isinstance(row, City))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The folders that do not."""
        return tuple(row for row in self.rows if isinstance(row, LeftOut))

    def as_json(self) -> dict[str, Any]:
        """The object that `rollup --json` prints; its keys are public."""
        cities = [city.as_json() for city in self.cities]
        return {
            "period": str(self.period),
            "as_of": self.as_of.astimezone(CHINA).isoformat(),
            **{key: _summed(city[key] for city in cities) for key in _COUNTS},
            "cities": cities,
            "left_out": [
                {"name": one.name, "folder": one.folder, "reason": one.reason}
                for one in self.left_out
            ],
        }


_COUNTS = ("units", "items", "files")


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for key, value in one.items():
            total[key] = total.get(key, 0) + value
    return total
