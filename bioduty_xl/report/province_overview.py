"""全省总览: where the whole province stands, city by city, and who is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.returns import ItemState
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.columns import Column, Kind, Sheet
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.sheets import (
    CITIES,
    CITY_FIGURES,
    LEFT_OUT,
    PROBLEM_THEMES,
    PROVINCE,
)
from bioduty_xl.report.looks import Formats, look_of
from bioduty_xl.report.overview import COLOURS
from bioduty_xl.report.packing import StreamedBook
from bioduty_xl.report.province import ProvinceEvidence
from bioduty_xl.report.province_frames import MERGED
from bioduty_xl.report.rows import writable

_TOP = 3
"""Row of the tables' headings."""

_MIDDLE, _LAST, _CHARTS = 3, 8, 10
"""Columns: of the tables by city, their last one, of the charts."""

_WIDTHS = (20, 9, 3, 20, 9, 9, 9, 9, 9, 3)
_CHART_WIDTH = 440

_UNITS = ("on_time", "late", "overdue", "not_due")
_ITEMS = ("filled", "nil", "not_applicable", "not_filled", "not_returned")
"""Columns of 各市（州）情况 that the charts show."""


def write_province(
    written: StreamedBook,
    worksheet: Worksheet,
    found: ProvinceEvidence,
    tables: Mapping[str, pd.DataFrame],
    links: Mapping[str, str],
) -> None:
    """Title, what a person must look at, figures, a line for each city, who is left out, themes of
    problems, two charts, and links to every other sheet.

    Args:
        links: what is read, and the worksheet that it leads to.
    """
    book, formats = written.book, written.formats
    for index, width in enumerate(_WIDTHS):
        worksheet.set_column(index, index, width)
    _write_heading(book, worksheet, found)
    cities = tables[CITY_FIGURES.key]
    below = _write_table(worksheet, (_TOP, 0), PROVINCE, tables[PROVINCE.key], formats)
    left = _write_links(book, worksheet, links, below + 1)
    below = _write_table(worksheet, (_TOP, _MIDDLE), CITY_FIGURES, cities, formats)
    _link_cities(worksheet, tables[CITIES.key].head(len(cities)), formats)
    themes = tables[PROBLEM_THEMES.key]
    if len(themes):
        below = _write_table(worksheet, (below + 1, _MIDDLE), PROBLEM_THEMES, themes, formats)
    if len(tables[LEFT_OUT.key]):
        _write_left_out(worksheet, max(left, below) + 1, tables[LEFT_OUT.key], formats)
    _add_charts(book, worksheet, tables[CITIES.key].head(len(cities)))
    _set_up_page(worksheet)


def _write_heading(
    book: xlsxwriter.Workbook, worksheet: Worksheet, found: ProvinceEvidence
) -> None:
    title = book.add_format({"font_name": "黑体", "font_size": 18, "align": "center"})
    plain = book.add_format({"font_name": "宋体", "font_size": 11, "align": "center"})
    alarm = book.add_format(
        {"font_name": "黑体", "font_size": 11, "align": "center", "font_color": "#B03A24"}
    )
    last = _CHARTS + 6
    worksheet.merge_range(
        *(0, 0, 0, last),
        f"生物多样性保护责任分工方案工作推进情况{PROVINCE.title}（{found.period.label}）",
        title,
    )
    as_of = f"{found.as_of.astimezone(CHINA):%Y-%m-%d %H:%M}"
    closed = sum(city.is_closed for city in found.cities)
    own = f"，其中 {closed} 个已结账，按各自结账时点计" if closed else ""
    worksheet.merge_range(
        *(1, 0, 1, last), f"统计时点：{as_of}    汇总市（州）：{len(found.cities)} 个{own}", plain
    )
    if said := _alarms(found):
        worksheet.merge_range(*(2, 0, 2, last), said, alarm)
    for row, height in ((0, 34), (1, 22), (2, 20)):
        worksheet.set_row(row, height)


def _alarms(found: ProvinceEvidence) -> str:
    """What a person must know before believing a figure."""
    left_out = [one.name for one in found.left_out if not one.is_double]
    doubted = [city.name for city in found.cities if city.doubts]
    said = [
        *([f"{len(left_out)} 个文件夹未汇总：{'、'.join(left_out)}"] if left_out else []),
        *([f"疑为重复，请核实：{'、'.join(doubted)}"] if doubted else []),
    ]
    return "注意：" + "；".join(said) if said else ""


def _write_table(
    worksheet: Worksheet,
    place: tuple[int, int],
    sheet: Sheet,
    table: pd.DataFrame,
    formats: Formats,
) -> int:
    """A small table; the row below it."""
    top, left = place
    for index, column in enumerate(sheet.columns, start=left):
        worksheet.write_string(top, index, column.heading, formats.heading)
    for number, row in enumerate(table.itertuples(index=False, name=None), start=top + 1):
        for index, (column, value) in enumerate(zip(sheet.columns, row, strict=True), start=left):
            _write_cell(worksheet, number, index, value, _look(formats, column, value))
    return top + 1 + len(table)


def _look(formats: Formats, column: Column, value: object) -> Format:
    """A cell's look; a share is shown as one also among figures that are counts."""
    return formats.of(look_of(Kind.RATE if isinstance(value, float) else column.kind, value))


def _write_cell(worksheet: Worksheet, row: int, column: int, value: object, look: Format) -> None:
    """A value as what it is; a text stays text, whatever it looks like."""
    if isinstance(value, datetime | date):
        worksheet.write_datetime(row, column, value, look)
    elif isinstance(value, int | float) and value == value:
        worksheet.write_number(row, column, value, look)
    elif isinstance(value, str) and value:
        worksheet.write_string(row, column, writable(value), look)
    else:
        worksheet.write_blank(row, column, None, look)


def _link_cities(worksheet: Worksheet, cities: pd.DataFrame, formats: Formats) -> None:
    """From a city to its row; what is not merged says so where its figures would stand."""
    rows = zip(cities["city"], cities["merged"], strict=True)
    for number, (name, merged) in enumerate(rows, start=1):
        row, look = _TOP + number, _look(formats, CITIES["city"], name)
        url = f"internal:'{CITIES.title}'!B{number + 1}"
        worksheet.write_url(row, _MIDDLE, url, look, name, f"看“{CITIES.title}”")
        if merged != MERGED:
            look = _look(formats, CITIES["merged"], merged)
            worksheet.write_string(row, _MIDDLE + 1, merged, look)


def _write_left_out(worksheet: Worksheet, top: int, table: pd.DataFrame, formats: Formats) -> None:
    """Who is not counted and why, below all else, for its rows may be tall."""
    folder, reason = LEFT_OUT.columns
    worksheet.write_string(top, 0, folder.heading, formats.heading)
    worksheet.merge_range(top, 1, top, _LAST, reason.heading, formats.heading)
    width = sum(_WIDTHS[1 : _LAST + 1])
    for row, (name, why) in enumerate(table.itertuples(index=False, name=None), start=top + 1):
        _write_cell(worksheet, row, 0, name, _look(formats, folder, name))
        worksheet.merge_range(row, 1, row, _LAST, "", _look(formats, reason, why))
        _write_cell(worksheet, row, 1, why, _look(formats, reason, why))
        worksheet.set_row(row, height_for([(why, width), (name, _WIDTHS[0])], least=15.0))


def _write_links(
    book: xlsxwriter.Workbook, worksheet: Worksheet, links: Mapping[str, str], row: int
) -> int:
    """Links to the other sheets; the row below them."""
    link = book.add_format({"font_name": "宋体", "font_color": "#1F5F8B", "underline": 1})
    label = book.add_format({"font_name": "黑体"})
    worksheet.write_string(row, 0, "各表（点击打开）", label)
    for number, (text, title) in enumerate(links.items(), start=row + 1):
        worksheet.write_url(number, 0, f"internal:'{title}'!A1", link, text)
    return row + 1 + len(links)


def _add_charts(book: xlsxwriter.Workbook, worksheet: Worksheet, cities: pd.DataFrame) -> None:
    """Units and items of each city by state, as shares."""
    height = 130 + 17 * len(cities)
    units = _chart(book, "各市（州）报送情况（占应报单位）", _UNITS, _UNIT_COLOURS, cities)
    items = _chart(book, "各市（州）必报事项完成情况", _ITEMS, _ITEM_COLOURS, cities)
    for number, chart in enumerate((units, items)):
        chart.set_size({"width": _CHART_WIDTH, "height": height})
        worksheet.insert_chart(_TOP, _CHARTS, chart, {"y_offset": number * (height + 8)})


_UNIT_COLOURS = [
    COLOURS[state.word]
    for state in (UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE, UnitState.NOT_DUE)
]
_ITEM_COLOURS = [
    COLOURS[state.value]
    for state in (
        *(ItemState.FILLED, ItemState.NO_PROGRESS, ItemState.NOT_APPLICABLE),
        *(ItemState.NOT_FILLED, ItemState.NOT_RETURNED),
    )
]


def _chart(
    book: xlsxwriter.Workbook,
    title: str,
    keys: Sequence[str],
    colours: Sequence[str],
    cities: pd.DataFrame,
) -> xlsxwriter.chart_bar.ChartBar:
    """A bar for each row of 各市（州）情况, the first on top; one that is left out has none.

    What the bars show travels with them, since the rows they point at are streamed.
    """
    count = len(cities)
    chart = book.add_chart({"type": "bar", "subtype": "percent_stacked"})
    every = [column.key for column in CITIES.columns]
    for key, colour in zip(keys, colours, strict=True):
        index, names = every.index(key), every.index("city")
        chart.add_series(
            {
                "name": CITIES[key].heading,
                "categories": [CITIES.title, 1, names, count, names],
                "values": [CITIES.title, 1, index, count, index],
                "categories_data": list(cities["city"]),
                "values_data": [None if pd.isna(n) else n for n in cities[key]],
                "fill": {"color": colour},
                "gap": 40,
            }
        )
    chart.set_y_axis({"reverse": True, "num_font": {"size": 7}, "interval_unit": 1})
    grid = {"visible": True, "line": {"color": "#E0E0E0"}}
    chart.set_x_axis({"major_gridlines": grid, "num_format": "0%", "num_font": {"size": 8}})
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_legend({"position": "bottom"})
    return chart


def _set_up_page(worksheet: Worksheet) -> None:
    worksheet.set_landscape()
    worksheet.set_paper(9)
    worksheet.fit_to_pages(1, 1)
    worksheet.center_horizontally()
    worksheet.set_footer("&C第 &P 页 共 &N 页")
    worksheet.hide_gridlines(2)
    worksheet.activate()
