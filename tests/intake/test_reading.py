"""`read(fill(form)) == filled`, for every column and every awkward text."""

import pytest
from books import SIGNED, columns_of, fill, rows_by_item

from bioduty_xl.layout.columns import Filler
from bioduty_xl.layout.sheets import RETURN_FORM

ASKED = [column.key for column in RETURN_FORM.filled_by(Filler.UNIT)]
AWKWARD = [
    "=1+1",
    "+86 812",
    "-5",
    "@某单位",
    "第一行\n第二行\n\n第四行",
    "  前后有空格  ",
    "NA",
    "None",
    "007",
    "2024-06-25",
    "http://example.com/a?b=c&d",
    '"引号"、<尖括号>&amp;',
    "𠮷野家 🌲",
    "字" * 3000,
]


@pytest.mark.parametrize("key", ASKED)
def test_every_awkward_text_comes_back_equal(q2, form, key):
    items = [f"T{n:02d}" for n in range(1, 21)]
    texts = {item: {key: AWKWARD[n % len(AWKWARD)]} for n, item in enumerate(items)}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=texts)
    q2.collect(as_of="2024-06-20")
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    for item in items:
        assert entries.loc[item, key] == texts[item][key]


def test_numbers_and_dates_typed_by_hand_are_read_as_shown(q2, form):
    import datetime

    values = {"T01": 5, "T02": 2.5, "T03": datetime.datetime(2024, 6, 25), "T04": True}

    def type_in(book, sheet):
        rows, columns = rows_by_item(sheet), columns_of(sheet)
        for item, value in values.items():
            cell = sheet.cell(rows[item], columns["progress"])
            cell.value = value
            if isinstance(value, datetime.datetime):
                cell.number_format = "yyyy-mm-dd"

    fill(form("市林业局"), q2.inbox / "a.xlsx", answers={}, change=type_in)
    q2.collect(as_of="2024-06-20")
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    shown = [entries.loc[item, "progress"] for item in values]
    assert shown == ["5", "2.5", "2024-06-25", "TRUE"]


def test_the_header_is_read_and_a_number_typed_as_phone_stays_whole(q2, form):
    from books import records

    def type_in(book, sheet):
        from books import field_cell

        field_cell(sheet, "phone").value = 13900000000

    fill(form("市林业局"), q2.inbox / "a.xlsx", signed=SIGNED, change=type_in)
    q2.collect(as_of="2024-06-20")
    book = q2.consolidate("2024Q2", as_of="2024-06-20")
    row = next(row for row in records(book, "报送台账") if row["单位代码"] == "U02")
    assert (row["填报人"], row["联系电话"]) == ("赵某", "13900000000")


def test_a_form_saved_with_macros_enabled_is_read_like_any_other(q2, form, tmp_path):
    from books import FILLED, rezip

    plain, macro = b"spreadsheetml.sheet.main+xml", b"sheet.macroEnabled.main+xml"

    def enable(name, content):
        if name != "[Content_Types].xml":
            return content
        whole = b"application/vnd.openxmlformats-officedocument." + plain
        assert whole in content
        return content.replace(whole, b"application/vnd.ms-excel." + macro)

    rezip(fill(form("市林业局"), tmp_path / "a.xlsx"), q2.inbox / "a.xlsm", enable)
    (report,) = q2.collect(as_of="2024-06-20").files
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert q2.entries("2024Q2").query("code == 'U02'")["progress"].iloc[0] == FILLED["progress"]
