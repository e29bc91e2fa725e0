"""What goes with a quarter's book: written when what it is made of has changed, and only then."""

import shutil

import pytest
from books import FILLED, add_row, fill, fill_contacts
from openpyxl import load_workbook

from bioduty_xl import Workspace, handout
from bioduty_xl.handout import Handout

AS_OF = "2024-06-26"
COPY = "市林业局_2024Q2_退回修改.xlsx"


@pytest.fixture
def faulty(q2, form):
    """Two returns with errors, one without, a list of contacts; all consolidated."""
    (contacts,) = q2.generate("2024Q2", "市林业局", contacts=True)[1:]
    fill_contacts(contacts, q2.inbox / "0.xlsx", [{"name": "钱某", "phone": "0812-0000002"}])
    bad = {**FILLED, "progress": "同上"}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=bad, signed={"filler": "赵某"})
    fill(form("市水利局"), q2.inbox / "b.xlsx", answers=bad)
    fill(form("市财政局"), q2.inbox / "c.xlsx")
    q2.collect(as_of="2024-06-20")
    q2.consolidate("2024Q2", as_of=AS_OF)
    return q2


@pytest.fixture
def written(monkeypatch):
    """Names of what is written from here on."""
    names = []
    correct, list_contacts = Handout.correct, Handout.list_contacts

    def corrected(self, unit, correction):
        names.append(unit.name)
        return correct(self, unit, correction)

    def listed(self, contacts, target):
        names.append(target.name)
        return list_contacts(self, contacts, target)

    monkeypatch.setattr(Handout, "correct", corrected)
    monkeypatch.setattr(Handout, "list_contacts", listed)
    return names


def anew(workspace):
    """The workspace as the next run finds it, consolidated."""
    opened = Workspace.open(workspace.root)
    opened.consolidate("2024Q2", as_of=AS_OF)
    return opened


def copy_of(workspace):
    return workspace.outbox("2024Q2") / "corrections" / COPY


def test_nothing_is_written_again_where_nothing_changed(faulty, written):
    before = copy_of(faulty).read_bytes()
    anew(faulty)
    faulty.consolidate("2024Q2", as_of="2024-06-27")
    assert written == []
    assert copy_of(faulty).read_bytes() == before


def test_a_copy_that_is_gone_or_was_altered_is_written_again(faulty, written):
    whole = copy_of(faulty).read_bytes()
    copy_of(faulty).unlink()
    anew(faulty)
    assert (written, copy_of(faulty).read_bytes()) == (["市林业局"], whole)
    book = load_workbook(copy_of(faulty))
    book.active["A1"] = "改过"
    book.save(copy_of(faulty))
    anew(faulty)
    assert (written, copy_of(faulty).read_bytes()) == (["市林业局"] * 2, whole)
    anew(faulty)
    assert written == ["市林业局"] * 2


def test_a_new_revision_renews_its_own_copy_alone(faulty, form, written):
    fill(form("市林业局"), faulty.inbox / "b.xlsx", answers={**FILLED, "progress": "略"})
    faulty.collect(as_of="2024-06-21")
    anew(faulty)
    assert written == ["市林业局"]


def test_another_due_date_renews_the_copy_of_its_unit(faulty, written):
    faulty.record_register("2024-06-20")
    add_row(faulty, "延期", "市林业局", "2024Q2", "2024-07-05", "孙某", "防汛")
    anew(faulty)
    assert written == ["市林业局"]
    sheet = load_workbook(copy_of(faulty))["工作推进情况"]
    assert "2024-07-05" in [cell.value for row in sheet.iter_rows(max_row=4) for cell in row]


def test_a_finding_that_is_not_wanted_any_more_renews_the_copies_that_have_it(faulty, written):
    settings = faulty.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("off = []", 'off = ["HEADER_BLANK"]'), encoding="utf-8")
    anew(faulty)
    assert written == ["市林业局"]


def test_another_template_renews_every_copy(faulty, written):
    template = faulty.root / "templates" / "quarterly_return.xlsx"
    book = load_workbook(template)
    book["填报说明"]["A1"] = "另一份说明"
    book.save(template)
    anew(faulty)
    assert written == ["市林业局", "市水利局"]
    assert load_workbook(copy_of(faulty))["填报说明"]["A1"].value == "另一份说明"


def test_another_version_of_the_program_renews_every_paper(faulty, written, monkeypatch):
    monkeypatch.setattr(handout, "version", lambda: "9.9")
    anew(faulty)
    assert written == ["市林业局", "市水利局", "contacts.xlsx"]


def test_the_list_of_contacts_is_renewed_with_its_template_and_its_contacts(faulty, written):
    shutil.copyfile(faulty.contact_list_file, faulty.root / "kept.xlsx")
    faulty.contact_list_file.unlink()
    anew(faulty)
    assert written == ["contacts.xlsx"]
    assert faulty.contact_list_file.read_bytes() == (faulty.root / "kept.xlsx").read_bytes()
    (contacts,) = faulty.generate("2024Q2", "市水利局", contacts=True)[1:]
    fill_contacts(contacts, faulty.inbox / "1.xlsx", [{"name": "孙某", "phone": "0812-0000003"}])
    faulty.collect(as_of="2024-06-21")
    anew(faulty)
    assert written.count("contacts.xlsx") == 2
