"""THE STORY: a workspace hands out forms, collects what comes back, and consolidates it.

A workspace is a folder with a bioduty.toml. The library prints nothing and reads no clock: the
moment to work at is an argument, and progress is reported to a callback.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from bioduty_xl import config, evidence
from bioduty_xl.domain.calendar import CHINA, end_of_day, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit
from bioduty_xl.domain.register import Ownership, Problem, Register, UnitChange
from bioduty_xl.domain.stamp import FormKind, Seal, Stamp
from bioduty_xl.domain.standing import Rulebook, Standing
from bioduty_xl.domain.verdict import Collected, FileReport, Verdict
from bioduty_xl.errors import (
    BiodutyError,
    Busy,
    ConfigError,
    LedgerError,
    PlanError,
    TemplateError,
    system_words,
)
from bioduty_xl.language import say
from bioduty_xl.layout.atomic import clear_scratch, write_batch, write_whole
from bioduty_xl.layout.disk import require_local
from bioduty_xl.layout.packaged import PLAN, REGISTER, packaged
from bioduty_xl.layout.sheets import REGISTER_CHANGES, REGISTER_OWNERSHIPS, REGISTER_RECEIPTS
from bioduty_xl.ledger import Assignment, FileRecord, Ledger
from bioduty_xl.plan.book import read_plan
from bioduty_xl.plan.entry_words import entry_texts, is_on_record
from bioduty_xl.terms import Terms

if TYPE_CHECKING:  # what takes long to import is imported by the methods that need it
    from concurrent.futures import Executor

    import pandas as pd
    from filelock import FileLock

    from bioduty_xl.backup import Backup
    from bioduty_xl.desk import Desk
    from bioduty_xl.handout import Handout
    from bioduty_xl.intake import sandbox
    from bioduty_xl.intake.gate import Limits
    from bioduty_xl.intake.reading import Reading
    from bioduty_xl.mailing import Mailed
    from bioduty_xl.publishing import Publisher
    from bioduty_xl.reception import Reception
    from bioduty_xl.reminding import Reminding
    from bioduty_xl.settling import Rows

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with (what is being worked on, how many are done, how many there are)."""

When = datetime | date | str
"""A moment: see `domain.calendar.moment`."""

_MIB = 1 << 20
_HASHED_MOST = 8
"""`inspect` takes the hash of a file of up to so many times the largest that is read."""

TEMPLATES = ("quarterly_return.xlsx", "annex2_contacts.xlsx")

ALL_TIME = datetime(9999, 12, 30, tzinfo=CHINA)
"""A moment after everything, where no `as_of` is given."""


def named_period(period: str | Period) -> Period:
    """A period from its name.

    Raises:
        ConfigError: the text names none.
    """
    try:
        return period if isinstance(period, Period) else Period.parse(period)
    except ValueError:
        raise ConfigError(
            say("“{period}”不是报送期，应写成 2024Q2 的样子", period=period)
        ) from None


def _no_progress(what: str, done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Workspace:
    """A folder in which one collection lives.

    Attributes:
        root: the folder.
        settings: its bioduty.toml.
    """

    root: Path
    settings: config.Settings

    @classmethod
    def open(cls, path: str | Path) -> Workspace:
        """The workspace in a folder.

        Raises:
            ConfigError: the folder has no bioduty.toml, or it cannot be used.
        """
        root = Path(path).resolve()
        settings = root / config.SETTINGS_FILE
        if not settings.is_file():
            raise ConfigError(
                say(
                    "{root} 不是工作区（没有 {file}），可用 bioduty init 新建",
                    root=root,
                    file=config.SETTINGS_FILE,
                )
            )
        loaded = config.load(settings)
        _require_known_codes(loaded)
        if clashes := loaded.paths.clashes(root):
            raise loaded.refusal(clashes)
        return cls(root, loaded)

    @classmethod
    def create(cls, path: str | Path) -> Workspace:
        """Make a new workspace in a folder, which is made if need be.

        Raises:
            BiodutyError: there is a workspace already.
        """
        root = Path(path).resolve()
        if (root / config.SETTINGS_FILE).exists():
            raise BiodutyError(
                say(
                    "{root} 已经是工作区，没有作任何改动；只更新启动文件，请加 --starters",
                    root=root,
                )
            )
        for folder in ("inbox", "outbox", "templates"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name in TEMPLATES:
            if not (root / "templates" / name).exists():
                shutil.copyfile(packaged(name), root / "templates" / name)
        shutil.copyfile(packaged(config.SETTINGS_FILE), root / config.SETTINGS_FILE)
        made = cls.open(root)
        if not made.register_file.exists():
            shutil.copyfile(packaged(REGISTER), made.register_file)
        made.write_starters()
        return made

    @classmethod
    def restore(
        cls, path: str | Path, folder: str | Path, state_dir: str | Path | None = None
    ) -> Workspace:
        """Put a backup in place, in a new or empty folder; all of it is checked first.

        Args:
            path: the backup.
            folder: where the workspace is to be.
            state_dir: where ledger, originals and key are to be, relative to the folder; the
                settings are changed accordingly. None: where the settings say, if that is in the
                folder.

        Raises:
            ConfigError: a folder is not empty or on a network disk, or the settings name a state
                folder elsewhere and none is given.
            BiodutyError: the file is no backup, is damaged, or a newer program wrote it.
        """
        from bioduty_xl import restoring

        return cls.open(restoring.restore(Path(path), Path(folder), state_dir).root)

    def backup(self, path: str | Path, *, as_of: When | None = None) -> Backup:
        """Write all that this workspace needs to go on elsewhere into one file, whole or not at
        all. It holds the signing key and what units answered: keep it as the workspace is kept.

        Others may work in the workspace meanwhile: what the backup says is one moment's. The inbox
        and the outbox are in it only where they lie in the workspace's folder.

        Args:
            path: a zip; an older backup of this workspace is replaced.
            as_of: when, for the record.

        Returns:
            What is in it, and what could not be.

        Raises:
            ConfigError: the file is none that may be written.
            LedgerError: the ledger is damaged or gone.
        """
        from bioduty_xl.backup import Place, back_up

        self.require_ledger()
        made = moment(as_of) if as_of is not None else None
        return back_up(Place(self.root, self.settings), Path(path), made)

    def write_starters(self) -> list[Path]:
        """Put starters that run one pass and open its book into the workspace's folder, for the
        Python that runs now; one that a person has changed stays as it is.

        Returns:
            Those written.
        """
        from bioduty_xl.desktop import own_command, write_starters

        return write_starters(self.root, own_command())

    @cached_property
    def terms(self) -> Terms:
        """Settings, plan and register in force, as they were when first asked for."""
        return Terms(self.settings, self._base_plan, self._register_read.register)

    @cached_property
    def _base_plan(self) -> Plan:
        return read_plan(self.plan_file)

    @property
    def plan(self) -> Plan:
        """The plan as its workbook says it: the workspace's own, or the packaged one. A period's
        plan, with the changes of units that hold by then, is `terms.plan(period)`.
        """
        return self.terms.base

    @property
    def plan_file(self) -> Path:
        """Where the plan in force stands."""
        own = self.path(self.settings.paths.plan)
        return own if own.exists() else packaged(PLAN)

    @property
    def rulebook(self) -> Rulebook:
        """Due dates, exemptions and definitions in force."""
        return self.terms.rulebook

    @property
    def register_file(self) -> Path:
        """The coordinator's register."""
        return self.path(self.settings.paths.register_book)

    @property
    def inbox(self) -> Path:
        """Where returned files are dropped."""
        return self.path(self.settings.paths.inbox)

    @property
    def state_dir(self) -> Path:
        """Ledger, originals, signing key and log."""
        return self.path(self.settings.paths.state_dir)

    @property
    def ledger_file(self) -> Path:
        """The record of what was handed out and received."""
        return self.state_dir / "ledger.sqlite"

    @property
    def outbox_root(self) -> Path:
        """The outbox, with a folder for each period."""
        return self.path(self.settings.paths.outbox)

    def outbox(self, period: str | Period) -> Path:
        """Where a period's forms and books are put."""
        return self.outbox_root / str(self.period(period))

    def report_file(self, period: str | Period) -> Path:
        """The consolidated workbook of a period."""
        return self.outbox(period) / f"汇总_{self.period(period)}.xlsx"

    def parquet_file(self, period: str | Period) -> Path:
        """The full merge of a period as Parquet."""
        return self.report_file(period).with_suffix(".parquet")

    @property
    def contact_list_file(self) -> Path:
        """联系人名单 of all units, in the letter's own form."""
        return self.outbox_root / "contacts.xlsx"

    def template(self, name: str) -> Path:
        """A template: the workspace's own, or the packaged one."""
        own = self.path(self.settings.paths.templates) / name
        return own if own.exists() else packaged(name)

    def path(self, setting: Path) -> Path:
        """A path from the settings, relative to the workspace."""
        return self.root / setting

    def period(self, period: str | Period) -> Period:
        """A period from its name.

        Raises:
            ConfigError: the text names none.
        """
        return named_period(period)

    def find_unit(self, name: str, period: str | Period | None = None) -> Unit:
        """A unit by name, alias or code, as it stands in a period (None: now).

        Raises:
            ConfigError: the plan has no such unit; the likely ones are named.
        """
        return self.terms.find_unit(name, self.period(period) if period else None)

    def generate(
        self,
        period: str | Period,
        unit: str | None = None,
        *,
        contacts: bool = False,
        as_of: When | None = None,
        progress: Progress = _no_progress,
    ) -> list[Path]:
        """Write a return form for each unit; in the first period also a contact form, and later to
        the units that were asked for their contacts and named none.

        The same plan, settings and ledger give the same bytes, so it may be repeated; forms that
        were handed out before stay valid.

        Args:
            period: such as `2024Q2`.
            unit: name, alias or code; None: all units.
            contacts: write contact forms for all of them.
            as_of: the date of issue that goes on record.

        Returns:
            Paths of the return forms, then of the contact forms, each in plan order.

        Raises:
            ConfigError: the period or the unit is unknown.
            PlanError: the plan is not sound, so forms made from it would be wrong.
            TemplateError: a template lacks something.
            Busy: another run holds the workspace.
        """
        period = self.period(period)
        plan = self.terms.plan(period)
        units = plan.units if unit is None else (self.find_unit(unit, period),)
        with self.locked(), self._ledger() as ledger:
            clear_scratch(self.outbox(period))
            handout = self._handout(ledger, period)
            issued = moment(as_of) if as_of is not None else None
            return self._write_forms(
                handout, handout.forms(units, contacts=contacts), issued, progress
            )

    def hand_out(
        self, period: str | Period, *, as_of: When, progress: Progress = _no_progress
    ) -> list[Path]:
        """Write forms to the units of a period that have none, and anew to those whose due date is
        another one than their form says and that have not returned.

        Returns:
            Paths of what was written.

        Raises:
            PlanError, TemplateError, Busy: as for `generate`.
        """
        with self.locked(), self._ledger() as ledger:
            period, now = self.period(period), moment(as_of)
            handout = self._handout(ledger, period)
            old = evidence.units_with_old_form(self.terms, ledger, period, now)
            orders = (
                *((FormKind.RETURN, unit) for unit in old),
                *handout.forms(evidence.units_without_form(self.terms, ledger, period)),
            )
            return self._write_forms(handout, orders, now, progress)

    def _write_forms(
        self,
        handout: Handout,
        orders: Sequence[tuple[FormKind, Unit]],
        issued: datetime | None,
        progress: Progress,
    ) -> list[Path]:
        if problems := self.plan.problems():
            raise PlanError(
                say("责任分工方案 {path} 有问题，请改正后再生成", path=self.plan_file), *problems
            )
        period, due = handout.period, self.terms.calendar.due
        forms: list[tuple[Stamp, Path]] = []

        def made() -> Iterator[tuple[Path, bytes]]:
            for kind, one in orders:
                progress(one.name, len(forms), len(orders))
                form = handout.make(kind, one)
                forms.append((form.stamp, form.path))
                yield form.path, form.made.file

        write_batch(made())  # all are on disk before the ledger says that they are out
        named = [
            (stamp, path.relative_to(self.outbox_root).as_posix(), due(period, stamp.unit))
            for stamp, path in forms
        ]
        handout.ledger.record_forms(named, issued)
        _log.info("%s: %d forms written", period, len(forms))
        return [path for _, path in forms]

    def _handout(self, ledger: Ledger, period: Period) -> Handout:
        from bioduty_xl.handout import Handout  # brings openpyxl, which other commands need not

        return Handout(
            self.terms,
            self._seal(ledger),
            ledger,
            period,
            self.outbox(period),
            self.template,
        )

    def open_periods(self, as_of: When) -> list[Period]:
        """The periods under way at a moment, oldest first: a form is out or a return came, and the
        last day on which returns count has not ended.
        """
        return [one for one in self._unclosed() if not self._has_ended(one, moment(as_of))]

    def periods_to_close(self, as_of: When) -> list[Period]:
        """The periods that were under way and have ended, oldest first."""
        return [one for one in self._unclosed() if self._has_ended(one, moment(as_of))]

    def closed_periods(self) -> list[Period]:
        """The periods whose books were published for good, oldest first."""
        with self._ledger(read_only=True) as ledger:
            return ledger.closed_periods()

    def periods_to_hand_out(self, as_of: When) -> list[Period]:
        """The periods whose opening day has come, that have not ended, and of which forms are to be
        written: see `hand_out`.
        """
        calendar, now = self.terms.calendar, moment(as_of)
        here = Period.containing(now.date())
        near = (here.shift(n) for n in range(-4, 2))
        return [
            one
            for one in near
            if one >= calendar.first
            and calendar.opening(one) <= now.date()
            and not self._has_ended(one, now)
            and not self.is_closed(one)
            and self._has_due_forms(one, now)
        ]

    def _has_due_forms(self, period: Period, as_of: datetime) -> bool:
        with self._ledger(read_only=True) as ledger:
            return bool(
                evidence.units_without_form(self.terms, ledger, period)
                or evidence.units_with_old_form(self.terms, ledger, period, as_of)
            )

    def is_closed(self, period: str | Period) -> bool:
        """Whether a period's book was published for good."""
        with self._ledger(read_only=True) as ledger:
            return ledger.closing(self.period(period)) is not None

    def _unclosed(self) -> list[Period]:
        with self._ledger(read_only=True) as ledger:
            closed = set(ledger.closed_periods())
            return [period for period in ledger.periods() if period not in closed]

    def _has_ended(self, period: Period, as_of: datetime) -> bool:
        return as_of > end_of_day(self.terms.calendar.closing(period))

    def collect(
        self,
        *,
        as_of: When | None = None,
        progress: Progress = _no_progress,
        executor: Executor | None = None,
    ) -> Collected:
        """Take everything from the inbox: keep it, record it, read it, judge it, tidy it away.

        Args:
            as_of: the pass's moment; nothing counts as received later. None: arrival times stand.
            executor: whose workers read the files, such as dask's (`Client.get_executor()`); they
                need this package. None: processes of this machine.

        Returns:
            A verdict for each file in the inbox, and for each that a stopped run left unread.

        Raises:
            BiodutyError: the inbox is not there.
            Busy: another run holds the workspace.
        """
        latest = moment(as_of) if as_of is not None else ALL_TIME
        with self.locked(), self._ledger() as ledger, self._reading(executor) as reading:
            return self._reception(self._desk(ledger), reading, latest).take_all(progress)

    def assign(
        self,
        file: str,
        unit: str,
        period: str | Period,
        reason: str,
        *,
        as_of: When | None = None,
    ) -> FileReport:
        """Settle whose return a held or rejected file is, and put the decision on record.

        The file is read again under the unit and period given. What holds no form stays held, and
        is shown beside the unit: something came.

        Args:
            file: its name in 收件台账, or the start of its SHA-256.
            unit: name, alias or code.
            reason: why, for the record.
            as_of: when it was decided.

        Raises:
            ConfigError: file, unit or period is unknown, no reason is given, or the file is
                settled already.
            Busy: another run holds the workspace.
        """
        from bioduty_xl.reception import find_file

        wanted = self.period(period)
        owner = self.find_unit(unit, wanted)
        if not reason.strip():
            raise ConfigError(say("请写明认定的理由"))
        with self.locked(), self._ledger() as ledger, self._reading() as reading:
            found = find_file(ledger.files(ALL_TIME), file)
            decided = moment(as_of) if as_of is not None else None
            assignment = Assignment(owner.code, wanted, reason.strip(), decided)
            return self._assign(self._desk(ledger), reading, found, assignment)

    def _assign(
        self, desk: Desk, reading: Reading, file: FileRecord, assignment: Assignment
    ) -> FileReport:
        _require_assignable(file, desk.ledger)
        period = assignment.period
        if not any(desk.ledger.units_with_form(kind, period) for kind in FormKind):
            raise ConfigError(say("{period} 还没有下发过表格，请核对报送期", period=period))
        return self._reception(desk, reading, ALL_TIME).assign(file, assignment)

    def _desk(self, ledger: Ledger) -> Desk:
        from bioduty_xl.desk import Desk

        return Desk(self.terms, self._seal(ledger), ledger)

    def inspect(self, file: str | Path) -> FileReport:
        """Say what `collect` would make of a file. Changes nothing.

        Args:
            file: any file at all; of an archive, every member is looked at.
        """
        from bioduty_xl.desk import Desk
        from bioduty_xl.intake import filing
        from bioduty_xl.intake.reading import Reading
        from bioduty_xl.reception import LEFTOVER, NO_FILE

        path = Path(file)
        if not filing.is_plain(path.resolve()):
            return FileReport(str(file), "", Verdict.IGNORED, reason=NO_FILE)
        if filing.is_leftover(path):
            return FileReport(str(file), "", Verdict.IGNORED, reason=LEFTOVER)
        with (
            self._ledger(read_only=True) as ledger,
            TemporaryDirectory() as scratch,
            Reading(
                self._reading_terms(tries=1),
                Path(scratch),
                in_all=self.settings.intake.read_seconds,
            ) as reading,
        ):
            desk = Desk(self.terms, self.known_seal(ledger), ledger)
            outsized = path.stat().st_size > _HASHED_MOST * self._limits.file_bytes
            sha256 = "" if outsized else filing.hash_of(path)
            reception = self._reception(desk, reading, ALL_TIME)
            reception = replace(reception, originals=Path(scratch))
            return reception.look_at(path, str(file), sha256)[0]

    def consolidate(
        self,
        period: str | Period,
        *,
        as_of: When,
        parquet: bool = False,
        progress: Progress = _no_progress,
    ) -> Path:
        """Write the consolidated workbook from the ledger alone.

        The same ledger, plan, settings and `as_of` give the same bytes. Beside it are written a
        correction copy for each return with errors, and the list of contacts.

        Args:
            period: such as `2024Q2`.
            as_of: the moment that it shows; what was received later is left out.
            parquet: write the full merge too, as `parquet_file`: what `entries` gives at that
                moment, with the types that `report.parquet` states.

        Returns:
            Its path; beside the usual one where that is open in another program.

        Raises:
            TemplateError: the book is written, but no copies can be made.
            ConfigError: the extra that writes Parquet is asked for and not installed.
        """
        period = self.period(period)
        merge = self.parquet_file(period) if parquet else None
        with self.locked(), self._ledger() as ledger:
            progress(say("汇总"), 0, 1)
            publisher = self._publisher(ledger, period)
            path = publisher.write(moment(as_of), merge)
            try:
                if ledger.closing(period) is None:
                    publisher.correct(moment(as_of))
                self._list_contacts(ledger, moment(as_of))
            except TemplateError as error:  # the book itself needs no template
                said = say(
                    "汇总表已写出：{path}；退回修改或者联系人名单没有写出：{error}",
                    path=path,
                    error=error.message,
                )
                raise TemplateError(said, *error.details) from None
        return path

    def renew(
        self, period: str | Period, *, as_of: When, progress: Progress = _no_progress
    ) -> list[Path]:
        """Write the consolidated workbook if it would show anything else than it does, or is gone.

        Returns:
            Its path if it was written.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            progress(say("汇总"), 0, 1)
            written = self._publisher(ledger, period).renew(moment(as_of))
        return [written] if written else []

    def correct(self, period: str | Period, *, as_of: When) -> list[Path]:
        """Write the correction copies that are not there as they should be, and take away those
        that are no longer needed.

        Returns:
            Those written.

        Raises:
            TemplateError: the template is not fit to make them of.
        """
        with self.locked(), self._ledger() as ledger:
            return self._publisher(ledger, self.period(period)).correct(moment(as_of))

    def list_contacts(self, *, as_of: When) -> list[Path]:
        """Write the list of contacts as of a moment, if it would show anything else than it does.

        Returns:
            Its path if it was written.

        Raises:
            TemplateError: the template is not fit to make it of.
        """
        with self.locked(), self._ledger() as ledger:
            return self._list_contacts(ledger, moment(as_of))

    def _list_contacts(self, ledger: Ledger, as_of: datetime) -> list[Path]:
        handout = self._handout(ledger, self.terms.calendar.current(as_of))
        return handout.list_contacts(self.contact_list_file, as_of)

    def close(self, period: str | Period) -> Path:
        """Close a period whose last day has ended: publish its book as it stood then, for good,
        with a draft bulletin, and take its letters away. What comes later goes into the next
        book's 补报.

        Raises:
            ConfigError: it is closed already.
            TemplateError: its correction copies cannot be made; it is not closed yet.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            if ledger.closing(period) is not None:
                raise ConfigError(say("{period} 已经结账", period=period))
            ended = end_of_day(self.terms.calendar.closing(period))
            self._reminding(ledger, period).close(ended)
            return self._publisher(ledger, period).close()

    def republish(self, period: str | Period) -> list[Path]:
        """See to it that a closed period's book is there as it was published, and no letter.

        Returns:
            Its path if it was written.

        Raises:
            Altered: a person has changed it; it is left as it is.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            self._reminding(ledger, period).drop_letters()
            written = self._publisher(ledger, period).restore()
        return [written] if written else []

    def remind(self, period: str | Period, *, as_of: When) -> list[Path]:
        """Write 催报清单 and the letters whose stage has come.

        Returns:
            What was written; nothing before the first stage, or where all is as it was.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            return self._reminding(ledger, period).renew(moment(as_of))

    def mail(self, period: str | Period, *, as_of: When) -> Mailed:
        """Send forms, correction copies and letters of a period that were not sent yet to the
        addresses in the register; nothing where no mail server is set, or while another run is
        mailing.

        Others may work in the workspace meanwhile, however slow the server is: it is not held, and
        what was sent is put on record mail by mail.

        Raises:
            BiodutyError: the settings or the password cannot be used.
        """
        from bioduty_xl.mailing import Mailed, Mailing
        from bioduty_xl.post import Post, read_password

        mail, period = self.settings.mail, self.period(period)
        if not mail.host:
            return Mailed()
        with self._mail_locked() as is_free:
            if not is_free:
                return Mailed()
            password = read_password(self.state_dir)
            if mail.ca_file:
                mail = replace(mail, ca_file=str(self.path(Path(mail.ca_file))))
            with self._ledger() as ledger, Post(mail, password, self.settings.office.name) as post:
                mailing = Mailing(
                    self.terms,
                    ledger,
                    self._handout(ledger, period),
                    self._reminding(ledger, period),
                    self.outbox_root,
                    moment(as_of),
                )
                return mailing.send_all(post)

    @contextmanager
    def _mail_locked(self) -> Iterator[bool]:
        """Keep other runs from mailing; False where one is mailing already."""
        from filelock import FileLock, Timeout

        require_local(self.state_dir)
        lock = FileLock(self.state_dir / "mail.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def clear_scratch(self) -> None:
        """Remove what stopped runs have left of files that they were writing."""
        with self.locked():
            for folder in (self.outbox_root, self.state_dir):
                clear_scratch(folder)

    def record_register(self, as_of: When) -> list[str]:
        """Put on record what the register says, and keep a copy of what was read; make a blank
        register where there never was one.

        Returns:
            A sentence for each row that cannot take effect.
        """
        from bioduty_xl.plan.register import write_register

        register, content, now = *self._register_read, moment(as_of)
        with self.locked(), self._ledger() as ledger:
            new = ledger.register(entry_texts(register, self.terms.plans), now)
            if content is not None:
                self._keep_register(content)
            elif not (self.register_file.is_file() or self._register_copy.is_file()):
                write_register(self.register_file, self.terms.latest)
        if new:
            _log.info("register: %d new entries", len(new))
        return [str(problem) for problem in (*register.problems, *_not_yet(register, now))]

    def _keep_register(self, content: bytes) -> None:
        copy = self._register_copy
        if not copy.is_file() or copy.read_bytes() != content:
            write_whole(copy, content, mode=0o600)

    def settle_ownerships(self, as_of: When) -> tuple[list[str], list[str]]:
        """Settle the held files whose owner the register names, each row once.

        Returns:
            What was settled, and a sentence for each row that cannot take effect.
        """
        from bioduty_xl.settling import Rows

        settled, problems = [], []
        with self.locked(), self._ledger() as ledger:
            register, plans = self.terms.register, self.terms.plans
            rows = Rows(register.ownerships, plans, ledger, moment(as_of))
            for row in rows.rows:
                try:
                    report = self._settle(rows, row)
                except (Busy, LedgerError):
                    raise
                except (BiodutyError, OSError) as error:
                    said = error.message if isinstance(error, BiodutyError) else system_words(error)
                    problems.append(str(Problem(REGISTER_OWNERSHIPS.title, row.row, str(said))))
                    continue
                if report is not None:
                    settled.append(f"{report.file}：{report.verdict.word} {report.reason}".rstrip())
        return settled, problems

    def _settle(self, rows: Rows, row: Ownership) -> FileReport | None:
        """Settle the file that a row means, and put the row on record as done, last: what a
        stopped pass has left undone of it follows in the next.
        """
        meant, ledger, report = rows.meant(row), rows.ledger, None
        if meant is None:
            return None
        with self._reading() as reading:
            desk = self._desk(ledger)
            if not meant.is_settled:
                assignment = Assignment(row.unit, row.period, row.reason, rows.now)
                report = self._assign(desk, reading, meant.file, assignment)
            elif not Verdict(meant.file.verdict).needs_attention:
                self._reception(desk, reading, ALL_TIME).follow_up(meant.file)
        ledger.settle(rows.text(row), meant.file, rows.now)
        return report

    @property
    def _register_copy(self) -> Path:
        """The register as it could last be read, for when it is open elsewhere or damaged."""
        return self.state_dir / "register.xlsx"

    @cached_property
    def _register_read(self) -> _RegisterRead:
        from bioduty_xl.plan.register import read_register

        for path in (self.register_file, self._register_copy):
            try:
                content = path.read_bytes()
                register = read_register(
                    content, path.name, self._base_plan, self.settings.calendar, self._too_late
                )
            except (PlanError, OSError):
                continue
            if path == self.register_file:
                return _RegisterRead(register, content)
            said = Problem("", 0, f"{self.register_file} 不见了或打不开，暂按上次读到的内容办理")
            return _RegisterRead(replace(register, problems=(said, *register.problems)))
        if self.register_file.is_file():
            said = Problem("", 0, f"{self.register_file} 打不开，其中的内容没有生效，请检查")
            return _RegisterRead(Register(problems=(said,)))
        return _RegisterRead(Register())

    def _too_late(self, change: UnitChange) -> str | None:
        """Why a change of units comes too late: a quarter that it would change was closed before
        the register was first seen to have it. Closed books do not change, and what is made anew
        for a closed quarter is to agree with them.
        """
        closed, known = self._closed_and_known
        if closed is None or change.since > closed or is_on_record(change, known):
            return None
        return (
            f"{change.since} 已经结账，不能再改变当时的单位，请把"
            f"“{REGISTER_CHANGES['since'].heading}”写成 {closed.shift(1)} 或以后；"
            "若是改动了先前已经生效的一行，请照原样改回，新的变动另写一行"
        )

    @cached_property
    def _closed_and_known(self) -> tuple[Period | None, frozenset[str]]:
        """The last closed quarter, and what is on record of changes of units."""
        with self._ledger(read_only=True) as ledger:
            closed = ledger.closed_periods()
            registered = ledger.registered()
        known = (one.text for one in registered if one.sheet == REGISTER_CHANGES.title)
        return closed[-1] if closed else None, frozenset(known)

    def _publisher(self, ledger: Ledger, period: Period) -> Publisher:
        from bioduty_xl.publishing import Publisher  # brings pandas

        return Publisher(
            self.terms,
            ledger,
            self._handout(ledger, period),
            self.report_file(period),
            self.outbox(period) / f"通报_{period}.docx",
            self.state_dir / "published",
        )

    def _reminding(self, ledger: Ledger, period: Period) -> Reminding:
        from bioduty_xl.reminding import Reminding  # brings pandas

        return Reminding(self.terms, ledger, period, self.outbox(period) / "reminders")

    def standing(self, period: str | Period, *, as_of: When) -> Standing:
        """Where a period stands at a moment. Changes nothing."""
        with self._ledger(read_only=True) as ledger:
            return evidence.take_standing(self.terms, ledger, self.period(period), moment(as_of))

    def waiting_files(self, period: str | Period | None = None, *, as_of: When) -> list[FileRecord]:
        """The files that are held or rejected, each with its reason, and of which nobody has
        decided yet whose they are; archives are left out, since their members are files of their
        own. Changes nothing.

        Args:
            period: those of this one; None: of every period and of none that is known.
        """
        with self._ledger(read_only=True) as ledger:
            waiting = ledger.waiting(moment(as_of))
        if period is None:
            return waiting
        wanted, current = self.period(period), self.rulebook.calendar.current
        return [file for file in waiting if (file.period or current(file.received)) == wanted]

    def entries(self, period: str | Period, *, as_of: When | None = None) -> pd.DataFrame:
        """Every unit × item × role of a period with its state and answers; see
        `report.frames.entries` for the columns. Changes nothing.

        Args:
            as_of: leave out what was received later; None: nothing.
        """
        from bioduty_xl.report import frames  # brings pandas

        until = moment(as_of) if as_of is not None else ALL_TIME
        with self._ledger(read_only=True) as ledger:
            found = evidence.gather(self.terms, ledger, self.period(period), until)
        return frames.given_out(frames.entries(found))

    def _reception(self, desk: Desk, reading: Reading, latest: datetime) -> Reception:
        from bioduty_xl.reception import Reception

        return Reception(
            *(desk, self.rulebook.calendar, reading, self._limits),
            *(self.inbox, self.originals, latest),
        )

    @property
    def originals(self) -> Path:
        """Every file ever received, under its SHA-256."""
        return self.state_dir / "originals"

    @contextmanager
    def locked(self, *, patience: float = 0.0) -> Iterator[None]:
        """Hold the workspace: no other run works in it meanwhile. A pass holds it for all its
        steps but mail; they take it again.

        Args:
            patience: seconds to wait for another run.

        Raises:
            Busy: another run holds it.
        """
        from filelock import Timeout  # who only looks holds nothing

        if not self._lock.is_locked:
            require_local(self.state_dir)
            self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._lock.acquire(timeout=patience):
                yield
        except Timeout:
            raise Busy(say("另一个 bioduty 正在处理这个工作区，请稍后再试")) from None

    @cached_property
    def _lock(self) -> FileLock:
        from filelock import FileLock

        return FileLock(self.state_dir / "lock", timeout=0)

    def _ledger(self, *, read_only: bool = False) -> Ledger:
        self.require_ledger()
        return Ledger(self.ledger_file, read_only=read_only)

    def require_ledger(self) -> None:
        """What was received must not be taken for nothing because the ledger is gone, or looked for
        elsewhere.

        Raises:
            LedgerError: there is none, and originals or the inbox show that there was one.
        """
        if self.ledger_file.exists():
            return
        from bioduty_xl.intake import filing

        if any(filing.originals_in(self.originals)):
            raise LedgerError(
                say(
                    "台账 {path} 不见了，而收到的原件还在，请从备份恢复；确无备份的，"
                    "把 {originals} 改名后，将原返回表重新放入收件夹",
                    path=self.ledger_file,
                    originals=self.originals,
                )
            )
        if filing.is_ours(self.inbox):
            raise LedgerError(
                say(
                    "收件夹 {inbox} 已经收取过，而台账 {path} 不在，"
                    "请检查设置中的 paths.state_dir；台账丢失的，请从备份恢复；"
                    "要另起一本的，请换一个新的收件夹",
                    inbox=self.inbox,
                    path=self.ledger_file,
                )
            )

    @property
    def _limits(self) -> Limits:
        """The caps on files in force."""
        from bioduty_xl.intake.gate import Limits

        intake = self.settings.intake
        return Limits(
            file_bytes=intake.max_file_mb * _MIB, unpacked_bytes=intake.max_unpacked_mb * _MIB
        )

    def _reading_terms(self, tries: int) -> sandbox.Terms:
        from bioduty_xl.intake import sandbox

        intake = self.settings.intake
        return sandbox.Terms(self._limits, intake.read_seconds, intake.memory_mb, tries)

    def _reading(self, executor: Executor | None = None) -> Reading:
        from bioduty_xl.intake.reading import Reading

        return Reading(self._reading_terms(tries=2), self.originals, executor)

    @property
    def _key_file(self) -> Path:
        return self.state_dir / "signing.key"

    def _seal(self, ledger: Ledger) -> Seal:
        """The workspace's seal; its key is made once, before the first form.

        Raises:
            LedgerError: forms are out, but their key is gone.
        """
        if not self._key_file.exists() and ledger.is_blank:
            write_whole(self._key_file, secrets.token_hex(32).encode("ascii"), mode=0o600)
        return self.known_seal(ledger)

    def known_seal(self, ledger: Ledger) -> Seal:
        """The seal, or where no key was made yet one that nothing was sealed with.

        Raises:
            LedgerError: forms are out, but their key is gone.
        """
        if self._key_file.exists():
            text = self._key_file.read_text(encoding="ascii", errors="replace").strip()
            if re.fullmatch("[0-9a-f]{64}", text):
                return Seal(bytes.fromhex(text))
        elif ledger.is_blank:
            return Seal(secrets.token_bytes(32))
        raise LedgerError(
            say(
                "签名密钥 {key} 不见了或已损坏，请从备份恢复，否则已下发的表无法识别",
                key=self._key_file,
            )
        )


class _RegisterRead(NamedTuple):
    """What was read of the register.

    Attributes:
        content: bytes of the workbook, which its copy is made of; None where the register itself
            could not be read.
    """

    register: Register
    content: bytes | None = None


def _not_yet(register: Register, now: datetime) -> list[Problem]:
    """Returns that are to have come on a day that has not come yet: a slip of the pen."""
    heading = REGISTER_RECEIPTS["received"].heading
    return [
        Problem(
            REGISTER_RECEIPTS.title,
            one.row,
            f"{heading} {one.received:%Y-%m-%d} 还没有到，到那天以前不计，请核对",
        )
        for one in register.receipts
        if one.received > end_of_day(now.date())
    ]


def _require_known_codes(settings: config.Settings) -> None:
    """A code that no finding has is a slip of the pen, and would switch off nothing."""
    named = {*settings.rules.off, *settings.rules.severity}
    if not named:
        return
    from bioduty_xl.desk import CODES

    faults = [
        (
            ("rules", table, code),
            say("没有“{code}”这条规则{hint}", code=code, hint=_likely_code(code)),
        )
        for table in ("off", "severity")
        for code in sorted({*getattr(settings.rules, table)} - CODES)
    ]
    if faults:
        raise settings.refusal(faults)


def _likely_code(code: str) -> str:
    from rapidfuzz import process

    from bioduty_xl.desk import CODES

    likely = process.extractOne(code.upper(), CODES, score_cutoff=60)
    return say("，是否想写 {likely}？", likely=likely[0]) if likely else ""


def _require_assignable(file: FileRecord, ledger: Ledger) -> None:
    """Only what waits for a person, or what a person settled before, can be settled."""
    if ledger.members(file):
        raise ConfigError(
            say("“{file}”是压缩包，请逐个认定其中的文件（写作“压缩包名/文件名”）", file=file.name)
        )
    if file.verdict == "received":
        raise ConfigError(say("“{file}”还没有读取，请先收件（bioduty collect）", file=file.name))
    waiting = Verdict(file.verdict).needs_attention
    if not waiting and not ledger.assignments(file):
        raise ConfigError(
            say(
                "“{file}”的处理结果是“{verdict}”，不需要认定",
                file=file.name,
                verdict=Verdict(file.verdict).word,
            )
        )
