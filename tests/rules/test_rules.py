"""Each rule with a case that fires and one that must not."""

import pytest

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Item, Measure, Obligation, Part, Plan, Role, Unit, UnitKind
from bioduty_xl.domain.returns import Contact, Entry, Return
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.rules.registry import all_rules, judge
from bioduty_xl.rules.return_rules import is_phone
from bioduty_xl.rules.rule import Case

PLAN = Plan(
    "方案",
    (Part(1, "一"),),
    (Unit("U01", "甲局", UnitKind.DEPARTMENT),),
    (Item("T01", 1, 1, "任务一", "…", ("U01",), (), (), (Measure("T01-M1", "…"),)),),
)
SIGNED = {"filler": "赵某", "phone": "0812-1234567", "approver": "钱某"}
GOOD = {"no": "1", "task": "任务一", "status": "推进中", "progress": "巡护12次", "problems": "无"}


def codes(entries=None, header=SIGNED, contacts=None, previous=None, required=True, owed=True):
    if contacts is None:
        returned = Return(
            FormKind.RETURN,
            "U01",
            Period(2024, 2),
            header,
            {},
            tuple(Entry("T01", answers) for answers in ([GOOD] if entries is None else entries)),
        )
    else:
        returned = Return(
            FormKind.CONTACTS, "U01", Period(2024, 1), {}, {}, contacts=tuple(contacts)
        )
    duties = {"T01": Obligation("U01", "T01", Role.LEAD, required)} if owed else {}
    before = {"T01": Entry("T01", previous)} if previous else {}
    return {finding.code for finding in judge(Case(returned, PLAN, duties, previous=before))}


def test_a_good_return_has_no_findings():
    assert codes() == set()


PERSON = Contact("U01", "赵某某", "0812-1234567", "保护科", "钱某", "13900000000")

CASES = {
    "REQUIRED_BLANK": (
        lambda: codes([{**GOOD, "progress": " "}]),
        lambda: codes([{**GOOD, "progress": ""}], required=False),
    ),
    "PLACEHOLDER": (
        lambda: codes([{**GOOD, "progress": "同上"}]),
        lambda: codes([{**GOOD, "problems": "无"}]),
    ),
    "NO_REASON": (
        lambda: codes([{**GOOD, "status": "不涉及", "progress": "", "problems": "无"}]),
        lambda: codes([{**GOOD, "status": "不涉及", "progress": "", "remark": "不在辖区"}]),
    ),
    "STATUS_MISSING": (lambda: codes([{**GOOD, "status": ""}]), lambda: codes()),
    "STATUS_UNKNOWN": (
        lambda: codes([{**GOOD, "status": "进行中"}]),
        lambda: codes([{**GOOD, "status": "长期坚持 "}]),
    ),
    "LOCKED_ALTERED": (
        lambda: codes([{**GOOD, "task": "别的任务"}]),
        lambda: codes([{**GOOD, "task": "任务一 "}]),
    ),
    "NOT_ASSIGNED": (
        lambda: codes(owed=False),
        lambda: codes([{"no": "1", "task": "任务一"}], owed=False),
    ),
    "EMPTIED": (
        lambda: codes([{**GOOD, "progress": ""}], previous=GOOD),
        lambda: codes([{**GOOD, "progress": "改写"}], previous=GOOD),
    ),
    "HEADER_BLANK": (lambda: codes(header={**SIGNED, "filler": ""}), lambda: codes()),
    "PHONE_DOUBTFUL": (
        lambda: codes(contacts=[Contact("U01", name="钱某", phone="139000000")]),
        lambda: codes(contacts=[PERSON]),
    ),
    "ROW_MISSING": (lambda: codes([]), lambda: codes([], required=False)),
    "CONTACT_BLANK": (lambda: codes(contacts=[]), lambda: codes(contacts=[PERSON])),
}


@pytest.mark.parametrize("code", CASES)
def test_the_rule_fires_where_it_should_and_only_there(code):
    fires, silent = CASES[code]
    assert code in fires()
    assert code not in silent()


def test_every_rule_has_a_case_and_a_reason():
    assert {rule.code for rule in all_rules()} == set(CASES)
    assert all(rule.why.endswith("。") for rule in all_rules())


@pytest.mark.parametrize(
    "text",
    [
        "13900000000",
        "１３９００００００００",
        "0812-1234567",
        "08121234567",
        "1234567",
        "0812-1234567-801",
        "13900000000、0812-1234567",
        "139-0000-0000",
    ],
)
def test_real_ways_to_write_a_number_are_phones(text):
    assert is_phone(text)


@pytest.mark.parametrize("text", ["", "无", "1390000000", "12900000000", "139000000001", "张三"])
def test_what_cannot_be_dialled_is_not(text):
    assert not is_phone(text)
