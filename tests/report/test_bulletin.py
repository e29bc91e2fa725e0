"""通报: what it says, and that each of its numbers is what the workbook holds where it says so."""

import io
import re
from datetime import date

import docx
import pytest
from books import FILLED, fill
from openpyxl import load_workbook
from report.test_official import printer

from bioduty_xl import config, evidence
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.period import Period
from bioduty_xl.report import book, frames
from bioduty_xl.report.bulletin import SOURCE_HEADINGS, draft, sentence_of

Q2 = Period(2024, 2)
OFFICE = config.Office(name="某市环委会办公室", contact="赵某", phone="0812-0000001")
AS_OF = "2024-07-09"


@pytest.fixture
def some(q2, form):
    """Two units on time, one of them with placeholders; one with reasons; one late."""
    plain = {**FILLED, "problems": "无"}
    several = {f"T{n:02d}": {**plain, "progress": f"第{n}项巡查{n}次"} for n in range(1, 24)}
    several["T01"] = {**plain, "problems": "经费不足，资金没有着落_x000B_"}
    several["T02"] = {**plain, "status": "本季度无进展", "progress": "等待省级方案印发"}
    several["T04"] = {**plain, "status": "不涉及", "progress": "", "remark": "辖区内没有自然保护区"}
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers=several)
    fill(form("市水利局"), q2.inbox / "b.xlsx", answers={**plain, "progress": "同上"})
    wordy = {**plain, "progress": "开展巡护。" * 40, "problems": "雨季道路中断"}
    fill(form("东区人民政府"), q2.inbox / "c.xlsx", answers=wordy)
    q2.collect(as_of="2024-06-20")
    fill(form("市财政局"), q2.inbox / "d.xlsx", answers={**plain, "problems": "资金缺口较大"})
    q2.collect(as_of="2024-06-28")
    return q2


def gathered(workspace):
    with workspace._ledger(read_only=True) as ledger:
        return evidence.gather(workspace.terms, ledger, Q2, moment(AS_OF))


def drafted(found):
    return draft(found, frames.sheets(found), OFFICE, date(2024, 7, 10))


def opened(content):
    return docx.Document(io.BytesIO(content))


def lines_of(content):
    return [p.text for p in opened(content).paragraphs if p.text]


def sources_of(content):
    """The rows of the annex: what, value, place, how."""
    (table,) = opened(content).tables
    headings, *rows = [tuple(cell.text for cell in row.cells) for row in table.rows]
    assert headings == SOURCE_HEADINGS
    assert [row[0] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    return [row[1:] for row in rows]


def section(lines, heading):
    """The lines between a heading of the first level and the next."""
    first = next(
        n for n, line in enumerate(lines) if re.fullmatch(rf"[一二三四五]、{heading}", line)
    )
    after = lines[first + 1 :]
    ends = (n for n, line in enumerate(after) if re.match(r"[一二三四五]、", line))
    return after[: next(ends, None)]


def worth(workbook, place, how):
    """What the workbook gives where a row of the annex says to look; written without the code that
    wrote the annex.
    """
    if how == "直接取数":
        return str(number_at(workbook, place))
    if "÷" in place:
        cells = [number_at(workbook, cell) for cell in re.findall(r"\w+![A-Z]+\d+", place)]
        if how == "两格相除":
            part, whole = cells
        else:
            whole, left, again = cells
            assert (how, again) == ("两格相减，再除以前一格", whole)
            part = whole - left
        return f"{1000 * part // whole / 10:.1f}%"
    pairs = zip(place.split("＋"), how.split("＋"), strict=True)
    return str(sum(rows_passing(workbook, *pair) for pair in pairs))


def number_at(workbook, place):
    title, _, address = place.partition("!")
    value = workbook[title][address].value
    assert isinstance(value, int), place
    return value


def rows_passing(workbook, place, how):
    title, _, spans = place.partition("!")
    sheet = workbook[title]
    tests = re.findall(r"“([^”]+)”(?:(为|含)“([^”]+)”|不为空)", how)
    assert (
        how
        == "且".join(
            f"“{heading}”" + (f"{word}“{text}”" if word else "不为空")
            for heading, word, text in tests
        )
        + "的行数"
    )
    columns = [sheet[span] for span in spans.split("、")]
    for column, (heading, _, _) in zip(columns, tests, strict=True):
        assert sheet.cell(1, column[0][0].column).value == heading
        assert (column[0][0].row, column[-1][0].row) == (2, sheet.max_row)
    return sum(
        all(
            passes(cell.value, word, text)
            for (cell,), (_, word, text) in zip(row, tests, strict=True)
        )
        for row in zip(*columns, strict=True)
    )


def passes(value, word, text):
    if not word:
        return value is not None
    return value == text if word == "为" else text in (value or "")


def assert_traceable(found):
    content = drafted(found)
    workbook = load_workbook(io.BytesIO(book.render(found)))
    rows = sources_of(content)
    for name, value, place, how in rows:
        assert worth(workbook, place, how) == value, (name, place, how)
    return content, rows


def test_every_number_of_the_annex_is_what_the_workbook_holds(some):
    _, rows = assert_traceable(gathered(some))
    values = {name: value for name, value, _, _ in rows}
    assert (values["应报单位"], values["已报单位"], values["报送率"]) == ("38", "4", "10.5%")
    assert (values["按时"], values["迟报"], values["逾期"]) == ("3", "1", "34")
    assert (values["必报事项"], values["市财政局迟报天数"]) == ("224", "3")
    assert (values["T04 不涉及单位"], values["T02 无进展单位"]) == ("1", "1")
    assert (values["经费保障问题"], values["其他问题"]) == ("6", "23")
    assert len({row[2:] for row in rows}) > 100


def test_a_quarter_in_which_nobody_reported_is_traceable_too(q2):
    content, _ = assert_traceable(gathered(q2))
    lines = lines_of(content)
    assert "本期没有迟报的单位。" in lines
    assert "各单位没有反映问题。" in lines
    assert not any("研究，提出措施" in line for line in lines)


def test_a_quarter_that_all_are_exempt_from_has_no_rates(q2):
    settings = q2.root / "bioduty.toml"
    one = '\n[[deadlines.exemptions]]\nunit = "{}"\nperiod = "2024Q2"\nreason = "机构改革"\n'
    exempt = "".join(one.format(unit.code) for unit in q2.plan.units)
    settings.write_text(settings.read_text(encoding="utf-8") + exempt, encoding="utf-8")
    lines = lines_of(drafted(gathered(type(q2).open(q2.root))))
    assert any("应报单位0个，已报0个，报送率—" in line for line in lines)
    assert any("另有免报单位38个" in line for line in lines)


@pytest.mark.parametrize("heading", ["总体情况", "迟报和逾期未报情况"])
def test_every_number_of_these_sections_is_in_the_annex_in_this_order(some, heading):
    content = drafted(gathered(some))
    said = re.findall(r"\d+(?:\.\d+)?%?", "".join(section(lines_of(content), heading)))
    listed = [value for _, value, _, _ in sources_of(content)]
    assert len(said) > 10
    place = 0
    for number in said:  # 迟报 and 逾期 stand in both sections and are listed once
        if number in listed[place:]:
            place = listed.index(number, place) + 1
        else:
            assert number in listed


def test_every_count_of_an_item_is_in_the_annex(some):
    content = drafted(gathered(some))
    counts = [
        re.findall(r"\d+", line)
        for line in section(lines_of(content), "各项任务进展情况")
        if line.startswith("应报单位")
    ]
    assert len(counts) == 23
    rows = [(name.split(" ")[0], value) for name, value, _, _ in sources_of(content)]
    for n, said in enumerate(counts, start=1):
        assert [value for item, value in rows if item == f"T{n:02d}"] == said


def test_it_names_who_was_late_and_who_never_reported(some):
    late, never = [
        line
        for line in section(lines_of(drafted(gathered(some))), "迟报和逾期未报情况")
        if line.startswith("共")
    ]
    assert late == "共1个：市财政局（3天）。"
    assert never.startswith("共34个：")
    assert never.count("（14天）") == 34
    assert "市林业局" not in never


def test_each_item_says_what_each_unit_did_leads_first(some):
    lines = section(lines_of(drafted(gathered(some))), "各项任务进展情况")
    heads = [line for line in lines if re.match(r"（[一二三四五六七八九十]+）", line)]
    assert len(heads) == 23
    assert heads[3] == "（四）落实就地保护体系"
    first = lines[: lines.index(heads[1])]
    assert first[1].startswith("应报单位8个，已报告2个，已填2个，未返回6个")
    assert first[2] == f"市林业局（牵头）：{FILLED['progress']}"
    assert first[3].startswith("东区人民政府：开展巡护。开展巡护。")
    assert first[3].endswith("……") and len(first[3]) < 95
    whole = "\n".join(lines)
    assert "市林业局（牵头）：本季度无进展，等待省级方案印发。" in whole
    assert "市林业局（牵头）：不涉及，辖区内没有自然保护区。" in whole
    assert "市水利局" not in whole  # it answered nothing but 同上


def test_leads_come_before_units_that_stand_earlier_in_the_plan(some, form):
    fill(form("市生态环境局"), some.inbox / "e.xlsx", answers=FILLED)
    fill(form("市农业农村局"), some.inbox / "f.xlsx", answers=FILLED)
    some.collect(as_of="2024-06-29")
    lines = section(lines_of(drafted(gathered(some))), "各项任务进展情况")
    item = next(n for n, line in enumerate(lines) if "构建" not in line and "迁地保护" in line)
    units = [line.split("：")[0] for line in lines[item + 2 : item + 6]]
    assert units == ["市林业局（牵头）", "市农业农村局（牵头）", "市生态环境局", "东区人民政府"]


def test_problems_are_sorted_by_theme_the_most_frequent_first_others_last(some):
    lines = section(lines_of(drafted(gathered(some))), "存在的问题")
    assert lines[0] == "各单位共反映问题29条，按主题归类如下。"
    heads = [line for line in lines if line.startswith("（")]
    assert heads == ["（一）经费保障", "（二）其他"]
    assert lines[2] == "共6条。"
    assert "市林业局（配合生物多样性保护法治建设）：经费不足，资金没有着落。" in lines


def test_the_same_words_about_several_items_stand_once(some):
    lines = section(lines_of(drafted(gathered(some))), "存在的问题")
    (once,) = [line for line in lines if "雨季道路中断" in line]
    assert once.startswith("东区人民政府（配合生物多样性保护法治建设、")
    assert "、加强宣传教育、" in once
    assert once.endswith("）：雨季道路中断。")


def test_a_problem_of_several_units_stands_before_their_names(q2, form):
    for unit in ("市林业局", "市水利局"):
        words = {**FILLED, "problems": "经费不足，没有着落"}
        fill(form(unit), q2.inbox / f"{unit}.xlsx", answers={"T03": words})
    q2.collect(as_of="2024-06-20")
    lines = section(lines_of(drafted(gathered(q2))), "存在的问题")
    (once,) = [line for line in lines if "没有着落" in line]
    assert once.startswith("经费不足，没有着落。反映单位和事项：市")
    assert "市林业局（" in once and "、市水利局（" in once
    assert once.endswith("）。")


def test_demands_say_by_when_and_the_next_due_date(some):
    lines = section(lines_of(drafted(gathered(some))), "下一步工作要求")
    assert lines[0] == "1. 尽快补报。逾期未报的34个单位，请于2024年7月15日前（含当日）报送。"
    assert lines[3].startswith("4. 按时报送下期情况。2024年第三季度")
    assert "请于2024年9月25日前（含当日）报送。" in lines[3]


def test_the_same_quarter_gives_the_same_bytes(some):
    found = gathered(some)
    assert drafted(found) == drafted(gathered(some))
    later = draft(found, frames.sheets(found), OFFICE, date(2024, 7, 11))
    assert later != drafted(found)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("开展巡护12次。", "开展巡护12次。"),
        ("一、开展巡护\n二、印发方案；\n\n", "一、开展巡护；二、印发方案。"),
        ("开展\x00巡护\ud800", "开展巡护\ufffd。"),
        ("甲" * 200, "甲" * 80 + "……"),
        ("甲" * 60 + "，" + "乙" * 60, "甲" * 60 + "……"),
        ("甲" * 10 + "，" + "乙" * 100, "甲" * 10 + "，" + "乙" * 69 + "……"),
    ],
)
def test_a_units_words_become_one_sentence(text, short):
    assert sentence_of(text) == short


@pytest.mark.office
def test_the_draft_prints_in_the_papers_format_with_its_annex_on_a_new_page(some, tmp_path):
    pages = printer(tmp_path)(drafted(gathered(some)))
    texts = [["".join(c["text"] for c in line).strip() for line in page] for page in pages]
    assert texts[0][3] == "（草稿）"
    annex = next(n for n, lines in enumerate(texts) if lines[0] == "附件")
    assert "某市环委会办公室" in texts[annex - 1]
    assert "2024年7月10日" in texts[annex - 1]
    assert all(len(lines) <= 23 for lines in texts[:annex])
    assert texts[annex + 1][0].startswith("序号")
    assert [lines[-1] for lines in texts] == [f"— {n} —" for n in range(1, len(texts) + 1)]
