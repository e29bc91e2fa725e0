"""The desk that a returned file crosses once its cells are read: identity, answers, rules, verdict.

It decides what a file is and writes nothing: `collect` puts its conclusions on record, `inspect`
only prints them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bioduty_xl.config import Settings
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Entry, Finding, FindingKind, Return, Severity
from bioduty_xl.domain.stamp import Seal
from bioduty_xl.domain.verdict import Verdict
from bioduty_xl.errors import BiodutyError, ReturnError
from bioduty_xl.intake.identity import suggest_unit
from bioduty_xl.intake.raw import opened
from bioduty_xl.intake.reader import REPAIRS, UNREAD, read_assigned, read_form
from bioduty_xl.ledger import Assignment, Conclusion, FileRecord, Ledger
from bioduty_xl.rules.registry import every_rule, judge
from bioduty_xl.rules.rule import Case
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)
ASSIGNED = FindingKind(
    "ASSIGNED",
    Severity.WARNING,
    "文件自身的标识不足以确认是谁报的，由经办人认定；汇总时注明，备查。",
    "不必处理；认错了的，重新认定。",
)
PERIOD_DOUBTFUL = FindingKind(
    "PERIOD_DOUBTFUL",
    Severity.WARNING,
    "文件名写的报送期与表格的不同，可能用错了表。",
    "核对报的是哪一期；要报另一期的，填写该期下发的表。",
)

KINDS: tuple[FindingKind, ...] = (*every_rule(), *REPAIRS, ASSIGNED, PERIOD_DOUBTFUL)
"""Every kind of finding that there is."""

CODES = frozenset(kind.code for kind in KINDS)

_PERIOD_IN_NAME = re.compile(r"(20\d\d)\s*[Qq]([1-4])")


@dataclass(frozen=True)
class Desk:
    """What is needed to judge a file."""

    terms: Terms
    seal: Seal
    ledger: Ledger

    @property
    def settings(self) -> Settings:
        """The workspace's settings."""
        return self.terms.settings

    def conclude(
        self, answer: str, name: str, twins: list[FileRecord], file: FileRecord | None = None
    ) -> Conclusion:
        """What becomes of a file. Never raises for anything that the file contains.

        Args:
            answer: what its reader says of it.
            name: its path below the inbox; it may suggest whose it is.
            twins: files with the same bytes that came before. Only one that was accepted makes
                this one a duplicate: what was held or rejected is read again, because the plan or
                the program may have been mended since.
            file: its record; None where it is only looked at.

        Raises:
            BiodutyError, OSError: something of our own is wrong; the file is not to blame.
        """
        accepted = [twin for twin in twins if twin.verdict == Verdict.ACCEPTED and twin.kind]
        if accepted:
            return self._repeat(accepted[0])

        def accept() -> Conclusion:
            returned = read_form(opened(answer), self.seal, self.terms.plan)
            notes = [*returned.repairs, *_period_doubts(name, returned.period)]
            return self._accept(replace(returned, repairs=tuple(notes)), file)

        concluded = _trapped(accept)
        if Verdict(concluded.verdict).needs_attention:
            return replace(concluded, reason=concluded.reason + self._hint(name))
        return concluded

    def conclude_assigned(
        self, answer: str, file: FileRecord, assignment: Assignment
    ) -> Conclusion:
        """What becomes of a file whose unit and period a person has decided.

        What cannot be read as a return stays held, beside the unit: something came.
        """
        plan = self.terms.plan(assignment.period)
        unit = plan.by_code[assignment.unit]

        def accept() -> Conclusion:
            returned = read_assigned(opened(answer), unit, assignment.period, plan)
            note = Finding(
                *(ASSIGNED.code, ASSIGNED.severity),
                f"文件标识不能确认，由经办人认定为本单位所报（{assignment.reason}）",
            )
            return self._accept(replace(returned, repairs=(note, *returned.repairs)), file)

        concluded = _trapped(accept)
        if concluded.unit is not None:
            return concluded
        return replace(
            concluded,
            unit=unit.code,
            period=assignment.period,
            reason=f"已认定为{unit.name}的来件（{assignment.reason}），但不能作为返回表："
            + concluded.reason,
        )

    def _hint(self, name: str) -> str:
        unit = suggest_unit(name, self.terms.latest)
        return f"（从文件名看，可能是{unit.name}的来件）" if unit else ""

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
        return self.ledger.revisions_of(file.kind, file.period, str(file.unit))

    def _accept(self, returned: Return, file: FileRecord | None) -> Conclusion:
        """Take a return. It is compared with those that came before it; one that a person settles
        late may have come before others that are on record already.
        """
        revisions = self.ledger.revisions_of(returned.kind, returned.period, returned.unit)
        others = [one for one in revisions if file is None or one.id != file.id]
        before = [one for one in others if file is None or one.received <= file.received]
        if before and self._says_the_same(returned, before[-1]):
            return Conclusion(
                Verdict.DUPLICATE.value,
                f"填报内容与先前收到的“{before[-1].name}”相同，不另作修订",
                *(returned.kind, returned.unit, returned.period, before[-1].revision),
            )
        case = Case(
            returned,
            self.terms.plan(returned.period),
            self.terms.duties_of(returned.unit, returned.period),
            self.settings.wording,
            self._entries(before),
            self._entries(self._last_quarter(returned)),
            self.settings.rules,
        )
        later = [one for one in others if one not in before]
        return Conclusion(
            Verdict.ACCEPTED.value,
            f"其后已收到第 {later[-1].revision} 次“{later[-1].name}”，内容以该次为准"
            if later
            else "",
            *(returned.kind, returned.unit, returned.period),
            revision=max((one.revision or 0 for one in others), default=0) + 1,
            returned=returned,
            findings=judge(case),
        )

    def _says_the_same(self, returned: Return, file: FileRecord) -> bool:
        """Whether a return brings nothing new; where something in it was not read, it may."""
        if any(repair.code in UNREAD for repair in returned.repairs):
            return False
        answers = {entry.item: dict(entry.answers) for entry in self.ledger.entries(file)}
        return (
            answers == {entry.item: dict(entry.answers) for entry in returned.entries}
            and self.ledger.contacts_in(file) == returned.contacts
            and dict(file.header) == dict(returned.header)
        )

    def _last_quarter(self, returned: Return) -> list[FileRecord]:
        before = returned.period.shift(-1)
        return self.ledger.revisions_of(returned.kind, before, returned.unit)

    def _entries(self, revisions: list[FileRecord]) -> Mapping[str, Entry]:
        """The rows of the newest of some revisions, by item."""
        if not revisions:
            return {}
        return {entry.item: entry for entry in self.ledger.entries(revisions[-1])}


def _period_doubts(name: str, period: Period) -> list[Finding]:
    """A file name that speaks of another period than the form: last quarter's form filled again?"""
    spoken = {Period(int(year), int(quarter)) for year, quarter in _PERIOD_IN_NAME.findall(name)}
    if not spoken or period in spoken:
        return []
    other = min(spoken).label
    return [
        Finding(
            *(PERIOD_DOUBTFUL.code, PERIOD_DOUBTFUL.severity),
            f"文件名写的是{other}，表格却是{period.label}的；如要报{other}，请填写该期下发的表",
        )
    ]


def _trapped(accept: Callable[[], Conclusion]) -> Conclusion:
    """The one trap: whatever goes wrong with one file concerns that file alone. What is wrong with
    the machine, the ledger or the store is not the file's fault, and goes through.
    """
    try:
        return accept()
    except ReturnError as error:
        return Conclusion(error.verdict, str(error))
    except (BiodutyError, OSError):
        raise
    except Exception as error:
        _log.exception("unexpected error while reading a file")
        reason = f"读取时程序出错（{type(error).__name__}），原件已保存，请联系管理员"
        return Conclusion(Verdict.HELD.value, reason)
