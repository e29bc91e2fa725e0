"""补报: what comes after a quarter was closed is shown by the next book, file by file."""

import sqlite3
from dataclasses import replace

from books import FILLED, add_row, records
from openpyxl import load_workbook
from year import PLAN, City, lose_marks, make

from bioduty_xl import Workspace
from bioduty_xl.layout.sheets import DEFINITIONS, LATE_RETURNS
from bioduty_xl.plan.book import write_plan

FORESTRY, WATER, WEATHER = "市林业局", "市水利局", "市气象局"


def said(progress):
    return {**FILLED, "progress": progress}


def late(city, period="2024Q3"):
    """The rows of 补报 in a quarter's book; none where there is no such sheet."""
    book = city.ws.report_file(period)
    there = LATE_RETURNS.title in load_workbook(book).sheetnames
    return records(book, LATE_RETURNS.title) if there else []


def counted(city):
    """The files that closed books have counted, with the quarter of the book."""
    with sqlite3.connect(city.ws.state_dir / "ledger.sqlite") as db:
        rows = db.execute("SELECT name, counted.period FROM counted JOIN files ON id = file")
        found = set(rows)
    db.close()
    return found


def test_an_old_draft_that_is_settled_late_shows_its_own_answers_and_no_correction(city):
    """Held in June, overtaken by another file before the close, its owner found in August."""
    city.give(FORESTRY, "old.xlsx", said("六月十日的旧稿内容旧稿内容"), change=lose_marks)
    city.run("2024-06-10")
    city.give(FORESTRY, "new.xlsx", said("六月二十日的新稿内容新稿内容"))
    city.run("2024-06-20")
    city.run("2024-07-10")
    city.register("归属认定", "old.xlsx", FORESTRY, "2024Q2", "电话核实")
    assert city.run("2024-09-03").settled
    rows = late(city)
    assert {(row["来源文件"], row["类别"]) for row in rows} == {("old.xlsx", "旧稿，已有更新")}
    assert rows[0]["工作开展情况"] == "六月十日的旧稿内容旧稿内容"


def test_of_two_late_returns_the_newest_is_the_late_one_and_the_other_is_superseded(city):
    city.run("2024-07-10")
    city.give(FORESTRY, "a.xlsx", said("第一稿的工作内容第一稿的工作内容"))
    city.run("2024-07-12")
    city.give(FORESTRY, "b.xlsx", said("第二稿的工作内容第二稿的工作内容"))
    city.run("2024-09-03")
    assert {(row["来源文件"], row["类别"], row["工作开展情况"][:3]) for row in late(city)} == {
        ("a.xlsx", "旧稿，已有更新", "第一稿"),
        ("b.xlsx", "补报", "第二稿"),
    }
    explained = {row["事项"] for row in records(city.ws.report_file("2024Q3"), DEFINITIONS.title)}
    assert "补报的类别" in explained


def test_a_return_after_one_that_a_closed_book_has_counted_is_a_correction(city):
    city.give(FORESTRY, "a.xlsx")
    city.run("2024-06-20")
    city.run("2024-07-10")
    city.give(FORESTRY, "b.xlsx", said("结账以后又改了一次的工作内容"))
    city.run("2024-09-03")
    assert {(row["来源文件"], row["类别"]) for row in late(city)} == {("b.xlsx", "更正")}
    assert {row["逾期天数"] for row in late(city)} == {0}  # its first return was on time


def test_a_blank_return_of_a_unit_that_owes_nothing_has_a_row(tmp_path):
    city = City(make(tmp_path / "w"))
    last = replace(PLAN.items[2], lead=("U04",), responsible=("U01", "U02", "U03", "U05"))
    write_plan(replace(PLAN, items=(*PLAN.items[:2], last)), city.ws.root / "plan.xlsx")
    city.run("2024-06-03")
    city.run("2024-07-10")
    city.give("市教育局", "空.xlsx", answers={})
    city.run("2024-09-03")
    (row,) = late(city)
    assert (row["报送单位"], row["类别"], row["来源文件"]) == ("市教育局", "补报", "空.xlsx")
    assert (row["任务编号"], row["状态"]) == (None, None)
    city.run("2024-10-10")
    assert ("空.xlsx", "2024Q3") in counted(city)


def test_a_late_return_of_a_unit_merged_away_since_is_shown_under_the_name_it_had(city):
    city.run("2024-07-10")
    city.give(WEATHER, "a.xlsx")
    city.run("2024-07-20")
    add_row(city.ws, "机构变动", "2024Q2", WEATHER, "并入", "市科技局", "批复")
    city.run("2024-09-03")
    assert {(row["报送单位"], row["类别"]) for row in late(city)} == {(WEATHER, "补报")}
    assert {row["任务编号"] for row in late(city)} == {"T01", "T02", "T03"}
    city.run("2024-10-10")
    assert ("a.xlsx", "2024Q3") in counted(city)


def test_a_late_return_of_a_unit_taken_out_of_the_plan_is_shown_by_what_it_says(city):
    city.run("2024-07-10")
    city.give(WEATHER, "a.xlsx")
    city.run("2024-07-20")
    without(city, "U03")
    assert city.run("2024-09-03").failures == []
    assert {(row["报送单位"], row["任务编号"], row["状态"]) for row in late(city)} == {
        (WEATHER, item, "已填") for item in ("T01", "T02", "T03")
    }


def without(city, code):
    """Take a unit out of the plan workbook, as a person would."""
    items = tuple(
        replace(
            item,
            lead=tuple(unit for unit in item.lead if unit != code),
            responsible=tuple(unit for unit in item.responsible if unit != code),
        )
        for item in PLAN.items
    )
    units = tuple(unit for unit in PLAN.units if unit.code != code)
    write_plan(replace(PLAN, units=units, items=items), city.ws.root / "plan.xlsx")


def test_what_the_close_counts_is_what_its_book_shows(city):
    """A unit merged away while its return was here: its words are late, not lost."""
    city.give(WEATHER, "a.xlsx")
    city.give(WATER, "b.xlsx")
    city.run("2024-06-20")
    city.register("机构变动", "2024Q2", WEATHER, "并入", "市科技局", "批复")
    assert city.run("2024-07-10").closed
    assert counted(city) == {("b.xlsx", "2024Q2")}
    city.run("2024-09-03")
    assert {(row["报送单位"], row["来源文件"]) for row in late(city)} == {(WEATHER, "a.xlsx")}
    city.run("2024-10-10")
    assert counted(city) == {("b.xlsx", "2024Q2"), ("a.xlsx", "2024Q3")}
    assert Workspace.open(city.ws.root).is_closed("2024Q3")
