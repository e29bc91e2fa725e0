"""One pandas frame for each sheet of the province's workbook, from the frames of its cities.

A city's rows are those of its own consolidated workbook with its name before them. Figures are
added up, rates are worked out anew; nothing is averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from rapidfuzz import process

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.returns import ANSWERED, ItemState
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.columns import Sheet
from bioduty_xl.layout.sheets import (
    CITIES,
    CITY_DETAIL,
    CITY_FIGURES,
    CITY_ITEMS,
    CITY_MISSING,
    CITY_PROBLEMS,
    CITY_UNITS,
    DEFINITIONS,
    LEFT_OUT,
    PLAN_DIFFERENCES,
    PROBLEM_THEMES,
    PROVINCE,
)
from bioduty_xl.report import frames
from bioduty_xl.report.evidence import AS_OF
from bioduty_xl.report.province import City, LeftOut, ProvinceEvidence
from bioduty_xl.report.themes import THEMES

MERGED, NOT_MERGED, DOUBLE = "已汇总", "未汇总", "重复"
"""What became of a folder."""

CLOSED, OPEN = "已结账", "未结账"

_ALIKE_FROM = 60
"""From this likeness (0 to 100) on, two tasks' titles may mean the same."""

_ANSWERED_WORDS = frozenset(state.value for state in ANSWERED)


@dataclass(frozen=True)
class _Merged:
    """A city with the tables that its rows come from, each made once."""

    city: City

    @cached_property
    def every(self) -> pd.DataFrame:
        return frames.entries(self.city.evidence)

    @cached_property
    def own(self) -> tuple[str, ...]:
        return frames.own_keys(self.city.evidence)

    @cached_property
    def problems(self) -> pd.DataFrame:
        return frames.problems(self.city.evidence, self.every)

    def rows(self, table: pd.DataFrame) -> Iterable[tuple[object, ...]]:
        """A table's rows with the city's name before them."""
        return ((self.city.name, *row) for row in table.itertuples(index=False, name=None))


def sheets(found: ProvinceEvidence) -> dict[str, pd.DataFrame]:
    """The frame of every sheet, by the sheet's key; columns are the declared keys, in the task
    sheet followed by one for each city, in the detail by those that cities added to their forms.
    """
    merged = [_Merged(city) for city in found.cities]
    tasks = _tasks(merged)
    problems = _of_all(CITY_PROBLEMS, merged, [one.problems for one in merged])
    cities = _cities(found, merged)
    return {
        PROVINCE.key: _figures(found, cities),
        CITIES.key: cities,
        CITY_ITEMS.key: _city_items(tasks, found.cities),
        CITY_UNITS.key: _of_all(
            CITY_UNITS, merged, [frames.receipts(one.city.evidence) for one in merged]
        ),
        CITY_MISSING.key: _of_all(
            CITY_MISSING,
            merged,
            [frames.missing_items(one.city.evidence, one.every) for one in merged],
        ),
        CITY_DETAIL.key: _detail(merged),
        CITY_PROBLEMS.key: problems,
        PLAN_DIFFERENCES.key: _plan_differences(tasks, found.cities),
        DEFINITIONS.key: _table(DEFINITIONS, _definitions(found)),
        CITY_FIGURES.key: cities.loc[
            cities["merged"] != DOUBLE, [column.key for column in CITY_FIGURES.columns]
        ],
        PROBLEM_THEMES.key: _themes(problems),
        LEFT_OUT.key: _table(LEFT_OUT, [(one.name, one.reason) for one in found.left_out]),
    }


def _of_all(
    sheet: Sheet, merged: Sequence[_Merged], tables: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    pairs = zip(merged, tables, strict=True)
    return _table(sheet, [row for one, table in pairs for row in one.rows(table)])


def _detail(merged: Sequence[_Merged]) -> pd.DataFrame:
    """汇总明细; columns that only some cities have are blank with the others."""
    own = tuple(dict.fromkeys(key for one in merged for key in one.own))
    rows: list[tuple[object, ...]] = []
    for one in merged:
        table = frames.detail(one.every, one.own)
        blank = {key: "" for key in own if key not in one.own}
        columns = [*(column.key for column in CITY_DETAIL.columns[1:]), *own]
        rows += one.rows(table.assign(**blank)[columns])
    return _table(CITY_DETAIL, rows, own)


def _cities(found: ProvinceEvidence, merged: Sequence[_Merged]) -> pd.DataFrame:
    by_name = {one.city.name: one for one in merged}
    doubles = [row for row in found.left_out if row.is_double]
    ordered = [*(row for row in found.rows if row not in doubles), *doubles]
    rows = [
        (number, *(_city_row(by_name[row.name]) if isinstance(row, City) else _blank_row(row)))
        for number, row in enumerate(ordered, start=1)
    ]
    return _table(CITIES, rows)


def _city_row(one: _Merged) -> tuple[object, ...]:
    city, standing = one.city, one.city.standing
    expected, returned = len(standing.expected), len(standing.returned)
    required = len(standing.required)
    return (
        *(city.name, MERGED, standing.due, expected, returned),
        *(len(standing.in_state(state)) for state in _UNIT_STATES),
        *(frames.rate(returned, expected), required),
        *(standing.count(state) for state in _ITEM_STATES),
        *(standing.missing, frames.rate(required - standing.missing, required), len(one.problems)),
        *(standing.files.held, standing.files.rejected),
        standing.as_of.astimezone(CHINA).replace(tzinfo=None),
        *(CLOSED if city.is_closed else OPEN, city.came_later),
        *(city.office.name, city.office.contact, city.office.phone),
        *("；".join((*city.doubts, *city.notes)), city.folder),
    )


def _blank_row(one: LeftOut) -> tuple[object, ...]:
    known = {
        "city": one.name,
        "merged": DOUBLE if one.is_double else NOT_MERGED,
        "note": one.reason,
        "folder": one.folder,
    }
    return tuple(known.get(column.key) for column in CITIES.columns[1:])


_UNIT_STATES = (
    *(UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE),
    *(UnitState.NOT_DUE, UnitState.EXEMPT),
)
_ITEM_STATES = (
    *(ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE),
    *(ItemState.NOT_FILLED, ItemState.NOT_RETURNED),
)

_SUMS = (
    *("expected", "returned", "on_time", "late", "overdue", "not_due", "exempt"),
    *("required", "filled", "nil", "not_applicable", "not_filled", "not_returned", "missing"),
    *("problems", "held", "rejected", "came_later"),
)
"""Columns of 各市（州）情况 that are added up."""


def _figures(found: ProvinceEvidence, cities: pd.DataFrame) -> pd.DataFrame:
    """The province's figures: counts, and shares as floats."""
    total = {key: int(cities[key].dropna().sum()) for key in _SUMS}
    doubles = sum(one.is_double for one in found.left_out)
    rows: list[tuple[str, object]] = [
        ("已汇总的市（州）", len(found.cities)),
        ("未汇总的文件夹", len(found.left_out) - doubles),
        ("重复的文件夹", doubles),
        ("已结账的市（州）", sum(city.is_closed for city in found.cities)),
    ]
    for key in _SUMS:
        rows.append((CITIES[key].heading, total[key]))
        if key == "exempt":
            rows.append(("报送率", frames.rate(total["returned"], total["expected"])))
            rows.append(("按时率", frames.rate(total["on_time"], total["expected"])))
        if key == "missing":
            done = total["required"] - total["missing"]
            rows.append(("完成率", frames.rate(done, total["required"])))
    return _table(PROVINCE, rows)


def _themes(problems: pd.DataFrame) -> pd.DataFrame:
    """How often each theme was reported, and by how many cities; the most frequent first."""
    counts = problems["theme"].value_counts()
    met = sorted((theme for theme in THEMES if theme in counts), key=lambda one: -counts[one])
    cities = problems.groupby("theme")["city"].nunique()
    return _table(PROBLEM_THEMES, [(one, int(counts[one]), int(cities[one])) for one in met])


@dataclass(frozen=True)
class _Task:
    """An item of one or several cities' plans, which are one because they have the same title.

    Attributes:
        title: as the first city writes it.
        keys: its key by city.
        counts: (answered, required) by city.
    """

    title: str
    keys: dict[str, list[str]]
    counts: dict[str, tuple[int, int]]


def _tasks(merged: Sequence[_Merged]) -> list[_Task]:
    """The items of all plans by title, in the order in which they are met."""
    tasks: dict[str, _Task] = {}
    for one in merged:
        required = one.every[one.every["required"]]
        all_of = required["item"].value_counts()
        answered = required[required["state"].isin(_ANSWERED_WORDS)]["item"].value_counts()
        for item in one.city.evidence.plan.items:
            task = tasks.setdefault(fold(item.title), _Task(item.title, {}, {}))
            done, whole = task.counts.get(one.city.name, (0, 0))
            task.keys.setdefault(one.city.name, []).append(item.key)
            task.counts[one.city.name] = (
                done + int(answered.get(item.key, 0)),
                whole + int(all_of.get(item.key, 0)),
            )
    return list(tasks.values())


def _city_items(tasks: Sequence[_Task], cities: Sequence[City]) -> pd.DataFrame:
    """A row for each task: the whole province, then `answered/required` of each city; empty where
    nothing is required, None where the city's plan has no such task.
    """
    names = [city.name for city in cities]
    rows = []
    for task in tasks:
        answered = sum(done for done, _ in task.counts.values())
        required = sum(whole for _, whole in task.counts.values())
        rows.append(
            (
                *("、".join(_keys_of(task)), task.title, len(task.keys)),
                *(required, answered, frames.rate(answered, required)),
                *(_share(task.counts.get(name)) for name in names),
            )
        )
    return _table(CITY_ITEMS, rows, names)


def _share(counts: tuple[int, int] | None) -> str | None:
    if counts is None:
        return None
    done, whole = counts
    return f"{done}/{whole}" if whole else ""


def _keys_of(task: _Task) -> list[str]:
    """The keys that cities give a task, the most usual first."""
    every = [key for keys in task.keys.values() for key in keys]
    return sorted(dict.fromkeys(every), key=lambda key: (-every.count(key), key))


def _plan_differences(tasks: Sequence[_Task], cities: Sequence[City]) -> pd.DataFrame:
    """The tasks that not every city has, or that cities number differently."""
    names = [city.name for city in cities]
    rows = []
    for task in tasks:
        lacking = [name for name in names if name not in task.keys]
        kinds = [
            *(["部分没有"] if lacking else []),
            *(["编号不同"] if len(_keys_of(task)) > 1 else []),
        ]
        if kinds:
            others = [one.title for one in tasks if not one.keys.keys().isdisjoint(lacking)]
            alike = process.extract(task.title, others, limit=2, score_cutoff=_ALIKE_FROM)
            rows.append(
                (
                    *(task.title, "、".join(kinds), _who_says(task, names)),
                    _listed(lacking, names),
                    "\n".join(title for title, _, _ in alike if title != task.title),
                )
            )
    return _table(PLAN_DIFFERENCES, rows)


def _who_says(task: _Task, every: Sequence[str]) -> str:
    """`T01：成都市、绵阳市`, a line for each key."""
    by_key = {
        key: [name for name, keys in task.keys.items() if key in keys] for key in _keys_of(task)
    }
    return "\n".join(f"{key}：{_listed(names, every)}" for key, names in by_key.items())


def _listed(names: Sequence[str], every: Sequence[str]) -> str:
    """Cities by name; where they are nearly all, the few that are not among them."""
    others = [name for name in every if name not in names]
    if len(others) > _FEW or len(names) <= _FEW:
        return "、".join(names)
    return f"除{'、'.join(others)}外的市（州）" if others else "全部市（州）"


_FEW = 3
"""So many names are listed rather than summed up."""


def _definitions(found: ProvinceEvidence) -> list[tuple[str, str]]:
    """口径说明: which moment, where the rows come from, how they were merged, what is not there."""
    as_of = f"{found.as_of.astimezone(CHINA):%Y-%m-%d %H:%M:%S}（北京时间）"
    closed = [
        f"{city.name}（{city.standing.as_of.astimezone(CHINA):%Y-%m-%d %H:%M:%S}）"
        for city in found.cities
        if city.is_closed
    ]
    return [
        ("报送期", f"{found.period.label}（{found.period}）"),
        (AS_OF, f"{as_of}，此后收到的不计入；已结账的市（州）为其结账时点，见“{CITIES.title}”"),
        ("已结账的市（州）", "、".join(closed) or "无"),
        (
            "结账的口径",
            "统计时点前已结账的，按结账时点的台账计，只计该市（州）结账时公布的汇总所计的返回表；"
            f"此后收到或认定的不计入，涉及的单位数见“{CITIES['came_later'].heading}”。"
            "各项口径按该市（州）现在的设置、登记表和责任分工方案",
        ),
        (
            "各行的来源",
            "各市（州）工作区的台账，与该市（州）自己的汇总工作簿同一口径、同一行序；"
            "截止日期、必报口径、延期免报均以各市（州）的设置和登记表为准。"
            "来源文件、工作表、单元格指该市（州）收到的返回表",
        ),
        (
            "市（州）名称",
            "取工作区 bioduty.toml 中 office.region 所写的名称，没有写的取文件夹名称；"
            "几个工作区的文件夹同名的，前面加上上一级文件夹的名称",
        ),
        (
            "重点任务的归并",
            "各市（州）方案中名称相同的任务视为同一任务（不计全角半角和空格），不看任务编号；"
            f"名称、编号不一致的列入“{PLAN_DIFFERENCES.title}”，没有自动合并",
        ),
        (
            f"{CITY_ITEMS.title}中的数字",
            "“已答复/必报”，按单位计；灰底为该市（州）方案中没有此项任务，空白为没有必报单位",
        ),
        (
            "合计",
            "各市（州）数字相加；报送率=已报单位/应报单位，按时率=按时/应报单位，"
            "完成率=不缺项的必报事项/必报事项，均按合计数计算，不是各市（州）比率的平均；"
            "比率保留到千分位，不进位",
        ),
        ("文件数", "只计待处理和拒收的文件，原因见各市（州）汇总工作簿的收件台账"),
        (
            "未计入的文件夹",
            "\n".join(f"{one.name}（{one.folder}）：{one.reason}" for one in found.left_out)
            or "无",
        ),
        (
            "未列入的内容",
            "联系人名单、校验意见、收件台账、补报见各市（州）自己的汇总工作簿",
        ),
    ]


def _table(
    sheet: Sheet, rows: Sequence[Sequence[object]], more: Sequence[str] = ()
) -> pd.DataFrame:
    columns = [*(column.key for column in sheet.columns), *more]
    return pd.DataFrame(rows, columns=columns, dtype=object)
