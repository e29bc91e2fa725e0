"""When a return is due, and how far from that a moment lies.

Due dates come from the letter (clause 二: by the 25th of the quarter's last month; the first return
by 2024-04-25). Everything that departs from it is data in a `Calendar`. Nothing here asks the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache

import chinese_calendar

from bioduty_xl.domain.period import Period
from bioduty_xl.language import listed, say

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Asia/Shanghai: UTC+8 all year since 1991, so a fixed offset needs no time-zone database."""

CURRENT_FOR_DAYS = 14
"""So many days after a due date its period is still the one that people mean."""

MOST_EXTENDED_DAYS = 92
"""A due date may be put off by so many days, a quarter: a later one is a slip of the pen, and the
period would stay open until then.
"""


class Roll(StrEnum):
    """What to do with a due date that falls on a rest day."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"


@dataclass(frozen=True)
class SpecialPeriod:
    """A period with a due date of its own, and perhaps a longer reach.

    Attributes:
        due: its last day for returns.
        covers_from: first day that the return reports on; None: the quarter's own first day.
    """

    due: date
    covers_from: date | None = None


@dataclass(frozen=True)
class Calendar:
    """The due dates of every unit and period.

    Attributes:
        due_day: day of the quarter's last month, that day included.
        first: the first period ever collected.
        roll: what to do with a due date on a rest day; special dates and extensions never roll.
        special: periods with dates of their own.
        extensions: (unit code, period) → later due date.
        exemptions: (unit code, period) → reason why no return is owed.
        open_day: day of the month in which a period falls due on which its forms go out.
        close_days: calendar days after the due date on which returns still count for the period.
        days: days that differ from what is announced or guessed: whether offices work on them.
    """

    due_day: int = 25
    first: Period = Period(2024, 1)
    roll: Roll = Roll.NONE
    special: Mapping[Period, SpecialPeriod] = field(default_factory=dict)
    extensions: Mapping[tuple[str, Period], date] = field(default_factory=dict)
    exemptions: Mapping[tuple[str, Period], str] = field(default_factory=dict)
    open_day: int = 1
    close_days: int = CURRENT_FOR_DAYS
    days: Mapping[date, bool] = field(default_factory=dict)

    def due(self, period: Period, unit: str | None = None) -> date:
        """The last day for a period's returns, for one unit where a code is given."""
        if unit is not None and (unit, period) in self.extensions:
            return self.extensions[unit, period]
        if period in self.special:
            return self.special[period].due
        return self._rolled(date(period.year, period.last_month, self.due_day))

    def extension_fault(self, period: Period, day: date) -> str | None:
        """Why a day cannot be one to which a unit's due date is put off, as the end of a Chinese
        sentence that begins with the day; None where it can.
        """
        usual = self.due(period)
        days = (day - usual).days
        if days < 0:
            return say(
                "早于 {period} 的截止日期 {usual}，不是延期，请核对日期和报送期",
                period=period,
                usual=usual,
            )
        if days > MOST_EXTENDED_DAYS:
            return say(
                "比 {period} 的截止日期 {usual} 晚了 {days} 天，最多延 {most} 天，"
                "请核对日期和报送期",
                period=period,
                usual=usual,
                days=days,
                most=MOST_EXTENDED_DAYS,
            )
        return None

    def covers(self, period: Period) -> tuple[date, date]:
        """First and last day that a period's return reports on: from the day after the period
        before was due, so that no day falls between two forms, to the due date.
        """
        special = self.special.get(period)
        if special and special.covers_from:
            return special.covers_from, self.due(period)
        if period <= self.first:
            return period.start, self.due(period)
        return self.due(period.shift(-1)) + timedelta(days=1), self.due(period)

    def opening(self, period: Period) -> date:
        """The day on which a period's forms go out; never after they are due."""
        usual = date(period.year, period.last_month, self.due_day)
        month = self.special[period].due if period in self.special else usual
        return min(month.replace(day=self.open_day), self.due(period))

    def closing(self, period: Period) -> date:
        """The last day on which returns count for a period: some days after it was due, and not
        before the last extension is over.
        """
        extended = (day for (_, when), day in self.extensions.items() if when == period)
        return max((self.due(period) + timedelta(days=self.close_days), *extended))

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on a day, make-up Saturdays and Sundays included."""
        return self.days[day] if day in self.days else _is_announced_working_day(day)

    def is_estimated(self, year: int) -> bool:
        """Whether the rest days of a year are neither announced nor registered, so that weekends
        stand in for them (估算).
        """
        return not is_announced(year) and not any(day.year == year for day in self.days)

    def working_days_after(self, due: date, moment: datetime) -> int:
        """Working days after a due date, up to and with the moment's own day."""
        days = (due + timedelta(days=n) for n in range(1, days_after(due, moment) + 1))
        return sum(self.is_working_day(day) for day in days)

    def working_day(self, day: date, distance: int) -> date:
        """The day that lies so many working days after another, or before it if negative."""
        step = timedelta(days=1 if distance > 0 else -1)
        for _ in range(abs(distance)):
            day += step
            while not self.is_working_day(day):
                day += step
        return day

    def current(self, as_of: datetime) -> Period:
        """The period people mean at a moment: the one whose due date is nearest ahead, or for
        14 days after a due date, that one; never one before the first.
        """
        today = as_of.astimezone(CHINA).date()
        floor = today - timedelta(days=CURRENT_FOR_DAYS)
        period = max(self.first, Period.containing(today).shift(-3))
        while self.due(period) < floor:
            period = period.shift(1)
        return period

    def ahead(self, as_of: datetime) -> str:
        """What comes next, as a sentence: the dates of the current period that are not over yet,
        and when the forms of the next one go out where all of them are.
        """
        today = as_of.astimezone(CHINA).date()
        period = self.current(as_of)
        if today > self.closing(period):
            period = period.shift(1)
        opening, due, closing = self.opening(period), self.due(period), self.closing(period)
        coming = [say("{day} 下发报送表", day=opening)] if opening > today else []
        coming += [say("{day} 截止", day=due)] if due >= today else []
        coming.append(say("{day} 结账", day=closing))
        return say("接下来：{period} {steps}", period=period, steps=listed(coming, say("，")))

    def _rolled(self, day: date) -> date:
        step = {Roll.NONE: 0, Roll.NEXT: 1, Roll.PREVIOUS: -1}[self.roll]
        while step and not self.is_working_day(day):
            day += timedelta(days=step)
        return day


def end_of_day(day: date) -> datetime:
    """The last second of a day in China, which is what a date alone means as a time."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=CHINA)


def moment(value: datetime | date | str) -> datetime:
    """A moment in China: a date alone is the end of that day, a time without an offset is China's.

    Args:
        value: a datetime, a date, or either as ISO 8601 text (`2024-06-26`, `2024-06-26T09:00`).

    Raises:
        ValueError: the text is neither.
    """
    if isinstance(value, str):
        value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return end_of_day(value)
    return value.astimezone(CHINA) if value.tzinfo else value.replace(tzinfo=CHINA)


def days_after(due: date, moment: datetime) -> int:
    """Calendar days from a due date to a moment in China; 0 on the due date and before it."""
    return max(0, (moment.astimezone(CHINA).date() - due).days)


def is_announced(year: int) -> bool:
    """Whether the State Council's rest days of a year are known; if not, weekends stand in."""
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=4096)
def _is_announced_working_day(day: date) -> bool:
    """What the State Council's office has announced of a day; else whether it is no weekend."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5
