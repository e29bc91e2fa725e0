"""A province: the workspaces of many cities read at one moment, and one workbook made of them.

Nothing in a workspace is changed, and none is locked: each ledger is copied into memory as it is
at that instant. What cannot be read is said, and the others count all the same.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bioduty_xl.config import SETTINGS_FILE, Settings
from bioduty_xl.domain.calendar import CHINA, end_of_day, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Plan, fold
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.errors import BiodutyError, ConfigError, system_words
from bioduty_xl.evidence import gather
from bioduty_xl.fanout import Lost, hand_over, result_of
from bioduty_xl.language import SEMICOLON, listed, say
from bioduty_xl.layout.atomic import write_beside_if_open
from bioduty_xl.layout.columns import one_line
from bioduty_xl.layout.sheets import PROVINCE_BOOK
from bioduty_xl.ledger import Closing, Ledger
from bioduty_xl.report.province import City, LeftOut, ProvinceEvidence
from bioduty_xl.terms import Terms
from bioduty_xl.workspace import Progress, When, Workspace, named_period

_log = logging.getLogger(__name__)

WINDOW = 16
"""So many folders are handed to an executor at a time."""

PATIENCE = 600
"""Seconds that a worker may take for a folder before it is read here: a city's collection takes
some, one of ten thousand units a minute.
"""

_NAMED = 3
"""So many names are listed before “等”."""


@dataclass(frozen=True)
class Province:
    """Many cities' collections of one period, merged.

    Attributes:
        evidence: what was read: `evidence.cities` count, `evidence.left_out` do not, each with its
            reason.
    """

    evidence: ProvinceEvidence

    @classmethod
    def read(
        cls,
        folders: Sequence[str | Path],
        period: str | Period,
        *,
        as_of: When,
        executor: Executor | None = None,
        progress: Progress = lambda *_: None,
    ) -> Province:
        """Read the workspaces of a province. Changes nothing in them.

        A city that had closed the period by `as_of` counts as published: as of its closing moment,
        with the files that its published book counts. Of a workspace only `bioduty.toml`, the plan,
        the register and the ledger are read, so that a copy of these will do.

        Args:
            folders: the workspaces, in the order in which the book lists them.
            period: such as `2024Q2`.
            as_of: the moment; what was received later is left out.
            executor: reads them, `WINDOW` at a time; processes and clusters that see the same
                folders will do. None: one after the other.

        Raises:
            ConfigError: the period is none.
            BiodutyError: not one of the folders can be read; why is in its details.
        """
        asked, until = named_period(period), moment(as_of)
        readings = _read_all(_orders(folders, asked, until), executor, progress)
        found = ProvinceEvidence(asked, until, _settled(readings))
        if not found.cities:
            reasons = (
                say("{folder}：{reason}", folder=one.folder, reason=one.reason)
                for one in found.left_out
            )
            raise BiodutyError(say("没有一个文件夹可以汇总"), *reasons)
        _log.info("%s: %d cities, %d left out", asked, len(found.cities), len(found.left_out))
        return cls(found)

    def write(self, path: str | Path) -> Path:
        """Write the province's workbook, whole or not at all; the same evidence gives the same
        bytes.

        Returns:
            Its path; beside the one given where that is open in another program.
        """
        from bioduty_xl.report.province_book import render_province  # brings pandas

        return write_beside_if_open(Path(path), render_province(self.evidence))

    def as_json(self) -> dict[str, Any]:
        """The object that `rollup --json` prints; its keys are public."""
        return self.evidence.as_json()

    @property
    def needs_attention(self) -> bool:
        """Whether a person must look: a folder is left out, or a city may be there twice."""
        return bool(self.evidence.left_out) or any(city.doubts for city in self.evidence.cities)


def usual_period(as_of: datetime) -> Period:
    """The period that is current by the usual due dates, where no single workspace can say."""
    calendar = Settings().rulebook(lambda _: Plan("", (), (), ())).calendar
    return calendar.current(as_of)


def usual_file(period: Period) -> str:
    """The usual name of a province's workbook."""
    return f"{PROVINCE_BOOK}_{period}.xlsx"


@dataclass(frozen=True)
class Order:
    """What one reading is asked for; it travels to other processes and machines.

    Attributes:
        folder: absolute.
        given: the same as the caller wrote it.
        is_repeated: whether the folder was given before.
    """

    folder: str
    given: str
    period: Period
    as_of: datetime
    is_repeated: bool = False


@dataclass(frozen=True)
class Reading:
    """What one folder gave.

    Attributes:
        order: what was asked for.
        name: the city's, as its settings or else its folder say.
        is_named: whether its settings say it.
        city: None where it cannot be read.
        reason: why.
        origin: ids of the forms that were handed out.
    """

    order: Order
    name: str
    is_named: bool = False
    city: City | None = None
    reason: str = ""
    origin: frozenset[str] = frozenset()

    def is_twin_of(self, other: Reading) -> bool:
        """Whether one workspace is a copy of the other: most of their forms have the same ids,
        which come of a secret key. A single one may be the same by chance.
        """
        fewer = min(len(self.origin), len(other.origin))
        return len(self.origin & other.origin) > fewer / 2


def read_city(order: Order) -> Reading:
    """Read one workspace; what is wrong with it is the reason why there is no city."""
    folder = Path(order.folder)
    plain = Reading(order, one_line(folder.name) or order.folder)
    if order.is_repeated:
        return replace(plain, reason=say("这个文件夹前面已经给出，只计一次"))
    try:
        return _read(plain, folder)
    except (BiodutyError, OSError, ValueError) as error:
        return replace(plain, reason=_sentence(error))


def _read(plain: Reading, folder: Path) -> Reading:
    _require_workspace(folder)
    workspace = Workspace.open(folder)
    office = workspace.settings.office
    region = one_line(office.region)
    period, as_of = plain.order.period, plain.order.as_of
    terms = workspace.terms
    with Ledger(workspace.ledger_file, snapshot=True) as ledger:
        if period not in ledger.periods():
            raise ConfigError(
                say("没有下发过 {period} 的报送表，也没有收到过这一期的返回表", period=period)
            )
        closing = ledger.closing(period)
        if closing is not None and closing.as_of > as_of:
            closing = None
        came_later = _came_later(ledger, closing, as_of) if closing else 0
        if closing is not None:
            ledger.take_back_settled(closing)
        city = City(
            region or plain.name,
            plain.order.given,
            office,
            gather(terms, ledger, period, closing.as_of if closing else as_of),
            closing is not None,
            came_later,
            tuple(_notes(terms, period, as_of, closing)),
        )
        return replace(
            plain,
            name=city.name,
            is_named=bool(region),
            city=city,
            origin=ledger.form_ids(period),
        )


def _require_workspace(folder: Path) -> None:
    if not folder.exists():
        raise ConfigError(say("没有这个文件夹"))
    if not folder.is_dir():
        raise ConfigError(say("不是文件夹"))
    if not (folder / SETTINGS_FILE).is_file():
        raise ConfigError(say("不是工作区（没有 {file}）", file=SETTINGS_FILE))


def _came_later(ledger: Ledger, closing: Closing, as_of: datetime) -> int:
    """How many units' returns of a closed quarter its book does not count."""
    counted = ledger.counted(closing.period)
    returns = ledger.revisions(FormKind.RETURN, closing.period, as_of)
    return sum(any(file.id not in counted for file in files) for files in returns.values())


def _notes(terms: Terms, period: Period, as_of: datetime, closing: Closing | None) -> Iterator[str]:
    last = terms.calendar.closing(period)
    if closing is None and as_of > end_of_day(last):
        yield say("结账日 {day} 已过，尚未结账", day=last.isoformat())
    if terms.rulebook.required != ALL_GROUNDS:
        yield say("必报口径在设置中有调整，必报事项数与其他市（州）不可直接比较")
    if problems := terms.register.problems:
        yield say("登记表有 {count} 处没有生效", count=len(problems))


def _sentence(error: Exception) -> str:
    if isinstance(error, BiodutyError):
        return listed((error.message, *error.details), SEMICOLON)
    if isinstance(error, OSError):
        said = system_words(error)
        return say("{said}：{file}", said=said, file=error.filename) if error.filename else said
    return say("台账或设置的内容有误（{error}）", error=str(error))


def _orders(folders: Sequence[str | Path], period: Period, as_of: datetime) -> list[Order]:
    orders: list[Order] = []
    seen: set[Path] = set()
    for given in folders:
        folder = Path(given).resolve()
        orders.append(Order(str(folder), str(given), period, as_of, folder in seen))
        seen.add(folder)
    return orders


def _read_all(
    orders: Sequence[Order], executor: Executor | None, progress: Progress
) -> list[Reading]:
    readings: list[Reading] = []
    for reading in _in_order(orders, executor):
        progress(reading.name, len(readings), len(orders))
        readings.append(reading)
    return readings


def _in_order(orders: Sequence[Order], executor: Executor | None) -> Iterator[Reading]:
    """The readings in the order of the orders, at most `WINDOW` of them under way."""
    if executor is None:
        yield from map(read_city, orders)
        return
    under_way: deque[tuple[Order, Future[Reading] | None]] = deque()
    try:
        for order in orders:
            under_way.append((order, _submitted(executor, order)))
            if len(under_way) >= WINDOW:
                yield _result(*under_way.popleft())
        while under_way:
            yield _result(*under_way.popleft())
    finally:
        for _, future in under_way:
            if future is not None:
                future.cancel()


def _submitted(executor: Executor, order: Order) -> Future[Reading] | None:
    """The order under way; None where the executor takes no more."""
    try:
        return hand_over(executor, read_city, order)
    except Lost:
        return None


def _result(order: Order, future: Future[Reading] | None) -> Reading:
    """What came of an order; what a worker has not done is done here."""
    if future is not None:
        try:
            return result_of(future, PATIENCE)
        except Lost as lost:
            _log.warning("a worker could not read a folder (%s); reading it here", lost)
    return read_city(order)


def _settled(readings: Sequence[Reading]) -> tuple[City | LeftOut, ...]:
    """The rows of the book: each city once, under a name of its own; the first given counts."""
    rows: list[City | LeftOut] = []
    first: dict[str, Reading] = {}
    for reading, name in zip(readings, _names(readings), strict=True):
        before = first.get(fold(name))
        if reading.city is None:
            double = reading.order.is_repeated
            rows.append(LeftOut(name, reading.order.given, reading.reason, double))
        elif before is not None:
            reason = _why_double(before, reading)
            rows.append(LeftOut(name, reading.order.given, reason, is_double=True))
        else:
            first[fold(name)] = reading
            rows.append(replace(reading.city, name=name))
    return _doubted(rows, list(first.values()))


def _names(readings: Sequence[Reading]) -> list[str]:
    """What the book calls each: the folder above goes before the folder's name where other
    workspaces have a folder of the same name.
    """
    return [
        f"{Path(one.order.folder).parent.name}/{one.name}"
        if any(_has_namesake(one, other) for other in readings)
        else one.name
        for one in readings
    ]


def _has_namesake(one: Reading, other: Reading) -> bool:
    return (
        one.order.folder != other.order.folder
        and not (one.is_named or other.is_named or one.city is None or other.city is None)
        and fold(one.name) == fold(other.name)
        and not one.is_twin_of(other)
    )


def _why_double(before: Reading, reading: Reading) -> str:
    return say(
        "与“{first}”同为{city}，只计前者。前者{newest_first}，本文件夹{newest}；应计本文件夹的，"
        "请只给出本文件夹，不是同一地区的，请在 bioduty.toml 的 office.region 写明名称",
        first=before.order.given,
        city=reading.name,
        newest_first=_newest(before),
        newest=_newest(reading),
    )


def _newest(reading: Reading) -> str:
    files = reading.city.evidence.files if reading.city else ()
    newest = max((file.received for file in files), default=None)
    if newest is None:
        return say("没有收件")
    return say("最后收件 {newest:%Y-%m-%d %H:%M}", newest=newest.astimezone(CHINA))


def _doubted(
    rows: Sequence[City | LeftOut], counted: Sequence[Reading]
) -> tuple[City | LeftOut, ...]:
    """The rows; cities whose forms have the same ids are marked, for one must be a copy of the
    other under another name.
    """
    cities = {row.folder: row for row in rows if isinstance(row, City)}
    doubts = {
        one.order.given: [
            cities[other.order.given].name
            for other in counted
            if other is not one and one.is_twin_of(other)
        ]
        for one in counted
    }
    return tuple(
        replace(row, doubts=(_doubt(twins),))
        if isinstance(row, City) and (twins := doubts[row.folder])
        else row
        for row in rows
    )


def _doubt(twins: Sequence[str]) -> str:
    named = listed(twins[:_NAMED])
    if len(twins) > _NAMED:
        named = say("{cities}等", cities=named)
    return say("与{cities}的报送表编号相同，疑为同一工作区的副本，请核实", cities=named)
