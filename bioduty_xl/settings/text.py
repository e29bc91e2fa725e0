"""A settings file's bytes as text. What a byte order mark says is believed; nothing is guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

from bioduty_xl.errors import ConfigError
from bioduty_xl.language import say

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKLESS = 4
"""Of so many bytes one is zero in UTF-16, where the text is English. It passes for UTF-8."""

_HOW = say("请用记事本打开，选“文件”—“另存为”，“编码”选“UTF-8”，保存后再试")


def read_text(path: Path) -> str:
    """The text of a file that Notepad may have saved: UTF-8 with or without a mark, or UTF-16 with
    one. Line ends become line feeds.

    A file in GBK is told apart and refused: bytes that are damaged UTF-8 pass for GBK as well, and
    would be printed on every form.

    Raises:
        ConfigError: it is neither.
    """
    raw = path.read_bytes()
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS if raw.startswith(mark)), (b"", "utf-8")
    )
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(_refusal(path, raw, error)) from None
    if raw.count(b"\0") > len(raw) / _MARKLESS and not mark:
        raise ConfigError(_markless(path))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refusal(path: Path, raw: bytes, error: UnicodeDecodeError) -> str:
    line = raw.count(b"\n", 0, error.start) + 1
    if b"\0" in raw:
        return _markless(path)
    try:
        said = raw.decode("gb18030").splitlines()[line - 1].strip()
    except (UnicodeDecodeError, IndexError):
        return say(
            "{path} 第 {line} 行不是 UTF-8 编码的文字，文件可能已损坏；{how}",
            path=path,
            line=line,
            how=_HOW,
        )
    return say(
        "{path} 存成了 GBK（ANSI）编码（第 {line} 行：{said}）；{how}",
        path=path,
        line=line,
        said=said,
        how=_HOW,
    )


def _markless(path: Path) -> str:
    return say("{path} 是 UTF-16 编码而没有标记，不能读取；{how}", path=path, how=_HOW)
