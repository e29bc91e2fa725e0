"""Packages: the same content gives the same bytes, in the form that every program reads."""

import io
import zipfile

import pytest
from openpyxl import Workbook, load_workbook

from bioduty_xl.layout.package import deflate, joined, packed, parts_of

NAMES = ("[Content_Types].xml", "xl/工作表.xml", "empty", "big")
CONTENTS = (b"<Types/>", "生物多样性 🌿".encode(), b"", b"0123456789" * 300_000)


def test_a_package_is_what_zipfile_reads_and_would_have_written():
    made = joined(deflate(*part) for part in zip(NAMES, CONTENTS, strict=True))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as written:
        for name, content in zip(NAMES, CONTENTS, strict=True):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = 8, 0o644 << 16, 3
            written.writestr(entry, content, compresslevel=3)
    with zipfile.ZipFile(io.BytesIO(made)) as read, zipfile.ZipFile(out) as expected:
        assert read.testzip() is None
        assert [read.read(name) for name in read.namelist()] == list(CONTENTS)
        told = [
            (i.filename, i.date_time, i.CRC, i.file_size, i.flag_bits, i.external_attr, i.extra)
            for i in read.infolist()
        ]
        assert told == [
            (i.filename, i.date_time, i.CRC, i.file_size, i.flag_bits, i.external_attr, i.extra)
            for i in expected.infolist()
        ]
    assert made == out.getvalue()


def book_of(text="生物多样性"):
    book = Workbook()
    sheet = book.worksheets[0]
    sheet["A1"], sheet["A2"] = text, '="中"&1'
    for cells in ("F9:G9", "A3:B3", "AA3:AB3", "C3:D4", "B10:C10"):
        sheet.merge_cells(cells)
    return book


def sheet_of(parts):
    return parts["xl/worksheets/sheet1.xml"]


def test_letters_are_utf_8_and_what_is_spelt_for_a_reason_stays_spelt():
    text = "生物\r多样性 &#29983; <&> 🌿\x85。"
    part = sheet_of(parts_of(book_of(text)))
    assert "<t>生物&#13;多样性 &amp;#29983; &lt;&amp;&gt; 🌿\x85。</t>".encode() in part
    read = load_workbook(io.BytesIO(packed(book_of(text)))).worksheets[0]
    assert read["A1"].value == text


def test_a_part_in_a_declared_encoding_is_left_as_it_is():
    book = book_of()
    theme = b'<?xml version="1.0" encoding="us-ascii"?><a name="&#29983;"/>'
    book.loaded_theme = theme
    assert parts_of(book)["xl/theme/theme1.xml"] == theme


def test_merged_cells_stand_in_order():
    part = sheet_of(parts_of(book_of())).decode()
    cells = ("A3:B3", "C3:D4", "AA3:AB3", "F9:G9", "B10:C10")
    merged = "".join(f'<mergeCell ref="{one}"/>' for one in cells)
    assert f'<mergeCells count="5">{merged}</mergeCells>' in part


@pytest.mark.parametrize("before", [0, 1])
def test_a_formulas_value_is_written_beside_it_also_behind_a_sheet_of_charts(before):
    book = book_of()
    for _ in range(before):
        book.create_chartsheet("图", 0)
    shown = packed(book, {"Sheet": {"A2": "中<1>"}})
    with zipfile.ZipFile(io.BytesIO(shown)) as package:
        part = package.read("xl/worksheets/sheet1.xml").decode()
    assert '<c r="A2" t="str"><f>"中"&amp;1</f><v>中&lt;1&gt;</v></c>' in part


def test_the_same_content_gives_the_same_bytes():
    assert packed(book_of()) == packed(book_of())
