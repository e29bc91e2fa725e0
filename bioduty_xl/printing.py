"""What commands print for people, as text; and the progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported by the commands whose results these are
    from bioduty_xl.backup import Backup
    from bioduty_xl.demo import Played
    from bioduty_xl.domain.plan import Plan
    from bioduty_xl.domain.standing import Standing
    from bioduty_xl.domain.verdict import Collected, FileReport
    from bioduty_xl.forms.template import Examined
    from bioduty_xl.health import Check
    from bioduty_xl.ledger import FileRecord
    from bioduty_xl.plan.document import Imported
    from bioduty_xl.restoring import Restored
    from bioduty_xl.rollup import Province
    from bioduty_xl.terms import Terms
    from bioduty_xl.watch import Pass


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A callback for the library: a bar on a terminal, nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table, columns aligned also where characters are two cells wide."""
    from rich.cells import cell_len  # all of rich takes as long to import as the rest of a command

    lines = [[_one_line(str(value)) for value in row] for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]

    def aligned(line: Sequence[str]) -> str:
        padded = (
            text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join((aligned(lines[0]), rule, *map(aligned, lines[1:])))


def status(standing: Standing) -> str:
    """Where a period stands: figures, then the units that owe something."""
    from bioduty_xl.domain.standing import UnitState

    counts = {state: len(standing.in_state(state)) for state in UnitState}
    lines = [
        f"{standing.period.label}    截止 {standing.due}    "
        f"统计时点 {standing.as_of:%Y-%m-%d %H:%M}",
        f"应报 {len(standing.expected)}  已报 {len(standing.returned)}  "
        + "  ".join(f"{state.word} {count}" for state, count in counts.items()),
        f"必报 {len(standing.required)} 项  缺项 {standing.missing} 项    "
        f"文件：已收 {standing.files.accepted}  待处理 {standing.files.held}  "
        f"拒收 {standing.files.rejected}",
        "",
    ]
    rows = [
        (
            *(line.unit.code, line.unit.name, line.state.word),
            f"{line.receipt.first_received:%m-%d %H:%M}" if line.receipt else "",
            *(line.days_overdue or "", len(line.required), len(line.missing)),
            *((line.receipt.errors, line.receipt.warnings) if line.receipt else ("", "")),
        )
        for line in standing.units
    ]
    headings = ("代码", "单位", "状态", "收到", "逾期天数", "必报", "缺项", "错误", "提示")
    return "\n".join(lines) + table(headings, rows)


def waiting(files: Sequence[FileRecord]) -> str:
    """The files that a person has to look at, each with what to do; empty where there is none."""
    from bioduty_xl.domain.verdict import verdict_word

    if not files:
        return ""
    lines = [
        _one_line(f"  [{verdict_word(file.verdict)}] {file.name}：{file.reason}") for file in files
    ]
    return "\n".join(("", "待处理的文件（核实后可用 bioduty assign 认定）：", *lines))


def last_pass(line: dict[str, Any] | None) -> str:
    """What the last pass did, on a line of its own; empty before the first."""
    from bioduty_xl.watch import summary

    return f"\n\n{summary(line)}" if line else ""


def collected(found: Collected) -> str:
    """A line of counts, then each file that is not simply accepted."""
    from bioduty_xl.domain.verdict import Verdict

    counts = "  ".join(
        f"{verdict.word} {found.count(verdict)}" for verdict in Verdict if found.count(verdict)
    )
    lines = [counts or "收件夹中没有新文件"]
    for report in found.files:
        if report.verdict is not Verdict.ACCEPTED or report.reason:
            lines.append(_one_line(f"  [{report.verdict.word}] {report.file}：{report.reason}"))
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """A line that a file's name can neither break nor colour."""
    return "".join(char if char.isprintable() else "�" for char in text)


def inspected(report: FileReport, terms: Terms) -> str:
    """What a file is and what is wrong with it."""
    plan = terms.plan(report.period) if report.period else terms.latest
    unit = plan.by_code.get(report.unit or "")
    said = f"，{report.reason}" if report.reason else ""
    lines = [_one_line(f"{report.file}：{report.verdict.word}{said}")]
    if unit:
        times = f"    第 {report.revision} 次" if report.revision else ""
        lines.append(f"单位 {unit.name}    报送期 {report.period}{times}")
    for finding in report.findings:
        place = " ".join(filter(None, (finding.sheet, finding.cell, finding.item)))
        lines.append(f"  [{finding.severity.value}] {finding.code} {place}：{finding.message}")
    return "\n".join(lines)


def generated(period: str, paths: list[Path]) -> str:
    """How many forms, and where."""
    folders = dict.fromkeys(path.parent for path in paths)
    counts = (f"{sum(p.parent == folder for p in paths)} 份：{folder}" for folder in folders)
    return f"已生成 {period} 的表格\n" + "\n".join(f"  {count}" for count in counts)


def passed(done: Pass) -> str:
    """What a pass did."""
    lines = [f"下发 {len(done.forms)} 份"] if done.forms else []
    if done.collected is not None:
        lines.append(collected(done.collected))
    lines += [_one_line(f"已认定：{said}") for said in done.settled]
    lines += [f"{period} 已结账" for period in done.closed]
    lines += [f"已写出：{path}" for path in (*done.books, *done.corrections, *done.reminders)]
    lines += [f"发出邮件 {done.mailed} 封"] if done.mailed else []
    lines += [_one_line(f"登记表：{problem}") for problem in done.problems]
    lines += [_one_line(f"没有送达的邮件：{mail}") for mail in done.undelivered]
    lines += [_one_line(f"结账后被改动：{book}") for book in done.altered]
    lines += [_one_line(f"未完成：{failure}") for failure in done.failures]
    return "\n".join(lines)


def passed_json(done: Pass) -> dict[str, Any]:
    """The same for machines."""
    files = done.collected.files if done.collected else ()
    return {
        "forms": [str(path) for path in done.forms],
        "files": [report.as_json() for report in files],
        "books": [str(path) for path in done.books],
        "closed": [str(period) for period in done.closed],
        "corrections": [str(path) for path in done.corrections],
        "reminders": [str(path) for path in done.reminders],
        "mailed": done.mailed,
        "settled": done.settled,
        "problems": done.problems,
        "undelivered": done.undelivered,
        "altered": done.altered,
        "failures": done.failures,
    }


def backed_up(made: Backup) -> str:
    """What is in a backup, and what is not."""
    found = made.manifest
    lines = [
        f"已备份：{made.path}（{made.size / (1 << 20):.1f} MB）",
        f"收件 {found.files} 个，共 {len(found.members)} 个文件{_periods(found.periods)}",
    ]
    if found.waiting:
        lines.append(f"收件夹中还没有收取的 {len(found.waiting)} 个文件也在其中")
    lines += [f"原件不见了：{sha256}" for sha256 in found.missing]
    lines += [f"原件与收到时不同，请检查磁盘：{sha256}" for sha256 in found.damaged]
    lines += [_one_line(said) for said in (*found.elsewhere, *found.left_out)]
    lines.append("其中有签名密钥和各单位所报内容，请妥善保管。恢复：bioduty restore FILE DIR")
    return "\n".join(lines)


def restored(done: Restored) -> str:
    """Where it is, and what to do next."""
    from bioduty_xl.layout.sheets import REGISTER_RECEIPTS  # which `--help` need not wait for

    found = done.manifest
    made = f"{found.made:%Y-%m-%d %H:%M}" if found.made else "（没有写明）"
    lines = [
        f"已恢复：{done.root}",
        f"备份时间 {made}，收件 {found.files} 个{_periods(found.periods)}",
        f"台账、原件和密钥在 {done.state_dir}",
    ]
    lines += [f"备份时已经不见了的原件：{sha256}" for sha256 in found.missing]
    lines += [f"备份时已经损坏的原件：{sha256}" for sha256 in found.damaged]
    if done.outside:
        lines.append(f"设置所指、不在工作区内的文件放在 {done.outside}，需要的请放回原处")
    lines += [_one_line(said) for said in (*found.elsewhere, *found.left_out)]
    if found.waiting:
        lines.append(
            "以下文件备份时还没有收取，已放回收件夹。收到时间将按恢复时算；因此成了迟报的，"
            f"请在登记表“{REGISTER_RECEIPTS.title}”中写明真实的收到日期："
        )
        lines += [
            _one_line(f"  {PurePosixPath(name).name}，{came:%Y-%m-%d %H:%M} 收到")
            for name, came in sorted(found.waiting.items())
        ]
    return "\n".join((*lines, "", *(line.format(root=done.root) for line in _NEXT)))


_NEXT = (
    "接下来：",
    '  1. bioduty doctor --workspace "{root}"    检查本机是否适合运行',
    '  2. bioduty status --workspace "{root}"    核对报送情况',
    "  3. 备份以后发出的邮件和催报不在记录里，会再发一次；不要再发的，先把设置中的 mail.host 留空",
    "  4. 原来的工作区不要再用；定时运行的，用 bioduty schedule --print 在本机重新登记",
)


def _periods(periods: Sequence[str]) -> str:
    return f"，报送期 {'、'.join(periods)}" if periods else ""


def rollup(province: Province, path: Path) -> str:
    """A row for each city, the sum, and where the workbook is."""
    found = province.evidence
    said = province.as_json()
    rows = [
        (
            *(_one_line(city["name"]), *_rollup_counts(city)),
            city["as_of"][:10] if city["closed"] else "",
        )
        for city in said["cities"]
    ]
    rows.append(("合计", *_rollup_counts(said), ""))
    headings = (
        *("市（州）", "应报", "已报", "按时", "迟报", "逾期", "必报", "缺项"),
        *("待处理", "拒收", "已结账"),
    )
    top = (
        f"{found.period.label}    统计时点 {found.as_of:%Y-%m-%d %H:%M}    "
        f"已汇总 {len(found.cities)} 个，未计入 {len(found.left_out)} 个"
    )
    return "\n".join((top, "", table(headings, rows), "", f"已写出：{path}"))


def _rollup_counts(said: Mapping[str, Mapping[str, int]]) -> tuple[int, ...]:
    return (
        *said["units"].values(),
        *(said["items"][key] for key in ("required", "missing")),
        *(said["files"][key] for key in ("held", "rejected")),
    )


def rollup_warnings(province: Province) -> list[str]:
    """A line for each folder that is left out, and for each city that may be there twice."""
    found = province.evidence
    return [
        *(_one_line(f"未计入：{one.folder}：{one.reason}") for one in found.left_out),
        *(_one_line(f"{city.name}：{doubt}") for city in found.cities for doubt in city.doubts),
    ]


def demo(played: Played) -> str:
    """The demo's two quarters as a table, and what to open."""
    from bioduty_xl.domain.standing import UnitState

    states = UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE
    rows = [
        (
            *(standing.period, f"{standing.as_of:%Y-%m-%d}", len(standing.expected)),
            *(len(standing.in_state(state)) for state in states),
            *(len(standing.required), standing.missing),
            *(standing.files.held, standing.files.rejected),
        )
        for standing in played.standings
    ]
    words = (state.word for state in states)
    headings = ("报送期", "统计时点", "应报", *words, "必报项", "缺项", "待处理", "拒收")
    places = [f"  {path}" for path in (*played.books, *played.examples)]
    return "\n".join((table(headings, rows), "", "请打开：", *places))


def plan(shown: Plan) -> str:
    """The plan by part and item."""
    lines = [shown.title]
    for part in shown.parts:
        lines += ["", f"{part.no}. {part.title}"]
        for item in (item for item in shown.items if item.part == part.no):
            lines.append(f"  {item.key} {item.title}（举措 {len(item.measures)} 条）")
            for word, codes in (("牵头", item.lead), ("责任", item.responsible)):
                if codes:
                    names = "、".join(shown.by_code[code].name for code in codes)
                    lines.append(f"      {word}：{names}")
    return "\n".join(lines)


def plan_json(shown: Plan) -> dict[str, Any]:
    """The object of `plan show --json`; its keys are public."""
    return {
        "parts": [{"no": part.no, "title": part.title} for part in shown.parts],
        "units": [
            {
                "code": unit.code,
                "name": unit.name,
                "kind": unit.kind.value,
                "aliases": list(unit.aliases),
            }
            for unit in shown.units
        ],
        "items": [
            {
                "key": item.key,
                "no": item.no,
                "part": item.part,
                "title": item.title,
                "description": item.description,
                "lead": list(item.lead),
                "responsible": list(item.responsible),
                "measures": [
                    {"key": m.key, "text": m.text, "units": list(m.units)} for m in item.measures
                ],
            }
            for item in shown.items
        ],
    }


def plan_check(shown: Plan, problems: Sequence[str]) -> str:
    """Counts when the plan is sound, problems when it is not."""
    if problems:
        return "\n".join(("方案有以下问题：", *(f"  {problem}" for problem in problems)))
    return f"方案无误：{_plan_counts(shown)}"


def imported(result: Imported, target: Path) -> str:
    """What was read and every mend that was made."""
    lines = [f"第 {mend.line} 行：{mend.message}" for mend in result.mends]
    lines += [f"第 {first}—{last} 行：方案正文以外，未导入" for first, last in result.outside]
    return "\n".join((*lines, "", _plan_counts(result.plan), f"已写出：{target}"))


def imported_json(result: Imported, target: Path) -> dict[str, Any]:
    """The same for machines."""
    return {
        "workbook": str(target),
        "mends": [{"line": mend.line, "message": mend.message} for mend in result.mends],
        "outside": [{"first": first, "last": last} for first, last in result.outside],
    }


def _plan_counts(shown: Plan) -> str:
    duties = shown.obligations()
    departments = sum(unit.kind.value == "department" for unit in shown.units)
    return (
        f"{len(shown.parts)} 部分，{len(shown.items)} 项任务，"
        f"{sum(len(item.measures) for item in shown.items)} 条举措，{departments} 个部门，"
        f"{len(shown.units) - departments} 个县（区），应报事项 {len(duties)} 项，"
        f"其中必报 {sum(duty.required for duty in duties)} 项"
    )


def templates(found: Mapping[str, Examined]) -> str:
    """Each template: whether it will do, what it lacks, what is worth knowing."""
    lines = []
    for path, one in found.items():
        lines.append(f"{'×' if one.lacks else '√'} {path}")
        lines += [f"  缺：{lack}" for lack in one.lacks]
        lines += [f"  注：{note}" for note in one.notes]
    return "\n".join(lines)


def health(checks: Sequence[Check]) -> str:
    """A line for each check."""
    return "\n".join(
        f"{'√' if check.is_well else '×'} {check.name}：{check.message}" for check in checks
    )
