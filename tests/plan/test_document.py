import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from bioduty_xl.domain.plan import Role, UnitKind
from bioduty_xl.errors import PlanError
from bioduty_xl.plan.document import import_plan

LETTER = Path(__file__).parents[1] / "data" / "letter_2024_3.txt"
LINES = LETTER.read_text(encoding="utf-8").splitlines()
START = LINES.index("一、完善生物多样性保护政策法规")
END = LINES.index("附件 2")
BODY = [n for n in range(START, END) if LINES[n].strip()]
LAST_LABEL = max(n for n in BODY if LINES[n].startswith("主要举措"))

ONES = "一二三四五六七八九"
NUMERALS = (*ONES, "十", *(f"十{one}" for one in ONES), "二十", *(f"二十{one}" for one in ONES))
COUNTY_NOTE = "（所有工作都需县（区）政府落实或配合，不单独列出，下同）。"
BROKEN = (74, 94, 118, 136, 156, 176, 194, 218, 272, 290, 306, 348, 366, 382, 400)
UNNUMBERED = (142, 154, 336)


@pytest.fixture(scope="module")
def imported():
    return import_plan(LETTER)


@pytest.fixture(scope="module")
def plan(imported):
    return imported.plan


@pytest.fixture(scope="module")
def import_lines(tmp_path_factory):
    """Imports a document made of these lines."""
    path = tmp_path_factory.mktemp("letters") / "letter.txt"

    def run(lines):
        path.write_text("\n".join(lines), encoding="utf-8")
        return import_plan(path)

    return run


@pytest.fixture(scope="module")
def errors_of(import_lines):
    """The error that a document of these lines ends in, as text."""

    def run(lines):
        with pytest.raises(PlanError) as caught:
            import_lines(lines)
        return str(caught.value)

    return run


def mended(text):
    return text.replace("意見", "意见").translate(str.maketrans("():", "（）："))


def squeezed(text):
    return "".join(text.split())


def body_of(lines):
    """All of the plan's own text between the title's preface and Annex 2, without white space."""
    start = lines.index("一、完善生物多样性保护政策法规")
    return squeezed(mended("".join(lines[start : lines.index("附件 2")])))


def inserted(line, after):
    """The letter with one more line after the one with this index."""
    return [*LINES[: after + 1], line, *LINES[after + 1 :]]


def replaced(no, line):
    """The letter with another text on the line with this number."""
    return [*LINES[: no - 1], line, *LINES[no:]]


def without(no):
    return [*LINES[: no - 1], *LINES[no:]]


def list_pattern(plan, codes):
    spellings = (sorted(plan.by_code[code].spellings, key=len, reverse=True) for code in codes)
    return "、".join(f"(?:{'|'.join(map(re.escape, names))})" for names in spellings) + "。?"


def pieces_of(plan):
    """A pattern for each stretch of the body, in order: the plan's text, and nothing else than the
    headings' and measures' numbers, the three labels, the full stops and the one note.
    """
    part = None
    for item in plan.items:
        if item.part != part:
            part = item.part
            yield NUMERALS[part - 1] + "、" + re.escape(squeezed(plan.part_of(item).title))
        yield re.escape(f"（{NUMERALS[item.no - 1]}）{squeezed(item.title)}。")
        yield re.escape(squeezed(item.description))
        if item.lead:
            yield "牵头单位：" + list_pattern(plan, item.lead)
        if item.responsible:
            note = f"(?:{re.escape(COUNTY_NOTE)})?" if item.no == 1 else ""
            yield "责任单位：" + list_pattern(plan, item.responsible) + note
        yield "主要举措："
        for number, measure in enumerate(item.measures, start=1):
            optional = "?" if number == 1 else ""
            yield rf"(?:{number}\.){optional}" + re.escape(squeezed(measure.text))


def unaccounted(plan, lines):
    """What is left of the body after all of the plan's text has been found in it, in order."""
    body, at = body_of(lines), 0
    for piece in pieces_of(plan):
        match = re.compile(piece).match(body, at)
        if match is None:
            return f"{piece} is not at: {body[at : at + 40]}"
        at = match.end()
    return body[at:]


# What the letter says


def test_the_letter_holds_9_parts_23_items_and_56_measures(plan):
    assert [part.no for part in plan.parts] == list(range(1, 10))
    assert [item.key for item in plan.items] == [f"T{no:02d}" for no in range(1, 24)]
    assert sum(len(item.measures) for item in plan.items) == 56
    assert all(
        [measure.key for measure in item.measures]
        == [f"{item.key}-M{n}" for n in range(1, len(item.measures) + 1)]
        for item in plan.items
    )


def test_items_stand_in_the_parts_where_the_letter_has_them(plan):
    assert Counter(item.part for item in plan.items) == {
        1: 3, 2: 3, 3: 3, 4: 3, 5: 2, 6: 2, 7: 2, 8: 2, 9: 3
    }  # fmt: skip


def test_the_units_are_33_departments_in_order_of_appearance_and_the_five_counties(plan):
    departments = [unit for unit in plan.units if unit.kind is UnitKind.DEPARTMENT]
    assert [unit.code for unit in departments] == [f"U{n:02d}" for n in range(1, 34)]
    body = body_of(LINES).replace("市市场监督管理局", "市市场监管局")
    lists = re.findall(
        r"(?:牵头|责任)单位：(.+?)。?(?:（所有.*?。)?(?=责任单位：|主要举措：)", body
    )
    assert [unit.name for unit in departments] == list(
        dict.fromkeys(name for text in lists for name in text.split("、"))
    )
    counties = plan.units[33:]
    assert [(unit.code, unit.kind) for unit in counties] == [
        (f"C{n:02d}", UnitKind.COUNTY) for n in range(1, 6)
    ]
    assert [unit.name for unit in counties] == [
        "东区人民政府",
        "西区人民政府",
        "仁和区人民政府",
        "米易县人民政府",
        "盐边县人民政府",
    ]


def test_36_lead_and_138_responsible_assignments_and_every_county_on_every_item(plan):
    roles = Counter(role for item in plan.items for _, role in item.assignments)
    assert roles == {Role.LEAD: 36, Role.RESPONSIBLE: 138, Role.COUNTY: 5 * 23}
    assert all(item.counties == ("C01", "C02", "C03", "C04", "C05") for item in plan.items)


def test_289_obligations_of_which_224_are_required(plan):
    obligations = plan.obligations()
    assert len(obligations) == 289
    assert sum(entry.required for entry in obligations) == 224


def test_seven_units_have_optional_items_only(plan):
    required = {entry.unit for entry in plan.obligations() if entry.required}
    assert sum(unit.code not in required for unit in plan.units) == 7


def test_the_plan_is_sound(plan):
    assert plan.problems() == ()


def test_the_title_is_mended_and_found_above_the_plan(plan):
    assert plan.title == "贯彻落实《关于进一步加强生物多样性保护的意见》责任分工方案"


# Whole, and word for word


def test_every_description_and_measure_stands_in_the_letter_word_for_word(plan):
    raw = mended("".join(line.strip() for line in LINES))
    for item in plan.items:
        for text in (item.title, item.description, *(measure.text for measure in item.measures)):
            assert text in raw


def test_every_character_of_the_plan_is_accounted_for(plan):
    assert unaccounted(plan, LINES) == ""


def test_what_is_not_part_of_the_plan_is_said_by_lines(imported):
    assert imported.outside == ((3, 54), (58, 58), (430, 434))


def test_half_width_commas_are_left_as_they_are(plan):
    assert "防控部门协调机制,统筹协调" in plan.by_key["T12"].description


def test_a_blank_inside_a_sentence_is_kept(plan):
    assert "长江流域鱼类 DNA 环境样品" in plan.by_key["T07"].measures[1].text


def test_a_text_file_in_gb18030_or_with_a_byte_order_mark_gives_the_same(tmp_path, imported):
    for encoding in ("gb18030", "utf-8-sig"):
        path = tmp_path / f"{encoding}.TXT"
        path.write_text("\r\n".join(LINES), encoding=encoding, newline="")
        assert import_plan(path) == imported


# Slips, each mended and each reported with its line


def expected_mends():
    yield 56, "“意見”改为“意见”"
    for n in BODY:
        yield from ((n + 1, "半角括号") for char in LINES[n] if char in "()")
        yield from ((n + 1, "半角冒号") for char in LINES[n] if char == ":")
    yield from ((no, "被换页拆开的一段已接上") for no in BROKEN)
    yield from ((no, "举措没有编号，按第 1 条处理") for no in UNNUMBERED)
    yield from ((no, "单位名单末尾的句号已略去") for no in (68, 390))
    yield 68, "自第 1 项起各县（区）均有属地职责"
    yield 392, "“市市场监督管理局”与“市市场监管局”是同一单位，已归并"
    yield 368, "段末没有句号，照原文保留"


def test_every_mend_is_reported_with_its_line_and_there_are_no_others(imported):
    told = [(mend.line, mend.message) for mend in imported.mends]
    for line, words in expected_mends():
        entry = next((one for one in told if one[0] == line and words in one[1]), None)
        assert entry is not None, (line, words)
        told.remove(entry)
    assert told == []


def test_mends_come_in_the_order_of_the_document(imported):
    lines = [mend.line for mend in imported.mends]
    assert lines == sorted(lines)


def test_a_paragraph_broken_at_a_page_end_is_one_again(plan):
    assert "按照工作职责贯彻落实" in plan.by_key["T01"].measures[0].text
    assert "总体规划（2021—2035年）》，科学规范" in plan.by_key["T05"].description
    assert plan.by_key["T21"].measures[1].text.endswith("生物多样性保护工作机制。")


def test_a_unit_broken_at_a_page_end_is_one_unit(plan):
    assert [plan.by_code[code].name for code in plan.by_key["T09"].responsible] == [
        "市发展改革委",
        "市自然资源和规划局",
        "市农业农村局",
        "市气象局",
    ]


def test_items_without_leads_have_none(plan):
    written = body_of(LINES)
    without_lead = {
        f"T{no:02d}"
        for no, text in enumerate(re.split(r"主要举措：", written)[:-1], start=1)
        if "牵头单位：" not in text
    }
    assert {item.key for item in plan.items if not item.lead} == without_lead
    assert len(without_lead) == 10


def test_a_measure_without_a_number_is_the_first(plan):
    for key, words in ("T05", "各责任单位"), ("T06", "市林业局、"), ("T17", "各相关单位"):
        (measure,) = plan.by_key[key].measures
        assert measure.key == f"{key}-M1"
        assert measure.text.startswith(words)


def test_the_two_spellings_of_the_market_supervision_bureau_are_one_unit(plan):
    unit = plan.find_unit("市市场监督管理局")
    assert unit is plan.find_unit("市市场监管局")
    keys = [item.key for item in plan.items if (unit.code, Role.RESPONSIBLE) in item.assignments]
    assert keys == ["T15", "T20", "T21"]


def test_the_note_after_a_list_is_no_unit(plan):
    names = [plan.by_code[code].name for code in plan.by_key["T01"].responsible]
    assert names == ["市司法局", "市自然资源和规划局", "市卫生健康委"]


def test_a_text_that_the_letter_cut_off_is_kept_as_it_is(plan):
    assert plan.by_key["T19"].measures[2].text.endswith("夯实“最后一公里”、")


def test_page_numbers_are_left_out_and_reported(import_lines, plan):
    after = LINES.index(next(line for line in LINES if line.endswith("目标和主要任务纳")))
    imported = import_lines(inserted("— 12 —", after))
    assert imported.plan == plan
    assert (after + 2, "页码“— 12 —”不属于正文，已略去") in [
        (mend.line, mend.message) for mend in imported.mends
    ]


def test_a_title_broken_over_two_lines_is_one_again(import_lines, plan):
    title = LINES[55]
    lines = [*LINES[:55], title[:20], title[20:], *LINES[56:]]
    imported = import_lines(lines)
    assert imported.plan == plan
    assert imported.outside == ((3, 54), (59, 59), (431, 435))


def test_a_plan_without_a_title_is_named_and_reported(import_lines):
    imported = import_lines(LINES[START:])
    assert imported.plan.title == "责任分工方案"
    assert (1, "没有找到方案的标题，暂称“责任分工方案”") in [
        (mend.line, mend.message) for mend in imported.mends
    ]
    assert imported.outside[0] == (430 - START, 434 - START)


def test_a_measure_may_begin_with_a_year(import_lines):
    imported = import_lines(replaced(108, "2. 2025年底前，市林业局牵头建立联席会议制。"))
    assert imported.plan.by_key["T03"].measures[1].text.startswith("2025年底前")


# What cannot be placed is an error that names the line and its text

STRAYS = {
    "words": "天外来文",
    "sentence": "这一句不属于方案。",
    "unit": "市某某局",
    "next number": "2. 多出的一条举措。",
    "heading": "（二十三）插队的任务。",
}
MORE_STRAYS = ("7. 多出的一条举措。", "配合单位：市司法局", "（乱入的括注）", "市某某局、市另一局")


def place_stray(import_lines, plan, stray, after):
    """Whether a stray line is told of by line and text: in the error, or among the mends of a plan
    that accounts for all of the text; a measure with the right number is a measure.
    """
    lines = inserted(stray, after)
    try:
        imported = import_lines(lines)
    except PlanError as error:
        return re.sub(r"^\d\. ", "", stray) in str(error)
    told = [m for m in imported.mends if m.line == after + 2 or stray[-8:] in m.message]
    whole = unaccounted(imported.plan, lines) == "" or stray in str(told)
    return whole and imported.plan.units == plan.units and (told or stray == STRAYS["next number"])


@pytest.mark.parametrize("after", BODY, ids=lambda n: f"line{n + 1}")
def test_a_stray_line_is_never_dropped_or_swallowed(import_lines, plan, after):
    strays = [*STRAYS.values(), MORE_STRAYS[BODY.index(after) % len(MORE_STRAYS)]]
    lost = [stray for stray in strays if not place_stray(import_lines, plan, stray, after)]
    assert lost == []


@pytest.mark.parametrize("no", [n + 1 for n in BODY if n > START + 2])
def test_without_a_line_all_the_others_are_still_accounted_for(import_lines, no):
    lines = without(no)
    try:
        plan = import_lines(lines).plan
    except PlanError:
        return
    assert unaccounted(plan, lines) == ""


@pytest.mark.parametrize("numerals", ["一二三四五六七八九", ("（", "(")], ids=["part", "item"])
def test_a_dropped_heading_is_an_error_that_names_what_comes_instead(errors_of, numerals):
    headings = [n for n in BODY if LINES[n].startswith(tuple(numerals))]
    for n, following in pairwise(headings):
        errors = errors_of(without(n + 1))
        instead = [LINES[following], *filter(None, LINES[n + 1 : n + 6])]
        assert any(f"：“{mended(line)}”" in errors for line in instead), LINES[n]


@pytest.mark.parametrize("n", [n for n in BODY if re.match(r"[2-9]\. ", LINES[n])])
def test_a_dropped_measure_number_is_an_error(errors_of, n):
    bare = LINES[n][3:]
    errors = errors_of(replaced(n + 1, bare))
    assert f"第 {n + 1} 行：上一段已经完整" in errors
    assert f"：“{mended(bare)}”" in errors


def test_the_number_of_the_first_measure_can_be_dropped_without_loss(import_lines, plan):
    firsts = [n for n in BODY if LINES[n].startswith("1. ")]
    for n in firsts:
        assert import_lines(replaced(n + 1, LINES[n][3:])).plan == plan


@pytest.mark.parametrize("n", [n for n in BODY if re.match(r"[牵责主].{3}[：:]", LINES[n])])
def test_a_repeated_label_is_an_error(errors_of, n):
    label = LINES[n][:4]
    errors = errors_of(inserted(LINES[n], n))
    assert f"第 {n + 2} 行" in errors
    assert f"中重复或错位的“{label}”" in errors
    assert f"前一处在第 {n + 1} 行" in errors


@pytest.mark.parametrize("n", [n for n in BODY if LINES[n].startswith("主要举措")])
def test_a_dropped_label_of_the_measures_is_an_error_that_quotes_them(errors_of, n):
    assert mended(LINES[n + 2]) in errors_of(without(n + 1))


@pytest.mark.parametrize("after", [n for n in BODY if n < LAST_LABEL])
def test_an_annex_heading_does_not_cut_the_plan_short(import_lines, plan, after):
    assert place_stray(import_lines, plan, "附件 3", after)


def test_a_part_without_items_is_an_error(errors_of):
    assert "第 430 行：第 10 部分没有任务：“十、多出的部分”" in errors_of(
        inserted("十、多出的部分", 428)
    )


def test_text_between_a_part_and_its_first_item_is_an_error(errors_of):
    for no in (60, 112):
        errors = errors_of(inserted("4. 多出的举措。", no - 1))
        assert f"第 {no + 1} 行：此处应为任务标题“（一）…”：“4. 多出的举措。”" in errors


def test_numerals_that_mean_nothing_are_no_headings(errors_of):
    for numeral in ("十十", "一二", "二三"):
        assert "第 65 行：上一段已经完整" in errors_of(inserted(f"{numeral}、乱码", 63))


def test_measures_out_of_order_are_an_error_also_where_the_last_was_cut_off(errors_of):
    lines = replaced(106, LINES[105].removesuffix("。"))
    lines[107] = ""
    assert "第 110 行：此处应为第 2 条举措，读到第 3 条" in errors_of(lines)


def test_an_unnumbered_text_before_the_first_measure_is_an_error_that_names_it(errors_of):
    errors = errors_of(inserted("乱码", 69))
    assert "第 73 行：此处应为第 2 条举措，读到第 1 条" in errors
    assert "前一处在第 71 行：“乱码”" in errors


def test_an_item_that_nobody_answers_for_is_an_error(errors_of):
    assert "没有牵头单位，也没有责任单位" in errors_of(without(102))


def test_an_item_without_description_or_measures_is_an_error(errors_of):
    assert "缺少任务内容：“（一）配合生物多样性保护法治建设。”" in errors_of(without(64))
    assert "缺少主要举措：“（五）推进重要生态系统保护和修复。”" in errors_of(without(142))


# Lists of units


def lists_of_item_22(lead, responsible="市发展改革委"):
    lines = replaced(406, f"牵头单位：{lead}")
    lines[407] = f"责任单位：{responsible}"
    return lines


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "单位名单中缺一个名称"),
        ("。", "单位名单中缺一个名称"),
        ("市财政局、", "单位名单中缺一个名称"),
        ("市财政局、、市林业局", "单位名单中缺一个名称"),
        ("市财政局以及乱码", "“市财政局以及乱码”不像单位名称"),
        ("市财政局；市林业局", "“市财政局；市林业局”不像单位名称"),
        ("市财政局市林业局", "“市财政局市林业局”像是两个单位连在一起"),
        ("市某某局攀枝花海关", "“市某某局攀枝花海关”像是两个单位连在一起"),
        (
            "市财政局（牵头）、市林业局（下同）",
            "单位名单之后的文字“（牵头）、市林业局（下同）”不能归位",
        ),
        ("市财政局（下同）市林业局", "单位名单之后的文字“（下同）市林业局”不能归位"),
        ("市财政局、市财政局", "T22 分工：单位“市财政局”出现了 2 次"),
        ("市财政局、市发展改革委", "T22 分工：单位“市发展改革委”出现了 2 次"),
    ],
)
def test_a_list_of_units_that_cannot_be_right_is_an_error(errors_of, written, why):
    assert why in errors_of(lists_of_item_22(written))


def test_a_unit_that_nobody_knows_is_taken_and_reported(import_lines):
    imported = import_lines(lists_of_item_22("市财政局、市大数据局"))
    unit = imported.plan.find_unit("市大数据局")
    assert imported.plan.by_key["T22"].lead == (imported.plan.find_unit("市财政局").code, unit.code)
    assert (406, "“市大数据局”不在已知单位之列，按新的单位登记，请核对") in [
        (mend.line, mend.message) for mend in imported.mends
    ]


def test_a_unit_broken_over_two_lines_must_be_known(errors_of, import_lines, plan):
    lines = lists_of_item_22("市财政局", "市发展改革委、市自然资源和规划局、市生态环境局、市农业农")
    assert import_lines([*lines[:408], "村局、市林业局", *lines[408:]]).plan == plan
    assert "跨行接成的“市农业农机局”不是已知单位" in errors_of(
        [*lines[:408], "机局、市林业局", *lines[408:]]
    )


def test_counties_in_a_list_answer_for_that_item(import_lines):
    lines = lists_of_item_22("市财政局", "市发展改革委、各县（区）人民政府")
    lines[67] = "责任单位：市司法局、市自然资源和规划局、市卫生健康委"
    plan = import_lines(lines).plan
    assert [item.key for item in plan.items if item.counties] == ["T22"]
    assert len(plan.by_key["T22"].counties) == 5


def test_without_a_word_of_counties_there_are_none(import_lines):
    plan = import_lines(replaced(68, "责任单位：市司法局、市自然资源和规划局、市卫生健康委")).plan
    assert len(plan.units) == 33


def test_the_counties_note_holds_from_the_first_item_that_has_it(import_lines, plan):
    lines = replaced(102, LINES[101] + COUNTY_NOTE)
    assert import_lines(lines).plan == plan


def test_another_note_after_a_list_is_reported(import_lines, plan):
    imported = import_lines(replaced(102, LINES[101] + "（按职责分工）"))
    assert imported.plan == plan
    assert (102, "单位名单后的括注未计入名单：“按职责分工”") in [
        (mend.line, mend.message) for mend in imported.mends
    ]


# Documents that hold no plan


def test_a_document_without_a_plan_is_an_error(errors_of):
    assert "没有找到责任分工方案" in errors_of(LINES[:START])
    assert "没有找到责任分工方案" in errors_of([""])


def test_a_plan_without_its_beginning_is_an_error_that_names_the_place(errors_of):
    assert "第 61 行：此行之前应有标题“一、…”：“（一）配合" in errors_of(without(60))
    assert "第 65 行：此行之前应有标题“（一）…”：“牵头单位：" in errors_of(without(62))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("plan.pdf", b"%PDF", "只能导入 txt 或 docx 文件"),
        ("plan.doc", b"\xd0\xcf\x11\xe0", "请先另存为 docx"),
        ("plan.txt", b"\xff\xfe\x00\xd8", "既不是 UTF-8 也不是 GB18030"),
    ],
)
def test_a_file_of_another_kind_is_an_error(tmp_path, name, content, why):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PlanError, match=why):
        import_plan(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(PlanError, match="没有这个文件"):
        import_plan(tmp_path / "missing.txt")
