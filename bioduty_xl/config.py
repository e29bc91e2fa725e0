"""bioduty.toml as frozen settings; every key has a default, so the file may be empty."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bioduty_xl.domain.calendar import Calendar, Roll, SpecialPeriod
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Ground, Plan
from bioduty_xl.domain.returns import Severity, Wording
from bioduty_xl.domain.standing import Rulebook
from bioduty_xl.errors import ConfigError
from bioduty_xl.language import SETTINGS_FILE as SETTINGS_FILE
from bioduty_xl.language import Language, say
from bioduty_xl.settings.plain import Section, Within, Written, plainly
from bioduty_xl.settings.text import read_text
from bioduty_xl.settings.usable import unusable

if TYPE_CHECKING:  # what finds faults is imported where there is one
    from bioduty_xl.settings.usable import Path as Key


def _parse_period(value: object) -> Period:
    if isinstance(value, Period):
        return value
    try:
        return Period.parse(str(value))
    except ValueError:
        raise ValueError(say('“{value}”不是报送期，应写成 "2024Q2" 的样子', value=value)) from None


_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_TIME = re.compile(r"(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?")


def _parse_day(value: object) -> date:
    """A date, also in quotes; a number is no count of seconds."""
    if isinstance(value, date):
        return value
    try:
        found = _DAY.fullmatch(str(value).strip())
        return date(*map(int, found.groups())) if found else _refuse_day(value)
    except ValueError:
        return _refuse_day(value)


def _refuse_day(value: object) -> date:
    raise ValueError(
        say("“{value}”不是日期，应写成 2024-04-25 的样子，不加引号", value=value)
    ) from None


def _parse_time(value: object) -> time:
    """A time of day, also in quotes."""
    if isinstance(value, time):
        return value
    try:
        found = _TIME.fullmatch(str(value).strip())
        if found is None:
            return _refuse_time(value)
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError:
        return _refuse_time(value)


def _refuse_time(value: object) -> time:
    raise ValueError(
        say("“{value}”不是时刻，应写成 08:30:00 的样子，不加引号", value=value)
    ) from None


def _no_control(value: object) -> object:
    r"""In double quotes, `D:\new` is a drive, a line break and `ew`."""
    if any(not char.isprintable() for char in str(value)):
        raise ValueError(
            say(
                "路径 {path!r} 中有换行、制表等控制字符；Windows 路径要用单引号，如 'D:\\工作'",
                path=str(value),
            )
        )
    return value


Day = Annotated[date, Written(_parse_day)]
TimeOfDay = Annotated[time, Written(_parse_time)]
Place = Annotated[Path, Written(_no_control)]
PeriodSetting = Annotated[Period, Written(_parse_period)]


@dataclass(frozen=True)
class Office(Section):
    """Who collects, and whom units may call; printed on the forms.

    Attributes:
        name: the collecting office, as the letter signs.
        region: what the province calls this place (`rollup`); empty: the workspace's folder's name.
        contact, phone: whom to call; empty: not printed.
    """

    name: str = "攀枝花市生态环境保护委员会办公室"
    region: str = ""
    contact: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Paths(Section):
    """Where things are, relative to the workspace; `state_dir` must be on a local disk."""

    plan: Place = Path("plan.xlsx")
    templates: Place = Path("templates")
    inbox: Place = Path("inbox")
    outbox: Place = Path("outbox")
    state_dir: Place = Path(".bioduty")
    register_book: Place = Path("register.xlsx")

    def clashes(self, root: Path) -> list[tuple[Key, str]]:
        """Where one folder is another's, or has the workspace or another within it: what lies in an
        inbox is taken for returns and moved.

        Args:
            root: of the workspace.

        Returns:
            The key of each, and what is wrong with it.
        """
        folders = {
            name: (root / getattr(self, name)).resolve()
            for name in ("inbox", "outbox", "state_dir", "templates")
        }
        found: list[tuple[Key, str]] = [
            (("paths", name), say("不能是工作区本身，也不能是它的上级文件夹"))
            for name, folder in folders.items()
            if root.is_relative_to(folder)
        ]
        inbox = folders["inbox"]
        files = {name: (root / getattr(self, name)).resolve() for name in ("plan", "register_book")}
        found += [
            (("paths", name), say("不能放在 {other} 之内", other=f"paths.{other}"))
            for name, path, other, holder in (
                *((name, path, "inbox", inbox) for name, path in files.items()),
                *((a, folders[a], b, folders[b]) for a in folders for b in folders if a != b),
            )
            if path.is_relative_to(holder) and not root.is_relative_to(holder)
        ]
        return found


@dataclass(frozen=True)
class Special(Section):
    """A period with a due date of its own (the letter: the first return)."""

    period: PeriodSetting
    due: Day
    covers_from: Day | None = None


@dataclass(frozen=True)
class Extension(Section):
    """A later due date granted to one unit."""

    unit: str
    period: PeriodSetting
    due: Day
    reason: str = ""


@dataclass(frozen=True)
class Exemption(Section):
    """A unit that owes no return for a period."""

    unit: str
    period: PeriodSetting
    reason: str


@dataclass(frozen=True)
class Deadlines(Section):
    """When returns are due.

    Attributes:
        due_day: day of the quarter's last month (the letter: 25).
        open_day: day of that month on which forms go out.
        close_days: calendar days after the due date on which returns still count for the quarter.
        roll: what to do with a due date on a rest day.
        first_period: the first quarter collected; contact forms go out with it.
    """

    due_day: Annotated[int, Within(ge=1, le=28)] = 25
    open_day: Annotated[int, Within(ge=1, le=28)] = 1
    close_days: Annotated[int, Within(ge=1, le=60)] = 14
    roll: Roll = Roll.NONE
    first_period: PeriodSetting = Period(2024, 1)
    special: tuple[Special, ...] = (
        Special(period=Period(2024, 1), due=date(2024, 4, 25), covers_from=date(2023, 3, 3)),
    )
    extensions: tuple[Extension, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class Rules(Section):
    """What counts.

    Attributes:
        required: grounds on which an obligation is required.
        placeholders: further words that are no answer.
        off: codes of findings that are not wanted.
        severity: other weights of findings, by code: ERROR or WARNING.
        same_text_from: letters and digits from which equal texts are no coincidence.
        long_text: characters of an answer beyond which it should be shortened.
        unfinished_words: words in 下一步工作打算 that do not go with 已完成.
    """

    required: frozenset[Ground] = ALL_GROUNDS
    placeholders: tuple[str, ...] = ()
    off: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    same_text_from: Annotated[int, Within(ge=1)] = 15
    long_text: Annotated[int, Within(ge=1)] = 3000
    unfinished_words: tuple[str, ...] = (
        *("尚未", "未完成", "继续推进", "还需", "剩余", "抓紧完成", "尽快完成", "力争完成"),
    )


@dataclass(frozen=True)
class Intake(Section):
    """How the inbox is read.

    Attributes:
        settle_seconds: a file must stay unchanged for so long before it is taken.
        read_seconds: how long reading one file may take.
        memory_mb: how much memory the reading process may use, in MiB.
        max_file_mb, max_unpacked_mb: caps on a file as it is and unpacked, in MiB.
    """

    settle_seconds: Annotated[float, Within(ge=0, le=600)] = 1.0
    read_seconds: Annotated[float, Within(gt=0, le=600)] = 10.0
    memory_mb: Annotated[int, Within(ge=128)] = 768
    max_file_mb: Annotated[int, Within(ge=1)] = 50
    max_unpacked_mb: Annotated[int, Within(ge=1)] = 400


@dataclass(frozen=True)
class Reminders(Section):
    """When units are reminded, and how urgently.

    Attributes:
        before, after: working days before and after a unit's due date on which it is reminded.
        urgent_from, very_urgent_from: days overdue from which a letter says 加急, 特急.
    """

    before: tuple[Annotated[int, Within(ge=1, le=60)], ...] = (5, 1)
    after: tuple[Annotated[int, Within(ge=1, le=60)], ...] = (1, 4, 8)
    urgent_from: Annotated[int, Within(ge=1)] = 5
    very_urgent_from: Annotated[int, Within(ge=1)] = 10

    @property
    def distances(self) -> tuple[int, ...]:
        """All of them as signed working days from the due date."""
        return (*(-days for days in self.before), *self.after)


class Security(StrEnum):
    """How a mail connection is kept from being read by others."""

    TLS = "tls"
    STARTTLS = "starttls"


@dataclass(frozen=True)
class Mail(Section):
    """Where mail goes out. Without a host none is sent.

    Attributes:
        host, port: of the SMTP server.
        security: TLS from the start (port 465), or after a greeting (port 587).
        user: to log in as; empty: no login. Its password is in `state_dir`, not here.
        sender: address that mail comes from.
        ca_file: certificate of the office's own authority; empty: those that the system trusts.
        seconds: how long the server may take to answer.
    """

    host: str = ""
    port: Annotated[int, Within(ge=1, le=65535)] = 465
    security: Security = Security.TLS
    user: str = ""
    sender: str = ""
    ca_file: Annotated[str, Written(_no_control)] = ""
    seconds: Annotated[float, Within(gt=0, le=600)] = 30.0

    def fault(self) -> str | None:
        """A server, and nobody who sends."""
        if self.host and "@" not in self.sender:
            return say("写了 host（邮件服务器），还须在 sender 写明发件邮箱")
        return None


@dataclass(frozen=True)
class Times(Section):
    """When `bioduty schedule` runs, as times of day in Asia/Shanghai."""

    at: tuple[TimeOfDay, ...] = (time(8, 30), time(17, 30))


@dataclass(frozen=True)
class Settings(Section):
    """A workspace's settings, one attribute for each table of bioduty.toml.

    Attributes:
        language: of the command line, `zh` or `en`; `auto`: the machine's. What it writes into
            files is Chinese in any case. The command line itself reads it by `language_setting`,
            before these settings are known to be sound.
    """

    language: Language = Language.AUTO
    office: Office = Office()
    paths: Paths = Paths()
    deadlines: Deadlines = Deadlines()
    rules: Rules = Rules()
    intake: Intake = Intake()
    reminders: Reminders = Reminders()
    mail: Mail = Mail()
    schedule: Times = Times()

    _text: str = field(default="", compare=False, repr=False)

    def refusal(self, faults: Sequence[tuple[Key, str]]) -> ConfigError:
        """What to raise for settings that turn out wrong when they meet the rest of the workspace.

        Args:
            faults: the key of each, and what is wrong with it.
        """
        from bioduty_xl.settings.faults import dotted
        from bioduty_xl.settings.places import Places
        from bioduty_xl.settings.slips import Fault

        places = Places(self._text)
        placed = [
            Fault(places.of(key), say("{key}：{message}", key=dotted(key), message=message))
            for key, message in faults
        ]
        return ConfigError(
            say("{file} 中有不能使用的设置", file=SETTINGS_FILE),
            *(one.said for one in sorted(placed)),
        )

    @cached_property
    def wording(self) -> Wording:
        """The placeholders in force."""
        return Wording((*Wording().placeholders, *self.rules.placeholders))

    @cached_property
    def calendar(self) -> Calendar:
        """The usual due dates, before anything that is granted to single units."""
        deadlines = self.deadlines
        return Calendar(
            due_day=deadlines.due_day,
            first=deadlines.first_period,
            roll=deadlines.roll,
            open_day=deadlines.open_day,
            close_days=deadlines.close_days,
            special={s.period: SpecialPeriod(s.due, s.covers_from) for s in deadlines.special},
        )

    def rulebook(
        self, plan_of: Callable[[Period], Plan], days: Mapping[date, bool] = {}
    ) -> Rulebook:
        """The rules of a standing, with the units of extensions and exemptions looked up in the
        plan of their period.

        Args:
            days: that differ from what is announced: whether offices work on them.

        Raises:
            ConfigError: a unit is not in the plan, or an extension cannot be one.
        """
        deadlines, usual = self.deadlines, replace(self.calendar, days=days)
        if faults := list(_grants_at_fault(deadlines, usual, plan_of)):
            raise self.refusal(faults)
        calendar = replace(
            usual,
            extensions={
                (_code(plan_of(e.period), e.unit), e.period): e.due for e in deadlines.extensions
            },
            exemptions={
                (_code(plan_of(e.period), e.unit), e.period): e.reason for e in deadlines.exemptions
            },
        )
        return Rulebook(calendar, self.wording, self.rules.required)


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        ConfigError: it is no UTF-8, no TOML, or a key or value is wrong; every fault is named with
            its line.
    """
    text = read_text(path)
    return _plain(text) or _modelled(path, text)


def _plain(text: str) -> Settings | None:
    """The settings of a text that holds plain values alone, which nearly every one does; None
    where more has to be known to use it, or to say what is wrong.
    """
    try:
        data = tomllib.loads(text)
        return None if any(unusable(data)) else replace(plainly(Settings, data), _text=text)
    except (ValueError, RecursionError):  # it is no TOML, or a value is not plain
        return None


def _modelled(path: Path, text: str) -> Settings:
    """The settings of any text.

    Raises:
        ConfigError: with all that is wrong with it.
    """
    from pydantic import ValidationError

    from bioduty_xl.settings.faults import Known, faults_of
    from bioduty_xl.settings.model import declared, model_of
    from bioduty_xl.settings.places import Places
    from bioduty_xl.settings.slips import Fault, parse

    model = model_of(Settings)
    known = Known(model, _IN_CHINESE)
    parsed = parse(text, known)
    places, settings, wrong = Places(parsed.text), Settings(), list[Fault]()
    try:
        settings = declared(model.model_validate(parsed.data))
    except ValidationError as error:
        wrong = faults_of(error.errors(), known, places, parsed.left_out)
    better_known = {fault.place.line for fault in wrong}
    slips = [
        fault
        for fault in parsed.faults
        if not (fault.is_guess and fault.place.line in better_known)
    ]
    if faults := [*slips, *wrong]:
        raise ConfigError(
            say("{path} 中有不能使用的设置", path=path), *(one.said for one in sorted(faults))
        )
    return replace(settings, _text=parsed.text)


_IN_CHINESE: Mapping[str, Sequence[str]] = {
    "language": ("语言", "界面语言"),
    "office": ("办公室", "单位信息", "报送单位"),
    "office.name": ("名称", "单位名称", "办公室名称"),
    "office.region": ("地区", "市州", "市（州）", "本市"),
    "office.contact": ("联系人",),
    "office.phone": ("电话", "联系电话", "咨询电话"),
    "paths": ("路径", "文件夹", "位置"),
    "paths.plan": ("方案", "责任分工方案"),
    "paths.templates": ("模板", "模板文件夹"),
    "paths.inbox": ("收件夹", "收件", "收件箱"),
    "paths.outbox": ("发件夹", "发件", "发件箱"),
    "paths.register_book": ("登记表",),
    "paths.state_dir": ("状态文件夹", "台账文件夹"),
    "deadlines": ("截止", "期限", "截止日期"),
    "deadlines.due_day": ("截止日",),
    "deadlines.open_day": ("下发日", "开始日"),
    "deadlines.close_days": ("结账", "结账天数"),
    "deadlines.roll": ("顺延", "遇休息日"),
    "deadlines.first_period": ("首次报送", "首期"),
    "deadlines.extensions": ("延期",),
    "deadlines.exemptions": ("免报", "豁免"),
    "deadlines.special.period": ("报送期", "期间"),
    "deadlines.exemptions.reason": ("理由", "原因"),
    "rules": ("规则", "校验规则"),
    "rules.required": ("必报",),
    "rules.off": ("不需要的规则", "关闭"),
    "intake": ("收取", "收件设置"),
    "reminders": ("催报", "提醒"),
    "reminders.before": ("提前提醒", "截止前"),
    "reminders.after": ("逾期催报", "截止后"),
    "mail": ("邮件", "发信", "发信服务器"),
    "mail.host": ("服务器", "邮件服务器"),
    "mail.port": ("端口",),
    "mail.user": ("用户", "登录名", "账号"),
    "mail.sender": ("发件人", "发件邮箱"),
    "schedule": ("定时", "日程", "计划"),
    "schedule.at": ("时间", "时刻", "运行时刻"),
}
"""What people call a key, by its dotted name."""


def _grants_at_fault(
    deadlines: Deadlines, usual: Calendar, plan_of: Callable[[Period], Plan]
) -> Iterator[tuple[Key, str]]:
    """Extensions and exemptions of units that there are not, and extensions that are none."""
    tables: dict[str, Sequence[Extension | Exemption]] = {
        "extensions": deadlines.extensions,
        "exemptions": deadlines.exemptions,
    }
    for table, grants in tables.items():
        for number, one in enumerate(grants):
            plan = plan_of(one.period)
            if plan.find_unit(one.unit) is None:
                yield ("deadlines", table, number, "unit"), plan.unknown(one.unit)
    for number, one in enumerate(deadlines.extensions):
        if fault := usual.extension_fault(one.period, one.due):
            where = ("deadlines", "extensions", number, "due")
            yield (
                where,
                say("“{unit}”的 due = {due} {fault}", unit=one.unit, due=one.due, fault=fault),
            )


def _code(plan: Plan, name: str) -> str:
    unit = plan.find_unit(name)
    assert unit is not None, name
    return unit.code
