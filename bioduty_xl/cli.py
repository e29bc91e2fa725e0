"""The command line: parses, calls, prints. stdout carries the result alone, stderr the rest.

It speaks Chinese on a Chinese machine and English elsewhere, or as the workspace's settings say;
that is settled before anything is parsed, by `--workspace` or the nearest workspace upwards, so
that usage, results and errors are in one language. Texts are translated when they are printed.
JSON is the same everywhere. Help texts, docstrings of commands among them, are the catalogue's
keys.

Exit status: 0 done · 1 failed · 2 usage or settings · 3 done, but files were held or rejected, or
workspaces left out · 75 another run holds the lock.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bioduty_xl import console, printing, usage
from bioduty_xl.console import FAILED
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.language import (
    SETTINGS_FILE,
    Language,
    language_of,
    language_setting,
    listed,
    say,
    speak,
    tell,
)

if TYPE_CHECKING:  # what imports the work is imported by the commands that do it
    from concurrent.futures import Executor
    from datetime import datetime

    from bioduty_xl.domain.plan import Plan
    from bioduty_xl.watch import Pass
    from bioduty_xl.workspace import Workspace

ATTENTION = 3


@dataclass(frozen=True)
class Options:
    """What every command takes.

    Attributes:
        workspace: the folder given; None: the nearest upwards.
        as_of: the moment to work at.
        by_clock: whether that is the machine's own time.
        json: print JSON.
        quiet, verbose: how much to say on stderr.
    """

    workspace: Path | None
    as_of: datetime
    by_clock: bool
    json: bool
    quiet: bool
    verbose: bool

    def open(self) -> Workspace:
        """The workspace to work in, with its log file open.

        Raises:
            ConfigError: there is none, or its settings cannot be used.
        """
        workspace = self.find()
        if workspace is None:
            raise ConfigError(
                say(
                    "{folder} 及其上级文件夹中没有 {file}，"
                    "请用 --workspace 指明，或用 bioduty init 新建",
                    folder=Path.cwd(),
                    file=SETTINGS_FILE,
                )
            )
        from bioduty_xl import log

        log.to_file(workspace.state_dir)
        return workspace

    def find(self) -> Workspace | None:
        """The workspace given, or the nearest upwards; None where there is neither."""
        from bioduty_xl.workspace import Workspace

        folder = self.workspace or _nearest_workspace()
        return Workspace.open(folder) if folder else None

    def print(self, text: str, data: object) -> None:
        """The result: text for people, or JSON."""
        if self.json:
            text = _json(data)
        if text:
            with _heard():
                click.echo(text)


def _json(data: object) -> str:
    """JSON with its Chinese as it is, where stdout can hold all of it; else in escapes, because
    what the console would put in the place of a sign need not be JSON.
    """
    import json

    text = json.dumps(data, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(data, indent=2)
    return text


@contextmanager
def _heard() -> Iterator[None]:
    """Say something to whom may have gone meanwhile, as `head` does. What was done is done all the
    same, and its exit status says so.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to flush


_GONE = (errno.EPIPE, errno.EINVAL) if sys.platform == "win32" else (errno.EPIPE,)

_YEARS = range(2000, 2200)
"""Years that a moment may lie in; another one is a slip of the finger."""


class _Moment(click.ParamType):  # type: ignore[type-arg]
    name = "DATE[THH:MM]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from bioduty_xl.domain.calendar import moment

        try:
            found = moment(value)
        except ValueError:
            found = None
        if found is None or found.year not in _YEARS:
            self.fail(
                tell("“{value}”不是日期，应写成 2024-06-26 或 2024-06-26T09:00", value=value),
                param,
                ctx,
            )
        return found


def _command(parent: click.Group, name: str | None = None) -> Callable[..., click.Command]:
    """A command with the options of all, whose first argument is an `Options`."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def wrapped(
            workspace: Path | None,
            as_of: datetime | None,
            as_json: bool,
            quiet: bool,
            verbose: bool,
            **arguments: Any,
        ) -> None:
            from bioduty_xl import log

            own_process = click.get_current_context().find_root().obj == _OWN_PROCESS
            log.to_stderr(verbose, own_process=own_process)
            with console.reported():
                options = Options(
                    workspace, as_of or _now(), as_of is None, as_json, quiet, verbose
                )
                function(options, **arguments)

        decorated = parent.command(name)(wrapped)
        decorated.params += _OF_ALL
        return decorated

    return decorate


_OWN_PROCESS = "own process"
"""What the commands are told that no other program runs."""

_OF_ALL = (
    usage.Option(
        ["--workspace"],
        type=usage.Path(path_type=Path, file_okay=False),
        help="工作区文件夹；不写时向上找最近的 bioduty.toml",
    ),
    usage.Option(["--as-of"], type=_Moment(), help="统计时点（北京时间）；只写日期为当天结束"),
    usage.Option(["--json", "as_json"], is_flag=True, help="输出 JSON"),
    usage.Option(["-q", "--quiet"], is_flag=True, help="不显示进度"),
    usage.Option(["-v", "--verbose"], is_flag=True, help="显示详细日志"),
)
"""The options of all, made once: the commands share them."""


def _now() -> datetime:
    """What the clock says, to the second."""
    from datetime import datetime

    from bioduty_xl.domain.calendar import CHINA

    return datetime.now(CHINA).replace(microsecond=0)


@click.group(cls=usage.Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="bioduty-xl",
    message="%(prog)s %(version)s",
    cls=usage.Option,
    help="显示版本后退出",
)
def cli() -> None:
    """生物多样性保护责任分工方案工作推进情况：报送表的下发、收取与汇总。"""


@_command(cli)
@click.argument("folder", metavar="[DIR]", required=False, type=usage.Path(path_type=Path))
def demo(options: Options, folder: Path | None) -> None:
    """用真实的责任分工方案演示两个季度的完整流程。"""
    from bioduty_xl.demo import free_folder, play

    with printing.progress(options.quiet) as progress:
        played = play(folder or free_folder(Path("bioduty-demo")), progress)
    data = {
        "workspace": str(played.root),
        "books": [str(path) for path in played.books],
        "quarters": [standing.as_json() for standing in played.standings],
    }
    options.print(printing.demo(played), data)


@_command(cli)
@click.argument("folder", metavar="[DIR]", default=".", type=usage.Path(path_type=Path))
@usage.option(
    "--starters",
    is_flag=True,
    help="工作区已有，只更新其中的启动文件（运行.bat、运行.sh）；改动过的保留",
)
def init(options: Options, folder: Path, starters: bool) -> None:
    """新建工作区。"""
    from bioduty_xl.workspace import Workspace

    if starters:
        written = [str(path) for path in Workspace.open(folder).write_starters()]
        said = "\n".join(map(printing.written, written)) or tell("启动文件不需要更新")
        options.print(said, {"starters": written})
        return
    root = Workspace.create(folder).root
    options.print(tell("已新建工作区：{root}", root=root), {"workspace": str(root)})


@cli.group("plan")
def plan_group() -> None:
    """责任分工方案：导入、查看、核对。"""


@_command(plan_group, "import")
@click.argument("document", type=usage.Path(path_type=Path))
@usage.option(
    "-o", "--output", type=usage.Path(path_type=Path, dir_okay=False), help="写入的工作簿（xlsx）"
)
def plan_import(options: Options, document: Path, output: Path | None) -> None:
    """从正式文件（txt、docx）读出方案，写成工作簿。"""
    from bioduty_xl.plan.book import write_plan
    from bioduty_xl.plan.document import import_plan

    target = output or _default_plan_file(options)
    imported = import_plan(document)
    write_plan(imported.plan, target)
    options.print(printing.imported(imported, target), printing.imported_json(imported, target))


@_command(plan_group, "show")
def plan_show(options: Options) -> None:
    """显示现行方案。"""
    plan = _plan(options)
    options.print(printing.plan(plan), printing.plan_json(plan))


@_command(plan_group, "check")
def plan_check(options: Options) -> None:
    """核对现行方案：单位、分工、编号、别名。"""
    plan = _plan(options)
    problems = plan.problems()
    options.print(printing.plan_check(plan, problems), {"problems": list(problems)})
    if problems:
        raise SystemExit(FAILED)


@cli.group("template")
def template_group() -> None:
    """报送表模板。"""


@_command(template_group, "build")
@click.argument("folder", metavar="[DIR]", required=False, type=usage.Path(path_type=Path))
def template_build(options: Options, folder: Path | None) -> None:
    """按程序的规定重新生成两个模板；改过的旧模板改名保留。"""
    from bioduty_xl.forms.template import build_templates

    if folder is None:
        workspace = options.find()
        own = workspace.path(workspace.settings.paths.templates) if workspace else None
        folder = own or Path("templates")
    paths = [str(path) for path in build_templates(folder)]
    options.print("\n".join(paths), {"templates": paths})


@_command(template_group, "check")
def template_check(options: Options) -> None:
    """检查工作区的两个模板：缺了什么、怎么补，自加了什么。"""
    from bioduty_xl.forms.template import FORMS, examine_template

    workspace = options.open()
    found = {
        str(workspace.template(name)): examine_template(workspace.template(name), sheet)
        for name, sheet in FORMS.items()
    }
    options.print(
        printing.templates(found),
        {
            "templates": [
                {"file": path, "lacks": list(one.lacks), "notes": list(one.notes)}
                for path, one in found.items()
            ]
        },
    )
    if any(one.lacks for one in found.values()):
        raise SystemExit(FAILED)


@_command(cli)
@click.argument("period", required=False)
@usage.option("--unit", metavar="NAME", help="只生成这一个单位的")
@usage.option("--contacts", is_flag=True, help="同时生成联系人名单")
def generate(options: Options, period: str | None, unit: str | None, contacts: bool) -> None:
    """生成各单位的报送表（首次报送同时生成联系人名单）。"""
    workspace = options.open()
    chosen = _period(workspace, options, period)
    with printing.progress(options.quiet) as progress:
        paths = workspace.generate(
            chosen, unit, contacts=contacts, as_of=options.as_of, progress=progress
        )
    forms = [str(path) for path in paths]
    options.print(printing.generated(chosen, paths), {"period": chosen, "forms": forms})


def _workers(function: Callable[..., None]) -> Callable[..., None]:
    """The option of commands that read returns."""
    return usage.option(
        "--executor", metavar="dask://HOST:PORT", help="由 dask 集群的各台机器读取返回表"
    )(function)


@contextmanager
def _executor(name: str | None) -> Iterator[Executor | None]:
    if name is None:
        yield None
        return
    from bioduty_xl.cluster import executor_of

    with executor_of(name) as executor:
        yield executor


@_command(cli)
@_workers
def collect(options: Options, executor: str | None) -> None:
    """收取收件夹中的返回表。"""
    workspace = options.open()
    with printing.progress(options.quiet) as progress, _executor(executor) as workers:
        collected = workspace.collect(as_of=options.as_of, progress=progress, executor=workers)
    data = {"files": [report.as_json() for report in collected.files]}
    options.print(printing.collected(collected), data)
    if collected.needs_attention:
        raise SystemExit(ATTENTION)


@_command(cli)
@click.argument("period", required=False)
@usage.option(
    "--parquet",
    is_flag=True,
    help="另写一个 Parquet 文件：全部应报事项及答复，供其他程序使用（须安装 bioduty-xl[parquet]）",
)
def consolidate(options: Options, period: str | None, parquet: bool) -> None:
    """汇总一个报送期，写出汇总工作簿。"""
    workspace = options.open()
    chosen = _period(workspace, options, period)
    with printing.progress(options.quiet) as progress:
        path = workspace.consolidate(
            chosen, as_of=options.as_of, parquet=parquet, progress=progress
        )
    data = {"period": chosen, "as_of": options.as_of.isoformat(), "workbook": str(path)}
    written = [path]
    if parquet:
        written.append(workspace.parquet_file(chosen))
        data["parquet"] = str(written[-1])
    _say_if_elsewhere(path, workspace.report_file(chosen))
    options.print("\n".join(printing.written(one) for one in written), data)


@_command(cli)
@click.argument("period", required=False)
def status(options: Options, period: str | None) -> None:
    """一个报送期目前的报送情况，最近一次运行的结果。"""
    from bioduty_xl.watch import last_line

    workspace = options.open()
    chosen = _period(workspace, options, period)
    standing = workspace.standing(chosen, as_of=options.as_of)
    waiting = () if options.json else workspace.waiting_files(chosen, as_of=options.as_of)
    said = (
        printing.status(standing)
        + printing.waiting(waiting)
        + printing.last_pass(last_line(workspace.state_dir))
    )
    options.print(said, standing.as_json())


@_command(cli)
@click.argument("file", type=usage.Path(exists=True, dir_okay=False, path_type=Path))
def inspect(options: Options, file: Path) -> None:
    """辨认并检查一个文件，不作任何改动。"""
    workspace = options.open()
    report = workspace.inspect(file)
    options.print(printing.inspected(report, workspace.terms), report.as_json())
    if report.verdict.needs_attention:
        raise SystemExit(ATTENTION)


@_command(cli)
@click.argument("file")
@usage.option("--unit", metavar="NAME", required=True, help="是哪个单位所报")
@usage.option("--period", metavar="PERIOD", required=True, help="是哪一期的，如 2024Q2")
@usage.option("--reason", metavar="TEXT", required=True, help="认定的理由，记入台账")
def assign(options: Options, file: str, unit: str, period: str, reason: str) -> None:
    """认定一个待处理的文件是哪个单位、哪一期的返回表。

    FILE 写收件台账“文件”列中的名称，或 SHA-256 的前几位。
    """
    workspace = options.open()
    report = workspace.assign(file, unit, period, reason, as_of=options.as_of)
    options.print(printing.inspected(report, workspace.terms), report.as_json())
    if report.verdict.needs_attention:
        raise SystemExit(ATTENTION)


@_command(cli)
@_workers
@usage.option("--open", "opens", is_flag=True, help="完成后打开当期的汇总表")
def run(options: Options, executor: str | None, opens: bool) -> None:
    """完整运行一次：下发、收取、汇总当前该做的。"""
    workspace = options.open()
    with printing.progress(options.quiet) as progress, _executor(executor) as workers:
        done = _run_once(workspace, options, progress, workers)
    if opens:
        _open_book(workspace, done)
    raise SystemExit(_status_of(done))


@_command(cli)
@usage.option(
    "--print",
    "kind",
    type=click.Choice(("systemd", "cron", "schtasks")),
    help="不运行，只写出交给系统定时运行的配置：systemd、cron 或 Windows 任务计划程序",
)
@usage.option(
    "-o", "--output", type=usage.Path(path_type=Path, dir_okay=False), help="把配置写入文件"
)
def schedule(options: Options, kind: str | None, output: Path | None) -> None:
    """按 bioduty.toml 规定的时刻反复运行，直到停止。"""
    import signal

    from bioduty_xl.batch import keep_schedule

    workspace = options.open()
    if kind is not None:
        from bioduty_xl.desktop import own_command
        from bioduty_xl.timers import owner_of, printed, schtasks_bytes

        root, at = workspace.root, workspace.settings.schedule.at
        text = printed(kind, root, own_command(), at, owner_of(root))
        if output is not None:
            output.write_bytes(schtasks_bytes(text) if kind == "schtasks" else text.encode())
            text = printing.written(output)
        options.print(text, {"kind": kind, "text": text})
        return
    times = listed(f"{at:%H:%M}" for at in workspace.settings.schedule.at)
    click.echo(tell("每天 {times}（北京时间）运行，按 Ctrl+C 停止", times=times), err=True)

    def work() -> None:
        now = replace(
            options,
            workspace=workspace.root,
            as_of=_now(),
            by_clock=True,
        )
        with printing.progress(quiet=True) as progress:
            _run_once(now.open(), now, progress)

    # how it is meant to be stopped: by a person, or by the system
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        keep_schedule(workspace, work)


@_command(cli)
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=usage.Path(path_type=Path)
)
@usage.option("--period", metavar="PERIOD", help="报送期，如 2024Q2；不写时为当期")
@usage.option(
    "-o", "--output", type=usage.Path(path_type=Path, dir_okay=False), help="写入的工作簿（xlsx）"
)
def rollup(
    options: Options, folders: tuple[Path, ...], period: str | None, output: Path | None
) -> None:
    """把各市（州）的工作区汇总成一本全省工作簿；不改动各工作区。"""
    from bioduty_xl.rollup import Province, usual_file, usual_period

    with printing.progress(options.quiet) as progress:
        province = Province.read(
            folders,
            period or usual_period(options.as_of),
            as_of=options.as_of,
            progress=progress,
        )
    target = output or Path(usual_file(province.evidence.period))
    path = province.write(target)
    for line in printing.rollup_warnings(province):
        click.echo(line, err=True)
    _say_if_elsewhere(path, target)
    options.print(printing.rollup(province, path), {**province.as_json(), "workbook": str(path)})
    if province.needs_attention:
        raise SystemExit(ATTENTION)


@_command(cli)
@click.argument("file", type=usage.Path(path_type=Path))
def backup(options: Options, file: Path) -> None:
    """备份整个工作区，写成一个文件；不影响正在进行的运行。

    FILE 里有签名密钥、邮箱密码和各单位所报内容，请像工作区一样保管，不要放在共享盘上。
    """
    made = options.open().backup(file, as_of=options.as_of)
    options.print(printing.backed_up(made), made.as_json())
    if made.needs_attention:
        raise SystemExit(ATTENTION)


@_command(cli)
@click.argument("file", type=usage.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", metavar="DIR", type=usage.Path(path_type=Path))
@usage.option(
    "--state-dir",
    metavar="DIR",
    help="台账、原件和密钥放在哪里，由当前文件夹算起；不写时按备份的设置，在工作区内",
)
def restore(options: Options, file: Path, folder: Path, state_dir: str | None) -> None:
    """把备份恢复到一个新的或者空的文件夹；先全部核对，再放到位。"""
    from bioduty_xl.restoring import expanded
    from bioduty_xl.restoring import restore as put_in_place

    state = Path.cwd() / expanded(state_dir) if state_dir else None
    restored = put_in_place(file, folder, state)
    options.print(printing.restored(restored), restored.as_json())


@_command(cli)
def doctor(options: Options) -> None:
    """检查本机和工作区是否适合运行。"""
    from bioduty_xl.health import examine

    checks = examine(options.open(), options.as_of, by_clock=options.by_clock)
    options.print(printing.health(checks), {"checks": [check.as_json() for check in checks]})
    if not all(check.is_well for check in checks):
        raise SystemExit(FAILED)


def _run_once(
    workspace: Workspace, options: Options, progress: Any, executor: Executor | None = None
) -> Pass:
    from bioduty_xl.batch import run_pass

    done = run_pass(
        workspace, options.as_of, progress, by_clock=options.by_clock, executor=executor
    )
    options.print(printing.passed(done), printing.passed_json(done))
    return done


def _status_of(done: Pass) -> int:
    if done.failures:
        return FAILED
    return ATTENTION if done.needs_attention else 0


def _say_if_elsewhere(path: Path, usual: Path) -> None:
    """That a workbook was written beside its usual place."""
    if path != usual:
        said = tell("{usual} 正被其他程序打开，已另存为 {name}", usual=usual.name, name=path.name)
        click.echo(said, err=True)


def _open_book(workspace: Workspace, done: Pass) -> None:
    """Open the book of the current period, or of the newest that has one, as it was last
    written: beside the usual name where that was open already.
    """
    from bioduty_xl.desktop import open_file

    current = workspace.rulebook.calendar.current(done.as_of)
    others = {*workspace.open_periods(done.as_of), *workspace.closed_periods()} - {current}
    written = {path.parent: path for path in done.books}
    usual = [workspace.report_file(one) for one in (current, *sorted(others, reverse=True))]
    books = (written.get(path.parent, path) for path in usual)
    book = next((path for path in books if path.is_file()), None)
    if book is None:
        click.echo(tell("还没有汇总表可以打开"), err=True)
    elif not open_file(book):
        click.echo(tell("没有能打开汇总表的程序，请自行打开：{book}", book=book), err=True)


def _nearest_workspace() -> Path | None:
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / SETTINGS_FILE).is_file()), None)


def _default_plan_file(options: Options) -> Path:
    """Where an imported plan goes; a plan that stands there already is never replaced unasked."""
    workspace = options.find()
    target = workspace.path(workspace.settings.paths.plan) if workspace else Path("plan.xlsx")
    if target.exists():
        raise BiodutyError(say("{target} 已经存在；要替换它，请用 -o {target} 指明", target=target))
    return target


def _plan(options: Options) -> Plan:
    """The workspace's plan, or outside any workspace the packaged one."""
    from bioduty_xl.layout.packaged import PLAN, packaged
    from bioduty_xl.plan.book import read_plan

    workspace = options.find()
    return workspace.plan if workspace else read_plan(packaged(PLAN))


def _period(workspace: Workspace, options: Options, period: str | None) -> str:
    """The period given, or the one that is current."""
    if period is not None:
        return str(workspace.period(period))
    return str(workspace.rulebook.calendar.current(options.as_of))


def _language(arguments: Sequence[str]) -> Language:
    """The language to speak, told before click has parsed anything, and by the workspace's
    settings even where these cannot be used.
    """
    given = [
        after if word == "--workspace" else word.partition("=")[2]
        for word, after in zip(arguments, (*arguments[1:], ""), strict=False)
        if word.partition("=")[0] == "--workspace"
    ]
    try:
        folder = Path(given[-1]) if given else _nearest_workspace()
    except OSError:  # the current folder is gone: the command will say so
        folder = None
    return language_of(language_setting(folder), os.environ)


def main() -> None:
    """Entry point; survives consoles that cannot show every character, or none at all."""
    console.make_usable()
    speak(_language(sys.argv[1:]))
    # pydantic would look through all that is installed for plug-ins, which takes as long as it does
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    cli(obj=_OWN_PROCESS)
