"""Reads the official text of a responsibility plan, as a scanner or Word left it.

Paragraphs broken at page ends are joined, a few slips of the scanner are mended, and every mend is
reported. What cannot be placed is an error naming the line and its text: nothing is dropped in
silence, and no word is changed that is not in the list of mends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Unit, UnitKind
from bioduty_xl.errors import PlanError
from bioduty_xl.plan.known_units import COUNTIES, aliases_of, canonical_name
from bioduty_xl.plan.text import Line, ends_sentence, join, mend_characters, number, read_lines

_PART = re.compile(r"([一二三四五六七八九十]+)、(.+)", re.DOTALL)
_ITEM = re.compile(r"[（(]\s*([一二三四五六七八九十]+)\s*[）)]\s*(.+)", re.DOTALL)
_LABEL = re.compile(r"(牵头单位|责任单位|主要举措)\s*[：:]\s*(.*)", re.DOTALL)
_NUMBERED = re.compile(r"(\d{1,2})\s*[.．、]\s*(\D.*)", re.DOTALL)
_ANNEX = re.compile(r"附\s*件\s*\d*")
_PAGE_NUMBER = re.compile(r"[-—－–\s]*\d{1,3}[-—－–\s]*")
_NOTE = re.compile(r"。?\s*（(.*)）。?", re.DOTALL)
_COUNTIES = re.compile(r"各?县（区）(?:人民)?(?:政府)?")
_UNIT = re.compile(
    r"[^\s，。；：、（）“”《》\d]{2,24}"
    r"(?:局|委|办|办公室|部|院|站|海关|中心|政府|处|署|所|会|队|公司|集团|银行|大学|学院|监委)"
)


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
    numbered: bool = True
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
        self.drafts: list[_Draft] = []
        self.names: dict[str, set[str]] = {}
        self.counties_from: int | None = None
        self.county_items: set[int] = set()

    def parse(self) -> Imported:
        start, end = self._bounds()
        title, title_at = self._title(start)
        for line in self.lines[start:end]:
            self._take(self._mended(line))
        items = self._items()
        if self.errors:
            raise PlanError("文件中有不能归位的内容，请改正后重新导入", *self.errors)
        plan = Plan(title, tuple(self.parts), self._units(), items).with_named_units()
        if problems := plan.problems():
            raise PlanError("读出的责任分工方案有问题，请核对原文", *problems)
        mends = sorted(self.mends, key=lambda mend: mend.line)
        return Imported(plan, tuple(mends), self._outside(title_at, start, end))

    def _bounds(self) -> tuple[int, int]:
        """Where the plan starts (its part 一, which is followed by item （一）) and ends."""
        for index, (line, after) in enumerate(zip(self.lines, self.lines[1:], strict=False)):
            part, item = _PART.fullmatch(line.text), _ITEM.fullmatch(after.text)
            if part and item and number(part[1]) == number(item[1]) == 1:
                ends = (
                    n for n in range(index, len(self.lines)) if _ANNEX.fullmatch(self.lines[n].text)
                )
                return index, next(ends, len(self.lines))
        raise PlanError("文件中没有找到责任分工方案：应有“一、…”，紧接着是“（一）…”")

    def _title(self, start: int) -> tuple[str, int]:
        for index in range(start - 1, -1, -1):
            if self.lines[index].text.endswith("方案"):
                return self._mended(self.lines[index]).text, index
        return "责任分工方案", start

    def _outside(self, title_at: int, start: int, end: int) -> tuple[tuple[int, int], ...]:
        spans = (self.lines[:title_at], self.lines[title_at + 1 : start], self.lines[end:])
        return tuple((span[0].no, span[-1].no) for span in spans if span)

    def _mended(self, line: Line) -> Line:
        text, slips = mend_characters(line.text)
        for slip in slips:
            self._report(line, slip)
        return Line(line.no, text, line.numbered)

    def _report(self, line: Line, message: str) -> None:
        self.mends.append(Mend(line.no, message))

    def _fail(self, line: Line, why: str) -> None:
        self.errors.append(f"第 {line.no} 行：{why}：“{line.text}”")

    def _take(self, line: Line) -> None:
        if _PAGE_NUMBER.fullmatch(line.text):
            self._report(line, f"页码“{line.text.strip()}”不属于正文，已略去")
        elif match := _PART.fullmatch(line.text):
            self._open_part(line, number(match[1]), match[2].rstrip("。"))
        elif match := _ITEM.fullmatch(line.text):
            self._open_item(line, number(match[1]), match[2])
        elif not self.drafts:
            self._fail(line, "此处应为任务标题“（一）…”")
        elif match := _LABEL.fullmatch(line.text):
            self._open_label(line, match[1], match[2])
        elif not self._open_measure(line):
            self._continue(line)

    def _open_part(self, line: Line, no: int, title: str) -> None:
        if no != len(self.parts) + 1:
            self._fail(line, f"此处应为第 {len(self.parts) + 1} 部分，读到第 {no} 部分")
        self.parts.append(Part(no, title))

    def _open_item(self, line: Line, no: int, title: str) -> None:
        if no != len(self.drafts) + 1:
            self._fail(line, f"此处应为第 {len(self.drafts) + 1} 项任务，读到第 {no} 项")
        self.drafts.append(_Draft(line, no, len(self.parts), title.rstrip("。")))

    def _open_label(self, line: Line, label: str, rest: str) -> None:
        draft = self.drafts[-1]
        block = {"牵头单位": "lead", "责任单位": "responsible", "主要举措": "measures"}[label]
        if getattr(draft, block) or draft.block == "measures":
            self._fail(line, f"“{draft.title}”中重复或错位的“{label}”")
        draft.block = block
        if rest.strip():
            text = Line(line.no, rest.strip(), line.numbered)
            if block != "measures" or not self._open_measure(text):
                self._continue(text)

    def _open_measure(self, line: Line) -> bool:
        """Whether the line starts a numbered measure; if so it is opened."""
        draft = self.drafts[-1]
        match = _NUMBERED.fullmatch(line.text)
        if draft.block != "measures" or not (match or line.numbered):
            return False
        expected = len(draft.measures) + 1
        text = Line(line.no, match[2] if match else line.text)
        if match and int(match[1]) != expected:
            if draft.measures and not ends_sentence(draft.measures[-1][-1].text):
                return False
            self._fail(line, f"此处应为第 {expected} 条举措，读到第 {match[1]} 条")
        draft.measures.append([text])
        return True

    def _continue(self, line: Line) -> None:
        """Put a line without a marker where it belongs: to the text that is still open."""
        draft = self.drafts[-1]
        block = self._open_block(draft)
        if block is None:
            draft.numbered = False
            draft.measures.append([line])
            self._report(line, f"第 {draft.no} 项的举措没有编号，按第 1 条处理")
        elif not block:
            block.append(line)
        elif draft.block in ("description", "measures") and ends_sentence(block[-1].text):
            self._fail(line, "上一段已经完整，此段不知属于哪里；若是上一段的续文，请接在其后")
        else:
            before, after = block[-1].text[-8:], line.text[:8]
            self._report(line, f"被换页拆开的一段已接上：…{before}‖{after}…")
            block.append(line)

    @staticmethod
    def _open_block(draft: _Draft) -> list[Line] | None:
        """The lines of the text that is being read; None before the first measure."""
        if draft.block == "measures":
            return draft.measures[-1] if draft.measures else None
        block: list[Line] = getattr(draft, draft.block)
        return block

    def _items(self) -> tuple[Item, ...]:
        """The items, with unit names where codes belong later, checked for what is missing."""
        lists = [
            (self._unit_names(d, d.lead), self._unit_names(d, d.responsible)) for d in self.drafts
        ]
        codes = {name: unit.code for unit in self._units() for name in (unit.name,)}
        return tuple(
            Item(
                key := f"T{draft.no:02d}",
                draft.no,
                draft.part,
                draft.title,
                self._joined(draft, draft.description, "任务内容"),
                tuple(codes[name] for name in lead),
                tuple(codes[name] for name in responsible),
                self._counties_of(draft, codes),
                tuple(
                    Measure(f"{key}-M{n}", self._joined(draft, lines, "主要举措"))
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

    def _joined(self, draft: _Draft, lines: list[Line], what: str) -> str:
        if not lines:
            self._fail(draft.line, f"缺少{what}")
            return ""
        text = join([line.text for line in lines])
        if not ends_sentence(text):
            self._report(lines[-1], f"段末没有句号，照原文保留：…{text[-10:]}")
        return text

    def _unit_names(self, draft: _Draft, lines: list[Line]) -> list[str]:
        """The units of one list, under their canonical names, in order."""
        text = join([line.text for line in lines])
        bare = text.removesuffix("。")
        if note := re.search(r"。?（", text):
            bare = text[: note.start()]
            self._read_note(draft, lines[0], text[note.start() :])
        elif bare != text:
            self._report(lines[0], f"单位名单末尾的句号已略去：…{text[-8:]}")
        names = []
        for written in filter(None, re.split(r"[、，,]", bare)):
            names += self._unit_name(draft, lines, written.strip())
        return names

    def _read_note(self, draft: _Draft, line: Line, text: str) -> None:
        note = _NOTE.fullmatch(text)
        if note is None:
            self._fail(line, "单位名单之后的文字不能归位")
        elif "县（区）" in note[1] and ("下同" in note[1] or "所有工作" in note[1]):
            self.counties_from = draft.no
            self._report(line, f"括注“{note[1]}”：自第 {draft.no} 项起各县（区）均有属地职责")
        else:
            self._report(line, f"单位名单后的括注未计入名单：“{note[1]}”")

    def _unit_name(self, draft: _Draft, lines: list[Line], written: str) -> list[str]:
        if _COUNTIES.fullmatch(written):
            self.county_items.add(draft.no)
            return []
        if not _UNIT.fullmatch(written):
            self._fail(self._line_of(lines, written), f"“{written}”不像单位名称")
            return []
        name = canonical_name(written)
        if name != written:
            line = self._line_of(lines, written)
            self._report(line, f"“{written}”与“{name}”是同一单位，已归并")
        self.names.setdefault(name, set()).add(written)
        return [name]

    @staticmethod
    def _line_of(lines: list[Line], text: str) -> Line:
        """The line a text stands on; where it was broken across two, the later one."""
        return next((line for line in lines if text in line.text), lines[-1])

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
