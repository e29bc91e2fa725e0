"""Slips of the pen that make a file no TOML, and the sentence that helps with each.

A line is mended as it was probably meant, in memory alone, so that what else is wrong with the file
is found in the same go. The file itself is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, NamedTuple, Protocol

from bioduty_xl.language import Said, listed, say
from bioduty_xl.settings.places import Place, Places, Sighting
from bioduty_xl.settings.statements import (
    DROPPED,
    Statement,
    leave_out,
    left_out,
    statement_at,
    valueless,
    without_dropped,
)
from bioduty_xl.settings.stops import OPEN, OPEN_ARRAY, OPEN_TEXTS, TWICE, Stop, loaded, why
from bioduty_xl.settings.usable import Path

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
        left_out: keys that the file has, with values that cannot be used.
    """

    data: dict[str, Any]
    text: str
    faults: tuple[Fault, ...] = ()
    left_out: frozenset[Path] = frozenset()


class Names(Protocol):
    """The keys that there are."""

    def meant_in_chinese(self, name: str) -> str:
        """What to say of a name in Chinese: `，是否想写 name？` or nothing."""

    def is_text(self, path: Path) -> bool:
        """Whether the value of a key is a text, whatever it looks like."""


def parse(text: str, names: Names) -> Parsed:
    """Read TOML, going on after what is plainly a slip of the pen, and without the statement where
    it is not plain what was meant.
    """
    lines, faults = text.split("\n"), list[Fault]()
    while len(faults) < _MOST:
        try:
            return _parsed(loaded(lines), lines, faults)
        except Stop as stop:
            faults += _got_over(stop, lines, names, {fault.place.line for fault in faults})
    return _parsed({}, lines, faults)


def _got_over(stop: Stop, lines: list[str], names: Names, known: set[int]) -> Iterator[Fault]:
    """What is wrong where the parser stopped; the lines are mended so that it gets beyond.

    Args:
        known: lines that something is said of already.
    """
    if again := _repeated(stop, lines):
        lines[again.fault.place.line - 1] = again.mended
        yield again.fault
    elif found := _slip_at(stop, lines, names):
        number, slip = found
        lines[number - 1] = slip.mended
        yield Fault(Place(number, slip.column), slip.message, slip.is_guess)
    else:
        one = statement_at(lines, stop.place)
        fault = _not_understood(stop, lines, one)
        leave_out(lines, one)
        if fault.place.line not in known:
            yield fault


def _parsed(data: dict[str, Any], lines: list[str], faults: list[Fault]) -> Parsed:
    """What was read, with each fault said of its key."""
    text = "\n".join(lines)
    keys: dict[int, str] = {}
    for seen in Places(text).sightings:
        if name := _dotted(seen.path):
            keys.setdefault(seen.place.line, name)
    named = (_of_key(keys.get(one.place.line, ""), one) for one in faults)
    return Parsed(without_dropped(data), text, tuple(named), left_out(data))


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path if not isinstance(part, int))


def _of_key(key: str, fault: Fault) -> Fault:
    if not key or DROPPED in key:
        return fault
    return replace(fault, message=say("{key}：{message}", key=key, message=fault.message))


def _not_understood(stop: Stop, lines: list[str], one: Statement) -> Fault:
    """What is wrong with a statement: where the parser stopped, or where it begins if the parser
    did not find its end.
    """
    is_open, is_text = stop.place.line > one.last, stop.said.startswith(OPEN_TEXTS)
    place = Place(one.first) if is_open or is_text else stop.place
    words = why(OPEN_ARRAY if is_open and not is_text else stop.said)
    line = _excerpt(lines[place.line - 1])
    fault = Fault(place, say("{words}（{line}）", words=words, line=line))
    return fault if place.line == one.first else _of_key(_dotted(one.path), fault)


_MOST_SHOWN = 40


def _excerpt(line: str) -> str:
    """A line as it can be shown on any console."""
    shown = "".join(char if char.isprintable() else "�" for char in line.strip())
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"


class _Repeated(NamedTuple):
    fault: Fault
    mended: str


def _repeated(stop: Stop, lines: list[str]) -> _Repeated | None:
    """A key or a table that is there already; the second one is left out."""
    if not stop.said.startswith(TWICE):
        return None
    seen = Places("\n".join(lines[: stop.place.line])).sightings
    here = next((s for s in reversed(seen) if s.place.line <= stop.place.line), None)
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
    name = _dotted(tuple(part for part in one.path if DROPPED not in str(part)))
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


def _slip_at(stop: Stop, lines: list[str], names: Names) -> tuple[int, _Slip] | None:
    """The line that a slip is in, where the parser stopped or above where something is left open;
    and the slip.
    """
    for number in _suspects(stop, lines):
        seen = Places("\n".join(lines[:number])).sightings
        begun = [one for one in seen if one.begins]
        is_inside = bool(begun) and begun[-1].place.line < number
        tables = [one.path for one in begun if one.is_heading and one.place.line < number]
        line = _Line(lines[number - 1], number, tables[-1] if tables else (), is_inside)
        if slip := _find_slip(line, names):
            return number, slip
    return None


class _Line(NamedTuple):
    """A line to be mended.

    Attributes:
        table: that it is in.
        is_inside: it goes on with what an earlier line began.
    """

    text: str
    number: int
    table: Path
    is_inside: bool


def _suspects(stop: Stop, lines: list[str]) -> Iterator[int]:
    yield stop.place.line
    if stop.said.startswith(OPEN):
        before = range(1, stop.place.line)
        yield from (n for n in before if _has_open_quote(lines[n - 1]))


_LONGEST = 2000
"""Characters of a line that nobody has written by hand, and no slip of the pen."""


def _find_slip(line: _Line, names: Names) -> _Slip | None:
    text, bare = line.text, _without_texts(line.text[:_LONGEST])
    if len(text) > len(bare) or _is_remark(bare):
        return None
    if slip := _bare_text(text, bare, names, line.table):
        return slip
    for find in _SIGNS if line.is_inside else (*_SIGNS, *_SHAPES):
        if (slip := find(text, bare)) and slip.mended != text:
            return slip
    if line.is_inside:
        return None
    return _chinese_name(text, bare, names, line.number) or _value(text, bare)


_REMARK = re.compile(r"\s*(?=.*[\u3400-\u9fff])[^=＝\[\]［］【】{}｛｝\"'“”„＂「」‘’＇\x01＃]+")


def _is_remark(bare: str) -> bool:
    """Words without anything of a setting in them."""
    return bool(_REMARK.fullmatch(bare))


_TEXT = re.compile(
    r"\s*(?P<key>[A-Za-z0-9_.\-]+)[ \t]*=[ \t]*"
    r"(?P<value>[^\s\[{\x01\"'“”„＂「」‘’＇＃=][^\x01\"'“”„＂「」‘’＇＃=]*)"
)
_AFTER_TEXT = " \t\u3000;；,，。"


def _bare_text(line: str, bare: str, names: Names, table: Path) -> _Slip | None:
    """A text without quotes, also one that looks like a number: it is to be kept as it is, with the
    0 that telephone numbers begin with.
    """
    found = _TEXT.fullmatch(bare)
    if found is None or not names.is_text((*table, *found["key"].split("."))):
        return None
    value = found["value"].rstrip(_AFTER_TEXT)
    if not value or not value.isprintable():
        return None
    message, right = _quoted(value)
    column = found.start("value")
    return _Slip(column + 1, message, line[:column] + right, is_guess=True)


def _quoted(value: str) -> tuple[str, str]:
    """To put a text in quotes, and the text in quotes that no backslash can spoil."""
    escaped = value.replace("\\", "/").replace('"', "")
    quoted = f"'{value}'" if "\\" in value else f'"{value}"'
    return say("文字要加英文引号，写成 {quoted}", quoted=quoted), f'"{escaped}"'


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
        if re.fullmatch(r"(?:[^\\]|\\\\)*|(?:[^\\]|\\u[0-9A-Fa-f]{4})*", path):
            continue
        message = say(
            "Windows 路径要用单引号，写成 '{path}'，或者把 \\ 改成 /，写成 \"{slashed}\"",
            path=_without_end(path),
            slashed=path.replace(chr(92), "/"),
        )
        mended = line.replace(found[0], found[0].replace("\\", "/"))
        return _Slip(found.start() + 1, message, mended)
    return None


def _without_end(path: str) -> str:
    """A folder without its last backslash, except a whole drive: `D:` is another folder."""
    shorter = path.rstrip("\\")
    return shorter if shorter.rstrip(":") == shorter and shorter else f"{shorter}\\"


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


_WIDE_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_NUMBER = re.compile(r"[0-9:.\-]*[０-９][0-9０-９:.\-]*")


def _wide_digits(line: str, bare: str) -> _Slip | None:
    start = bare.find("=") + 1
    found = list(_NUMBER.finditer(bare, start))
    if not found or not (start or re.fullmatch(r"[\s\d:.,\-\[\]]+", bare)):
        return None
    right = listed(one[0].translate(_WIDE_DIGITS) for one in found)
    mended = "".join(
        char.translate(_WIDE_DIGITS) if at >= start and seen != "\1" else char
        for at, (char, seen) in enumerate(zip(line, bare, strict=True))
    )
    message = say("数字要用半角（英文）的，写成 {right}", right=right)
    return _Slip(found[0].start() + 1, message, mended)


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


_SPACED = re.compile(r"\s*(?P<name>[A-Za-z][\w\-]*(?:[ \t]+[A-Za-z][\w\-]*){1,2})[ \t]*=", re.ASCII)


def _spaced_name(line: str, bare: str) -> _Slip | None:
    """`due day = 25`."""
    found = _SPACED.match(bare)
    if found is None:
        return None
    right = "_".join(found["name"].split())
    start, end = found.span("name")
    message = say("设置名中间不能有空格，写成 {right}", right=right)
    return _Slip(start + 1, message, line[:start] + right + line[end:])


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
        if mend := _meant_time(found):
            message, right = mend
            mended = line[: found.start()] + right + line[found.end() :]
            return _Slip(found.start() + 1, message, mended)
    return None


def _meant_time(found: re.Match[str]) -> tuple[str, str] | None:
    try:
        right = time(int(found[1]), int(found[2]), int(found[3] or 0)).isoformat()
    except ValueError:
        return say("没有“{value}”这个时刻", value=found[0]), "00:00:00"
    return (say("时刻要写到秒，写成 {right}", right=right), right) if right != found[0] else None


_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


def _value(line: str, bare: str) -> _Slip | None:
    """What stands after the equals sign, where it is one value without quotes."""
    found = re.match(_KEY + r"=[ \t]*(?P<value>[^\s\[{\x01\"'][^\x01\[\]{}]*?|)\s*$", bare)
    if found is None:
        return None
    column, value = found.start("value"), found["value"]
    if not value:
        after = bare.index("=") + 1
        nothing = say("等号后面没有写值；不需要这一项的，请删去这一行")
        return _Slip(after + 1, nothing, valueless(line[:after]))
    mend = _meant_value(value)
    if mend is None:
        return None
    message, right = mend
    mended = line[:column] + right + line[found.end("value") :]
    return _Slip(column + 1, message, mended, is_guess=not right[0].isdigit())


def _meant_value(value: str) -> tuple[str, str] | None:
    """What is wrong with a value without quotes, and what is right."""
    if day := _DATE.fullmatch(value):
        return _meant_date(value, day)
    if value.lower() in ("true", "false"):
        return say("不能写 true 或 false"), value.lower()
    if re.fullmatch(r"0\d{6,}|0\d{2,3}-\d{7,8}", value):
        return _quoted(value)  # a telephone's number; no setting is that large
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
    return _quoted(value)


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


_Find = Callable[[str, str], _Slip | None]
_SIGNS: tuple[_Find, ...] = (
    _windows_path,
    _wide_quotes,
    _wide_signs,
    _wide_digits,
    _stray_wide_quote,
    _open_quote,
    _time_of_day,
)
"""What can be wrong with any line, also within a list."""

_SHAPES: tuple[_Find, ...] = (_open_heading, _spaced_name, _no_equals)
"""What can be wrong with a line that begins a statement."""


def _chinese_name(line: str, bare: str, names: Names, number: int) -> _Slip | None:
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
        hint=names.meant_in_chinese(name),
    )
    drop = f"{DROPPED}{number}"
    mended = line[: found.start(2)] + drop + line[found.end(2) :]
    return _Slip(found.start(2) + 1, message, mended)
