"""Letters lie ready while what they were made for holds, and not a day longer."""

import docx
from books import FILLED
from year import GAPS, NAMES, PLAN, City, make

from bioduty_xl import Workspace
from bioduty_xl.domain.period import Period
from bioduty_xl.layout import atomic
from bioduty_xl.ledger import Ledger

FORESTRY, WATER = "市林业局", "市水利局"


def text_of(path):
    return "".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)


def on_record(city):
    with Ledger(city.ws.state_dir / "ledger.sqlite", read_only=True) as ledger:
        return ledger.reminders(Period(2024, 2))


def test_a_letter_about_a_return_goes_when_one_has_come_with_gaps(city):
    city.run("2024-07-01")
    assert "尚未收到贵单位的报送表" in text_of(city.letter(FORESTRY))
    city.give(FORESTRY, "a.xlsx", GAPS)
    city.run("2024-07-02")
    assert not city.letter(FORESTRY).exists()
    assert city.letters() == set(NAMES) - {FORESTRY}
    city.run("2024-07-05")  # the next stage asks for what is missing now
    said = text_of(city.letter(FORESTRY))
    assert "以下1项必报事项未填" in said
    assert "尚未收到" not in said


def test_a_letter_about_items_goes_when_one_of_them_has_come(city):
    city.give("市教育局", "a.xlsx", {"T01": FILLED, "T02": {}, "T03": {}})
    city.run("2024-06-26")
    assert "1项必报事项未填" in text_of(city.letter("市教育局"))
    city.give("市教育局", "b.xlsx", {"T01": {}, "T02": {}, "T03": FILLED})
    city.run("2024-06-27")
    assert not city.letter("市教育局").exists()


def test_an_extension_takes_the_overdue_letter_away(city):
    city.run("2024-06-26")
    assert "已逾期1天" in text_of(city.letter(FORESTRY))
    city.register("延期", FORESTRY, "2024Q2", "2024-07-19", "李某", "防汛")
    city.run("2024-06-27")
    assert city.letters() == set(NAMES) - {FORESTRY}
    city.run("2024-07-15")
    said = text_of(city.letter(FORESTRY))
    assert "2024年7月19日前" in said and "逾期1" not in said


def test_an_exemption_takes_the_letter_away(city):
    city.run("2024-06-26")
    city.register("免报", FORESTRY, "2024Q2", "李某", "经批准")
    city.run("2024-06-27")
    assert city.letters() == set(NAMES) - {FORESTRY}


def test_what_a_letter_asked_for_is_on_record(city):
    city.give(FORESTRY, "a.xlsx", GAPS)
    city.run("2024-06-26")
    asked = {one.unit: (one.distance, one.asked) for one in on_record(city)}
    assert asked["U01"] == (1, ("T01",))
    assert asked["U02"] == (1, ())


def test_a_letter_that_holds_is_left_as_a_person_has_changed_it(city):
    city.run("2024-06-26")
    city.letter(FORESTRY).write_bytes(b"changed")
    city.run("2024-06-27")
    assert city.letter(FORESTRY).read_bytes() == b"changed"


def test_letters_under_an_old_name_go_and_what_is_a_persons_stays(city):
    city.run("2024-06-26")
    own = city.letter(FORESTRY).with_name(f"{FORESTRY}_2024Q2_催报函 定稿.docx")
    own.write_bytes(b"a person's")
    city.register("机构变动", "2024Q2", WATER, "更名", "市水务局", "批复")
    city.register("机构变动", "2024Q2", "市气象局", "并入", "市科技局", "批复")
    assert city.run("2024-06-27").failures == []
    assert not city.letter(WATER).exists()
    assert not city.letter("市气象局").exists()
    assert own.exists()
    city.run("2024-07-01")
    assert city.letter("市水务局").exists()


def test_the_letters_go_when_the_quarter_is_closed_and_the_list_stays(city):
    city.run("2024-07-05")
    assert city.letters() == set(NAMES)
    city.give(FORESTRY, "a.xlsx")
    assert city.run("2024-07-10").closed == [Period(2024, 2)]
    assert city.letters() == set()
    assert (city.letter(FORESTRY).parent / "催报清单.xlsx").exists()


def test_nobody_is_reminded_of_stages_before_the_form_went_out(tmp_path):
    """Started two days after the due date, a workspace does not write five overdue letters."""
    late = City(make(tmp_path / "w"))
    assert len(late.run("2024-06-27").forms) == len(PLAN.units)
    assert late.letters() == set()
    late.run("2024-06-30")
    assert late.letters() == set()
    late.run("2024-07-01")
    assert late.letters() == set(NAMES)


def test_a_letter_that_is_open_in_word_is_written_beside_it_and_not_on_record(city, monkeypatch):
    city.run("2024-06-26")
    before = city.letter(FORESTRY).read_bytes()
    with monkeypatch.context() as patched:
        keep_open(patched, city.letter(FORESTRY))
        assert city.run("2024-07-01").failures == []
    beside = city.letter(FORESTRY).with_name(f"{FORESTRY}_2024Q2_催报函_2.docx")
    assert "已逾期6天" in text_of(beside)
    assert city.letter(FORESTRY).read_bytes() == before
    assert max(one.distance for one in on_record(city) if one.unit == "U01") == 1
    city.run("2024-07-02")
    assert "已逾期7天" in text_of(city.letter(FORESTRY))
    assert not beside.exists()


def keep_open(patched, path):
    """As where another program has a file open on Windows."""
    write, unlink = atomic.write_whole, type(path).unlink

    def denied(target, *rest, **more):
        if target == path:
            raise PermissionError(13, "is open")
        return write(target, *rest, **more)

    def stays(target, **more):
        if target == path:
            raise PermissionError(13, "is open")
        return unlink(target, **more)

    patched.setattr(atomic, "write_whole", denied)
    patched.setattr(atomic.time, "sleep", lambda _: None)
    patched.setattr(type(path), "unlink", stays)


def test_a_date_that_is_moved_for_all_takes_all_letters_away(city):
    city.run("2024-06-18")
    assert city.letters() == set(NAMES)
    settings = city.ws.root / "bioduty.toml"
    text = settings.read_text("utf-8").replace("due_day = 25", "due_day = 28")
    settings.write_text(text, "utf-8")
    assert Workspace.open(city.ws.root).settings.deadlines.due_day == 28
    city.run("2024-06-19")
    assert city.letters() == set()
