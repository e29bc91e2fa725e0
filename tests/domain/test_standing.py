from datetime import date

import pytest

from bioduty_xl.domain.calendar import Calendar, moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Unit, UnitKind
from bioduty_xl.domain.returns import Entry, ItemState
from bioduty_xl.domain.standing import Receipt, Rulebook, UnitState, assess

Q2 = Period(2024, 2)
UNITS = (
    Unit("U01", "甲局", UnitKind.DEPARTMENT),
    Unit("U02", "乙局", UnitKind.DEPARTMENT),
    Unit("C01", "丙县", UnitKind.COUNTY),
)
PLAN = Plan(
    "方案",
    (Part(1, "一"),),
    UNITS,
    (
        Item(
            "T01",
            1,
            1,
            "有牵头",
            "…",
            ("U01",),
            ("U02",),
            ("C01",),
            (Measure("T01-M1", "甲局牵头"),),
        ),
        Item("T02", 2, 1, "无牵头", "…", (), ("U02",), ("C01",), (Measure("T02-M1", "各单位"),)),
    ),
)
WORK = "完成巡护12次"


def stand(as_of, receipts=(), calendar=None):
    return assess(PLAN, Q2, moment(as_of), dict(receipts), Rulebook(calendar or Calendar()))


def receipt(received, answers, first=None):
    entries = {item: Entry(item, texts) for item, texts in answers.items()}
    return Receipt(moment(first or received), moment(received), 1, entries)


def line(standing, code):
    return next(line for line in standing.units if line.unit.code == code)


def test_before_the_due_date_nobody_is_overdue_but_everything_is_missing():
    standing = stand("2024-06-25")
    assert {line.state for line in standing.units} == {UnitState.NOT_DUE}
    assert standing.missing == len(standing.required) == 4


def test_the_day_after_the_due_date_every_absent_unit_is_overdue_by_a_day():
    standing = stand("2024-06-26T00:00")
    assert {(line.state, line.days_overdue) for line in standing.units} == {(UnitState.OVERDUE, 1)}


def test_on_time_and_late_are_decided_by_the_first_return():
    corrected = receipt("2024-07-01", {"T01": {"progress": WORK}}, first="2024-06-25")
    late = receipt("2024-06-27", {"T01": {"progress": WORK}})
    standing = stand("2024-07-10", {"U01": corrected, "C01": late})
    assert line(standing, "U01").state is UnitState.ON_TIME
    assert line(standing, "U01").days_overdue == 0
    assert line(standing, "C01").state is UnitState.LATE
    assert line(standing, "C01").days_overdue == 2
    assert line(standing, "U02").state is UnitState.OVERDUE
    assert line(standing, "U02").days_overdue == 15


def test_an_optional_item_left_blank_has_no_state_and_is_never_missing():
    answers = {"T01": {}, "T02": {"progress": WORK}}
    standing = stand("2024-06-26", {"U02": receipt("2024-06-20", answers)})
    states = {cell.obligation.item: cell.state for cell in line(standing, "U02").cells}
    assert states == {"T01": None, "T02": ItemState.FILLED}
    assert line(standing, "U02").missing == ()


def test_an_optional_item_that_was_answered_has_a_state():
    answers = {"T01": {"progress": WORK}, "T02": {"progress": WORK}}
    standing = stand("2024-06-26", {"U02": receipt("2024-06-20", answers)})
    assert [cell.state for cell in line(standing, "U02").cells] == [ItemState.FILLED] * 2


def test_a_row_that_is_gone_from_a_return_is_missing():
    standing = stand("2024-06-26", {"C01": receipt("2024-06-20", {"T01": {"progress": WORK}})})
    assert [cell.obligation.item for cell in line(standing, "C01").missing] == ["T02"]


def test_an_exempt_unit_owes_nothing():
    standing = stand("2024-07-10", calendar=Calendar(exemptions={("C01", Q2): "经批准"}))
    assert line(standing, "C01").state is UnitState.EXEMPT
    assert line(standing, "C01").missing == ()
    assert len(standing.expected) == 2
    assert len(standing.required) == 2


def test_an_extension_is_the_units_own_due_date():
    calendar = Calendar(extensions={("C01", Q2): date(2024, 7, 5)})
    assert line(stand("2024-07-05", calendar=calendar), "C01").state is UnitState.NOT_DUE
    assert line(stand("2024-07-06", calendar=calendar), "C01").days_overdue == 1


@pytest.mark.parametrize("as_of", ["2024-06-20", "2024-07-01"])
def test_required_items_are_filled_nil_not_applicable_or_missing(as_of):
    answers = {
        "T01": {"status": "不涉及", "remark": "不在辖区"},
        "T02": {"status": "本季度无进展", "progress": "文件未出台"},
    }
    items = stand(as_of, {"C01": receipt("2024-06-19", answers)}).as_json()["items"]
    assert items == {"required": 4, "filled": 0, "nil": 1, "not_applicable": 1, "missing": 2}


def on_paper(came):
    return {"C01": Receipt(moment(came), moment(came), 0, {}, way="传真")}


@pytest.mark.parametrize(
    ("came", "state", "days"),
    [("2024-06-20", UnitState.ON_TIME, 0), ("2024-06-28", UnitState.LATE, 3)],
)
def test_a_return_that_came_without_its_form_counts_as_reported_and_its_items_are_missing(
    came, state, days
):
    standing = stand("2024-07-01", on_paper(came))
    county = line(standing, "C01")
    assert (county.state, county.days_overdue) == (state, days)
    assert standing.returned == (county,)
    assert {cell.state for cell in county.cells} == {ItemState.NOT_RETURNED}
    assert len(county.missing) == len(county.required) == 2
    assert standing.without_form == {"C01": "以传真报送，电子表未到"}


def test_a_return_on_its_form_says_nothing_of_another_way():
    standing = stand("2024-07-01", {"C01": receipt("2024-06-20", {})})
    assert standing.without_form == {}
    assert line(standing, "C01").receipt.without_form == ""
