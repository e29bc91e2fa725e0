"""Is this machine and workspace fit? Each check is one line, well or with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bioduty_xl.errors import BiodutyError, Busy
from bioduty_xl.forms.template import FORMS, RETURN_TEMPLATE, Template
from bioduty_xl.layout.atomic import SCRATCH
from bioduty_xl.layout.disk import require_local
from bioduty_xl.ledger import Ledger
from bioduty_xl.post import PASSWORD_FILE, read_password
from bioduty_xl.reception import require_inbox
from bioduty_xl.watch import last_line, summary
from bioduty_xl.workspace import Workspace

ENOUGH_DISK = 500 << 20
"""Free bytes below which a workspace should be given room: some quarters of originals."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    is_well: bool
    message: str

    def as_json(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return asdict(self)


def examine(workspace: Workspace, as_of: datetime) -> list[Check]:
    """Every check, in the order in which things are needed. Writes nothing but a probe file."""
    year = as_of.year
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Python", lambda: sys.version.split()[0]),
        ("SQLite", lambda: sqlite3.sqlite_version),
        ("收件夹", lambda: _readable(workspace)),
        ("发件夹", lambda: _outbox(workspace)),
        ("状态文件夹", lambda: _state_folder(workspace)),
        ("运行锁", lambda: _lock(workspace)),
        ("磁盘空间", lambda: _free_space(workspace)),
        ("责任分工方案", lambda: _plan(workspace)),
        ("模板", lambda: _templates(workspace)),
        ("字体", _fonts),
        ("台账", lambda: _ledger(workspace)),
        (
            "放假安排",
            lambda: (
                f"{year} 年尚未公布，按周末估算"
                if workspace.terms.calendar.is_estimated(year)
                else f"{year} 年已有"
            ),
        ),
        ("登记表", lambda: _register(workspace)),
        ("邮件", lambda: _mail(workspace)),
        ("最近一次运行", lambda: _last_pass(workspace)),
    )
    return [_check(name, step) for name, step in steps]


def _check(name: str, step: Callable[[], str]) -> Check:
    try:
        return Check(name, is_well=True, message=step())
    except (BiodutyError, OSError) as error:
        return Check(name, is_well=False, message=str(error))


def _readable(workspace: Workspace) -> str:
    os.listdir(workspace.inbox)
    path = workspace.state_dir / "ledger.sqlite"
    with Ledger(path, read_only=True) as ledger:
        require_inbox(workspace.inbox, ledger)
    return str(workspace.inbox)


def _outbox(workspace: Workspace) -> str:
    workspace.outbox_root.mkdir(parents=True, exist_ok=True)
    _write_probe(workspace.outbox_root)
    return str(workspace.outbox_root)


def _state_folder(workspace: Workspace) -> str:
    require_local(workspace.state_dir)
    workspace.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_probe(workspace.state_dir)
    return str(workspace.state_dir)


def _write_probe(folder: Path) -> None:
    probe = folder / f"{SCRATCH}probe"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise BiodutyError(f"{folder} 不能写入（{error.strerror}），请检查权限") from error


def _lock(workspace: Workspace) -> str:
    try:
        with workspace.locked():
            return "空闲"
    except Busy:
        return "另一次运行正在进行"


def _fonts() -> str:
    """Fonts matter where workbooks and letters are opened, which need not be here."""
    there = _font_names()
    if there is None:
        return "本机不能查询；在打开文件的电脑上应有" + "、".join(FONTS)
    lost = [name for name, spellings in FONTS.items() if not any(s in there for s in spellings)]
    return f"没有{'、'.join(lost)}，在本机打开文件时用其他字体代替" if lost else "齐全"


FONTS = {
    "宋体": ("宋体", "simsun"),
    "黑体": ("黑体", "simhei"),
    "仿宋": ("仿宋", "simfang"),
    "楷体": ("楷体", "simkai"),
    "小标宋": ("小标宋", "xiaobiaosong"),
}
"""What the workbooks and letters are set in, with the names by which systems know them."""


def _font_names() -> str | None:
    """The names of the fonts of this machine, in lower case; None where it cannot be asked."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        return " ".join(path.name.lower() for path in folder.glob("*"))
    asked = shutil.which("fc-list")
    if asked is None:
        return None
    done = subprocess.run([asked, ":", "family"], capture_output=True, check=False)  # noqa: S603
    return done.stdout.decode(errors="replace").lower()


def _free_space(workspace: Workspace) -> str:
    free = shutil.disk_usage(workspace.root).free
    if free < ENOUGH_DISK:
        raise BiodutyError(f"只剩 {free >> 20} MB，请清理磁盘")
    return f"剩余 {free >> 20} MB"


def _plan(workspace: Workspace) -> str:
    if problems := workspace.plan.problems():
        raise BiodutyError("；".join(problems))
    first = workspace.rulebook.calendar.first  # looks up the units that the settings name
    return f"{workspace.plan_file}，自 {first} 起报送"


def _templates(workspace: Workspace) -> str:
    for name, sheet in FORMS.items():
        Template.read(workspace.template(name), sheet).open()
    return str(workspace.template(RETURN_TEMPLATE).parent)


def _register(workspace: Workspace) -> str:
    if problems := workspace.terms.register.problems:
        raise BiodutyError("；".join(str(problem) for problem in problems))
    if not workspace.register_file.is_file():
        return "还没有，下次运行时建立"
    return f"{workspace.register_file}，{len(workspace.terms.register.entries)} 条"


def _mail(workspace: Workspace) -> str:
    mail = workspace.settings.mail
    if not mail.host:
        return "没有设置，不发邮件"
    if mail.user and not read_password(workspace.state_dir):
        raise BiodutyError(f"没有密码：请写入 {workspace.state_dir / PASSWORD_FILE}，只许本人可读")
    return f"{mail.host}:{mail.port}，邮箱 {len(workspace.terms.register.addresses)} 个"


def _last_pass(workspace: Workspace) -> str:
    line = last_line(workspace.state_dir)
    if line is None:
        return "还没有运行过"
    if line["failures"]:
        raise BiodutyError(summary(line))
    return summary(line)


def _ledger(workspace: Workspace) -> str:
    path = workspace.state_dir / "ledger.sqlite"
    if not path.exists():
        return "尚未建立，首次运行时建立"
    with Ledger(path, read_only=True) as ledger:
        return f"已收文件 {ledger.count()} 个"
