"""Each rule with a case that fires and one that must not."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from bioduty_xl.config import Rules
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Item, Measure, Obligation, Part, Plan, Role, Unit, UnitKind
from bioduty_xl.domain.returns import Contact, Entry, Return, Severity
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.rules.registry import all_rules, compare, judge, quarter_wide_rules
from bioduty_xl.rules.return_rules import is_phone
from bioduty_xl.rules.rule import Case, Filed, Quarter
from bioduty_xl.rules.text_rules import core

PLAN = Plan(
    "方案",
    (Part(1, "一"),),
    (Unit("U01", "甲局", UnitKind.DEPARTMENT),),
    (
        Item(
            *("T01", 1, 1, "任务一", "开展湿地保护，编制保护规划并组织实施。"),
            *(("U01",), (), ()),
            (Measure("T01-M1", "组织开展全市湿地资源调查，建立湿地资源档案。"),),
        ),
    ),
)
SIGNED = {"filler": "赵某", "phone": "0812-1234567", "approver": "钱某"}
GOOD = {"no": "1", "task": "任务一", "status": "推进中", "progress": "巡护12次", "problems": "无"}


LONG = "4月至6月开展湿地巡护12次，新建监测样地3处。"


def codes(
    entries=None,
    header=SIGNED,
    contacts=None,
    previous=None,
    required=True,
    owed=True,
    last=None,
    tuning=None,
):
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
    case = Case(
        returned,
        PLAN,
        duties,
        previous={"T01": Entry("T01", previous)} if previous else {},
        last={"T01": Entry("T01", last)} if last else {},
        tuning=tuning or Rules(),
    )
    return {finding.code for finding in judge(case)}


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
    "DONE_BUT_UNFINISHED": (
        lambda: codes([{**GOOD, "status": "已完成", "next_steps": "继续推进剩余点位监测"}]),
        lambda: codes([{**GOOD, "status": "已完成", "next_steps": "巩固成果，定期回访"}]),
    ),
    "UNCHANGED": (
        lambda: codes([{**GOOD, "progress": LONG}], last={"progress": LONG + " "}),
        lambda: codes([{**GOOD, "progress": LONG}], last={"progress": "上期做的是另一件事12次。"}),
    ),
    "COPIED_FROM_PLAN": (
        lambda: codes([{**GOOD, "progress": "组织开展全市湿地资源调查，建立湿地资源档案"}]),
        lambda: codes([{**GOOD, "progress": "组织开展全市湿地资源调查3次，查清湿地12处。"}]),
    ),
    "NO_FIGURE": (
        lambda: codes([{**GOOD, "progress": "积极开展了宣传工作"}]),
        lambda: codes([{**GOOD, "progress": "开展宣传三次"}]),
    ),
    "TEXT_TOO_LONG": (
        lambda: codes([{**GOOD, "remark": "长1" * 1501}]),
        lambda: codes([{**GOOD, "remark": "长1" * 1500}]),
    ),
    "TEXT_CUT": (
        lambda: codes([{**GOOD, "features": "字" * 255}]),
        lambda: codes([{**GOOD, "features": "字" * 254 + "。"}]),
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
        "0812 3333333",
        "138 1234 5678",
        "(0812)3333333",
        "（0812）3333333",
        "0812-3333333 转 801",
        "0812-3333333转分机801",
        "+86 13900000000",
        "0812–3333333",
        "13900000000（办）",
        "13900000000 0812-1234567",
        "13900000000或0812-1234567",
    ],
)
def test_real_ways_to_write_a_number_are_phones(text):
    assert is_phone(text)


@pytest.mark.parametrize("text", ["", "无", "1390000000", "12900000000", "139000000001", "张三"])
def test_what_cannot_be_dialled_is_not(text):
    assert not is_phone(text)


def test_a_text_in_which_only_the_figures_changed_is_told_apart_from_the_same_text():
    returned = Return(
        *(FormKind.RETURN, "U01", Period(2024, 2), SIGNED, {}),
        (Entry("T01", {**GOOD, "progress": LONG.replace("12", "15")}),),
    )
    duties = {"T01": Obligation("U01", "T01", Role.LEAD, True)}
    before = {"T01": Entry("T01", {"progress": LONG})}
    (finding,) = judge(Case(returned, PLAN, duties, last=before))
    assert (finding.code, "只有数字不同" in finding.message) == ("UNCHANGED", True)


@pytest.mark.parametrize(
    ("tuning", "entry", "code"),
    [
        (Rules(long_text=10), {**GOOD, "remark": "一二三四五六七八九十1"}, "TEXT_TOO_LONG"),
        (
            Rules(unfinished_words=("回访",)),
            {**GOOD, "status": "已完成", "next_steps": "定期回访"},
            "DONE_BUT_UNFINISHED",
        ),
        (Rules(same_text_from=4), {**GOOD, "progress": "编制保护规划"}, "COPIED_FROM_PLAN"),
    ],
)
def test_thresholds_and_words_are_settings(tuning, entry, code):
    assert code in codes([entry], tuning=tuning)
    assert code not in codes([entry])


def test_every_finding_can_be_switched_off():
    returned = Return(FormKind.RETURN, "U01", Period(2024, 2), {}, {}, ())
    case = Case(returned, PLAN, {})
    assert {finding.code for finding in judge(case)} == {"HEADER_BLANK"}
    assert judge(replace(case, tuning=Rules(off={"HEADER_BLANK"}))) == ()


def test_the_weight_of_a_finding_is_a_setting():
    returned = Return(FormKind.RETURN, "U01", Period(2024, 2), {}, {}, ())
    heavy = Rules(severity=dict.fromkeys(("HEADER_BLANK", "NO_FIGURE"), Severity.ERROR))
    assert all(finding.is_error for finding in judge(Case(returned, PLAN, {}, tuning=heavy)))


UNITS = tuple(Unit(f"U0{n}", f"第{n}局", UnitKind.DEPARTMENT) for n in (1, 2, 3))
WIDE = Plan("方案", PLAN.parts, UNITS, PLAN.items)
ROLES = {("U01", "T01"): Role.LEAD, ("U02", "T01"): Role.RESPONSIBLE, ("U03", "T01"): Role.COUNTY}


def compared(*answers, fillers=(), contacts=None, off=frozenset()):
    """Codes by unit; one return for each of `answers`."""
    returns = [
        Filed(unit.code, {"T01": Entry("T01", texts)}, {"filler": filler})
        for unit, texts, filler in zip(UNITS, answers, [*fillers, "", "", ""], strict=False)
    ]
    quarter = Quarter(WIDE, returns, ROLES, contacts or {}, tuning=Rules(off=off))
    found = compare(quarter)
    return {unit: [finding.code for finding in findings] for unit, findings in found.items()}


def said(progress, status="推进中"):
    return {"progress": progress, "status": status}


QUARTER_CASES = {
    "SAME_AS_ANOTHER": (
        lambda: compared(said(LONG), said("另外做的事"), said(LONG + "。")),
        {"U01": ["SAME_AS_ANOTHER"], "U03": ["SAME_AS_ANOTHER"]},
        lambda: compared(said("同样的短句"), said("同样的短句"), said(LONG)),
    ),
    "ROLES_CONTRADICT": (
        lambda: compared(said("甲1", "已完成"), said("乙1", "推进中"), said("丙1", "未启动")),
        {"U01": ["ROLES_CONTRADICT"], "U03": ["ROLES_CONTRADICT"]},
        lambda: compared(said("甲1", "推进中"), said("乙1", "已完成"), said("丙1", "未启动")),
    ),
    "CONTACT_STALE": (
        lambda: compared(
            said("甲1"),
            said("乙1"),
            fillers=("孙某", "钱某"),
            contacts={"U01": [PERSON], "U02": [PERSON]},
        ),
        {"U01": ["CONTACT_STALE"]},
        lambda: compared(said("甲1"), fillers=("孙某",)),
    ),
}


@pytest.mark.parametrize("code", QUARTER_CASES)
def test_the_rule_that_compares_units_fires_where_it_should_and_only_there(code):
    fires, units, silent = QUARTER_CASES[code]
    assert fires() == units
    assert silent() == {}


def test_every_rule_that_compares_units_has_a_case_and_can_be_switched_off():
    assert {rule.code for rule in quarter_wide_rules()} == set(QUARTER_CASES)
    assert all(rule.why.endswith("。") for rule in quarter_wide_rules())
    assert compared(said(LONG), said(LONG), off=frozenset({"SAME_AS_ANOTHER"})) == {}


@pytest.mark.parametrize("status", ["本季度无进展", "不涉及"])
def test_a_reason_may_be_the_same_as_before_and_as_anothers(status):
    reason = "经梳理，本季度本单位没有此项工作的任务安排。"
    entry = {**GOOD, "status": status, "progress": reason}
    assert "UNCHANGED" not in codes([entry], last={"progress": reason})
    assert compared(said(reason, status), said(reason, status)) == {}


@pytest.mark.parametrize(
    "plans",
    ["无尚未完成的事项。", "启动第二阶段成果应用，加快成果转化。", "争取更多项目资金支持。"],
)
def test_done_goes_with_plans_that_leave_nothing_undone(plans):
    assert "DONE_BUT_UNFINISHED" not in codes([{**GOOD, "status": "已完成", "next_steps": plans}])


def test_a_named_document_is_a_concrete_output():
    text = "印发《湿地保护实施方案》，建立联席会议制度。"
    assert "NO_FIGURE" not in codes([{**GOOD, "progress": text}])


@pytest.mark.parametrize(
    "text",
    [
        "1. 组织开展全市湿地资源调查，建立湿地资源档案。",
        "开展湿地保护，编制保护规划并组织实施。组织开展全市湿地资源调查，建立湿地资源档案。",
        "我局认真：组织开展全市湿地资源调查，建立湿地资源档案。",
    ],
)
def test_the_plans_sentences_with_a_few_words_about_them_are_copied(text):
    assert "COPIED_FROM_PLAN" in codes([{**GOOD, "progress": text}])


@pytest.mark.parametrize("filler", ["钱某、孙某", "钱某（生态科）", "钱某 13900000000"])
def test_a_filler_named_with_more_than_the_name_is_no_stale_contact(filler):
    assert compared(said("甲1"), fillers=(filler,), contacts={"U01": [PERSON]}) == {}


def test_contradictions_are_said_once_for_an_item_however_many_units_are_opposed():
    found = compared(said("甲1", "已完成"), said("乙1", "未启动"), said("丙1", "未启动"))
    assert found == {unit: ["ROLES_CONTRADICT"] for unit in ("U01", "U02", "U03")}


def test_of_many_who_wrote_the_same_three_others_are_named_and_all_are_counted():
    units = tuple(Unit(f"A{n}", f"第{n}局", UnitKind.DEPARTMENT) for n in range(100, 2100))
    plan = Plan("方案", PLAN.parts, units, PLAN.items)
    returns = [Filed(unit.code, {"T01": Entry("T01", said(LONG))}) for unit in units]
    found = compare(Quarter(plan, returns, {}))
    assert len(found) == 2000
    assert "与第101局、第102局、第103局等 1999 个所报相同" in found["A100"][0].message
    assert "与第100局、第101局、第103局等 1999 个所报相同" in found["A102"][0].message


def test_texts_are_compared_by_their_letters_and_digits_in_every_script():
    chars = [chr(n) for n in range(0xD800)] + [chr(n) for n in range(0x1F000, 0x20100)]
    kept = [char for char in chars if unicodedata.normalize("NFKC", char) == char == char.lower()]
    wanted = [char for char in kept if unicodedata.category(char)[0] in "LN"]
    assert core("".join(kept)) == unicodedata.normalize("NFKC", "".join(wanted))
    assert len(wanted) > 30000


def test_every_code_of_a_finding_is_known_so_that_it_can_be_switched_off():
    import bioduty_xl
    from bioduty_xl.desk import CODES

    root = Path(bioduty_xl.__file__).parent
    said = {
        code
        for name in ("intake/reader.py", "desk.py", "reception.py")
        for code in re.findall(
            r'^\s+"([A-Z]+(?:_[A-Z]+)*)",$|_repair\(\s*"([A-Z_]+)"',
            (root / name).read_text("utf-8"),
            re.M,
        )
        for code in code
        if code
    }
    assert len(said) > 10
    assert said <= CODES
