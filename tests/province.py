"""A small province: 21 cities, four of them made by hand, each in its own way, the rest from the
first, with due dates, exemptions and form ids of their own. Names and answers are invented.
"""

import hashlib
import shutil
import sqlite3

import year
from books import FILLED, add_row, fill
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Unit, UnitKind
from bioduty_xl.plan.book import write_plan

Q2 = "2024Q2"
AS_OF = "2024-07-12"
CLOSED_AT = "2024-07-09T23:59:59+08:00"

FIRST, OTHER, CLOSED, STRICT = "甲市", "乙市", "丙州", "丁市"
DERIVED = tuple(f"市{n:02d}" for n in range(5, 22))
NAMES = (FIRST, OTHER, CLOSED, STRICT, *DERIVED)

PROBLEMS = {**FILLED, "problems": "巡护经费不足，资金没有着落。"}
NIL = {**FILLED, "status": "本季度无进展", "progress": "等待省级方案印发。"}
ELSEWHERE = {**FILLED, "status": "不涉及", "progress": "", "remark": "辖区内没有自然保护区。"}


def make(root):
    """All 21, below a folder."""
    _first(root / FIRST)
    _other(root / OTHER)
    _closed(root / CLOSED)
    _strict(root / STRICT)
    for number, name in enumerate(DERIVED, start=5):
        _derived(root / FIRST, root / name, number)
    return root


def workspace(root, number, plan=year.PLAN):
    """A workspace with a plan and a key of its own."""
    year.make(root)
    write_plan(plan, root / "plan.xlsx")
    (root / ".bioduty" / "signing.key").write_text(f"{number:02x}" * 32, encoding="ascii")
    return Workspace.open(root)


def setting(root, old, new):
    """Change a setting, or add one below its table's heading."""
    path = root / "bioduty.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def send(ws, unit, as_of, answers=FILLED, name="", change=None, period=Q2):
    """A unit's return, filled and collected."""
    form = ws.outbox(period) / "forms" / f"{unit}_{period}.xlsx"
    said = answers if not set(answers) <= set(FILLED) else dict.fromkeys(_items(ws), answers)
    fill(form, ws.inbox / (name or f"{unit}.xlsx"), said, change=change)
    return ws.collect(as_of=as_of).files


def _items(ws):
    return [item.key for item in ws.plan.items]


def _first(root):
    """Two units on time, one of them with gaps, one late, two not at all; one file held."""
    ws = workspace(root, 1)
    ws.generate(Q2, as_of="2024-06-03")
    send(ws, "市林业局", "2024-06-20", {"T01": PROBLEMS, "T02": NIL, "T03": FILLED})
    send(ws, "市水利局", "2024-06-24", {"T01": {}, "T02": ELSEWHERE, "T03": PROBLEMS})
    (ws.inbox / "工作总结.pdf").write_bytes(b"%PDF-1.7 x")
    send(ws, "市气象局", "2024-06-27", {"T01": FILLED, "T02": {**FILLED, "progress": "同上"}})
    return ws


def _part(*items):
    return Plan("责任分工方案", (Part(1, "保护"), Part(2, "保障")), OTHER_UNITS, items)


OTHER_UNITS = (
    *(Unit("U01", "州林草局", UnitKind.DEPARTMENT), Unit("U02", "州财政局", UnitKind.DEPARTMENT)),
    Unit("C01", "某某县人民政府", UnitKind.COUNTY),
)


def _item(number, part, title, lead, responsible=()):
    key = f"T{number:02d}"
    measures = (Measure(f"{key}-M1", f"{title}的具体措施。"),)
    return Item(key, number, part, title, title, lead, responsible, ("C01",), measures)


OTHER_PLAN = _part(
    _item(1, 1, "开展监测", ("U01",)),  # T02 elsewhere
    _item(2, 1, "开展巡护执法", ("U01",), ("U02",)),  # no other city has it; near 开展巡护
    _item(3, 2, "开展宣传", ("U02",)),
    _item(4, 2, "落实资金", ("U02",)),
)


def _other(root):
    """Another plan, other units with a county among them, due five days earlier, a column of its
    own on the form; its name stands in its settings.
    """
    ws = workspace(root, 2, OTHER_PLAN)
    setting(root, "due_day = 25", "due_day = 20")
    setting(root, 'region = ""', f'region = "{OTHER}"')
    setting(root, 'contact = ""', 'contact = "孙某"')
    template = root / "templates" / "quarterly_return.xlsx"
    book = load_workbook(template)
    book["工作推进情况"].cell(5, 12).value = "来源文件"  # which the consolidated book has already
    book.save(template)
    ws = Workspace.open(root)
    ws.generate(Q2, as_of="2024-06-03")

    def add(book, sheet):
        sheet.cell(6, 12).value = "州发〔2024〕3号"

    send(ws, "州林草局", "2024-06-20", PROBLEMS, change=add)
    send(ws, "某某县人民政府", "2024-06-23", {"T01": FILLED, "T04": NIL})


def _closed(root):
    """Closed; afterwards a late return comes, a correction of one that counts, and a file that was
    held is settled.
    """
    ws = workspace(root, 3)
    ws.generate(Q2, as_of="2024-06-03")
    send(ws, "市林业局", "2024-06-20", PROBLEMS)
    send(ws, "市教育局", "2024-06-21", FILLED, name="无标记.xlsx", change=year.lose_marks)
    send(ws, "市水利局", "2024-06-29", FILLED)
    ws.close(Q2)
    send(ws, "市气象局", "2024-07-10", FILLED)
    send(ws, "市林业局", "2024-07-11", {**FILLED, "progress": "更正：巡护13次。"}, name="更正.xlsx")
    settled = ws.assign("无标记.xlsx", "市教育局", Q2, "电话核实", as_of="2024-07-11")
    assert settled.verdict == "accepted"
    assert ws.is_closed(Q2)


def _strict(root):
    """What must be answered is set otherwise, one unit is exempt, and nothing came yet."""
    ws = workspace(root, 4)
    setting(root, 'required = ["lead", "sole", "named", "county"]', 'required = ["sole"]')
    add_row(ws, "免报", "市气象局", Q2, "李某", "经批准")
    Workspace.open(root).generate(Q2, as_of="2024-06-03")


def _derived(source, target, number):
    """What a province gets of a city: settings, plan, register, ledger. As its own key would have
    made it, its forms have other ids; a unit is exempt, and the due date another.
    """
    (target / ".bioduty").mkdir(parents=True)
    for name in ("bioduty.toml", "plan.xlsx", "register.xlsx", ".bioduty/ledger.sqlite"):
        shutil.copyfile(source / name, target / name)
    with_ids_of_its_own(target, number)
    setting(target, "due_day = 25", f"due_day = {18 + number % 8}")
    with (target / "bioduty.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            "\n[[deadlines.exemptions]]\n"
            f'unit = "{year.NAMES[number % 5]}"\nperiod = "{Q2}"\nreason = "经批准"\n'
        )


def with_ids_of_its_own(root, number):
    """Give the forms of a copied workspace the ids that another key would have given them."""
    db = sqlite3.connect(root / ".bioduty" / "ledger.sqlite")
    with db:
        db.execute("UPDATE forms SET form_id = substr(form_id, 1, 4) || ?", (f"{number:04x}",))
    db.close()


def fingerprints(*roots):
    """Every file below the folders with its content, its times and its rights."""
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            *(path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_mode),
        )
        for root in roots
        for path in sorted([root, *root.rglob("*")])
    }
