"""总览: the one page that a leader looks at for a minute."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.returns import ItemState
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.layout.sheets import CHANGES, OVERVIEW
from bioduty_xl.report import frames
from bioduty_xl.report.evidence import Evidence

COLOURS = {
    UnitState.ON_TIME.word: "#5B9E6F",
    UnitState.LATE.word: "#E0B33C",
    UnitState.OVERDUE.word: "#C8553D",
    UnitState.NOT_DUE.word: "#A5B1AB",
    ItemState.FILLED.value: "#5B9E6F",
    ItemState.NO_PROGRESS.value: "#E0B33C",
    ItemState.NOT_APPLICABLE.value: "#A5B1AB",
    ItemState.NOT_FILLED.value: "#DE8344",
    ItemState.NOT_RETURNED.value: "#C8553D",
}
"""Of the states in charts."""

_FIGURES_ROW = 4
_PARTS_COLUMN = 3


def write_overview(
    book: xlsxwriter.Workbook,
    worksheet: Worksheet,
    evidence: Evidence,
    tables: Mapping[str, pd.DataFrame],
    links: Mapping[str, str],
) -> None:
    """Title, figures, states by part, two charts, and links to every other sheet.

    Args:
        links: what is read, and the worksheet that it leads to.
    """
    standing = evidence.standing
    title = book.add_format({"font_name": "黑体", "font_size": 18, "align": "center"})
    plain = book.add_format({"font_name": "宋体", "font_size": 11, "align": "center"})
    worksheet.merge_range(
        "A1:I1", f"生物多样性保护责任分工方案工作推进情况总览（{standing.period.label}）", title
    )
    as_of = standing.as_of.astimezone(CHINA)
    worksheet.merge_range(
        "A2:I2",
        f"统计时点：{as_of:%Y-%m-%d %H:%M}    截止日期：{standing.due:%Y-%m-%d}（含当日）",
        plain,
    )
    for row, height in ((0, 34), (1, 22)):
        worksheet.set_row(row, height)
    figures = tables[OVERVIEW.key]
    parts = frames.by_part(evidence)
    _write_figures(book, worksheet, figures)
    _write_parts(book, worksheet, parts)
    _add_charts(book, worksheet, figures, parts)
    _write_changes(book, worksheet, tables[CHANGES.key], _FIGURES_ROW + len(parts) + 17)
    _write_links(book, worksheet, links, _FIGURES_ROW + len(figures) + 2)
    worksheet.set_landscape()
    worksheet.set_paper(9)
    worksheet.fit_to_pages(1, 1)
    worksheet.center_horizontally()
    worksheet.set_footer("&C第 &P 页 共 &N 页")
    worksheet.hide_gridlines(2)
    worksheet.activate()


def figure_cell(figures: pd.DataFrame, name: str) -> str:
    """Where a figure of 总览 stands, such as `B5`.

    Args:
        figures: what `frames.overview` gives.
        name: of the figure, as the sheet says it.

    Raises:
        ValueError: the sheet has no such figure.
    """
    cell: str = xl_rowcol_to_cell(_FIGURES_ROW + list(figures["name"]).index(name), 1)
    return cell


def _write_figures(book: xlsxwriter.Workbook, worksheet: Worksheet, figures: pd.DataFrame) -> None:
    heading, word, number = _cell_formats(book)
    worksheet.set_column(0, 0, 16)
    worksheet.set_column(1, 1, 9)
    worksheet.set_column(2, 2, 3)
    for index, column in enumerate(OVERVIEW.columns):
        worksheet.write_string(_FIGURES_ROW - 1, index, column.heading, heading)
    for row, (name, value) in enumerate(
        figures.itertuples(index=False, name=None), start=_FIGURES_ROW
    ):
        worksheet.write_string(row, 0, name, word)
        worksheet.write_number(row, 1, value, number)


def _write_parts(book: xlsxwriter.Workbook, worksheet: Worksheet, parts: pd.DataFrame) -> None:
    heading, word, number = _cell_formats(book)
    first = _PARTS_COLUMN
    worksheet.set_column(first, first, 42)
    worksheet.set_column(first + 1, first + len(parts.columns) - 1, 9)
    worksheet.write_string(_FIGURES_ROW - 1, first, "必报事项（按部分）", heading)
    for index, state in enumerate(parts.columns[1:], start=first + 1):
        worksheet.write_string(_FIGURES_ROW - 1, index, state, heading)
    for n, (part, *counts) in enumerate(parts.itertuples(index=False, name=None)):
        worksheet.write_string(_FIGURES_ROW + n, first, f"{n + 1}. {part}", word)
        for index, count in enumerate(counts, start=first + 1):
            worksheet.write_number(_FIGURES_ROW + n, index, count, number)


def _write_changes(
    book: xlsxwriter.Workbook, worksheet: Worksheet, changes: pd.DataFrame, row: int
) -> None:
    """The quarter beside the one before, below the charts."""
    heading, word, number = _cell_formats(book)
    signed = book.add_format(
        {"border": 1, "border_color": "#B8C0BC", "align": "center", "num_format": "+0;-0;0"}
    )
    for index, column in enumerate(CHANGES.columns if len(changes) else ()):
        worksheet.write_string(row - 1, _PARTS_COLUMN + index, column.heading, heading)
    for n, (name, *values) in enumerate(changes.itertuples(index=False, name=None), start=row):
        worksheet.write_string(n, _PARTS_COLUMN, name, word)
        for index, value in enumerate(values, start=_PARTS_COLUMN + 1):
            look = signed if index == _PARTS_COLUMN + len(values) else number
            if value is None:
                worksheet.write_string(n, index, "—", number)
            else:
                worksheet.write_number(n, index, value, look)


def _cell_formats(book: xlsxwriter.Workbook) -> tuple[object, object, object]:
    box = {"border": 1, "border_color": "#B8C0BC", "valign": "vcenter"}
    return (
        book.add_format({**box, "font_name": "黑体", "bg_color": "#D9E7DF", "align": "center"}),
        book.add_format({**box, "font_name": "宋体"}),
        book.add_format({**box, "font_name": "宋体", "align": "center", "num_format": "0"}),
    )


def _add_charts(
    book: xlsxwriter.Workbook, worksheet: Worksheet, figures: pd.DataFrame, parts: pd.DataFrame
) -> None:
    top = _FIGURES_ROW + len(parts) + 1
    worksheet.insert_chart(
        top, _PARTS_COLUMN, _units_chart(book, figures), {"x_offset": 2, "y_offset": 2}
    )
    worksheet.insert_chart(
        top, _PARTS_COLUMN, _parts_chart(book, parts), {"x_offset": 262, "y_offset": 2}
    )


def _units_chart(book: xlsxwriter.Workbook, figures: pd.DataFrame) -> object:
    """Units by state, as a ring."""
    words = [
        state.word
        for state in (UnitState.ON_TIME, UnitState.LATE, UnitState.OVERDUE, UnitState.NOT_DUE)
    ]
    names = list(figures["name"])
    first = _FIGURES_ROW + names.index(words[0])
    last = first + len(words) - 1
    chart = book.add_chart({"type": "doughnut"})
    chart.add_series(
        {
            "name": "报送情况",
            "categories": [OVERVIEW.title, first, 0, last, 0],
            "values": [OVERVIEW.title, first, 1, last, 1],
            "points": [{"fill": {"color": COLOURS[word]}} for word in words],
            "data_labels": {"value": True, "num_format": "0;;"},
        }
    )
    chart.set_title({"name": "报送情况（单位数）", "name_font": {"size": 12}})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 250, "height": 290})
    return chart


def _parts_chart(book: xlsxwriter.Workbook, parts: pd.DataFrame) -> object:
    """Required items of each part by state, as stacked bars; part 一 on top."""
    chart = book.add_chart({"type": "bar", "subtype": "stacked"})
    first, last = _FIGURES_ROW, _FIGURES_ROW + len(parts) - 1
    for index, state in enumerate(parts.columns[1:], start=_PARTS_COLUMN + 1):
        chart.add_series(
            {
                "name": [OVERVIEW.title, _FIGURES_ROW - 1, index],
                "categories": [OVERVIEW.title, first, _PARTS_COLUMN, last, _PARTS_COLUMN],
                "values": [OVERVIEW.title, first, index, last, index],
                "fill": {"color": COLOURS[state]},
                "gap": 40,
            }
        )
    chart.set_y_axis({"reverse": True, "num_font": {"size": 8}})
    chart.set_x_axis({"major_gridlines": {"visible": True, "line": {"color": "#E0E0E0"}}})
    chart.set_title({"name": "必报事项完成情况（按部分）", "name_font": {"size": 12}})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 400, "height": 290})
    return chart


def _write_links(
    book: xlsxwriter.Workbook, worksheet: Worksheet, links: Mapping[str, str], row: int
) -> None:
    link = book.add_format({"font_name": "宋体", "font_color": "#1F5F8B", "underline": 1})
    label = book.add_format({"font_name": "黑体"})
    worksheet.write_string(row - 1, 0, "各表（点击打开）", label)
    for number, (text, title) in enumerate(links.items()):
        worksheet.write_url(row + number // 2, number % 2, f"internal:'{title}'!A1", link, text)
