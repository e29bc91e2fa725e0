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
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import schedule

from bioduty_xl import watch
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.errors import Altered, BiodutyError, Busy, refusal
from bioduty_xl.language import say
from bioduty_xl.ledger import FileRecord
from bioduty_xl.watch import Pass
from bioduty_xl.workspace import Progress, Workspace

_log = logging.getLogger(__name__)

CLOCK_SLIP = timedelta(seconds=60)
"""Wall and monotonic time may part by so much before the clock counts as set anew."""

PAGE_SECONDS = 60.0
"""So long a pass waits, when it has mailed, for another run to let it say so on the page."""


def run_pass(
    workspace: Workspace,
    as_of: datetime,
    progress: Progress,
    *,
    by_clock: bool = False,
    executor: Executor | None = None,
) -> Pass:
    """Do what is due at a moment. Settings, plan and register are read anew, so that a workspace
    may be given again and again.

    Mail comes last, when others may work in the workspace again.

    Args:
        by_clock: the moment is the machine's own, which may be wrong; it is compared with the last
            pass. A moment that a person has given is believed.
        executor: whose workers read the files in the inbox; see `Workspace.collect`.

    Raises:
        Busy: another run holds the workspace.
        ConfigError: the settings cannot be used.
    """
    workspace, done = Workspace.open(workspace.root), Pass(as_of)
    work = _Work(workspace, done, progress, executor)
    with workspace.locked():
        if by_clock:
            _check_clock(workspace, done)
        if not done.refused:
            work.do_all()
        work.look_for_waiting()
        work.write_page()
        _trapped(done, say("运行情况"), lambda: watch.beat(done, workspace.state_dir))
        last = watch.last_line(workspace.state_dir)
    if work.has_looked:
        work.mail_all()
    is_newest = watch.last_line(workspace.state_dir) == last
    watch.record(done, workspace.state_dir)
    if is_newest and (done.mailed or done.undelivered or done.failures):
        with suppress(Busy), workspace.locked(patience=PAGE_SECONDS):
            work.write_page()
    return done


@dataclass(frozen=True)
class _Work:
    """The steps of one pass; each puts what it did into `done`.

    Attributes:
        executor: whose workers read the inbox's files.
        waiting: the files that a person has to look at.
    """

    workspace: Workspace
    done: Pass
    progress: Progress
    executor: Executor | None = None
    waiting: list[FileRecord] = field(default_factory=list)

    def do_all(self) -> None:
        """Every step but mail, in the order in which one needs the other."""
        here, done = self.workspace, self.done
        _trapped(done, say("清理"), here.clear_scratch)
        _trapped(done, say("登记表"), self.read_register)
        _trapped(done, say("收件"), self.collect)
        _trapped(done, say("归属认定"), self.settle)
        if self.has_looked:
            _each(done, say("结账"), self._at(here.periods_to_close), self.close)
        _each(done, say("结账存档"), here.closed_periods, self.restore)
        _each(done, say("下发报送表"), self._at(here.periods_to_hand_out), self.hand_out)
        if self.has_looked:
            _each(done, say("催报"), self._at(here.open_periods), self.remind)
        _each(done, say("汇总"), self._at(here.open_periods), self.renew)
        _each(done, say("退回修改"), self._at(here.open_periods), self.correct)
        _trapped(done, say("联系人名单"), self.list_contacts)
        with suppress(BiodutyError):  # a plan or register that cannot be read is said by now
            done.ahead = here.terms.calendar.ahead(done.as_of)

    @property
    def has_looked(self) -> bool:
        """Whether the inbox could be read. As long as it cannot, nobody knows who has returned:
        nobody is told to be overdue, and no quarter is closed for good.
        """
        return self.done.collected is not None

    def mail_all(self) -> None:
        """What is to be mailed of every open period."""
        _each(self.done, say("邮件"), self._at(self.workspace.open_periods), self.mail)

    def look_for_waiting(self) -> None:
        """Which files a person has to look at; none where the ledger is what failed."""
        if not self.done.refused:
            _trapped(self.done, say("待处理的文件"), self.find_waiting)

    def write_page(self) -> None:
        """The coordinator's page."""
        folder = self.workspace.outbox_root
        _trapped(
            self.done, say("运行情况"), lambda: watch.write_page(self.done, self.waiting, folder)
        )

    def _at(self, periods: Callable[[datetime], list[Period]]) -> Callable[[], list[Period]]:
        return functools.partial(periods, self.done.as_of)

    def read_register(self) -> None:
        self.done.problems += self.workspace.record_register(self.done.as_of)

    def collect(self) -> None:
        self.done.collected = self.workspace.collect(
            as_of=self.done.as_of, progress=self.progress, executor=self.executor
        )

    def settle(self) -> None:
        settled, problems = self.workspace.settle_ownerships(self.done.as_of)
        self.done.settled += settled
        self.done.problems += problems

    def close(self, period: Period) -> None:
        self.done.books.append(self.workspace.close(period))
        self.done.closed.append(period)

    def restore(self, period: Period) -> None:
        try:
            self.done.books += self.workspace.republish(period)
        except Altered as error:
            self.done.altered.append(str(error))

    def hand_out(self, period: Period) -> None:
        as_of, progress = self.done.as_of, self.progress
        self.done.forms += self.workspace.hand_out(period, as_of=as_of, progress=progress)

    def remind(self, period: Period) -> None:
        self.done.reminders += self.workspace.remind(period, as_of=self.done.as_of)

    def renew(self, period: Period) -> None:
        as_of, progress = self.done.as_of, self.progress
        self.done.books += self.workspace.renew(period, as_of=as_of, progress=progress)

    def correct(self, period: Period) -> None:
        self.done.corrections += self.workspace.correct(period, as_of=self.done.as_of)

    def list_contacts(self) -> None:
        self.workspace.list_contacts(as_of=self.done.as_of)

    def find_waiting(self) -> None:
        self.waiting.extend(self.workspace.waiting_files(as_of=self.done.as_of))

    def mail(self, period: Period) -> None:
        mailed = self.workspace.mail(period, as_of=self.done.as_of)
        self.done.mailed += mailed.sent
        self.done.failures += [
            say("邮件 {period}：{failure}", period=period, failure=failure)
            for failure in mailed.failures
        ]
        self.done.undelivered += mailed.undelivered


def _each(
    done: Pass, name: str, periods: Callable[[], list[Period]], step: Callable[[Period], object]
) -> None:
    """A step for each period, oldest first; one that fails does not stop the next."""
    found: list[Period] = []
    _trapped(done, name, lambda: found.extend(periods()))
    for period in found:
        of_period = say("{name} {period}", name=name, period=period)
        _trapped(done, of_period, functools.partial(step, period))


def _trapped(done: Pass, name: str, step: Callable[[], object]) -> None:
    """Do one step; what goes wrong in it is said, and the others go on."""
    try:
        step()
    except Busy:
        raise
    except (BiodutyError, OSError) as error:
        done.failures.append(say("{name}：{failure}", name=name, failure=_sentence(error)))
        _log.error("%s", watch.loggable(done.failures[-1]))
    except Exception as error:
        _log.exception("%s failed", name)
        done.failures.append(
            say(
                "{name}：程序出错（{kind}），详见日志，请联系管理员",
                name=name,
                kind=type(error).__name__,
            )
        )


def _sentence(error: BiodutyError | OSError) -> str:
    """What went wrong; names of files, if any, stand below the first line."""
    if isinstance(error, BiodutyError):
        return error.said
    return refusal(error)


def _check_clock(workspace: Workspace, done: Pass) -> None:
    """Compare the machine's time with the last pass: time does not run backwards, and one that
    cannot be right is refused.
    """
    last = watch.last_moment(workspace.state_dir)
    if last is None:
        return
    now = done.as_of
    doubt = watch.clock_doubt(now, last)
    if doubt is None:
        done.as_of = max(now, last)
        return
    _log.error("the clock is not believed: %s", now.isoformat())
    done.refused = True
    done.failures.append(
        say(
            "时钟：{doubt}，这次什么也没有做。请校准时钟；时间确实无误的，"
            "用 bioduty run --as-of {now:%Y-%m-%dT%H:%M} 运行一次即可",
            doubt=doubt,
            now=now,
        )
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
        _log.error("pass failed: %s", watch.loggable(_sentence(error)))
    except Exception:
        _log.exception("pass failed")
