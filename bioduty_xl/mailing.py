"""Mailing: forms, correction copies and reminders to the units' addresses, each once.

What is to be sent follows from the ledger and the outbox, and only what still holds is sent: no
form to a unit that has returned or need not, no letter about what is no longer so. What was sent
is on record. It is put there after the server has taken it, so a stop in between sends a mail
twice rather than never.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.handout import Handout
from bioduty_xl.language import say
from bioduty_xl.ledger import CorrectionCopy, FileRecord, Form, Ledger, Reminder
from bioduty_xl.post import Letter, Post, Refused, Unreachable
from bioduty_xl.reminding import Reminding
from bioduty_xl.report.letters import due_day
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)


@dataclass
class Mailed:
    """What one pass has sent.

    Attributes:
        sent: how many letters were taken by the server, for at least one address.
        failures: a sentence for each that was not, and is tried again by the next pass.
        undelivered: a sentence for each that the server has refused for good. It is not tried
            again, until the address in the register is another.
    """

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mailing:
    """The mail of a quarter at a moment.

    Attributes:
        outbox: what forms on record are named below.
    """

    terms: Terms
    ledger: Ledger
    handout: Handout
    reminding: Reminding
    outbox: Path
    as_of: datetime

    @property
    def period(self) -> Period:
        """The quarter."""
        return self.handout.period

    def send_all(self, post: Post) -> Mailed:
        """Send what was not sent yet, as long as the server can be reached."""
        mailed, is_reached = Mailed(), True
        for letter in self.letters():
            done = [(to, self._done.get(_name(letter, to))) for to in letter.to]
            for refused in dict.fromkeys(why for _, why in done if why):
                mailed.undelivered.append(f"{letter.subject}：{refused}")
            waiting = tuple(to for to, refused in done if refused is None)
            if waiting and is_reached:
                is_reached = self._send(post, replace(letter, to=waiting), mailed)
        if mailed.sent:
            _log.info("%s: %d mails sent", self.period, mailed.sent)
        return mailed

    def letters(self) -> Iterator[Letter]:
        """All that units with an address should have got by now, sent or not."""
        for unit in self.terms.plan(self.period).units:
            to = tuple(
                one.address for one in self.terms.register.addresses if one.unit == unit.code
            )
            if to:
                yield from self._forms(unit, to)
                yield from self._correction(unit, to)
                yield from self._reminder(unit, to)

    def _send(self, post: Post, letter: Letter, mailed: Mailed) -> bool:
        """Send a letter, and note what came of it; whether more can be sent."""
        try:
            refused = post.send(letter, self.as_of)
        except Unreachable as error:
            mailed.failures.append(error.said)
            return False
        except Refused as error:
            self._note_refusal(letter, error, mailed)
        except FileNotFoundError:
            pass  # another pass has taken it away meanwhile: it holds no longer
        except OSError as error:
            mailed.failures.append(say("{mail}：{error}", mail=letter.subject, error=str(error)))
        else:
            self._note_sent(letter, refused, mailed)
        return True

    def _note_sent(self, letter: Letter, refused: Sequence[str], mailed: Mailed) -> None:
        """On record for the addresses that got it; the others are tried alone the next time, when
        the server says whether it refuses them for good.
        """
        for to in letter.to:
            if to not in refused:
                self.ledger.record_mail(_name(letter, to), self.as_of, to)
        mailed.sent += 1
        if refused:
            mailed.failures.append(
                say(
                    "{mail}：{count} 个邮箱被拒收，下次再试，请核对登记表中的邮箱",
                    mail=letter.subject,
                    count=len(refused),
                )
            )

    def _note_refusal(self, letter: Letter, error: Refused, mailed: Mailed) -> None:
        if error.is_temporary:
            mailed.failures.append(say("{mail}：{error}", mail=letter.subject, error=error.said))
            return
        for to in letter.to:
            self.ledger.record_mail(_name(letter, to), self.as_of, to, refused=error.message)
        mailed.undelivered.append(f"{letter.subject}：{error.message}")

    def _forms(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        """The forms, with the due date that is printed on them; they go again if that changes."""
        forms, due = self._forms_of(unit), self.terms.calendar.due(self.period, unit.code)
        files = [self.outbox / form.file for form in forms]
        dated = [form.due for form in forms if form.kind is FormKind.RETURN]
        is_old = any(printed not in (None, due) for printed in dated)
        if not files or is_old or self._owes_nothing(unit):
            return
        if all(file.is_file() for file in files):
            matter = f"forms/{due}/{len(files)}"
            yield self._letter(
                matter,
                unit,
                to,
                f"{self.period.label}生物多样性保护责任分工方案工作推进情况报送表",
                self._asking(unit) + self._instead(unit, matter),
                files,
            )

    def _asking(self, unit: Unit) -> str:
        """By when the form is wanted back; after that day, as soon as can be."""
        calendar, label = self.terms.calendar, self.period.label
        if self.as_of.astimezone(CHINA).date() > calendar.due(self.period, unit.code):
            return f"现发送{label}报送表。报送时间已过，尚未收到贵单位的报送表，请尽快填好返回。"
        day = due_day(calendar, self.period, unit.code)
        return f"现发送{label}报送表，请填写后于{day}前（含当日）原表返回。"

    def _instead(self, unit: Unit, matter: str) -> str:
        """That it takes the place of what was sent before, if anything was."""
        mine = f"{self.period}/{unit.code}/"
        before = any(
            name.startswith(f"{mine}forms/") and not name.startswith(f"{mine}{matter} ")
            for name, refused in self._done.items()
            if not refused
        )
        return "此前发送过的，以这次所附的为准。" if before else ""

    def _correction(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        copy, file = self._copies.get(unit.code), self.handout.correction_file(unit)
        if copy is not None and file.is_file():
            yield self._letter(
                f"correction/{copy.matter}",
                unit,
                to,
                f"{self.period.label}报送表退回修改",
                "贵单位返回的报送表有需要修改的地方，已在附件中标出。请在附件上改好后返回。",
                [file],
            )

    def _reminder(self, unit: Unit, to: tuple[str, ...]) -> Iterator[Letter]:
        made, file = self._holding.get(unit.code), self.reminding.letter_file(unit)
        if made is not None and file.is_file():
            yield self._letter(
                f"reminder/{made.due}/{made.distance}",
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

    def _forms_of(self, unit: Unit) -> list[Form]:
        return [form for form in self._issued if form.unit == unit.code]

    def _owes_nothing(self, unit: Unit) -> bool:
        """Whether a unit has returned its form, or need not."""
        is_exempt = (unit.code, self.period) in self.terms.calendar.exemptions
        return is_exempt or unit.code in self._returned

    @cached_property
    def _done(self) -> Mapping[str, str]:
        return self.ledger.mails(self.period)

    @cached_property
    def _issued(self) -> Sequence[Form]:
        return self.ledger.forms(self.period)

    @cached_property
    def _returned(self) -> Mapping[str, Sequence[FileRecord]]:
        return self.ledger.revisions(FormKind.RETURN, self.period, self.as_of)

    @cached_property
    def _copies(self) -> Mapping[str, CorrectionCopy]:
        return self.ledger.corrections(self.period)

    @cached_property
    def _holding(self) -> Mapping[str, Reminder]:
        return self.reminding.holding(self.as_of)


def _name(letter: Letter, to: str) -> str:
    """A letter to one address, as the ledger knows it."""
    return f"{letter.matter} {to}"
