"""One pass over everything that is due, and its repetition by the clock.

A pass may run at any time and as often as one likes: each of its steps looks at the ledger and does
only what is not done, so what was missed is caught up once. A step that fails is reported and does
not stop the others.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta

import schedule

from bioduty_xl import watch
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.errors import BiodutyError, Busy
from bioduty_xl.ledger import FileRecord
from bioduty_xl.watch import Pass
from bioduty_xl.workspace import Progress, Workspace

_log = logging.getLogger(__name__)

CLOCK_SLIP = timedelta(seconds=60)
"""Wall and monotonic time may part by so much before the clock counts as set anew."""

PATIENCE = timedelta(days=1)
"""A clock may be behind the last pass by so much; it works on at that pass's moment."""

BELIEVED = timedelta(days=200)
"""A clock that is further ahead of the last pass than this is not believed: a machine that was
off for two quarters is rarer than one whose clock was set wrong."""


def run_pass(
    workspace: Workspace,
    as_of: datetime,
    progress: Progress,
    *,
    by_clock: bool = False,
    executor: Executor | None = None,
) -> Pass:
    """Do what is due at a moment.

    Args:
        by_clock: the moment is the machine's own, which may be wrong; it is compared with the last
            pass. A moment that a person has given is believed.
        executor: whose workers read the files in the inbox; see `Workspace.collect`.

    Raises:
        Busy: another run holds the workspace.
    """
    done = Pass(as_of)
    with workspace.locked():
        if by_clock:
            _check_clock(workspace, done)
        if not done.refused:
            _do_all(workspace, done, progress, executor)
        _trapped(done, "运行情况", lambda: _write_page(workspace, done))
        watch.record(done, workspace.state_dir)
    return done


def _do_all(
    workspace: Workspace, done: Pass, progress: Progress, executor: Executor | None
) -> None:
    """Every step, in the order in which one needs the other."""
    as_of = done.as_of

    def read_register() -> None:
        done.problems += workspace.record_register(as_of)

    def collect() -> None:
        done.collected = workspace.collect(as_of=as_of, progress=progress, executor=executor)

    def settle() -> None:
        settled, problems = workspace.settle_ownerships(as_of)
        done.settled += settled
        done.problems += problems

    def close(period: Period) -> None:
        done.books.append(workspace.close(period))
        done.closed.append(period)

    def hand_out(period: Period) -> None:
        done.forms += workspace.generate(period, as_of=as_of, progress=progress)

    def remind(period: Period) -> None:
        done.reminders += workspace.remind(period, as_of=as_of)

    def renew(period: Period) -> None:
        done.books += workspace.renew(period, as_of=as_of, progress=progress)

    def mail(period: Period) -> None:
        mailed = workspace.mail(period, as_of=as_of)
        done.mailed += mailed.sent
        done.failures += mailed.failures

    _trapped(done, "清理", workspace.clear_scratch)
    _trapped(done, "登记表", read_register)
    _trapped(done, "收件", collect)
    _trapped(done, "归属认定", settle)
    for name, periods, step in (
        ("结账", workspace.periods_to_close, close),
        ("下发报送表", workspace.periods_to_hand_out, hand_out),
        ("催报", workspace.open_periods, remind),
        ("汇总", workspace.open_periods, renew),
        ("邮件", workspace.open_periods, mail),
    ):
        _each(done, name, functools.partial(periods, as_of), step)


def _each(
    done: Pass, name: str, periods: Callable[[], list[Period]], step: Callable[[Period], object]
) -> None:
    """A step for each period, oldest first; one that fails does not stop the next."""
    found: list[Period] = []
    _trapped(done, name, lambda: found.extend(periods()))
    for period in found:
        _trapped(done, f"{name} {period}", functools.partial(step, period))


def _trapped(done: Pass, name: str, step: Callable[[], object]) -> None:
    """Do one step; what goes wrong in it is said, and the others go on."""
    try:
        step()
    except Busy:
        raise
    except (BiodutyError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else type(error).__name__
        _log.error("%s failed: %s", name, said)  # without names of files
        done.failures.append(f"{name}：{error}")
    except Exception as error:
        _log.exception("%s failed", name)
        done.failures.append(f"{name}：程序出错（{type(error).__name__}），详见日志，请联系管理员")


def _write_page(workspace: Workspace, done: Pass) -> None:
    """The coordinator's page; without files where the ledger is what failed."""
    waiting: list[FileRecord] = []

    def look() -> None:
        for period in workspace.open_periods(done.as_of):
            waiting.extend(workspace.waiting_files(period, as_of=done.as_of))

    if not done.refused:
        _trapped(done, "待处理的文件", look)
    watch.write_page(done, waiting, workspace.outbox_root)


def _check_clock(workspace: Workspace, done: Pass) -> None:
    """Compare the machine's time with the last pass: time does not run backwards, and one that
    cannot be right is refused.
    """
    line = watch.last_pass(workspace.state_dir)
    if line is None:
        return
    now, last = done.as_of, datetime.fromisoformat(line["as_of"])
    if last - PATIENCE <= now <= last + BELIEVED:
        done.as_of = max(now, last)
        return
    _log.error("the clock is not believed: %s", now.isoformat())
    word = "早于" if now < last else "远晚于"
    done.refused = True
    done.failures.append(
        f"时钟：本机时间 {now:%Y-%m-%d %H:%M} {word}上次运行的 {last:%Y-%m-%d %H:%M}，"
        "可能不准，这次什么也没有做。请校准时钟；时间确实无误的，"
        f"用 bioduty run --as-of {now:%Y-%m-%dT%H:%M} 运行一次即可"
    )


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
        said = error.strerror if isinstance(error, OSError) else error
        _log.error("pass failed: %s", said)  # without names of files
    except Exception:
        _log.exception("pass failed")
