from dataclasses import replace
from unicodedata import normalize

import pytest

from bioduty_xl.domain.plan import (
    Ground,
    Item,
    Measure,
    Obligation,
    Part,
    Plan,
    Role,
    Unit,
    UnitKind,
    _folded,
    fold,
    units_named_in,
)

FORESTRY = Unit("U01", "市林业局", UnitKind.DEPARTMENT, ("市林草局", "Forestry Bureau"))
OFFICE = Unit("U02", "市委办公室", UnitKind.DEPARTMENT, ("市委办",))
AUDIT = Unit("U03", "市审计局", UnitKind.DEPARTMENT)
EAST = Unit("C01", "东区人民政府", UnitKind.COUNTY, ("东区", "东区政府"))
PARTS = (Part(1, "甲"),)
UNITS = (FORESTRY, OFFICE, AUDIT, EAST)


def item(no, part=1, lead=(), responsible=(), counties=(), measures=("各单位落实。",)):
    key = f"T{no:02d}"
    texts = tuple(Measure(f"{key}-M{n}", text) for n, text in enumerate(measures, start=1))
    return Item(key, no, part, f"任务{no}", "内容。", lead, responsible, counties, texts)


def plan_of(*items, units=UNITS, parts=PARTS):
    return Plan("方案", parts, units, items).with_named_units()


SOUND = plan_of(
    item(
        1, lead=("U01",), responsible=("U02", "U03"), counties=("C01",), measures=("市审计局办。",)
    ),
    item(2, responsible=("U02",)),
)


def grounds_of(plan, key, unit, role):
    return plan.by_key[key].grounds(unit, role)


# Obligations


def test_an_obligation_is_a_unit_an_item_and_a_role_in_the_plans_order():
    assert SOUND.obligations() == (
        Obligation("U01", "T01", Role.LEAD, required=True),
        Obligation("U02", "T01", Role.RESPONSIBLE, required=False),
        Obligation("U03", "T01", Role.RESPONSIBLE, required=True),
        Obligation("C01", "T01", Role.COUNTY, required=True),
        Obligation("U02", "T02", Role.RESPONSIBLE, required=True),
    )


def test_each_ground_of_the_rule_has_its_own_case():
    assert grounds_of(SOUND, "T01", "U01", Role.LEAD) == {Ground.LEAD}
    assert grounds_of(SOUND, "T01", "U02", Role.RESPONSIBLE) == frozenset()
    assert grounds_of(SOUND, "T01", "U03", Role.RESPONSIBLE) == {Ground.NAMED}
    assert grounds_of(SOUND, "T01", "C01", Role.COUNTY) == {Ground.COUNTY}
    assert grounds_of(SOUND, "T02", "U02", Role.RESPONSIBLE) == {Ground.SOLE}


def test_grounds_add_up():
    plan = plan_of(item(1, responsible=("U01",), measures=("甲。", "市林草局办。")))
    assert grounds_of(plan, "T01", "U01", Role.RESPONSIBLE) == {Ground.SOLE, Ground.NAMED}


@pytest.mark.parametrize(
    ("rule", "required"),
    [
        (frozenset(), set()),
        (frozenset({Ground.LEAD}), {("U01", "T01")}),
        (frozenset({Ground.SOLE}), {("U02", "T02")}),
        (frozenset({Ground.NAMED}), {("U03", "T01")}),
        (frozenset({Ground.COUNTY}), {("C01", "T01")}),
        (frozenset({Ground.LEAD, Ground.COUNTY}), {("U01", "T01"), ("C01", "T01")}),
    ],
)
def test_the_rule_is_a_setting(rule, required):
    obligations = SOUND.obligations(rule)
    assert len(obligations) == 5
    assert {(one.unit, one.item) for one in obligations if one.required} == required


def test_a_duty_is_worded_as_the_form_prints_it():
    assert [one.duty for one in SOUND.obligations()] == [
        "牵头（必报）",
        "责任（选报）",
        "责任（必报）",
        "属地（必报）",
        "责任（必报）",
    ]


# Finding units


@pytest.mark.parametrize(
    "text",
    [
        "U01",
        "u01",
        " U01 ",
        "Ｕ０１",
        "市林业局",
        " 市 林业局\u3000",
        "市林草局",
        "FORESTRY bureau",
    ],
)
def test_a_unit_is_found_by_code_name_or_alias(text):
    assert SOUND.find_unit(text) is FORESTRY


@pytest.mark.parametrize("text", ["", " ", "林业局", "市林业局办公室", "U99"])
def test_what_is_no_spelling_of_a_unit_finds_none(text):
    assert SOUND.find_unit(text) is None


def test_folding_forgets_width_blanks_and_case():
    assert fold("（Ａ b\u3000Ｃ\n）") == "(abc)"


def test_folding_is_nfkc_for_every_character_beside_every_common_one():
    chars = [chr(n) for n in range(0x11000) if not 0xD800 <= n < 0xE000]
    for before, after in ("", ""), ("，", "́"), ("ｶ", "ﾞ"), ("가", "ᆨ"):
        for char in chars:
            text = before + char + after
            assert _folded(text) == "".join(normalize("NFKC", text).split()).lower()


def test_units_and_items_and_parts_are_found_by_their_keys():
    assert SOUND.by_code["C01"] is EAST
    assert SOUND.part_of(SOUND.by_key["T02"]) == Part(1, "甲")


# Units that a text names


def test_units_in_a_text_come_in_the_plans_order():
    assert units_named_in("市审计局、市林业局牵头。", UNITS) == ("U01", "U03")


def test_an_alias_counts_as_the_name():
    assert units_named_in("市林草局牵头。", UNITS) == ("U01",)


def test_the_longest_spelling_wins():
    longer = Unit("U09", "市委办公室机要局", UnitKind.DEPARTMENT)
    assert units_named_in("市委办公室机要局牵头。", (*UNITS, longer)) == ("U09",)
    assert units_named_in("市委办公室机要局、市委办牵头。", (*UNITS, longer)) == ("U02", "U09")


def test_a_spelling_of_two_characters_is_too_common_to_count():
    assert units_named_in("东区的林地。", UNITS) == ()
    assert units_named_in("东区政府落实。", UNITS) == ("C01",)


def test_a_text_that_names_nobody_names_nobody():
    assert units_named_in("各责任单位按职能职责落实。", UNITS) == ()


def test_names_are_read_anew_from_changed_texts():
    (measure,) = SOUND.by_key["T01"].measures
    assert measure.units == ("U03",)
    changed = replace(SOUND.items[0], measures=(replace(measure, text="市林业局办。"),))
    assert replace(SOUND, items=(changed,)).with_named_units().items[0].measures[0].units == (
        "U01",
    )


# Problems


def test_a_sound_plan_has_no_problems():
    assert SOUND.problems() == ()


WHOLE = item(1, lead=("U01",), responsible=("U02", "U03"), counties=("C01",))


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            plan_of(WHOLE, units=(*UNITS, replace(AUDIT, name="市财政局"))),
            "单位代码“U03”出现了 2 次",
        ),
        (
            plan_of(WHOLE, replace(WHOLE, no=2, measures=item(2).measures)),
            "任务编号“T01”出现了 2 次",
        ),
        (plan_of(WHOLE, replace(item(2, lead=("U01",)), no=1)), "任务序号“1”出现了 2 次"),
        (
            plan_of(
                replace(WHOLE, measures=(Measure("T01-M1", "甲。"), Measure("T01-M1", "乙。")))
            ),
            "举措编号“T01-M1”出现了 2 次",
        ),
        (plan_of(WHOLE, parts=(Part(1, "甲"), Part(1, "乙"))), "部分序号“1”出现了 2 次"),
        (plan_of(WHOLE, parts=(Part(1, "甲"), Part(2, "乙"))), "第 2 部分“乙”没有任务"),
        (plan_of(WHOLE, item(2, part=3, lead=("U01",))), "T02 所属的第 3 部分不存在"),
        (plan_of(WHOLE, item(2)), "T02“任务2”没有牵头单位，也没有责任单位"),
        (plan_of(WHOLE, item(2, lead=("U01",), measures=())), "T02“任务2”没有主要举措"),
        (plan_of(WHOLE, item(2, lead=("U77",))), "T02 的分工中有未登记的单位“U77”"),
        (
            plan_of(WHOLE, item(2, lead=("U01",), responsible=("U01",))),
            "T02 分工：单位“市林业局”出现了 2 次",
        ),
        (
            plan_of(replace(WHOLE, responsible=("U02",))),
            "单位“市审计局”（U03）没有承担任何任务，请补充分工或删去该单位",
        ),
        (
            plan_of(WHOLE, units=(FORESTRY, OFFICE, replace(AUDIT, aliases=("市 林草局",)), EAST)),
            "“市林草局”同时是“市林业局”和“市审计局”的名称或简称，请改掉一处",
        ),
    ],
)
def test_each_problem_is_told_alone(plan, problem):
    assert plan.problems() == (problem,)


@pytest.mark.parametrize(("code", "key"), [("U2", "T01"), ("u02", "T01"), ("U02", "T01a")])
def test_codes_that_the_forms_marks_cannot_carry_are_problems(code, key):
    unit = Unit(code, "甲局", UnitKind.DEPARTMENT)
    item = Item(key, 1, 1, "任务", "…", (code,), (), (), (Measure(f"{key}-M1", "…"),))
    (problem,) = Plan("方案", (Part(1, "一"),), (unit,), (item,)).problems()
    assert code in problem or key in problem
