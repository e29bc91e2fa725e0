"""Where the TOML parser stops, and why in words of ours. What it says itself is English and is
never shown.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import Any

from bioduty_xl.language import Said, say
from bioduty_xl.settings.places import Place, Places
from bioduty_xl.settings.usable import unusable

TWICE = (
    *("Cannot overwrite", "Cannot declare", "Cannot mutate", "Cannot redefine"),
    "Duplicate inline",
)
"""How the parser begins to say that something is there already."""

OPEN_ARRAY = "Unclosed array"
OPEN_TEXTS = ("Unterminated", 'Expected "')
"""How it begins to say that the end of a text has not come."""

OPEN = ("Unclosed", *OPEN_TEXTS)


class Stop(Exception):
    """A text cannot be read beyond a place.

    Attributes:
        said: what the parser says, in English; a kind of error, to be asked for with `why`.
        place: where it stopped, which may be after what is wrong.
    """

    def __init__(self, said: str, place: Place) -> None:
        super().__init__(said)
        self.said = said
        self.place = place


def loaded(lines: list[str]) -> dict[str, Any]:
    """What a text holds.

    Raises:
        Stop: it is no TOML, or holds what no setting can be.
    """
    text = "\n".join(lines)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _stop(error, lines) from None
    except (RecursionError, ValueError) as error:
        raise Stop(type(error).__name__, Place(_first_that_fails(lines))) from None
    for path, said in unusable(data):
        raise Stop(said, Places(text).of(path))
    return data


_WHERE = re.compile(r"(?P<said>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end.*)\)")


def _stop(error: tomllib.TOMLDecodeError, lines: list[str]) -> Stop:
    found = _WHERE.fullmatch(str(error))
    if found is None or found["line"] is None:
        last = max((n for n, line in enumerate(lines, 1) if line.strip()), default=1)
        return Stop(found["said"] if found else str(error), Place(last))
    return Stop(found["said"], Place(int(found["line"]), int(found["column"])))


def _first_that_fails(lines: list[str]) -> int:
    """The line that the parser breaks at without saying where; it breaks at it however much of the
    text comes after.
    """
    return bisect_left(range(1, len(lines)), x=True, key=lambda n: _breaks(lines[:n])) + 1


def _breaks(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    except (RecursionError, ValueError):
        return True
    return False


_WHY = (
    (OPEN_ARRAY, say("方括号 [ 没有配对的 ]，或者其中少了逗号")),
    ("Unclosed inline", say("花括号 {{ 没有配对的 }}，或者少了逗号")),
    *((start, say("引号没有成对")) for start in OPEN_TEXTS),
    ("Unescaped", say("双引号里的 \\ 要写成 \\\\，或者改用单引号")),
    ("Invalid hex", say("双引号里的 \\ 要写成 \\\\，或者改用单引号")),
    ("Escaped character", say("双引号里 \\u 后面的编号不是一个字；要写 \\ 本身，请改用单引号")),
    ("Invalid date", say("没有这样的日期或者时刻")),
    ("Expected newline", say("这一行的值写完以后还有多余的内容；一行只写一项，说明写在 # 后面")),
    ("Expected '='", say("设置名后面没有等号；说明写在 # 后面")),
    ("Expected ']", say("节名的方括号没有配对，节名中也不能有空格")),
    ("Invalid initial", say("设置名或者节名不能这样写，只能用英文字母、数字、- 和 _")),
    ("Invalid value", say("值不能这样写；文字要加英文引号")),
    ("Invalid statement", say("这一行不是“设置名 = 值”，也不是 [节名]；说明写在 # 后面")),
    ("Found invalid", say("其中有看不见的控制字符，请删去")),
    ("Illegal character", say("其中有看不见的控制字符，请删去")),
    (RecursionError.__name__, say("一层套一层，层数太多")),
    (ValueError.__name__, say("数字太大，不能使用")),
    *((said, say("这一项已经写过，请删去一处")) for said in TWICE),
)


def why(said: str) -> Said:
    """What is wrong, for what the parser says."""
    return next((words for start, words in _WHY if said.startswith(start)), say("写法不对"))
