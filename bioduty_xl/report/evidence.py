"""What the consolidated workbook is made of: frozen values, no pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from bioduty_xl.domain.plan import Plan
from bioduty_xl.domain.returns import Contact, Entry, Finding, Wording
from bioduty_xl.domain.standing import Receipt, Standing, UnitStanding
from bioduty_xl.ledger import FileRecord

AS_OF = "统计时点"
"""The line of 口径说明 that states a book's moment."""


class Lateness(StrEnum):
    """What a return is that came, or was settled, after its quarter was closed; the value is the
    word printed.
    """

    NEW = "补报"
    CORRECTION = "更正"
    SUPERSEDED = "旧稿，已有更新"


@dataclass(frozen=True)
class LateReturn:
    """补报: a return that came, or was settled, after its quarter was closed.

    Attributes:
        file: the return itself.
        line: where its unit stands with that quarter by this return.
        plan: of that quarter; where the unit has left it since, the last one that had the unit.
        kind: a correction if a closed book has counted one of the unit's returns; superseded if the
            unit's newest is another one.
    """

    file: FileRecord
    line: UnitStanding
    plan: Plan
    kind: Lateness


@dataclass(frozen=True)
class Evidence:
    """All that a consolidated workbook is made of, as the ledger had it at `standing.as_of`.

    Attributes:
        plan: the plan in force.
        standing: where the period stands.
        wording: which texts are no answer.
        newest: the return that counts, by unit code.
        files: every file seen for the period, in order of receipt.
        findings: of the files that count, each with its file.
        contacts: by unit code, the contact form that counts and its contacts.
        definitions: (subject, text) for the sheet that explains.
        last: where the quarter before stands at the same moment; None where nothing was collected.
        late: returns of closed quarters that no closed book shows yet.
    """

    plan: Plan
    standing: Standing
    wording: Wording
    newest: Mapping[str, FileRecord]
    files: tuple[FileRecord, ...]
    findings: tuple[tuple[FileRecord, Finding], ...]
    contacts: Mapping[str, tuple[FileRecord, tuple[Contact, ...]]]
    definitions: tuple[tuple[str, str], ...]
    last: Standing | None = None
    late: tuple[LateReturn, ...] = ()

    def before(self, unit: str, item: str) -> Entry | None:
        """What a unit reported on an item the quarter before; None where it reported nothing."""
        receipt = self._last_receipts.get(unit)
        return receipt.entries.get(item) if receipt else None

    @cached_property
    def _last_receipts(self) -> Mapping[str, Receipt]:
        lines = self.last.units if self.last else ()
        return {line.unit.code: line.receipt for line in lines if line.receipt}
