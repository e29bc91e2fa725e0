"""Streamed rows are read as the same rows written cell by cell, by every reader, whatever they say;
a sheet that is too long is shared out.
"""

import io
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime

import numpy as np
import office as libreoffice
import pandas as pd
import pytest
from bigcity import settle
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook
from report.plain import plain_book

from bioduty_xl import Workspace, evidence
from bioduty_xl.domain.calendar import moment
from bioduty_xl.layout.columns import Column, Kind, Sheet
from bioduty_xl.layout.sheets import (
    OVERVIEW,
)
from bioduty_xl.report import book, frames, packing
from bioduty_xl.report.packing import StreamedBook
from bioduty_xl.report.pieces import Limits, pieces
from bioduty_xl.report.rows import Rows

HOSTILE = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "http://example.com", '=HYPERLINK("http://x")'),
    *("<b>&amp;\"'", "a]]>b", " 前", "后 ", "  ", "\t", "\n", "一\n二", "一\r\n二", "　全角　"),
    *(
        "_x0041_",
        "_x000D_",
        "_X0041_",
        "_x",
        "\x01\x1f",
        "\x0b",
        "\x7f\x85",
        "\u2028",
        "\xa0不断\xa0",
    ),
    *(
        "\ud800",
        "\ufffe\uffff",
        "😀😀",
        "e\u0301",
        "{0}{1}%s",
        "NA",
        "nan",
        "None",
        "TRUE",
        "#REF!",
    ),
    *("0012", "13900000000", "1e5", "2024-06-30", "'引号", "长" * 40000, "😀" * 20000),
    "已填",  # a word with a colour, where it has none
)
BROKEN = ("<r>文</r>", "_x005F_x0041_", "_x_x0041_x0041_")
"""Texts that come out as something else when they are written cell by cell."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A quarter of 38 units, and the one before."""
    made = settle(Workspace.create(tmp_path_factory.mktemp("w")), 38, "2024Q1", "2024Q2")
    with made._ledger(read_only=True) as ledger:
        yield evidence.gather(made.terms, ledger, made.period("2024Q2"), moment("2024-07-05"))


@pytest.fixture(scope="module")
def tables(found):
    """Its frames, with hostile texts among the answers and the findings."""
    made = frames.sheets(found)
    for key, column in (("detail", "progress"), ("detail", "duty"), ("missing", "why")):
        table = made[key] = made[key].copy()
        texts = [*HOSTILE, *table[column].iloc[len(HOSTILE) :]][: len(table)]
        table[column] = pd.Series(texts, index=table.index, dtype=object)
    return made


@pytest.fixture(scope="module")
def whole(found, tables):
    """Every table as the one worksheet that it fits on."""
    sheets = [sheet for sheet in frames.declared(tables) if sheet is not OVERVIEW]
    made = [piece for some in book.share_out(sheets, tables).values() for piece in some]
    assert [piece.sheet.title for piece in made] == [sheet.title for sheet in sheets]
    return made


@pytest.fixture(scope="module")
def streamed(found, tables):
    return book.render(found, tables)


@pytest.fixture(scope="module")
def plain(whole):
    return plain_book([piece for piece in whole if not piece.table.empty])


def opened(content):
    return load_workbook(io.BytesIO(content))


def cell_look(cell):
    return (
        *(cell.number_format, cell.font.name, cell.font.sz, cell.fill.fill_type),
        *(cell.fill.fgColor.rgb, cell.alignment.horizontal, cell.alignment.vertical),
        *(cell.alignment.wrap_text, cell.border.top.style, cell.border.top.color.rgb),
        *(cell.border.left.style, cell.border.bottom.style),
    )


def test_openpyxl_reads_the_same_values_types_looks_and_heights(streamed, plain):
    ours, theirs = opened(streamed), opened(plain)
    compared = 0
    for sheet in theirs:
        mine = ours[sheet.title]
        assert mine.dimensions == sheet.dimensions
        for my_row, row in zip(mine.iter_rows(min_row=2), sheet.iter_rows(min_row=2), strict=True):
            for my_cell, cell in zip(my_row, row, strict=True):
                assert (my_cell.value, my_cell.data_type) == (cell.value, cell.data_type)
                assert cell_look(my_cell) == cell_look(cell)
                compared += 1
        heights = {n: dimension.height for n, dimension in sheet.row_dimensions.items() if n > 1}
        assert {n: mine.row_dimensions[n].height for n in heights} == heights
    assert compared > 8000


def test_the_table_its_filter_and_the_frozen_heading_are_the_same(streamed, plain):
    ours = opened(streamed)
    for sheet in opened(plain):
        mine = ours[sheet.title]
        (table,), (my_table,) = sheet.tables.values(), mine.tables.values()
        assert (my_table.name, my_table.ref) == (table.name, table.ref)
        assert my_table.autoFilter.ref == table.autoFilter.ref == table.ref
        columns = [column.name for column in table.tableColumns]
        assert [column.name for column in my_table.tableColumns] == columns
        assert mine.freeze_panes == sheet.freeze_panes == "C2"


def test_calamine_reads_the_same(streamed, plain):
    ours, theirs = (
        CalamineWorkbook.from_filelike(io.BytesIO(content)) for content in (streamed, plain)
    )
    for name in theirs.sheet_names:
        assert (
            ours.get_sheet_by_name(name).to_python() == theirs.get_sheet_by_name(name).to_python()
        )


@pytest.mark.office
def test_libreoffice_shows_the_same(streamed, plain, office, tmp_path):
    shown = []
    for name, content in (("a.xlsx", streamed), ("b.xlsx", plain)):
        (tmp_path / name).write_bytes(content)
        _, values = office.run(libreoffice.opening(tmp_path / name), {"do": "values"})
        shown.append(values)
    ours, theirs = shown
    assert len(theirs) > 8
    for name, rows in theirs.items():
        assert ours[name] == rows


def one_table(rows, *columns, rows_limit=1_048_576):
    """The content of a workbook with one table."""
    sheet = Sheet("some", "表", tuple(columns))
    table = pd.DataFrame(rows, columns=[column.key for column in columns], dtype=object)
    made = StreamedBook("表", moment("2024-07-05"))
    for piece in pieces(sheet, table, (), Limits(rows_limit)):
        book.write_piece(made, piece)
    return made.close()


def test_texts_that_break_what_is_written_cell_by_cell_stay_what_they_are():
    content = one_table([(text,) for text in BROKEN], Column("a", "甲", Kind.TEXT, 20))
    read = [row[0].value for row in opened(content)["表"].iter_rows(min_row=2)]
    assert read == list(BROKEN)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert "&lt;r&gt;文&lt;/r&gt;" in package.read("xl/worksheets/sheet1.xml").decode()


def test_what_looks_like_an_escape_before_a_letter_that_is_escaped_is_parted_too():
    content = one_table([("_x0041\x01",)], Column("a", "甲", Kind.TEXT, 20))
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        sheet = package.read("xl/worksheets/sheet1.xml").decode()
    assert "<r><t>_</t></r><r><t>x0041_x0001_</t></r>" in sheet
    assert CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()[
        1
    ] == ["_x0041\x01"]


def test_a_number_of_numpys_is_a_number_and_what_is_none_is_refused():
    column = Column("a", "甲", Kind.NUMBER)
    content = one_table([(np.int64(7),), (np.float32(0.5),), (pd.NaT,), (pd.NA,)], column)
    read = [row[0].value for row in opened(content)["表"].iter_rows(min_row=2)]
    assert read == [7, 0.5, None, None]
    for value in (float("inf"), 1j, object()):
        with pytest.raises(TypeError, match="no cell"):
            one_table([(value,)], column)


def test_numbers_are_numbers_times_are_times_and_phones_are_texts():
    row = (7, 0.25, date(2024, 6, 25), datetime(2024, 6, 20, 23, 59, 59), "0812-0000001", None)
    kinds = (Kind.NUMBER, Kind.RATE, Kind.DATE, Kind.TIME, Kind.PHONE, Kind.WORD)
    columns = [Column(kind.value, kind.value, kind) for kind in kinds]
    content = one_table([row, (None,) * 6, (float("nan"), *row[1:])], *columns)
    first, second, third = opened(content)["表"].iter_rows(min_row=2)
    assert [cell.value for cell in first] == [
        *(7, 0.25, datetime(2024, 6, 25), datetime(2024, 6, 20, 23, 59, 59)),
        *("0812-0000001", None),
    ]
    assert [cell.data_type for cell in first] == ["n", "n", "d", "d", "s", "n"]
    assert [cell.value for cell in second] == [None] * 6
    assert all(cell.border.top.style == "thin" for cell in second)
    assert third[0].value is None


def test_rows_are_in_order_over_many_batches():
    rows = [(n, f"第{n}行", "甲" if n % 7 else "乙") for n in range(2345)]
    columns = (Column("n", "号", Kind.NUMBER), Column("t", "文", Kind.TEXT), Column("w", "词"))
    read = opened(one_table(rows, *columns))["表"].iter_rows(min_row=2, values_only=True)
    assert list(read) == rows


@pytest.mark.office
def test_a_very_long_part_takes_the_longer_kind_of_entry_which_all_can_read(
    monkeypatch, office, tmp_path
):
    """What is kept for parts of more than two gigabytes, on a short one."""
    rows = [(f"第{n}行",) for n in range(700)]
    usual = one_table(rows, Column("a", "甲"))
    monkeypatch.setattr(packing, "_ZIP64", 1000)
    long = one_table(rows, Column("a", "甲"))
    assert len(long) > len(usual)
    read = opened(long)["表"].iter_rows(min_row=2, values_only=True)
    assert list(read) == rows
    calamine = CalamineWorkbook.from_filelike(io.BytesIO(long)).get_sheet_by_name("表")
    assert calamine.to_python()[1:] == [list(row) for row in rows]
    (tmp_path / "a.xlsx").write_bytes(long)
    _, values = office.run(libreoffice.opening(tmp_path / "a.xlsx"), {"do": "values"})
    assert values["表"][1:] == [list(row) for row in rows]


def test_the_size_of_a_part_is_never_estimated_too_small():
    texts = ["\x01" * 50, "&" * 50, "_x0041_" * 9, "长" * 50, "", " 文 "]
    columns = (Column("a", "甲", Kind.TEXT), Column("n", "号", Kind.NUMBER))
    table = pd.DataFrame([(text, -1.2345678901234567e-300) for text in texts], dtype=object)
    rows = Rows(columns, table)
    written = b"".join(rows.xml(dict.fromkeys(rows.looks, "1234")))
    assert len(written) < rows.most_bytes < 4 * len(written)


def test_the_same_evidence_gives_the_same_bytes_in_every_process(tmp_path):
    made = settle(Workspace.create(tmp_path / "w"), 38, "2024Q2")
    code = (
        "import sys, hashlib; from bioduty_xl import Workspace\n"
        "path = Workspace.open(sys.argv[1]).consolidate('2024Q2', as_of='2024-07-05')\n"
        "print(hashlib.sha256(path.read_bytes()).hexdigest())\n"
    )
    seen = set()
    for seed in ("1", "2"):
        made.report_file("2024Q2").unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, str(made.root)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
