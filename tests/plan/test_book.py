from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from bioduty_xl.domain.plan import Role, UnitKind
from bioduty_xl.errors import PlanError
from bioduty_xl.layout.sheets import PLAN_BOOK
from bioduty_xl.plan.book import read_plan, write_plan
from bioduty_xl.plan.document import import_plan

LETTER = Path(__file__).parents[1] / "data" / "letter_2024_3.txt"
TEMPLATE = Path(__file__).parents[2] / "templates" / "responsibility_plan.xlsx"


@pytest.fixture(scope="module")
def plan():
    return import_plan(LETTER).plan


@pytest.fixture(scope="module")
def book_bytes(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "plan.xlsx"
    write_plan(plan, path)
    return path.read_bytes()


@pytest.fixture
def path(book_bytes, tmp_path):
    """A plan workbook, to be edited."""
    path = tmp_path / "plan.xlsx"
    path.write_bytes(book_bytes)
    return path


@pytest.fixture
def edit(path):
    """Changes the workbook as a person would, and reads it again."""

    def run(change):
        book = openpyxl.load_workbook(path)
        change(book)
        book.save(path)
        return read_plan(path)

    return run


@pytest.fixture
def errors_of(edit):
    """What reading the workbook ends in after a change, as text."""

    def run(change):
        with pytest.raises(PlanError) as caught:
            edit(change)
        return str(caught.value)

    return run


def setting(sheet, cell, value):
    """A change: this value in that cell."""

    def change(book):
        book[sheet][cell] = value

    return change


def row_of(sheet, *texts):
    """Number of the row that begins with these texts."""
    rows = sheet.iter_rows(values_only=True)
    return next(n for n, row in enumerate(rows, start=1) if row[: len(texts)] == texts)


# There and back


def test_what_is_written_is_read_again(plan, path):
    assert read_plan(path) == plan


def test_the_same_plan_gives_the_same_bytes(plan, path, tmp_path):
    write_plan(plan, tmp_path / "again.xlsx")
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()


def test_the_workbook_as_excel_would_save_it_gives_the_same_plan(plan, edit):
    assert edit(lambda book: None) == plan


def test_the_packaged_workbook_is_the_letters_plan(plan):
    assert read_plan(TEMPLATE) == plan


def test_the_workbook_has_the_declared_sheets_and_headings(path):
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["单位", "任务", "举措", "分工"]
    for declared in PLAN_BOOK:
        headings = [cell.value for cell in book[declared.title][1]]
        assert headings == [column.heading for column in declared.columns]
    rows = {sheet.title: sheet.max_row - 1 for sheet in book}
    assert rows == {"单位": 38, "任务": 23, "举措": 56, "分工": 36 + 138 + 5 * 23}


def test_texts_that_look_like_formulas_stay_texts(plan, path):
    item = replace(plan.items[0], title="=1+1", description="@SUM(A1)\n+2\n 末行。")
    odd = replace(plan, items=(item, *plan.items[1:]))
    write_plan(odd, path)
    assert read_plan(path) == odd
    assert openpyxl.load_workbook(path)["任务"]["E2"].data_type == "s"


# What a coordinator does to it


def test_a_unit_can_be_renamed_and_keeps_its_items(plan, edit):
    def rename(book):
        book["单位"]["B3"] = "市林业和草原局"
        book["单位"]["D3"] = "市林业局"

    changed = edit(rename)
    unit = changed.by_code["U02"]
    assert (unit.name, unit.aliases) == ("市林业和草原局", ("市林业局",))
    assert [item.assignments for item in changed.items] == [item.assignments for item in plan.items]
    assert changed.problems() == ()


def test_aliases_are_told_apart_by_any_comma(edit):
    changed = edit(setting("单位", "D3", " 林业局，市林草局, 林草局、 "))
    assert changed.by_code["U02"].aliases == ("林业局", "市林草局", "林草局")


def test_a_unit_and_its_assignment_can_be_added(plan, edit):
    def add(book):
        book["单位"].append(["U34", "市大数据局", "部门"])
        book["分工"].append([" 市大数据局 ", "T08", "责任"])

    changed = edit(add)
    assert changed.by_key["T08"].responsible == (*plan.by_key["T08"].responsible, "U34")
    assert changed.by_code["U34"].kind is UnitKind.DEPARTMENT
    assert changed.problems() == ()


@pytest.mark.parametrize(
    "written", ["U02", "u02", "市林草局", "攀枝花市林业局", "市 林业局", "Ｕ０２"]
)
def test_an_assignment_may_name_a_unit_in_any_of_its_spellings(plan, edit, written):
    def respell(book):
        sheet = book["分工"]
        sheet.cell(row_of(sheet, "市林业局", "T01", "牵头"), 1, written)

    assert edit(respell) == plan


def test_an_assignment_can_be_taken_away(plan, edit):
    def take(book):
        book["分工"].delete_rows(row_of(book["分工"], "市林业局", "T01", "牵头"))

    assert edit(take).by_key["T01"].lead == ("U01", "U03")


def test_a_changed_role_changes_the_obligation(plan, edit):
    def change(book):
        sheet = book["分工"]
        sheet.cell(row_of(sheet, "市司法局", "T01"), 3, "牵头")

    item = edit(change).by_key["T01"]
    assert ("U04", Role.LEAD) in item.assignments
    assert ("U04", Role.RESPONSIBLE) not in item.assignments


def test_the_units_that_a_measure_names_follow_its_text(edit):
    changed = edit(setting("举措", "C2", "由市审计局和市林草局落实。"))
    assert changed.by_key["T01"].measures[0].units == ("U02", "U22")


def test_a_measure_can_be_added(edit):
    changed = edit(lambda book: book["举措"].append(["T05-M2", "T05", "新增的举措。"]))
    assert [measure.key for measure in changed.by_key["T05"].measures] == ["T05-M1", "T05-M2"]


def test_moved_columns_blank_rows_and_further_columns_do_not_matter(plan, edit):
    def shuffle(book):
        book["任务"].move_range("E1:E24", cols=3)
        book["任务"].insert_cols(1)
        book["单位"].insert_rows(5)
        book["分工"].insert_rows(1, amount=2)
        book["举措"]["D1"] = "经办人"
        book["举措"]["D2"] = "赵某"
        book.move_sheet("分工", offset=-3)
        book.create_sheet("备忘")["A1"] = "别忘了"

    assert edit(shuffle) == plan


def test_numbers_may_be_typed_as_text(plan, edit):
    assert edit(setting("任务", "B2", " 1 ")) == plan


def test_a_workbook_without_a_title_has_a_plain_one(plan, edit):
    def untitle(book):
        book.properties.title = None

    assert edit(untitle) == replace(plan, title="责任分工方案")


# Errors, each with its place


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "why"),
    [
        ("单位", "A3", None, "“单位”第 3 行：“单位代码”是空的"),
        ("单位", "B3", "  ", "“单位”第 3 行：“单位名称”是空的"),
        ("单位", "C3", "科室", "“单位”第 3 行：单位类别“科室”应为部门或县（区）"),
        ("任务", "A3", None, "“任务”第 3 行：“任务编号”是空的"),
        ("任务", "B3", "一", "“任务”第 3 行：“一”应为整数"),
        ("任务", "B3", "²", "“任务”第 3 行：“²”应为整数"),
        ("任务", "D3", 1.5, "“任务”第 3 行：“1.5”应为整数"),
        ("任务", "C3", "乙", "“任务”第 3 行：部分名称“乙”与前面的“甲”不一致"),
        ("任务", "F3", None, "“任务”第 3 行：“任务内容”是空的"),
        ("任务", "A3", "T99", "“分工”中的任务编号“T02”不在任务表中"),
        ("举措", "B2", "T99", "“举措”中的任务编号“T99”不在任务表中"),
        ("举措", "C2", None, "“举措”第 2 行：“主要举措”是空的"),
        ("分工", "A2", "市某某局", "“分工”第 2 行：“市某某局”不在单位表中"),
        ("分工", "B2", "T99", "“分工”中的任务编号“T99”不在任务表中"),
        ("分工", "C2", "协助", "“分工”第 2 行：职责“协助”应为牵头、责任、属地之一"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_an_error_that_names_it(errors_of, sheet, cell, value, why):
    errors = errors_of(setting(sheet, cell, value)).replace("完善生物多样性保护政策法规", "甲")
    assert errors.startswith("责任分工方案工作簿 plan.xlsx 有误\n")
    assert why in errors.split("\n  ")


def test_all_errors_are_told_at_once(errors_of):
    def spoil(book):
        book["单位"]["C2"] = "科室"
        book["任务"]["B2"] = "甲"
        book["分工"]["C2"] = "协助"

    assert errors_of(spoil).split("\n  ")[1:] == [
        "“单位”第 2 行：单位类别“科室”应为部门或县（区）",
        "“分工”第 2 行：职责“协助”应为牵头、责任、属地之一",
        "“任务”第 2 行：“甲”应为整数",
    ]


def test_a_missing_sheet_is_an_error(errors_of):
    assert "缺少工作表“举措”" in errors_of(lambda book: book.remove(book["举措"]))


def test_a_missing_column_is_an_error(errors_of):
    assert "工作表“任务”缺少列：任务名称" in errors_of(setting("任务", "E1", "甲乙丙丁"))


def test_a_sheet_without_headings_is_an_error(errors_of):
    errors = errors_of(lambda book: book["分工"].delete_rows(1))
    assert "工作表“分工”缺少列：单位、任务编号、职责" in errors


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", "单位,任务".encode()])
def test_a_file_that_is_no_workbook_is_an_error(path, content):
    path.write_bytes(content)
    with pytest.raises(PlanError, match=r"plan\.xlsx 不是能打开的 Excel 工作簿"):
        read_plan(path)


def test_a_workbook_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(PlanError, match="没有责任分工方案工作簿"):
        read_plan(tmp_path / "plan.xlsx")


# What can be read but is not sound


def test_a_repeated_assignment_is_a_problem(edit):
    changed = edit(lambda book: book["分工"].append(["市林草局", "T01", "牵头"]))
    assert changed.problems() == ("T01 分工：单位“市林业局”出现了 2 次",)


def test_an_alias_that_is_anothers_name_is_a_problem(edit):
    (problem,) = edit(setting("单位", "D3", "市审计局")).problems()
    assert problem.startswith("“市审计局”同时是“市林业局”和“市审计局”的名称或简称")
