"""The repeated pass: what is due, what fails, and a clock that jumps."""

from datetime import timedelta

from books import fill

from bioduty_xl import batch
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.period import Period
from bioduty_xl.errors import BiodutyError


def silent(*_):
    pass


def test_forms_go_out_on_the_opening_day_and_not_before(ws):
    early = batch.run_pass(ws, moment("2024-05-31"), silent)
    assert (early.forms, early.books) == ([], [])
    assert len(batch.run_pass(ws, moment("2024-06-01"), silent).forms) == 38
    assert batch.run_pass(ws, moment("2024-06-02"), silent).forms == []


def test_a_late_file_of_last_quarter_renews_last_quarters_book(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    done = batch.run_pass(q2, moment("2024-09-03"), silent)
    names = [path.name for path in done.books]
    assert names == ["汇总_2024Q2.xlsx", "汇总_2024Q3.xlsx"]


def test_a_failing_step_does_not_stop_the_others(q2):
    q2.inbox.rename(q2.root / "elsewhere")
    done = batch.run_pass(q2, moment("2024-06-20"), silent)
    assert len(done.failures) == 1
    assert "收件" in done.failures[0]
    assert [path.name for path in done.books] == ["汇总_2024Q2.xlsx"]


def test_the_first_period_may_open_at_any_day(ws):
    assert batch.is_open(ws, Period(2024, 1), moment("2024-02-01"))
    assert not batch.is_open(ws, Period(2024, 2), moment("2024-05-31"))


class Clock:
    """A wall clock that a test moves; sleeping moves it on, and may make it jump."""

    def __init__(self, start, jumps=()):
        self.now = moment(start)
        self.jumps = dict(jumps)
        self.naps = 0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.naps += 1
        self.now += self.jumps.get(self.naps, timedelta(0))


def test_work_that_fails_does_not_end_the_schedule(ws):
    calls = []

    def work():
        calls.append(1)
        raise BiodutyError("收件夹不可用")

    clock = Clock("2024-06-03T08:00", {2: timedelta(days=1), 3: timedelta(days=-3)})
    batch.keep_schedule(ws, work, now=clock, pause=clock.sleep, until=lambda: clock.naps >= 5)
    assert len(calls) == 3  # at the start, and after each jump of the clock
