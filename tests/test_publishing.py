"""Books, correction copies and the list of contacts: written when there is reason to, and kept."""

from dataclasses import replace

import pytest
from books import FILLED, fill_contacts
from openpyxl import load_workbook
from year import GAPS, NAMES, PLAN

from bioduty_xl import Workspace, publishing, watch
from bioduty_xl.domain.plan import Unit, UnitKind
from bioduty_xl.layout import atomic
from bioduty_xl.ledger import Ledger
from bioduty_xl.plan.book import write_plan

FORESTRY, WATER = "市林业局", "市水利局"
HALF = {**GAPS, "T01": {"status": "推进中"}}
"""Answers of which the first item's is only chosen, not written."""


@pytest.fixture
def template(city):
    return city.ws.root / "templates" / "quarterly_return.xlsx"


def copy_of(city, unit):
    """Where a unit's correction copy is, or would be."""
    return city.ws.outbox("2024Q2") / "corrections" / f"{unit}_2024Q2_退回修改.xlsx"


def page(city):
    return (city.ws.outbox_root / watch.PAGE).read_text("utf-8-sig")


def test_a_broken_template_is_said_until_the_copies_are_there(city, template):
    city.give(FORESTRY, "a.xlsx", GAPS)
    whole = template.read_bytes()
    template.write_bytes(b"PK broken")
    done = city.run("2024-06-10")
    assert [failure.partition("：")[0] for failure in done.failures] == ["退回修改 2024Q2"]
    assert done.books == [city.ws.report_file("2024Q2")]
    again = city.run("2024-06-11")
    assert len(again.failures) == 1
    assert again.books == []  # it shows nothing new
    template.write_bytes(whole)
    mended = city.run("2024-06-12")
    assert (mended.failures, mended.books) == ([], [])
    assert mended.corrections == [copy_of(city, FORESTRY)]
    assert copy_of(city, FORESTRY).exists()


def test_a_quarter_is_not_closed_before_its_copies_are_there(city, template):
    city.give(FORESTRY, "a.xlsx", GAPS)
    city.run("2024-07-01")
    whole = template.read_bytes()
    template.write_bytes(b"PK broken")
    done = city.run("2024-07-10")
    assert (done.closed, done.failures[0].partition("：")[0]) == ([], "结账 2024Q2")
    published = city.ws.report_file("2024Q2").read_bytes()
    template.write_bytes(whole)
    assert [str(period) for period in city.run("2024-07-15").closed] == ["2024Q2"]
    assert copy_of(city, FORESTRY).exists()
    assert city.ws.report_file("2024Q2").read_bytes() == published


def test_a_copy_of_an_earlier_return_does_not_lie_ready(city, template):
    city.give(FORESTRY, "a.xlsx", GAPS)
    city.run("2024-06-10")
    assert copy_of(city, FORESTRY).exists()
    template.write_bytes(b"PK broken")
    city.give(FORESTRY, "b.xlsx", HALF)
    assert city.run("2024-06-11").failures
    assert not copy_of(city, FORESTRY).exists()


def test_copies_are_written_when_they_would_show_something_else(city):
    city.give(FORESTRY, "a.xlsx", GAPS)
    assert city.run("2024-06-10").corrections == [copy_of(city, FORESTRY)]
    assert city.run("2024-06-11").corrections == []
    city.register("延期", FORESTRY, "2024Q2", "2024-07-05", "李某", "防汛")
    assert city.run("2024-06-12").corrections == [copy_of(city, FORESTRY)]  # another due date
    copy_of(city, FORESTRY).unlink()
    assert city.run("2024-06-13").corrections == [copy_of(city, FORESTRY)]
    city.give(FORESTRY, "b.xlsx")
    city.run("2024-06-14")
    assert not copy_of(city, FORESTRY).exists()


def test_copies_under_an_old_name_go_and_what_is_a_persons_stays(city):
    city.give(FORESTRY, "a.xlsx", GAPS)
    city.run("2024-06-10")
    own = copy_of(city, FORESTRY).with_name("核对 市林业局.xlsx")
    own.write_bytes(b"a person's")
    city.register("机构变动", "2024Q2", FORESTRY, "更名", "市林业和草原局", "批复")
    assert city.run("2024-06-11").failures == []
    assert not copy_of(city, FORESTRY).exists()
    assert copy_of(city, "市林业和草原局").exists()
    assert own.exists()


def keep_open(patched, path):
    """As where another program has a file open on Windows."""
    write = atomic.write_whole

    def denied(target, *rest, **more):
        if target == path:
            raise PermissionError(13, "is open", str(target))
        return write(target, *rest, **more)

    patched.setattr(atomic, "write_whole", denied)
    patched.setattr(publishing, "write_whole", denied)
    patched.setattr(atomic.time, "sleep", lambda _: None)


def test_a_book_that_was_open_at_the_close_is_replaced_by_a_later_pass(city, monkeypatch):
    city.run("2024-07-01")
    book = city.ws.report_file("2024Q2")
    before = book.read_bytes()
    with monkeypatch.context() as patched:
        keep_open(patched, book)
        done = city.run("2024-07-10")
    assert [str(period) for period in done.closed] == ["2024Q2"]
    assert [failure.partition("：")[0] for failure in done.failures] == ["结账存档 2024Q2"]
    assert book.read_bytes() == before
    later = city.run("2024-07-11")
    assert (later.books, later.failures) == ([book], [])
    assert book.read_bytes() == book.with_name("汇总_2024Q2_2.xlsx").read_bytes()
    assert city.run("2024-07-12").books == []


def test_a_closed_book_that_is_gone_comes_back_and_one_that_was_changed_is_left(city):
    city.run("2024-07-10")
    book = city.ws.report_file("2024Q2")
    published = book.read_bytes()
    book.unlink()
    assert city.run("2024-07-11").books == [book]
    assert book.read_bytes() == published
    book.write_bytes(b"with a note of mine")
    done = city.run("2024-07-12")
    assert (done.books, done.failures) == ([], [])
    assert book.read_bytes() == b"with a note of mine"
    assert str(book) in done.altered[0]
    assert "改动" in page(city) and "一切正常" not in page(city)
    book.rename(book.with_name("我的.xlsx"))
    assert city.run("2024-07-13").books == [book]
    assert "一切正常" in page(city)


def test_the_list_of_contacts_is_of_the_pass_also_of_the_one_that_closes(city):
    city.ws.generate("2024Q2", contacts=True, as_of="2024-06-03")
    forms = city.ws.outbox("2024Q2") / "contacts"

    def name(unit, who):
        source = next(forms.glob(f"{unit}_*"))
        fill_contacts(source, city.ws.inbox / f"{unit}.xlsx", [{"name": who, "phone": "0812-0"}])

    def listed():
        sheet = load_workbook(city.ws.contact_list_file).active
        return {cell.value for row in sheet.iter_rows() for cell in row} & {"甲某某", "乙某某"}

    name(FORESTRY, "甲某某")
    city.run("2024-07-01")
    assert listed() == {"甲某某"}
    name(WATER, "乙某某")
    assert city.run("2024-07-10T08:30").closed
    assert listed() == {"甲某某", "乙某某"}
    written = city.ws.contact_list_file.stat().st_mtime_ns
    city.run("2024-07-20")
    assert city.ws.contact_list_file.stat().st_mtime_ns == written


def test_a_unit_that_owes_nothing_any_more_gets_no_copy_and_the_others_get_theirs(city):
    for unit in (FORESTRY, WATER):
        city.give(unit, f"{unit}.xlsx", GAPS)
    assert len(city.run("2024-06-10").corrections) == 2
    items = tuple(
        replace(
            item,
            lead=tuple(code for code in item.lead if code != "U01"),
            responsible=tuple(code for code in item.responsible if code != "U01"),
        )
        for item in PLAN.items
    )
    write_plan(replace(PLAN, items=items), city.ws.root / "plan.xlsx")
    copy_of(city, WATER).unlink()
    done = city.run("2024-06-11")
    assert (done.failures, done.corrections) == ([], [copy_of(city, WATER)])
    assert not copy_of(city, FORESTRY).exists()


def test_a_unit_that_joins_gets_its_form_alone_and_is_not_chased_the_same_day(city):
    city.run("2024-06-26")
    before = {name: city.form(name).stat().st_mtime_ns for name in NAMES}
    new = Unit("U06", "市新设局", UnitKind.DEPARTMENT)
    first = replace(PLAN.items[0], responsible=(*PLAN.items[0].responsible, "U06"))
    write_plan(
        replace(PLAN, units=(*PLAN.units, new), items=(first, *PLAN.items[1:])),
        city.ws.root / "plan.xlsx",
    )
    done = city.run("2024-07-05")  # the eighth working day after the due date
    assert done.forms == [city.form("市新设局")]
    assert {name: city.form(name).stat().st_mtime_ns for name in NAMES} == before
    assert city.letters() == set(NAMES)


def printed_due(path):
    """The due date that a form shows."""
    sheet = load_workbook(path)["工作推进情况"]
    row = next(row for row in sheet.iter_rows(max_row=4, values_only=True) if "截止日期" in row)
    return row[row.index("截止日期") + 1]


def test_an_extension_brings_a_form_with_the_new_date_to_who_has_not_returned(city):
    city.give(WATER, "a.xlsx")
    city.run("2024-06-10")
    for unit in (FORESTRY, WATER):
        city.register("延期", unit, "2024Q2", "2024-07-05", "李某", "防汛")
    assert city.run("2024-06-11").forms == [city.form(FORESTRY)]
    assert printed_due(city.form(FORESTRY)) == "2024-07-05"
    assert printed_due(city.form(WATER)) == "2024-06-25"
    assert city.run("2024-06-12").forms == []
    with Ledger(city.ws.state_dir / "ledger.sqlite", read_only=True) as ledger:
        (form,) = [one for one in ledger.forms(city.ws.period("2024Q2")) if one.unit == "U01"]
    assert (str(form.due), f"{form.issued:%Y-%m-%d}") == ("2024-07-05", "2024-06-03")
    city.give(FORESTRY, "b.xlsx", FILLED)
    assert city.run("2024-06-28").collected.files[0].verdict == "accepted"


def test_an_exempt_unit_gets_no_new_form(city):
    city.register("延期", FORESTRY, "2024Q2", "2024-07-05", "李某", "防汛")
    city.register("免报", FORESTRY, "2024Q2", "李某", "经批准")
    assert city.run("2024-06-10").forms == []
    assert Workspace.open(city.ws.root).periods_to_hand_out("2024-06-10") == []
