"""The consolidated workbook: what every sheet says, that it is one table, that bytes repeat."""

import zipfile

import pytest
from books import FILLED, fill, records
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.layout.sheets import REPORT

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "http://example.com", '=HYPERLINK("http://x")']


@pytest.fixture
def some(q2, form):
    """市林业局 answered in full, 市水利局 with placeholders, 市气象局 with text like formulas."""
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    fill(form("市水利局"), q2.inbox / "b.xlsx", answers={**FILLED, "progress": "同上"})
    fill(
        form("东区人民政府"),
        q2.inbox / "c.xlsx",
        answers={
            f"T{n:02d}": {**FILLED, "progress": text} for n, text in enumerate(FORMULAS, start=1)
        },
    )
    (q2.inbox / "总结.pdf").write_bytes(b"%PDF")
    q2.collect(as_of="2024-06-20")
    return q2


def test_the_sheets_are_those_of_the_design_in_order(some):
    book = load_workbook(some.consolidate("2024Q2", as_of="2024-06-26"))
    assert book.sheetnames == [
        *("总览", "报送台账", "逾期清单", "缺项清单", "任务矩阵", "汇总明细"),
        *("问题清单", "联系人名单", "校验意见", "收件台账", "口径说明"),
    ]


def test_every_data_sheet_is_one_real_table_from_a1(some):
    book = load_workbook(some.consolidate("2024Q2", as_of="2024-06-26"))
    for declared in REPORT[1:]:
        sheet = book[declared.title]
        (table,) = sheet.tables.values()
        assert table.ref == sheet.dimensions
        assert table.ref.startswith("A1:")
        assert not sheet.merged_cells.ranges
        headings = [cell.value for cell in sheet[1]]
        assert headings[: len(declared.columns)] == [c.heading for c in declared.columns]
        assert len(set(headings)) == len(headings)


def test_text_like_formulas_and_links_stays_text(some):
    path = some.consolidate("2024Q2", as_of="2024-06-26")
    rows = [row for row in records(path, "汇总明细") if row["单位代码"] == "C01"]
    assert [row["工作开展情况"] for row in rows] == FORMULAS
    with zipfile.ZipFile(path) as package:
        sheets = [name for name in package.namelist() if name.startswith("xl/worksheets/sheet")]
        assert all(b"<f>" not in package.read(name) for name in sheets)
        links = b"".join(
            package.read(n) for n in package.namelist() if n.startswith("xl/worksheets/_rels")
        )
    assert b"example.com" not in links


def test_the_same_inputs_and_moment_give_the_same_bytes(some):
    first = some.consolidate("2024Q2", as_of="2024-06-26").read_bytes()
    again = some.consolidate("2024Q2", as_of="2024-06-27").read_bytes()
    assert again != first
    assert some.consolidate("2024Q2", as_of="2024-06-26").read_bytes() == first


def test_a_file_received_after_the_moment_is_not_in_the_book(some, form):
    before = some.consolidate("2024Q2", as_of="2024-06-22").read_bytes()
    fill(form("市财政局"), some.inbox / "d.xlsx")
    some.collect(as_of="2024-06-24")
    assert some.consolidate("2024Q2", as_of="2024-06-22").read_bytes() == before


def test_answers_name_their_file_sheet_and_cell(some):
    path = some.consolidate("2024Q2", as_of="2024-06-26")
    for row in records(path, "汇总明细"):
        source = load_workbook(some.inbox / "已收" / "2024Q2" / row["来源文件"])
        assert source[row["来源工作表"]][row["来源单元格"]].value == row["工作开展情况"]


def test_overdue_missing_and_problems_are_listed(some):
    path = some.consolidate("2024Q2", as_of="2024-06-26")
    overdue = records(path, "逾期清单")
    assert len(overdue) == 35
    assert {row["逾期天数"] for row in overdue} == {1}
    water = [row for row in records(path, "缺项清单") if row["报送单位"] == "市水利局"]
    assert {row["状态"] for row in water} == {"返回未填"}
    assert all("同上" in row["原因"] for row in water)
    assert records(path, "问题清单")[0]["任务编号"] == "各单位没有反映问题"


def test_the_matrix_shows_each_state_and_nothing_where_there_is_no_duty(some):
    path = some.consolidate("2024Q2", as_of="2024-06-26")
    first = records(path, "任务矩阵")[0]
    assert first["市林业局"] == "已填"
    assert first["市生态环境局"] == "未返回"
    assert first["市水利局"] is None


def test_every_file_is_in_the_register_with_its_hash(some):
    path = some.consolidate("2024Q2", as_of="2024-06-26")
    rows = {row["文件"]: row for row in records(path, "收件台账")}
    assert {name: row["处理结果"] for name, row in rows.items()} == {
        "a.xlsx": "已收",
        "b.xlsx": "已收",
        "c.xlsx": "已收",
        "总结.pdf": "待处理",
    }
    assert all((some.originals / row["SHA-256"]).exists() for row in rows.values())


def test_very_long_text_is_cut_and_said_and_odd_characters_do_not_break_the_book(q2, form):
    long = "长" * 32767
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers={"T01": {**FILLED, "progress": long}})
    q2.collect(as_of="2024-06-20")
    from bioduty_xl.report.rows import writable

    assert len(writable(long + "多")) == 32767
    assert writable(long + "多").endswith("）")
    assert writable("a\ud800b") == "a\ufffdb"
    (row,) = (
        row
        for row in records(q2.consolidate("2024Q2", as_of="2024-06-26"), "汇总明细")
        if row["任务编号"] == "T01"
    )
    assert row["工作开展情况"] == long


def test_nan_like_words_are_text_in_the_frame_and_the_book(q2, form):
    words = {"T01": "NA 级湿地1处", "T02": "None of 3", "T03": "nan"}
    fill(
        form("市林业局"),
        q2.inbox / "a.xlsx",
        answers={item: {**FILLED, "features": text} for item, text in words.items()},
    )
    q2.collect(as_of="2024-06-20")
    frame = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    assert frame["features"].loc[list(words)].tolist() == list(words.values())


def test_a_book_open_elsewhere_is_written_beside(q2, monkeypatch):
    from bioduty_xl.layout import atomic

    real = atomic.os.replace

    def refuse(source, target):
        if str(target).endswith("汇总_2024Q2.xlsx"):
            raise PermissionError(13, "in use", str(target))
        real(source, target)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    monkeypatch.setattr(atomic.time, "sleep", lambda _: None)
    path = q2.consolidate("2024Q2", as_of="2024-06-26")
    assert path.name == "汇总_2024Q2_2.xlsx"
    assert sorted(p.name for p in path.parent.iterdir()) == ["forms", "汇总_2024Q2_2.xlsx"]


def test_entries_can_be_queried_by_required_and_number(some):
    entries = some.entries("2024Q2")
    assert len(entries) == 289
    assert len(entries.query("required")) == 224
    assert set(entries.query("no == 1")["item"]) == {"T01"}


def test_a_changed_rule_of_what_is_required_is_explained(some):
    settings = some.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    whole = 'required = ["lead", "sole", "named", "county"]'
    assert whole in text
    settings.write_text(text.replace(whole, 'required = ["lead", "county"]'), encoding="utf-8")
    book = Workspace.open(some.root).consolidate("2024Q2", as_of="2024-06-26")
    said = {row["事项"]: row["说明"] for row in records(book, "口径说明")}
    assert said["应报事项"].startswith(
        "必报 151 项。必报口径已在设置中调整。必报：牵头单位；各县（区）"
    )
    assert len(records(book, "任务矩阵")) == 23


def test_the_quarter_is_shown_beside_the_one_before(q2, form):
    """Newly finished items, carried problems and changes, from the two quarters' returns alone."""
    items = {f"T{n:02d}": {**FILLED, "progress": f"第{n}项巡查{n}次"} for n in range(1, 24)}
    before = {**items, "T01": {**items["T01"], "problems": "经费不足"}}
    now = {
        **items,
        "T01": {**items["T01"], "problems": "经费仍不足", "status": "已完成"},
        "T02": {**items["T02"], "progress": ""},
    }
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=before)
    q2.collect(as_of="2024-06-20")
    q2.generate("2024Q3", "市林业局", as_of="2024-09-02")
    fill(form("市林业局", "2024Q3"), q2.inbox / "b.xlsx", answers=now)
    q2.collect(as_of="2024-09-20")
    path = q2.consolidate("2024Q3", as_of="2024-09-20")
    sheet = load_workbook(path)["总览"]
    rows = {row[3].value: [cell.value for cell in row[4:7]] for row in sheet.iter_rows(min_row=20)}
    assert rows["已报单位"] == [1, 1, 0]
    assert rows["缺项"] == [204, 205, 1]
    assert rows["新完成的事项"] == ["—", 1, "—"]
    assert rows["延续的问题"] == ["—", 1, "—"]
    problem = next(row for row in records(path, "问题清单") if row["任务编号"] == "T01")
    assert problem["上期已反映"] == "是"
    detail = next(row for row in records(path, "汇总明细") if row["任务编号"] == "T01")
    assert (detail["上期状态"], detail["进展状态"]) == ("推进中", "已完成")
    first = load_workbook(q2.consolidate("2024Q2", as_of="2024-06-26"))["总览"]
    assert "新完成的事项" not in [cell.value for row in first.iter_rows() for cell in row]


def test_counts_in_the_register_lead_to_the_units_rows(some):
    book = load_workbook(some.consolidate("2024Q2", as_of="2024-06-26"))
    sheet = book["报送台账"]
    headings = [cell.value for cell in sheet[1]]
    linked = 0
    for row in sheet.iter_rows(min_row=2):
        code = row[headings.index("单位代码")].value
        for heading, title in (("缺项", "缺项清单"), ("错误", "校验意见"), ("提示", "校验意见")):
            cell = row[headings.index(heading)]
            assert isinstance(cell.value, int)
            if cell.hyperlink:
                linked += 1
                target, _, place = cell.hyperlink.location.partition("!")
                assert target.strip("'") == title
                column = [c.value for c in book[title][1]].index("单位代码") + 1
                assert book[title].cell(book[title][place].row, column).value == code
            else:
                assert cell.value == 0
    assert linked > 5


def test_a_contact_that_is_no_longer_the_filler_is_marked_in_the_list(ws):
    from books import fill_contacts

    form, contacts = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    fill_contacts(contacts, ws.inbox / "a.xlsx", [{"name": "钱某", "phone": "0812-0000002"}])
    fill(form, ws.inbox / "b.xlsx", signed={"filler": "孙某"})
    ws.collect(as_of="2024-04-20")
    rows = records(ws.consolidate("2024Q1", as_of="2024-04-26"), "联系人名单")
    row = next(row for row in rows if row["单位代码"] == "U02")
    assert "孙某" in row["核对"]
    assert not any(row["核对"] for row in rows if row["单位代码"] != "U02")


def test_a_line_sets_each_units_missing_items_apart(some):
    sheet = load_workbook(some.consolidate("2024Q2", as_of="2024-06-26"))["缺项清单"]
    codes = [row[0].value for row in sheet.iter_rows(min_row=2)]
    first = [code != before for before, code in zip(["", *codes], codes, strict=False)]
    thick = [row[0].border.top.style == "medium" for row in sheet.iter_rows(min_row=2)]
    assert thick == first
    assert sum(first) > 5
