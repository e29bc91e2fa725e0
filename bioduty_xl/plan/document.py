"""Reads the official text of a responsibility plan, as a scanner or Word left it.

Paragraphs broken at page ends are joined, a few slips of the scanner are mended, and every mend is
reported. What cannot be placed is an error naming the line and its text: nothing is dropped in
silence, and no word is changed that is not in the list of mends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Unit, UnitKind
from bioduty_xl.errors import PlanError
from bioduty_xl.language import say
from bioduty_xl.plan.known_units import COUNTIES, aliases_of, canonical_name, is_known
from bioduty_xl.plan.text import Line, ends_sentence, join, mend_characters, number, read_lines

_NUMERAL = "[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九]"
_PART = re.compile(rf"({_NUMERAL})、\s*(.+)")
_ITEM = re.compile(rf"[（(]\s*({_NUMERAL})\s*[）)]\s*(.+)")
_FIRST_ITEM = re.compile(r"[（(]\s*一\s*[）)].+")
_LABEL = re.compile(r"(牵头单位|责任单位|主要举措)\s*[：:]\s*(.*)")
_NUMBERED = re.compile(r"(\d{1,2})\s*(?:\.(?!\d)|[．、])\s*(.+)")
_ANNEX = re.compile(r"附\s*件\s*\d*")
_PAGE_NUMBER = re.compile(r"[-—－–\s]*\d{1,3}[-—－–\s]*")
_NOTE_START = re.compile(r"(?<!县)（")
_NOTE = re.compile(r"（((?:[^（）]|（[^（）]*）)*)）。?")
_COMMA = re.compile(r"[、，,]")
_COUNTIES = re.compile(r"各?县（区）(?:人民)?(?:政府)?")
_OFFICE = "(?:局|委|办|办公室|部|院|站|海关|中心|政府|处|署|所|会|队|公司|集团|银行|大学|学院)"
_UNIT = re.compile(rf"[^\s，。；：、（）“”《》\d]{{2,24}}{_OFFICE}")
_RUN_TOGETHER = re.compile(rf".{{2,}}{_OFFICE}(?:驻?市|攀枝花).+")
_BLOCKS = {"牵头单位": "lead", "责任单位": "responsible", "主要举措": "measures"}


@dataclass(frozen=True)
class Mend:
    """Something that was put right, or that is worth a look.

    Attributes:
        line: line (txt) or paragraph (docx) of the document, from 1.
        message: what was done, in Chinese, quoting the text.
    """

    line: int
    message: str


@dataclass(frozen=True)
class Imported:
    """A plan read from a document.

    Attributes:
        plan: the plan.
        mends: what was put right, in the order of the document.
        outside: (first line, last line) of text before and after the plan, which is not part of it.
    """

    plan: Plan
    mends: tuple[Mend, ...]
    outside: tuple[tuple[int, int], ...]


@dataclass
class _Draft:
    """An item while it is being read; each text is a list of the lines it was joined from."""

    line: Line
    no: int
    part: int
    title: str
    description: list[Line] = field(default_factory=list)
    lead: list[Line] = field(default_factory=list)
    responsible: list[Line] = field(default_factory=list)
    measures: list[list[Line]] = field(default_factory=list)
    labels: dict[str, Line] = field(default_factory=dict)
    block: str = "description"


def import_plan(path: Path) -> Imported:
    """Read the plan from a txt (UTF-8 or GB18030) or docx document.

    Raises:
        PlanError: the document is of another kind, holds no plan, or has text that cannot be
            placed; each such line is among the details.
    """
    return _Parser(read_lines(path)).parse()


class _Parser:
    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.mends: list[Mend] = []
        self.errors: list[str] = []
        self.parts: list[Part] = []
        self.headings: list[Line] = []
        self.drafts: list[_Draft] = []
        self.names: dict[str, set[str]] = {}
        self.counties_from: int | None = None
        self.county_items: set[int] = set()

    def parse(self) -> Imported:
        start, end = self._bounds()
        title, title_from, title_to = self._title(start)
        for line in self.lines[start:end]:
            self._take(self._mended(line))
        self._check_complete()
        items = self._items()
        if self.errors:
            raise PlanError(say("文件中有不能归位的内容，请改正后重新导入"), *self.errors)
        plan = Plan(title, tuple(self.parts), self._units(), items).with_named_units()
        if problems := plan.problems():
            raise PlanError(say("读出的责任分工方案有问题，请核对原文"), *problems)
        mends = sorted(self.mends, key=lambda mend: mend.line)
        spans = (self.lines[:title_from], self.lines[title_to:start], self.lines[end:])
        outside = tuple((span[0].no, span[-1].no) for span in spans if span)
        return Imported(plan, tuple(mends), outside)

    def _bounds(self) -> tuple[int, int]:
        """Where the plan starts: at the heading 一、 of the item （一） to which the first list of
        units belongs; and where it ends: at the first annex after the last label.
        """
        labels = [n for n in range(len(self.lines)) if self._is(n, _LABEL)]
        if not labels:
            raise PlanError(say("文件中没有找到责任分工方案：应有“一、…”“（一）…”“责任单位：…”"))
        item = self._nearest_above(labels[0], _FIRST_ITEM)
        below = labels[0] if item is None else item
        part = self._nearest_above(below, _PART)
        if item is None or part is None or not self.lines[part].text.startswith("一、"):
            wanted = "（一）…" if item is None else "一、…"
            line = self.lines[below]
            raise PlanError(
                say("没有找到责任分工方案的开头"),
                say(
                    "第 {no} 行：此行之前应有标题“{wanted}”：“{text}”",
                    no=line.no,
                    wanted=wanted,
                    text=line.text,
                ),
            )
        ends = (n for n in range(labels[-1], len(self.lines)) if self._is(n, _ANNEX))
        return part, next(ends, len(self.lines))

    def _nearest_above(self, index: int, pattern: re.Pattern[str]) -> int | None:
        return next((n for n in range(index - 1, -1, -1) if self._is(n, pattern)), None)

    def _is(self, index: int, pattern: re.Pattern[str]) -> bool:
        return pattern.fullmatch(self.lines[index].text) is not None

    def _title(self, start: int) -> tuple[str, int, int]:
        """The title, and the span of its lines: the nearest one above the plan that ends in 方案,
        and up to three lines before it where its 《 was left on them.
        """
        for last in range(start - 1, -1, -1):
            if not self.lines[last].text.endswith("方案"):
                continue
            first, text = last, self.lines[last].text
            while 0 < first > last - 3 and text.count("《") < text.count("》"):
                first -= 1
                text = join([self.lines[first].text, text])
            return self._mended(Line(self.lines[first].no, text)).text, first, last + 1
        self._report(self.lines[start], say("没有找到方案的标题，暂称“责任分工方案”"))
        return "责任分工方案", start, start

    def _mended(self, line: Line) -> Line:
        text, slips = mend_characters(line.text)
        for slip in slips:
            self._report(line, slip)
        return Line(line.no, text, line.numbered)

    def _report(self, line: Line, message: str) -> None:
        self.mends.append(Mend(line.no, message))

    def _fail(self, line: Line, why: str, before: Line | None = None) -> None:
        after = (
            say("（前一处在第 {no} 行：“{text}”）", no=before.no, text=before.text)
            if before
            else ""
        )
        self.errors.append(
            say(
                "第 {line} 行：{why}：“{text}”{after}",
                line=line.no,
                why=why,
                text=line.text,
                after=after,
            )
        )

    def _take(self, line: Line) -> None:
        if _PAGE_NUMBER.fullmatch(line.text):
            self._report(line, say("页码“{text}”不属于正文，已略去", text=line.text))
        elif match := _PART.fullmatch(line.text):
            self._open_part(line, number(match[1]), match[2].removesuffix("。"))
        elif match := _ITEM.fullmatch(line.text):
            self._open_item(line, number(match[1]), match[2])
        elif not self.drafts or self.drafts[-1].part != self.parts[-1].no:
            self._fail(line, say("此处应为任务标题“（一）…”"))
        elif match := _LABEL.fullmatch(line.text):
            self._open_label(line, match[1], match[2])
        elif not self._open_measure(line):
            self._continue(line)

    def _open_part(self, line: Line, no: int, title: str) -> None:
        expected = self.parts[-1].no + 1 if self.parts else 1
        if no != expected:
            before = self.headings[-1] if self.headings else None
            self._fail(
                line,
                say("此处应为第 {expected} 部分，读到第 {no} 部分", expected=expected, no=no),
                before,
            )
        self.parts.append(Part(no, title))
        self.headings.append(line)

    def _check_complete(self) -> None:
        filled = {draft.part for draft in self.drafts}
        for part, line in zip(self.parts, self.headings, strict=True):
            if part.no not in filled:
                self._fail(line, say("第 {no} 部分没有任务", no=part.no))
        for draft in self.drafts:
            if not draft.description:
                self._fail(draft.line, say("缺少任务内容"))
            if not draft.labels.keys() & {"牵头单位", "责任单位"}:
                self._fail(draft.line, say("没有牵头单位，也没有责任单位"))
            if not draft.measures:
                self._fail(draft.line, say("缺少主要举措"))

    def _open_item(self, line: Line, no: int, title: str) -> None:
        expected = self.drafts[-1].no + 1 if self.drafts else 1
        if no != expected:
            before = self.drafts[-1].line if self.drafts else None
            self._fail(
                line,
                say("此处应为第 {expected} 项任务，读到第 {no} 项", expected=expected, no=no),
                before,
            )
        if not title.endswith("。"):
            self._report(line, say("任务标题末尾没有句号，以本行为限：{title}", title=title))
        self.drafts.append(_Draft(line, no, self.parts[-1].no, title.removesuffix("。")))

    def _open_label(self, line: Line, label: str, rest: str) -> None:
        draft = self.drafts[-1]
        if before := draft.labels.get(label) or draft.labels.get("主要举措"):
            self._fail(
                line,
                say("“{title}”中重复或错位的“{label}”", title=draft.title, label=label),
                before,
            )
        draft.labels.setdefault(label, line)
        draft.block = _BLOCKS[label]
        if rest:
            text = Line(line.no, rest, line.numbered)
            if not self._open_measure(text):
                self._continue(text)

    def _open_measure(self, line: Line) -> bool:
        """Whether the line starts a numbered measure; if so it is opened."""
        draft = self.drafts[-1]
        match = _NUMBERED.fullmatch(line.text)
        if draft.block != "measures" or not (match or line.numbered):
            return False
        expected = len(draft.measures) + 1
        if match and int(match[1]) != expected:
            before = draft.measures[-1][0] if draft.measures else None
            self._fail(
                line,
                say(
                    "此处应为第 {expected} 条举措，读到第 {found} 条",
                    expected=expected,
                    found=match[1],
                ),
                before,
            )
        draft.measures.append([Line(line.no, match[2] if match else line.text)])
        return True

    def _continue(self, line: Line) -> None:
        """Put a line without a marker where it belongs: to the text that is still open."""
        draft = self.drafts[-1]
        block = self._open_block(draft)
        if block is None:
            draft.measures.append([line])
            self._report(line, say("第 {no} 项的举措没有编号，按第 1 条处理", no=draft.no))
        elif not block:
            block.append(line)
        elif draft.block in ("description", "measures") and ends_sentence(block[-1].text):
            why = say("上一段已经完整，此段不知属于哪里；若是上一段的续文，请接在其后")
            self._fail(line, why, block[-1])
        else:
            before, after = block[-1].text[-8:], line.text[:8]
            self._report(
                line, say("被换页拆开的一段已接上：…{before}‖{after}…", before=before, after=after)
            )
            block.append(line)

    @staticmethod
    def _open_block(draft: _Draft) -> list[Line] | None:
        """The lines of the text that is being read; None before the first measure."""
        if draft.block == "measures":
            return draft.measures[-1] if draft.measures else None
        block: list[Line] = getattr(draft, draft.block)
        return block

    def _items(self) -> tuple[Item, ...]:
        """The items, checked for what is missing. Their lists of units are read first, because
        codes are given in order of first appearance.
        """
        lists = [
            (self._unit_names(d, "牵头单位"), self._unit_names(d, "责任单位")) for d in self.drafts
        ]
        codes = {unit.name: unit.code for unit in self._units()}
        return tuple(
            Item(
                key := f"T{draft.no:02d}",
                draft.no,
                draft.part,
                draft.title,
                self._joined(draft.description),
                tuple(codes[name] for name in lead),
                tuple(codes[name] for name in responsible),
                self._counties_of(draft, codes),
                tuple(
                    Measure(f"{key}-M{n}", self._joined(lines))
                    for n, lines in enumerate(draft.measures, start=1)
                ),
            )
            for draft, (lead, responsible) in zip(self.drafts, lists, strict=True)
        )

    def _counties_of(self, draft: _Draft, codes: dict[str, str]) -> tuple[str, ...]:
        everywhere = self.counties_from is not None and draft.no >= self.counties_from
        if not everywhere and draft.no not in self.county_items:
            return ()
        return tuple(codes[name] for name in COUNTIES)

    def _joined(self, lines: list[Line]) -> str:
        text = join([line.text for line in lines])
        if lines and not ends_sentence(text):
            self._report(lines[-1], say("段末没有句号，照原文保留：…{end}", end=text[-10:]))
        return text

    def _unit_names(self, draft: _Draft, label: str) -> list[str]:
        """The units of one list, under their canonical names, in order."""
        if label not in draft.labels:
            return []
        lines: list[Line] = getattr(draft, _BLOCKS[label]) or [draft.labels[label]]
        text = join([line.text for line in getattr(draft, _BLOCKS[label])])
        note = _NOTE_START.search(text)
        listed = text[: note.start()].rstrip() if note else text
        if note:
            self._read_note(draft, self._line_of(lines, text[note.start() :]), text[note.start() :])
        if listed.endswith("。"):
            listed = listed.removesuffix("。")
            self._report(
                self._line_of(lines, f"{listed[-4:]}。"),
                say("单位名单末尾的句号已略去：…{end}。", end=listed[-8:]),
            )
        names = []
        for written in _COMMA.split(listed):
            names += self._unit_name(draft, lines, written.strip())
        return names

    def _read_note(self, draft: _Draft, line: Line, text: str) -> None:
        note = _NOTE.fullmatch(text)
        if note is None:
            self._fail(line, say("单位名单之后的文字“{text}”不能归位", text=text))
        elif "县（区）" in note[1] and ("下同" in note[1] or "所有工作" in note[1]):
            self.counties_from = self.counties_from or draft.no
            self._report(
                line,
                say(
                    "括注“{note}”：自第 {no} 项起各县（区）均有属地职责", note=note[1], no=draft.no
                ),
            )
        else:
            self._report(line, say("单位名单后的括注未计入名单：“{note}”", note=note[1]))

    def _unit_name(self, draft: _Draft, lines: list[Line], written: str) -> list[str]:
        """The canonical name; none where it means the counties or is an error."""
        if _COUNTIES.fullmatch(written):
            self.county_items.add(draft.no)
            return []
        name = canonical_name(written)
        if why := _fault_in(written, lines):
            self._fail(self._line_of(lines, written), why)
            return []
        if name != written:
            self._report(
                self._line_of(lines, written),
                say("“{written}”与“{name}”是同一单位，已归并", written=written, name=name),
            )
        elif not is_known(name):
            message = say("“{name}”不在已知单位之列，按新的单位登记，请核对", name=name)
            self._report(self._line_of(lines, written), message)
        self.names.setdefault(name, set()).add(written)
        return [name]

    @staticmethod
    def _line_of(lines: list[Line], text: str) -> Line:
        """The line a text ends on; it may have begun on the one before."""
        end = join([line.text for line in lines]).find(text) + len(text)
        ends = accumulate(len(line.text) for line in lines)
        return next((line for line, at in zip(lines, ends, strict=True) if at >= end), lines[-1])

    def _units(self) -> tuple[Unit, ...]:
        departments = tuple(
            Unit(
                f"U{n:02d}",
                name,
                UnitKind.DEPARTMENT,
                tuple(dict.fromkeys((*sorted(written - {name}), *aliases_of(name)))),
            )
            for n, (name, written) in enumerate(self.names.items(), start=1)
        )
        if self.counties_from is None and not self.county_items:
            return departments
        counties = tuple(
            Unit(f"C{n:02d}", name, UnitKind.COUNTY, aliases_of(name))
            for n, name in enumerate(COUNTIES, start=1)
        )
        return departments + counties


def _fault_in(name: str, lines: list[Line]) -> str:
    """Why something written in a list of units cannot be one; empty where it can. A name that was
    put together from two lines must be known.
    """
    if not name:
        return say("单位名单中缺一个名称")
    if not _UNIT.fullmatch(name):
        return say("“{name}”不像单位名称", name=name)
    if is_known(name):
        return ""
    if not any(name in line.text for line in lines):
        return say(
            "跨行接成的“{name}”不是已知单位；若是一个单位，请写在一行；若是两个，中间缺顿号",
            name=name,
        )
    if _RUN_TOGETHER.fullmatch(name):
        return say("“{name}”像是两个单位连在一起，中间缺顿号", name=name)
    return ""
