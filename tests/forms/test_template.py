"""A template is the coordinator's: what is added to it stays, what is lost from it is said."""

import io
import json

import pytest
from books import FILLED, columns_of, fill, heading_row, key_column, records, rows_by_item
from commands import bioduty, failed, run
from openpyxl import load_workbook
from openpyxl.drawing.image import Image
from PIL import Image as Picture

from bioduty_xl.errors import TemplateError
from bioduty_xl.layout.sheets import GUIDE_TITLE, RETURN_FORM


@pytest.fixture
def restyle(ws):
    """`restyle(change)` changes the return form's template by `change(book, sheet)`."""

    def apply(change):
        path = ws.template("quarterly_return.xlsx")
        book = load_workbook(path)
        change(book, book[RETURN_FORM.title])
        book.save(path)

    return apply


def made(ws, unit="市林业局"):
    [path] = ws.generate("2024Q2", unit, as_of="2024-06-03")
    return path


def test_texts_below_the_sample_row_stay_below_the_table(ws, restyle):
    def add(book, sheet):
        sheet["A8"], sheet["A9"] = "填表说明：一式一份", "单位盖章："
        sheet.merge_cells("A9:D9")
        sheet.row_dimensions[9].height = 50

    restyle(add)
    sheet = load_workbook(made(ws))[RETURN_FORM.title]
    last = max(rows_by_item(sheet).values())
    assert [sheet.cell(last + n, 1).value for n in (2, 3)] == ["填表说明：一式一份", "单位盖章："]
    assert f"A{last + 3}:D{last + 3}" in map(str, sheet.merged_cells.ranges)
    assert sheet.row_dimensions[last + 3].height == 50
    assert sheet.print_area.endswith(f"$K${last + 3}")
    filled = fill(made(ws), ws.inbox / "a.xlsx")
    assert filled.exists()
    (report,) = ws.collect(as_of="2024-06-20").files
    assert (report.verdict, report.findings) == ("accepted", ())


def test_texts_to_the_right_are_not_written_over_by_the_hidden_marks(ws, restyle):
    restyle(lambda book, sheet: sheet.__setitem__("N2", "咨询请拨科室电话"))
    sheet = load_workbook(made(ws))[RETURN_FORM.title]
    assert sheet["N2"].value == "咨询请拨科室电话"
    assert key_column(sheet) == 15
    fill(made(ws), ws.inbox / "a.xlsx")
    (report,) = ws.collect(as_of="2024-06-20").files
    assert (report.verdict, report.findings) == ("accepted", ())


def test_a_column_of_the_coordinators_own_is_filled_read_and_consolidated(ws, restyle):
    def add(book, sheet):
        row = heading_row(sheet)
        sheet.cell(row, 12).value = "佐证材料"

    restyle(add)

    def fill_own(book, sheet):
        assert not sheet.cell(heading_row(sheet) + 1, 12).protection.locked
        sheet.cell(rows_by_item(sheet)["T03"], 12).value = "照片5张"

    fill(made(ws), ws.inbox / "a.xlsx", change=fill_own)
    (report,) = ws.collect(as_of="2024-06-20").files
    assert (report.verdict, report.findings) == ("accepted", ())
    entries = ws.entries("2024Q2").query("code == 'U02'").set_index("item")
    assert entries.loc["T03", "+佐证材料"] == "照片5张"
    rows = records(ws.consolidate("2024Q2", as_of="2024-06-26"), "汇总明细")
    assert [row["佐证材料"] for row in rows if row["任务编号"] == "T03"] == ["照片5张"]
    fill(made(ws), ws.inbox / "b.xlsx")
    (second,) = ws.collect(as_of="2024-06-21").files
    assert second.verdict == "accepted"  # without what was in the own column: no duplicate


def test_a_logo_stays(ws, restyle):
    logo = io.BytesIO()
    Picture.new("RGB", (40, 40), "green").save(logo, "png")
    restyle(lambda book, sheet: sheet.add_image(Image(logo), "K1"))
    assert len(load_workbook(made(ws))[RETURN_FORM.title]._images) == 1


def test_answer_cells_are_unlocked_whatever_the_template_says(ws, restyle):
    from openpyxl.styles import Protection

    def lock(book, sheet):
        for row in sheet.iter_rows():
            for cell in row:
                cell.protection = Protection(locked=True)

    restyle(lock)
    sheet = load_workbook(made(ws))[RETURN_FORM.title]
    row, columns = rows_by_item(sheet)["T01"], columns_of(sheet)
    assert {key for key, n in columns.items() if not sheet.cell(row, n).protection.locked} == set(
        FILLED
    )


def test_the_instructions_are_protected(ws):
    assert load_workbook(made(ws))[GUIDE_TITLE].protection.sheet


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b, s: s.cell(5, 7).__setattr__("value", "别的"), "缺少列“工作开展情况”"),
        (lambda b, s: s["B2"].__setattr__("value", None), "缺少标签“报送单位”"),
        (lambda b, s: s.__setattr__("title", "表"), "缺少工作表“工作推进情况”"),
        (lambda b, s: s.merge_cells("F6:G6"), "合并单元格 F6:G6"),
        (lambda b, s: s.cell(5, 12).__setattr__("value", "备注"), "都像“备注”"),
    ],
)
def test_what_a_template_lacks_is_said_by_check_doctor_and_generate(ws, restyle, change, says):
    restyle(change)
    done = run("template", "check", "--workspace", ws.root)
    assert (done.returncode, done.stderr) == (1, "")
    assert says in done.stdout
    assert says in run("doctor", "--workspace", ws.root).stdout
    assert says in failed("generate", "2024Q2", "--workspace", ws.root, expect=1)
    with pytest.raises(TemplateError):
        made(ws)


def test_a_sound_template_passes_and_what_was_added_is_noted(ws, restyle):
    assert bioduty("template", "check", "--workspace", ws.root).count("√") == 2

    def change(book, sheet):
        sheet.cell(5, 12).value = "佐证材料"
        sheet["A4"].value = "请逐项填写"

    restyle(change)
    found = json.loads(bioduty("template", "check", "--json", "--workspace", ws.root))["templates"]
    assert [one["lacks"] for one in found] == [[], []]
    assert "{填报进度}" in found[0]["notes"][0]
    assert "佐证材料" in found[0]["notes"][1]


def test_a_damaged_template_is_a_sentence(ws):
    ws.template("quarterly_return.xlsx").write_bytes(b"PK damaged")
    done = run("template", "check", "--workspace", ws.root)
    assert done.returncode == 1
    assert "打不开" in done.stdout


def collected(ws, change=None, **named):
    fill(made(ws), ws.inbox / "a.xlsx", change=change, **named)
    (report,) = ws.collect(as_of="2024-06-20").files
    assert report.verdict == "accepted"
    return report


def test_a_line_to_sign_on_below_the_table_is_no_row_of_the_units(ws, restyle):
    def add(book, sheet):
        sheet["H8"], sheet["J8"] = "单位盖章：", "日期："

    restyle(add)

    def sign(book, sheet):
        sheet.cell(max(rows_by_item(sheet).values()) + 2, 10).value = "日期：2024年6月20日"

    assert collected(ws, sign).findings == ()


def test_an_empty_merged_box_below_the_table_moves_with_it(ws, restyle):
    restyle(lambda book, sheet: sheet.merge_cells("A8:K9"))
    sheet = load_workbook(made(ws))[RETURN_FORM.title]
    last = max(rows_by_item(sheet).values())
    assert f"A{last + 2}:K{last + 3}" in map(str, sheet.merged_cells.ranges)
    assert collected(ws).findings == ()


def test_an_example_in_the_style_row_is_nobodys_answer(ws, restyle):
    restyle(lambda book, sheet: sheet.__setitem__("G6", "例：4月开展巡护12次"))
    sheet = load_workbook(made(ws))[RETURN_FORM.title]
    assert not sheet.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["progress"]).value
    assert "样式行中写有内容" in bioduty("template", "check", "--workspace", ws.root)


def test_two_own_columns_with_one_heading_are_refused(ws, restyle):
    def add(book, sheet):
        sheet.cell(5, 12).value = sheet.cell(5, 13).value = "数量"

    restyle(add)
    with pytest.raises(TemplateError, match="“数量”有几列"):
        made(ws)


def test_columns_in_the_templates_own_order_and_sheets_of_its_own_are_no_findings(ws, restyle):
    def change(book, sheet):
        book.create_sheet("通知")["A1"] = "请按时报送"
        for row in (5, 6):
            one, other = sheet.cell(row, 8), sheet.cell(row, 9)
            one.value, other.value = other.value, one.value

    restyle(change)
    assert collected(ws).findings == ()


def test_a_correction_copy_keeps_what_stands_in_own_columns(ws, restyle):
    restyle(lambda book, sheet: sheet.cell(5, 12).__setattr__("value", "佐证材料"))

    def spoil(book, sheet):
        rows, columns = rows_by_item(sheet), columns_of(sheet)
        sheet.cell(rows["T03"], 12).value = "照片5张"
        sheet.cell(rows["T01"], columns["progress"]).value = "同上"

    collected(ws, spoil)
    ws.consolidate("2024Q2", as_of="2024-06-26")
    (copy_,) = (ws.outbox("2024Q2") / "corrections").iterdir()
    sheet = load_workbook(copy_)[RETURN_FORM.title]
    assert sheet.cell(rows_by_item(sheet)["T03"], 12).value == "照片5张"


def test_a_template_broken_later_does_not_keep_the_book_from_being_written(ws, restyle):
    collected(
        ws,
        lambda b, s: s.cell(rows_by_item(s)["T01"], columns_of(s)["progress"]).__setattr__(
            "value", "无"
        ),
    )
    ws.template("quarterly_return.xlsx").write_bytes(b"PK damaged")
    done = run("consolidate", "2024Q2", "--workspace", ws.root, "--as-of", "2024-06-26")
    assert done.returncode == 1
    assert "汇总表已写出" in done.stderr and "退回修改" in done.stderr
    assert ws.report_file("2024Q2").exists()


def test_building_anew_keeps_a_restyled_template_beside(ws, restyle):
    restyle(lambda book, sheet: sheet.__setitem__("A1", "改过的"))
    mine = ws.template("quarterly_return.xlsx").read_bytes()
    bioduty("template", "build", "--workspace", ws.root)
    folder = ws.template("quarterly_return.xlsx").parent
    assert (folder / "quarterly_return_备份1.xlsx").read_bytes() == mine
    assert ws.template("quarterly_return.xlsx").read_bytes() != mine
    bioduty("template", "build", "--workspace", ws.root)
    assert len(list(folder.iterdir())) == 3


def test_what_is_known_of_last_quarter_comes_from_the_ledger_and_tampering_is_said(ws):
    collected(ws)
    [path] = ws.generate("2024Q3", "市林业局", as_of="2024-09-02")

    def tamper(book, sheet):
        rows, columns = rows_by_item(sheet), columns_of(sheet)
        sheet.cell(rows["T01"], columns["previous"]).value = "继续学习文件。"
        sheet.cell(rows["T02"], columns["measures"]).value = "别的举措"
        sheet.cell(rows["T03"], columns["duty"]).value = "责任（选报）"

    fill(
        path,
        ws.inbox / "b.xlsx",
        change=tamper,
        answers={**FILLED, "progress": "本季度新开展巡护15次。"},
    )
    (report,) = ws.collect(as_of="2024-09-20").files
    found = [(f.code, f.item) for f in report.findings]
    assert found == [("LOCKED_ALTERED", item) for item in ("T01", "T02", "T03")]
    rows = records(ws.consolidate("2024Q3", as_of="2024-09-20"), "汇总明细")
    assert {row["上期下一步打算"] for row in rows} == {FILLED["next_steps"]}


def test_a_promise_that_could_not_be_read_is_not_carried_over(ws):
    def spoil(book, sheet):
        cell = sheet.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["next_steps"])
        cell.value = "=#REF!"

    collected(ws, spoil)
    [path] = ws.generate("2024Q3", "市林业局", as_of="2024-09-02")
    sheet = load_workbook(path)[RETURN_FORM.title]
    assert (
        sheet.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["previous"]).value
        == "（上期未填）"
    )


def test_a_rule_switched_off_later_is_off_for_what_came_before(ws):
    from bioduty_xl import Workspace

    collected(ws, signed={"filler": "赵某"})
    settings = ws.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("off = []", 'off = ["HEADER_BLANK"]'), encoding="utf-8")
    later = Workspace.open(ws.root)
    assert records(later.consolidate("2024Q2", as_of="2024-06-26"), "校验意见")[0]["规则"] is None
    (line,) = later.standing("2024Q2", as_of="2024-06-26").returned
    assert line.receipt.warnings == 0
