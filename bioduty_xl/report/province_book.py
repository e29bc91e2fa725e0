"""Writes the province's workbook: frames in, one xlsx out, the same bytes for the same frames."""

from __future__ import annotations

import itertools

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
from bioduty_xl.report.book import Pieces, first_places, share_out, write_index, write_piece
from bioduty_xl.report.packing import StreamedBook
from bioduty_xl.report.pieces import EXCEL, Limits, Piece
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


def render_province(found: ProvinceEvidence, limits: Limits = EXCEL) -> bytes:
    """The province's workbook as a file's content.

    Args:
        limits: what a worksheet holds; a sheet with more is shared out, and 分表索引 says where.
    """
    tables = province_frames.sheets(found)
    sheets = [sheet for sheet in ROLLUP if sheet is not PROVINCE]
    shared = share_out(sheets, tables, limits=limits)
    written = StreamedBook(f"{PROVINCE.title}（{found.period.label}）", found.as_of)
    first = written.book.add_worksheet(PROVINCE.title)
    links = write_index(written, shared, PROVINCE)
    write_province(written, first, found, tables, links)
    for piece in itertools.chain.from_iterable(shared.values()):
        worksheet = write_piece(written, piece, PROVINCE)
        if piece.sheet.key == CITIES.key:
            _link_cities(worksheet, piece, shared)
        elif piece.sheet.key == CITY_ITEMS.key:
            _colour_shares(written.book, worksheet, piece)
    return written.close()


def _link_cities(worksheet: Worksheet, cities: Piece, shared: Pieces) -> None:
    """From a city to where its units begin, and from its counts to its rows."""
    keys = [column.key for column in CITIES.columns]
    for key, target in _LEADS_TO:
        begins = first_places(shared[target.key], "city")
        rows = cities.table[["city", "merged", key]].itertuples(index=False, name=None)
        for row, (name, merged, value) in enumerate(rows, start=1):
            if merged == MERGED and value and name in begins:
                link = f"internal:{begins[name]}"
                worksheet.write_url(row, keys.index(key), link, string=str(value))


def _colour_shares(book: xlsxwriter.Workbook, worksheet: Worksheet, items: Piece) -> None:
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
            *(1, first, max(1, len(items.table)), len(items.table.columns) - 1),
            {**look, "format": book.add_format({"bg_color": colour})},
        )
