"""Is this machine and workspace fit? Each check is one line, well or with what to do."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bioduty_xl import desktop, machine
from bioduty_xl.domain.calendar import CHINA, is_announced
from bioduty_xl.domain.period import Period
from bioduty_xl.errors import BiodutyError, Busy, refusal
from bioduty_xl.forms.template import FORMS, RETURN_TEMPLATE, Template
from bioduty_xl.language import SEMICOLON, listed, say
from bioduty_xl.layout.disk import require_local
from bioduty_xl.layout.sheets import REGISTER_DAYS
from bioduty_xl.ledger import Ledger
from bioduty_xl.post import PASSWORD_FILE, read_password
from bioduty_xl.reception import require_inbox
from bioduty_xl.watch import clock_doubt, last_line, last_moment, summary
from bioduty_xl.workspace import ALL_TIME, Workspace

OVERDUE = timedelta(days=3)
"""A pass that was to be made may be missed for so long, over a weekend or while the machine is off,
before it is said."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    is_well: bool
    message: str

    def as_json(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return asdict(self)


def examine(
    workspace: Workspace,
    as_of: datetime,
    *,
    by_clock: bool = False,
    clock: Callable[[], float] = time.time,
) -> list[Check]:
    """Every check, in the order in which things are needed. Writes nothing but probe files.

    Args:
        by_clock: `as_of` is the machine's own time, which is looked at too.
        clock: the machine's, in seconds since the epoch; the clock of a share is compared with it.
    """
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Python", lambda: sys.version.split()[0]),
        ("SQLite", lambda: sqlite3.sqlite_version),
        (say("编码"), machine.letters),
        (say("时钟"), lambda: _clock(workspace, as_of, by_clock=by_clock)),
        (say("收件夹"), lambda: _inbox(workspace, clock)),
        (say("发件夹"), lambda: _outbox(workspace, clock)),
        (say("状态文件夹"), lambda: _state_folder(workspace, clock)),
        (say("运行锁"), lambda: _lock(workspace)),
        (say("磁盘空间"), lambda: _free_space(workspace)),
        (say("责任分工方案"), lambda: _plan(workspace)),
        (say("模板"), lambda: _templates(workspace)),
        (say("字体"), machine.fonts),
        (say("台账"), lambda: _ledger(workspace)),
        (say("放假安排"), lambda: _rest_days(workspace, as_of.year)),
        (say("登记表"), lambda: _register(workspace)),
        (say("邮件"), lambda: _mail(workspace)),
        (say("启动文件"), lambda: _starters(workspace)),
        (say("最近一次运行"), lambda: _last_pass(workspace, as_of)),
    )
    return [_check(name, step) for name, step in steps]


def _check(name: str, step: Callable[[], str]) -> Check:
    try:
        return Check(name, is_well=True, message=step())
    except BiodutyError as error:
        return Check(name, is_well=False, message=error.said)
    except OSError as error:
        return Check(name, is_well=False, message=refusal(error))


def _clock(workspace: Workspace, as_of: datetime, *, by_clock: bool) -> str:
    if not by_clock:
        return say("按指定的时点 {as_of:%Y-%m-%d %H:%M} 检查", as_of=as_of.astimezone(CHINA))
    last = last_moment(workspace.state_dir)
    doubt = clock_doubt(as_of, last) if last else None
    if doubt:
        raise BiodutyError(
            say(
                "{doubt}。请校准时钟；时间确实无误的，"
                "用 bioduty run --as-of {as_of:%Y-%m-%dT%H:%M} 运行一次即可",
                doubt=doubt,
                as_of=as_of.astimezone(CHINA),
            )
        )
    return machine.time_zone(as_of)


def _inbox(workspace: Workspace, clock: Callable[[], float]) -> str:
    with Ledger(workspace.ledger_file, read_only=True) as ledger:
        require_inbox(workspace.inbox, ledger)
    os.listdir(workspace.inbox)
    machine.require_clocks_together(workspace.inbox, machine.probe(workspace.inbox, clock))
    return str(workspace.inbox)


def _outbox(workspace: Workspace, clock: Callable[[], float]) -> str:
    if not workspace.outbox_root.is_dir():
        with Ledger(workspace.ledger_file, read_only=True) as ledger:
            if ledger.is_blank:
                return say("{folder}，还没有，下发报送表时建立", folder=workspace.outbox_root)
        raise BiodutyError(
            say(
                "{folder} 不在：请检查共享盘是否连接；确实要新建的，请先建好这个文件夹",
                folder=workspace.outbox_root,
            )
        )
    machine.probe(workspace.outbox_root, clock)
    length = longest_path(workspace)
    if length > machine.LONGEST_PATH:
        said = say(
            "其中最长的路径会有 {length} 个字符，Windows 上超过 {most} 个的打不开",
            length=length,
            most=machine.LONGEST_PATH,
        )
        if sys.platform == "win32":
            raise BiodutyError(
                say("{folder} {said}，请改用较短的文件夹", folder=workspace.outbox_root, said=said)
            )
        return say("{folder}（{said}）", folder=workspace.outbox_root, said=said)
    return str(workspace.outbox_root)


def longest_path(workspace: Workspace) -> int:
    """Characters of the longest path in the outbox, a unit's correction copy."""
    period, terms = Period(2024, 1), workspace.terms
    folder = workspace.outbox(period) / "corrections"
    names = (terms.file_name(unit, period) for unit in terms.plan(period).units)
    return machine.longest(folder / f"{name}_{period}_退回修改.xlsx" for name in names)


def _state_folder(workspace: Workspace, clock: Callable[[], float]) -> str:
    folder = workspace.state_dir
    require_local(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    machine.probe(folder, clock)
    secrets = [folder / name for name in ("signing.key", PASSWORD_FILE)]
    machine.require_own([workspace.ledger_file, workspace.originals, *secrets])
    machine.require_private(folder, secrets)
    return say("{folder}（在本机磁盘上）", folder=folder)


def _lock(workspace: Workspace) -> str:
    try:
        with workspace.locked():
            return say("空闲")
    except Busy:
        return say("另一次运行正在进行")


def _free_space(workspace: Workspace) -> str:
    return machine.free_space(
        (
            (say("工作区"), workspace.root),
            (say("状态文件夹"), workspace.state_dir),
            (say("发件夹"), workspace.outbox_root),
        )
    )


def _rest_days(workspace: Workspace, year: int) -> str:
    if not workspace.terms.calendar.is_estimated(year):
        last = year
        while is_announced(last + 1):
            last += 1
        return (
            say("已有到 {last} 年", last=last) if last > year else say("{year} 年已有", year=year)
        )
    return say(
        "{year} 年尚未公布，按周末估算；公布后请升级程序，或填在登记表“{sheet}”中",
        year=year,
        sheet=REGISTER_DAYS.title,
    )


def _plan(workspace: Workspace) -> str:
    if problems := workspace.plan.problems():
        raise BiodutyError(listed(problems, SEMICOLON))
    first = workspace.rulebook.calendar.first  # looks up the units that the settings name
    return say("{file}，自 {first} 起报送", file=workspace.plan_file, first=first)


def _templates(workspace: Workspace) -> str:
    for name, sheet in FORMS.items():
        Template.read(workspace.template(name), sheet).open()
    return str(workspace.template(RETURN_TEMPLATE).parent)


def _register(workspace: Workspace) -> str:
    if problems := workspace.terms.register.problems:
        raise BiodutyError(listed(map(str, problems), SEMICOLON))
    if not workspace.register_file.is_file():
        return say("还没有，下次运行时建立")
    return say(
        "{file}，{count} 条",
        file=workspace.register_file,
        count=len(workspace.terms.register.entries),
    )


def _mail(workspace: Workspace) -> str:
    mail = workspace.settings.mail
    if not mail.host:
        return say("没有设置，不发邮件")
    if mail.user and not read_password(workspace.state_dir):
        raise BiodutyError(
            say("没有密码：请写入 {file}，只许本人可读", file=workspace.state_dir / PASSWORD_FILE)
        )
    return say(
        "{host}:{port}，邮箱 {count} 个",
        host=mail.host,
        port=mail.port,
        count=len(workspace.terms.register.addresses),
    )


def _starters(workspace: Workspace) -> str:
    is_stale = desktop.is_stale(workspace.root, desktop.own_command())
    if is_stale is None:
        return say("没有，或者由人改动过；可用 bioduty init --starters 生成")
    if is_stale:
        raise BiodutyError(
            say("用的是别处或者别的版本的程序，请在工作区执行 bioduty init --starters")
        )
    return say("双击即可运行")


def _last_pass(workspace: Workspace, as_of: datetime) -> str:
    line = last_line(workspace.state_dir)
    if line is None:
        return say("还没有运行过")
    if line["failures"]:
        raise BiodutyError(summary(line))
    last = last_moment(workspace.state_dir)
    if last is not None and as_of - last > OVERDUE:
        times = listed(f"{at:%H:%M}" for at in workspace.settings.schedule.at)
        raise BiodutyError(
            say(
                "{last}；至今 {days} 天没有运行，按设置应每天 {times} 运行，"
                "请检查定时任务（设置方法见 bioduty schedule --print），或者现在运行一次；"
                "只靠双击运行的，不必设置定时任务",
                last=summary(line),
                days=(as_of - last).days,
                times=times,
            )
        )
    return summary(line)


def _ledger(workspace: Workspace) -> str:
    path = workspace.ledger_file
    workspace.require_ledger()
    if not path.exists():
        return say("尚未建立，首次运行时建立")
    with Ledger(path, read_only=True) as ledger:
        workspace.known_seal(ledger)
        known = {file.sha256 for file in ledger.files(ALL_TIME)}
        if lost := known - {original.name for original in workspace.originals.glob("*")}:
            raise BiodutyError(
                say(
                    "{folder} 中有 {count} 份原件不见了，请从备份恢复",
                    folder=workspace.originals,
                    count=len(lost),
                )
            )
        return say("已收文件 {count} 个", count=ledger.count())
