"""Every sheet that people see, as text: a change of it is meant, or it is a mistake.

After a change that is meant: `pytest tests/test_goldens.py --renew`, then look at the difference,
and at the sheets themselves.
"""

import re
from pathlib import Path

import pytest
from books import FILLED, fill, fill_contacts
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from bioduty_xl import Workspace
from bioduty_xl.layout.sheets import CORRECTIONS, FILES, GUIDE_TITLE, REPORT, RETURN_FORM

GOLDEN = Path(__file__).parent / "golden"
AS_OF = "2024-06-28"

_MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"BD1\.[RC]\.[0-9a-f]{8}\.(\w+\.\w+\.\d)\.[0-9a-f]{32}"), r"<token \1>"),
    (re.compile(r"\b([TR]\d\d)\.[0-9a-f]{8}\b"), r"\1.<mac>"),
    (re.compile(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b"), "<code>"),
)


def dump(sheet):
    """A worksheet as stable text: how it is set up, then its filled cells."""
    letters = (get_column_letter(number) for number in range(1, min(sheet.max_column, 26) + 1))
    lines = [
        f"widths {[round(sheet.column_dimensions[letter].width, 1) for letter in letters]}",
        f"frozen {sheet.freeze_panes} protected {sheet.protection.sheet} state {sheet.sheet_state}",
        f"page {sheet.page_setup.orientation} {sheet.page_setup.paperSize}"
        f" fit {sheet.page_setup.fitToWidth} {sheet.page_setup.fitToHeight}"
        f" titles {sheet.print_title_rows} area {sheet.print_area}"
        f" footer {sheet.oddFooter.center.text}",
        f"merged {sorted(map(str, sheet.merged_cells.ranges))}",
        f"tables {sorted((table.name, table.ref) for table in sheet.tables.values())}",
        *(
            f"validation {validation.type} {validation.sqref} {validation.formula1}"
            for validation in sheet.data_validations.dataValidation
        ),
        *(f"conditional {one.sqref}" for one in sheet.conditional_formatting),
        f"charts {len(sheet._charts)}",
    ]
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value not in (None, ""):
                lines.append(f"{cell.coordinate}{_look(cell)} {str(cell.value)!r:.600}")
            if cell.comment:
                lines.append(f"{cell.coordinate} note {cell.comment.text!r}")
    text = "\n".join(lines) + "\n"
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def _look(cell):
    colour = cell.fill.fgColor.rgb if cell.fill.fill_type else None
    parts = [
        "" if cell.protection.locked else "open",
        colour[-6:] if isinstance(colour, str) else "",
        "link" if cell.hyperlink else "",
        "" if cell.number_format in ("General", "@") else cell.number_format,
    ]
    return "".join(f" {part}" for part in parts if part)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Two quarters of some units: on time, late, wanting, corrected, another's words, a PDF."""
    ws = Workspace.create(tmp_path_factory.mktemp("golden") / "w")
    settings = ws.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), "utf-8")
    ws = Workspace.open(ws.root)

    def send(unit, period, when, name="", **texts):
        form = ws.outbox(period) / "forms" / f"{unit}_{period}.xlsx"
        answers = {f"T{n:02d}": {**FILLED, "progress": f"第{n}项巡查{n}次"} for n in range(1, 24)}
        answers |= {item: {**answers[item], **more} for item, more in texts.items()}
        fill(form, ws.inbox / (name or f"{unit}_{period}.xlsx"), answers=answers)
        ws.collect(as_of=when)

    ws.generate("2024Q1", as_of="2024-04-19")
    contacts = ws.outbox("2024Q1") / "contacts" / "市林业局_2024Q1_联系人名单.xlsx"
    person = {"leader": "赵某某", "leader_phone": "0812-0000001", "office": "保护科"}
    person |= {"name": "钱某", "phone": "0812-0000002"}
    fill_contacts(contacts, ws.inbox / "联系人.xlsx", [person])
    send("市林业局", "2024Q1", "2024-04-20", T01={"problems": "经费不足"})
    ws.generate("2024Q2", as_of="2024-06-03")
    send("市林业局", "2024Q2", "2024-06-20", T01={"status": "已完成", "problems": "经费仍不足"})
    send("市农业农村局", "2024Q2", "2024-06-27", T01={"progress": "同上"}, T02={"progress": ""})
    copied = "4月至6月开展湿地巡护12次，新建监测样地3处。"
    send("市科技局", "2024Q2", "2024-06-21", T13={"progress": copied})
    send("市公安局", "2024Q2", "2024-06-21", T17={"progress": copied})
    (ws.inbox / "市气象局工作总结.pdf").write_bytes(b"%PDF-1.7 x")
    ws.collect(as_of="2024-06-22")
    ws.consolidate("2024Q2", as_of=AS_OF)
    return ws


def check(request, name, text):
    path = GOLDEN / f"{name}.txt"
    if request.config.getoption("--renew"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("sheet", [sheet.title for sheet in REPORT])
def test_the_consolidated_book(story, request, sheet):
    text = dump(load_workbook(story.report_file("2024Q2"))[sheet])
    if sheet == FILES.title:  # forms that are saved anew differ in length by a few bytes
        text = re.sub(r"^(I\d+ 0) '\d+'$", r"\1 <bytes>", text, flags=re.MULTILINE)
    check(request, f"汇总_{sheet}", text)


@pytest.mark.parametrize("sheet", [GUIDE_TITLE, RETURN_FORM.title])
def test_the_form(story, request, sheet):
    path = story.outbox("2024Q2") / "forms" / "市林业局_2024Q2.xlsx"
    check(request, f"报送表_{sheet}", dump(load_workbook(path)[sheet]))


def test_the_contact_form(story, request):
    path = story.outbox("2024Q1") / "contacts" / "市林业局_2024Q1_联系人名单.xlsx"
    check(request, "联系人名单", dump(load_workbook(path).worksheets[0]))


def test_the_list_of_contacts(story, request):
    check(request, "contacts", dump(load_workbook(story.contact_list_file).worksheets[0]))


@pytest.mark.parametrize("sheet", [CORRECTIONS.title, RETURN_FORM.title])
def test_the_correction_copy(story, request, sheet):
    path = story.outbox("2024Q2") / "corrections" / "市农业农村局_2024Q2_退回修改.xlsx"
    check(request, f"退回修改_{sheet}", dump(load_workbook(path)[sheet]))
