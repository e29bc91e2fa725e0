"""通报: a draft of what is told to all units after a quarter is closed.

Every number is a `Figure`, read from the frames that the consolidated workbook is written from, and
the annex 数据来源 names the cells of each; a number that is no figure has no way into the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_rowcol_to_cell

from bioduty_xl import config
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.plan import Item, Role
from bioduty_xl.domain.returns import ANSWERED, REASON_COLUMNS, ItemState, Wording
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.columns import Sheet
from bioduty_xl.layout.sheets import (
    DETAIL,
    MISSING_ITEMS,
    OVERDUE,
    OVERVIEW,
    PROBLEMS,
    RECEIPTS,
    RETURN_FORM,
)
from bioduty_xl.report.evidence import Evidence
from bioduty_xl.report.frames import rate
from bioduty_xl.report.letters import SUBJECT, answer_day, contact_note, due_day, quoted_title
from bioduty_xl.report.official import (
    Annex,
    Block,
    Body,
    Heading,
    Paper,
    Table,
    chinese_date,
    render,
    writable,
)
from bioduty_xl.report.overview import figure_cell
from bioduty_xl.report.themes import OTHER, THEMES

SENTENCE = 80
"""Characters that a unit's own words may have."""

ADDRESSEE = "各县（区）人民政府，市级相关部门"
"""As the letter that asks for the returns is addressed."""

SOURCE_HEADINGS = ("序号", "数据内容", "数值", "工作表!单元格", "取数方法")
"""Of the annex 数据来源."""

_SOURCE_WIDTHS = (12.0, 30.0, 14.0, 54.0, 46.0)


@dataclass(frozen=True)
class Figure:
    """A number in the bulletin, and where in the consolidated workbook it comes from.

    Attributes:
        name: what it is.
        value: as the text says it.
        place: sheet and cells.
        how: what is done with the cells.
    """

    name: str
    value: str
    place: str
    how: str

    def __str__(self) -> str:
        return self.value


Prose = tuple[str | Figure, ...]
"""A paragraph: words and figures."""


def draft(
    evidence: Evidence, tables: Mapping[str, pd.DataFrame], office: config.Office, dated: date
) -> bytes:
    """The draft bulletin on a quarter, as a docx file's content.

    Args:
        evidence: of the quarter, at the moment of its consolidated workbook.
        tables: the frames of that workbook (`frames.sheets`).
        office: signs.
        dated: the day that the paper bears.
    """
    text = tuple(_text(evidence, _Book(tables), dated))
    period = evidence.standing.period
    return render(
        Paper(
            title=(office.name, f"关于{period.label}", f"{SUBJECT}的通报"),
            subtitle="（草稿）",
            addressee=ADDRESSEE,
            blocks=tuple(_block(part) for part in text),
            annexes=(_sources(evidence, text),),
            organ=office.name,
            dated=dated,
            note=contact_note(office),
        )
    )


def sentence_of(text: str, most: int = SENTENCE) -> str:
    """A unit's words as one sentence: lines joined, cut where a clause ends, the cut shown."""
    lines = [line for line in map(str.strip, writable(text).splitlines()) if line]
    flat = "".join(line if line[-1] in _STOPS else f"{line}；" for line in lines)
    flat = flat.rstrip(_STOPS)
    if len(flat) <= most:
        return f"{flat}。"
    end = max(flat.rfind(stop, most // 2, most) for stop in _STOPS)
    return f"{flat[: end if end > 0 else most].rstrip(_STOPS)}……"


_STOPS = "。；！？，、：;,"


@dataclass(frozen=True)
class _Test:
    """A condition on a column: its value is a text, or contains it; without a text, it has one."""

    key: str
    text: str = ""
    whole: bool = True

    def holds(self, row: Mapping[Any, Any]) -> bool:
        value = str(row[self.key])
        if not self.text:
            return bool(value)
        return value == self.text if self.whole else self.text in value

    def said(self, sheet: Sheet) -> str:
        """In Chinese, as the annex explains it."""
        heading = f"“{sheet[self.key].heading}”"
        if not self.text:
            return f"{heading}不为空"
        return f"{heading}{'为' if self.whole else '含'}“{self.text}”"


@dataclass(frozen=True)
class _Tally:
    """The rows of a sheet for which all conditions hold."""

    sheet: Sheet
    tests: tuple[_Test, ...]


@dataclass(frozen=True)
class _Book:
    """The consolidated workbook: what it says, as figures that know their cells."""

    tables: Mapping[str, pd.DataFrame]

    @cached_property
    def _rows(self) -> dict[str, list[dict[Any, Any]]]:
        return {key: table.to_dict("records") for key, table in self.tables.items()}

    def rows(self, sheet: Sheet) -> list[dict[Any, Any]]:
        """The rows of a sheet; the first stands in row 2."""
        return self._rows[sheet.key]

    def overview(self, name: str) -> Figure:
        """A figure of 总览."""
        table = self.tables[OVERVIEW.key]
        value = next(row["value"] for row in self.rows(OVERVIEW) if row["name"] == name)
        place = f"{OVERVIEW.title}!{figure_cell(table, name)}"
        return Figure(name, str(value), place, "直接取数")

    def rate(self, name: str, part: Figure, whole: Figure) -> Figure:
        """One figure in per cent of another."""
        place = f"{part.place}÷{whole.place}"
        return Figure(name, _per_cent(int(part.value), int(whole.value)), place, "两格相除")

    def rest_rate(self, name: str, part: Figure, whole: Figure) -> Figure:
        """What one figure leaves of another, in per cent."""
        left = int(whole.value) - int(part.value)
        place = f"（{whole.place}－{part.place}）÷{whole.place}"
        return Figure(name, _per_cent(left, int(whole.value)), place, "两格相减，再除以前一格")

    def cell(self, name: str, sheet: Sheet, row: int, key: str) -> Figure:
        """A number in the n-th row of a sheet."""
        value = self.rows(sheet)[row][key]
        place = f"{sheet.title}!{xl_rowcol_to_cell(row + 1, _column(sheet, key))}"
        return Figure(name, str(value), place, "直接取数")

    def count(self, name: str, *tallies: _Tally) -> Figure:
        """How many rows of one sheet, or of several together, pass the tests."""
        found = [self._found(tally) for tally in tallies]
        return Figure(
            name,
            str(sum(found)),
            "＋".join(self._place(tally) for tally in tallies),
            "＋".join(_how(tally) for tally in tallies),
        )

    def _found(self, tally: _Tally) -> int:
        rows = self.rows(tally.sheet)
        return sum(all(test.holds(row) for test in tally.tests) for row in rows)

    def _place(self, tally: _Tally) -> str:
        last = max(1, len(self.rows(tally.sheet)))
        spans = []
        for test in tally.tests:
            column = _column(tally.sheet, test.key)
            spans.append(f"{xl_rowcol_to_cell(1, column)}:{xl_rowcol_to_cell(last, column)}")
        return f"{tally.sheet.title}!{'、'.join(spans)}"


def _column(sheet: Sheet, key: str) -> int:
    return [column.key for column in sheet.columns].index(key)


def _how(tally: _Tally) -> str:
    return f"{'且'.join(test.said(tally.sheet) for test in tally.tests)}的行数"


def _per_cent(part: int, whole: int) -> str:
    share = rate(part, whole)
    return "—" if share is None else f"{100 * share:.1f}%"


def _text(evidence: Evidence, book: _Book, dated: date) -> Iterator[Heading | Prose]:
    yield (_opening(evidence),)
    yield Heading("总体情况")
    yield from _in_all(book)
    yield Heading("迟报和逾期未报情况")
    yield from _late(book)
    yield from _never(book)
    yield Heading("各项任务进展情况")
    for item in evidence.plan.items:
        yield from _item(book, item, evidence.wording)
    yield Heading(RETURN_FORM["problems"].heading)
    yield from _problems(book)
    yield Heading("下一步工作要求")
    yield from _numbered(_demands(evidence, book, dated))


def _opening(evidence: Evidence) -> str:
    standing = evidence.standing
    due = due_day(standing.units[0].calendar, standing.period)
    return (
        f"按照{quoted_title(evidence.plan.title)}及定期报送工作推进情况的要求，各单位应于{due}前"
        f"（含当日）报送{standing.period.label}工作推进情况。"
        f"截至{chinese_date(standing.as_of.astimezone(CHINA).date())}，有关情况通报如下。"
    )


def _in_all(book: _Book) -> Iterator[Prose]:
    """Counts and rates of units and items."""
    expected, returned = book.overview("应报单位"), book.overview("已报单位")
    on_time, late, overdue, not_due, exempt = (
        book.overview(state.word)
        for state in (
            *(UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE),
            *(UnitState.NOT_DUE, UnitState.EXEMPT),
        )
    )
    yield (
        *("本期应报单位", expected, "个，已报", returned, "个，报送率"),
        *(book.rate("报送率", returned, expected), "。其中，按时报送", on_time, "个，按时率"),
        *(book.rate("按时率", on_time, expected), "；迟报", late, "个；逾期未报", overdue, "个"),
        *(("；经批准延期、尚未到期", not_due, "个") if not_due.value != "0" else ()),
        *(("。另有免报单位", exempt, "个") if exempt.value != "0" else ()),
        "。",
    )
    required, missing = book.overview("必报事项"), book.overview("缺项")
    filled, nil, outside = (
        book.overview(state.value)
        for state in (ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE)
    )
    yield (
        *("本期必报事项", required, "项，其中已填", filled, "项，本季度无进展并写明原因", nil),
        *("项，不涉及并写明原因", outside, "项，缺项", missing, "项，完成率"),
        *(book.rest_rate("完成率", missing, required), "。"),
    )


def _late(book: _Book) -> Iterator[Heading | Prose]:
    """Who reported after the due date, by how many days."""
    yield Heading("迟报的单位", 2)
    units = [
        (row["unit"], book.cell(f"{row['unit']}迟报天数", RECEIPTS, n, "days"))
        for n, row in enumerate(book.rows(RECEIPTS))
        if row["state"] == UnitState.LATE.word
    ]
    yield _listed(book.overview(UnitState.LATE.word), units, "本期没有迟报的单位。")


def _never(book: _Book) -> Iterator[Heading | Prose]:
    """Whose return is not here, and for how many days."""
    yield Heading("逾期未报的单位", 2)
    units = [
        (row["unit"], book.cell(f"{row['unit']}逾期天数", OVERDUE, n, "days"))
        for n, row in enumerate(book.rows(OVERDUE))
    ]
    yield _listed(book.overview(UnitState.OVERDUE.word), units, "本期没有逾期未报的单位。")


def _listed(count: Figure, units: list[tuple[str, Figure]], none: str) -> Prose:
    if not units:
        return (none,)
    pieces: list[str | Figure] = ["共", count, "个："]
    for n, (unit, days) in enumerate(units):
        pieces += [f"{'、' * (n > 0)}{unit}（", days, "天）"]
    return (*pieces, "。")


def _item(book: _Book, item: Item, wording: Wording) -> Iterator[Heading | Prose]:
    """How many of those who must report on an item did, and what each unit did; leads first."""
    yield Heading(item.title, 2)
    yield _item_counts(book, item)
    rows = [row for row in book.rows(DETAIL) if row["item"] == item.key]
    order = [role.value for role in Role]
    for row in sorted(rows, key=lambda row: order.index(row["duty"].split("（")[0])):
        lead = f"（{Role.LEAD.value}）" if row["duty"].startswith(Role.LEAD.value) else ""
        yield (f"{row['unit']}{lead}：{_done(row, wording)}",)


def _item_counts(book: _Book, item: Item) -> Prose:
    must = _Test("duty", "必报", whole=False)
    may = _Test("duty", "选报", whole=False)
    on_item = _Test("item", item.key)
    said, left = _Tally(DETAIL, (on_item, must)), _Tally(MISSING_ITEMS, (on_item,))
    answered = book.count(f"{item.key} 已报告单位", said)
    states = [
        book.count(
            f"{item.key} {state.value}单位",
            _Tally(DETAIL, (on_item, must, _Test("state", state.value)))
            if state in ANSWERED
            else _Tally(MISSING_ITEMS, (on_item, _Test("state", state.value))),
        )
        for state in _STATES
    ]
    pieces: list[str | Figure] = ["应报单位", book.count(f"{item.key} 应报单位", said, left)]
    pieces += ["个，已报告", answered, "个"]
    for state, count in zip(_STATES, states, strict=True):
        if count.value != "0":
            pieces += [f"，{state.value}", count, "个"]
    volunteers = book.count(f"{item.key} 选报单位", _Tally(DETAIL, (on_item, may)))
    if volunteers.value != "0":
        pieces += ["；另有选报单位", volunteers, "个"]
    return (*pieces, "。")


_STATES = (
    *(ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE),
    *(ItemState.NOT_FILLED, ItemState.NOT_RETURNED),
)


def _done(row: Mapping[Any, Any], wording: Wording) -> str:
    """What a unit says that it did, or why there was nothing to do."""
    if row["state"] == ItemState.FILLED.value:
        return sentence_of(row["progress"])
    word = "本季度无进展" if row["state"] == ItemState.NO_PROGRESS.value else row["state"]
    reason = next((row[key] for key in REASON_COLUMNS if wording.is_answer(row[key])), "")
    return f"{word}，{sentence_of(reason)}" if reason else f"{word}。"


def _problems(book: _Book) -> Iterator[Heading | Prose]:
    """What stands in the way, by theme: the most frequent first, 其他 last."""
    rows = book.rows(PROBLEMS)
    counts = Counter(str(row["theme"]) for row in rows)
    themes = [theme for theme in THEMES if counts[theme]]
    if not themes:
        yield ("各单位没有反映问题。",)
        return
    yield ("各单位共反映问题", _problem_count(book), "条，按主题归类如下。")
    for theme in sorted(themes, key=lambda theme: (theme == OTHER, -counts[theme])):
        yield Heading(theme, 2)
        tally = _Tally(PROBLEMS, (_Test("theme", theme),))
        yield ("共", book.count(f"{theme}问题", tally), "条。")
        for words, units in _alike(row for row in rows if row["theme"] == theme).items():
            whose = "、".join(f"{unit}（{'、'.join(items)}）" for unit, items in units.items())
            alone = len(units) == 1
            yield (f"{whose}：{words}" if alone else f"{words}反映单位和事项：{whose}。",)


def _alike(rows: Iterable[Mapping[Any, Any]]) -> dict[str, dict[str, list[str]]]:
    """What units said, the same words once: of which unit, and on which items."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        units = found.setdefault(sentence_of(row["problems"]), {})
        units.setdefault(row["unit"], []).append(row["title"])
    return found


def _problem_count(book: _Book) -> Figure:
    return book.count("各单位反映的问题", _Tally(PROBLEMS, (_Test("code"),)))


def _demands(evidence: Evidence, book: _Book, dated: date) -> Iterator[Prose]:
    """What is asked of whom, as far as there is reason to ask."""
    calendar = evidence.standing.units[0].calendar
    overdue, missing = book.overview(UnitState.OVERDUE.word), book.overview("缺项")
    by = f"{answer_day(calendar, dated)}前（含当日）"
    if overdue.value != "0":
        yield ("尽快补报。逾期未报的", overdue, f"个单位，请于{by}报送。")
    if missing.value != "0":
        yield (
            *("补齐缺项。本期共有缺项", missing, "项，已报送的单位请对照本单位缺报的必报事项，"),
            f"于{by}补齐并重新报送；没有进展或者不涉及的，请如实选择并写明原因。",
        )
    if book.rows(PROBLEMS):
        yield ("推动解决问题。请各牵头单位会同责任单位，对所反映的问题逐项研究，提出措施。",)
    following = evidence.standing.period.shift(1)
    yield (
        f"按时报送下期情况。{following.label}工作推进情况，"
        f"请于{due_day(calendar, following)}前（含当日）报送。",
    )


def _numbered(paragraphs: Iterator[Prose]) -> Iterator[Prose]:
    for n, prose in enumerate(paragraphs, start=1):
        yield (f"{n}. ", *prose)


def _block(part: Heading | Prose) -> Block:
    return part if isinstance(part, Heading) else Body("".join(map(str, part)))


def _sources(evidence: Evidence, text: tuple[Heading | Prose, ...]) -> Annex:
    """数据来源: a row for each figure, in the order in which they are met."""
    standing = evidence.standing
    as_of = standing.as_of.astimezone(CHINA)
    note = (
        f"本通报的数字均取自{standing.period.label}汇总表（统计时点 {as_of:%Y-%m-%d %H:%M}），"
        "逐项列明如下，供核对；定稿印发时可不附。T01 等为任务编号。"
        "计数的，单元格依次为各条件所在的列。"
    )
    met = dict.fromkeys(
        piece
        for part in text
        if not isinstance(part, Heading)
        for piece in part
        if isinstance(piece, Figure)
    )
    rows = tuple(
        (str(n), figure.name, figure.value, figure.place, figure.how)
        for n, figure in enumerate(met, start=1)
    )
    return Annex("数据来源", (Body(note), Table(SOURCE_HEADINGS, rows, _SOURCE_WIDTHS)))
