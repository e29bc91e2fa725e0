"""What the register's other rows bring about, and what is on record of them."""

import shutil
from datetime import datetime

import docx
import pytest
from books import add_row, fill, records
from openpyxl import load_workbook

from bioduty_xl import Workspace, batch
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.register import ChangeKind
from bioduty_xl.layout.sheets import DEFINITIONS, MISSING_ITEMS, OVERDUE, RECEIPTS, REMINDERS
from bioduty_xl.ledger import Ledger

FOREST = "市林业局"


def run(ws, when):
    return batch.run_pass(Workspace.open(ws.root), moment(when), lambda *_: None)


def reopened(ws):
    return Workspace.open(ws.root)


def line_of(ws, unit, as_of):
    standing = reopened(ws).standing("2024Q2", as_of=as_of)
    return next(line for line in standing.units if line.unit.name == unit)


def registered(ws):
    """(text, day first seen, day last seen) of every entry on record."""
    with Ledger(ws.state_dir / "ledger.sqlite", read_only=True) as ledger:
        return [
            (one.text, str(one.first_seen)[:10], str(one.last_seen)[:10])
            for one in ledger.registered()
        ]


def delete_row(ws, sheet, row):
    book = load_workbook(ws.register_file)
    book[sheet].delete_rows(row)
    book.save(ws.register_file)


def row_of(path, sheet, unit=FOREST):
    return next(row for row in records(path, sheet.title) if row["报送单位"] == unit)


# 收件更正: a return that came by another way, and whose form is not here


@pytest.fixture
def faxed(q2):
    add_row(q2, "收件更正", FOREST, "2024Q2", "2024-06-20", "传真")
    return q2


def test_a_return_that_came_by_fax_alone_is_reported_on_its_true_day_and_not_overdue(faxed):
    done = run(faxed, "2024-06-26")
    assert done.problems == []
    line = line_of(faxed, FOREST, "2024-06-26")
    assert (line.state.value, line.receipt.first_received) == ("on_time", moment("2024-06-20"))
    book = faxed.report_file("2024Q2")
    receipt = row_of(book, RECEIPTS)
    assert receipt["报送状态"] == "按时"
    assert receipt["首次收到"] == datetime(2024, 6, 20, 23, 59, 59)
    assert (receipt["修订次数"], receipt["最新收到"]) == (0, None)
    assert receipt["返回文件"] == "以传真报送，电子表未到"
    assert receipt["缺项"] == receipt["必报项"] > 0
    assert FOREST not in {row["报送单位"] for row in records(book, OVERDUE.title)}
    whys = [row for row in records(book, MISSING_ITEMS.title) if row["报送单位"] == FOREST]
    assert {(row["状态"], row["原因"]) for row in whys} == {("未返回", "以传真报送，电子表未到")}


def test_it_is_chased_for_its_form_and_not_as_overdue(faxed):
    run(faxed, "2024-07-05")
    folder = faxed.outbox("2024Q2") / "reminders"
    called = row_of(folder / f"{REMINDERS.title}.xlsx", REMINDERS)
    assert (called["催报事由"], called["逾期天数"], called["紧急程度"]) == ("缺项补报", 0, None)
    letter = docx.Document(str(folder / f"{FOREST}_2024Q2_催报函.docx"))
    text = "".join(paragraph.text for paragraph in letter.paragraphs)
    assert "于2024年6月20日以传真报送的2024年第二季度工作推进情况已收悉" in text
    assert "电子报送表尚未收到" in text
    assert "补报电子报送表" in text
    assert "使用先前下发给贵单位的报送表填报" in text
    assert "逾期" not in text


def test_it_is_late_where_its_true_day_is(q2):
    add_row(q2, "收件更正", FOREST, "2024Q2", "2024-06-28")
    q2 = reopened(q2)
    q2.record_register("2024-07-01")
    line = line_of(q2, FOREST, "2024-07-01")
    assert (line.state.value, line.days_overdue) == ("late", 3)
    assert line.receipt.without_form == "以其他方式报送，电子表未到"
    assert line_of(q2, FOREST, "2024-06-27").state.value == "overdue"  # nobody had it then


def test_its_items_are_answered_when_the_form_comes(faxed, form):
    run(faxed, "2024-06-26")
    fill(form(FOREST), faxed.inbox / "补来.xlsx")
    run(faxed, "2024-06-28")
    receipt = row_of(faxed.report_file("2024Q2"), RECEIPTS)
    assert (receipt["报送状态"], receipt["修订次数"], receipt["缺项"]) == ("按时", 1, 0)
    assert receipt["返回文件"] == "补来.xlsx"
    assert receipt["首次收到"] == datetime(2024, 6, 20, 23, 59, 59)


def test_a_day_that_has_not_come_yet_is_said_and_does_not_count(q2, form):
    fill(form(FOREST), q2.inbox / "a.xlsx")
    add_row(q2, "收件更正", FOREST, "2024Q2", "2042-06-20", "传真")
    (problem,) = run(q2, "2024-06-24").problems
    assert problem.startswith("“收件更正”第 3 行：实际收到日期 2042-06-20 还没有到")
    assert line_of(q2, FOREST, "2024-06-26").state.value == "on_time"


# Extensions that cannot be


def test_an_extension_of_eighteen_years_does_not_keep_a_quarter_open(q2):
    add_row(q2, "延期", FOREST, "2024Q2", "2042-07-05", "李某", "防汛")
    add_row(q2, "延期", "市水利局", "2024Q2", "2024-04-05", "李某", "防汛")
    done = run(q2, "2024-06-10")
    assert [problem.partition("：")[0] for problem in done.problems] == [
        *("“延期”第 3 行", "“延期”第 4 行"),
    ]
    assert all("请核对日期和报送期" in problem for problem in done.problems)
    assert {line_of(q2, unit, "2024-06-10").state.value for unit in (FOREST, "市水利局")} == {
        "not_due"
    }
    assert [str(one) for one in run(q2, "2024-07-10").closed] == ["2024Q2"]


# What is on record


def test_when_an_entry_was_last_in_force_is_on_record(q2):
    opened = lambda: reopened(q2)  # noqa: E731
    add_row(q2, "免报", FOREST, "2024Q2", "李某", "经批准")
    for day in ("10", "11"):
        opened().record_register(f"2024-06-{day}")
    text = "市林业局（U02） 2024Q2 免报 批准人 李某 事由 经批准"
    assert registered(q2) == [(text, "2024-06-10", "2024-06-11")]
    delete_row(q2, "免报", 3)
    for day in ("12", "13"):
        opened().record_register(f"2024-06-{day}")
    assert registered(q2) == [(text, "2024-06-10", "2024-06-11")]
    add_row(q2, "免报", FOREST, "2024Q2", "李某", "改了事由")
    opened().record_register("2024-06-14")
    assert registered(q2)[1:] == [(text.replace("经批准", "改了事由"), "2024-06-14", "2024-06-14")]


def test_a_pass_with_an_earlier_moment_moves_no_record_back(q2):
    add_row(q2, "免报", FOREST, "2024Q2", "李某", "经批准")
    for day in ("10", "12", "11"):
        reopened(q2).record_register(f"2024-06-{day}")
    ((_, first, last),) = registered(q2)
    assert (first, last) == ("2024-06-10", "2024-06-12")


def test_the_decisions_in_force_are_in_the_book_with_who_approved_them_and_since_when(q2):
    add_row(q2, "延期", "市水利局", "2024Q2", "2024-07-05", "李某", "防汛；0812-0000001")
    add_row(q2, "延期", "市水利局", "2024Q3", "2024-10-08", "李某", "防汛")
    add_row(q2, "免报", "市气象局", "2024Q2", None, "经批准")
    add_row(q2, "收件更正", FOREST, "2024Q2", "2024-06-07", "传真")
    settings = q2.root / "bioduty.toml"
    own = '\n[[deadlines.extensions]]\nunit = "市财政局"\nperiod = "2024Q2"\ndue = 2024-07-01\n'
    settings.write_text(settings.read_text("utf-8") + own, "utf-8")

    def shown():
        rows = records(q2.report_file("2024Q2"), DEFINITIONS.title)
        return [(row["事项"], row["说明"]) for row in rows[-4:]]

    run(q2, "2024-06-10T08:30")
    found = shown()
    assert found == [
        (
            "延期",
            "市水利局（U10） 2024Q2 延期至 2024-07-05 批准人 李某 事由 防汛；（号码略）；"
            "首次登记时间 2024-06-10 08:30",
        ),
        (
            "免报",
            "市气象局（U14） 2024Q2 免报 事由 经批准；没有写明批准人；"
            "首次登记时间 2024-06-10 08:30",
        ),
        (
            "收件更正",
            "市林业局（U02） 2024Q2 实际收到 2024-06-07 收到方式 传真；电子表未到；"
            "首次登记时间 2024-06-10 08:30",
        ),
        ("延期", "市财政局（U12） 2024Q2 延期至 2024-07-01；写在 bioduty.toml 中"),
    ]
    assert run(q2, "2024-06-11T08:30").books == []
    assert shown() == found
    delete_row(q2, "延期", 3)
    assert run(q2, "2024-06-12T08:30").books
    assert [name for name, _ in shown()[1:]] == ["免报", "收件更正", "延期"]


def test_the_copy_that_is_kept_is_what_was_read(q2, tmp_path):
    add_row(q2, "免报", FOREST, "2024Q2", "李某", "经批准")
    was = q2.register_file.read_bytes()
    opened = reopened(q2)
    assert opened.terms.register.exemptions
    shutil.copyfile(q2.root / "bioduty.toml", q2.register_file)  # saved over in between
    opened.record_register("2024-06-20")
    assert (q2.state_dir / "register.xlsx").read_bytes() == was
    assert reopened(q2).terms.register.exemptions  # as it could last be read


# 机构变动: closed quarters


def test_a_change_of_units_from_a_closed_quarter_on_is_refused(q2):
    run(q2, "2024-07-10")
    add_row(q2, "机构变动", "2024Q2", "市气象局", "并入", "市科技局", "批复")
    (problem,) = run(q2, "2024-07-20").problems
    assert problem.startswith("“机构变动”第 3 行：2024Q2 已经结账")
    assert "写成 2024Q3 或以后" in problem
    assert reopened(q2).terms.register.changes == ()
    assert run(q2, "2024-07-21").problems == [problem]
    assert registered(q2) == []


def test_a_change_that_was_seen_before_its_quarter_was_closed_stays_in_force(q2):
    """Seen first by the very pass that closes the quarter; then its reason is worded better."""
    add_row(q2, "机构变动", "2024Q2", "市气象局", "更名", "市气象和气候局", "批复")
    done = run(q2, "2024-07-10")
    assert (done.problems, [str(one) for one in done.closed]) == ([], ["2024Q2"])
    book = load_workbook(q2.register_file)
    book["机构变动"].cell(3, 5).value = "某文〔2024〕1号批复"
    book.save(q2.register_file)
    for day in ("11", "12"):
        assert run(q2, f"2024-07-{day}").problems == []
    (change,) = reopened(q2).terms.register.changes
    assert (change.kind, change.basis) == (ChangeKind.RENAMED, "某文〔2024〕1号批复")


def test_a_change_in_force_that_is_edited_after_the_close_says_how_to_mend_that(q2):
    add_row(q2, "机构变动", "2024Q2", "市气象局", "更名", "市气像局", "批复")
    run(q2, "2024-07-10")
    book = load_workbook(q2.register_file)
    book["机构变动"].cell(3, 4).value = "市气象和气候局"
    book.save(q2.register_file)
    (problem,) = run(q2, "2024-07-11").problems
    assert "请照原样改回，新的变动另写一行" in problem
    book["机构变动"].cell(3, 4).value = "市气像局"
    book.save(q2.register_file)
    add_row(q2, "机构变动", "2024Q3", "市气像局", "更名", "市气象和气候局", "更正")
    assert run(q2, "2024-07-12").problems == []
    assert reopened(q2).find_unit("市气象局").name == "市气象和气候局"
