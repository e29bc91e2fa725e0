"""bioduty.toml as frozen settings; every key has a default, so the file may be empty."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, time
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from rapidfuzz import process

from bioduty_xl.domain.calendar import Calendar, Roll, SpecialPeriod
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Ground, Plan
from bioduty_xl.domain.returns import Severity, Wording
from bioduty_xl.domain.standing import Rulebook
from bioduty_xl.errors import ConfigError
from bioduty_xl.language import SETTINGS_FILE as SETTINGS_FILE


def _parse_period(value: object) -> Period:
    if isinstance(value, Period):
        return value
    return Period.parse(str(value))


PeriodSetting = Annotated[
    Period, BeforeValidator(_parse_period), PlainSerializer(str, return_type=str)
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Office(_Section):
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


class Paths(_Section):
    """Where things are, relative to the workspace; `state_dir` must be on a local disk."""

    plan: Path = Path("plan.xlsx")
    templates: Path = Path("templates")
    inbox: Path = Path("inbox")
    outbox: Path = Path("outbox")
    state_dir: Path = Path(".bioduty")
    register_book: Path = Path("register.xlsx")


class Special(_Section):
    """A period with a due date of its own (the letter: the first return)."""

    period: PeriodSetting
    due: date
    covers_from: date | None = None


class Extension(_Section):
    """A later due date granted to one unit."""

    unit: str
    period: PeriodSetting
    due: date
    reason: str = ""


class Exemption(_Section):
    """A unit that owes no return for a period."""

    unit: str
    period: PeriodSetting
    reason: str


class Deadlines(_Section):
    """When returns are due.

    Attributes:
        due_day: day of the quarter's last month (the letter: 25).
        open_day: day of that month on which forms go out.
        close_days: calendar days after the due date on which returns still count for the quarter.
        roll: what to do with a due date on a rest day.
        first_period: the first quarter collected; contact forms go out with it.
    """

    due_day: int = Field(default=25, ge=1, le=28)
    open_day: int = Field(default=1, ge=1, le=28)
    close_days: int = Field(default=14, ge=1, le=60)
    roll: Roll = Roll.NONE
    first_period: PeriodSetting = Period(2024, 1)
    special: tuple[Special, ...] = (
        Special(period=Period(2024, 1), due=date(2024, 4, 25), covers_from=date(2023, 3, 3)),
    )
    extensions: tuple[Extension, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


class Rules(_Section):
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
    severity: Mapping[str, Severity] = Field(default_factory=dict)
    same_text_from: int = Field(default=15, ge=1)
    long_text: int = Field(default=3000, ge=1)
    unfinished_words: tuple[str, ...] = (
        *("尚未", "未完成", "继续推进", "还需", "剩余", "抓紧完成", "尽快完成", "力争完成"),
    )


class Intake(_Section):
    """How the inbox is read.

    Attributes:
        settle_seconds: a file must stay unchanged for so long before it is taken.
        read_seconds: how long reading one file may take.
        memory_mb: how much memory the reading process may use, in MiB.
        max_file_mb, max_unpacked_mb: caps on a file as it is and unpacked, in MiB.
    """

    settle_seconds: float = Field(default=1.0, ge=0, le=600)
    read_seconds: float = Field(default=10.0, gt=0, le=600)
    memory_mb: int = Field(default=768, ge=128)
    max_file_mb: int = Field(default=50, ge=1)
    max_unpacked_mb: int = Field(default=400, ge=1)


class Reminders(_Section):
    """When units are reminded, and how urgently.

    Attributes:
        before, after: working days before and after a unit's due date on which it is reminded.
        urgent_from, very_urgent_from: days overdue from which a letter says 加急, 特急.
    """

    before: tuple[Annotated[int, Field(ge=1, le=60)], ...] = (5, 1)
    after: tuple[Annotated[int, Field(ge=1, le=60)], ...] = (1, 4, 8)
    urgent_from: int = Field(default=5, ge=1)
    very_urgent_from: int = Field(default=10, ge=1)

    @property
    def distances(self) -> tuple[int, ...]:
        """All of them as signed working days from the due date."""
        return (*(-days for days in self.before), *self.after)


class Security(StrEnum):
    """How a mail connection is kept from being read by others."""

    TLS = "tls"
    STARTTLS = "starttls"


class Mail(_Section):
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
    port: int = Field(default=465, ge=1, le=65535)
    security: Security = Security.TLS
    user: str = ""
    sender: str = ""
    ca_file: str = ""
    seconds: float = Field(default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _has_sender(self) -> Self:
        if self.host and "@" not in self.sender:
            raise ValueError("写了 host（邮件服务器），还须在 sender 写明发件邮箱")
        return self


class Times(_Section):
    """When `bioduty schedule` runs, as times of day in Asia/Shanghai."""

    at: tuple[time, ...] = (time(8, 30), time(17, 30))


class Settings(_Section):
    """A workspace's settings, one attribute for each table of bioduty.toml.

    Attributes:
        language: of the command line, `zh` or `en`; `auto`: the machine's. What it writes into
            files is Chinese in any case. The command line itself reads it by `language_setting`,
            before these settings are known to be sound.
    """

    language: Literal["auto", "zh", "en"] = "auto"
    office: Office = Office()
    paths: Paths = Paths()
    deadlines: Deadlines = Deadlines()
    rules: Rules = Rules()
    intake: Intake = Intake()
    reminders: Reminders = Reminders()
    mail: Mail = Mail()
    schedule: Times = Times()

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
        for one in deadlines.extensions:
            _require_extension(usual, one)
        calendar = replace(
            usual,
            extensions={
                (_code(plan_of(e.period), e.unit, "extensions"), e.period): e.due
                for e in deadlines.extensions
            },
            exemptions={
                (_code(plan_of(e.period), e.unit, "exemptions"), e.period): e.reason
                for e in deadlines.exemptions
            },
        )
        return Rulebook(calendar, self.wording, self.rules.required)


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        ConfigError: it is no UTF-8, no TOML, or a key or value is wrong; every fault is named.
    """
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} 不是 UTF-8 编码，请用记事本打开，另存为时编码选“UTF-8”"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} 的写法有误：{error}") from None
    except ValidationError as error:
        faults = (_sentence(fault) for fault in error.errors())
        raise ConfigError(f"{path} 中有不能使用的设置", *faults) from None


def _sentence(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _known_keys(Settings, fault["loc"][:-1])
        likely = process.extractOne(str(fault["loc"][-1]), known, score_cutoff=50)
        hint = f"，是否想写 {likely[0]}？" if likely else f"，可用的有：{'、'.join(known)}"
        return f"{where}：没有这一项{hint}"
    return f"{where}：“{fault['input']}”不能用（{fault['msg']}）"


def _known_keys(section: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for name in path:
        if isinstance(name, int):
            continue
        annotation: Any = section.model_fields[name].annotation
        arguments = getattr(annotation, "__args__", ())
        section = arguments[0] if arguments else annotation
    return sorted(section.model_fields)


def _require_extension(usual: Calendar, one: Extension) -> None:
    if fault := usual.extension_fault(one.period, one.due):
        raise ConfigError(
            f"{SETTINGS_FILE} 的 deadlines.extensions 中，“{one.unit}”的 due = {one.due} {fault}"
        )


def _code(plan: Plan, name: str, table: str) -> str:
    unit = plan.find_unit(name)
    if unit is None:
        raise ConfigError(f"{SETTINGS_FILE} 的 deadlines.{table} 有误：{plan.unknown(name)}")
    return unit.code
