"""Lines of an official document, and the scanner's slips that are mended in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bioduty_xl.errors import PlanError
from bioduty_xl.language import say

_DIGITS = "一二三四五六七八九"
_SENTENCE_ENDS = ("。", "！", "？", "；")
_CLOSING = "”’）》"


@dataclass(frozen=True)
class Line:
    """A line (txt), or a paragraph (docx) or a piece of one between line breaks, that is not blank.

    Attributes:
        no: the line's or paragraph's number in the document, from 1.
        text: without white space at the ends.
        numbered: Word numbers it 1, 2, 3, so that its number is not in the text.
    """

    no: int
    text: str
    numbered: bool = False


def read_lines(path: Path) -> list[Line]:
    """The lines of a txt or docx document.

    Raises:
        PlanError: the document cannot be read, or is of another kind.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise PlanError(say("没有这个文件：{path}", path=path))
    if suffix == ".txt":
        return [
            Line(no, text.strip())
            for no, text in enumerate(_decode(path).splitlines(), start=1)
            if text.strip()
        ]
    if suffix == ".docx":
        from bioduty_xl.plan.word import read_paragraphs

        return [Line(no, text, numbered) for no, text, numbered in read_paragraphs(path)]
    raise PlanError(say("只能导入 txt 或 docx 文件，{file} 请先另存为 docx", file=path.name))


def number(chinese: str) -> int:
    """The value of a Chinese numeral from 一 to 九十九."""
    tens, found, ones = chinese.rpartition("十")
    if not found:
        return _DIGITS.index(chinese) + 1
    return (_DIGITS.index(tens) + 1 if tens else 1) * 10 + (_DIGITS.index(ones) + 1 if ones else 0)


def ends_sentence(text: str) -> bool:
    """Whether a text is complete, so that what follows is something else."""
    return text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def join(pieces: Sequence[str]) -> str:
    """One paragraph from its pieces; a blank only between two Latin words."""
    text = pieces[0] if pieces else ""
    for before, after in pairwise(pieces):
        latin = before[-1:].isascii() and before[-1:].isalnum() and after[:1].isascii()
        text += (" " if latin and after[:1].isalnum() else "") + after
    return text


def mend_characters(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with scanning slips put right, and a Chinese sentence for each kind of mend.

    意見 becomes 意见; half-width brackets and colons beside Chinese become full-width. Nothing else
    is touched, half-width commas included.
    """
    slips = []
    if "意見" in text:
        text = text.replace("意見", "意见")
        slips.append(say("“意見”改为“意见”"))
    for kind, half, full in ((say("括号"), "()", "（）"), (say("冒号"), ":", "：")):
        places = [match.start() for match in re.finditer(f"[{half}]", text)]
        for place in [place for place in places if _beside_chinese(text, place)]:
            wide = full[half.index(text[place])]
            context = text[max(0, place - 6) : place + 7]
            slips.append(
                say(
                    "半角{kind}“{mark}”改为全角：…{context}…",
                    kind=kind,
                    mark=text[place],
                    context=context,
                )
            )
            text = text[:place] + wide + text[place + 1 :]
    return text, tuple(slips)


def _beside_chinese(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return any(ord(char) > 0x2E7F for char in around)


def _decode(path: Path) -> str:
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PlanError(say("{file} 既不是 UTF-8 也不是 GB18030 编码的文本", file=path.name))
