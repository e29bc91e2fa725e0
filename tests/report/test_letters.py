"""催报函: what each kind of letter says, by when it wants an answer, and how long lists are set."""

import io
import re
from dataclasses import replace
from datetime import date

import docx
import pytest
from books import FILLED, fill
from report.test_official import printer

from bioduty_xl import config
from bioduty_xl.domain.calendar import Calendar, Roll, moment
from bioduty_xl.domain.chasing import Degrees, Urgency, chased
from bioduty_xl.domain.period import Period
from bioduty_xl.report.letters import reminder_letter
from bioduty_xl.report.themes import THEMES, theme_of

Q2 = Period(2024, 2)
OFFICE = config.Office(name="某市环委会办公室", contact="赵某", phone="0812-0000001")


@pytest.fixture
def owing(q2, form):
    """The units that owe something, by name: 市林业局 left two items out, nobody else returned."""
    answers = {f"T{n:02d}": FILLED for n in range(1, 24)}
    del answers["T01"], answers["T04"]
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=answers)
    q2.collect(as_of="2024-06-20")

    def ask(as_of):
        now = moment(as_of)
        found = chased(q2.standing(Q2, as_of=now), Degrees(), now.date())
        return {one.line.unit.name: one for one in found}

    return ask


def letter(q2, one, made, office=OFFICE):
    return reminder_letter(office, Q2, one, q2.plan, date.fromisoformat(made))


def text_of(content):
    return [p.text for p in docx.Document(io.BytesIO(content)).paragraphs if p.text]


def test_before_the_due_date_a_unit_is_reminded_of_that_day(q2, owing):
    one = owing("2024-06-18")["市财政局"]
    lines = text_of(letter(q2, one, "2024-06-18"))
    assert lines[:4] == [
        *("某市环委会办公室", "关于催报2024年第二季度", "生物多样性保护工作推进情况的函"),
        "市财政局：",
    ]
    whole = "".join(lines)
    assert "应于2024年6月25日前（含当日）报送" in whole
    assert "请于2024年6月25日前（含当日）报送" in whole
    assert "提醒" in whole
    assert "已逾期" not in whole and "个工作日内" not in whole
    assert lines[-3:] == [
        *("某市环委会办公室", "2024年6月18日", "（联系人：赵某，联系电话：0812-0000001）")
    ]


def test_after_it_the_letter_says_how_many_days_and_gives_three_working_days(q2, owing):
    one = owing("2024-07-05")["市财政局"]  # a Friday
    whole = "".join(text_of(letter(q2, one, "2024-07-05")))
    assert "已逾期10天" in whole
    assert "请于收到本函后3个工作日内，即2024年7月10日前（含当日）报送" in whole
    assert "先前下发给贵单位的报送表" in whole
    assert "估算" not in whole


def test_a_return_that_is_here_is_asked_only_for_what_it_lacks(q2, owing):
    one = owing("2024-06-27")["市林业局"]
    lines = text_of(letter(q2, one, "2024-06-27"))
    whole = "".join(lines)
    assert "于2024年6月20日报送的2024年第二季度报送表已收悉" in whole
    assert "以下2项必报事项未填" in whole
    assert [line for line in lines if re.match(r"\d+\. ", line)] == [
        "1. 配合生物多样性保护法治建设（牵头）；",
        "2. 落实就地保护体系（牵头）。",
    ]
    assert "逾期" not in whole
    assert "即2024年7月2日前（含当日）补齐缺报事项并重新报送" in whole
    assert not set(lines) & {"加急", "特急"}


def test_a_unit_without_required_items_is_asked_for_its_return_all_the_same(q2, owing):
    one = owing("2024-06-27")["市中医药局"]
    assert not one.line.missing
    lines = text_of(letter(q2, one, "2024-06-27"))
    assert any("本期没有必报事项" in line for line in lines)
    assert not any(line.startswith("1. ") for line in lines)


@pytest.mark.parametrize(
    ("as_of", "urgency"),
    [("2024-06-29", ""), ("2024-06-30", "加急"), ("2024-07-04", "加急"), ("2024-07-05", "特急")],
)
def test_urgency_is_printed_first(q2, owing, as_of, urgency):
    one = owing(as_of)["市财政局"]
    assert one.urgency == urgency
    lines = text_of(letter(q2, one, as_of))
    assert lines[0] == (urgency or OFFICE.name)
    assert sum(line in {"加急", "特急"} for line in lines) == bool(urgency)


def test_a_date_counted_over_rest_days_that_are_not_announced_is_called_a_guess(q2, owing):
    one = owing("2024-06-27")["市财政局"]
    assert "即2098年7月2日（估算）前（含当日）" in "".join(text_of(letter(q2, one, "2098-06-27")))
    known = Calendar(days={date(2098, 6, 30): False})
    one = replace(one, line=replace(one.line, calendar=known))
    whole = "".join(text_of(letter(q2, one, "2098-06-27")))
    assert "即2098年7月3日前" in whole and "估算" not in whole


@pytest.mark.parametrize(("roll", "said"), [(Roll.NEXT, True), (Roll.NONE, False)])
def test_so_is_a_due_date_that_was_moved_off_such_a_day(q2, owing, roll, said):
    one = owing("2024-06-18")["市财政局"]
    period, calendar = Period(2098, 2), Calendar(roll=roll)
    one = replace(one, line=replace(one.line, calendar=calendar, due=calendar.due(period)))
    content = reminder_letter(OFFICE, period, one, q2.plan, date(2098, 6, 18))
    assert ("2098年6月25日（估算）前（含当日）" in "".join(text_of(content))) is said


def test_an_extension_is_the_units_own_due_date(q2, owing):
    one = owing("2024-06-18")["市财政局"]
    code, day = one.line.unit.code, date(2024, 7, 8)
    calendar = Calendar(extensions={(code, Q2): day})
    one = replace(one, line=replace(one.line, calendar=calendar, due=day))
    assert "应于2024年7月8日前（含当日）报送" in "".join(text_of(letter(q2, one, "2024-06-18")))


@pytest.mark.parametrize(
    ("contact", "phone", "note"),
    [
        ("赵某", "", "（联系人：赵某）"),
        ("", "0812-0000001", "（联系电话：0812-0000001）"),
        ("", "", "2024年6月27日"),
    ],
)
def test_whom_to_call_is_printed_where_it_is_set(q2, owing, contact, phone, note):
    office = config.Office(contact=contact, phone=phone)
    one = owing("2024-06-27")["市财政局"]
    assert text_of(letter(q2, one, "2024-06-27", office))[-1] == note


def test_titles_within_a_title_have_single_marks(q2, owing):
    whole = "".join(text_of(letter(q2, owing("2024-06-27")["市财政局"], "2024-06-27")))
    assert "《贯彻落实〈关于进一步加强生物多样性保护的意见〉责任分工方案》" in whole


def test_a_name_of_any_letters_can_be_written(q2, owing):
    one = owing("2024-06-27")["市财政局"]
    odd = replace(one.line.unit, name="市财政局\x0b\ud800")
    content = letter(q2, replace(one, line=replace(one.line, unit=odd)), "2024-06-27")
    assert "市财政局\ufffd：" in text_of(content)


def test_the_same_letter_has_the_same_bytes(q2, owing):
    one = owing("2024-06-27")["市财政局"]
    assert letter(q2, one, "2024-06-27") == letter(q2, one, "2024-06-27")
    urgent = replace(one, urgency=Urgency.URGENT)
    assert letter(q2, one, "2024-06-27") != letter(q2, urgent, "2024-06-27")


@pytest.mark.office
def test_a_long_list_goes_on_over_pages_of_the_same_format(q2, owing, tmp_path):
    """A county owes all 23 items."""
    one = owing("2024-06-27")["东区人民政府"]
    printed = printer(tmp_path)(letter(q2, one, "2024-06-27"))
    assert len(printed) >= 2
    numbers = []
    for page in printed:
        lines = ["".join(char["text"] for char in line).strip() for line in page]
        assert len(lines) <= 23
        numbers += [int(found[1]) for line in lines if (found := re.match(r"(\d+)\. ", line))]
    assert numbers == list(range(1, 24))
    assert any("".join(char["text"] for char in line) == "2024年6月27日" for line in printed[-1])


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("经费以年度预算安排为主，缺少稳定的专项投入。", "经费保障"),
        ("编制少、人手紧，基层力量薄弱。", "人员力量"),
        ("缺少鉴定专家，业务能力不足。", "专业技术"),
        ("红外相机等设备老化。", "设施设备"),
        ("部门间沟通不畅，职责交叉。", "协调配合"),
        ("上位法规尚未出台，没有实施细则。", "制度政策"),
        ("本底不清，尚未开展普查。", "数据监测"),
        ("群众保护意识不强，知晓率低。", "宣传意识"),
        ("雨季道路中断。", "其他"),
        ("", "其他"),
        ("\ud800\x00", "其他"),
    ],
)
def test_a_problem_is_sorted_by_its_words(text, theme):
    assert theme_of(text) == theme
    assert theme in THEMES


def test_most_words_win_and_on_a_tie_the_earlier_theme():
    assert theme_of("资金") == "经费保障"
    assert theme_of("资金、设备、车辆") == "设施设备"
    assert theme_of("车辆、经费") == theme_of("经费、车辆") == "经费保障"
    assert theme_of("设备、经费、经费、经费") == "经费保障"
    assert THEMES[-1] == "其他" and len(set(THEMES)) == len(THEMES)
