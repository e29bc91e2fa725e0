"""What a person double-clicks, and what opens for them: starters beside the inbox, and a file in
the program that the system has for it. A starter only calls `bioduty`; it decides nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bioduty_xl.layout.atomic import write_whole

WINDOWS_STARTER, SHELL_STARTER = "运行.bat", "运行.sh"

_MARK = re.compile(rb"bioduty:([0-9a-f]{16})")
"""What a starter of ours carries: the start of the SHA-256 of all the rest of it."""

_UNMARKED = b"bioduty:" + b"0" * 16

_OPENED_WITHIN = 5.0
"""Seconds after which a program that opens files and still runs has not failed."""


class _Starter(NamedTuple):
    content: bytes
    mode: int


def own_command() -> tuple[str, ...]:
    """How others call this program: by this Python, wherever it was installed, and (`-P`) with
    nothing that lies in the folder where it is called, such as a workspace.
    """
    return (sys.executable, "-P", "-m", "bioduty_xl")


def write_starters(folder: Path, command: Sequence[str]) -> list[Path]:
    """Put starters into a folder, which run one pass there and open its book. One that a person
    has changed stays as it is.

    Args:
        command: the program and its first arguments.

    Returns:
        Those written.
    """
    written = []
    for name, starter in _starters(command).items():
        path = folder / name
        old = path.read_bytes() if path.exists() else None
        if old != starter.content and (old is None or _is_ours(old)):
            write_whole(path, starter.content, starter.mode)
            written.append(path)
    return written


def is_stale(folder: Path, command: Sequence[str]) -> bool | None:
    """Whether this system's starter in a folder, unchanged by people, calls another program or is
    of another version; None where there is none, or one that a person has changed.
    """
    name = WINDOWS_STARTER if sys.platform == "win32" else SHELL_STARTER
    path = folder / name
    content = path.read_bytes() if path.exists() else None
    if content is None or not _is_ours(content):
        return None
    return content != _starters(command)[name].content


def open_file(path: Path) -> bool:
    """Open a file as a double click would; returns whether anything could."""
    if sys.platform == "win32":
        try:
            os.startfile(path)  # noqa: S606
        except OSError:  # nothing is installed that opens such files
            return False
        return True
    program = "open" if sys.platform == "darwin" else "xdg-open"
    if sys.platform != "darwin" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        return False  # it would look for a browser that shows the file in this terminal
    return _does_open([program, str(path)])


def _does_open(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        opening = subprocess.Popen(  # noqa: S603
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError:
        return False
    try:
        return opening.wait(_OPENED_WITHIN) == 0
    except subprocess.TimeoutExpired:  # some keep running until the document is closed
        return True


def batch_file(lines: Sequence[str]) -> bytes:
    """A batch file for cmd.exe, which reads each line in the code page that is in force by then.

    What stands before `chcp` is ASCII; what follows is GBK (936), which every Chinese Windows can
    read, or UTF-8 where GBK lacks a letter.
    """
    text = "\r\n".join((*lines, ""))
    page, encoding = 936, "gbk"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        page, encoding = 65001, "utf-8"
    head = f"@echo off\r\nchcp {page} >nul\r\n".encode("ascii")
    return head + text.encode(encoding)


def batch_word(text: str) -> str:
    """A word of a command in a batch file, in quotes; file names on Windows hold none."""
    return '"' + text.replace("%", "%%") + '"'


def _starters(command: Sequence[str]) -> Mapping[str, _Starter]:
    return {
        WINDOWS_STARTER: _Starter(_marked(_windows(command)), 0o644),
        SHELL_STARTER: _Starter(_marked(_shell(command)), 0o755),
    }


def _marked(content: bytes) -> bytes:
    return content.replace(_UNMARKED, b"bioduty:" + _digest(content), 1)


def _is_ours(content: bytes) -> bool:
    """Whether a starter is as some version of the program has written it."""
    found = _MARK.search(content)
    return found is not None and found[1] == _digest(_MARK.sub(_UNMARKED, content, count=1))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:16].encode("ascii")


_UNCHANGED = "改动过的，程序不再更新；改名后可用 bioduty init --starters 重新生成"

_PROBE = '-P -c "import bioduty_xl"'
"""Fails where the Python is gone, and where it is there and the program is not."""

_AGAIN = "程序可能已经移走或卸载。重新安装后，在本文件夹执行：bioduty init --starters"


def _windows(command: Sequence[str]) -> bytes:
    program, words = batch_word(command[0]), " ".join(batch_word(word) for word in command)
    # `%~dp0` ends in a backslash, which would take the quote after it for a letter: hence the dot.
    # There are no labels, since cmd.exe has lost its place among lines in UTF-8 when it jumps.
    return batch_file(
        [
            f"rem {_UNMARKED.decode()} {_UNCHANGED}",
            "title 报送汇总",
            f"{program} {_PROBE} 2>nul || ("
            f"echo 找不到程序 {program}& echo {_AGAIN}& pause& exit /b 1)",
            "echo 正在收取、汇总，请稍候……",
            f'{words} run --open --workspace "%~dp0."',
            "set code=%errorlevel%",
            'if not "%code%"=="0" (echo.& echo 有需要处理的情况，请看上面的说明。& pause)',
            "exit /b %code%",
        ]
    )


def _shell(command: Sequence[str]) -> bytes:
    words = " ".join(shlex.quote(word) for word in command)
    return f"""\
#!/bin/sh
# {_UNMARKED.decode()} {_UNCHANGED}
here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
program={shlex.quote(command[0])}
if "$program" {_PROBE} 2>/dev/null; then
    echo '正在收取、汇总，请稍候……'
    {words} run --open --workspace "$here"
    code=$?
    said='有需要处理的情况，请看上面的说明。'
else
    code=1
    said="找不到程序 ${{program}}。{_AGAIN}"
fi
if [ "$code" -ne 0 ]; then
    printf '\\n%s\\n' "$said"
    if [ -t 0 ]; then
        printf '按回车键关闭窗口……'
        read -r _
    fi
fi
exit "$code"
""".encode()
