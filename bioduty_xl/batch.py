"""One pass over everything that is due, and its repetition by the clock.

A pass may run at any time and as often as one likes: each of its steps looks at the ledger and does
only what is not done. A step that fails is reported and does not stop the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import schedule

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.verdict import Collected
from bioduty_xl.errors import BiodutyError, Busy
from bioduty_xl.workspace import Progress, Workspace

_log = logging.getLogger(__name__)

CLOCK_SLIP = timedelta(seconds=60)
"""Wall and monotonic time may part by so much before the clock counts as set anew."""


@dataclass
class Pass:
    """What one pass did.

    Attributes:
        forms: forms written.
        collected: the files found; None where the inbox could not be read.
        books: consolidated workbooks written.
        failures: a sentence for each step that failed.
    """

    forms: list[Path] = field(default_factory=list)
    collected: Collected | None = None
    books: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def needs_attention(self) -> bool:
        """Whether files were held or rejected."""
        return self.collected is not None and self.collected.needs_attention


def run_pass(workspace: Workspace, as_of: datetime, progress: Progress) -> Pass:
    """Do what is due at a moment: hand out forms, collect, consolidate.

    Raises:
        Busy: another run holds the workspace.
    """
    done = Pass()
    current = workspace.rulebook.calendar.current(as_of)

    def hand_out() -> None:
        if is_open(workspace, current, as_of) and not workspace.has_forms(current):
            done.forms = workspace.generate(current, as_of=as_of, progress=progress)

    def collect() -> None:
        done.collected = workspace.collect(as_of=as_of, progress=progress)

    def consolidate() -> None:
        for period in _touched(done.collected, current):
            if workspace.is_under_way(period):
                done.books.append(workspace.consolidate(period, as_of=as_of, progress=progress))

    steps: Sequence[tuple[str, Callable[[], None]]] = (
        ("下发报送表", hand_out),
        ("收件", collect),
        ("汇总", consolidate),
    )
    for name, step in steps:
        try:
            step()
        except Busy:
            raise
        except (BiodutyError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            _log.error("%s failed: %s", step.__name__, said)  # without names of files
            done.failures.append(f"{name}：{error}")
    return done


def is_open(workspace: Workspace, period: Period, as_of: datetime) -> bool:
    """Whether a period's forms may go out: its opening day has come, or its due date is special
    (the first return was asked for days before it was due).
    """
    calendar = workspace.rulebook.calendar
    opening = datetime(
        period.year, period.last_month, workspace.settings.deadlines.open_day, tzinfo=CHINA
    )
    return as_of >= opening or period in calendar.special


def _touched(collected: Collected | None, current: Period) -> list[Period]:
    """The current period, and every other that a file of this pass belongs to."""
    reports = collected.files if collected else ()
    return sorted({current, *(report.period for report in reports if report.period)})


def keep_schedule(
    workspace: Workspace,
    work: Callable[[], object],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(CHINA),
    pause: Callable[[float], None] = time.sleep,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Call `work` at the times in bioduty.toml, in Asia/Shanghai, until stopped.

    The schedule library keeps no memory and trusts the clock, so its jobs are made anew whenever
    wall and monotonic time part, and work that raises is logged instead of ending the loop.

    Args:
        work: one pass; called once at the start, to catch up.
        now: the wall clock, in China's time.
        pause: sleeps for some seconds.
        until: asked before each wait whether to stop.
    """
    _guarded(work)
    jobs = _plan_jobs(workspace, work, now())
    offset = now().timestamp() - time.monotonic()
    while not until():
        pause(20.0)
        slip = now().timestamp() - time.monotonic() - offset
        if abs(slip) > CLOCK_SLIP.total_seconds():
            _log.warning("the clock was set by %.0f s; planning anew", slip)
            offset += slip
            _guarded(work)
            jobs = _plan_jobs(workspace, work, now())
        jobs.run_pending()


def _plan_jobs(
    workspace: Workspace, work: Callable[[], object], here: datetime
) -> schedule.Scheduler:
    """Daily jobs at the times in China, told to `schedule` in this machine's own time."""
    jobs = schedule.Scheduler()
    for at in workspace.settings.schedule.at:
        local = here.replace(hour=at.hour, minute=at.minute, second=at.second).astimezone()
        jobs.every().day.at(f"{local:%H:%M:%S}").do(_guarded, work)
    return jobs


def _guarded(work: Callable[[], object]) -> None:
    """One pass whose failure is logged and does not end the schedule."""
    try:
        work()
    except (BiodutyError, OSError) as error:
        _log.error("pass failed: %s", error)
