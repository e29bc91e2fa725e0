"""An official paper: its parts in Word's own terms, and their places on LibreOffice's page."""

import io
import shutil
import subprocess
import zipfile
from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import pairwise

import docx
import office
import pytest
from docx.shared import Mm

from bioduty_xl.report.official import (
    CHARACTERS,
    LINE_PITCH,
    LINES,
    Annex,
    Body,
    Heading,
    Paper,
    Table,
    numbered,
    render,
    signature_indents,
)

ORGAN = "攀枝花市生态环境保护委员会办公室"
PAPER = Paper(
    title=(ORGAN, "关于2024年第二季度工作的函"),
    blocks=(Body("正文。"),),
    organ=ORGAN,
    dated=date(2024, 6, 26),
    addressee="市林业局",
)
LONG = replace(PAPER, blocks=(Body("生物多样性保护" * 300), Body("特此函达。")))
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MM = 72 / 25.4


def opened(paper):
    return docx.Document(io.BytesIO(render(paper)))


def lines_of(paper):
    return [paragraph.text for paragraph in opened(paper).paragraphs]


def test_the_same_paper_gives_the_same_bytes_at_any_time():
    first = render(PAPER)
    assert render(PAPER) == first
    assert render(replace(PAPER, dated=date(2024, 6, 27))) != first
    with zipfile.ZipFile(io.BytesIO(first)) as package:
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_file_says_whose_it_is_and_nothing_of_how_it_was_made():
    known = opened(PAPER).core_properties
    assert (known.author, known.last_modified_by, known.comments) == (ORGAN, ORGAN, "")
    assert known.created.date() == date(2024, 6, 26)
    assert known.title == "".join(PAPER.title)
    with zipfile.ZipFile(io.BytesIO(render(PAPER))) as package:
        assert not any("thumbnail" in name for name in package.namelist())


def test_page_and_body_are_set_as_the_standard_says():
    document = opened(PAPER)
    section = document.sections[0]
    margins = (section.top_margin, section.left_margin, section.right_margin, section.bottom_margin)
    for margin, wanted in zip(margins, (37, 28, 26, 35), strict=True):
        assert margin == pytest.approx(Mm(wanted), abs=Mm(0.1))
    assert section.page_width - section.left_margin - section.right_margin == pytest.approx(
        Mm(156), abs=Mm(0.1)
    )
    grid = section._sectPr.find(f"{W}docGrid")
    assert (grid.get(f"{W}type"), grid.get(f"{W}linePitch")) == ("lines", "578")
    body = document.styles["公文正文"].element
    assert body.find(f"{W}rPr/{W}rFonts").get(f"{W}eastAsia") == "仿宋_GB2312"
    assert body.find(f"{W}rPr/{W}rFonts").get(f"{W}ascii") == "Times New Roman"
    assert body.find(f"{W}rPr/{W}sz").get(f"{W}val") == "32"
    spacing = body.find(f"{W}pPr/{W}spacing")
    assert (spacing.get(f"{W}line"), spacing.get(f"{W}lineRule")) == ("578", "exact")
    assert body.find(f"{W}pPr/{W}ind").get(f"{W}firstLineChars") == "200"


@pytest.mark.parametrize(
    ("style", "font", "half_points"),
    [
        ("公文标题", "方正小标宋简体", "44"),
        ("公文一级标题", "黑体", "32"),
        ("公文二级标题", "楷体_GB2312", "32"),
        ("公文紧急程度", "黑体", "32"),
        ("公文页码", "宋体", "28"),
    ],
)
def test_each_part_has_its_font_and_size(style, font, half_points):
    properties = opened(PAPER).styles[style].element.find(f"{W}rPr")
    assert properties.find(f"{W}rFonts").get(f"{W}eastAsia") == font
    assert properties.find(f"{W}sz").get(f"{W}val") == half_points


def test_the_parts_stand_in_the_standards_order():
    paper = replace(
        PAPER,
        urgency="特急",
        subtitle="（草稿）",
        annexes=(Annex("数据来源", (Body("附件的内容。"),)), Annex("联系人名单")),
        note="联系人：赵某，联系电话：0812-0000001",
    )
    assert [line for line in lines_of(paper) if line] == [
        *("特急", *PAPER.title, "（草稿）", "市林业局：", "正文。"),
        *("附件：1. 数据来源", "2. 联系人名单", ORGAN, "2024年6月26日"),
        "（联系人：赵某，联系电话：0812-0000001）",
        *("附件1", "数据来源", "附件的内容。"),
    ]


def test_what_is_not_given_is_not_printed():
    lines = lines_of(PAPER)
    assert lines[0] == ORGAN
    assert not any(word in line for line in lines for word in ("附件", "（", "急"))
    (alone,) = [
        line
        for line in lines_of(replace(PAPER, annexes=(Annex("名单"),)))
        if line.startswith("附件")
    ]
    assert alone == "附件：名单"


def test_annexes_named_below_the_text_begin_in_one_column():
    found = opened(replace(PAPER, annexes=(Annex("名单"), Annex("数据来源")))).paragraphs
    indents = [
        {name.removeprefix(W): value for name, value in p._p.find(f"{W}pPr/{W}ind").items()}
        for p in found
        if p.text in ("附件：1. 名单", "2. 数据来源")
    ]
    assert [(i["leftChars"], i["hangingChars"]) for i in indents] == [
        ("650", "450"),
        ("650", "150"),
    ]
    assert not any(name.startswith("firstLine") for i in indents for name in i)


def test_headings_are_numbered_and_the_second_level_begins_anew():
    heads = [Heading("甲"), Heading("子", 2), Heading("丑", 2), Heading("乙"), Heading("寅", 2)]
    many = [Heading(str(n), 2) for n in range(2, 24)]
    lines = lines_of(replace(PAPER, blocks=(*heads, *many)))
    assert lines[4:9] == ["一、甲", "（一）子", "（二）丑", "二、乙", "（一）寅"]
    assert lines[17:20] == ["（十）10", "（十一）11", "（十二）12"]
    assert lines[27:31] == ["（二十）20", "（二十一）21", "（二十二）22", "（二十三）23"]


def test_a_table_repeats_its_headings_and_keeps_rows_whole():
    table = Table(("序号", "内容"), (("1", "甲"), ("2", "乙\x07\ud800")), (16, 140))
    (made,) = opened(replace(PAPER, blocks=(table,))).tables
    texts = [[cell.text for cell in row.cells] for row in made.rows]
    assert texts == [["序号", "内容"], ["1", "甲"], ["2", "乙\ufffd"]]
    assert made.rows[0]._tr.trPr.find(f"{W}tblHeader") is not None
    assert made.rows[1]._tr.trPr.find(f"{W}tblHeader") is None
    assert all(row._tr.trPr.find(f"{W}cantSplit") is not None for row in made.rows)
    assert sum(cell.width for cell in made.rows[0].cells) == pytest.approx(Mm(156), abs=Mm(0.2))


@pytest.mark.parametrize("text", ["\x00\x08\x0b\x1f甲", "\ufffe甲\uffff", "\ud83d甲", "甲<&>\"'"])
def test_any_text_can_be_written(text):
    found = opened(replace(PAPER, blocks=(Body(text),), addressee=text, note=text)).paragraphs
    assert all("甲" in paragraph.text for paragraph in found if paragraph.text.startswith("（"))
    (body,) = [p.text for p in found if p.style.name == "公文正文" and p.text]
    assert body.strip("\ufffd") == text.translate(
        dict.fromkeys([0, 8, 11, 31, 0xFFFE, 0xFFFF])
    ).strip("\ud83d")


@pytest.mark.parametrize(
    ("organ", "ends"),
    [("市林业局办公室", (3.75, 4.0)), (ORGAN, (0, 4.75)), ("市办", (6.25, 4.0))],
)
def test_the_name_is_centred_above_a_date_that_ends_four_characters_from_the_edge(organ, ends):
    assert signature_indents(organ, "2024年6月26日") == ends


def test_odd_and_even_pages_have_real_page_numbers_on_their_outer_sides():
    document = opened(PAPER)
    assert document.settings.odd_and_even_pages_header_footer
    section = document.sections[0]
    for footer, align, side in (
        (section.footer, "right", "right"),
        (section.even_page_footer, "left", "left"),
    ):
        (paragraph,) = footer.paragraphs
        assert paragraph._p.find(f"{W}pPr/{W}jc").get(f"{W}val") == align
        assert paragraph._p.find(f"{W}pPr/{W}ind").get(f"{W}{side}Chars") == "100"
        assert [e.text.strip() for e in paragraph._p.iter(f"{W}instrText")] == ["PAGE"]
        assert paragraph.text == "— 1 —"


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    return printer(tmp_path_factory.mktemp("pages"))


def printer(folder):
    """A function that gives the pages LibreOffice makes of a docx, each as its lines."""
    if missing := office.what_is_missing():
        pytest.skip(missing)
    pdfplumber = pytest.importorskip("pdfplumber")
    profile = (folder / "profile").as_uri()

    def printed(content):
        source = folder / "paper.docx"
        source.write_bytes(content)
        subprocess.run(
            [
                *(shutil.which("soffice"), f"-env:UserInstallation={profile}", "--headless"),
                *("--convert-to", "pdf", "--outdir", str(folder), str(source)),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        with pdfplumber.open(folder / "paper.pdf") as document:
            return [printed_lines(page) for page in document.pages]

    return printed


def printed_lines(page):
    """The characters of each line, from top to bottom; those of a line share a base line."""
    lines = defaultdict(list)
    for char in page.chars:
        lines[round(char["bottom"])].append(char)
    return [sorted(lines[key], key=lambda char: char["x0"]) for key in sorted(lines)]


def text_of(line):
    return "".join(char["text"] for char in line).strip()


@pytest.mark.office
def test_a_full_page_has_22_lines_of_28_characters_within_the_text_area(pages):
    first, second, third, *_ = pages(render(LONG))
    *body, number = second
    assert len(body) == LINES == 22
    assert {len(line) for line in body} == {CHARACTERS} == {28}
    for line in body:
        assert line[0]["x0"] == pytest.approx(28 * MM, abs=MM)
        assert line[-1]["x1"] == pytest.approx((210 - 26) * MM, abs=MM)
    for line, below in pairwise(body):
        assert below[0]["top"] - line[0]["top"] == pytest.approx(LINE_PITCH, abs=0.1)
    middle = (body[0][0]["top"] + body[0][0]["bottom"]) / 2
    assert middle - LINE_PITCH / 2 == pytest.approx(37 * MM, abs=MM)
    assert body[-1][0]["bottom"] <= (297 - 35) * MM
    assert len(third) == 23
    indented = next(line for line in first if text_of(line).startswith("生物"))
    assert indented[0]["x0"] == pytest.approx((28 + 2 * 156 / 28) * MM, abs=MM)
    assert len(indented) == 26
    assert [text_of(page[-1]) for page in (first, second, third)] == ["— 1 —", "— 2 —", "— 3 —"]
    assert number[0]["size"] == pytest.approx(14, abs=0.1)
    middle = (number[0]["top"] + number[0]["bottom"]) / 2
    assert middle == pytest.approx((297 - 35 + 7) * MM, abs=MM)


@pytest.mark.office
def test_page_numbers_stand_one_character_from_the_outer_edge(pages):
    odd, even, *_ = pages(render(LONG))
    # A character of 4号 is 14 points wide.
    assert odd[-1][-1]["x1"] == pytest.approx((210 - 26) * MM - 14, abs=MM)
    assert even[-1][0]["x0"] == pytest.approx(28 * MM + 14, abs=MM)


@pytest.mark.office
def test_urgency_title_and_signature_stand_where_the_standard_puts_them(pages):
    ((urgency, organ, title, addressee, body, name, day, _),) = pages(
        render(replace(PAPER, urgency="加急"))
    )
    assert text_of(urgency) == "加急"
    assert urgency[0]["x0"] == pytest.approx(28 * MM, abs=MM)
    for line in (organ, title):
        assert line[0]["size"] == pytest.approx(22, abs=0.1)
        middle = (line[0]["x0"] + line[-1]["x1"]) / 2
        assert middle == pytest.approx((28 + 156 / 2) * MM, abs=MM)
    assert addressee[0]["x0"] == pytest.approx(28 * MM, abs=MM)
    assert addressee[0]["top"] - title[0]["top"] > 2 * 28.9  # a blank line between them
    assert name[0]["top"] - body[0]["top"] == pytest.approx(3 * 28.9, abs=0.2)
    for line, right in zip((name, day), signature_indents(ORGAN, "2024年6月26日"), strict=True):
        edge = (210 - 26 - right * 156 / CHARACTERS) * MM
        assert line[-1]["x1"] == pytest.approx(edge, abs=MM)
    assert text_of(day) == "2024年6月26日"


@pytest.mark.office
@pytest.mark.parametrize("lines", range(12, 17))
def test_the_signature_never_stands_alone_on_a_page(pages, lines):
    blocks = numbered(["生物多样性保护"] * lines)
    *_, last = pages(render(replace(PAPER, blocks=blocks, annexes=(Annex("名单"),))))
    texts = [text_of(line) for line in last]
    assert texts[-2] == "2024年6月26日"
    assert any("生物多样性保护" in text for text in texts)
