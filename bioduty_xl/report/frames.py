"""One pandas frame for each sheet of the consolidated workbook.

Everything is merged from four tables (obligations, units, items, answers) built once from tuples.
Texts stay texts: frames hold Python objects, so that NA or 无 in an answer is never missing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from bioduty_xl.domain.chasing import Chased
from bioduty_xl.domain.plan import Plan, UnitKind
from bioduty_xl.domain.returns import (
    ANSWERED,
    CONTACT_STALE,
    MISSING,
    Contact,
    ItemState,
    Progress,
    Severity,
    Wording,
    progress_of,
)
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.domain.standing import Cell, Standing, UnitStanding, UnitState
from bioduty_xl.domain.verdict import Verdict, verdict_word
from bioduty_xl.layout.columns import OWN, Filler, Sheet
from bioduty_xl.layout.sheets import (
    CHANGES,
    CONTACTS,
    CONTACTS_FORM,
    DEFINITIONS,
    DETAIL,
    FILES,
    FINDINGS,
    LATE_RETURNS,
    MATRIX,
    MISSING_ITEMS,
    OVERDUE,
    OVERVIEW,
    PROBLEMS,
    RECEIPTS,
    REMINDERS,
    REPORT,
    RETURN_FORM,
)
from bioduty_xl.ledger import FileRecord
from bioduty_xl.report.evidence import AS_OF, Evidence, LateReturn
from bioduty_xl.report.themes import theme_of

Tables = Mapping[str, pd.DataFrame]
"""The frame of every sheet of a workbook, by the sheet's key."""

ANSWER_KEYS = tuple(column.key for column in RETURN_FORM.filled_by(Filler.UNIT))
"""Keys of the columns that units fill, in the form's order."""

ENTRY_COLUMNS = (
    *("period", "code", "unit", "kind", "item", "no", "part", "title", "role", "duty"),
    *("required", "state", *ANSWER_KEYS, "previous", "revision", "received"),
    *("file", "sheet", "cell"),
)
"""Columns of `entries`, in order."""

_KINDS = {FormKind.RETURN: "季度报送表", FormKind.CONTACTS: CONTACTS_FORM.title}
_UNIT_KINDS = {UnitKind.DEPARTMENT: "部门", UnitKind.COUNTY: "县（区）"}
_WEIGHTS = {Severity.ERROR: "错误", Severity.WARNING: "提示"}


def entries(evidence: Evidence) -> pd.DataFrame:
    """A row for each unit × item × role of the plan, answered or not, in plan order.

    Columns:
        period, code, unit, kind (`department` or `county`), item (`T01`), no, part (its title),
        title, role, duty, required (bool), state (one of the five words; empty where an optional
        obligation was left blank), then the answers by their column key (status, progress,
        features, problems, next_steps, remark) and previous, as typed; revision, received, file,
        sheet and cell of 工作开展情况 say where they came from (empty or None: no return).
        Columns that the coordinator added to the form follow, under `+` and their heading.
    """
    own = own_keys(evidence)
    duties = _frame(
        (
            "code",
            "item",
            "role",
            "duty",
            "required",
            "state",
            *ANSWER_KEYS,
            "previous",
            "sheet",
            "cell",
            "unreadable",
            "last_status",
            "last_problems",
            *own,
        ),
        [
            row
            for line in evidence.standing.units
            for row in (_duty_row(evidence, line, cell, own) for cell in line.cells)
        ],
    )
    sources = _frame(
        ("code", "revision", "received", "file"),
        [
            (code, file.revision, _naive(file.received), file.name)
            for code, file in evidence.newest.items()
        ],
    )
    merged = (
        duties.merge(_items(evidence.plan), on="item", validate="many_to_one")
        .merge(_units(evidence.plan), on="code", validate="many_to_one")
        .merge(sources, on="code", how="left", validate="many_to_one")
        .sort_values(["no", "unit_order"], kind="stable")
    )
    merged = merged.astype({"required": bool, "no": int})
    merged["period"] = str(evidence.standing.period)
    merged["file"] = merged["file"].where(merged["file"].notna(), "")
    blank = ["revision", "received"]
    merged[blank] = merged[blank].astype(object).where(merged[blank].notna(), None)
    return merged[[*ENTRY_COLUMNS, *own, *_HELPERS, "unit_order"]].reset_index(drop=True)


def own_keys(evidence: Evidence) -> tuple[str, ...]:
    """Keys of the columns that the coordinator added to the form and units filled, as met."""
    met: dict[str, None] = {}
    for line in evidence.standing.units:
        for cell in line.cells:
            answers = cell.entry.answers if cell.entry else {}
            for key in answers:
                if key[:1] == OWN and answers[key]:
                    met[key] = None
    return tuple(met)


def given_out(every: pd.DataFrame) -> pd.DataFrame:
    """`entries` without the columns that only the sheets are made from."""
    return every.drop(columns=[*_HELPERS, "unit_order"])


def sheets(evidence: Evidence, every: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """The frame of every sheet and of 与上期相比, by key; columns are the declared keys.

    Args:
        every: `entries` of the evidence, where they were merged already.
    """
    every = entries(evidence) if every is None else every
    return {
        OVERVIEW.key: overview(evidence),
        RECEIPTS.key: receipts(evidence),
        OVERDUE.key: overdue(evidence),
        MISSING_ITEMS.key: missing_items(evidence, every),
        MATRIX.key: matrix(evidence, every),
        DETAIL.key: detail(every, own_keys(evidence)),
        PROBLEMS.key: problems(evidence, every),
        CONTACTS.key: contact_list(evidence),
        FINDINGS.key: findings(evidence),
        FILES.key: files(evidence),
        **({LATE_RETURNS.key: late_returns(evidence)} if evidence.late else {}),
        DEFINITIONS.key: _frame(("name", "text"), list(evidence.definitions)),
        CHANGES.key: changes(evidence),
    }


def declared(tables: Mapping[str, pd.DataFrame]) -> tuple[Sheet, ...]:
    """The sheets of a consolidated workbook, in order: 补报 is among them where there is any."""
    more = (LATE_RETURNS,) if LATE_RETURNS.key in tables else ()
    return (*REPORT[:-1], *more, REPORT[-1])


def shown(evidence: Evidence, tables: Mapping[str, pd.DataFrame]) -> str:
    """A fingerprint of all that a workbook shows, its moment left out: it is worth writing anew
    only when this differs.
    """
    digest = hashlib.sha256(repr(evidence.plan.title).encode())
    for key, table in (*tables.items(), ("by_part", by_part(evidence))):
        if key == DEFINITIONS.key:
            table = table[table["name"] != AS_OF]
        _digest_rows(digest, [(key,), tuple(table.columns)])
        _digest_rows(digest, table.itertuples(index=False, name=None))
    return digest.hexdigest()


def _digest_rows(digest: hashlib._Hash, rows: Iterable[tuple[object, ...]]) -> None:
    """Rows as Python writes them, by which nothing is like anything else: an empty text, which is
    white in the matrix, is not like None, which is grey.
    """
    for row in rows:
        digest.update(repr(row).encode())


def overview(evidence: Evidence) -> pd.DataFrame:
    """The figures of `status --json`, named in Chinese."""
    standing = evidence.standing
    states = {state: len(standing.in_state(state)) for state in UnitState}
    rows = [
        ("应报单位", len(standing.expected)),
        ("已报单位", len(standing.returned)),
        *((state.word, states[state]) for state in _UNIT_STATES_SHOWN),
        ("必报事项", len(standing.required)),
        *((state.value, standing.count(state)) for state in _ITEM_STATES_SHOWN),
        ("缺项", standing.missing),
        ("收下的文件", standing.files.accepted),
        ("待处理的文件", standing.files.held),
        ("拒收的文件", standing.files.rejected),
    ]
    return _frame(_keys(OVERVIEW), rows)


def changes(evidence: Evidence) -> pd.DataFrame:
    """A quarter beside the one before: name, before, now, change; no rows where there was none.

    Newly finished items and carried problems are counted by unit × item of the units that reported
    both times.
    """
    last, now = evidence.last, evidence.standing
    if last is None:
        return _frame(_keys(CHANGES), [])
    pairs = [
        (evidence.before(line.unit.code, cell.obligation.item), cell.entry)
        for line in now.units
        for cell in line.cells
        if cell.entry is not None
    ]
    both = [(then, entry) for then, entry in pairs if then is not None and entry is not None]
    finished = sum(
        progress_of(entry) is Progress.DONE and progress_of(then) is not Progress.DONE
        for then, entry in both
    )
    carried = sum(
        evidence.wording.is_answer(then["problems"])
        and evidence.wording.is_answer(entry["problems"])
        for then, entry in both
    )
    figures = [
        ("已报单位", len(last.returned), len(now.returned)),
        ("缺项", last.missing, now.missing),
        ("完成率（%）", _rate(last), _rate(now)),
    ]
    rows: list[tuple[object, ...]] = [(name, a, b, b - a) for name, a, b in figures]
    rows += [("新完成的事项", None, finished, None), ("延续的问题", None, carried, None)]
    return _frame(_keys(CHANGES), rows)


def _rate(standing: Standing) -> int:
    """Required items answered, in whole per cent, cut: 100 is said of what is complete alone."""
    required = len(standing.required)
    return 100 * (required - standing.missing) // required if required else 0


def rate(part: int, whole: int) -> float | None:
    """A share, cut after a tenth of a per cent: 100 % is said of what is complete, and no less."""
    return part * 1000 // whole / 1000 if whole else None


_UNIT_STATES_SHOWN = (
    *(UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE),
    *(UnitState.NOT_DUE, UnitState.EXEMPT),
)
_ITEM_STATES_SHOWN = (ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE)


def by_part(evidence: Evidence) -> pd.DataFrame:
    """Required items of each part by state: part, then a column for each of the five states."""
    plan = evidence.plan
    counts = Counter(
        (plan.by_key[cell.obligation.item].part, cell.state) for cell in evidence.standing.required
    )
    rows = [
        (part.title, *(counts[part.no, state] for state in _STATE_ORDER)) for part in plan.parts
    ]
    return _frame(("part", *(state.value for state in _STATE_ORDER)), rows)


_STATE_ORDER = (
    *(ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE),
    *(ItemState.NOT_FILLED, ItemState.NOT_RETURNED),
)


def receipts(evidence: Evidence) -> pd.DataFrame:
    """A row for each unit, in plan order."""
    others: dict[str, list[str]] = defaultdict(list)
    for file in evidence.files:
        if is_other_material(file):
            others[str(file.unit)].append(file.name)
    return _frame(
        _keys(RECEIPTS),
        [_receipt_row(evidence, line, others[line.unit.code]) for line in evidence.standing.units],
    )


def overdue(evidence: Evidence) -> pd.DataFrame:
    """A row for each unit whose return is not here and should be; longest overdue first."""
    lines = sorted(
        evidence.standing.in_state(UnitState.OVERDUE), key=lambda line: -line.days_overdue
    )
    rows = []
    for line in lines:
        contact = _first_contact(evidence, line.unit.code)
        rows.append(
            (
                *(line.unit.code, line.unit.name, line.due, line.days_overdue),
                *(line.working_days_overdue, len(line.required), contact.name, contact.phone),
                *(contact.leader, contact.leader_phone),
            )
        )
    return _frame(_keys(OVERDUE), rows)


def missing_items(evidence: Evidence, every: pd.DataFrame) -> pd.DataFrame:
    """A row for each required item that is not answered, by unit."""
    words = {state.value for state in MISSING}
    missing = every[every["required"] & every["state"].isin(words)].sort_values(
        ["unit_order", "no"], kind="stable"
    )
    lacking = {
        line.unit.code: line.receipt.without_form
        for line in evidence.standing.units
        if line.receipt
    }
    why = [
        lacking.get(row["code"]) or _why(evidence.wording, row)
        for row in missing.to_dict("records")
    ]
    texts = pd.Series(why, index=missing.index, dtype=object)
    return missing.assign(why=texts)[list(_keys(MISSING_ITEMS))]


def matrix(evidence: Evidence, every: pd.DataFrame) -> pd.DataFrame:
    """Items × units: the state of each; empty where an optional one was left blank, None where the
    unit does not answer for the item.
    """
    table = every.pivot_table(
        index="item", columns="code", values="state", aggfunc="first", sort=False
    )
    items = [item.key for item in evidence.plan.items]
    units = [unit.code for unit in evidence.plan.units]
    table = table.reindex(index=items, columns=units)
    table = table.astype(object).where(table.notna(), None)
    table.columns = pd.Index([unit.name for unit in evidence.plan.units])
    table.insert(0, "title", [item.title for item in evidence.plan.items])
    return table.reset_index(names="item")


def detail(every: pd.DataFrame, own: tuple[str, ...] = ()) -> pd.DataFrame:
    """A row for each answered unit × item, with its source; the form's own columns last."""
    words = {state.value for state in ANSWERED}
    return every[every["state"].isin(words)][[*_keys(DETAIL), *own]]


def problems(evidence: Evidence, every: pd.DataFrame) -> pd.DataFrame:
    """Every problem that a unit reported, by item."""
    words = {text for text in set(every["problems"]) if evidence.wording.is_answer(text)}
    found = every[every["problems"].map(words.__contains__).astype(bool)]
    return found.assign(theme=found["problems"].map(theme_of))[list(_keys(PROBLEMS))]


def contact_list(evidence: Evidence) -> pd.DataFrame:
    """Whom to contact, by unit; a unit that named nobody has a row all the same."""
    stale = {
        file.unit: finding.message
        for file, finding in evidence.findings
        if finding.code == CONTACT_STALE
    }
    rows = []
    for unit in evidence.plan.units:
        file, contacts = evidence.contacts.get(unit.code, (None, ()))
        for contact in contacts or (Contact(unit.code, remark="未报送联系人"),):
            rows.append(
                (
                    *(unit.name, contact.leader, contact.leader_phone, contact.office),
                    *(contact.name, contact.phone, contact.remark, unit.code),
                    _naive(file.received) if file else None,
                    stale.get(unit.code, ""),
                )
            )
    return _frame(_keys(CONTACTS), rows)


def findings(evidence: Evidence) -> pd.DataFrame:
    """What units should mend in the returns that count; errors first, then in plan order."""
    order = {unit.code: n for n, unit in enumerate(evidence.plan.units)}
    ranked = sorted(
        evidence.findings,
        key=lambda pair: (pair[1].severity.value, order.get(str(pair[0].unit), len(order))),
    )
    rows = [
        (
            *(_WEIGHTS[finding.severity], finding.code, file.unit, _unit_name(evidence, file)),
            *(finding.item, finding.message, file.name, finding.sheet, finding.cell),
        )
        for file, finding in ranked
    ]
    return _frame(_keys(FINDINGS), rows)


def files(evidence: Evidence) -> pd.DataFrame:
    """A row for every file seen for the period."""
    rows = [
        (
            *(file.name, _naive(file.received), verdict_word(file.verdict)),
            *(_KINDS[file.kind] if file.kind else "", file.unit or "", _unit_name(evidence, file)),
            *(file.revision, file.reason, file.size, file.sha256),
        )
        for file in evidence.files
    ]
    return _frame(_keys(FILES), rows)


def late_returns(evidence: Evidence) -> pd.DataFrame:
    """A row for each item that a return says something on, or should, which came after its quarter
    was closed; a return with no such item has a row all the same.
    """
    rows = [
        (
            *(str(late.file.period), late.line.unit.code, late.line.unit.name),
            *(late.kind.value, _naive(late.file.received), late.line.days_overdue),
            *_late_answer(late, cell),
        )
        for late in evidence.late
        for cell in _late_cells(late)
    ]
    return _frame(_keys(LATE_RETURNS), rows)


def _late_cells(late: LateReturn) -> Sequence[Cell | None]:
    """The items that a late return shows; None in their place where there is none."""
    return [cell for cell in late.line.cells if cell.state is not None] or [None]


def _late_answer(late: LateReturn, cell: Cell | None) -> tuple[object, ...]:
    item = late.plan.by_key[cell.obligation.item] if cell else None
    entry = cell.entry if cell else None
    return (
        *((item.key, item.title) if item else ("", "")),
        cell.state.value if cell and cell.state else "",
        *(entry[key] if entry else "" for key in LATE_ANSWERS),
        late.file.name,
        entry.cells.get("progress", "") if entry else "",
    )


def reminders(
    owing: Sequence[Chased],
    plan: Plan,
    contacts: Mapping[str, Sequence[Contact]],
    reminded: Mapping[str, Sequence[date]],
) -> pd.DataFrame:
    """催报清单: a row for each unit that owes something.

    Args:
        owing: in order of urgency.
        contacts: by unit code.
        reminded: the days on which a unit was reminded, by its code.
    """
    return _frame(
        _keys(REMINDERS),
        [
            _reminder_row(
                one,
                plan,
                next(iter(contacts.get(one.line.unit.code, ())), Contact(one.line.unit.code)),
                reminded.get(one.line.unit.code, ()),
            )
            for one in owing
        ],
    )


def _reminder_row(
    one: Chased, plan: Plan, contact: Contact, reminded: Sequence[date]
) -> tuple[object, ...]:
    line = one.line
    missing = [plan.by_key[cell.obligation.item] for cell in line.missing]
    listed = "\n".join(f"{item.key} {item.title}" for item in missing)
    required = f"必报 {len(line.required)} 项" if line.required else "没有必报项"
    everything = f"整份返回表（{required}）"
    overdue = line.state is UnitState.OVERDUE
    return (
        *(line.unit.code, line.unit.name, _matter(one), line.due),
        line.days_overdue if overdue else 0,
        line.working_days_overdue if overdue else 0,
        one.urgency.value,
        *(contact.name, contact.phone, contact.office, contact.leader, contact.leader_phone),
        len(missing),
        listed if one.has_returned else everything,
        "、".join(f"{day:%m-%d}" for day in reminded),
    )


def _matter(one: Chased) -> str:
    if one.has_returned:
        return "缺项补报"
    return "逾期未报" if one.line.state is UnitState.OVERDUE else "到期提醒"


LATE_ANSWERS = ("status", "progress", "features", "problems", "next_steps")
"""Columns of a return that 补报 shows."""

_HELPERS = ("unreadable", "last_status", "last_problems")
"""Columns of the merged table that sheets are made from and `entries` does not give out."""


def _duty_row(
    evidence: Evidence, line: UnitStanding, cell: Cell, own: tuple[str, ...]
) -> tuple[object, ...]:
    duty, entry = cell.obligation, cell.entry
    answers = entry.answers if entry else {}
    before = evidence.before(line.unit.code, duty.item) if entry else None
    reported = before is not None and evidence.wording.is_answer(before["problems"])
    return (
        *(line.unit.code, duty.item, duty.role.value, duty.duty, duty.required),
        cell.state.value if cell.state else "",
        *[answers.get(key, "") for key in ANSWER_KEYS],
        before["next_steps"] if before else answers.get("previous", ""),
        entry.sheet if entry else "",
        entry.cells.get("progress", "") if entry else "",
        entry is not None and "progress" in entry.unreadable,
        before["status"] if before else "",
        "是" if reported else "",
        *[answers.get(key, "") for key in own],
    )


def _receipt_row(
    evidence: Evidence, line: UnitStanding, others: Sequence[str]
) -> tuple[object, ...]:
    receipt = line.receipt
    file = evidence.newest.get(line.unit.code)
    required = len(line.required)
    return (
        *(line.unit.code, line.unit.name, _UNIT_KINDS[line.unit.kind], line.state.word, line.due),
        _naive(receipt.first_received) if receipt else None,
        line.days_overdue,
        receipt.revision if receipt else 0,
        _naive(receipt.received) if receipt and receipt.has_form else None,
        required,
        *(line.count(state) for state in _ITEM_STATES_SHOWN),
        len(line.missing),
        rate(required - len(line.missing), required),
        *((receipt.errors, receipt.warnings) if receipt else (0, 0)),
        *(file.header.get(key, "") if file else "" for key in ("filler", "phone")),
        file.name if file else receipt.without_form if receipt else "",
        "、".join(others),
    )


def is_other_material(file: FileRecord) -> bool:
    """Whether a file came from some unit, as a person decided, but holds no readable return."""
    return file.unit is not None and file.verdict in (Verdict.HELD, Verdict.REJECTED)


def _why(wording: Wording, row: Mapping[Any, Any]) -> str:
    if row["state"] == ItemState.NOT_RETURNED.value:
        return "尚未收到该单位的返回表"
    if row["unreadable"]:
        return f"单元格 {row['cell']} 是“{row['progress']}”，读不出内容"
    if wording.is_blank(row["status"]) and wording.is_blank(row["progress"]):
        return f"“{RETURN_FORM['progress'].heading}”为空"
    if wording.is_placeholder(row["progress"]):
        return f"“{row['progress'].strip()}”不能作为答复"
    if row["status"].strip() and wording.is_blank(row["progress"]):
        return f"只选了“{row['status'].strip()}”，没有写明情况或原因"
    return "没有可以计入的答复"


def _first_contact(evidence: Evidence, code: str) -> Contact:
    _, contacts = evidence.contacts.get(code, (None, ()))
    return contacts[0] if contacts else Contact(code)


def _unit_name(evidence: Evidence, file: FileRecord) -> str:
    unit = evidence.plan.by_code.get(str(file.unit))
    return unit.name if unit else ""


def _items(plan: Plan) -> pd.DataFrame:
    rows = [(item.key, item.no, plan.part_of(item).title, item.title) for item in plan.items]
    return _frame(("item", "no", "part", "title"), rows)


def _units(plan: Plan) -> pd.DataFrame:
    rows = [(unit.code, unit.name, unit.kind.value, n) for n, unit in enumerate(plan.units)]
    return _frame(("code", "unit", "kind", "unit_order"), rows)


def _frame(columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def _keys(sheet: Sheet) -> tuple[str, ...]:
    return tuple(column.key for column in sheet.columns)


def _naive(moment: datetime) -> datetime:
    """A time in China as Excel holds it, without an offset."""
    return moment.replace(tzinfo=None)
