"""Mailing: forms, correction copies and reminders to the units' addresses, each once.

What is to be sent follows from the ledger and the outbox; what was sent is on record. It is put
there after the server has taken it, so a stop in between sends a mail twice rather than never.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.handout import Handout
from bioduty_xl.ledger import Ledger
from bioduty_xl.post import Letter, Post, Refused, Unreachable
from bioduty_xl.reminding import Reminding
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)


@dataclass
class Mailed:
    """What one pass has sent.

    Attributes:
        sent: how many letters were taken by the server, for at least one address.
        failures: a sentence for each that was not.
    """

    sent: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mailing:
    """The mail of a quarter.

    Attributes:
        outbox: what forms on record are named below.
    """

    terms: Terms
    ledger: Ledger
    handout: Handout
    reminding: Reminding
    outbox: Path

    @property
    def period(self) -> Period:
        """The quarter."""
        return self.handout.period

    def send_all(self, post: Post, as_of: datetime) -> Mailed:
        """Send what was not sent yet. What fails is tried again by the next pass.

        Raises:
            Unreachable: the server cannot be reached, so nothing more can be sent.
        """
        mailed = Mailed()
        for letter in self.letters():
            open_ones = tuple(to for to in letter.to if not self._was_sent(letter, to))
            if not open_ones:
                continue
            try:
                refused = post.send(replace(letter, to=open_ones), as_of)
            except Unreachable:
                raise
            except (Refused, OSError) as error:
                mailed.failures.append(f"{letter.subject}：{error}")
                continue
            for to in open_ones:
                if to not in refused:
                    self.ledger.record_mail(_name(letter, to), as_of, to)
            mailed.sent += len(refused) < len(open_ones)
            if refused:
                mailed.failures.append(f"{letter.subject}：{len(refused)} 个邮箱被拒收，请核对")
        if mailed.sent:
            _log.info("%s: %d mails sent", self.period, mailed.sent)
        return mailed

    def letters(self) -> Iterator[Letter]:
        """All that units with an address should have got so far, sent or not."""
        for unit in self.terms.plan(self.period).units:
            to = tuple(
                one.address for one in self.terms.register.addresses if one.unit == unit.code
            )
            if to:
                yield from self._forms(unit, to)
                yield from self._correction(unit, to)
                yield from self._reminder(unit, to)

    def _forms(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        files = [
            self.outbox / form.file
            for form in self.ledger.forms(self.period)
            if form.unit == unit.code
        ]
        due = self.terms.calendar.due(self.period, unit.code)
        if files and all(file.is_file() for file in files):
            yield self._letter(
                f"forms/{len(files)}",
                unit,
                to,
                f"{self.period.label}生物多样性保护责任分工方案工作推进情况报送表",
                f"现发送{self.period.label}报送表，请填写后于{due:%Y年%m月%d日}（含当日）前原表返回。",
                files,
            )

    def _correction(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        file = self.handout.correction_file(unit)
        if file.is_file():
            yield self._letter(
                f"correction/{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}",
                unit,
                to,
                f"{self.period.label}报送表退回修改",
                "贵单位返回的报送表有需要修改的地方，已在附件中标出。请在附件上改好后返回。",
                [file],
            )

    def _reminder(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        made = [one for one in self.ledger.reminders(self.period) if one.unit == unit.code]
        file = self.reminding.letter_file(unit)
        if made and file.is_file():
            yield self._letter(
                f"reminder/{made[-1].due}/{made[-1].distance}",
                unit,
                to,
                f"关于报送{self.period.label}工作推进情况的提醒",
                "请见附件。已经返回的，请不必理会本邮件。",
                [file],
            )

    def _letter(
        self,
        matter: str,
        unit: Unit,
        to: tuple[str, ...],
        subject: str,
        text: str,
        files: Sequence[Path],
    ) -> Letter:
        office = self.terms.settings.office
        return Letter(
            f"{self.period}/{unit.code}/{matter}",
            to,
            f"{subject}（{unit.name}）",
            f"{unit.name}：\n\n    {text}\n\n{office.name}\n",
            tuple(files),
        )

    def _was_sent(self, letter: Letter, to: str) -> bool:
        return self.ledger.was_mailed(_name(letter, to))


def _name(letter: Letter, to: str) -> str:
    """A letter to one address, as the ledger knows it."""
    return f"{letter.matter} {to}"
