"""Gathers from the ledger what a period's standing and its consolidated workbook are made of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bioduty_xl.config import SETTINGS_FILE, Settings
from bioduty_xl.domain.calendar import CHINA, CURRENT_FOR_DAYS
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Ground, Obligation, Plan, Role, Unit, UnitKind
from bioduty_xl.domain.register import Exemption, Extension, Register, TrueReceipt
from bioduty_xl.domain.returns import Entry, Finding, ItemState, Severity
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.domain.standing import (
    FileCounts,
    Receipt,
    Rulebook,
    Standing,
    UnitState,
    assess,
    assess_unit,
)
from bioduty_xl.domain.verdict import Verdict
from bioduty_xl.layout.sheets import LATE_RETURNS, REGISTER_RECEIPTS
from bioduty_xl.ledger import FileRecord, Ledger
from bioduty_xl.plan.entry_words import entry_text
from bioduty_xl.report.evidence import AS_OF, Evidence, Lateness, LateReturn
from bioduty_xl.rules.registry import as_wanted, compare
from bioduty_xl.rules.rule import Filed, Quarter
from bioduty_xl.terms import Terms

_GROUNDS = {
    Ground.LEAD: "牵头单位",
    Ground.SOLE: "没有牵头单位的任务的责任单位",
    Ground.NAMED: "主要举措点名的单位",
    Ground.COUNTY: "各县（区）",
}


def take_standing(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime, *, compared: bool = True
) -> Standing:
    """Where a period stands, by what was received up to a moment.

    Args:
        compared: count the findings that come of comparing units; who asks for states and answers
            alone is spared the comparison.
    """
    returns = judge(terms, ledger, period, as_of, compared=compared)
    return _stand(terms, ledger, period, as_of, returns)


def gather(
    terms: Terms,
    ledger: Ledger,
    period: Period,
    as_of: datetime,
    returns: Mapping[str, Returned] | None = None,
) -> Evidence:
    """All that the consolidated workbook shows.

    Args:
        returns: the period's at that moment, where they were judged already.
    """
    returns = judge(terms, ledger, period, as_of) if returns is None else returns
    standing = _stand(terms, ledger, period, as_of, returns)
    forms = ledger.revisions(FormKind.CONTACTS, period, as_of)
    rulebook = terms.rulebook
    files = files_of(ledger, rulebook, period, as_of)
    findings = [
        *((one.newest, finding) for one in returns.values() for finding in one.findings),
        *(
            (file, finding)
            for f in forms.values()
            for file in f[-1:]
            for finding in _wanted(terms.settings, ledger, file)
        ),
    ]
    late = _late_returns(terms, ledger, period, as_of)
    return Evidence(
        terms.plan(period),
        standing,
        rulebook.wording,
        {unit: one.newest for unit, one in returns.items()},
        tuple(files),
        tuple(findings),
        {
            unit: (file, ledger.contacts_in(file))
            for unit, file in ledger.contact_forms(as_of).items()
        },
        (
            *_definitions(standing, rulebook, files).items(),
            *(_KINDS_EXPLAINED if late else ()),
            *_decisions(terms, ledger, standing),
        ),
        _quarter_before(terms, ledger, period, as_of),
        late,
    )


def units_without_form(terms: Terms, ledger: Ledger, period: Period) -> tuple[Unit, ...]:
    """The units of a period to whom no return form has gone out."""
    out = ledger.units_with_form(FormKind.RETURN, period)
    return tuple(unit for unit in terms.plan(period).units if unit.code not in out)


def units_with_old_form(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime
) -> tuple[Unit, ...]:
    """The units of a period whose form says another due date than is theirs by now, and of whom a
    return is still awaited.
    """
    calendar = terms.calendar
    returned = ledger.revisions(FormKind.RETURN, period, as_of)
    old = {
        form.unit
        for form in ledger.forms(period)
        if form.kind is FormKind.RETURN
        and form.due not in (None, calendar.due(period, form.unit))
        and form.unit not in returned
        and (form.unit, period) not in calendar.exemptions
    }
    return tuple(unit for unit in terms.plan(period).units if unit.code in old)


@dataclass(frozen=True)
class Queried:
    """A return with errors, and what should be mended in it.

    Attributes:
        file: the return.
        entries: its rows by item key.
        findings: errors and warnings, those that come of comparing units included.
    """

    file: FileRecord
    entries: Mapping[str, Entry]
    findings: tuple[Finding, ...]

    @property
    def matter(self) -> str:
        """A name of what has to be mended: the same as long as the return and its errors are."""
        errors = sorted((one.code, one.item, one.cell) for one in self.findings if one.is_error)
        return f"{self.file.id}/{hashlib.sha256(repr(errors).encode()).hexdigest()[:16]}"


def queried(returns: Mapping[str, Returned]) -> dict[str, Queried]:
    """Those of the returns that have to be sent back, by unit code."""
    return {
        unit: Queried(one.newest, one.entries, one.findings)
        for unit, one in returns.items()
        if any(finding.is_error for finding in one.findings)
    }


def _late_returns(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime
) -> tuple[LateReturn, ...]:
    """Every return that came for a quarter before this one after it was closed, and that no closed
    book shows, each with its own answers.
    """
    late = ledger.uncounted(FormKind.RETURN, period, as_of)
    numbers = {file.id for file in late}
    found: list[LateReturn] = []
    for closed in sorted({file.period for file in late if file.period}):
        counted = ledger.counted_units(FormKind.RETURN, closed, period)
        revisions = ledger.revisions(FormKind.RETURN, closed, as_of)
        for unit in sorted(revisions, key=_order(terms.plan(closed))):
            kind, files = _KINDS[unit in counted], revisions[unit]
            found += [
                _late_return(
                    *(terms, ledger, closed, as_of, files[:n]),
                    kind if n == len(files) else Lateness.SUPERSEDED,
                )
                for n, file in enumerate(files, start=1)
                if file.id in numbers
            ]
    return tuple(found)


_KINDS = {False: Lateness.NEW, True: Lateness.CORRECTION}
"""What a unit's newest return is, by whether a closed book has counted an earlier one."""

_KINDS_EXPLAINED = (
    (
        f"{LATE_RETURNS.title}的类别",
        f"“{Lateness.NEW}”为该单位当期首次计入；“{Lateness.CORRECTION}”为结账的汇总计入过该单位的返回表，"
        f"这是其后的新稿；“{Lateness.SUPERSEDED}”不是该单位当期最后收到的返回表，仅供查考",
    ),
)
"""The line of 口径说明 that is there where anything came late."""


def _order(plan: Plan) -> Callable[[str], tuple[int, str]]:
    """The order of units in a plan; those that it has no more come last."""
    places = {unit.code: n for n, unit in enumerate(plan.units)}
    return lambda code: (places.get(code, len(places)), code)


def _late_return(
    terms: Terms,
    ledger: Ledger,
    period: Period,
    as_of: datetime,
    files: Sequence[FileRecord],
    kind: Lateness,
) -> LateReturn:
    """What the last of a unit's returns up to then says, by the plan that had the unit."""
    file, code = files[-1], str(files[-1].unit)
    entries = {entry.item: entry for entry in ledger.entries(file)}
    plan, rulebook = terms.plan_with(code, period), terms.rulebook
    if plan is None:
        plan = terms.plan(period)
        unit, duties = _unplanned(plan, file, entries)
    else:
        unit = plan.by_code[code]
        duties = [duty for duty in plan.obligations(rulebook.required) if duty.unit == code]
    truly = terms.true_receipts(period, as_of).get(code)
    receipt = Returned(files, entries, (), truly).receipt
    line = assess_unit(unit, duties, period, as_of, receipt, rulebook)
    return LateReturn(file, line, plan, kind)


def _unplanned(
    plan: Plan, file: FileRecord, items: Container[str]
) -> tuple[Unit, list[Obligation]]:
    """A unit that was taken out of the plan workbook by hand: it owes nothing, and what its return
    says is read all the same.
    """
    code = str(file.unit)
    unit = Unit(code, file.header.get("unit", "") or code, UnitKind.DEPARTMENT)
    return unit, [
        Obligation(code, item.key, Role.RESPONSIBLE, required=False)
        for item in plan.items
        if item.key in items
    ]


def _quarter_before(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime
) -> Standing | None:
    """The quarter before, as its book was published where it is closed."""
    before = period.shift(-1)
    if not ledger.units_with_form(FormKind.RETURN, before):
        return None
    closing = ledger.closing(before)
    moment = closing.as_of if closing else as_of
    return take_standing(terms, ledger, before, moment, compared=False)


@dataclass(frozen=True)
class Returned:
    """One unit's returns for a period, up to a moment.

    Attributes:
        files: its revisions, oldest first.
        entries: the rows of the newest by item.
        findings: of the newest, those that come of comparing units included.
        truly: when the first truly came, where that is registered.
    """

    files: Sequence[FileRecord]
    entries: Mapping[str, Entry]
    findings: tuple[Finding, ...]
    truly: TrueReceipt | None = None

    @property
    def newest(self) -> FileRecord:
        """The one that counts."""
        return self.files[-1]

    @property
    def receipt(self) -> Receipt:
        """What the unit's standing is assessed by."""
        weights = Counter(finding.severity for finding in self.findings)
        return Receipt(
            self.truly.received if self.truly else self.files[0].received,
            self.newest.received,
            self.newest.revision or len(self.files),
            self.entries,
            weights[Severity.ERROR],
            weights[Severity.WARNING],
        )


def judge(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime, *, compared: bool = True
) -> dict[str, Returned]:
    """What came back for a period up to a moment, by unit code, with all that is to say of it.

    Args:
        compared: with the findings that come of comparing units.
    """
    revisions = ledger.revisions(FormKind.RETURN, period, as_of)
    entries = {
        unit: {entry.item: entry for entry in ledger.entries(files[-1])}
        for unit, files in revisions.items()
    }
    said: Mapping[str, tuple[Finding, ...]] = {}
    if compared:
        headers = {unit: files[-1].header for unit, files in revisions.items()}
        said = compare(_quarter(terms, ledger, period, as_of, entries, headers))
    truly = terms.true_receipts(period, as_of)
    return {
        unit: Returned(
            *(files, entries[unit]),
            (*_wanted(terms.settings, ledger, files[-1]), *said.get(unit, ())),
            truly.get(unit),
        )
        for unit, files in revisions.items()
    }


def _quarter(
    terms: Terms,
    ledger: Ledger,
    period: Period,
    as_of: datetime,
    entries: Mapping[str, Mapping[str, Entry]],
    headers: Mapping[str, Mapping[str, str]],
) -> Quarter:
    """The returns that count, by unit code, as the rules that compare units take them."""
    plan = terms.plan(period)
    return Quarter(
        plan,
        [
            Filed(unit.code, entries[unit.code], headers[unit.code])
            for unit in plan.units
            if unit.code in entries
        ],
        {(code, item.key): role for item in plan.items for code, role in item.assignments},
        {unit: ledger.contacts_in(file) for unit, file in ledger.contact_forms(as_of).items()},
        terms.settings.wording,
        terms.settings.rules,
    )


def _wanted(settings: Settings, ledger: Ledger, file: FileRecord) -> tuple[Finding, ...]:
    """A file's findings as the settings want them now."""
    return as_wanted(ledger.findings(file), settings.rules)


def _stand(
    terms: Terms,
    ledger: Ledger,
    period: Period,
    as_of: datetime,
    returns: Mapping[str, Returned],
) -> Standing:
    rulebook = terms.rulebook
    counts = _counts(files_of(ledger, rulebook, period, as_of))
    files = FileCounts(counts[Verdict.ACCEPTED], counts[Verdict.HELD], counts[Verdict.REJECTED])
    receipts = {
        unit: Receipt(one.received, one.received, 0, {}, way=one.way)
        for unit, one in terms.true_receipts(period, as_of).items()
    }
    receipts |= {unit: one.receipt for unit, one in returns.items()}
    return assess(terms.plan(period), period, as_of, receipts, rulebook, files)


def files_of(
    ledger: Ledger, rulebook: Rulebook, period: Period, as_of: datetime
) -> list[FileRecord]:
    """Files seen for a period: its own, and those of no known period that came while it was the
    current one.
    """
    return [
        file
        for file in ledger.files(as_of)
        if (file.period or rulebook.calendar.current(file.received)) == period
    ]


def own_files(files: list[FileRecord]) -> list[FileRecord]:
    """Files without the archives that were opened, in whose place their members stand."""
    opened = {file.container for file in files}
    return [file for file in files if file.id not in opened]


def _counts(files: list[FileRecord]) -> Counter[str]:
    return Counter(file.verdict for file in own_files(files))


def _definitions(
    standing: Standing, rulebook: Rulebook, files: list[FileRecord]
) -> Mapping[str, str]:
    """口径说明: what the figures mean, and what was left out."""
    calendar = rulebook.calendar
    first, _ = calendar.covers(standing.period)
    counts = _counts(files)
    exempt = standing.in_state(UnitState.EXEMPT)
    year = standing.due.year
    usual = rulebook.required == ALL_GROUNDS
    required = "；".join(word for ground, word in _GROUNDS.items() if ground in rulebook.required)
    return {
        "报送期": f"{standing.period.label}（{standing.period}），起算日 {first.isoformat()}",
        AS_OF: f"{standing.as_of.astimezone(CHINA):%Y-%m-%d %H:%M:%S}（北京时间），"
        "此后收到的不计入",
        "截止日期": f"{standing.due.isoformat()}（含当日）；个别单位另有规定的，以报送台账所列为准",
        "收到时间": "文件进入收件夹的时间，不是程序运行的时间",
        "按时、迟报": "以该单位首次收到的可识别返回表为准：截止日期当日及以前为按时，"
        f"以后为迟报；更正不影响；登记了{REGISTER_RECEIPTS.title}的，以登记的实际收到时间为准",
        "逾期": "截止日期已过而返回表未到；逾期天数为截止日期次日起的日历天数",
        "逾期工作日": "截止日期次日起的工作日数，"
        + (
            "按国务院办公厅公布的放假调休安排计算"
            if not calendar.is_estimated(year)
            else "放假安排未公布，按周末估算"
        ),
        "结账": f"{calendar.closing(standing.period).isoformat()} 结束时结账，"
        f"此后收到的列入下一期的“{LATE_RETURNS.title}”",
        "应报事项": f"必报 {len(standing.required)} 项。"
        + ("" if usual else "必报口径已在设置中调整。")
        + f"必报：{required}。其余为选报，不计缺项",
        ItemState.NOT_RETURNED.value: "必报事项，该单位的返回表未到；"
        "以其他方式报送而电子表未到的，单位计为已报，各事项仍在此列",
        ItemState.NOT_FILLED.value: "返回表已到，必报事项为空、只有占位词，"
        "或选了无进展、不涉及而没有原因",
        ItemState.NO_PROGRESS.value: "选“本季度无进展”并写明原因",
        ItemState.NOT_APPLICABLE.value: "选“不涉及”并写明原因",
        ItemState.FILLED.value: "工作开展情况有实际内容",
        "缺项": f"必报而状态为“{ItemState.NOT_RETURNED.value}”或“{ItemState.NOT_FILLED.value}”",
        "完成率": "必报事项中不缺项的比例；各项百分比多余的位数一律舍去，不四舍五入",
        "错误、提示": "报送台账中为该单位报送表的校验意见数，不含联系人名单的",
        "任务矩阵中的空白": "灰底为该单位不承担此项任务，白底为选报而未填",
        "以哪份为准": "以统计时点前最后收到的、能识别的返回表为准，各次返回均存档",
        "未计入的文件": f"待处理 {counts[Verdict.HELD]} 个，拒收 {counts[Verdict.REJECTED]} 个，"
        f"重复 {counts[Verdict.DUPLICATE]} 个，原因见收件台账",
        "不能识别的文件": "不知属于哪一期的，计入收到时的当期"
        f"（截止日期在后的最近一期，截止后 {CURRENT_FOR_DAYS} 天内仍为该期）",
        "免报单位": "、".join(
            f"{line.unit.name}（{calendar.exemptions[line.unit.code, standing.period]}）"
            for line in exempt
        )
        or "无",
    }


def _decisions(terms: Terms, ledger: Ledger, standing: Standing) -> Iterator[tuple[str, str]]:
    """The decisions in force that concern a period, at the end of 口径说明: each as it is on
    record, and since when.
    """
    seen = {(one.sheet, one.text): one.first_seen for one in ledger.registered()}
    for entry in _granted(terms.register, standing.period):
        sheet, text = entry_text(entry, terms.plans)
        first = seen.get((sheet, text))
        said = [text]
        if isinstance(entry, TrueReceipt):
            said += ["电子表未到"] * (entry.unit in standing.without_form)
        elif not entry.approved_by:
            said.append("没有写明批准人")
        said.append(f"首次登记时间 {first:%Y-%m-%d %H:%M}" if first else "下次运行时记入台账")
        yield sheet, "；".join(said)
    for entry in _granted_in_settings(terms, standing.period):
        sheet, text = entry_text(entry, terms.plans)
        yield sheet, f"{text}；写在 {SETTINGS_FILE} 中"


def _granted(register: Register, period: Period) -> Iterator[Extension | Exemption | TrueReceipt]:
    yield from (entry for entry in register.extensions if entry.period == period)
    yield from (entry for entry in register.exemptions if entry.period == period)
    yield from (entry for entry in register.receipts if entry.period == period)


def _granted_in_settings(terms: Terms, period: Period) -> Iterator[Extension | Exemption]:
    """What bioduty.toml grants and the register does not."""
    calendar, registered = terms.calendar, tuple(_granted(terms.register, period))
    extended = {entry.unit for entry in registered if isinstance(entry, Extension)}
    exempt = {entry.unit for entry in registered if isinstance(entry, Exemption)}
    for (unit, when), due in calendar.extensions.items():
        if when == period and unit not in extended:
            yield Extension(unit, period, due)
    for (unit, when), reason in calendar.exemptions.items():
        if when == period and unit not in exempt:
            yield Exemption(unit, period, reason)
