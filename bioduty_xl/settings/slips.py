"""Slips of the pen that make a file no TOML, and the sentence that helps with each.

A line is mended as it was probably meant, in memory alone, so that what else is wrong with the file
is found in the same go. The file itself is never changed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from bioduty_xl.language import Said, listed, say
from bioduty_xl.settings.places import Place, Places, Sighting

DROPPED = "__slip_"
"""How keys begin in mended text that stand for what cannot be used."""

_MOST = 100
"""Faults after which nobody reads on."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        place: where.
        message: what is wrong and what to write instead, after the key where there is one.
        is_guess: what was meant may be something else; what a model says of the value goes first.
    """

    place: Place
    message: str
    is_guess: bool = False

    @property
    def said(self) -> Said:
        """The whole of it as a line."""
        return say("{place}：{message}", place=self.place.said, message=self.message)


@dataclass(frozen=True)
class Parsed:
    """What a text holds.

    Attributes:
        data: all that could be read.
        text: the text that it was read from, line by line the same as the file, slips mended.
        faults: what is not TOML.
    """

    data: dict[str, Any]
    text: str
    faults: tuple[Fault, ...] = ()


def parse(text: str, meant: Callable[[str], str]) -> Parsed:
    """Read TOML, going on after what is plainly a slip of the pen.

    What is after a fault that is not understood is left out, and so is the table that it is in.

    Args:
        meant: what to say of a name in Chinese: `，是否想写 name？` or nothing.
    """
    lines, faults = text.split("\n"), list[Fault]()
    while len(faults) < _MOST:
        mended = "\n".join(lines)
        try:
            return _parsed(tomllib.loads(mended), mended, faults)
        except tomllib.TOMLDecodeError as error:
            said, place = _read_error(error, lines)
        if again := _repeated(said, mended, place):
            faults.append(again.fault)
            lines[again.fault.place.line - 1] = again.mended
        elif (number := _slipped_line(lines, said, place)) is not None:
            slip = _find_slip(lines[number - 1], meant, number)
            assert slip is not None
            faults.append(Fault(Place(number, slip.column), slip.message, slip.is_guess))
            lines[number - 1] = slip.mended
        else:
            faults += _not_understood(said, lines, place, faults)
            break
    whole = _whole_tables(lines, faults[-1].place.line)
    return _parsed(_loaded(whole), whole, faults)


def _parsed(data: dict[str, Any], text: str, faults: list[Fault]) -> Parsed:
    """What was read, with each fault said of its key."""
    keys: dict[int, str] = {}
    for seen in Places(text).sightings:
        if names := [str(part) for part in seen.path if not isinstance(part, int)]:
            keys.setdefault(seen.place.line, ".".join(names))
    named = (
        replace(one, message=say("{key}：{message}", key=key, message=one.message))
        if key and DROPPED not in key
        else one
        for one in faults
        for key in [keys.get(one.place.line)]
    )
    return Parsed(_without_dropped(data), text, tuple(named))


def _not_understood(
    said: str, lines: list[str], place: Place, faults: list[Fault]
) -> Iterator[Fault]:
    """Where the parser stopped, or where the array begins that it did not find the end of; not
    twice of one line.
    """
    if said.startswith("Unclosed array"):
        above = range(place.line, 0, -1)
        opened = re.compile(r"[^\[#]+=\s*\[")
        place = next((Place(n) for n in above if opened.match(lines[n - 1])), place)
    if place.line not in {fault.place.line for fault in faults}:
        yield Fault(place, _raw(said))


def _loaded(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _whole_tables(lines: list[str], line: int) -> str:
    """The tables before the one that a line is in."""
    headings = (n for n in range(line - 1, -1, -1) if lines[n].lstrip().startswith("["))
    return "\n".join(lines[: next(headings, 0)])


def _without_dropped(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _without_dropped(v) for k, v in data.items() if not k.startswith(DROPPED)}
    return [_without_dropped(one) for one in data] if isinstance(data, list) else data


_WHERE = re.compile(r"(?P<said>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end.*)\)")


def _read_error(error: tomllib.TOMLDecodeError, lines: list[str]) -> tuple[str, Place]:
    found = _WHERE.fullmatch(str(error))
    if found is None or found["line"] is None:
        last = max((n for n, line in enumerate(lines, 1) if line.strip()), default=1)
        return (found["said"] if found else str(error)), Place(last)
    return found["said"], Place(int(found["line"]), int(found["column"]))


class _Repeated(NamedTuple):
    fault: Fault
    mended: str


_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate inline")


def _repeated(said: str, text: str, place: Place) -> _Repeated | None:
    """A key or a table that is there already; the second one is left out."""
    if not said.startswith(_TWICE):
        return None
    lines = text.split("\n")
    seen = Places("\n".join(lines[: place.line])).sightings
    here = next((s for s in reversed(seen) if s.place.line <= place.line), None)
    starts = [s for s in seen if here and s.place.line == here.place.line]
    for one in starts:
        before = [s for s in seen if s.place < one.place]
        same = (s for s in before if s.path == one.path)
        if first := next(same, next((s for s in before if _clash(s, one)), None)):
            return _left_out(one, first, lines[one.place.line - 1], len(starts))
    return None


def _clash(first: Sighting, second: Sighting) -> bool:
    if second.is_heading and first.path and isinstance(first.path[-1], int):
        return first.path in (second.path, (*second.path, 0))
    shorter = min(len(first.path), len(second.path))
    return bool(shorter) and first.path[:shorter] == second.path[:shorter]


def _left_out(one: Sighting, first: Sighting, line: str, beside: int) -> _Repeated | None:
    name = ".".join(str(part) for part in one.path if not isinstance(part, int))
    if one.is_heading:
        said = say(
            "[{name}] 在第 {line} 行已经有了，请把两处合并成一节", name=name, line=first.place.line
        )
        return _Repeated(Fault(one.place, said), f"[{DROPPED}{one.place.line}]")
    said = say("{name}：第 {line} 行已经写过，请删去一处", name=name, line=first.place.line)
    rest = line.partition("=")[2]
    mended = f"{DROPPED}{one.place.line} ={rest}" if beside == 1 else f"# {line}"
    return _Repeated(Fault(one.place, said), mended)


class _Slip(NamedTuple):
    """What is wrong with a line.

    Attributes:
        mended: the line as it was probably meant.
        is_guess: see `Fault`.
    """

    column: int
    message: str
    mended: str
    is_guess: bool = False


def _slipped_line(lines: list[str], said: str, place: Place) -> int | None:
    """The line that a slip is in: where the parser stopped, or above where something is left
    open.
    """
    if _find_slip(lines[place.line - 1], _nothing, place.line):
        return place.line
    if said.startswith(("Unclosed", "Unterminated", 'Expected "')):
        before = range(1, place.line)
        return next((n for n in before if _has_open_quote(lines[n - 1])), None)
    return None


def _nothing(_: str) -> str:
    return ""


def _find_slip(line: str, meant: Callable[[str], str], number: int) -> _Slip | None:
    bare = _without_texts(line)
    for find in _SLIPS:
        if (slip := find(line, bare)) and slip.mended != line:
            return slip
    return _chinese_name(line, bare, meant, number) or _value(line, bare, number)


_CLOSED = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[#＃].*"
    r"|[“”„＂「][^“”＂」\"]*[“”＂」\"]|[‘’＇][^‘’＇']*[‘’＇']"
)
"""Texts in quotes, also the wrong ones, and comments."""


def _without_texts(line: str) -> str:
    """A line of the same length whose texts are blotted out and whose comments are blank; what is
    wrong at their edges stays.
    """
    return _CLOSED.sub(_blotted, line)


def _blotted(found: re.Match[str]) -> str:
    text = found[0]
    if text[0] in "#＃":
        return (text[0] if text[0] in _WIDE_EDGES else " ") + " " * (len(text) - 1)
    last = len(text) - 1
    return "".join(
        char if at in (0, last) and char in _WIDE_EDGES else "\1" for at, char in enumerate(text)
    )


_WIDE_QUOTES = "“”„＂「」‘’＇"
_WIDE_EDGES = _WIDE_QUOTES + "＃"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(_WIDE_QUOTES, '"'),
        **dict(zip("＝，、［］｛｝【】．：＃", "=,,[]{}[].=#", strict=True)),
        **dict.fromkeys("\u3000\u00a0", " "),
        **dict.fromkeys("\u200b\ufeff", ""),
    }
)
_WIDE = re.compile("[＝，、［］｛｝【】．：＃\u3000\u00a0\u200b\ufeff]")
_BLANKS = {
    "\u3000": say("全角空格"),
    "\u00a0": say("不间断空格"),
    "\u200b": say("看不见的字符"),
    "\ufeff": say("看不见的字符"),
}


def _windows_path(line: str, _: str) -> _Slip | None:
    """In double quotes a backslash begins a sign of its own."""
    for found in re.finditer(r'"((?:[A-Za-z]:)?\\[^"]*)"', line):
        path = found[1]
        if re.fullmatch(r"(?:[^\\]|\\\\)*", path):
            continue
        message = say(
            "Windows 路径要用单引号，写成 '{path}'，或者把 \\ 改成 /，写成 \"{slashed}\"",
            path=path.rstrip(chr(92)),
            slashed=path.replace(chr(92), "/"),
        )
        mended = line.replace(found[0], found[0].replace("\\", "/"))
        return _Slip(found.start() + 1, message, mended)
    return None


def _wide_quotes(line: str, bare: str) -> _Slip | None:
    at = next((n for n, char in enumerate(bare) if char in _WIDE_QUOTES), None)
    if at is None:
        return None
    mended = "".join(
        ("'" if char in "‘’＇" else '"') if seen in _WIDE_QUOTES else char
        for char, seen in zip(line, bare, strict=True)
    )
    message = say('中文（全角）引号 {sign} 要改成英文引号 "，两头都要改', sign=line[at])
    return _Slip(at + 1, message, _with_even_quotes(mended))


def _with_even_quotes(line: str) -> str:
    """Where one end was in single quotes and the other in double ones, both in double ones."""
    return line.replace("'", '"') if _has_open_quote(line) else line


def _wide_signs(line: str, bare: str) -> _Slip | None:
    found = list(dict.fromkeys(_WIDE.findall(bare)))
    if not found:
        return None
    at = min(bare.index(sign) for sign in found)
    names = listed(
        (
            say("{blank}要删去", blank=_BLANKS[sign])
            if sign in _BLANKS
            else say("“{sign}”要改成“{plain}”", sign=sign, plain=sign.translate(_PLAIN))
            for sign in found
        ),
        say("，"),
    )
    mended = "".join(
        char.translate(_PLAIN) if _WIDE.match(seen) else char
        for char, seen in zip(line, bare, strict=True)
    )
    return _Slip(at + 1, say("符号要用半角（英文）的：{names}", names=names), mended)


def _open_quote(line: str, bare: str) -> _Slip | None:
    at = next((n for n, char in enumerate(bare) if char in "\"'"), None)
    if at is None or '"""' in line or "'''" in line:
        return None
    closed = f"{line.partition('#')[0].rstrip()}{line[at]}"
    if _has_open_quote(closed):
        return None
    return _Slip(at + 1, say("引号 {sign} 没有成对，文字的两头各要一个", sign=line[at]), closed)


def _has_open_quote(line: str) -> bool:
    return any(char in "\"'" for char in _without_texts(line))


def _open_heading(_: str, bare: str) -> _Slip | None:
    """`[office` and `[[deadlines.special]`."""
    found = re.match(r"\s*(\[{1,2})([\w.\- ]+)(\]*)\s*$", bare)
    if found is None or "=" in bare or "," in bare or found[3] == "]" * len(found[1]):
        return None
    name = found[2].strip()
    right = f"[[{name}]]" if len(found[1]) == 2 else f"[{name}]"
    return _Slip(
        found.start(1) + 1, say("节名的方括号没有配对，应写成 {right}", right=right), right
    )


_KEY = r"^\s*(?P<key>[\w.\-\x01]+)\s*"


def _no_equals(line: str, bare: str) -> _Slip | None:
    found = re.match(_KEY + r"(?:(?P<colon>:)|(?<=\s)(?=[\x01\d\[{]))", bare)
    if found is None:
        return None
    what = say("冒号") if found["colon"] else say("空格")
    mended = f"{line[: found.end('key')]} = {line[found.end() :].lstrip()}"
    return _Slip(
        found.end("key") + 1, say("设置名和值之间用等号（=），不用{what}", what=what), mended
    )


def _time_of_day(line: str, bare: str) -> _Slip | None:
    for found in re.finditer(r"(?<![\d:T\-])(\d{1,2}):(\d{2})(?::(\d{2}))?(?![:\d])", bare):
        right = f"{int(found[1]):02}:{found[2]}:{found[3] or '00'}"
        if found[0] != right:
            mended = line[: found.start()] + right + line[found.end() :]
            return _Slip(found.start() + 1, say("时刻要写到秒，写成 {right}", right=right), mended)
    return None


_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


def _value(line: str, bare: str, number: int) -> _Slip | None:
    """What stands after the equals sign, where it is one value without quotes."""
    found = re.match(_KEY + r"=[ \t]*(?P<value>[^\s\[{\x01\"'][^\x01\[\]{}]*?|)\s*$", bare)
    if found is None:
        return None
    column, value = found.start("value"), found["value"]
    mend = _meant_value(value)
    if mend is None:
        return None
    message, right = mend
    mended = line[:column] + right + line[found.end("value") :]
    if not value:
        mended = f"{DROPPED}{number} = 0"
    return _Slip(column + 1, message, mended, is_guess=right.startswith('"'))


def _meant_value(value: str) -> tuple[str, str] | None:
    """What is wrong with a value without quotes, and what is right."""
    if not value:
        return say("等号后面没有写值；不需要这一项的，请删去这一行"), "0"
    if day := _DATE.fullmatch(value):
        return _meant_date(value, day)
    if value.lower() in ("true", "false"):
        return say("应写小写的 {value}", value=value.lower()), value.lower()
    unit = re.fullmatch(r"0*(\d+(?:\.\d+)?)\s*([^\d\s.:+\-]*)", value)
    if unit and value != unit[1]:
        said = (
            say("只写数字，不写单位“{unit}”", unit=unit[2])
            if unit[2]
            else say("数字的前面不要加 0")
        )
        return say("{said}：{number}", said=said, number=unit[1]), unit[1]
    if re.fullmatch(r"[\d:.TZ+\- ]+", value) or "=" in value or not value.isprintable():
        return None
    escaped = value.replace("\\", "/").replace('"', "")
    quoted = f"'{value}'" if "\\" in value else f'"{value}"'
    return say("文字要加英文引号，写成 {quoted}", quoted=quoted), f'"{escaped}"'


def _meant_date(value: str, day: re.Match[str]) -> tuple[str, str] | None:
    try:
        right = date(int(day[1]), int(day[2]), int(day[3])).isoformat()
    except ValueError:
        return say("没有“{value}”这一天", value=value), "2000-01-01"
    return (say("日期要写成 {right}", right=right), right) if right != value else None


def _stray_wide_quote(line: str, bare: str) -> _Slip | None:
    """Wide quotes among plain ones, where it cannot be told which is which."""
    if not any(char in _WIDE_QUOTES for char in line.partition("#")[0]) or "\1" not in bare:
        return None
    if not any(ord(char) > 127 for char in bare.replace("\1", "")):
        return None
    at = next(n for n, char in enumerate(line) if char in _WIDE_QUOTES)
    message = say('中文（全角）引号 {sign} 要改成英文引号 "，两头都要改', sign=line[at])
    return _Slip(at + 1, message, f"# {line}")


_SLIPS: tuple[Callable[[str, str], _Slip | None], ...] = (
    _windows_path,
    _wide_quotes,
    _wide_signs,
    _stray_wide_quote,
    _open_quote,
    _open_heading,
    _no_equals,
    _time_of_day,
)


def _chinese_name(line: str, bare: str, meant: Callable[[str], str], number: int) -> _Slip | None:
    """A name in Chinese, which TOML wants in quotes and we have not; then what is after it."""
    found = re.match(
        r"\s*(\[{0,2})\s*([^\s=\[\]{}\x01#]*[^\x00-\x7f][^\s=\[\]{}\x01#]*)\s*(?=[=\]])", bare
    )
    if found is None:
        return None
    name = found[2]
    message = say(
        "“{name}”不能用：设置名都是英文（中文的名称 TOML 要加引号，而这里没有）{hint}",
        name=name,
        hint=meant(name),
    )
    drop = f"{DROPPED}{number}"
    mended = line[: found.start(2)] + drop + line[found.end(2) :]
    return _Slip(found.start(2) + 1, message, mended)


_RAW = (
    ("Unclosed array", say("方括号 [ 没有配对的 ]，或者其中少了逗号")),
    ("Unclosed inline", say("花括号 {{ 没有配对的 }}，或者少了逗号")),
    ("Unterminated", say("引号没有成对")),
    ('Expected "', say("引号没有成对")),
    ("Unescaped", say("双引号里的 \\ 要写成 \\\\，或者改用单引号")),
    ("Invalid hex", say("双引号里的 \\ 要写成 \\\\，或者改用单引号")),
    ("Invalid date", say("没有这样的日期或者时刻")),
    ("Expected newline", say("这一行的值写完以后还有多余的内容；一行只写一项，说明写在 # 后面")),
    ("Expected '='", say("设置名后面没有等号")),
    ("Invalid value", say("值不能这样写；文字要加英文引号")),
    ("Invalid statement", say("这一行不是“设置名 = 值”，也不是 [节名]；说明写在 # 后面")),
    *((said, say("这一项已经写过，请删去一处")) for said in _TWICE),
)


def _raw(said: str) -> str:
    words = next((words for start, words in _RAW if said.startswith(start)), say("写法不对"))
    return say("{words}（{said}）", words=words, said=said)
