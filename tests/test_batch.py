"""The repeated pass: what is due, what fails, and a clock that jumps."""

from datetime import timedelta

import pytest
from books import FILLED, add_row, fill, key_column, records
from openpyxl import load_workbook

from bioduty_xl import Workspace, batch, watch
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.errors import BiodutyError, Busy, ConfigError
from bioduty_xl.layout.sheets import LATE_RETURNS, REMINDERS
from bioduty_xl.ledger import Ledger


def silent(*_):
    pass


def run(ws, when, **more):
    return batch.run_pass(Workspace.open(ws.root), moment(when), silent, **more)


def test_forms_go_out_on_the_opening_day_and_not_before(ws):
    early = run(ws, "2024-05-31")
    assert (early.forms, early.books) == ([], [])
    assert len(run(ws, "2024-06-01").forms) == 38
    assert run(ws, "2024-06-02").forms == []


def test_a_workspace_made_between_two_quarters_does_not_make_up_for_the_past(ws):
    done = run(ws, "2026-08-15")
    assert (done.forms, done.closed, done.failures) == ([], [], [])


def test_the_book_is_written_anew_only_when_it_would_show_something_else(q2, form):
    assert run(q2, "2024-06-10").books
    book = q2.report_file("2024Q2")
    before = book.read_bytes()
    assert not run(q2, "2024-06-11").books
    assert book.read_bytes() == before
    book.unlink()  # somebody has deleted or moved it
    assert run(q2, "2024-06-11").books == [book]
    assert not run(q2, "2024-06-25").books
    assert run(q2, "2024-06-26").books == [book]  # the due date is over
    assert run(q2, "2024-06-27").books == [book]  # a day more overdue


def test_what_comes_after_the_close_is_in_the_next_book(q2, form):
    assert [str(one) for one in run(q2, "2024-07-10").closed] == ["2024Q2"]
    closed = q2.report_file("2024Q2").read_bytes()
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    assert not run(q2, "2024-08-20").books
    assert [path.name for path in run(q2, "2024-09-03").books] == ["汇总_2024Q3.xlsx"]
    rows = records(q2.report_file("2024Q3"), LATE_RETURNS.title)
    assert {(row["报送期"], row["报送单位"], row["类别"]) for row in rows} == {
        ("2024Q2", "市林业局", "补报")
    }
    assert rows[0]["工作开展情况"] == FILLED["progress"]
    assert q2.report_file("2024Q2").read_bytes() == closed
    with pytest.raises(ConfigError, match="已经结账"):
        q2.close("2024Q2")


def test_a_failing_step_does_not_stop_the_others(q2):
    q2.inbox.rename(q2.root / "elsewhere")
    done = run(q2, "2024-06-20")
    assert len(done.failures) == 1
    assert "收件" in done.failures[0]
    assert [path.name for path in done.books] == ["汇总_2024Q2.xlsx"]


def test_while_the_inbox_is_not_there_nobody_is_chased_and_no_quarter_closed(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    away = q2.inbox.rename(q2.root / "elsewhere")
    done = run(q2, "2024-06-26")
    assert ("收件" in done.failures[0], done.reminders, done.closed) == (True, [], [])
    done = run(q2, "2024-07-10")
    assert (done.reminders, done.closed) == ([], [])
    away.rename(q2.inbox)
    assert [str(one) for one in run(q2, "2024-07-10T12:00").closed] == ["2024Q2"]


def test_a_pass_leaves_a_line_a_heartbeat_and_a_page(q2):
    (q2.inbox / "通知 0812-0000009.pdf").write_bytes(b"%PDF-1.7 x")
    done = run(q2, "2024-06-20T08:30")
    assert done.needs_attention
    line = watch.last_pass(q2.state_dir)
    assert (line["as_of"], line["files"]) == ("2024-06-20T08:30:00+08:00", {"held": 1})
    assert "0812-0000009" not in (q2.state_dir / watch.PASSES).read_text("utf-8")
    assert (q2.state_dir / watch.HEARTBEAT).read_text("ascii") == "2024-06-20T08:30:00+08:00\n"
    page = (q2.outbox_root / watch.PAGE).read_text("utf-8-sig")
    assert "2024-06-20 08:30" in page
    assert "通知 0812-0000009.pdf：" in page  # for the coordinator, who has to look
    assert "一切正常" not in page
    assert "接下来：2024Q2 2024-06-25 截止，2024-07-09 结账" in page


def test_a_torn_line_of_the_log_is_passed_over_and_does_not_spoil_the_next(q2):
    run(q2, "2024-06-20")
    log = q2.state_dir / watch.PASSES
    log.write_bytes(log.read_bytes() + b'{"as_of": "2024-06-2')
    assert watch.last_pass(q2.state_dir)["as_of"].startswith("2024-06-20")
    run(q2, "2024-06-22")
    assert watch.last_pass(q2.state_dir)["as_of"].startswith("2024-06-22")
    assert len(log.read_bytes().splitlines()) == 3


def test_a_clock_that_cannot_be_right_is_refused_until_a_person_says_so(q2):
    run(q2, "2024-06-20T08:30", by_clock=True)
    slightly = run(q2, "2024-06-20T07:00", by_clock=True)
    assert (slightly.refused, slightly.as_of) == (False, moment("2024-06-20T08:30"))
    for wrong in ("2024-06-18", "2025-06-20", "2004-01-01"):
        done = run(q2, wrong, by_clock=True)
        assert done.refused
        assert "时钟" in done.failures[0]
        assert (done.forms, done.books, done.collected) == ([], [], None)
    assert "时钟" in (q2.outbox_root / watch.PAGE).read_text("utf-8-sig")
    assert not run(q2, "2025-06-20").refused
    assert not run(q2, "2025-06-21", by_clock=True).refused


def test_a_second_pass_does_not_start_while_one_runs(q2):
    with q2.locked(), pytest.raises(Busy):
        run(q2, "2024-06-20")


def test_a_register_that_cannot_be_opened_is_stood_in_for_by_the_last_one(q2):
    add_row(q2, "免报", "市气象局", "2024Q2", "李某", "经批准")
    assert run(q2, "2024-06-20").failures == []
    q2.register_file.write_bytes(b"PK not a workbook any more")
    done = run(q2, "2024-06-26")
    assert "暂按上次" in "".join(done.problems)
    assert done.needs_attention
    fresh = Workspace.open(q2.root)
    assert [
        line.unit.name
        for line in fresh.standing("2024Q2", as_of="2024-06-26").units
        if line.state is UnitState.EXEMPT
    ] == ["市气象局"]
    q2.register_file.unlink()
    assert "暂按上次" in "".join(run(q2, "2024-06-27").problems)


def test_a_workspace_from_before_there_was_a_register_gets_one(q2):
    q2.register_file.unlink()
    done = run(q2, "2024-06-20")
    assert (done.problems, done.failures) == ([], [])
    assert load_workbook(q2.register_file).sheetnames[0] == "延期"


def test_a_bad_row_is_named_and_the_rest_counts(q2):
    add_row(q2, "延期", "市某某局", "2024Q2", "2024-07-05")
    add_row(q2, "延期", "市水利局", "2024Q2", "2024-07-05")
    done = run(q2, "2024-06-26")
    assert [problem.partition("：")[0] for problem in done.problems] == ["“延期”第 3 行"]
    standing = Workspace.open(q2.root).standing("2024Q2", as_of="2024-06-26")
    line = next(line for line in standing.units if line.unit.name == "市水利局")
    assert (line.state, line.due.isoformat()) == (UnitState.NOT_DUE, "2024-07-05")


def test_an_entry_is_on_record_with_the_time_it_was_first_seen(q2):
    add_row(q2, "延期", "市水利局", "2024Q2", "2024-07-05", "李某", "防汛")
    run(q2, "2024-06-20T08:30")
    run(q2, "2024-06-21T08:30")
    with Ledger(q2.state_dir / "ledger.sqlite", read_only=True) as ledger:
        (entry,) = ledger.registered()
    assert (entry.sheet, entry.first_seen) == ("延期", moment("2024-06-20T08:30"))
    assert "市水利局" in entry.text


def test_a_held_file_is_settled_from_the_register_once(q2, form):
    def lose_marks(_, sheet):
        sheet.delete_cols(key_column(sheet))

    fill(form("市林业局"), q2.inbox / "无名.xlsx", change=lose_marks)
    assert run(q2, "2024-06-20").collected.files[0].verdict == "held"
    add_row(q2, "归属认定", "没有的.xlsx", "市林业局", "2024Q2", "电话核实")
    add_row(q2, "归属认定", "无名.xlsx", "市林业局", "2024Q2", "电话核实")
    done = run(q2, "2024-06-21")
    assert len(done.settled) == 1
    assert done.problems[0].startswith("“归属认定”第 3 行")
    standing = Workspace.open(q2.root).standing("2024Q2", as_of="2024-06-21")
    assert [line.unit.name for line in standing.returned] == ["市林业局"]
    assert run(q2, "2024-06-22").settled == []


def test_a_letter_goes_when_its_unit_has_reported(q2, form):
    run(q2, "2024-06-26")
    letters = q2.outbox("2024Q2") / "reminders"
    assert len(list(letters.glob("*_催报函.docx"))) == 38
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    run(q2, "2024-06-27")
    assert not (letters / "市林业局_2024Q2_催报函.docx").exists()
    assert len(list(letters.glob("*_催报函.docx"))) == 37
    called = records(letters / "催报清单.xlsx", REMINDERS.title)
    assert "市林业局" not in {row["报送单位"] for row in called}
    assert called[0]["已催报"] == "06-26"


def test_who_returns_with_gaps_is_asked_for_them_after_the_due_date(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers={"T01": FILLED})
    run(q2, "2024-06-24")
    letter = q2.outbox("2024Q2") / "reminders" / "市林业局_2024Q2_催报函.docx"
    assert not letter.exists()
    run(q2, "2024-06-26")
    assert letter.exists()
    called = records(letter.parent / "催报清单.xlsx", REMINDERS.title)
    row = next(row for row in called if row["报送单位"] == "市林业局")
    assert (row["催报事由"], row["逾期天数"], row["紧急程度"]) == ("缺项补报", 0, None)
    assert row["缺项数"] == len(row["缺报内容"].splitlines()) > 3


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
