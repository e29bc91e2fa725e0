"""A held file that a person settles: read under the unit given, on record, tidied away."""

import pytest
from books import (
    FILLED,
    columns_of,
    field_cell,
    fill,
    fill_contacts,
    key_column,
    records,
    rows_by_item,
    without_marks,
)
from commands import bioduty, failed
from openpyxl import load_workbook

from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.ledger import Ledger

AS_OF = "2024-06-20"


def collect_one(ws):
    (report,) = ws.collect(as_of=AS_OF).files
    return report


@pytest.fixture
def unmarked(q2, form):
    """A held return of which only the visible code is left, each item with an answer of its own."""
    texts = {f"T{n:02d}": {**FILLED, "progress": f"第{n}项开展巡查{n}次"} for n in range(1, 24)}
    fill(form("市林业局"), q2.inbox / "林业报来.xlsx", answers=texts, change=without_marks)
    return collect_one(q2)


def test_a_held_file_says_whose_it_may_be(q2, unmarked):
    assert unmarked.verdict == "held"
    code = field_cell(
        load_workbook(q2.outbox("2024Q2") / "forms/市林业局_2024Q2.xlsx")[RETURN_FORM.title], "code"
    )
    assert f"校验码 {code.value}（与市林业局的校验码相符）" in unmarked.reason


def test_settled_it_is_the_units_return_with_every_answer_in_its_place(q2, unmarked):
    report = q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实", as_of="2024-06-21")
    assert (report.verdict, report.unit, str(report.period)) == ("accepted", "U02", "2024Q2")
    assert {finding.code for finding in report.findings} == {"ASSIGNED"}
    assert "电话核实" in report.findings[0].message
    entries = q2.entries("2024Q2").query("code == 'U02'")
    for row in entries.to_dict("records"):
        assert row["progress"] == f"第{row['no']}项开展巡查{row['no']}次"
    (line,) = q2.standing("2024Q2", as_of=AS_OF).returned
    assert line.unit.name == "市林业局"


def test_the_decision_is_on_record(q2, unmarked):
    q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实", as_of="2024-06-21T09:00")
    with Ledger(q2.state_dir / "ledger.sqlite", read_only=True) as ledger:
        (file,) = ledger.with_hash(unmarked.sha256)
        (decision,) = ledger.assignments(file)
    assert (decision.unit, str(decision.period), decision.reason) == ("U02", "2024Q2", "电话核实")
    assert decision.decided.isoformat() == "2024-06-21T09:00:00+08:00"
    rows = records(q2.consolidate("2024Q2", as_of="2024-06-26"), "收件台账")
    assert [(row["文件"], row["处理结果"], row["单位代码"]) for row in rows] == [
        ("林业报来.xlsx", "已收", "U02")
    ]
    assert "ASSIGNED" in {row["规则"] for row in records(q2.report_file("2024Q2"), "校验意见")}


def test_it_moves_from_those_put_aside_to_those_taken(q2, unmarked):
    assert (q2.inbox / "待处理" / "林业报来.xlsx").exists()
    q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实")
    assert not (q2.inbox / "待处理" / "林业报来.xlsx").exists()
    assert (q2.inbox / "已收" / "2024Q2" / "林业报来.xlsx").exists()
    assert q2.collect(as_of=AS_OF).files == ()


def test_the_same_bytes_again_are_a_duplicate_once_settled(q2, unmarked):
    q2.assign(unmarked.sha256[:10], "市林业局", "2024Q2", "电话核实")
    content = (q2.originals / unmarked.sha256).read_bytes()
    (q2.inbox / "又来.xlsx").write_bytes(content)
    again = collect_one(q2)
    assert (again.verdict, again.unit, again.revision) == ("duplicate", "U02", 1)


def test_a_return_received_later_still_counts_before_a_settled_older_one(q2, form, tmp_path):
    fill(form("市林业局"), q2.inbox / "旧.xlsx", change=without_marks)
    q2.collect(as_of="2024-06-18")
    fill(form("市林业局"), q2.inbox / "新.xlsx", answers={**FILLED, "progress": "更正：巡护15次。"})
    q2.collect(as_of="2024-06-20")
    q2.assign("旧.xlsx", "市林业局", "2024Q2", "电话核实")
    (line,) = q2.standing("2024Q2", as_of="2024-06-26").returned
    assert line.receipt.first_received.isoformat().startswith("2024-06-18")
    assert set(q2.entries("2024Q2").query("code == 'U02'")["progress"]) == {"更正：巡护15次。"}


def test_a_file_filled_on_another_units_form_can_be_settled_either_way(q2, form):
    def retype(book, sheet):
        field_cell(sheet, "unit").value = "市水利局"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=retype)
    assert collect_one(q2).verdict == "held"
    report = q2.assign("a.xlsx", "市水利局", "2024Q2", "该局误用了林业局的表")
    assert (report.verdict, report.unit) == ("accepted", "U10")
    assert "NOT_ASSIGNED" in {finding.code for finding in report.findings}


def test_rows_are_told_by_task_then_mark_then_number_and_the_rest_is_said(q2, form):
    def spoil(book, sheet):
        rows, columns = rows_by_item(sheet), columns_of(sheet)
        sheet.cell(rows["T02"], columns["task"]).value = "任务二"  # its number is left
        sheet.cell(rows["T03"], columns["task"]).value = "任务三"
        sheet.cell(rows["T03"], columns["no"]).value = "三"  # nothing is left
        without_marks(book, sheet)

    texts = {f"T{n:02d}": {**FILLED, "progress": f"第{n}项开展巡查{n}次"} for n in range(1, 24)}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=texts, change=spoil)
    assert collect_one(q2).verdict == "held"
    report = q2.assign("a.xlsx", "市林业局", "2024Q2", "电话核实")
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")["progress"]
    assert (entries["T02"], entries["T03"]) == ("第2项开展巡查2次", "")
    found = {(finding.code, finding.item) for finding in report.findings}
    assert {("LOCKED_ALTERED", "T02"), ("ROW_WITHOUT_MARK", ""), ("ROW_MISSING", "T03")} <= found


def test_a_contact_form_without_marks_can_be_settled(ws):
    blank = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")[1]
    target = ws.inbox / "联系人.xlsx"
    person = {"leader": "赵某某", "name": "钱某", "phone": "0812-0000001"}
    fill_contacts(blank, target, [person])
    from bioduty_xl.layout.sheets import CONTACTS_FORM

    book = load_workbook(target)
    sheet = book[CONTACTS_FORM.title]
    sheet.delete_cols(key_column(sheet, CONTACTS_FORM))
    book.save(target)
    (report,) = ws.collect(as_of="2024-04-22").files
    assert report.verdict == "held"
    settled = ws.assign("联系人.xlsx", "市林业局", "2024Q1", "电话核实")
    assert (settled.verdict, settled.kind) == ("accepted", "contacts")
    rows = records(ws.consolidate("2024Q1", as_of="2024-04-26"), "联系人名单")
    assert [row["联系人"] for row in rows if row["单位代码"] == "U02"] == ["钱某"]


def test_a_member_of_an_archive_can_be_settled(q2, form, tmp_path):
    import zipfile

    inner = fill(form("市林业局"), tmp_path / "a.xlsx", change=without_marks)
    with zipfile.ZipFile(q2.inbox / "包.zip", "w") as archive:
        archive.write(inner, "报送表.xlsx")
    q2.collect(as_of=AS_OF)
    report = q2.assign("包.zip/报送表.xlsx", "市林业局", "2024Q2", "电话核实")
    assert report.verdict == "accepted"


@pytest.mark.parametrize(
    ("file", "unit", "period", "reason", "says"),
    [
        ("没有.xlsx", "市林业局", "2024Q2", "x", "收件台账中没有"),
        ("林业报来.xlsx", "某局", "2024Q2", "x", "没有“某局”"),
        ("林业报来.xlsx", "市林业局", "二季度", "x", "不是报送期"),
        ("林业报来.xlsx", "市林业局", "2024Q2", "  ", "理由"),
    ],
)
def test_what_cannot_be_settled_is_said_and_nothing_changes(
    q2, unmarked, file, unit, period, reason, says
):
    before = (q2.state_dir / "ledger.sqlite").read_bytes()
    with pytest.raises(ConfigError, match=says):
        q2.assign(file, unit, period, reason)
    assert (q2.state_dir / "ledger.sqlite").read_bytes() == before


def test_what_was_accepted_needs_no_settling(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    collect_one(q2)
    with pytest.raises(ConfigError, match="不需要认定"):
        q2.assign("a.xlsx", "市水利局", "2024Q2", "x")


def test_files_of_one_name_are_told_apart_by_their_hash(q2):
    hashes = []
    for turn in (b"1", b"2"):
        (q2.inbox / "总结.pdf").write_bytes(b"%PDF-1.7" + turn)
        hashes.append(collect_one(q2).sha256)
    with pytest.raises(ConfigError, match="SHA-256"):
        q2.assign("总结.pdf", "市林业局", "2024Q2", "x")
    report = q2.assign(hashes[0][:12], "市林业局", "2024Q2", "x")
    assert (report.verdict, report.sha256) == ("held", hashes[0])


def test_from_the_command_line(q2, unmarked):
    options = ("--unit", "市林业局", "--period", "2024Q2", "--workspace", q2.root)
    assert "理由" in failed("assign", "林业报来.xlsx", *options, "--reason", " ", expect=2)
    out = bioduty(
        "assign", "林业报来.xlsx", *options, "--reason", "电话核实", "--as-of", "2024-06-21"
    )
    assert "已收" in out
    assert "市林业局" in out


def test_a_mistaken_decision_is_corrected_by_another(q2, unmarked):
    q2.assign("林业报来.xlsx", "市水利局", "2024Q2", "手误")
    report = q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "更正")
    assert (report.verdict, report.unit, report.revision) == ("accepted", "U02", 1)
    returned = q2.standing("2024Q2", as_of="2024-06-26").returned
    assert [line.unit.code for line in returned] == ["U02"]
    with Ledger(q2.state_dir / "ledger.sqlite", read_only=True) as ledger:
        (file,) = ledger.with_hash(unmarked.sha256)
        assert [decision.reason for decision in ledger.assignments(file)] == ["手误", "更正"]


def test_a_period_of_which_no_form_is_out_is_refused(q2, unmarked):
    with pytest.raises(ConfigError, match="没有下发过"):
        q2.assign("林业报来.xlsx", "市林业局", "2042Q4", "手误")


def test_the_same_held_bytes_are_settled_together(q2, unmarked):
    (q2.inbox / "又来.xlsx").write_bytes((q2.originals / unmarked.sha256).read_bytes())
    assert collect_one(q2).verdict == "held"
    q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实")
    assert q2.waiting_files("2024Q2", as_of="2024-06-26") == []
    assert list((q2.inbox / "待处理").iterdir()) == []


def test_an_archive_is_done_with_when_its_last_member_is_settled(q2, form, tmp_path):
    import zipfile

    inner = fill(form("市林业局"), tmp_path / "a.xlsx", change=without_marks)
    with zipfile.ZipFile(q2.inbox / "包.zip", "w") as archive:
        archive.write(inner, "报送表.xlsx")
    q2.collect(as_of=AS_OF)
    with pytest.raises(ConfigError, match="逐个认定"):
        q2.assign("包.zip", "市林业局", "2024Q2", "电话核实")
    q2.assign("包.zip/报送表.xlsx", "市林业局", "2024Q2", "电话核实")
    assert q2.waiting_files("2024Q2", as_of="2024-06-26") == []
    assert (q2.inbox / "已收" / "2024Q2" / "包.zip").exists()


def test_an_earlier_copy_with_the_same_answers_makes_a_late_unit_timely(q2, form):
    fill(form("市林业局"), q2.inbox / "早.xlsx", change=without_marks)
    q2.collect(as_of="2024-06-20")
    fill(form("市林业局"), q2.inbox / "晚.xlsx")
    q2.collect(as_of="2024-06-28")
    report = q2.assign("早.xlsx", "市林业局", "2024Q2", "电话核实")
    assert report.verdict == "accepted"
    assert "晚.xlsx" in report.reason
    (line,) = q2.standing("2024Q2", as_of="2024-06-30").returned
    assert line.state.value == "on_time"


def test_what_was_settled_but_not_tidied_is_tidied_by_the_next_pass(q2, unmarked, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("bioduty_xl.intake.filing.tidy", lambda *_: None)
        q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实")
    assert (q2.inbox / "待处理" / "林业报来.xlsx").exists()
    assert q2.collect(as_of=AS_OF).files == ()
    assert (q2.inbox / "已收" / "2024Q2" / "林业报来.xlsx").exists()


def test_a_file_that_waits_to_be_read_cannot_be_settled_yet(q2, form, monkeypatch):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    with monkeypatch.context() as patched:
        patched.setattr("bioduty_xl.desk.Desk.conclude", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            q2.collect(as_of=AS_OF)
    with pytest.raises(ConfigError, match="还没有读取"):
        q2.assign("a.xlsx", "市林业局", "2024Q2", "电话核实")


@pytest.mark.parametrize("damage", ["gone", "replaced"])
def test_an_original_that_is_not_what_it_was_is_never_settled(q2, form, unmarked, damage):
    original = q2.originals / unmarked.sha256
    if damage == "gone":
        original.unlink()
    else:
        original.write_bytes(form("市水利局").read_bytes())
    with pytest.raises(BiodutyError, match="备份"):
        q2.assign("林业报来.xlsx", "市林业局", "2024Q2", "电话核实")
