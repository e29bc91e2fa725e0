"""Rules on the single answers of a return form."""

from __future__ import annotations

from collections.abc import Iterator

from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.returns import (
    ANSWERED,
    NOTHING_TO_REPORT,
    Entry,
    ItemState,
    Progress,
    Severity,
    progress_of,
    reason_in,
    state_of,
)
from bioduty_xl.layout.columns import Filler
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.layout.table import text_of
from bioduty_xl.rules.rule import Case, Hit, Rule, quoted

_ASKED = RETURN_FORM.filled_by(Filler.UNIT)


def required_blank(case: Case) -> Iterator[Hit]:
    """A required item without a word."""
    for entry in _required(case):
        if progress_of(entry) not in NOTHING_TO_REPORT and case.wording.is_blank(entry["progress"]):
            yield Hit.at(
                entry,
                "progress",
                f"必报项没有填写“{_heading('progress')}”，请填写本季度做了什么、取得什么结果",
            )


def placeholder(case: Case) -> Iterator[Hit]:
    """A required item with a word that says nothing."""
    for entry in _required(case):
        text = entry["progress"] if "progress" not in entry.unreadable else ""
        if progress_of(entry) not in NOTHING_TO_REPORT and case.wording.is_placeholder(text):
            yield Hit.at(
                entry,
                "progress",
                f"“{text.strip()}”不能作为工作开展情况，请写明具体工作；"
                f"确无进展的，状态选“{Progress.NO_PROGRESS.value}”并说明原因",
            )


def nothing_without_reason(case: Case) -> Iterator[Hit]:
    """本季度无进展 or 不涉及, and no reason given."""
    for entry in case.returned.entries:
        chosen = progress_of(entry)
        if chosen in NOTHING_TO_REPORT and not reason_in(entry, case.wording):
            yield Hit.at(
                entry,
                "progress",
                f"进展状态为“{chosen.value}”，但没有说明原因，"
                f"请在“{_heading('progress')}”或“{_heading('remark')}”中写明",
            )


def status_missing(case: Case) -> Iterator[Hit]:
    """An answer without a 进展状态."""
    for entry in case.returned.entries:
        if case.wording.is_answer(entry["progress"]) and case.wording.is_blank(entry["status"]):
            yield Hit.at(entry, "status", "没有选择进展状态，请从下拉列表中选择")


def status_unknown(case: Case) -> Iterator[Hit]:
    """A 进展状态 that the list does not offer."""
    offered = "、".join(RETURN_FORM["status"].choices)
    for entry in case.returned.entries:
        chosen = entry["status"] if "status" not in entry.unreadable else ""
        if not case.wording.is_blank(chosen) and progress_of(entry) is None:
            said = quoted(chosen.strip())
            yield Hit.at(entry, "status", f"进展状态“{said}”不在列表中，请选：{offered}")


def locked_altered(case: Case) -> Iterator[Hit]:
    """A cell that the plan filled says something else now."""
    for entry in case.returned.entries:
        for key, printed in _printed(case, entry).items():
            now = entry.answers.get(key, printed)
            if now != printed and fold(text_of(now)) != fold(printed):
                yield Hit.at(
                    entry,
                    key,
                    f"“{_heading(key)}”原为“{quoted(printed)}”，现为“{quoted(entry[key])}”，"
                    "请核对本行答复是否错行，并恢复原文",
                )


def _printed(case: Case, entry: Entry) -> dict[str, str]:
    """What the form printed in a row, by column key, as far as it is known now."""
    item = case.plan.by_key[entry.item]
    printed = {
        "no": str(item.no),
        "task": item.title,
        "measures": item.printed_measures(case.returned.unit),
    }
    duty, last = case.obligations.get(entry.item), case.last.get(entry.item)
    if duty is not None:
        printed["duty"] = duty.duty
    if last is not None and last["next_steps"].strip() and "next_steps" not in last.unreadable:
        printed["previous"] = last["next_steps"]
    return printed


def not_assigned(case: Case) -> Iterator[Hit]:
    """A row of an item that the unit no longer answers for."""
    for entry in case.returned.entries:
        if entry.item not in case.obligations and _is_filled(case, entry):
            yield Hit.at(
                entry, "progress", "现行责任分工方案中本单位不承担此项任务，答复未计入，请核实分工"
            )


def emptied(case: Case) -> Iterator[Hit]:
    """A revision that empties what an earlier one had answered."""
    for key, before in case.previous.items():
        if state_of(before, case.wording) not in ANSWERED:
            continue
        now = next((entry for entry in case.returned.entries if entry.item == key), None)
        if now is None or state_of(now, case.wording) is ItemState.NOT_FILLED:
            place = now or before
            yield Hit.at(
                place,
                "progress",
                "上一次返回时此项已填，这一次为空；如非有意清空，请补填后再次返回"
                f"（上次填的是：{quoted(before['progress'])}）",
            )


def _required(case: Case) -> Iterator[Entry]:
    entries = {entry.item: entry for entry in case.returned.entries}
    for duty in case.obligations.values():
        if duty.required and duty.item in entries:
            yield entries[duty.item]


def _is_filled(case: Case, entry: Entry) -> bool:
    return any(not case.wording.is_blank(entry[column.key]) for column in _ASKED)


def _heading(key: str) -> str:
    return RETURN_FORM[key].heading


RULES = (
    Rule(
        "REQUIRED_BLANK",
        Severity.ERROR,
        "必报项必须有答复；没有答复的计入缺项。",
        "填写本季度做了什么、取得什么结果；确无进展或者不涉及的，选相应的状态并说明原因。",
        required_blank,
    ),
    Rule(
        "PLACEHOLDER",
        Severity.ERROR,
        "“略”“同上”一类的词不是答复；只有这些词的计入缺项。",
        "写明具体工作；确无进展的，选“本季度无进展”并说明原因。",
        placeholder,
    ),
    Rule(
        "NO_REASON",
        Severity.ERROR,
        "报无进展或者不涉及，须让看的人知道原因；没有原因的计入缺项。",
        "在答复栏或者备注中写明原因。",
        nothing_without_reason,
    ),
    Rule(
        "STATUS_MISSING",
        Severity.WARNING,
        "有答复的项要有进展状态，否则无法按状态统计。",
        "从下拉列表中选一项。",
        status_missing,
    ),
    Rule(
        "STATUS_UNKNOWN",
        Severity.WARNING,
        "进展状态只用列表中的词，否则无法按状态统计。",
        "从下拉列表中重选一项。",
        status_unknown,
    ),
    Rule(
        "LOCKED_ALTERED",
        Severity.WARNING,
        "方案带出的内容被改动时，答复可能错行。",
        "核对本行答复是否对应本项任务，并恢复原文。",
        locked_altered,
    ),
    Rule(
        "NOT_ASSIGNED",
        Severity.WARNING,
        "现行方案中单位不承担的任务，答复不计入统计。",
        "核实分工；分工确有变动的，由经办人修改方案工作簿。",
        not_assigned,
    ),
    Rule(
        "EMPTIED",
        Severity.WARNING,
        "修订稿把先前已填的答复清空，多半是用了旧表。",
        "不是有意清空的，补填后再次返回。",
        emptied,
    ),
)
