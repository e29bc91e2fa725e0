"""The forms: 38 of them, each with its unit's own items, locked where the plan fills."""

import re
import zipfile
from dataclasses import replace

import pytest
from books import FILLED, columns_of, field_cell, fill, heading_row, rows_by_item
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.domain.plan import Role
from bioduty_xl.errors import ConfigError, PlanError, TemplateError
from bioduty_xl.forms.template import build_templates
from bioduty_xl.layout import atomic
from bioduty_xl.layout.columns import Filler
from bioduty_xl.layout.sheets import CONTACTS_FORM, IDENTITY_SHEET, RETURN_FORM
from bioduty_xl.ledger import Ledger
from bioduty_xl.plan.book import write_plan
from bioduty_xl.terms import Terms

HEADINGS = [
    *("序号", "重点任务", "主要举措", "本单位职责", "上期下一步打算", "进展状态"),
    *("工作开展情况", "特色及成效", "存在的问题", "下一步工作打算", "备注"),
]


def sheet_of(path):
    return load_workbook(path)[RETURN_FORM.title]


def test_there_is_a_form_for_each_of_the_38_units(q2):
    names = {path.name for path in (q2.outbox("2024Q2") / "forms").iterdir()}
    assert names == {f"{unit.name}_2024Q2.xlsx" for unit in q2.plan.units}
    assert len(names) == 38


def test_every_form_has_its_units_own_items_roles_and_stars(q2, form):
    printed_duty = {Role.LEAD: "牵头", Role.RESPONSIBLE: "责任", Role.COUNTY: "属地"}
    for unit in q2.plan.units:
        sheet = sheet_of(form(unit.name))
        columns, rows = columns_of(sheet), rows_by_item(sheet)
        duties = {d.item: d for d in q2.plan.obligations() if d.unit == unit.code}
        assert list(rows) == list(duties)
        for key, row in rows.items():
            item, duty = q2.plan.by_key[key], duties[key]
            shown = {name: sheet.cell(row, column).value for name, column in columns.items()}
            assert (shown["no"], shown["task"]) == (item.no, item.title)
            suffix = "必报" if duty.required else "选报"
            assert shown["duty"] == f"{printed_duty[duty.role]}（{suffix}）"
            lines = shown["measures"].split("\n")
            assert [line.startswith("★") for line in lines] == [
                unit.code in measure.units for measure in item.measures
            ]
            assert [re.sub(r"^★?\d+\. ", "", line) for line in lines] == [
                measure.text for measure in item.measures
            ]


def test_the_headings_are_those_of_the_design_in_order(form):
    sheet = sheet_of(form("市林业局"))
    row = heading_row(sheet)
    assert [sheet.cell(row, n).value for n in range(1, 12)] == HEADINGS
    assert sheet.cell(row, 12).value.startswith("BD1.")
    assert sheet.column_dimensions["L"].hidden


def test_only_answers_are_unlocked_and_the_sheet_has_no_password(form):
    sheet = sheet_of(form("市林业局"))
    columns = columns_of(sheet)
    asked = {column.key for column in RETURN_FORM.filled_by(Filler.UNIT)}
    assert sheet.protection.sheet
    assert sheet.protection.password is None
    assert not sheet.protection.autoFilter
    for row in rows_by_item(sheet).values():
        unlocked = {key for key, n in columns.items() if not sheet.cell(row, n).protection.locked}
        assert unlocked == asked
    for key in ("filler", "phone", "approver"):
        assert not field_cell(sheet, key).protection.locked
    for key in ("unit", "period", "due", "code"):
        assert field_cell(sheet, key).protection.locked


def test_the_state_is_chosen_from_a_list_that_excel_accepts(form):
    sheet = sheet_of(form("市林业局"))
    (choices,) = (v for v in sheet.data_validations.dataValidation if v.type == "list")
    assert choices.formula1 == '"未启动,推进中,已完成,长期坚持,本季度无进展,不涉及"'
    for validation in sheet.data_validations.dataValidation:
        assert len(validation.promptTitle or "") <= 32
        assert len(validation.prompt or "") <= 255
        assert len(validation.formula1) <= 255


def test_the_header_names_unit_period_and_due_date(form):
    sheet = sheet_of(form("市林业局"))
    assert field_cell(sheet, "unit").value == "市林业局"
    assert field_cell(sheet, "period").value == "2024年第二季度"
    assert field_cell(sheet, "due").value == "2024-06-25"


def test_the_count_is_written_as_a_value_beside_its_formula(form):
    sheet = load_workbook(form("市林业局"), data_only=True)[RETURN_FORM.title]
    shown = next(
        c.value for row in sheet.iter_rows(max_row=5) for c in row if "必报" in str(c.value)
    )
    assert shown == "必报 20 项，已填 0 项，还有 20 项未填"


def test_a_unit_with_optional_items_only_is_told_so(form):
    sheet = load_workbook(form("市司法局"), data_only=True)[RETURN_FORM.title]
    optional = load_workbook(form("市委办公室"), data_only=True)[RETURN_FORM.title]
    assert "必报" in str(sheet["A4"].value)
    assert optional["A4"].value == "本单位没有必报项，选报 1 项"


def test_the_instructions_speak_to_the_unit(form):
    guide = load_workbook(form("市林业局"))["填报说明"]
    text = "\n".join(str(cell.value) for (cell,) in guide.iter_rows(max_col=1))
    assert "市林业局：" in text
    assert "2024年6月25日前" in text
    assert "{" not in text


def test_the_marks_ride_on_workbook_and_sheet(form):
    book = load_workbook(form("市林业局"))
    token = book[RETURN_FORM.title]["L5"].value
    assert book[IDENTITY_SHEET].sheet_state == "veryHidden"
    assert book[IDENTITY_SHEET]["A1"].value == token
    assert [p.value for p in book.custom_doc_props.props] == [token]
    assert book.defined_names["_bioduty_form"].attr_text == f'"{token}"'
    assert book[RETURN_FORM.title].defined_names["_bioduty_sheet"].attr_text == f'"{token}"'


def test_generating_again_gives_the_same_bytes(q2, form):
    before = {path: path.read_bytes() for path in (q2.outbox("2024Q2") / "forms").iterdir()}
    q2.generate("2024Q2")
    assert {path: path.read_bytes() for path in before} == before


def test_a_form_handed_out_before_generating_again_is_still_accepted(q2, form, tmp_path):
    filled = fill(form("市林业局"), tmp_path / "a.xlsx")
    q2.generate("2024Q2")
    assert q2.inspect(filled).verdict == "accepted"


def test_the_first_period_brings_contact_forms_and_a_longer_reach(ws):
    paths = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    assert [path.parent.name for path in paths] == ["forms", "contacts"]
    guide = load_workbook(paths[0])["填报说明"]
    text = "\n".join(str(cell.value) for (cell,) in guide.iter_rows(max_col=1))
    assert "2023年3月3日至2024年4月25日" in text
    contacts = load_workbook(paths[1])[CONTACTS_FORM.title]
    row = heading_row(contacts, CONTACTS_FORM)
    assert [contacts.cell(row, n).value for n in range(1, 8)] == [
        *("单位名称", "分管领导", "联系电话", "主办单位（科室）", "联系人", "联系电话", "备注")
    ]


def test_next_quarters_form_shows_what_was_promised_or_that_nothing_came(q2, form):
    promised = {f"T{n:02d}": {**FILLED, "next_steps": f"=第{n}项下步打算"} for n in range(1, 20)}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=promised)
    q2.collect(as_of="2024-06-20")
    q2.generate("2024Q3", as_of="2024-09-02")
    sheet = sheet_of(form("市林业局", "2024Q3"))
    rows, columns = rows_by_item(sheet), columns_of(sheet)
    shown = {item: sheet.cell(row, columns["previous"]).value for item, row in rows.items()}
    assert shown["T01"] == "=第1项下步打算"
    assert sheet.cell(rows["T01"], columns["previous"]).data_type == "s"
    assert shown["T20"] == "（上期未填）"
    other = sheet_of(form("市水利局", "2024Q3"))
    values = {other.cell(row, columns["previous"]).value for row in rows_by_item(other).values()}
    assert values == {"未报送"}


def test_the_ledger_is_not_asked_anew_for_each_unit(q2, form, monkeypatch):
    for name in ("市林业局", "市水利局", "市财政局"):
        fill(form(name), q2.inbox / f"{name}.xlsx")
    q2.collect(as_of="2024-06-20")
    asked, query = [], Ledger._query

    def counted(self, *statement):
        asked.append(statement)
        return query(self, *statement)

    monkeypatch.setattr(Ledger, "_query", counted)
    assert len(q2.generate("2024Q3", as_of="2024-09-02")) == 38
    for_all = len(asked)
    asked.clear()
    q2.generate("2024Q3", "市林业局", as_of="2024-09-02")
    assert for_all == len(asked)


def test_forms_are_on_disk_before_the_ledger_says_so_or_not_at_all(ws, monkeypatch):
    sync, done = atomic.os.fsync, []

    def full(handle):
        done.append(handle)
        if len(done) == 20:
            raise OSError(28, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            ws.generate("2024Q2", as_of="2024-06-03")
    assert ws.open_periods("2024-06-04") == []
    assert not [path for path in ws.outbox("2024Q2").rglob("*") if path.is_file()]
    assert len(ws.generate("2024Q2", as_of="2024-06-03")) == 38
    assert [str(one) for one in ws.open_periods("2024-06-04")] == ["2024Q2"]


def test_a_plan_with_an_item_of_nobodys_is_not_handed_out(ws):
    item = replace(ws.plan.items[0], lead=(), responsible=())
    write_plan(replace(ws.plan, items=(item, *ws.plan.items[1:])), ws.root / "plan.xlsx")
    with pytest.raises(PlanError, match="T01"):
        Workspace.open(ws.root).generate("2024Q2")


def test_an_unknown_unit_is_refused_with_the_likely_ones(ws):
    with pytest.raises(ConfigError, match="市林业局"):
        ws.generate("2024Q2", "市林业厅")


@pytest.mark.parametrize("name", ["U02", "市林草局", "攀枝花市林业局"])
def test_a_unit_is_found_by_code_and_alias(ws, name):
    (path,) = ws.generate("2024Q2", name)
    assert path.name == "市林业局_2024Q2.xlsx"


def test_the_shipped_templates_are_the_ones_the_declaration_builds(ws, tmp_path):
    for path in build_templates(tmp_path):
        assert path.read_bytes() == ws.template(path.name).read_bytes()


def test_a_template_that_lacks_a_column_is_refused_by_name(ws):
    path = ws.template("quarterly_return.xlsx")
    book = load_workbook(path)
    sheet = book[RETURN_FORM.title]
    sheet.delete_cols(columns_of(sheet)["problems"])
    book.save(path)
    with pytest.raises(TemplateError, match="存在的问题"):
        ws.generate("2024Q2", "市林业局")


def test_a_restyled_template_is_respected(ws):
    path = ws.template("quarterly_return.xlsx")
    book = load_workbook(path)
    sheet = book[RETURN_FORM.title]
    sheet.column_dimensions["G"].width = 40
    sheet["A1"] = "攀枝花市报送表 {报送期}"
    book.save(path)
    (made,) = ws.generate("2024Q2", "市林业局")
    sheet = sheet_of(made)
    assert sheet.column_dimensions["G"].width == 40
    assert sheet["A1"].value == "攀枝花市报送表 2024年第二季度"


def test_total_width_stays_readable():
    assert sum(column.width for column in RETURN_FORM.columns) <= 131


def test_no_form_contains_a_macro_or_a_link(form):
    with zipfile.ZipFile(form("市林业局")) as package:
        names = package.namelist()
    assert not [name for name in names if "vba" in name.lower() or "externalLink" in name]


def test_a_unit_name_that_windows_refuses_makes_a_safe_file_name(q2):
    units = (replace(q2.plan.units[0], name="市/发展:改革*委"), *q2.plan.units[1:])
    plan = replace(q2.plan, units=units)
    workspace = Workspace(q2.root, q2.settings)
    workspace.__dict__["terms"] = Terms(q2.settings, plan)
    (path,) = workspace.generate("2024Q2", "U01")
    assert path.name == "市_发展_改革_委_2024Q2.xlsx"


def contact_forms(paths):
    return [path.name.partition("_")[0] for path in paths if path.parent.name == "contacts"]


def test_contact_forms_go_out_again_to_units_that_named_nobody_and_to_whom_they_are_asked_of(ws):
    from books import fill_contacts

    first = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    ws.generate("2024Q1", "市水利局", as_of="2024-04-19")
    fill_contacts(first[1], ws.inbox / "a.xlsx", [{"name": "钱某", "phone": "0812-0000002"}])
    ws.collect(as_of="2024-04-22")
    assert contact_forms(ws.generate("2024Q2", as_of="2024-06-03")) == ["市水利局"]
    asked = ws.generate("2024Q2", "市林业局", contacts=True, as_of="2024-06-03")
    assert contact_forms(asked) == ["市林业局"]
    known = load_workbook(asked[1])[CONTACTS_FORM.title]
    assert "钱某" in [cell.value for row in known.iter_rows() for cell in row]


def test_the_list_of_contacts_is_no_form(ws):
    from books import copy, fill_contacts, records

    first = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    fill_contacts(first[1], ws.inbox / "a.xlsx", [{"name": "钱某", "phone": "0812-0000002"}])
    ws.collect(as_of="2024-04-22")
    ws.consolidate("2024Q1", as_of="2024-04-26")
    sheet = load_workbook(ws.contact_list_file)[CONTACTS_FORM.title]
    row = heading_row(sheet, CONTACTS_FORM)
    assert [sheet.cell(row, n).value for n in range(1, 8)] == [
        c.heading for c in CONTACTS_FORM.columns
    ]
    units = [sheet.cell(n, 1).value for n in range(row + 1, sheet.max_row + 1)]
    assert units == [unit.name for unit in ws.plan.units]
    copy(ws.contact_list_file, ws.inbox / "名单.xlsx")
    (report,) = ws.collect(as_of="2024-04-23").files
    assert report.verdict == "held"
    rows = records(ws.consolidate("2024Q1", as_of="2024-04-26"), "联系人名单")
    assert [r["联系人"] for r in rows if r["单位代码"] == "U02"] == ["钱某"]
