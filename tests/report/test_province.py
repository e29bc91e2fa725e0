"""The province's workbook at its edges: shares, headings met twice, nothing to add up."""

from dataclasses import replace

import pandas as pd
import pytest
import year
from books import FILLED, records
from openpyxl import load_workbook

from bioduty_xl.config import Office
from bioduty_xl.domain.calendar import Calendar, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Entry, Wording
from bioduty_xl.domain.standing import Receipt, Rulebook, assess
from bioduty_xl.layout.sheets import MATRIX
from bioduty_xl.report.book import share_out
from bioduty_xl.report.evidence import Evidence
from bioduty_xl.report.frames import rate
from bioduty_xl.report.pieces import Limits
from bioduty_xl.report.province import City, LeftOut, ProvinceEvidence
from bioduty_xl.report.province_book import render_province

Q2 = Period(2024, 2)
AS_OF = moment("2024-06-28")


def city(name, answered=(), exempt=(), plan=year.PLAN, **more):
    """A city of which some units have answered every item; `more` goes into each answer."""
    answers = {**FILLED, **more}
    receipts = {
        code: Receipt(AS_OF, AS_OF, 1, {item.key: Entry(item.key, answers) for item in plan.items})
        for code in answered
    }
    calendar = Calendar(exemptions={(code, Q2): "经批准" for code in exempt})
    standing = assess(plan, Q2, AS_OF, receipts, Rulebook(calendar))
    return City(
        name, name, Office(name="某办"), Evidence(plan, standing, Wording(), {}, (), (), {}, ())
    )


def made(tmp_path, *rows):
    path = tmp_path / "省.xlsx"
    path.write_bytes(render_province(ProvinceEvidence(Q2, AS_OF, rows)))
    return path


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [(0, 5, 0.0), (5, 5, 1.0), (4703, 4704, 0.999), (2, 3, 0.666), (0, 0, None)],
)
def test_a_share_is_never_rounded_up_to_what_it_is_not(part, whole, share):
    assert rate(part, whole) == share


def test_where_nothing_is_owed_there_is_no_share(tmp_path):
    path = made(tmp_path, city("甲市", exempt=year.CODES))
    (row,) = records(path, "各市（州）情况")
    assert (row["应报单位"], row["报送率"], row["必报事项"], row["完成率"]) == (0, None, 0, None)
    assert {row["甲市"] for row in records(path, "各市任务情况")} == {None}
    assert records(path, "缺项清单")[0]["市（州）"] == "各市（州）本期必报事项没有缺项"
    shown = dict(load_workbook(path)["全省总览"].iter_rows(5, 40, 1, 2, values_only=True))
    assert shown["完成率"] is None


def test_an_empty_sheet_says_that_it_is_empty(tmp_path):
    path = made(tmp_path, city("甲市"))
    for title in ("汇总明细", "问题清单", "方案差异"):
        (row,) = records(path, title)
        first, *others = row.values()
        assert first
        assert not any(others)


def test_a_city_named_like_a_column_does_not_break_the_table(tmp_path):
    path = made(tmp_path, city("必报", answered=year.CODES), city("甲市"))
    sheet = load_workbook(path)["各市任务情况"]
    assert [cell.value for cell in sheet[1]][-2:] == ["必报2", "甲市"]
    assert sheet.tables
    assert records(path, "各市任务情况")[0]["必报2"] == "2/2"


def test_columns_that_only_some_cities_have_are_blank_with_the_others(tmp_path):
    one = city("甲市", ["U01"], **{"+面积": "12公顷", "+来源文件": "第3号"})
    other = city("乙市", ["U01"], **{"+金额": "3万元"})
    rows = records(made(tmp_path, one, other), "汇总明细")
    told = {(row["市（州）"], row["面积"], row["来源文件2"], row["金额"]) for row in rows}
    assert told == {("甲市", "12公顷", "第3号", None), ("乙市", None, None, "3万元")}


def test_titles_that_differ_in_width_and_blanks_alone_are_one_task(tmp_path):
    first, *rest = year.PLAN.items
    spelt = replace(year.PLAN, items=(replace(first, title="开展 巡护"), *rest))
    path = made(tmp_path, city("甲市"), city("乙市", plan=spelt))
    assert [row["重点任务"] for row in records(path, "各市任务情况")] == [
        item.title for item in year.PLAN.items
    ]
    (row,) = records(path, "方案差异")
    assert row["重点任务"].startswith("各市（州）方案的任务名称和编号一致")


def test_text_that_looks_like_a_formula_stays_text_in_names_and_reasons(tmp_path):
    path = made(tmp_path, city("=1+1"), LeftOut('=HYPERLINK("http://x")', "+x", "@SUM(A1)"))
    for sheet in load_workbook(path):
        for row in sheet.iter_rows():
            assert not any(cell.data_type == "f" for cell in row)
    rows = records(path, "各市（州）情况")
    assert [row["市（州）"] for row in rows] == ["=1+1", '=HYPERLINK("http://x")']
    assert rows[1]["说明"] == "@SUM(A1)"


def test_doubles_come_last_and_do_not_stand_among_the_cities_of_the_first_sheet(tmp_path):
    double = LeftOut("甲市", "old/甲市", "重复", is_double=True)
    gone = LeftOut("丙市", "丙市", "没有台账")
    path = made(tmp_path, city("甲市"), double, gone, city("乙市"))
    rows = records(path, "各市（州）情况")
    assert [(row["市（州）"], row["汇总情况"]) for row in rows] == [
        *(("甲市", "已汇总"), ("丙市", "未汇总"), ("乙市", "已汇总"), ("甲市", "重复"))
    ]
    sheet = load_workbook(path)["全省总览"]
    assert [sheet.cell(row, 4).value for row in range(5, 8)] == ["甲市", "丙市", "乙市"]
    assert sheet.cell(6, 5).value == "未汇总"
    assert sheet["A3"].value == "注意：1 个文件夹未汇总：丙市"
    figures = dict(sheet.iter_rows(5, 30, 1, 2, values_only=True))
    assert (figures["未汇总的文件夹"], figures["重复的文件夹"]) == (1, 1)


def test_charts_carry_what_they_show_for_programs_that_do_not_calculate(tmp_path):
    path = made(tmp_path, city("甲市", ["U01"]), city("乙市"))
    due = [row["截止日期"] for row in records(path, "各市（州）情况")]
    charts = load_workbook(path)["全省总览"]._charts
    assert len(due) == len(charts) == 2
    for chart in charts:
        for series in chart.series:
            title, cells = str(series.val.numRef.f).replace("'", "").split("!")
            wanted = [row[0].value for row in load_workbook(path)[title][cells.replace("$", "")]]
            shown = [float(point.v) for point in series.val.numRef.numCache.pt]
            assert shown == wanted
            assert [point.v for point in series.cat.strRef.strCache.pt] == ["甲市", "乙市"]


def test_what_is_too_long_for_a_worksheet_is_shared_out_and_every_link_is_right(tmp_path):
    rows = (city("甲市", ["U01"]), city("乙市", ["U01", "U02"]))
    path = tmp_path / "分表.xlsx"
    path.write_bytes(render_province(ProvinceEvidence(Q2, AS_OF, rows), Limits(rows=3)))
    book = load_workbook(path)
    whole = records(made(tmp_path, *rows), "汇总明细")
    pieces = [name for name in book.sheetnames if name.startswith("汇总明细_")]
    assert len(pieces) > 1
    assert sum(book[name].max_row - 1 for name in pieces) == len(whole)
    links = [cell.hyperlink for sheet in book for row in sheet for cell in row if cell.hyperlink]
    targets = {link.location.split("!")[0].strip("'") for link in links}
    assert targets <= set(book.sheetnames)
    assert {"分表索引", *pieces} <= targets


def test_a_heading_has_nothing_that_a_table_cannot_hold():
    names = ["甲\x0b\n局\x01", "长" * 300, "\x02"]
    table = pd.DataFrame(columns=[*(column.key for column in MATRIX.columns), *names])
    sheets = share_out([MATRIX], {MATRIX.key: table})[MATRIX.key]
    headings = [column.heading for column in sheets[0].sheet.columns][-3:]
    assert headings == ["甲 局", "长" * 250, "—"]
