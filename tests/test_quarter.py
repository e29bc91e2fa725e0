"""The quarter end to end, through the command line, its figures recomputed from the plan."""

import json
from collections import Counter
from datetime import date

import pytest
from books import FILLED, copy, fill, records
from commands import bioduty

DUE, AS_OF = date(2024, 6, 25), date(2024, 6, 28)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """2024Q2 played through the command line: on time, late, half, placeholder, nil, damaged."""
    root = tmp_path_factory.mktemp("季度") / "报送 工作区"
    bioduty("init", root)
    settings = root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), "utf-8")
    bioduty("generate", "2024Q2", "--workspace", root, "--as-of", "2024-06-03")
    forms = root / "outbox" / "2024Q2" / "forms"

    def drop(unit, name, **options):
        return fill(forms / f"{unit}_2024Q2.xlsx", root / "inbox" / name, **options)

    for unit in ("市林业局", "市生态环境局", "米易县人民政府", "市委办公室"):
        drop(unit, f"{unit}.xlsx")
    drop("市水利局", "水利 (1) 最终版.xlsx", answers={"T03": FILLED})
    drop("市科技局", "科技.xlsx", answers={**FILLED, "progress": "无"})
    nothing = {"status": "本季度无进展", "progress": "上级文件未印发。"}
    drop("市财政局", "财政.xlsx", answers=nothing)
    drop("市公安局", "公安.xlsx", answers={"status": "不涉及", "remark": "不在职责范围"})
    damaged = drop("市商务局", "商务.xlsx")
    damaged.write_bytes(damaged.read_bytes()[:4000])
    bioduty("collect", "--workspace", root, "--as-of", "2024-06-25", expect=3)
    copy(root / "inbox/已收/2024Q2/市林业局.xlsx", root / "inbox" / "市林业局 - 副本.xlsx")
    drop("东区人民政府", "东区.xlsx")
    drop("市水利局", "水利 更正.xlsx")
    bioduty("collect", "--workspace", root, "--as-of", "2024-06-27")
    bioduty("consolidate", "2024Q2", "--workspace", root, "--as-of", "2024-06-28")
    return root


@pytest.fixture(scope="module")
def status(folder):
    out = bioduty("status", "2024Q2", "--workspace", folder, "--as-of", "2024-06-28", "--json")
    return json.loads(out)


@pytest.fixture(scope="module")
def book(folder):
    return folder / "outbox" / "2024Q2" / "汇总_2024Q2.xlsx"


@pytest.fixture(scope="module")
def expected():
    """What the figures must be, from `plan show --json` and the story above alone."""
    plan = json.loads(bioduty("plan", "show", "--json"))
    required = {unit["code"]: [] for unit in plan["units"]}
    for item in plan["items"]:
        named = {code for measure in item["measures"] for code in measure["units"]}
        for unit in plan["units"]:
            code = unit["code"]
            leads = code in item["lead"]
            alone = not item["lead"] and code in item["responsible"]
            responsible = code in item["responsible"]
            if unit["kind"] == "county" or leads or alone or (responsible and code in named):
                required[code].append(item["key"])
    names = {unit["name"]: unit["code"] for unit in plan["units"]}
    filled = (
        "市林业局",
        "市生态环境局",
        "米易县人民政府",
        "市委办公室",
        "市水利局",
        "东区人民政府",
    )
    returned = (*filled, "市科技局", "市财政局", "市公安局")
    return {
        "required": required,
        "filled": {names[name] for name in filled},
        "returned": {names[name] for name in returned},
        "late": {names["东区人民政府"]},
        "nil": {names["市财政局"]},
        "not_applicable": {names["市公安局"]},
        "blank": {names["市科技局"]},
    }


def test_the_plan_has_224_required_obligations(expected):
    assert sum(len(items) for items in expected["required"].values()) == 224


def test_units_are_counted_as_the_story_has_it(status, expected):
    assert status["period"] == "2024Q2"
    assert status["due"] == "2024-06-25"
    assert status["as_of"] == "2024-06-28T23:59:59+08:00"
    assert status["units"] == {
        "expected": 38,
        "returned": len(expected["returned"]),
        "on_time": len(expected["returned"] - expected["late"]),
        "late": len(expected["late"]),
        "overdue": 38 - len(expected["returned"]),
    }
    assert status["files"] == {"accepted": 10, "held": 0, "rejected": 1}


def test_items_are_counted_as_recomputed_from_the_plan(status, expected):
    required = expected["required"]
    filled = sum(len(required[code]) for code in expected["filled"])
    nil = sum(len(required[code]) for code in expected["nil"])
    not_applicable = sum(len(required[code]) for code in expected["not_applicable"])
    assert status["items"] == {
        "required": 224,
        "filled": filled,
        "nil": nil,
        "not_applicable": not_applicable,
        "missing": 224 - filled - nil - not_applicable,
    }


def test_each_unit_stands_where_the_story_left_it(status, expected):
    for unit in status["by_unit"]:
        code = unit["code"]
        here = code in expected["returned"]
        late = code in expected["late"]
        assert unit["state"] == ("late" if late else "on_time" if here else "overdue")
        assert unit["days_overdue"] == (2 if late else 0 if here else (AS_OF - DUE).days)
        assert unit["required"] == len(expected["required"][code])
        blank = not here or code in expected["blank"]
        assert unit["missing"] == (expected["required"][code] if blank else [])
        assert (unit["received_at"] is not None) == here


def test_the_overdue_sheet_agrees_with_status(status, book):
    overdue = {u["code"]: u["days_overdue"] for u in status["by_unit"] if u["state"] == "overdue"}
    rows = records(book, "逾期清单")
    assert {row["单位代码"]: row["逾期天数"] for row in rows} == overdue
    assert len(rows) == len(overdue)


def test_the_missing_items_sheet_agrees_with_status(status, book):
    listed = Counter((row["单位代码"], row["任务编号"]) for row in records(book, "缺项清单"))
    owed = Counter((u["code"], item) for u in status["by_unit"] for item in u["missing"])
    assert listed == owed
    assert listed.total() == status["items"]["missing"]


def test_the_receipts_and_the_overview_agree_with_status(status, book):
    rows = {row["单位代码"]: row for row in records(book, "报送台账")}
    words = {"on_time": "按时", "late": "迟报", "overdue": "逾期"}
    for unit in status["by_unit"]:
        row = rows[unit["code"]]
        assert row["报送状态"] == words[unit["state"]]
        assert (row["必报项"], row["缺项"]) == (unit["required"], len(unit["missing"]))
        assert (row["错误"], row["提示"]) == (unit["errors"], unit["warnings"])
    from openpyxl import load_workbook

    sheet = load_workbook(book)["总览"]
    shown = {row[0]: row[1] for row in sheet.iter_rows(min_row=5, values_only=True) if row[0]}
    assert (shown["应报单位"], shown["已报单位"]) == (38, status["units"]["returned"])
    assert shown["缺项"] == status["items"]["missing"]
    assert shown["逾期"] == status["units"]["overdue"]


def test_the_matrix_counts_the_same_states(status, book):
    states = Counter(
        value
        for row in records(book, "任务矩阵")
        for heading, value in row.items()
        if heading not in ("任务编号", "重点任务") and value
    )
    missing = states["未返回"] + states["返回未填"]
    assert missing == status["items"]["missing"]
    assert states["无进展"] >= status["items"]["nil"] > 0
    assert states["已填"] >= status["items"]["filled"]


def test_collecting_and_consolidating_again_changes_nothing(folder):
    def snapshot():
        return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".log"}

    before = snapshot()
    bioduty("collect", "--workspace", folder, "--as-of", "2024-06-28")
    bioduty("consolidate", "2024Q2", "--workspace", folder, "--as-of", "2024-06-28")
    assert snapshot() == before


def test_inspect_says_what_collect_said(folder):
    path = folder / "inbox/已收/2024Q2/市林业局.xlsx"
    out = json.loads(bioduty("inspect", path, "--workspace", folder, "--json"))
    assert list(out) == [
        *("file", "sha256", "verdict", "kind", "unit", "period"),
        *("revision", "reason", "findings"),
    ]
    assert (out["verdict"], out["unit"], out["period"]) == ("duplicate", "U02", "2024Q2")


def test_a_whole_pass_is_safe_to_repeat(tmp_path):
    bioduty("init", tmp_path / "w")
    first = json.loads(
        bioduty("run", "--workspace", tmp_path / "w", "--as-of", "2024-06-03", "--json")
    )
    assert len(first["forms"]) == 38
    assert [path.rsplit("/", 1)[1] for path in first["books"]] == ["汇总_2024Q2.xlsx"]
    again = json.loads(
        bioduty("run", "--workspace", tmp_path / "w", "--as-of", "2024-06-03", "--json")
    )
    assert again["forms"] == []
    assert again["failures"] == []
