"""Gathers from the ledger what a period's standing and its consolidated workbook are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bioduty_xl.config import Settings
from bioduty_xl.domain.calendar import CHINA, CURRENT_FOR_DAYS
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import ALL_GROUNDS, Ground
from bioduty_xl.domain.returns import Entry, Finding, ItemState, Severity
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.domain.standing import FileCounts, Receipt, Rulebook, Standing, UnitState, assess
from bioduty_xl.domain.verdict import Verdict
from bioduty_xl.layout.sheets import LATE_RETURNS
from bioduty_xl.ledger import FileRecord, Ledger
from bioduty_xl.report.evidence import AS_OF, Evidence, LateReturn
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
    returns = _returns(terms, ledger, period, as_of, compared=compared)
    return _stand(terms, ledger, period, as_of, returns)


def gather(terms: Terms, ledger: Ledger, period: Period, as_of: datetime) -> Evidence:
    """All that the consolidated workbook shows."""
    returns = _returns(terms, ledger, period, as_of)
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
        tuple(_definitions(standing, rulebook, files).items()),
        _quarter_before(terms, ledger, period, as_of),
        _late_returns(terms, ledger, period, as_of),
    )


def _late_returns(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime
) -> tuple[LateReturn, ...]:
    """What came for quarters before this one after they were closed, and no closed book shows; of
    several revisions the newest.
    """
    newest = {
        (file.period, file.unit): file
        for file in ledger.uncounted(period, as_of)
        if file.kind is FormKind.RETURN
    }
    found = []
    for closed in sorted({file.period for file in newest.values() if file.period}):
        counted = ledger.counted_units(FormKind.RETURN, closed, period)
        for line in take_standing(terms, ledger, closed, as_of, compared=False).units:
            file = newest.get((closed, line.unit.code))
            if file is not None:
                is_correction = line.unit.code in counted
                found.append(LateReturn(file, line, terms.plan(closed), is_correction))
    return tuple(found)


def _quarter_before(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime
) -> Standing | None:
    before = period.shift(-1)
    if not ledger.units_with_form(FormKind.RETURN, before):
        return None
    return take_standing(terms, ledger, before, as_of, compared=False)


@dataclass(frozen=True)
class _Returned:
    """One unit's returns for a period, up to a moment.

    Attributes:
        files: its revisions, oldest first.
        entries: the rows of the newest by item.
        findings: of the newest, those that come of comparing units included.
        true_receipt: when the first truly came, where that is registered.
    """

    files: Sequence[FileRecord]
    entries: Mapping[str, Entry]
    findings: tuple[Finding, ...]
    true_receipt: datetime | None = None

    @property
    def newest(self) -> FileRecord:
        return self.files[-1]

    @property
    def receipt(self) -> Receipt:
        weights = Counter(finding.severity for finding in self.findings)
        return Receipt(
            self.true_receipt or self.files[0].received,
            self.newest.received,
            self.newest.revision or len(self.files),
            self.entries,
            weights[Severity.ERROR],
            weights[Severity.WARNING],
        )


def _returns(
    terms: Terms, ledger: Ledger, period: Period, as_of: datetime, *, compared: bool = True
) -> dict[str, _Returned]:
    """What came back, by unit code."""
    revisions = ledger.revisions(FormKind.RETURN, period, as_of)
    entries = {
        unit: {entry.item: entry for entry in ledger.entries(files[-1])}
        for unit, files in revisions.items()
    }
    said: Mapping[str, tuple[Finding, ...]] = {}
    if compared:
        headers = {unit: files[-1].header for unit, files in revisions.items()}
        said = compare(_quarter(terms, ledger, period, as_of, entries, headers))
    return {
        unit: _Returned(
            *(files, entries[unit]),
            (*_wanted(terms.settings, ledger, files[-1]), *said.get(unit, ())),
            terms.true_receipt(unit, period),
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
    returns: Mapping[str, _Returned],
) -> Standing:
    rulebook = terms.rulebook
    counts = _counts(files_of(ledger, rulebook, period, as_of))
    files = FileCounts(counts[Verdict.ACCEPTED], counts[Verdict.HELD], counts[Verdict.REJECTED])
    receipts = {unit: one.receipt for unit, one in returns.items()}
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
        "以后为迟报；更正不影响",
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
        ItemState.NOT_RETURNED.value: "必报事项，该单位的返回表未到",
        ItemState.NOT_FILLED.value: "返回表已到，必报事项为空、只有占位词，"
        "或选了无进展、不涉及而没有原因",
        ItemState.NO_PROGRESS.value: "选“本季度无进展”并写明原因",
        ItemState.NOT_APPLICABLE.value: "选“不涉及”并写明原因",
        ItemState.FILLED.value: "工作开展情况有实际内容",
        "缺项": f"必报而状态为“{ItemState.NOT_RETURNED.value}”或“{ItemState.NOT_FILLED.value}”",
        "完成率": "必报事项中不缺项的比例",
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
