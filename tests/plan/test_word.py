import re
import zipfile
from pathlib import Path

import docx
import pytest
from docx.enum.text import WD_BREAK
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from bioduty_xl.errors import PlanError
from bioduty_xl.plan.document import import_plan
from bioduty_xl.plan.text import number
from bioduty_xl.plan.word import chinese, read_paragraphs

LETTER = Path(__file__).parents[1] / "data" / "letter_2024_3.txt"
TEXT = LETTER.read_text(encoding="utf-8").splitlines()
LINES = [line for line in TEXT if line.strip()]
START = LINES.index("一、完善生物多样性保护政策法规")
END = LINES.index("附件 2")
BROKEN = [
    LINES.index(TEXT[no - 1])
    for no in (74, 94, 118, 136, 156, 176, 194, 218, 272, 290, 306, 348, 366, 382, 400)
]


@pytest.fixture(scope="module")
def imported():
    return import_plan(LETTER)


@pytest.fixture(scope="module")
def plan(imported):
    return imported.plan


@pytest.fixture
def import_docx(tmp_path):
    """Saves a document and imports it."""

    def run(document):
        path = tmp_path / "letter.docx"
        document.save(path)
        return import_plan(path)

    return run


def typed(lines=LINES):
    """A document with one paragraph for each line."""
    document = docx.Document()
    for line in lines:
        document.add_paragraph(line)
    return document


def paragraph_of(document, text):
    return next(one for one in document.paragraphs if one.text == text)


def add_list(document, levels, overrides=""):
    """A new list with these (format, text, further XML) levels; its id."""
    root = document.part.part_related_by(RELATIONSHIP_TYPE.NUMBERING).element
    number = len(root.findall(root.tag.replace("numbering", "num"))) + 100
    body = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for depth, (form, text, more) in enumerate(levels)
    )
    kind = f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{number}">{body}</w:abstractNum>'
    root.insert(0, parse_xml(kind))
    link = f'<w:abstractNumId w:val="{number}"/>{overrides}'
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="{number}">{link}</w:num>'))
    return number


def put_in_list(paragraph, number, depth=0):
    properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
    properties.get_or_add_ilvl().val = depth
    properties.get_or_add_numId().val = number


def unnumber(document, pattern, give):
    """Take typed numbers off the plan's paragraphs and give them to Word."""
    for paragraph in document.paragraphs[START:END]:
        if match := re.match(pattern, paragraph.text):
            paragraph.text = paragraph.text[match.end() :]
            give(paragraph)


def tracked(kind, text):
    inner = "delText" if kind == "del" else "t"
    return parse_xml(
        f'<w:{kind} {nsdecls("w")} w:id="1" w:author="A"><w:r><w:{inner}>{text}</w:{inner}></w:r>'
        f"</w:{kind}>"
    )


# The same plan, however Word has it


def test_typed_paragraphs_give_the_same_plan(import_docx, plan):
    assert import_docx(typed()).plan == plan


def test_mends_are_reported_by_paragraph(import_docx, imported):
    written = import_docx(typed())
    assert [mend.message for mend in written.mends] == [mend.message for mend in imported.mends]
    for mend in written.mends:
        quoted = re.search(r"半角.“(.)”", mend.message)
        assert quoted is None or quoted[1] in LINES[mend.line - 1]
    first = LINES.index("贯彻落实《关于进一步加强生物多样性保护的意見》责任分工方案")
    assert written.mends[0].line == first + 1


def test_measures_numbered_by_word_give_the_same_plan(import_docx, plan):
    document = typed()
    numbers = add_list(document, [("decimal", "%1.", "")])
    unnumber(document, r"\d\. ", lambda paragraph: put_in_list(paragraph, numbers))
    assert import_docx(document).plan == plan


def test_measures_numbered_through_a_style_give_the_same_plan(import_docx, plan):
    document = typed()
    style = document.styles.add_style("举措", docx.enum.style.WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles["List Number"]

    def give(paragraph):
        paragraph.style = style

    unnumber(document, r"\d\. ", give)
    assert import_docx(document).plan == plan


def test_a_numbered_measure_with_a_soft_break_is_one_measure(import_docx, plan):
    document = typed()
    numbers = add_list(document, [("decimal", "%1.", "")])
    unnumber(document, r"\d\. ", lambda paragraph: put_in_list(paragraph, numbers))
    first = paragraph_of(document, LINES[START + 6][3:])
    first.add_run().add_break(WD_BREAK.LINE)
    first.add_run(LINES[START + 7])
    rest = paragraph_of(document, LINES[START + 7])
    rest._p.getparent().remove(rest._p)
    assert first.text.endswith("动态更新攀枝花市国家重点保护野生动植物名录。")
    assert import_docx(document).plan == plan


def test_headings_numbered_by_word_in_chinese_give_the_same_plan(import_docx, plan):
    document = typed()
    parts = add_list(document, [("chineseCounting", "%1、", "")])
    items = add_list(document, [("chineseCountingThousand", "（%1）", "")])
    unnumber(document, r"[一二三四五六七八九]、", lambda one: put_in_list(one, parts))
    unnumber(document, r"[（(][一二三四五六七八九十]+[）)]\s*", lambda one: put_in_list(one, items))
    assert import_docx(document).plan == plan


def test_headings_numbered_in_one_list_of_two_levels_give_the_same_plan(import_docx, plan):
    document = typed()
    through = '<w:lvlRestart w:val="0"/>'
    both = add_list(
        document, [("chineseCounting", "%1、", ""), ("chineseCounting", "（%2）", through)]
    )
    unnumber(document, r"[一二三四五六七八九]、", lambda one: put_in_list(one, both))
    unnumber(
        document, r"[（(][一二三四五六七八九十]+[）)]\s*", lambda one: put_in_list(one, both, 1)
    )
    assert import_docx(document).plan == plan


def test_items_that_word_numbers_anew_in_each_part_are_an_error(import_docx):
    document = typed()
    both = add_list(document, [("chineseCounting", "%1、", ""), ("chineseCounting", "（%2）", "")])
    unnumber(document, r"[一二三四五六七八九]、", lambda one: put_in_list(one, both))
    unnumber(
        document, r"[（(][一二三四五六七八九十]+[）)]\s*", lambda one: put_in_list(one, both, 1)
    )
    with pytest.raises(
        PlanError, match="此处应为第 4 项任务，读到第 1 项：“（一）落实就地保护体系。”"
    ):
        import_docx(document)


def test_a_list_that_starts_anew_is_counted_from_its_start(tmp_path):
    document = docx.Document()
    restart = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    numbers = add_list(document, [("chineseCounting", "%1、", "")], restart)
    for text in "甲乙":
        put_in_list(document.add_paragraph(text), numbers)
    document.save(tmp_path / "list.docx")
    assert [text for _, text, _ in read_paragraphs(tmp_path / "list.docx")] == ["五、甲", "六、乙"]


def test_list_0_takes_a_number_away(tmp_path):
    document = docx.Document()
    put_in_list(document.add_paragraph("甲", style="List Number"), 0)
    document.add_paragraph("乙", style="List Number")
    document.save(tmp_path / "list.docx")
    assert list(read_paragraphs(tmp_path / "list.docx")) == [(1, "甲", False), (2, "乙", True)]


def test_a_paragraph_in_a_list_that_is_not_there_is_numbered(tmp_path):
    document = docx.Document()
    put_in_list(document.add_paragraph("甲"), 999)
    document.save(tmp_path / "list.docx")
    assert list(read_paragraphs(tmp_path / "list.docx")) == [(1, "甲", True)]


def test_chinese_numerals_are_written_as_they_are_read():
    assert [number(chinese(value)) for value in range(1, 100)] == list(range(1, 100))
    assert [chinese(value) for value in (10, 11, 20, 23)] == ["十", "十一", "二十", "二十三"]


def test_broken_paragraphs_with_soft_breaks_give_the_same_plan(import_docx, imported):
    document = docx.Document()
    for n, line in enumerate(LINES):
        if n in BROKEN:
            document.paragraphs[-1].add_run().add_break(WD_BREAK.LINE)
            document.paragraphs[-1].add_run(line)
        else:
            document.add_paragraph(line)
    written = import_docx(document)
    assert written.plan == imported.plan
    assert len(written.mends) == len(imported.mends)


def test_a_whole_plan_in_one_paragraph_with_soft_breaks_gives_the_same_plan(import_docx, plan):
    assert import_docx(typed(["\n".join(LINES)])).plan == plan


def test_broken_paragraphs_with_page_breaks_give_the_same_plan(import_docx, plan):
    document = typed()
    for n in BROKEN:
        document.paragraphs[n - 1].add_run().add_break(WD_BREAK.PAGE)
    assert import_docx(document).plan == plan


def test_tracked_insertions_are_read_and_deletions_are_not(import_docx, plan):
    document = typed()
    for paragraph in document.paragraphs[START:END]:
        text = paragraph.text
        paragraph.text = text[: len(text) // 2]
        paragraph._p.append(tracked("del", "删去的文字"))
        paragraph._p.append(tracked("moveFrom", "移走的文字"))
        paragraph._p.append(tracked("ins", text[len(text) // 2 :]))
    assert import_docx(document).plan == plan


def test_text_moved_here_is_read(import_docx, plan):
    document = typed()
    paragraph = document.paragraphs[START + 2]
    text = paragraph.text
    paragraph.text = ""
    paragraph._p.append(tracked("moveTo", text))
    assert import_docx(document).plan == plan


def test_a_deleted_break_is_no_break(import_docx, plan):
    document = typed()
    paragraph = document.paragraphs[START + 2]
    text = paragraph.text
    paragraph.text = text[:31]
    gone = f'<w:del {nsdecls("w")} w:id="1" w:author="A"><w:r><w:br/></w:r></w:del>'
    paragraph._p.append(parse_xml(gone))
    paragraph.add_run(text[31:])
    written = import_docx(document)
    assert written.plan == plan
    assert not any(mend.line == START + 3 for mend in written.mends)


def test_a_plan_in_a_table_gives_the_same_plan(import_docx, plan):
    document = typed(LINES[:START])
    table = document.add_table(rows=0, cols=1)
    for line in LINES[START:END]:
        table.add_row().cells[0].text = line
    assert import_docx(document).plan == plan


def test_a_text_box_is_read_once(import_docx, plan):
    document = typed()
    label = paragraph_of(document, "主要举措：")
    box = f"<w:txbxContent><w:p><w:r><w:t>{label.text}</w:t></w:r></w:p></w:txbxContent>"
    label.text = ""
    label.add_run()._r.append(
        parse_xml(
            f"<mc:AlternateContent {nsdecls('w')} "
            'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
            f'<mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>'
            "</mc:AlternateContent>"
        )
    )
    assert import_docx(document).plan == plan


def test_a_hyphen_that_does_not_break_is_a_hyphen(tmp_path):
    document = docx.Document()
    run = document.add_paragraph("甲").add_run()
    run._r.append(parse_xml(f"<w:noBreakHyphen {nsdecls('w')}/>"))
    run.add_text("乙")
    document.save(tmp_path / "hyphen.docx")
    assert list(read_paragraphs(tmp_path / "hyphen.docx")) == [(1, "甲-乙", False)]


def test_a_stray_paragraph_is_an_error_with_its_number(import_docx):
    lines = [*LINES[: START + 3], "这一段不属于方案。", *LINES[START + 3 :]]
    with pytest.raises(
        PlanError, match=f"第 {START + 4} 行：上一段已经完整.*：“这一段不属于方案。”"
    ):
        import_docx(typed(lines))


# Files that are no Word documents


def damaged_package(path):
    typed(["甲"]).save(path)
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    parts["word/document.xml"] = b"<w:document"
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)


def other_package(path):
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("readme.txt", "no document")


def truncated_package(path):
    typed().save(path)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    "make",
    [
        damaged_package,
        other_package,
        truncated_package,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("一、"),
    ],
    ids=["damaged", "other", "truncated", "empty", "text"],
)
def test_what_is_no_word_document_is_an_error(tmp_path, make):
    path = tmp_path / "letter.docx"
    make(path)
    with pytest.raises(PlanError, match="不是能打开的 Word 文件"):
        import_plan(path)
