"""Forms made by stencil are byte for byte those that openpyxl makes, or openpyxl makes them."""

import io
import logging
import random
import re
from contextlib import contextmanager
from dataclasses import replace

import pytest
from books import FILLED, fill, fill_contacts, heading_row
from office import opening, reading, storing, typing
from openpyxl import load_workbook
from openpyxl.chart import BarChart
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill, Protection
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.table import Table
from PIL import Image as Picture
from python_calamine import CalamineWorkbook

from bioduty_xl.domain.returns import Entry, Finding, Severity
from bioduty_xl.forms import holes, press
from bioduty_xl.forms.content import Content, Counter, Line
from bioduty_xl.forms.correction import Correction, corrected
from bioduty_xl.forms.growth import Refused
from bioduty_xl.forms.marks import Shape
from bioduty_xl.forms.press import Press
from bioduty_xl.forms.stencil import Stencil
from bioduty_xl.forms.template import PLACEHOLDERS, PROGRESS_MARK, Template, _blank
from bioduty_xl.forms.writer import form_parts, write_form
from bioduty_xl.layout.columns import OWN, Filler, Kind
from bioduty_xl.layout.sheets import CONTACTS_FORM, GUIDE_TITLE, IDENTITY_SHEET, RETURN_FORM

PHRASES = {mark: f"某{meaning}" for mark, meaning in PLACEHOLDERS.items() if mark != PROGRESS_MARK}
ROWS = (1, 2, 3, 4, 5, 9, 10, 23, 60, 101)


@pytest.fixture
def refusals(monkeypatch):
    """Why forms were not made by stencil: empty for each that was."""
    found, make = [], Press.make

    def told(self, content):
        made = make(self, content)
        found.append(made.refusal)
        return made

    monkeypatch.setattr(Press, "make", told)
    return found


@pytest.fixture
def by_openpyxl(monkeypatch):
    """`with by_openpyxl():` no form is made by stencil."""

    @contextmanager
    def refusing():
        with monkeypatch.context() as patch:
            patch.setattr(press, "_cut", lambda template, shape: "试验")
            yield

    return refusing


def written(ws, period, *units, **options):
    """The forms handed out, by path."""
    paths = ws.generate(period, *units, as_of="2024-06-03", **options)
    return {path: path.read_bytes() for path in paths}


def saying(template, lines=3, **texts):
    """A content for a template: each row's texts, fields and phrases, all ordinary unless given."""
    declared = template.declared
    filled = [c for c in declared.columns if declared is CONTACTS_FORM or c.filled_by in OURS]
    return Content(
        "BD1.R.0123abcd.U02.2024Q2.1." + "0123456789abcdef" * 2,
        {mark: texts.get("phrase", text) for mark, text in PHRASES.items()},
        {
            entry.key: texts.get("field", f"字段{entry.label}")
            for entry in declared.fields
            if entry.filled_by is not Filler.UNIT
        },
        tuple(
            Line(
                f"T{number:02d}.{number:08x}",
                {
                    column.key: str(number)
                    if column.kind is Kind.NUMBER
                    else texts.get("text", f"{column.heading}{number}")
                    for column in filled
                },
                45.0 + number * 13,
            )
            for number in range(1, lines + 1)
        ),
        Counter('="必报 "&1&" 项"', "必报 1 项") if declared is RETURN_FORM else None,
    )


OURS = (Filler.PLAN, Filler.PREVIOUS)


@pytest.fixture
def shipped(ws):
    """The two templates that come with the program."""
    return [
        Template.read(ws.template("quarterly_return.xlsx"), RETURN_FORM),
        Template.read(ws.template("annex2_contacts.xlsx"), CONTACTS_FORM),
    ]


def restyled(template, change):
    """A template changed by `change(book, sheet)`."""
    book, out = load_workbook(io.BytesIO(template.file)), io.BytesIO()
    change(book, book[template.declared.title])
    book.save(out)
    return replace(template, file=out.getvalue())


FINDINGS = (
    Finding("A", Severity.ERROR, "请填写工作开展情况", item="T01", about="progress"),
    Finding("B", Severity.WARNING, "请核对", item="T01", about="progress"),
    Finding("C", Severity.WARNING, "缺少这一行", item="T02"),
    Finding("D", Severity.ERROR, "请填写联系电话", about="phone"),
    Finding("E", Severity.WARNING, "没有审签领导", about="approver"),
    Finding("F", Severity.ERROR, "这一行不属于本单位", item="T77", about="status"),
    Finding("G", Severity.WARNING, "与其他单位相同", item="T03", about="duty"),
    Finding("H", Severity.ERROR, "整份表的问题"),
)


def reviewing(template, plan, lines=3, text="巡护12次", findings=FINDINGS, unreadable=()):
    """A correction copy's content for a template, each answer the same text."""
    fresh = saying(template, lines)
    items = [f"T{number:02d}" for number in range(1, lines + 1)]
    own = [key for key in template.frame.letters if key.startswith(OWN)]
    answers = {c.key: text for c in RETURN_FORM.filled_by(Filler.UNIT)}
    answers |= {OWN + fresh.filled_in(key.removeprefix(OWN)).strip(): text for key in own}
    entries = {i: Entry(i, answers, unreadable=frozenset(unreadable)) for i in items[:-1]}
    header = dict.fromkeys(("filler", "phone"), text)
    correction = Correction(header, entries, findings)
    return corrected(fresh, items, plan, correction, template.frame)


def assert_same(template, *contents):
    """The stencil takes all the contents, and makes of each what openpyxl makes."""
    made = Press(template)
    for content in contents:
        form = made.make(content)
        assert form.refusal == ""
        assert form.file == write_form(template, content)


def test_every_form_of_the_first_two_quarters_is_the_one_that_openpyxl_makes(
    ws, refusals, by_openpyxl
):
    first = written(ws, "2024Q1")
    assert len(first) == 76
    assert refusals == [""] * 76
    with by_openpyxl():
        assert written(ws, "2024Q1") == first
    forms = {path.name.partition("_")[0]: path for path in first if path.parent.name == "forms"}
    typed = [text for text in HARD_TEXTS if not UNTYPABLE.search(text)]
    said = {f"T{n:02d}": {**FILLED, "next_steps": text} for n, text in enumerate(typed, start=1)}
    for name in ("市林业局", "市生态环境局", "市水利局"):
        fill(forms[name], ws.inbox / f"{name}.xlsx", answers=said)
    assert {file.verdict for file in ws.collect(as_of="2024-04-20").files} == {"accepted"}
    refusals.clear()
    second = written(ws, "2024Q2")
    assert len(second) == 76  # nobody has named a contact
    assert refusals == [""] * 76
    with by_openpyxl():
        assert written(ws, "2024Q2") == second


def test_contact_forms_that_say_what_is_known_are_the_ones_that_openpyxl_makes(
    ws, refusals, by_openpyxl
):
    first = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    known = [
        {"leader": "赵某", "leader_phone": "0812-0000001", "name": "=钱某", "phone": "13800000000"},
        {"name": "孙某", "remark": "第一行\n第二行"},
    ]
    fill_contacts(first[1], ws.inbox / "a.xlsx", known)
    ws.collect(as_of="2024-04-20")
    refusals.clear()
    made = written(ws, "2024Q2", "市林业局", contacts=True)
    assert refusals == ["", ""]
    with by_openpyxl():
        assert written(ws, "2024Q2", "市林业局", contacts=True) == made
    sheet = load_workbook(list(made)[1])[CONTACTS_FORM.title]
    values = {cell.value for row in sheet for cell in row}
    assert {"赵某", "=钱某", "孙某", "第一行\n第二行"} <= values


@pytest.mark.parametrize("lines", ROWS)
def test_a_table_of_any_length_is_the_one_that_openpyxl_makes(shipped, lines):
    for template in shipped:
        assert_same(template, saying(template, lines))


UNTYPABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
HARD_TEXTS = (
    "<&>\"'",
    "]]>",
    "第一行\n第二行\r\n第三行\r第四行",
    "\t制\t表\t",
    "  前后有空白  ",
    "\u3000全角空白\u3000",
    "\n",
    " ",
    "",
    "_x000D_ 与 _x0041_",
    "&amp; &#13; &#24247; &lt;",
    "=SUM(A1:A3)",
    "=",
    "+86 起",
    "-1",
    "@某某",
    " =前有空白",
    "#N/A",
    "TRUE",
    "007",
    "2024-06-25",
    "\x00\x01\x08\x0b\x0c\x0e\x1f",
    "\x01=一号",
    "\x7f\x80\x85\x9f\xa0",
    "\ud800孤\udfff",
    "\ufffe\uffff\ufeff",
    "🌿🦌 𠮷",
    "{报送期} {填报进度} {}",
    "长" * 40_000,
    "𠮷" * 20_000,
    "<" * 40_000,
    "BD1.",
    "T01.0123abcd",
    "\u2028\u2029",
)


@pytest.mark.parametrize("text", HARD_TEXTS, ids=lambda text: ascii(text[:12]))
def test_a_text_that_is_hard_to_write_is_written_as_openpyxl_writes_it(shipped, text):
    for template in shipped:
        assert_same(template, saying(template, text=text), saying(template, field=text))


@pytest.mark.parametrize(
    "text",
    [one for one in HARD_TEXTS if one.strip() == one != "" and "\r" not in one],
    ids=lambda t: ascii(t[:12]),
)
def test_so_is_one_that_stands_within_the_templates_own_text(shipped, text):
    for template in shipped:
        below = restyled(template, lambda book, sheet: sheet.__setitem__("A8", "{咨询方式}（章）"))
        assert_same(below, saying(below, phrase=text))


def test_no_mixture_of_them_makes_a_difference(shipped):
    chance = random.Random(20240625)
    alphabet = [*HARD_TEXTS, *"=+-@<>&\"' \n\r\t\x00\ud83d", "市林业局", "巡护12次"]

    def mixture():
        return "".join(chance.choices(alphabet, k=chance.randint(0, 6)))[:3000]

    for template in shipped:
        made = Press(template)
        for _ in range(40):
            content = saying(template, chance.choice(ROWS[:6]))
            lines = [
                replace(line, texts={k: t if t.isdigit() else mixture() for k, t in texts.items()})
                for line in content.lines
                for texts in [line.texts]
            ]
            phrases = {
                mark: mixture().replace("\r", "").strip() or "某" for mark in content.phrases
            }
            content = replace(content, lines=tuple(lines), phrases=phrases)
            form = made.make(content)
            assert (form.refusal, form.file) == ("", write_form(template, content))


def _logo(book, sheet):
    logo = io.BytesIO()
    Picture.new("RGB", (40, 40), "green").save(logo, "png")
    sheet.add_image(Image(logo), "K1")


def _texts_below(book, sheet):
    sheet["A8"], sheet["A9"] = "填表说明：{报送单位}一式一份", "单位盖章："
    sheet["H10"], sheet["J10"] = "日期：", "  {报送期}  "
    sheet.merge_cells("A9:D9")
    sheet.row_dimensions[9].height = 50
    sheet["A10"].comment = Comment("请盖章", "某")
    sheet["A8"].hyperlink = "https://example.org/a?b=1&c=2"


def _own_columns(book, sheet):
    row = heading_row(sheet)
    sheet.cell(row, 12).value, sheet.cell(row, 13).value = "佐证材料", "{报送期}数量"
    sheet.cell(row + 1, 13).fill = PatternFill("solid", fgColor="FFFF00")


def _other_order(book, sheet):
    for row in (5, 6):
        one, other = sheet.cell(row, 8), sheet.cell(row, 9)
        one.value, other.value = other.value, one.value
        one.font = Font(name="楷体", size=11)


def _own_sheets(book, sheet):
    notice = book.create_sheet("通知", 0)
    notice["A1"], notice["A2"], notice["B2"] = "{报送单位}：", "=1+1", "={1,2}"
    notice["A1"].comment = Comment("见附件", "某")
    book.create_sheet("附表").sheet_state = "hidden"
    book.create_chartsheet("图", 0).add_chart(BarChart())
    book.defined_names["范围"] = DefinedName("范围", attr_text="'通知'!$A$1:$B$2")


def _twice(book, sheet):
    sheet["A1"] = "={报送单位}（{报送期}）{报送单位} {截止日期}"
    sheet["A1"].data_type = "s"
    sheet["N1"], sheet["N2"] = PROGRESS_MARK, " {咨询方式} & <其他> "
    sheet["N3"] = 123456789


def _own_rules(book, sheet):
    rule = CellIsRule("equal", formula=['"无"'], fill=PatternFill("solid", bgColor="FF0000"))
    sheet.conditional_formatting.add("I6:I7", rule)
    choices = DataValidation("list", formula1='"是,否"', allow_blank=True)
    choices.add("N6")
    sheet.add_data_validation(choices)
    sheet.auto_filter.ref = "A5:K6"
    sheet.print_options.gridLines = True
    sheet.row_breaks.append(Break(id=4))


def _plain_row(book, sheet):
    for cell in sheet[heading_row(sheet) + 1]:
        cell.style = "Normal"
        cell._style = None


def _locked_examples(book, sheet):
    for row in sheet.iter_rows():
        for cell in row:
            cell.protection = Protection(locked=True)
    sheet["G6"], sheet["H6"] = "例：4月开展巡护12次", "=1+1"
    sheet["E6"].quotePrefix = True
    sheet.row_dimensions[6].height = 99
    sheet.column_dimensions["C"].hidden = True


def _nothing_above(book, sheet):
    sheet["A1"], sheet["A4"] = None, None
    del book[GUIDE_TITLE]


RESTYLES = (
    *(_logo, _texts_below, _own_columns, _other_order, _own_sheets, _twice, _own_rules),
    *(_plain_row, _locked_examples, _nothing_above),
    lambda book, sheet: sheet.insert_rows(1, 3),
    lambda book, sheet: sheet.insert_cols(11),
    lambda book, sheet: sheet.merge_cells("A8:K9"),
    lambda book, sheet: sheet.__setitem__("N2", "咨询请拨科室电话"),
    lambda book, sheet: sheet.__setitem__("A40", "远处"),
    lambda book, sheet: book.move_sheet(sheet, -1),
)


@pytest.mark.parametrize("change", RESTYLES)
def test_a_restyled_template_makes_the_forms_that_openpyxl_makes(shipped, change):
    template = restyled(shipped[0], change)
    contents = (saying(template, lines) for lines in (1, 2, 4, 12, 23))
    assert_same(template, *contents, saying(template, text="=1\n<2", phrase="-&"))


@pytest.mark.parametrize("change", [lambda book, sheet: None, *RESTYLES])
def test_a_workbook_that_was_kept_is_filled_as_one_from_the_file(shipped, change):
    template = restyled(shipped[0], change)
    content = saying(template, 5)
    from_file = form_parts(_blank(template), content)
    for _ in range(2):
        assert form_parts(template.open(), content) == from_file


def test_all_of_that_at_once_too(shipped):
    def change(book, sheet):
        for one in (_texts_below, _own_columns, _own_sheets, _twice, _own_rules, _logo):
            one(book, sheet)

    template = restyled(shipped[0], change)
    assert_same(template, *(saying(template, lines) for lines in (1, 7, 23)))


def test_forms_of_a_restyled_template_go_out_and_come_back(ws, refusals):
    path = ws.template("quarterly_return.xlsx")
    template = Template.read(path, RETURN_FORM)
    path.write_bytes(restyled(restyled(template, _own_columns), _texts_below).file)
    forms = ws.generate("2024Q2", as_of="2024-06-03")
    assert refusals == [""] * 38
    for form in forms[:4]:
        fill(form, ws.inbox / form.name)
    assert [(file.verdict, file.findings) for file in ws.collect(as_of="2024-06-20").files] == [
        ("accepted", ())
    ] * 4


def _hidden_row_far_below(book, sheet):
    sheet.row_dimensions[20].hidden = True


def test_a_table_that_would_run_over_a_row_with_a_look_of_its_own_is_left_to_openpyxl(
    shipped, caplog
):
    template = restyled(shipped[0], _hidden_row_far_below)
    assert_same(template, saying(template, 14))
    caplog.set_level(logging.INFO, "bioduty_xl")
    content = saying(template, 15)
    made = Press(template).make(content)
    assert made.refusal == "模板在表格下方单独设置过行的格式，与较长的表格相叠"
    assert made.file == write_form(template, content)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert made.refusal in caplog.text


@pytest.mark.parametrize("phrase", ["", " 某局", "某局\n", "某\r\n局"])
def test_a_phrase_that_a_template_may_not_have_room_for_is_left_to_openpyxl(shipped, phrase):
    content = saying(shipped[0], phrase=phrase)
    made = Press(shipped[0]).make(content)
    assert "填入模板的名称、日期或咨询方式" in made.refusal
    assert made.file == write_form(shipped[0], content)


def _second_row_of_another_look(book, sheet):
    sheet.row_dimensions[7].hidden = True


def _second_row_of_its_own(book, sheet):
    sheet.row_dimensions[8].outlineLevel = 1
    sheet["A9"] = "说明"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_second_row_of_another_look, "表格各行的样式不一致"),
        (_second_row_of_its_own, "表格各行的样式不一致"),
    ],
)
def test_a_template_that_no_stencil_can_be_cut_from_is_left_to_openpyxl_and_that_is_said_once(
    ws, refusals, caplog, change, why
):
    path = ws.template("quarterly_return.xlsx")
    template = restyled(Template.read(path, RETURN_FORM), change)
    path.write_bytes(template.file)
    forms = written(ws, "2024Q2")
    assert set(refusals) == {why}
    assert len(forms) == 38
    said = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1
    assert why in said[0].getMessage()
    assert str(path) in said[0].getMessage()
    fill(next(iter(forms)), ws.inbox / "a.xlsx")
    assert [file.verdict for file in ws.collect(as_of="2024-06-20").files] == ["accepted"]


def test_a_stencil_that_would_make_anything_else_is_not_used(shipped, monkeypatch):
    real = holes._spelt
    monkeypatch.setattr(holes, "_spelt", lambda text: real(text.replace("<", "")))
    template = replace(shipped[0], path=shipped[0].path.with_name("another.xlsx"))
    with pytest.raises(Refused, match="试填的结果"):
        Stencil(template, Shape.of(saying(template)))


@pytest.mark.parametrize("lines", ROWS)
def test_a_correction_copy_of_any_length_is_the_one_that_openpyxl_makes(ws, shipped, lines):
    template, _ = shipped
    assert_same(
        template,
        reviewing(template, ws.plan, lines),
        reviewing(template, ws.plan, lines, findings=FINDINGS[3:4]),
        reviewing(template, ws.plan, lines, unreadable=("progress", "remark")),
    )


@pytest.mark.parametrize("text", HARD_TEXTS, ids=lambda text: ascii(text[:12]))
def test_so_is_one_whose_answers_or_findings_are_hard_to_write(ws, shipped, text):
    template, _ = shipped
    said = [replace(finding, message=text) for finding in FINDINGS]
    assert_same(
        template,
        reviewing(template, ws.plan, text=text),
        reviewing(template, ws.plan, findings=said),
    )


@pytest.mark.parametrize("change", [one for one in RESTYLES if one is not _texts_below])
def test_so_is_one_from_a_restyled_template(ws, shipped, change):
    template = restyled(shipped[0], change)
    contents = (reviewing(template, ws.plan, lines, text="=1\n<2") for lines in (1, 4, 23))
    assert_same(template, *contents)


def test_a_copy_from_a_template_with_notes_of_its_own_is_left_to_openpyxl(ws, shipped):
    template = restyled(shipped[0], _texts_below)
    content = reviewing(template, ws.plan)
    made = Press(template).make(content)
    assert made.refusal
    assert made.file == write_form(template, content)
    notes = [
        cell.comment.text
        for row in load_workbook(io.BytesIO(made.file))[RETURN_FORM.title]
        for cell in row
        if cell.comment
    ]
    assert len(notes) == 1 + len(content.review.notes)
    assert "请盖章" in notes


def test_that_is_on_record_and_warns_nobody_since_the_forms_are_made_by_stencil(
    ws, shipped, caplog
):
    caplog.set_level(logging.INFO, "bioduty_xl")
    template = restyled(shipped[0], _texts_below)
    made = Press(template)
    assert made.make(reviewing(template, ws.plan)).refusal == "模板的工作表上已有批注"
    assert made.make(saying(template)).refusal == ""
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "退回修改表改为逐份填写：模板的工作表上已有批注" in caplog.text


def test_a_note_says_all_that_is_to_be_said_however_long_since_it_is_no_cell(ws, shipped):
    template, _ = shipped
    said = [replace(finding, message=finding.message + "长" * 20_000) for finding in FINDINGS[:2]]
    content = reviewing(template, ws.plan, findings=[*said, FINDINGS[1]])
    [note] = content.review.notes
    assert len(note.text) > 40_000
    assert note.text.endswith("请核对：请核对")
    assert note.height == 600
    assert_same(template, content)


def test_of_own_columns_whose_headings_come_to_read_alike_the_last_shows_the_answer(ws, shipped):
    def change(book, sheet):
        for column, heading in ((12, "{报送期}数"), (13, "某报送期数"), (14, "其他")):
            sheet.cell(5, column).value = heading

    template = restyled(shipped[0], change)
    fresh = saying(template)
    fresh = replace(fresh, phrases={**fresh.phrases, "{报送期}": "某报送期"})
    entries = {"T01": Entry("T01", {"+某报送期数": "甲", "+其他": "乙"})}
    asked = Correction({}, entries, FINDINGS[:1])
    copy = corrected(fresh, ["T01", "T02", "T03"], ws.plan, asked, template.frame)
    sheet = load_workbook(io.BytesIO(Press(template).make(copy).file))[RETURN_FORM.title]
    assert [sheet.cell(6, column).value for column in (12, 13, 14)] == [None, "甲", "乙"]


def test_a_template_with_an_excel_table_makes_forms(ws, shipped):
    def change(book, sheet):
        notice = book.create_sheet("附表")
        notice["A1"], notice["A2"] = "事项", "某项"
        notice.add_table(Table(displayName="附表一", ref="A1:A2"))

    template = restyled(shipped[0], change)
    assert_same(template, saying(template), saying(template, 7))
    assert_same(template, reviewing(template, ws.plan))
    book = load_workbook(io.BytesIO(Press(template).make(saying(template)).file))
    assert list(book["附表"].tables) == ["附表一"]


def test_no_mixture_of_findings_makes_a_difference(ws, shipped):
    chance = random.Random(20240625)
    template = restyled(shipped[0], _own_columns)
    abouts = ["", *(c.key for c in RETURN_FORM.columns), *(f.key for f in RETURN_FORM.fields)]
    made = Press(template)
    for _ in range(40):
        findings = [
            Finding(
                "X",
                chance.choice(list(Severity)),
                chance.choice(HARD_TEXTS)[:500],
                item=chance.choice(["", "T01", "T02", "T03", "T09", "T99"]),
                about=chance.choice(abouts),
            )
            for _ in range(chance.randint(1, 25))
        ]
        text = chance.choice(HARD_TEXTS)[:900]
        content = reviewing(template, ws.plan, chance.choice(ROWS[:6]), text, findings)
        copy = made.make(content)
        assert (copy.refusal == "") == bool(content.review.notes)
        assert copy.file == write_form(template, content)


def test_every_correction_copy_of_a_quarter_is_the_one_that_openpyxl_makes(
    ws, refusals, by_openpyxl
):
    typed = [text for text in HARD_TEXTS if not UNTYPABLE.search(text)]
    for number, form in enumerate(ws.generate("2024Q2", as_of="2024-06-03")):
        said = {
            f"T{n:02d}": {
                **FILLED,
                "next_steps": typed[(n + number) % len(typed)][:3000],
                "progress": FILLED["progress"] if (n + number) % 3 else "同上",
            }
            for n in range(1, 24)
        }
        fill(form, ws.inbox / form.name, answers=said)
    ws.collect(as_of="2024-06-20")
    refusals.clear()
    folder = ws.outbox("2024Q2") / "corrections"
    ws.consolidate("2024Q2", as_of="2024-06-26")
    copies = {path: path.read_bytes() for path in folder.iterdir()}
    assert refusals == [""] * len(copies)
    assert len(copies) > 20
    for path in copies:
        path.unlink()
    with by_openpyxl():
        ws.consolidate("2024Q2", as_of="2024-06-26")
    assert {path: path.read_bytes() for path in folder.iterdir()} == copies


def test_the_answers_to_the_coordinators_own_columns_are_on_the_copy(ws, shipped):
    template = restyled(shipped[0], _own_columns)
    file = Press(template).make(reviewing(template, ws.plan, text="附件1")).file
    sheet = load_workbook(io.BytesIO(file))[RETURN_FORM.title]
    assert sheet.cell(5, 13).value.endswith("数量")
    assert [sheet.cell(6, column).value for column in (12, 13)] == ["附件1", "附件1"]


def test_a_copy_that_annotates_no_cell_is_left_to_openpyxl(ws, shipped):
    template, _ = shipped
    content = reviewing(template, ws.plan, findings=FINDINGS[-1:])
    made = Press(template).make(content)
    assert made.refusal == "没有可以批注的单元格"
    assert made.file == write_form(template, content)


def test_lines_of_several_kinds_or_none_are_refused(shipped):
    content = saying(shipped[0])
    mixed = (*content.lines, replace(content.lines[0], texts={"no": "9"}))
    for lines in ((), mixed):
        with pytest.raises(Refused, match="没有内容，或者各行的内容不同"):
            Stencil(shipped[0], Shape.of(replace(content, lines=lines)))


def test_a_stencil_is_cut_once_for_the_same_template_wherever_it_lies(shipped, monkeypatch):
    cut = []
    real = press.Stencil
    monkeypatch.setattr(press, "Stencil", lambda *a: cut.append(a) or real(*a))
    template = restyled(shipped[0], lambda book, sheet: sheet.__setitem__("A1", "只切一次"))
    elsewhere = replace(template, path=template.path.with_name("b.xlsx"))
    forms = {Press(one).make(saying(one)).file for one in (template, template, elsewhere)}
    assert (len(cut), len(forms)) == (1, 1)


def test_a_form_by_stencil_shows_the_same_to_openpyxl_and_to_calamine(form):
    path = form("市林业局")
    values = CalamineWorkbook.from_path(str(path))
    book = load_workbook(path, data_only=True)
    assert values.sheet_names == book.sheetnames == [GUIDE_TITLE, RETURN_FORM.title, IDENTITY_SHEET]
    for sheet in book.worksheets:
        read = values.get_sheet_by_name(sheet.title).to_python(skip_empty_area=False)
        shown = [[_plain(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        assert [[_plain(cell) for cell in row] for row in read] == shown


def _plain(value):
    return "" if value is None else str(int(value)) if isinstance(value, float) else str(value)


@pytest.mark.office
@pytest.mark.parametrize("steps", ["nothing", "typed", "rows"])
def test_a_template_saved_by_libreoffice_makes_the_forms_that_openpyxl_makes(
    shipped, office, tmp_path, steps
):
    title = RETURN_FORM.title
    work = {
        "nothing": [],
        "typed": [typing(title, {"A8": "{报送单位}（盖章）", "L5": "佐证材料", "N2": "=某"})],
        "rows": [
            {"do": "insert_rows", "sheet": title, "at": 0, "count": 1},
            {"do": "widths", "sheet": title, "columns": 40, "to": 4000},
        ],
    }[steps]
    office.change(shipped[0].path, tmp_path / "saved.xlsx", *work)
    template = Template.read(tmp_path / "saved.xlsx", RETURN_FORM)
    assert_same(template, *(saying(template, lines) for lines in (1, 2, 4, 23)))
    assert_same(template, saying(template, text=" =1\n<2 ", phrase="-&"))


@pytest.mark.office
def test_libreoffice_opens_a_form_by_stencil_and_saves_it_with_all_it_says(form, office, tmp_path):
    path = form("市林业局")
    sheet = load_workbook(path, data_only=True)[RETURN_FORM.title]
    texts = {cell.coordinate: _plain(cell.value) for row in sheet for cell in row if cell.value}
    _, shown, _ = office.run(
        opening(path), reading(RETURN_FORM.title, *texts), storing(tmp_path / "saved.xlsx")
    )
    assert shown == texts
    saved = load_workbook(tmp_path / "saved.xlsx")
    again = saved[RETURN_FORM.title]
    assert again.protection.sheet
    assert saved[IDENTITY_SHEET].sheet_state != "visible"
    assert len(again.data_validations.dataValidation) >= 6
    assert {c: again[c].protection.locked for c in texts} == {
        c: sheet[c].protection.locked for c in texts
    }
