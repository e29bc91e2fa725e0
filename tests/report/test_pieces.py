"""A sheet that is too long for Excel: shared out, indexed, nothing lost, every link right."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from bigcity import settle
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from bioduty_xl import Workspace, evidence
from bioduty_xl.domain.calendar import moment
from bioduty_xl.layout.columns import Column, Kind, Sheet
from bioduty_xl.layout.sheets import (
    DETAIL,
    FINDINGS,
    INDEX,
    MATRIX,
    MISSING_ITEMS,
    OVERVIEW,
    RECEIPTS,
)
from bioduty_xl.report import book
from bioduty_xl.report.packing import StreamedBook
from bioduty_xl.report.pieces import EXCEL, Limits, pieces

FEW = Limits(rows=22, columns=32)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    made = settle(Workspace.create(tmp_path_factory.mktemp("w")), 38, "2024Q2", share=0.7)
    with made._ledger(read_only=True) as ledger:
        yield evidence.gather(made.terms, ledger, made.period("2024Q2"), moment("2024-07-05"))


@pytest.fixture(scope="module")
def whole(found):
    return load_workbook(io.BytesIO(book.render(found)))


@pytest.fixture(scope="module")
def split(found):
    return load_workbook(io.BytesIO(book.render(found, limits=FEW)))


def index_rows(workbook):
    return list(workbook[INDEX.title].iter_rows(min_row=2))


def of(workbook, sheet):
    """The worksheets of a declared sheet, in the index's order."""
    titles = [row[0].value for row in index_rows(workbook) if row[1].value == sheet.title]
    return [workbook[title] for title in titles]


def data(worksheet):
    return list(worksheet.iter_rows(min_row=2, values_only=True))


def test_without_need_there_is_one_worksheet_of_each_and_no_index(whole):
    assert INDEX.title not in whole.sheetnames
    assert whole[DETAIL.title].max_row > FEW.rows


def test_no_worksheet_is_longer_or_wider_than_the_limits(split):
    data_sheets = [sheet for sheet in split if sheet.title not in (OVERVIEW.title, INDEX.title)]
    for sheet in data_sheets:
        assert sheet.max_row <= FEW.rows
        assert sheet.max_column <= FEW.columns
    assert all(len(name) <= 31 for name in split.sheetnames)
    names = [name for sheet in split for name in sheet.tables]
    assert len(set(names)) == len(names)


def test_the_detail_is_shared_out_by_part_and_a_long_part_in_numbered_pieces(split, whole, found):
    sheets = of(split, DETAIL)
    assert [row for sheet in sheets for row in data(sheet)] == data(whole[DETAIL.title])
    numbers = {part.title: part.no for part in found.plan.parts}
    for sheet in sheets:
        (part,) = {row[0] for row in data(sheet)}
        name = f"{DETAIL.title}_第{numbers[part]}部分"
        assert sheet.title == name or sheet.title.startswith(f"{name}_")
    assert any(sheet.title.endswith("_2") for sheet in sheets)
    holds = {row[0].value: row[2].value for row in index_rows(split)}
    long = next(sheet.title for sheet in sheets if sheet.title.endswith("_2"))
    assert holds[long].endswith(f"第 {FEW.rows} 至 {FEW.rows - 1 + split[long].max_row - 1} 行")


def test_rows_of_no_part_are_not_lost_and_too_many_columns_are_shared_out_too(found):
    rows = [[f"第{n}部分", *[n] * (len(DETAIL.columns) - 1)] for n in range(30)]
    table = pd.DataFrame(rows, columns=[column.key for column in DETAIL.columns])
    table.loc[3:6, "part"] = found.plan.parts[0].title
    shared = pieces(DETAIL, table, found.plan.parts, Limits(rows=20, columns=32))
    assert sum(len(piece.table) for piece in shared) == 30
    assert shared[0].holds == found.plan.parts[0].title
    assert {piece.sheet.title for piece in shared[1:]} == {"汇总明细_其他_1", "汇总明细_其他_2"}
    own = [f"+自加{n}" for n in range(20)]
    wide = table.assign(**dict.fromkeys(own, "x"))
    sheet = replace(DETAIL, columns=(*DETAIL.columns, *(Column(key, key[1:]) for key in own)))
    shared = pieces(sheet, wide, found.plan.parts, Limits(rows=99, columns=32))
    assert all(len(piece.table.columns) <= 32 for piece in shared)
    assert {key for piece in shared for key in piece.table.columns} == set(wide.columns)


def test_limits_that_no_declared_sheet_fits_into_are_refused():
    with pytest.raises(ValueError, match="columns at least"):
        Limits(columns=5)
    with pytest.raises(ValueError, match="2 rows"):
        Limits(rows=1)


@pytest.mark.parametrize("sheet", [MISSING_ITEMS, RECEIPTS], ids=lambda sheet: sheet.key)
def test_another_sheet_is_shared_out_in_numbered_pieces(split, whole, sheet):
    sheets = of(split, sheet)
    assert [one.title for one in sheets] == [
        f"{sheet.title}_{n}" for n in range(1, len(sheets) + 1)
    ]
    assert len(sheets) > 1
    assert [row for one in sheets for row in data(one)] == data(whole[sheet.title])
    for one in sheets:
        (table,) = one.tables.values()
        assert table.ref == one.dimensions == table.autoFilter.ref
        assert one.freeze_panes == "C2"
        assert one["A1"].hyperlink.location == f"'{OVERVIEW.title}'!A1"


def test_the_matrix_is_shared_out_by_units_too(split, whole):
    """Its first columns stand in every piece."""
    blocks = of(split, MATRIX)
    heads = [[cell.value for cell in sheet[1]] for sheet in blocks]
    assert all(head[:2] == heads[0][:2] for head in heads)
    assert all(len(head) <= FEW.columns for head in heads)
    units = dict.fromkeys(unit for head in heads for unit in head[2:])
    assert list(units) == [cell.value for cell in whole[MATRIX.title][1]][2:]
    cells = {
        (row[0], unit): value
        for sheet, head in zip(blocks, heads, strict=True)
        for row in data(sheet)
        for unit, value in zip(head[2:], row[2:], strict=True)
    }
    for row in data(whole[MATRIX.title]):
        assert [cells[row[0], unit] for unit in units] == list(row[2:])


def test_the_index_counts_and_leads_to_every_piece(split):
    rows = index_rows(split)
    assert split.sheetnames[1] == INDEX.title
    assert [cell.value for cell in split[INDEX.title][1]] == [c.heading for c in INDEX.columns]
    for row in rows:
        piece = split[row[0].value]
        assert row[0].hyperlink.location == f"'{piece.title}'!A1"
        assert row[3].value == piece.max_row - 1
    others = {sheet.title for sheet in split} - {row[0].value for row in rows}
    assert {OVERVIEW.title, INDEX.title} < others


def test_the_overview_leads_to_the_index_where_a_sheet_is_shared_out(split, whole):
    def links(workbook):
        return {
            cell.value: cell.hyperlink.location.split("!")[0].strip("'")
            for row in workbook[OVERVIEW.title].iter_rows()
            for cell in row
            if cell.hyperlink
        }

    usual, now = links(whole), links(split)
    assert all(text == title for text, title in usual.items())
    assert set(now) == {*usual, INDEX.title}
    assert now[DETAIL.title] == now[MISSING_ITEMS.title] == now[INDEX.title] == INDEX.title
    assert all(title in split.sheetnames for title in now.values())


def test_counts_lead_to_their_units_first_row_in_the_right_piece(split):
    linked = 0
    for sheet in of(split, RECEIPTS):
        headings = [cell.value for cell in sheet[1]]
        for row in sheet.iter_rows(min_row=2):
            code = row[headings.index("单位代码")].value
            for heading, target in (("缺项", MISSING_ITEMS), ("错误", FINDINGS)):
                cell = row[headings.index(heading)]
                assert (cell.hyperlink is not None) == (cell.value > 0)
                if cell.hyperlink:
                    title, _, place = cell.hyperlink.location.partition("!")
                    there = split[title.strip("'")]
                    column = [c.value for c in there[1]].index("单位代码") + 1
                    number = there[place].row
                    assert title.strip("'").split("_")[0] == target.title
                    assert there.cell(number, column).value == code
                    assert number == 2 or there.cell(number - 1, column).value != code
                    linked += 1
    assert linked > 10


def test_no_worksheet_has_more_links_than_excel_keeps(found, monkeypatch):
    monkeypatch.setattr(book, "LINKS", 3)
    sheet = load_workbook(io.BytesIO(book.render(found)))[RECEIPTS.title]
    linked = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.hyperlink]
    assert len(linked) == 3


@pytest.mark.slow
def test_more_rows_than_excel_takes_are_shared_out_for_real():
    count = EXCEL.rows + 30
    sheet = Sheet("some", "清单", (Column("n", "号", Kind.NUMBER), Column("t", "说明", Kind.TEXT)))
    table = pd.DataFrame({"n": range(count), "t": [f"第{n % 1000}类" for n in range(count)]})
    made = StreamedBook("清单", moment("2024-07-05"))
    for piece in pieces(sheet, table, ()):
        book.write_piece(made, piece)
    read = CalamineWorkbook.from_filelike(io.BytesIO(made.close()))
    first, second = (read.get_sheet_by_name(name).to_python() for name in read.sheet_names)
    assert read.sheet_names == ["清单_1", "清单_2"]
    assert (len(first), len(second)) == (EXCEL.rows, 32)
    assert [row[0] for row in first[1:] + second[1:]] == list(range(count))
    assert second[-1] == [count - 1, f"第{(count - 1) % 1000}类"]
