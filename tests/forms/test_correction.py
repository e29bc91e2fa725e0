"""The correction copy goes round: errors marked, mended by the unit, taken as the next revision."""

import pytest
from books import FILLED, columns_of, copy, field_cell, fill, key_column, rows_by_item
from openpyxl import load_workbook

from bioduty_xl.layout.sheets import CORRECTIONS, RETURN_FORM

AS_OF = "2024-06-26"
BAD = {
    **{f"T{n:02d}": FILLED for n in range(3, 24)},
    "T01": {**FILLED, "progress": "同上"},
    "T02": {**FILLED, "progress": "", "remark": "=1+1"},
}


@pytest.fixture
def corrected(q2, form):
    """The correction copy of a return with two errors and a warning."""
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=BAD, signed={"filler": "赵某"})
    q2.collect(as_of="2024-06-20")
    q2.consolidate("2024Q2", as_of=AS_OF)
    return q2.outbox("2024Q2") / "corrections" / "市林业局_2024Q2_退回修改.xlsx"


def test_it_holds_the_units_own_answers_in_a_fresh_form(corrected, form):
    sheet, blank = (
        load_workbook(path)[RETURN_FORM.title] for path in (corrected, form("市林业局"))
    )
    rows, columns = rows_by_item(sheet), columns_of(sheet)
    assert (rows, columns) == (rows_by_item(blank), columns_of(blank))
    for item, row in rows.items():
        for key, text in BAD[item].items():
            assert (sheet.cell(row, columns[key]).value or "") == text
            assert not sheet.cell(row, columns[key]).protection.locked
    assert field_cell(sheet, "filler").value == "赵某"
    assert sheet.protection.sheet
    assert sheet["A4"].value.startswith("=")


def test_cells_in_question_are_tinted_and_annotated_and_no_others(corrected):
    sheet = load_workbook(corrected)[RETURN_FORM.title]
    rows, columns = rows_by_item(sheet), columns_of(sheet)
    noted = {cell.coordinate: cell for row in sheet.iter_rows() for cell in row if cell.comment}
    bad = [sheet.cell(rows[item], columns["progress"]).coordinate for item in ("T01", "T02")]
    signed = [field_cell(sheet, key).coordinate for key in ("phone", "approver")]
    assert set(noted) == {*bad, *signed}
    assert "不能作为工作开展情况" in noted[bad[0]].comment.text
    assert {noted[at].fill.fgColor.rgb[-6:] for at in bad} == {"F8CBC6"}
    assert {noted[at].fill.fgColor.rgb[-6:] for at in signed} == {"FFE3B3"}


def test_the_first_sheet_lists_every_finding_with_a_link_to_its_cell(corrected):
    book = load_workbook(corrected)
    assert book.sheetnames[0] == CORRECTIONS.title == book.active.title
    sheet = book[CORRECTIONS.title]
    assert "市林业局2024年第二季度报送表修改清单" in sheet["A1"].value
    assert sheet["A2"].value.startswith("须修改 2 处，请核对 2 处")
    rows = [row for row in sheet.iter_rows(min_row=4) if row[0].value]
    assert [(row[0].value, row[1].value) for row in rows] == [
        (1, "须修改"),
        (2, "须修改"),
        (3, "请核对"),
        (4, "请核对"),
    ]
    noted = {
        cell.coordinate
        for row in book[RETURN_FORM.title].iter_rows()
        for cell in row
        if cell.comment
    }
    assert {row[3].hyperlink.location for row in rows} == {
        f"'{RETURN_FORM.title}'!{at}" for at in noted
    }
    assert sheet.protection.sheet


def test_filled_and_sent_back_it_is_the_next_revision_and_the_copy_goes(q2, corrected):
    book = load_workbook(corrected)
    sheet = book[RETURN_FORM.title]
    for item in ("T01", "T02"):
        sheet.cell(rows_by_item(sheet)[item], columns_of(sheet)["progress"]).value = "巡护15次"
    for key, text in (("phone", "0812-0000001"), ("approver", "钱某")):
        field_cell(sheet, key).value = text
    book.save(q2.inbox / "改好.xlsx")
    (report,) = q2.collect(as_of="2024-06-21").files
    assert (report.verdict, report.revision, report.findings) == ("accepted", 2, ())
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    assert entries.loc["T01", "progress"] == "巡护15次"
    assert entries.loc["T03", "progress"] == FILLED["progress"]
    q2.consolidate("2024Q2", as_of=AS_OF)
    assert not corrected.exists()


def test_sent_back_as_it_is_it_is_a_duplicate(q2, corrected):
    copy(corrected, q2.inbox / "b.xlsx")
    (report,) = q2.collect(as_of="2024-06-21").files
    assert (report.verdict, report.revision) == ("duplicate", 1)


def test_the_same_inputs_give_the_same_bytes(q2, corrected):
    before = corrected.read_bytes()
    q2.consolidate("2024Q2", as_of=AS_OF)
    assert corrected.read_bytes() == before


def test_a_cell_that_could_not_be_read_is_blank_and_marked(q2, form):
    def break_cell(book, sheet):
        cell = sheet.cell(rows_by_item(sheet)["T05"], columns_of(sheet)["progress"])
        cell.value, cell.data_type = "#REF!", "e"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=break_cell)
    q2.collect(as_of="2024-06-20")
    q2.consolidate("2024Q2", as_of=AS_OF)
    path = q2.outbox("2024Q2") / "corrections" / "市林业局_2024Q2_退回修改.xlsx"
    sheet = load_workbook(path)[RETURN_FORM.title]
    cell = sheet.cell(rows_by_item(sheet)["T05"], columns_of(sheet)["progress"])
    assert not cell.value
    assert "#REF!" in cell.comment.text


def test_a_return_without_errors_gets_none(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20")
    q2.consolidate("2024Q2", as_of=AS_OF)
    assert not (q2.outbox("2024Q2") / "corrections").exists()


def test_the_marks_are_those_of_the_form(corrected, form):
    tokens = [
        sheet.cell(5, key_column(sheet)).value
        for sheet in (
            load_workbook(path)[RETURN_FORM.title] for path in (corrected, form("市林业局"))
        )
    ]
    assert tokens[0] == tokens[1]
