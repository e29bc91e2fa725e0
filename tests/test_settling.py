"""归属认定: a row of the register settles one file, once; what it may not do is said by its row."""

import sqlite3
import zipfile

import pytest
from books import FILLED, add_row, fill, key_column
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.errors import Busy, LedgerError
from bioduty_xl.ledger import Ledger
from bioduty_xl.reception import Reception

SHEET = "归属认定"
FOREST, WATER = "市林业局", "市水利局"


def lose_marks(_, sheet):
    sheet.delete_cols(key_column(sheet))


@pytest.fixture
def drop(q2, form):
    """Puts a unit's filled form into the inbox, with its marks or without."""

    def run(unit, name="报送表.xlsx", said="开展巡护12次，出动60人次。", change=lose_marks):
        fill(form(unit), q2.inbox / name, {**FILLED, "progress": said}, change=change)

    return run


def settle(ws, when):
    """The steps of a pass as far as this: register, inbox, rows; (settled, problems)."""
    opened = Workspace.open(ws.root)
    problems = opened.record_register(when)
    opened.collect(as_of=when)
    settled, more = opened.settle_ownerships(when)
    return settled, [*problems, *more]


def write_row(ws, row, *values):
    """Write over a row of the sheet."""
    book = load_workbook(ws.register_file)
    for column, value in enumerate(values, start=1):
        book[SHEET].cell(row, column).value = value
    book.save(ws.register_file)


def delete_row(ws, row):
    book = load_workbook(ws.register_file)
    book[SHEET].delete_rows(row)
    book.save(ws.register_file)


def ask(ws, query):
    with sqlite3.connect(ws.state_dir / "ledger.sqlite") as db:
        rows = db.execute(query).fetchall()
    db.close()
    return rows


def files(ws):
    """(name, verdict, unit) of every file, in order of receipt."""
    return ask(ws, "SELECT name, verdict, unit FROM files ORDER BY id")


def owner(ws):
    """The unit of the one file that there is, and how often that was decided."""
    ((code,),) = ask(ws, "SELECT unit FROM files")
    unit = ws.plan.by_code[code].name if code else None
    return unit, ask(ws, "SELECT count(*) FROM assignments")[0][0]


def sha(ws, name="报送表.xlsx"):
    with sqlite3.connect(ws.state_dir / "ledger.sqlite") as db:
        ((found,),) = db.execute("SELECT sha256 FROM files WHERE name = ?", (name,)).fetchall()
    db.close()
    return found


# A row is about one file


def test_a_later_file_of_the_same_name_is_not_assigned_by_a_row_that_has_settled_one(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    assert settle(q2, "2024-06-21") == (["报送表.xlsx：已收"], [])
    drop(WATER, said="水利局自己的另一件工作。")
    assert settle(q2, "2024-06-22") == ([], [])
    assert settle(q2, "2024-06-23") == ([], [])
    assert files(q2) == [("报送表.xlsx", "accepted", "U02"), ("报送表.xlsx", "held", None)]
    (line,) = Workspace.open(q2.root).standing("2024Q2", as_of="2024-06-23").returned
    assert line.unit.name == FOREST


def test_a_file_that_came_after_a_row_was_first_seen_is_not_assigned_by_it(q2, drop):
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "说好要来的")
    assert "收件台账中没有“报送表.xlsx”" in settle(q2, "2024-06-20")[1][0]
    drop(WATER)
    settled, (problem,) = settle(q2, "2024-06-21")
    assert settled == []
    assert problem.startswith(f"“{SHEET}”第 3 行：“报送表.xlsx”是本行登记以后才收到的")
    assert sha(q2)[:12] in problem
    assert owner(q2) == (None, 0)
    write_row(q2, 3, sha(q2)[:12], WATER)  # as the problem asks
    assert settle(q2, "2024-06-22") == (["报送表.xlsx：已收"], [])
    assert owner(q2) == (WATER, 1)


def test_a_row_and_its_file_may_come_in_one_pass(q2, drop):
    drop(FOREST)
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    assert settle(q2, "2024-06-20") == (["报送表.xlsx：已收"], [])


def test_files_of_one_name_are_settled_each_by_a_row_of_its_own(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-21")
    drop(WATER, said="水利局自己的另一件工作。")
    settle(q2, "2024-06-22")
    add_row(q2, SHEET, "报送表.xlsx", WATER, "2024Q2", "电话核实")  # the first may stay
    assert settle(q2, "2024-06-23") == (["报送表.xlsx：已收"], [])
    assert [unit for _, _, unit in files(q2)] == ["U02", "U10"]


def test_a_row_is_no_problem_once_a_later_file_of_that_name_came_with_its_marks(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-18")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-19")
    drop(FOREST, said="更正后的另一段工作内容。", change=None)
    assert settle(q2, "2024-06-20") == settle(q2, "2024-06-21") == ([], [])
    assert [verdict for _, verdict, _ in files(q2)] == ["accepted", "accepted"]


def test_a_row_is_no_problem_whose_file_was_accepted_otherwise_meanwhile(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-18")
    q2.assign("报送表.xlsx", FOREST, "2024Q2", "电话核实", as_of="2024-06-19T10:00")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    assert settle(q2, "2024-06-19") == settle(q2, "2024-06-20") == ([], [])
    assert owner(q2) == (FOREST, 1)


def test_a_row_that_contradicts_the_marks_of_an_accepted_file_is_a_problem(q2, drop):
    drop(WATER, change=None)
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settled, (problem,) = settle(q2, "2024-06-20")
    assert settled == []
    assert "第 3 行：“报送表.xlsx”已按表中标识收为市水利局 2024Q2 的表，不需要认定" in problem
    delete_row(q2, 3)
    assert settle(q2, "2024-06-21") == ([], [])


# Several decisions about one file


@pytest.fixture
def two_rows(q2, drop):
    """A held file for which one row names its name, and another the start of its hash."""
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    add_row(q2, SHEET, sha(q2)[:12], WATER, "2024Q2", "更正")
    return q2


def test_two_rows_for_one_file_do_not_take_turns(two_rows):
    settled, problems = settle(two_rows, "2024-06-21")
    assert settled == ["报送表.xlsx：已收"]
    for day in ("22", "23"):
        assert settle(two_rows, f"2024-06-{day}") == ([], problems)
    (problem,) = problems
    assert problem.startswith(f"“{SHEET}”第 4 行：与第 3 行认定的是同一个文件")
    assert owner(two_rows) == (FOREST, 1)


def test_the_second_of_two_rows_takes_effect_when_the_first_is_deleted(two_rows):
    settle(two_rows, "2024-06-21")
    delete_row(two_rows, 3)
    assert settle(two_rows, "2024-06-22") == (["报送表.xlsx：已收"], [])
    assert settle(two_rows, "2024-06-23") == ([], [])
    assert owner(two_rows) == (WATER, 2)


def test_two_rows_that_say_the_same_of_one_file_are_no_problem(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    add_row(q2, SHEET, sha(q2), FOREST, "2024Q2", "电话核实")
    assert settle(q2, "2024-06-21") == (["报送表.xlsx：已收"], [])
    delete_row(q2, 3)
    assert settle(q2, "2024-06-22") == settle(q2, "2024-06-23") == ([], [])
    assert owner(q2) == (FOREST, 1)


def test_an_edited_row_takes_effect_once(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", WATER, "2024Q2", "电话核实")
    settle(q2, "2024-06-21")
    write_row(q2, 3, "报送表.xlsx", FOREST)
    assert settle(q2, "2024-06-22") == (["报送表.xlsx：已收"], [])
    assert settle(q2, "2024-06-23") == ([], [])
    assert owner(q2) == (FOREST, 2)


def test_a_row_edited_back_is_done_and_says_so_until_it_is_worded_anew(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-21")
    write_row(q2, 3, "报送表.xlsx", WATER)
    settle(q2, "2024-06-22")
    write_row(q2, 3, "报送表.xlsx", FOREST)
    settled, (problem,) = settle(q2, "2024-06-23")
    assert settled == []
    assert "第 3 行：本行先前已经办理，其后该文件又改了认定" in problem
    assert owner(q2) == (WATER, 2)
    write_row(q2, 3, "报送表.xlsx", FOREST, "2024Q2", "再次电话核实")
    assert settle(q2, "2024-06-24") == (["报送表.xlsx：已收"], [])
    assert owner(q2) == (FOREST, 3)


def test_a_row_reworded_and_worded_back_is_no_problem(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-21")
    for reason in ("当面核实", "电话核实"):
        write_row(q2, 3, "报送表.xlsx", FOREST, "2024Q2", reason)
        assert settle(q2, "2024-06-22") == ([], [])
    assert owner(q2) == (FOREST, 1)


def test_a_later_assignment_is_not_turned_back_by_the_row(q2, drop):
    drop(FOREST)
    settle(q2, "2024-06-18")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-19T08:30")
    q2.assign("报送表.xlsx", WATER, "2024Q2", "认定有误", as_of="2024-06-19T10:00")
    assert settle(q2, "2024-06-20") == settle(q2, "2024-06-21") == ([], [])
    assert owner(q2) == (WATER, 2)


def test_an_assignment_later_than_a_row_that_could_not_take_effect_stands(q2, drop):
    for name in ("一/报送表.xlsx", "二/报送表.xlsx"):
        drop(FOREST, name, said=f"{name}中的工作内容。")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    assert "有几个待处理的文件叫" in settle(q2, "2024-06-18T08:30")[1][0]
    for name in ("一/报送表.xlsx", "二/报送表.xlsx"):
        q2.assign(name, WATER, "2024Q2", "逐个核实", as_of="2024-06-18T10:00")
    assert settle(q2, "2024-06-19") == settle(q2, "2024-06-20") == ([], [])
    assert {unit for _, _, unit in files(q2)} == {"U10"}


# What goes wrong with one row


def test_a_damaged_original_does_not_stop_the_rows_below(q2, drop):
    drop(FOREST, "a.xlsx")
    drop(WATER, "b.xlsx")
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "a.xlsx", FOREST, "2024Q2", "电话核实")
    add_row(q2, SHEET, "b.xlsx", WATER, "2024Q2", "电话核实")
    original = q2.originals / sha(q2, "a.xlsx")
    original.chmod(0o600)
    original.write_bytes(b"x")
    settled, problems = settle(q2, "2024-06-21")
    assert settled == ["b.xlsx：已收"]
    for day in ("22", "23"):
        assert settle(q2, f"2024-06-{day}") == ([], problems)
    (problem,) = problems
    assert problem.startswith(f"“{SHEET}”第 3 行：台账中有记录，但保存的原件不见了或已损坏")


def test_an_original_that_cannot_be_read_does_not_stop_the_rows_below(q2, drop, monkeypatch):
    drop(FOREST, "a.xlsx")
    drop(WATER, "b.xlsx")
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "a.xlsx", FOREST, "2024Q2", "电话核实")
    add_row(q2, SHEET, "b.xlsx", WATER, "2024Q2", "电话核实")
    assign = Reception.assign

    def denied(reception, file, assignment):
        if file.name == "a.xlsx":
            raise PermissionError(13, "Permission denied")
        return assign(reception, file, assignment)

    monkeypatch.setattr(Reception, "assign", denied)
    settled, problems = settle(q2, "2024-06-21")
    assert settled == ["b.xlsx：已收"]
    assert problems == [f"“{SHEET}”第 3 行：文件正被其他程序打开，或者没有读写的权限"]


@pytest.mark.parametrize("error", [Busy("另一个"), LedgerError("台账不能使用")])
def test_what_is_wrong_with_the_workspace_is_no_rows_fault(q2, drop, monkeypatch, error):
    drop(FOREST)
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")

    def fail(*_):
        raise error

    monkeypatch.setattr(Reception, "assign", fail)
    with pytest.raises(type(error)):
        settle(q2, "2024-06-21")


def test_what_a_stopped_pass_left_undone_of_a_row_is_done_by_the_next(
    q2, drop, tmp_path, monkeypatch
):
    """What a row does to a file and to its archive is one transaction; it was stopped in it."""
    drop(FOREST, "a.xlsx")
    with zipfile.ZipFile(q2.inbox / "z.zip", "w") as package:
        package.write(q2.inbox / "a.xlsx", "a.xlsx")
    (q2.inbox / "a.xlsx").unlink()
    settle(q2, "2024-06-20")
    add_row(q2, SHEET, "z.zip/a.xlsx", FOREST, "2024Q2", "电话核实")

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as stopped:
        stopped.setattr(Reception, "_settle_archive", kill)
        with pytest.raises(Killed):
            settle(q2, "2024-06-21")
    assert [verdict for _, verdict, _ in files(q2)] == ["held", "held"]  # all of it, or nothing
    settled, problems = settle(q2, "2024-06-22")
    assert (len(settled), problems) == (1, [])
    assert settle(q2, "2024-06-23") == ([], [])
    assert [verdict for _, verdict, _ in files(q2)] == ["accepted", "accepted"]
    assert ask(q2, "SELECT count(*) FROM assignments") == [(1,)]
    assert (q2.inbox / "已收" / "2024Q2" / "z.zip").exists()


def test_it_is_on_record_which_file_a_row_has_settled_and_when(q2, drop):
    drop(FOREST)
    add_row(q2, SHEET, "报送表.xlsx", FOREST, "2024Q2", "电话核实")
    settle(q2, "2024-06-20T08:30")
    settle(q2, "2024-06-21T08:30")
    with Ledger(q2.state_dir / "ledger.sqlite", read_only=True) as ledger:
        (done,) = ledger.settlements()
        (entry,) = ledger.registered()
    assert (done.entry, done.sha256) == (entry.text, sha(q2))
    assert done.settled.isoformat() == "2024-06-20T08:30:00+08:00"
