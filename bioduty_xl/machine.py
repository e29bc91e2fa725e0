"""What this machine gives a workspace: rights, room, clocks, fonts, letters. Each function looks at
one thing and says how it is, or raises what to do. It knows no workspace.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import BiodutyError, system_words
from bioduty_xl.language import SEMICOLON, listed, say
from bioduty_xl.layout.atomic import SCRATCH

ENOUGH_DISK = 500 << 20
"""Free bytes below which a workspace should be given room: some quarters of originals."""

_CLOCKS_APART = 300.0
"""Seconds by which the clock of a share may be off: what comes in shortly before midnight of the
due date is counted by it."""

LONGEST_PATH = 259
"""Characters, in UTF-16, of a path that every program on Windows opens."""


def probe(folder: Path, clock: Callable[[], float]) -> float:
    """Make a file in a folder, look at it and remove it again.

    Args:
        clock: this machine's, in seconds since the epoch.

    Returns:
        By how many seconds the clock of the folder's disk is ahead of this machine's.

    Raises:
        BiodutyError: nothing can be written there, or not removed again.
    """
    path = folder / f"{SCRATCH}probe"
    try:
        before = clock()
        path.write_bytes(b"")
        made, after = path.stat().st_mtime, clock()
        path.unlink()
    except OSError as error:
        raise BiodutyError(
            say(
                "{folder} 不能写入（{reason}），请检查权限",
                folder=folder,
                reason=system_words(error),
            )
        ) from error
    return made - min(max(made, before), after)


def require_clocks_together(folder: Path, ahead: float) -> None:
    """Refuse a disk whose clock tells another time than this machine.

    Raises:
        BiodutyError: the moments at which files come would be wrong.
    """
    if abs(ahead) > _CLOCKS_APART:
        word = say("快") if ahead > 0 else say("慢")
        raise BiodutyError(
            say(
                "{folder} 所在磁盘（共享盘）的时钟比本机{word} {minutes:.0f} 分钟，"
                "来件的收到时间会不准，请校准两边的时钟",
                folder=folder,
                word=word,
                minutes=abs(ahead) / 60,
            )
        )


def require_private(folder: Path, secrets: Iterable[Path]) -> None:
    """Refuse what others than its owner may read. Windows keeps rights in another way: what is in a
    user's own folder is that user's.

    Raises:
        BiodutyError: some of it is open to others, with the command that closes it.
    """
    if os.name != "posix":
        return
    wrong = [(folder, 0o700)] if _is_open(folder) else []
    wrong += [(path, 0o600) for path in secrets if path.exists() and _is_open(path)]
    if wrong:
        commands = (f"chmod {mode:o} '{path}'" for path, mode in wrong)
        raise BiodutyError(
            say("其他用户也能读取，请执行：{commands}", commands=listed(commands, SEMICOLON))
        )


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def require_own(paths: Iterable[Path]) -> None:
    """Refuse files that this user may not read and write, as when another user ran the program.

    Raises:
        BiodutyError: there is one.
    """
    for path in paths:
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise BiodutyError(
                say(
                    "{path} 不能读写，可能是其他用户运行过本程序；请改正文件的所有者，"
                    "一直用同一个用户运行",
                    path=path,
                )
            )


def free_space(places: Iterable[tuple[str, Path]]) -> str:
    """How much room there is, on each disk once.

    Args:
        places: what is kept in each folder.

    Raises:
        BiodutyError: there is too little on one.
    """
    disks: dict[int, tuple[str, int]] = {}
    for name, folder in places:
        here = next(path for path in (folder, *folder.parents) if path.exists())
        disks.setdefault(here.stat().st_dev, (name, shutil.disk_usage(here).free))
    said = listed(
        (
            say("{name}所在磁盘剩余 {free} MB", name=name, free=free >> 20)
            for name, free in disks.values()
        ),
        say("，"),
    )
    if any(free < ENOUGH_DISK for _, free in disks.values()):
        raise BiodutyError(
            say("{said}；不足 {least} MB 的，请清理磁盘", said=said, least=ENOUGH_DISK >> 20)
        )
    return said


def letters() -> str:
    """Whether Chinese can be written: in the names of files, and where this program prints.

    Raises:
        BiodutyError: names of files cannot hold Chinese.
    """
    try:
        os.fsencode("报送表")
    except UnicodeEncodeError:
        raise BiodutyError(
            say(
                "文件名的编码是 {names}，不能用中文；请把环境变量 LANG 设为 zh_CN.UTF-8 或 C.UTF-8",
                names=sys.getfilesystemencoding(),
            )
        ) from None
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    said = say(
        "文件名 {names}，窗口 {encoding}", names=sys.getfilesystemencoding(), encoding=encoding
    )
    try:
        "报送表".encode(encoding)
    except UnicodeEncodeError:
        return say(
            "{said}：窗口不能显示中文，不影响运行；要显示的，先执行 chcp 936 或 chcp 65001",
            said=said,
        )
    return said


def time_zone(now: datetime) -> str:
    """The time here beside China's, by which everything is counted."""
    here = now.astimezone()
    said = say("北京时间 {now:%Y-%m-%d %H:%M}", now=now.astimezone(CHINA))
    if here.utcoffset() == CHINA.utcoffset(None):
        return said
    return say(
        "{said}（本机时区 {here:%z}，时间 {here:%H:%M}；程序一律按北京时间计算）",
        said=said,
        here=here,
    )


def longest(paths: Iterable[Path]) -> int:
    """The length of the longest path, as Windows counts."""
    return max((len(str(path).encode("utf-16-le", "replace")) // 2 for path in paths), default=0)


def fonts() -> str:
    """Fonts matter where workbooks and letters are opened, which need not be here."""
    there = _font_names()
    if there is None:
        return say("本机不能查询；在打开文件的电脑上应有{fonts}", fonts=listed(FONTS))
    lost = [name for name, spellings in FONTS.items() if not any(s in there for s in spellings)]
    if not lost:
        return say("齐全")
    return say("没有{fonts}，在本机打开文件时用其他字体代替", fonts=listed(lost))


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
    with suppress(OSError):
        done = subprocess.run([asked, ":", "family"], capture_output=True, check=False)  # noqa: S603
        return done.stdout.decode(errors="replace").lower()
    return None
