"""Writes the province's workbook: frames in, one xlsx out, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from bioduty_xl.layout.sheets import (
    CITIES,
    CITY_DETAIL,
    CITY_ITEMS,
    CITY_MISSING,
    CITY_PROBLEMS,
    CITY_UNITS,
    PROVINCE,
    ROLLUP,
)
from bioduty_xl.report import province_frames
from bioduty_xl.report.book import (
    Formats,
    fit_wide,
    new_book,
    with_more,
    write_cell,
    write_table,
)
from bioduty_xl.report.province import ProvinceEvidence
from bioduty_xl.report.province_frames import MERGED
from bioduty_xl.report.province_overview import write_province

_LEADS_TO = (
    *(("city", CITY_UNITS), ("filled", CITY_DETAIL)),
    *(("missing", CITY_MISSING), ("problems", CITY_PROBLEMS)),
)
"""Columns of 各市（州）情况 and where a city's rows of each begin."""

_WHOLE, _PART, _NONE = "#D8EFD9", "#FFF2CC", "#F8CBC6"
"""Behind `5/5`, `3/5` and `0/5`."""


def render_province(found: ProvinceEvidence) -> bytes:
    """The province's workbook as a file's content."""
    buffer, book = new_book(f"{PROVINCE.title}（{found.period.label}）", found.as_of)
    tables = province_frames.sheets(found)
    formats = Formats(book)
    worksheets = {sheet.key: book.add_worksheet(sheet.title) for sheet in ROLLUP}
    write_province(book, worksheets[PROVINCE.key], found, tables, formats)
    for sheet in ROLLUP:
        if sheet is not PROVINCE:
            declared = with_more(sheet, tables[sheet.key])
            write_table(worksheets[sheet.key], declared, tables[sheet.key], formats, back=PROVINCE)
    _link_cities(worksheets[CITIES.key], tables, formats)
    _colour_shares(book, worksheets[CITY_ITEMS.key], tables[CITY_ITEMS.key])
    worksheets[CITY_ITEMS.key].set_row(0, 48)
    for sheet in (CITIES, CITY_ITEMS, CITY_UNITS, CITY_DETAIL, CITY_PROBLEMS):
        fit_wide(worksheets[sheet.key])
    book.close()
    return buffer.getvalue()


def _link_cities(
    worksheet: Worksheet, tables: Mapping[str, pd.DataFrame], formats: Formats
) -> None:
    """From a city to where its units begin, and from its counts to its rows."""
    keys = [column.key for column in CITIES.columns]
    for key, target in _LEADS_TO:
        begins = _first_rows(tables[target.key])
        cities = tables[CITIES.key][["city", "merged", key]]
        for row, (name, merged, value) in enumerate(cities.itertuples(index=False, name=None), 1):
            if merged == MERGED and value and name in begins:
                place, look = (row, keys.index(key)), formats.of(CITIES[key], value)
                url = f"internal:'{target.title}'!A{begins[name]}"
                worksheet.write_url(*place, url, look, str(value))
                write_cell(worksheet, *place, value, look)  # a number that is also a link


def _first_rows(table: pd.DataFrame) -> dict[str, int]:
    """The row, as Excel counts, in which each city's first stands."""
    begins: dict[str, int] = {}
    for row, name in enumerate(table["city"], start=2):
        begins.setdefault(name, row)
    return begins


def _colour_shares(book: xlsxwriter.Workbook, worksheet: Worksheet, table: pd.DataFrame) -> None:
    """Behind `answered/required`: none, all, some; a cell without a slash keeps its own look."""
    first = len(CITY_ITEMS.columns)
    cell = xl_rowcol_to_cell(1, first)
    slash = f'FIND("/",{cell})'
    for test, colour in (
        (f'=LEFT({cell},2)="0/"', _NONE),
        (f"=LEFT({cell},{slash}-1)=MID({cell},{slash}+1,9)", _WHOLE),
        (f"=ISNUMBER({slash})", _PART),
    ):
        look = {"type": "formula", "criteria": test, "stop_if_true": True}
        worksheet.conditional_format(
            *(1, first, max(1, len(table)), len(table.columns) - 1),
            {**look, "format": book.add_format({"bg_color": colour})},
        )
