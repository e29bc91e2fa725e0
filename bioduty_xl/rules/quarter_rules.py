"""Rules that compare the returns of several units, judged when a period is looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from bioduty_xl.domain.plan import Role, fold
from bioduty_xl.domain.returns import (
    CONTACT_STALE,
    NOTHING_TO_REPORT,
    Entry,
    Progress,
    Severity,
    progress_of,
)
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.rules.rule import Hit, Quarter, QuarterRule
from bioduty_xl.rules.text_rules import core


def same_as_another(quarter: Quarter) -> Iterator[tuple[str, Hit]]:
    """The same words as another unit, about whatever item."""
    owners: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
    for filed in quarter.returns:
        for entry in filed.entries.values():
            text = core(entry["progress"])
            work = (
                "progress" not in entry.unreadable and progress_of(entry) not in NOTHING_TO_REPORT
            )
            if work and len(text) >= quarter.tuning.same_text_from:
                owners[text].append((filed.unit, entry))
    for same in owners.values():
        units = list(dict.fromkeys(unit for unit, _ in same))
        for unit, entry in same if len(units) > 1 else ():
            others = (quarter.plan.by_code[other].name for other in units if other != unit)
            who = _listed(list(islice(others, _NAMED)), len(units) - 1)
            yield unit, Hit.at(entry, "progress", f"与{who}所报相同，请写本单位自己的工作")


def roles_contradict(quarter: Quarter) -> Iterator[tuple[str, Hit]]:
    """The lead says 已完成 and another unit 未启动 of the same item, or the other way round."""
    saying = _saying(quarter)
    for item in quarter.plan.items:
        leads, others = saying[item.key, True], saying[item.key, False]
        for mine, theirs in ((leads, others), (others, leads)):
            for said, contrary in _CONTRARY:
                opposed = [quarter.plan.by_code[unit].name for unit, _ in theirs.get(contrary, ())]
                for unit, entry in mine.get(said, ()) if opposed else ():
                    yield (
                        unit,
                        Hit.at(
                            entry,
                            "status",
                            f"同一项任务，{_listed(opposed)}报“{contrary.value}”，本单位报“{said.value}”，"
                            "请会商核对，改为相符的状态或在备注中说明",
                        ),
                    )


_CONTRARY = (
    (Progress.DONE, Progress.NOT_STARTED),
    (Progress.NOT_STARTED, Progress.DONE),
)


def contact_stale(quarter: Quarter) -> Iterator[tuple[str, Hit]]:
    """A return filled by somebody else than the contacts that the unit named."""
    for filed in quarter.returns:
        filler = fold(filed.header.get("filler", ""))
        names = [contact.name for contact in quarter.contacts.get(filed.unit, ()) if contact.name]
        if filler and names and not any(fold(name) in filler for name in names):
            label = RETURN_FORM.field_by_key["filler"].label
            yield (
                filed.unit,
                Hit(
                    f"{label}“{filed.header['filler'].strip()}”不在联系人名单（{_listed(names)}）中，"
                    "联系人如有变动，请重新报送联系人名单",
                    RETURN_FORM.title,
                ),
            )


_Said = dict[Progress, list[tuple[str, Entry]]]
"""Which units chose a word for an item, each with its row."""


def _saying(quarter: Quarter) -> dict[tuple[str, bool], _Said]:
    """What the units that lead an item (True), and all others (False), chose for it."""
    found: dict[tuple[str, bool], _Said] = defaultdict(lambda: defaultdict(list))
    for filed in quarter.returns:
        for item, entry in filed.entries.items():
            role, chosen = quarter.roles.get((filed.unit, item)), progress_of(entry)
            if role is not None and chosen is not None:
                found[item, role is Role.LEAD][chosen].append((filed.unit, entry))
    return found


_NAMED = 3
"""So many units are named; of more it is said how many they are."""


def _listed(names: list[str], count: int = 0) -> str:
    """The first names, and how many there are: `count` where not all were given."""
    count = count or len(names)
    return "、".join(names[:_NAMED]) + (f"等 {count} 个" if count > _NAMED else "")


RULES = (
    QuarterRule(
        "SAME_AS_ANOTHER",
        Severity.WARNING,
        "几个单位一字不差，多半是转抄。",
        "改写为本单位自己的工作。",
        same_as_another,
    ),
    QuarterRule(
        "ROLES_CONTRADICT",
        Severity.WARNING,
        "同一项任务，牵头单位报已完成而责任单位报未启动（或者相反），汇总时无法解释。",
        "有关单位会商核对，改为相符的状态，或者在备注中说明。",
        roles_contradict,
    ),
    QuarterRule(
        CONTACT_STALE,
        Severity.WARNING,
        "填报人不在已报的联系人名单中，名单可能过时，催报会找错人。",
        "联系人有变动的，重新报送联系人名单。",
        contact_stale,
    ),
)
