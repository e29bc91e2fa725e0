"""What became of a file, as `collect --json` and `inspect --json` say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Finding
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.language import say


class Verdict(StrEnum):
    """What becomes of a file."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    DEFERRED = "deferred"
    IGNORED = "ignored"

    @property
    def word(self) -> str:
        """As the workbooks and the command line say it."""
        return _WORDS[self]

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to look."""
        return self in (Verdict.HELD, Verdict.REJECTED)


_WORDS = {
    Verdict.ACCEPTED: say("已收"),
    Verdict.HELD: say("待处理"),
    Verdict.REJECTED: say("拒收"),
    Verdict.DUPLICATE: say("重复"),
    Verdict.DEFERRED: say("暂缓"),
    Verdict.IGNORED: say("忽略"),
}


def verdict_word(verdict: str) -> str:
    """A verdict as people read it, also of a file that waits to be read."""
    return say("待读取") if verdict == "received" else Verdict(verdict).word


@dataclass(frozen=True)
class FileReport:
    """One file's verdict.

    Attributes:
        file: its name below the inbox, or as given.
        sha256: of its bytes; empty where it was not read.
        verdict: what became of it.
        kind, unit, period, revision: what it is, where it could be identified; `unit` is a code.
        reason: why, and what to do, in Chinese; empty where all is well.
        findings: what the unit can mend.
    """

    file: str
    sha256: str
    verdict: Verdict
    kind: FormKind | None = None
    unit: str | None = None
    period: Period | None = None
    revision: int | None = None
    reason: str = ""
    findings: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that the command line prints; its keys are public."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "verdict": self.verdict.value,
            "kind": self.kind.value if self.kind else None,
            "unit": self.unit,
            "period": str(self.period) if self.period else None,
            "revision": self.revision,
            "reason": self.reason,
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity.value,
                    "sheet": finding.sheet,
                    "cell": finding.cell,
                    "item": finding.item,
                    "message": finding.message,
                }
                for finding in self.findings
            ],
        }


@dataclass(frozen=True)
class Collected:
    """What a pass over the inbox did: one verdict per file, leftovers included."""

    files: tuple[FileReport, ...]

    def count(self, verdict: Verdict) -> int:
        """How many files got a verdict."""
        return sum(report.verdict is verdict for report in self.files)

    @property
    def needs_attention(self) -> bool:
        """Whether files were held or rejected in this pass."""
        return any(report.verdict.needs_attention for report in self.files)
