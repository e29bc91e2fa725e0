from datetime import date
from itertools import combinations

import pytest

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Role, Unit, UnitKind
from bioduty_xl.domain.register import (
    ChangeKind,
    DayChange,
    Exemption,
    Extension,
    MailAddress,
    Plans,
    Problem,
    Register,
    UnitChange,
    changed,
)
from bioduty_xl.layout.packaged import PLAN, packaged
from bioduty_xl.plan.book import read_plan

Q2, Q3, Q4 = Period(2024, 2), Period(2024, 3), Period(2024, 4)
FOREST, FARM, FINANCE = "U02", "U03", "U12"


@pytest.fixture(scope="module")
def plan():
    return read_plan(packaged(PLAN))


def renamed(unit, name, since=Q3):
    return UnitChange(since, ChangeKind.RENAMED, unit, name)


def replaced(unit, name, since=Q3):
    return UnitChange(since, ChangeKind.REPLACED, unit, name)


def merged(unit, into, since=Q3):
    return UnitChange(since, ChangeKind.MERGED, unit, into)


def roles(plan, unit):
    """(item, role) of everything that a unit answers for."""
    return {(one.item, one.role) for one in plan.obligations() if one.unit == unit}


def named_in(plan, unit):
    """Keys of the measures that name a unit."""
    return {m.key for item in plan.items for m in item.measures if unit in m.units}


# One unit under another name


@pytest.mark.parametrize("change", [renamed, replaced])
def test_a_unit_under_another_name_keeps_code_duties_and_old_names(plan, change):
    after = changed(plan, [change("市林业局", "市自然保护局")])
    old, new = plan.by_code[FOREST], after.by_code[FOREST]
    assert new == Unit(FOREST, "市自然保护局", UnitKind.DEPARTMENT, old.spellings)
    assert after.obligations() == plan.obligations()
    assert [unit.code for unit in after.units] == [unit.code for unit in plan.units]
    assert {after.find_unit(name) for name in ("市自然保护局", "市林业局", "U02")} == {new}
    assert after.problems() == ()


def test_measures_name_a_renamed_unit_as_before(plan):
    after = changed(plan, [renamed("市林业局", "市自然保护局")])
    assert named_in(plan, FOREST)
    assert named_in(after, FOREST) == named_in(plan, FOREST)


def test_a_unit_may_take_one_of_its_own_spellings_for_its_name(plan):
    new = changed(plan, [renamed("市林业局", "市林业和草原局")]).by_code[FOREST]
    assert new.name == "市林业和草原局"
    assert sorted(new.spellings) == sorted(plan.by_code[FOREST].spellings)


def test_past_periods_keep_the_old_name(plan):
    changes = [renamed("市林业局", "市自然保护局", Q3), renamed("市自然保护局", "市绿化局", Q4)]

    def name_in(period):
        held = [change for change in changes if change.since <= period]
        return changed(plan, held).by_code[FOREST].name

    assert [name_in(period) for period in (Q2, Q3, Q4)] == ["市林业局", "市自然保护局", "市绿化局"]


# Two units that become one


def small_plan(**roles_of_old_and_new):
    """A plan of one item, in which U01 and U02 have roles by role name, and U03 leads."""
    places = {"lead": ["U03"], "responsible": [], "counties": []}
    for place, codes in roles_of_old_and_new.items():
        places[place] += codes
    units = tuple(Unit(f"U0{n}", f"市第{n}局", UnitKind.DEPARTMENT) for n in (1, 2, 3))
    measure = Measure("T01-M1", "由市第1局落实。")
    lists = {key: tuple(codes) for key, codes in places.items()}
    item = Item("T01", 1, 1, "一", "文", **lists, measures=(measure,))
    return Plan("方案", (Part(1, "一"),), units, (item,)).with_named_units()


@pytest.mark.parametrize(("one", "other"), [*combinations(("lead", "responsible", "counties"), 2)])
@pytest.mark.parametrize("old_is_higher", [True, False])
def test_a_unit_with_two_roles_after_a_merger_keeps_the_higher(one, other, old_is_higher):
    old, new = ("U01", "U02") if old_is_higher else ("U02", "U01")
    before = small_plan(**{one: ["U01"], other: ["U02"]})
    after = changed(before, [merged(before.by_code[old].name, before.by_code[new].name)])
    [item] = after.items
    held = {key: new in getattr(item, key) for key in ("lead", "responsible", "counties")}
    assert held == {key: key == one for key in held}
    assert all(code != old for code, _ in item.assignments)
    assert len(item.assignments) == 2
    assert after.problems() == ()


def test_a_role_that_both_units_had_is_held_once():
    after = changed(small_plan(responsible=["U01", "U02"]), [merged("市第1局", "市第2局")])
    assert after.items[0].assignments == (("U03", Role.LEAD), ("U02", Role.RESPONSIBLE))


def test_a_merged_unit_leaves_its_duties_and_spellings_to_the_other(plan):
    after = changed(plan, [merged("市农牧局", "市林业局")])
    heir = after.by_code[FOREST]
    assert FARM not in after.by_code
    assert heir.name == "市林业局"
    assert set(plan.by_code[FARM].spellings) < set(heir.aliases)
    items = {item for item, _ in roles(plan, FOREST) | roles(plan, FARM)}
    assert {item for item, _ in roles(after, FOREST)} == items
    leading = {
        item for code in (FOREST, FARM) for item, role in roles(plan, code) if role == "牵头"
    }
    assert {item for item, role in roles(after, FOREST) if role == "牵头"} == leading
    assert after.problems() == ()


def test_other_units_are_not_touched_by_a_merger(plan):
    after = changed(plan, [merged("市农业农村局", "市林业局")])
    for unit in plan.units:
        if unit.code not in (FOREST, FARM):
            assert after.by_code[unit.code] == unit
            assert roles(after, unit.code) == roles(plan, unit.code)
            assert named_in(after, unit.code) == named_in(plan, unit.code)


def test_measures_that_named_the_merged_unit_name_the_other(plan):
    after = changed(plan, [merged("市农业农村局", "市林业局")])
    assert named_in(plan, FARM) - named_in(plan, FOREST)
    assert named_in(after, FOREST) == named_in(plan, FOREST) | named_in(plan, FARM)


def test_a_chain_of_changes(plan):
    changes = [
        renamed("市农业农村局", "市乡村局", Q3),
        merged("市乡村局", "市财政局", Q4),
        renamed("市财政局", "市财务局", Q4),
    ]
    after = changed(plan, changes)
    heir = after.by_code[FINANCE]
    assert heir.name == "市财务局"
    for name in ("市财政局", "市乡村局", "市农业农村局", "市农牧局"):
        assert after.find_unit(name) == heir
    assert named_in(after, FINANCE) == named_in(plan, FINANCE) | named_in(plan, FARM)
    assert after.problems() == ()


def test_no_changes_leave_the_plan_as_it_is(plan):
    assert changed(plan, []) == plan


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (renamed("市农机局", "市乡村局"), "责任分工方案中没有“市农机局”"),
        (renamed("市农业局", "市林草局"), "“市林草局”已是市林业局的名称，合并的请选“并入”"),
        (replaced("市农业局", "U02"), "“U02”已是市林业局的名称"),
        (merged("市农业局", "市乡村局"), "并入的单位“市乡村局”不在责任分工方案中"),
        (merged("市农业局", "市农牧局"), "“市农牧局”就是市农业农村局，不能并入自身"),
    ],
)
def test_a_change_that_cannot_be_made(plan, change, why):
    with pytest.raises(ValueError, match=why):
        changed(plan, [change])


# Who was merged into whom


def test_predecessors_are_those_merged_with_the_start_of_a_period(plan):
    changes = [
        renamed("市农业农村局", "市乡村局", Q2),
        merged("市司法局", "市财政局", Q2),
        merged("市乡村局", "市财政局", Q3),
        merged("市审计局", "市财政局", Q3),
    ]
    assert Plans(plan, changes).predecessors(Q2) == {FINANCE: ["U04"]}
    assert Plans(plan, changes).predecessors(Q3) == {FINANCE: [FARM, "U22"]}
    assert Plans(plan, changes).predecessors(Q4) == {}


def test_a_unit_merged_on_in_the_same_period_hands_on_its_predecessors(plan):
    changes = [merged("市司法局", "市审计局"), merged("市审计局", "市财政局")]
    assert Plans(plan, changes).predecessors(Q3) == {FINANCE: ["U04", "U22"]}


def test_a_replaced_unit_has_no_predecessor_but_itself(plan):
    assert Plans(plan, [replaced("市审计局", "市监督局")]).predecessors(Q3) == {}


# Small things


def test_a_problem_says_where_it_is():
    assert str(Problem("延期", 4, "有误")) == "“延期”第 4 行：有误"
    assert str(Problem("延期", 0, "缺少列")) == "“延期”：缺少列"
    assert str(Problem("", 0, "打不开")) == "打不开"


def test_days_have_both_ends():
    days = DayChange(date(2024, 2, 28), date(2024, 3, 1), works=False).days
    assert [str(day) for day in days] == ["2024-02-28", "2024-02-29", "2024-03-01"]


def test_entries_stand_sheet_by_sheet():
    extension, exemption = Extension("U01", Q2, date(2024, 7, 5)), Exemption("U02", Q2, "撤并")
    change, address = renamed("甲", "乙"), MailAddress("U01", "a@example.org")
    register = Register(
        addresses=(address,), changes=(change,), exemptions=(exemption,), extensions=(extension,)
    )
    assert register.entries == (extension, exemption, change, address)
