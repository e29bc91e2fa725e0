"""THE STORY: a workspace hands out forms, collects what comes back, and consolidates it.

A workspace is a folder with a bioduty.toml. The library prints nothing and reads no clock: the
moment to work at is an argument, and progress is reported to a callback.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from rapidfuzz import process

from bioduty_xl import config, evidence
from bioduty_xl.desk import CODES, Desk
from bioduty_xl.domain.calendar import CHINA, end_of_day, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit
from bioduty_xl.domain.register import Ownership, Problem, Register
from bioduty_xl.domain.stamp import FormKind, Seal, Stamp
from bioduty_xl.domain.standing import Rulebook, Standing
from bioduty_xl.domain.verdict import Collected, FileReport, Verdict
from bioduty_xl.errors import (
    BiodutyError,
    Busy,
    ConfigError,
    LedgerError,
    PlanError,
)
from bioduty_xl.intake import filing
from bioduty_xl.intake.sandbox import Sandbox
from bioduty_xl.layout.atomic import clear_scratch, write_whole
from bioduty_xl.layout.disk import require_local
from bioduty_xl.layout.packaged import PLAN, REGISTER, packaged
from bioduty_xl.layout.sheets import REGISTER_OWNERSHIPS
from bioduty_xl.ledger import Assignment, FileRecord, Ledger
from bioduty_xl.plan.book import read_plan
from bioduty_xl.reception import LEFTOVER, NO_FILE, Reception, find_file
from bioduty_xl.terms import Terms

if TYPE_CHECKING:  # pandas and openpyxl take long to import, and only some methods need them
    import pandas as pd

    from bioduty_xl.handout import Handout
    from bioduty_xl.mailing import Mailed
    from bioduty_xl.publishing import Publisher
    from bioduty_xl.reminding import Reminding

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with (what is being worked on, how many are done, how many there are)."""

When = datetime | date | str
"""A moment: see `domain.calendar.moment`."""

_HASHED_MOST = 8
"""`inspect` takes the hash of a file of up to so many times the largest that is read."""

TEMPLATES = ("quarterly_return.xlsx", "annex2_contacts.xlsx")

ALL_TIME = datetime(9999, 12, 30, tzinfo=CHINA)
"""A moment after everything, where no `as_of` is given."""


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
                f"{root} 不是工作区（没有 {config.SETTINGS_FILE}），可用 bioduty init 新建"
            )
        loaded = config.load(settings)
        _require_known_codes(loaded.rules)
        return cls(root, loaded)

    @classmethod
    def create(cls, path: str | Path) -> Workspace:
        """Make a new workspace in a folder, which is made if need be.

        Raises:
            BiodutyError: there is a workspace already.
        """
        root = Path(path).resolve()
        if (root / config.SETTINGS_FILE).exists():
            raise BiodutyError(f"{root} 已经是工作区")
        for folder in ("inbox", "outbox", "templates"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name in TEMPLATES:
            if not (root / "templates" / name).exists():
                shutil.copyfile(packaged(name), root / "templates" / name)
        shutil.copyfile(packaged(config.SETTINGS_FILE), root / config.SETTINGS_FILE)
        made = cls.open(root)
        if not made.register_file.exists():
            shutil.copyfile(packaged(REGISTER), made.register_file)
        return made

    @cached_property
    def terms(self) -> Terms:
        """Settings, plan and register in force, as they were when first asked for."""
        plan = read_plan(self.plan_file)
        return Terms(self.settings, plan, self._read_register(plan))

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
        try:
            return period if isinstance(period, Period) else Period.parse(period)
        except ValueError:
            raise ConfigError(f"“{period}”不是报送期，应写成 2024Q2 的样子") from None

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
        if problems := self.plan.problems():
            raise PlanError(f"责任分工方案 {self.plan_file} 有问题，请改正后再生成", *problems)
        plan = self.terms.plan(period)
        units = plan.units if unit is None else (self.find_unit(unit, period),)
        with self.locked(), self._ledger() as ledger:
            handout = self._handout(ledger, period)
            orders = handout.forms(units, contacts=contacts)
            forms: list[tuple[Stamp, Path]] = []
            for kind, one in orders:
                progress(one.name, len(forms), len(orders))
                forms.append(handout.write(kind, one))
            names = [
                (stamp, path.relative_to(self.outbox_root).as_posix()) for stamp, path in forms
            ]
            ledger.record_forms(names, moment(as_of) if as_of is not None else None)
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

    def has_forms(self, period: str | Period) -> bool:
        """Whether a period's return forms were handed out to every unit."""
        period = self.period(period)
        with self._ledger(read_only=True) as ledger:
            out = ledger.units_with_form(FormKind.RETURN, period)
        return out >= {unit.code for unit in self.terms.plan(period).units}

    def open_periods(self, as_of: When) -> list[Period]:
        """The periods under way at a moment, oldest first: a form is out or a return came, and the
        last day on which returns count has not ended.
        """
        return [one for one in self._unclosed() if not self._has_ended(one, moment(as_of))]

    def periods_to_close(self, as_of: When) -> list[Period]:
        """The periods that were under way and have ended, oldest first."""
        return [one for one in self._unclosed() if self._has_ended(one, moment(as_of))]

    def periods_to_hand_out(self, as_of: When) -> list[Period]:
        """The periods whose opening day has come, that have not ended, and whose forms are not out
        to every unit.
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
            and not self.has_forms(one)
        ]

    def is_closed(self, period: str | Period) -> bool:
        """Whether a period's book was published for good."""
        with self._ledger(read_only=True) as ledger:
            return ledger.closing(self.period(period)) is not None

    def _unclosed(self) -> list[Period]:
        with self._ledger(read_only=True) as ledger:
            return [period for period in ledger.periods() if ledger.closing(period) is None]

    def _has_ended(self, period: Period, as_of: datetime) -> bool:
        return as_of > end_of_day(self.terms.calendar.closing(period))

    def collect(self, *, as_of: When | None = None, progress: Progress = _no_progress) -> Collected:
        """Take everything from the inbox: keep it, record it, read it, judge it, tidy it away.

        Args:
            as_of: the pass's moment; nothing counts as received later. None: arrival times stand.

        Returns:
            A verdict for each file in the inbox, and for each that a stopped run left unread.

        Raises:
            BiodutyError: the inbox is not there.
            Busy: another run holds the workspace.
        """
        latest = moment(as_of) if as_of is not None else ALL_TIME
        with self.locked(), self._ledger() as ledger, self._sandbox(tries=2) as sandbox:
            desk = Desk(self.terms, self._seal(ledger), ledger, sandbox)
            return self._reception(desk, latest).take_all(progress)

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
        wanted = self.period(period)
        owner = self.find_unit(unit, wanted)
        if not reason.strip():
            raise ConfigError("请写明认定的理由")
        with self.locked(), self._ledger() as ledger, self._sandbox() as sandbox:
            found = find_file(ledger.files(ALL_TIME), file)
            _require_assignable(found, ledger)
            if not any(ledger.units_with_form(kind, wanted) for kind in FormKind):
                raise ConfigError(f"{wanted} 还没有下发过表格，请核对报送期")
            desk = Desk(self.terms, self._seal(ledger), ledger, sandbox)
            decided = moment(as_of) if as_of is not None else None
            assignment = Assignment(owner.code, wanted, reason.strip(), decided)
            return self._reception(desk, ALL_TIME).assign(found, assignment)

    def inspect(self, file: str | Path) -> FileReport:
        """Say what `collect` would make of a file. Changes nothing.

        Args:
            file: any file at all; of an archive, every member is looked at.
        """
        path = Path(file)
        if not filing.is_plain(path.resolve()):
            return FileReport(str(file), "", Verdict.IGNORED, reason=NO_FILE)
        if filing.is_leftover(path):
            return FileReport(str(file), "", Verdict.IGNORED, reason=LEFTOVER)
        with (
            self._ledger(read_only=True) as ledger,
            self._sandbox(in_all=self.settings.intake.read_seconds) as sandbox,
            TemporaryDirectory() as scratch,
        ):
            desk = Desk(self.terms, self._known_seal(ledger), ledger, sandbox)
            outsized = path.stat().st_size > _HASHED_MOST * desk.limits.file_bytes
            sha256 = "" if outsized else filing.hash_of(path)
            reception = replace(self._reception(desk, ALL_TIME), originals=Path(scratch))
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
            ConfigError: the extra that writes Parquet is asked for and not installed.
        """
        period = self.period(period)
        merge = self.parquet_file(period) if parquet else None
        with self.locked(), self._ledger() as ledger:
            progress("汇总", 0, 1)
            return self._publisher(ledger, period).write(moment(as_of), merge)

    def renew(
        self, period: str | Period, *, as_of: When, progress: Progress = _no_progress
    ) -> list[Path]:
        """Write the consolidated workbook if it would show anything else than it does, or is gone.

        Returns:
            Its path if it was written.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            progress("汇总", 0, 1)
            written = self._publisher(ledger, period).renew(moment(as_of))
        return [written] if written else []

    def close(self, period: str | Period) -> Path:
        """Close a period whose last day has ended: publish its book as it stood then, for good,
        with a draft bulletin. What comes later goes into the next book's 补报.

        Raises:
            ConfigError: it is closed already.
        """
        period = self.period(period)
        with self.locked(), self._ledger() as ledger:
            if ledger.closing(period) is not None:
                raise ConfigError(f"{period} 已经结账")
            ended = end_of_day(self.terms.calendar.closing(period))
            self._reminding(ledger, period).list_owing(ended)
            return self._publisher(ledger, period).close()

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
        addresses in the register; nothing where no mail server is set.

        Raises:
            BiodutyError: the server cannot be reached.
        """
        from bioduty_xl.mailing import Mailed, Mailing
        from bioduty_xl.post import Post, read_password

        mail, period = self.settings.mail, self.period(period)
        if not mail.host:
            return Mailed()
        with self.locked(), self._ledger() as ledger:
            mailing = Mailing(
                self.terms,
                ledger,
                self._handout(ledger, period),
                self._reminding(ledger, period),
                self.outbox_root,
            )
            password = read_password(self.state_dir)
            if mail.ca_file:
                mail = mail.model_copy(update={"ca_file": str(self.path(Path(mail.ca_file)))})
            with Post(mail, password, self.settings.office.name) as post:
                return mailing.send_all(post, moment(as_of))

    def clear_scratch(self) -> None:
        """Remove what stopped runs have left of files that they were writing."""
        with self.locked():
            for folder in (self.outbox_root, self.state_dir):
                clear_scratch(folder)

    def record_register(self, as_of: When) -> list[str]:
        """Put on record what the register says and was not seen before; make a blank register where
        there never was one.

        Returns:
            A sentence for each row that cannot take effect.
        """
        from bioduty_xl.plan.register import entry_texts, write_register

        register = self.terms.register
        problems = [str(problem) for problem in register.problems]
        with self.locked(), self._ledger() as ledger:
            if self.register_file.is_file():
                if not any(problem.row == 0 and not problem.sheet for problem in register.problems):
                    write_whole(self._register_copy, self.register_file.read_bytes(), mode=0o600)
            elif not self._register_copy.is_file():
                write_register(self.register_file, self.terms.latest)
            new = ledger.register(entry_texts(register, self.terms.base), moment(as_of))
        if new:
            _log.info("register: %d new entries", len(new))
        return problems

    def settle_ownerships(self, as_of: When) -> tuple[list[str], list[str]]:
        """Settle the held files whose owner the register names, each once.

        Returns:
            What was settled, and a sentence for each row that cannot take effect.
        """
        settled, problems = [], []
        for one in self.terms.register.ownerships:
            try:
                report = self._settle(one, as_of)
            except ConfigError as error:
                said = Problem(REGISTER_OWNERSHIPS.title, one.row, error.message)
                problems.append(str(said))
                continue
            if report is not None:
                settled.append(f"{report.file}：{report.verdict.word} {report.reason}".rstrip())
        return settled, problems

    def _settle(self, one: Ownership, as_of: When) -> FileReport | None:
        """Settle one file, unless that was decided in the same way before."""
        with self._ledger(read_only=True) as ledger:
            found = find_file(ledger.files(ALL_TIME), one.file)
            decided = [(done.unit, done.period) for done in ledger.assignments(found)]
        if decided and decided[-1] == (one.unit, one.period):
            return None
        return self.assign(found.sha256, one.unit, one.period, one.reason, as_of=as_of)

    @property
    def _register_copy(self) -> Path:
        """The register as it could last be read, for when it is open elsewhere or damaged."""
        return self.state_dir / "register.xlsx"

    def _read_register(self, plan: Plan) -> Register:
        from bioduty_xl.plan.register import read_register

        for path in (self.register_file, self._register_copy):
            if not path.is_file():
                continue
            try:
                register = read_register(path, plan)
            except (PlanError, OSError):
                continue
            if path == self.register_file:
                return register
            said = Problem("", 0, f"{self.register_file} 不见了或打不开，暂按上次读到的内容办理")
            return replace(register, problems=(said, *register.problems))
        if self.register_file.is_file():
            said = Problem("", 0, f"{self.register_file} 打不开，其中的内容没有生效，请检查")
            return Register(problems=(said,))
        return Register()

    def _publisher(self, ledger: Ledger, period: Period) -> Publisher:
        from bioduty_xl.publishing import Publisher  # brings pandas

        return Publisher(
            self.terms,
            ledger,
            self._handout(ledger, period),
            self.report_file(period),
            self.contact_list_file,
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

    def waiting_files(self, period: str | Period, *, as_of: When) -> list[FileRecord]:
        """The files of a period that are held or rejected, each with its reason; archives are left
        out, since their members are files of their own. Changes nothing.
        """
        with self._ledger(read_only=True) as ledger:
            return [
                file
                for file in evidence.own_files(
                    evidence.files_of(ledger, self.rulebook, self.period(period), moment(as_of))
                )
                if file.verdict in (Verdict.HELD, Verdict.REJECTED)
            ]

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

    def _reception(self, desk: Desk, latest: datetime) -> Reception:
        calendar = self.rulebook.calendar
        return Reception(desk, calendar, self.inbox, self.originals, latest)

    @property
    def originals(self) -> Path:
        """Every file ever received, under its SHA-256."""
        return self.state_dir / "originals"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace: no other run works in it meanwhile. A pass holds it for all its
        steps, which take it again.

        Raises:
            Busy: another run holds it.
        """
        require_local(self.state_dir)
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._lock:
                yield
        except Timeout:
            raise Busy("另一个 bioduty 正在处理这个工作区，请稍后再试") from None

    @cached_property
    def _lock(self) -> FileLock:
        return FileLock(self.state_dir / "lock", timeout=0)

    def _ledger(self, *, read_only: bool = False) -> Ledger:
        path = self.state_dir / "ledger.sqlite"
        if not path.exists() and any(filing.originals_in(self.originals)):
            raise LedgerError(
                f"台账 {path} 不见了，而收到的原件还在，请从备份恢复；"
                f"确无备份的，把 {self.originals} 改名后，将原返回表重新放入收件夹"
            )
        return Ledger(path, read_only=read_only)

    def _sandbox(self, *, tries: int = 1, in_all: float | None = None) -> Sandbox:
        intake = self.settings.intake
        return Sandbox(intake.read_seconds, intake.memory_mb, tries=tries, in_all=in_all)

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
        return self._known_seal(ledger)

    def _known_seal(self, ledger: Ledger) -> Seal:
        """The seal, or where no key was made yet one that nothing was sealed with."""
        if self._key_file.exists():
            text = self._key_file.read_text(encoding="ascii", errors="replace").strip()
            if re.fullmatch("[0-9a-f]{64}", text):
                return Seal(bytes.fromhex(text))
        elif ledger.is_blank:
            return Seal(secrets.token_bytes(32))
        raise LedgerError(
            f"签名密钥 {self._key_file} 不见了或已损坏，请从备份恢复，否则已下发的表无法识别"
        )


def _require_known_codes(rules: config.Rules) -> None:
    """A code that no finding has is a slip of the pen, and would switch off nothing."""
    for code in sorted({*rules.off, *rules.severity} - CODES):
        likely = process.extractOne(code.upper(), CODES, score_cutoff=60)
        hint = f"，是否想写 {likely[0]}？" if likely else ""
        raise ConfigError(f"{config.SETTINGS_FILE} 的 rules 中，没有“{code}”这条规则{hint}")


def _require_assignable(file: FileRecord, ledger: Ledger) -> None:
    """Only what waits for a person, or what a person settled before, can be settled."""
    if ledger.members(file):
        raise ConfigError(f"“{file.name}”是压缩包，请逐个认定其中的文件（写作“压缩包名/文件名”）")
    if file.verdict == "received":
        raise ConfigError(f"“{file.name}”还没有读取，请先收件（bioduty collect）")
    waiting = Verdict(file.verdict).needs_attention
    if not waiting and not ledger.assignments(file):
        raise ConfigError(f"“{file.name}”的处理结果是“{Verdict(file.verdict).word}”，不需要认定")
