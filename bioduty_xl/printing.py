"""What commands print for people, as text in the language that was settled; and the progress bar
on a terminal. What files, findings and the register say stays Chinese: it is the workbooks' words.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bioduty_xl.language import COMMA, listed, say, tell, translated

if TYPE_CHECKING:  # imported by the commands whose results these are
    from datetime import datetime

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
            task, description=translated(what), completed=done, total=total
        )


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table, columns aligned also where characters are two cells wide."""
    from rich.cells import cell_len  # all of rich takes as long to import as the rest of a command

    lines = [
        [_one_line(translated(value) if isinstance(value, str) else str(value)) for value in row]
        for row in (headings, *rows)
    ]
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

    counts = ((state, len(standing.in_state(state))) for state in UnitState)
    lines = [
        tell(
            "{period.label}    截止 {due}    统计时点 {as_of:%Y-%m-%d %H:%M}",
            period=standing.period,
            due=standing.due,
            as_of=standing.as_of,
        ),
        "  ".join(
            (
                tell("应报 {count}", count=len(standing.expected)),
                tell("已报 {count}", count=len(standing.returned)),
                *(f"{translated(state.word)} {count}" for state, count in counts),
            )
        ),
        tell(
            "必报 {required} 项  缺项 {missing} 项    "
            "文件：已收 {accepted}  待处理 {held}  拒收 {rejected}",
            required=len(standing.required),
            missing=standing.missing,
            accepted=standing.files.accepted,
            held=standing.files.held,
            rejected=standing.files.rejected,
        ),
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
    headings = (
        *(say("代码"), say("单位"), say("状态"), say("收到"), say("逾期天数")),
        *(say("必报"), say("缺项"), say("错误"), say("提示")),
    )
    return "\n".join(lines) + table(headings, rows)


def waiting(files: Sequence[FileRecord]) -> str:
    """The files that a person has to look at, each with what to do; empty where there is none."""
    from bioduty_xl.domain.verdict import verdict_word

    if not files:
        return ""
    lines = [_judged(verdict_word(file.verdict), file.name, file.reason) for file in files]
    return "\n".join(("", tell("待处理的文件（核实后可用 bioduty assign 认定）："), *lines))


def _judged(verdict: str, file: str, reason: str) -> str:
    return "  " + _one_line(
        tell("[{verdict}] {file}：{reason}", verdict=verdict, file=file, reason=reason)
    )


def last_pass(line: dict[str, Any] | None) -> str:
    """What the last pass did, on a line of its own; empty before the first."""
    from bioduty_xl.watch import summary

    return f"\n\n{translated(summary(line))}" if line else ""


def collected(found: Collected) -> str:
    """A line of counts, then each file that is not simply accepted."""
    from bioduty_xl.domain.verdict import Verdict

    counts = "  ".join(
        f"{translated(verdict.word)} {found.count(verdict)}"
        for verdict in Verdict
        if found.count(verdict)
    )
    lines = [counts or tell("收件夹中没有新文件")]
    for report in found.files:
        if report.verdict is not Verdict.ACCEPTED or report.reason:
            lines.append(_judged(report.verdict.word, report.file, report.reason))
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """A line that a file's name can neither break nor colour."""
    return "".join(char if char.isprintable() else "�" for char in text)


def inspected(report: FileReport, terms: Terms) -> str:
    """What a file is and what is wrong with it."""
    plan = terms.plan(report.period) if report.period else terms.latest
    unit = plan.by_code.get(report.unit or "")
    said = tell("{file}：{verdict}", file=report.file, verdict=report.verdict.word)
    if report.reason:
        said = tell("{said}，{reason}", said=said, reason=report.reason)
    lines = [_one_line(said)]
    if unit:
        said = tell("单位 {unit}    报送期 {period}", unit=unit.name, period=report.period)
        times = tell("    第 {number} 次", number=report.revision) if report.revision else ""
        lines.append(said + times)
    for finding in report.findings:
        place = " ".join(filter(None, (finding.sheet, finding.cell, finding.item)))
        said = tell("{place}：{message}", place=place, message=finding.message)
        lines.append(f"  [{finding.severity.value}] {finding.code} {said}")
    return "\n".join(lines)


def generated(period: str, paths: list[Path]) -> str:
    """How many forms, and where."""
    folders = dict.fromkeys(path.parent for path in paths)
    counts = (
        tell("{count} 份：{folder}", count=sum(p.parent == folder for p in paths), folder=folder)
        for folder in folders
    )
    said = tell("已生成 {period} 的表格", period=period)
    return "\n".join((said, *(f"  {count}" for count in counts)))


def passed(done: Pass) -> str:
    """What a pass did."""
    lines = [tell("下发 {count} 份", count=len(done.forms))] if done.forms else []
    if done.collected is not None:
        lines.append(collected(done.collected))
    lines += [_one_line(tell("已认定：{file}", file=file)) for file in done.settled]
    lines += [tell("{period} 已结账", period=period) for period in done.closed]
    lines += [written(path) for path in (*done.books, *done.corrections, *done.reminders)]
    lines += [tell("发出邮件 {count} 封", count=done.mailed)] if done.mailed else []
    lines += [_one_line(tell("登记表：{problem}", problem=one)) for one in done.problems]
    lines += [_one_line(tell("没有送达的邮件：{mail}", mail=one)) for one in done.undelivered]
    lines += [_one_line(tell("结账后被改动：{book}", book=one)) for one in done.altered]
    lines += [_one_line(tell("未完成：{failure}", failure=one)) for one in done.failures]
    lines += [translated(done.ahead)] if done.ahead else []
    return "\n".join(lines)


def written(path: Path | str) -> str:
    """That a file was written."""
    return tell("已写出：{path}", path=path)


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
        tell("已备份：{path}（{size:.1f} MB）", path=made.path, size=made.size / (1 << 20)),
        tell(
            "收件 {files} 个，共 {all} 个文件{periods}",
            files=found.files,
            all=len(found.members),
            periods=_periods(found.periods),
        ),
    ]
    if found.waiting:
        lines.append(tell("收件夹中还没有收取的 {count} 个文件也在其中", count=len(found.waiting)))
    lines += [tell("原件不见了：{sha256}", sha256=one) for one in found.missing]
    lines += [tell("原件与收到时不同，请检查磁盘：{sha256}", sha256=one) for one in found.damaged]
    lines += [_one_line(translated(said)) for said in (*found.elsewhere, *found.left_out)]
    lines.append(
        tell("其中有签名密钥和各单位所报内容，请妥善保管。恢复：bioduty restore FILE DIR")
        if found.key
        else tell("其中有各单位所报内容，请妥善保管。恢复：bioduty restore FILE DIR")
    )
    return "\n".join(lines)


def restored(done: Restored) -> str:
    """Where it is, and what to do next."""
    from bioduty_xl.layout.sheets import REGISTER_RECEIPTS  # which `--help` need not wait for

    found = done.manifest
    made = f"{found.made:%Y-%m-%d %H:%M}" if found.made else say("（没有写明）")
    lines = [
        tell("已恢复：{root}", root=done.root),
        tell(
            "备份时间 {made}，收件 {files} 个{periods}",
            made=made,
            files=found.files,
            periods=_periods(found.periods),
        ),
        tell("台账、原件和密钥在 {folder}", folder=done.state_dir),
    ]
    lines += [tell("备份时已经不见了的原件：{sha256}", sha256=one) for one in found.missing]
    lines += [tell("备份时已经损坏的原件：{sha256}", sha256=one) for one in found.damaged]
    lines += [
        tell("可能被误运行，已改名：{name} → {renamed}", name=_one_line(name), renamed=renamed)
        for name, renamed in done.renamed.items()
    ]
    if done.outside:
        lines.append(
            tell("设置所指、不在工作区内的文件放在 {folder}，需要的请放回原处", folder=done.outside)
        )
    lines += [_one_line(translated(said)) for said in (*found.elsewhere, *found.left_out)]
    if found.waiting:
        lines.append(
            tell(
                "以下文件备份时还没有收取，已放回收件夹。收到时间将按恢复时算；因此成了迟报的，"
                "请在登记表“{sheet}”中写明真实的收到日期：",
                sheet=REGISTER_RECEIPTS.title,
            )
        )
        lines += [
            "  " + _one_line(_came(PurePosixPath(name).name, came))
            for name, came in sorted(found.waiting.items())
        ]
    return "\n".join((*lines, "", *_next_steps(done.root)))


def _came(name: str, came: datetime) -> str:
    return tell("{name}，{came:%Y-%m-%d %H:%M} 收到", name=name, came=came)


def _next_steps(root: Path) -> Iterator[str]:
    yield tell("接下来：")
    steps = (
        say('bioduty doctor --workspace "{root}"    检查本机是否适合运行', root=root),
        say('bioduty status --workspace "{root}"    核对报送情况', root=root),
        say(
            "备份以后发出的邮件和催报不在记录里，会再发一次；"
            "不要再发的，先把设置中的 mail.host 留空"
        ),
        say("原来的工作区不要再用；定时运行的，用 bioduty schedule --print 在本机重新登记"),
    )
    yield from (f"  {number}. {translated(step)}" for number, step in enumerate(steps, start=1))


def _periods(periods: Sequence[str]) -> str:
    return say("，报送期 {periods}", periods=listed(periods)) if periods else ""


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
    rows.append((say("合计"), *_rollup_counts(said), ""))
    headings = (
        *(say("市（州）"), say("应报"), say("已报"), say("按时"), say("迟报"), say("逾期")),
        *(say("必报"), say("缺项"), say("待处理"), say("拒收"), say("已结账")),
    )
    top = tell(
        "{period.label}    统计时点 {as_of:%Y-%m-%d %H:%M}    "
        "已汇总 {cities} 个，未计入 {left_out} 个",
        period=found.period,
        as_of=found.as_of,
        cities=len(found.cities),
        left_out=len(found.left_out),
    )
    return "\n".join((top, "", table(headings, rows), "", written(path)))


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
        *(
            _one_line(tell("未计入：{folder}：{reason}", folder=one.folder, reason=one.reason))
            for one in found.left_out
        ),
        *(
            _one_line(tell("{city}：{doubt}", city=city.name, doubt=doubt))
            for city in found.cities
            for doubt in city.doubts
        ),
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
    headings = (
        *(say("报送期"), say("统计时点"), say("应报"), *words),
        *(say("必报项"), say("缺项"), say("待处理"), say("拒收")),
    )
    places = [f"  {path}" for path in (*played.books, *played.examples)]
    return "\n".join((table(headings, rows), "", tell("请打开："), *places))


def plan(shown: Plan) -> str:
    """The plan by part and item."""
    lines = [shown.title]
    for part in shown.parts:
        lines += ["", f"{part.no}. {part.title}"]
        for item in (item for item in shown.items if item.part == part.no):
            count = tell("（举措 {count} 条）", count=len(item.measures))
            lines.append(f"  {item.key} {item.title}{count}")
            for word, codes in ((say("牵头"), item.lead), (say("责任"), item.responsible)):
                if codes:
                    names = translated(COMMA).join(shown.by_code[code].name for code in codes)
                    lines.append("      " + tell("{role}：{units}", role=word, units=names))
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
        said = (f"  {translated(problem)}" for problem in problems)
        return "\n".join((tell("方案有以下问题："), *said))
    return tell("方案无误：{counts}", counts=_plan_counts(shown))


def imported(result: Imported, target: Path) -> str:
    """What was read and every mend that was made."""
    lines = [
        tell("第 {line} 行：{message}", line=mend.line, message=mend.message)
        for mend in result.mends
    ]
    lines += [
        tell("第 {first}—{last} 行：方案正文以外，未导入", first=first, last=last)
        for first, last in result.outside
    ]
    return "\n".join((*lines, "", translated(_plan_counts(result.plan)), written(target)))


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
    return say(
        "{parts} 部分，{items} 项任务，{measures} 条举措，{departments} 个部门，"
        "{counties} 个县（区），应报事项 {duties} 项，其中必报 {required} 项",
        parts=len(shown.parts),
        items=len(shown.items),
        measures=sum(len(item.measures) for item in shown.items),
        departments=departments,
        counties=len(shown.units) - departments,
        duties=len(duties),
        required=sum(duty.required for duty in duties),
    )


def templates(found: Mapping[str, Examined]) -> str:
    """Each template: whether it will do, what it lacks, what is worth knowing."""
    lines = []
    for path, one in found.items():
        lines.append(f"{'×' if one.lacks else '√'} {path}")
        lines += ["  " + tell("缺：{lack}", lack=lack) for lack in one.lacks]
        lines += ["  " + tell("注：{note}", note=note) for note in one.notes]
    return "\n".join(lines)


def health(checks: Sequence[Check]) -> str:
    """A line for each check."""
    marks = {True: "√", False: "×"}
    return "\n".join(
        f"{marks[check.is_well]} "
        + tell("{name}：{message}", name=check.name, message=check.message)
        for check in checks
    )
