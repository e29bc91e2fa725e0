"""The desk that a returned file crosses: gate, child process, reader, rules, conclusion.

It decides what a file is and writes nothing: `collect` puts its conclusions on record, `inspect`
only prints them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bioduty_xl.config import Settings
from bioduty_xl.domain.plan import Obligation, Plan
from bioduty_xl.domain.returns import Entry, Return
from bioduty_xl.domain.stamp import Seal
from bioduty_xl.domain.verdict import Verdict
from bioduty_xl.errors import ReturnError
from bioduty_xl.intake import gate
from bioduty_xl.intake.reader import read_form
from bioduty_xl.intake.sandbox import Sandbox
from bioduty_xl.ledger import Conclusion, FileRecord, Ledger
from bioduty_xl.rules.registry import judge
from bioduty_xl.rules.rule import Case

_log = logging.getLogger(__name__)
_MIB = 1 << 20


@dataclass(frozen=True)
class Desk:
    """What is needed to judge a file."""

    settings: Settings
    plan: Plan
    seal: Seal
    ledger: Ledger
    sandbox: Sandbox

    def conclude(self, original: Path, twins: list[FileRecord]) -> Conclusion:
        """What becomes of a file. Never raises for anything that the file contains.

        Args:
            original: its bytes.
            twins: files with the same bytes that came before. Only one that was accepted makes
                this one a duplicate: what was held or rejected is read again, because the plan or
                the program may have been mended since.
        """
        accepted = [twin for twin in twins if twin.verdict == Verdict.ACCEPTED]
        if accepted:
            return self._repeat(accepted[0])
        try:
            return self._accept(self._read(original))
        except ReturnError as error:
            return Conclusion(error.verdict, str(error))
        except Exception as error:  # the one trap: whatever it is, it concerns this file alone
            _log.exception("unexpected error while reading a file")
            reason = f"读取时程序出错（{type(error).__name__}），原件已保存，请联系管理员"
            return Conclusion(Verdict.HELD.value, reason)

    def _read(self, original: Path) -> Return:
        intake = self.settings.intake
        gate.check(
            original,
            gate.Limits(
                file_bytes=intake.max_file_mb * _MIB, unpacked_bytes=intake.max_unpacked_mb * _MIB
            ),
        )
        return read_form(self.sandbox.read(original), self.seal, self.plan)

    def _repeat(self, twin: FileRecord) -> Conclusion:
        reason = f"与先前收到的“{twin.name}”内容完全相同，不另作修订"
        newest = self._revisions_like(twin)[-1]
        if newest.id != twin.id:
            reason += (
                f"；其后已收到第 {newest.revision} 次修订“{newest.name}”，仍以该次为准，"
                "如确要改回旧稿，请在备注中说明后重新报送"
            )
        return Conclusion(
            Verdict.DUPLICATE.value,
            reason,
            *(twin.kind, twin.unit, twin.period, twin.revision),
            findings=self.ledger.findings(twin),
        )

    def _revisions_like(self, file: FileRecord) -> list[FileRecord]:
        """The accepted revisions among which an accepted file is one."""
        assert file.kind, "an accepted file has a kind"
        assert file.period, "an accepted file has a period"
        return self.ledger.revisions(file.kind, file.period)[str(file.unit)]

    def _accept(self, returned: Return) -> Conclusion:
        before = self.ledger.revisions(returned.kind, returned.period).get(returned.unit, [])
        if before and self._says_the_same(returned, before[-1]):
            return Conclusion(
                Verdict.DUPLICATE.value,
                f"填报内容与先前收到的“{before[-1].name}”相同，不另作修订",
                *(returned.kind, returned.unit, returned.period, before[-1].revision),
            )
        case = Case(
            returned,
            self.plan,
            self._obligations(returned.unit),
            self.settings.wording,
            self._previous(before),
        )
        return Conclusion(
            Verdict.ACCEPTED.value,
            "",
            *(returned.kind, returned.unit, returned.period),
            revision=len(before) + 1,
            returned=returned,
            findings=judge(case, self.settings.rules.off),
        )

    def _says_the_same(self, returned: Return, file: FileRecord) -> bool:
        answers = {entry.item: dict(entry.answers) for entry in self.ledger.entries(file)}
        return (
            answers == {entry.item: dict(entry.answers) for entry in returned.entries}
            and self.ledger.contacts_in(file) == returned.contacts
            and dict(file.header) == dict(returned.header)
        )

    def _obligations(self, unit: str) -> Mapping[str, Obligation]:
        duties = self.plan.obligations(self.settings.rules.required)
        return {duty.item: duty for duty in duties if duty.unit == unit}

    def _previous(self, before: list[FileRecord]) -> Mapping[str, Entry]:
        if not before:
            return {}
        return {entry.item: entry for entry in self.ledger.entries(before[-1])}
