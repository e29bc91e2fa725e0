"""Whose file is this: every way in which marks survive, go missing, or disagree."""

from books import FILLED, columns_of, copy, field_cell, fill, heading_row, key_column, rows_by_item
from openpyxl import Workbook, load_workbook

from bioduty_xl.layout.sheets import IDENTITY_SHEET, RETURN_FORM, WORKBOOK_NAME

AS_OF = "2024-06-20"


def collect_one(ws):
    (report,) = ws.collect(as_of=AS_OF).files
    return report


def codes(report):
    return {finding.code for finding in report.findings}


def test_a_form_filled_and_renamed_is_its_units(q2, form):
    fill(form("市林业局"), q2.inbox / "随便什么 (1) 最终版.xlsx")
    report = collect_one(q2)
    assert (report.verdict, report.unit, str(report.period)) == ("accepted", "U02", "2024Q2")
    assert report.findings == ()


def test_workbook_marks_gone_is_accepted_with_a_note(q2, form):
    def strip(book, sheet):
        del book[IDENTITY_SHEET]
        del book.defined_names[WORKBOOK_NAME]
        book.custom_doc_props.props.clear()

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=strip)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    assert codes(report) == {"WORKBOOK_MARKS_GONE"}


def test_values_pasted_into_a_new_workbook_keep_the_identity_of_the_key_column(q2, form, tmp_path):
    filled = fill(form("市林业局"), tmp_path / "a.xlsx")
    source = load_workbook(filled)[RETURN_FORM.title]
    book = Workbook()
    for row in source.iter_rows(values_only=True):
        book.active.append(row)
    book.save(q2.inbox / "新建工作簿.xlsx")
    report = collect_one(q2)
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert codes(report) == {"WORKBOOK_MARKS_GONE", "SHEET_RENAMED"}


def test_one_units_sheet_in_another_units_workbook_is_held(q2, form, tmp_path):
    other = load_workbook(fill(form("市水利局"), tmp_path / "b.xlsx"))[RETURN_FORM.title]

    def swap(book, sheet):
        sheet.delete_rows(1, sheet.max_row)
        for row in other.iter_rows():
            for cell in row:
                if cell.value is not None:
                    sheet.cell(cell.row, cell.column).value = cell.value

    fill(form("市林业局"), q2.inbox / "市林业局.xlsx", change=swap)
    report = collect_one(q2)
    assert report.verdict == "held"
    assert report.unit is None
    assert "不一致" in report.reason


def test_rows_pasted_from_another_units_form_are_held(q2, form):
    foreign = load_workbook(form("市农业农村局"))[RETURN_FORM.title]

    def paste(book, sheet):
        row = heading_row(sheet) + 1
        for cell in foreign[row]:
            sheet.cell(row, cell.column).value = cell.value

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=paste)
    report = collect_one(q2)
    assert report.verdict == "held"
    assert "不属于这张表" in report.reason


def test_a_tampered_token_is_held(q2, form):
    def tamper(book, sheet):
        cell = sheet.cell(heading_row(sheet), key_column(sheet))
        cell.value = cell.value.replace(".U02.", ".U03.")

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=tamper)
    assert collect_one(q2).verdict == "held"


def test_another_unit_typed_on_the_sheet_is_held(q2, form):
    def retype(book, sheet):
        field_cell(sheet, "unit").value = "市水利局"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=retype)
    report = collect_one(q2)
    assert report.verdict == "held"
    assert "市水利局" in report.reason
    assert "市林业局" in report.reason


def test_the_units_own_alias_typed_on_the_sheet_is_fine(q2, form):
    def retype(book, sheet):
        field_cell(sheet, "unit").value = "攀枝花市林业局"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=retype)
    assert collect_one(q2).verdict == "accepted"


def test_last_quarters_form_with_the_period_typed_over_is_held(q2, form):
    def retype(book, sheet):
        field_cell(sheet, "period").value = "2024年第三季度"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=retype)
    report = collect_one(q2)
    assert report.verdict == "held"
    assert "第三季度" in report.reason


def test_only_the_visible_code_left_is_held_for_the_coordinator(q2, form):
    def cut(book, sheet):
        sheet.delete_cols(key_column(sheet))
        del book[IDENTITY_SHEET]
        del book.defined_names[WORKBOOK_NAME]
        book.custom_doc_props.props.clear()

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=cut)
    report = collect_one(q2)
    assert report.verdict == "held"
    code = field_cell(load_workbook(form("市林业局"))[RETURN_FORM.title], "code").value
    assert code in report.reason


def test_a_form_of_another_workspace_is_held(q2, tmp_path):
    from bioduty_xl import Workspace

    other = Workspace.create(tmp_path / "另一个")
    (path,) = other.generate("2024Q2", "市林业局")
    copy(path, q2.inbox / "a.xlsx")
    assert collect_one(q2).verdict == "held"


def test_sorted_rows_and_moved_columns_are_read_by_key_and_heading(q2, form):
    def shuffle(book, sheet):
        first, width = heading_row(sheet), key_column(sheet)
        rows = [
            [sheet.cell(row, column).value for column in range(1, width + 1)]
            for row in range(first, max(rows_by_item(sheet).values()) + 1)
        ]
        rows[1:] = reversed(rows[1:])
        order = [*range(3, width), 0, 1, 2]
        for number, row in enumerate(rows, start=first):
            for column, source in enumerate(order, start=1):
                sheet.cell(number, column).value = row[source]

    texts = {f"T{n:02d}": {**FILLED, "progress": f"第{n}项开展巡查{n}次"} for n in range(1, 24)}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=texts, change=shuffle)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    assert codes(report) == {"COLUMNS_MOVED", "ROWS_MOVED"}
    entries = q2.entries("2024Q2").query("code == 'U02'")
    for row in entries.to_dict("records"):
        assert row["progress"] == f"第{row['no']}项开展巡查{row['no']}次"


def test_a_respelt_heading_and_a_renamed_sheet_are_recognised(q2, form):
    def respell(book, sheet):
        sheet.cell(heading_row(sheet), columns_of(sheet)["progress"]).value = "工作开展情况说明"
        sheet.title = "林业局填报"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=respell)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    assert codes(report) == {"HEADING_RESPELT", "SHEET_RENAMED"}
    assert q2.entries("2024Q2").query("code == 'U02'")["progress"].tolist()[0] == FILLED["progress"]


def test_an_inserted_row_is_reported_and_the_others_are_read(q2, form):
    def insert(book, sheet):
        row = heading_row(sheet) + 2
        sheet.insert_rows(row)
        sheet.cell(row, columns_of(sheet)["progress"]).value = "补充一段"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=insert)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("ROW_WITHOUT_MARK", "ERROR")
    assert len(q2.entries("2024Q2").query("code == 'U02' and state == '已填'")) == 23


def test_a_deleted_row_is_missing_and_said_so(q2, form):
    def delete(book, sheet):
        sheet.delete_rows(rows_by_item(sheet)["T02"])

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=delete)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    assert [(f.code, f.item) for f in report.findings] == [("ROW_MISSING", "T02")]
    unit = next(u for u in q2.standing("2024Q2", as_of=AS_OF).units if u.unit.code == "U02")
    assert [cell.obligation.item for cell in unit.missing] == ["T02"]


def test_a_copied_row_that_adds_text_loses_neither(q2, form):
    def repeat(book, sheet):
        source, target = rows_by_item(sheet)["T01"], sheet.max_row + 1
        for column in range(1, key_column(sheet) + 1):
            sheet.cell(target, column).value = sheet.cell(source, column).value
        sheet.cell(target, columns_of(sheet)["progress"]).value = "另有补充"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=repeat)
    report = collect_one(q2)
    assert "ROW_REPEATED" in codes(report)
    first = q2.entries("2024Q2").query("code == 'U02' and item == 'T01'")["progress"].item()
    assert first == f"{FILLED['progress']}\n另有补充"


def test_a_workbook_that_is_no_form_is_held(q2):
    book = Workbook()
    book.active["A1"] = "季度用车台账"
    book.save(q2.inbox / "市林业局_2024Q2.xlsx")
    report = collect_one(q2)
    assert (report.verdict, report.unit) == ("held", None)


def test_extra_sheets_come_along_and_are_named(q2, form):
    def add(book, sheet):
        book.create_sheet("附表")["A1"] = "巡护点位"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=add)
    report = collect_one(q2)
    assert report.verdict == "accepted"
    assert codes(report) == {"EXTRA_SHEET"}
