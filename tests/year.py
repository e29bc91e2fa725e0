"""A small city's collection, day by day: what its people do, one pass a day, what there is in the
end. The days are given; nothing here asks the time.
"""

import hashlib
import os
import re
import sqlite3
import tempfile
from collections import defaultdict
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import docx
from books import FILLED, add_row, fill, records
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.batch import run_pass
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Unit, UnitKind
from bioduty_xl.intake import filing
from bioduty_xl.layout.package import packed
from bioduty_xl.layout.sheets import REMINDERS
from bioduty_xl.plan.book import write_plan

START, END = date(2024, 2, 20), date(2026, 1, 31)

NAMES = ("市林业局", "市水利局", "市气象局", "市科技局", "市教育局")
UNITS = tuple(Unit(f"U{n:02d}", name, UnitKind.DEPARTMENT) for n, name in enumerate(NAMES, start=1))
CODES = tuple(unit.code for unit in UNITS)


def _item(n, title, lead, responsible):
    measure = Measure(f"T{n:02d}-M1", f"{title}的具体措施。")
    return Item(
        f"T{n:02d}", n, 1, title, f"{title}。", lead, responsible, counties=(), measures=(measure,)
    )


PLAN = Plan(
    "生物多样性保护责任分工方案",
    (Part(1, "保护"),),
    UNITS,
    (
        _item(1, "开展巡护", CODES[:2], CODES[2:]),
        _item(2, "开展监测", CODES[2:4], CODES[4:]),
        _item(3, "开展宣传", CODES[4:], CODES[:4]),
    ),
)

NAMELESS = "报送表.xlsx"
"""A name that several units give to their files."""

DECIDED = frozenset({date(2024, 9, 5), date(2024, 12, 2), date(2025, 3, 31)})
"""Days on which the register gets a decision that a book speaks of, with the moment at which it was
first seen: a book is the same only where the pass of such a day was.
"""

GAPS = {"T01": {}, "T02": FILLED, "T03": FILLED}
"""Answers that leave the first item blank, which the first two units must report on."""

LACKING = {"T01": FILLED, "T02": {}, "T03": FILLED}
"""Answers that leave the second item blank, which the third and the fourth must report on."""

LETTER_DAYS = frozenset(
    (
        *(date(2024, 4, 30), date(2024, 5, 9), date(2024, 6, 24), date(2024, 7, 1)),
        *(date(2024, 7, 5), date(2024, 9, 26), date(2024, 9, 30)),
        *(date(2025, 3, 26), date(2025, 6, 26), date(2025, 12, 26)),
    )
)
"""Stages of the reminders, on which the letters that lie ready are looked at. What happened before
is made up for on such a day, so long as its own pass is not disturbed.
"""


def stand_in_for_arrival():
    """A file's arrival is its change time, which no test can set: its modification time stands in.

    Returns:
        (owner, name, stand-in) as `setattr` takes them.
    """
    return filing, "_came", lambda status: status.st_mtime_ns


def make(root):
    """A workspace with the small plan and a key that is always the same."""
    ws = Workspace.create(root)
    settings = root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), "utf-8")
    write_plan(PLAN, root / "plan.xlsx")
    ws.state_dir.mkdir(mode=0o700)
    (ws.state_dir / "signing.key").write_text("5a" * 32, encoding="ascii")
    (ws.state_dir / "signing.key").chmod(0o600)
    return root


class City:
    """The workspace of a small city, for tests of single days."""

    def __init__(self, root):
        self.ws = Workspace.open(root)

    def run(self, when, **more):
        """A pass at a moment, with plan, register and settings read anew."""
        return run_pass(Workspace.open(self.ws.root), moment(when), lambda *_: None, **more)

    def form(self, unit, period="2024Q2"):
        """Path of a unit's handed-out form."""
        return self.ws.outbox(period) / "forms" / f"{unit}_{period}.xlsx"

    def give(self, unit, name, answers=FILLED, period="2024Q2", **more):
        """A unit's form comes back, filled."""
        return fill(self.form(unit, period), self.ws.inbox / name, answers, **more)

    def register(self, sheet, *values):
        """An entry more in the register."""
        add_row(self.ws, sheet, *values)

    def letter(self, unit, period="2024Q2"):
        """Where a unit's letter is, or would be."""
        return self.ws.outbox(period) / "reminders" / f"{unit}_{period}_催报函.docx"

    def letters(self, period="2024Q2"):
        """The units to which a letter lies ready."""
        found = (self.ws.outbox(period) / "reminders").glob("*.docx")
        return {path.name.split("_")[0] for path in found}


class World:
    """People and their workspace; `live` is one day of theirs.

    Attributes:
        root: the workspace.
        passes: what each pass did, by day.
        letters: those that lay ready on the `LETTER_DAYS`.
    """

    def __init__(self, root):
        self.root = make(root)
        for unit in UNITS:
            add_row(Workspace.open(root), "邮箱", unit.name, f"{unit.code}@example.org")
        self.passes, self.letters = {}, {}
        self._story = _story()
        self._waiting = []

    def live(self, day, run=True):
        """One day: people act at seven; the pass, if there is one, is at half past eight."""
        self._waiting += self._story.get(day, [])
        self._waiting = [act for act in self._waiting if not act(self.root, day)]
        if run:
            self.passes[day] = run_pass(
                Workspace.open(self.root), moment(f"{day}T08:30"), lambda *_: None, by_clock=True
            )
        if day in LETTER_DAYS:
            self.letters[day] = letters(self.root)

    def live_through(self, first, last, skipped=frozenset()):
        """All days from the first to the last; no pass on those skipped."""
        for n in range((last - first).days + 1):
            day = first + timedelta(days=n)
            self.live(day, day not in skipped)


def _story():
    """Day → what people do then; an act that cannot be done yet is tried again every day."""
    story = defaultdict(list)
    dues = {"2024Q1": date(2024, 4, 25)} | {
        f"{year}Q{quarter}": date(year, quarter * 3, 25)
        for year in (2024, 2025)
        for quarter in range(1, 5)
        if (year, quarter) != (2024, 1)
    }
    for period, due in dues.items():
        story[due - timedelta(days=15)].append(_send(0, period))
        story[due + timedelta(days=3)].append(_send(1, period))
        if period not in ("2024Q4", "2025Q4"):  # exempt, and merged away
            story[due + timedelta(days=20)].append(_send(2, period))  # after the quarter is closed
        story[due - timedelta(days=13)].append(_send(3, period, LACKING))
        story[due + timedelta(days=2)].append(_send(3, period, suffix="_补"))
        story[due - timedelta(days=5)].append(_send(4, period))
    _damage(story)
    _register(story)
    return story


def _damage(story):
    story[date(2024, 9, 9)].append(_drop("市教育局_2024Q3_传输中断.xlsx", b"PK\x03\x04 torn"))
    story[date(2025, 3, 12)].append(_send(0, "2025Q1", suffix="_更正"))
    story[date(2025, 6, 10)].append(
        _send(0, "2025Q2", suffix="_粘贴", name=NAMELESS, change=lose_marks)
    )
    story[date(2025, 6, 11)].append(_drop("通知.pdf", b"%PDF-1.7 x"))
    # The same name again: another unit's, which nobody settles, and one that needs nobody.
    story[date(2025, 9, 12)].append(
        _send(1, "2025Q3", suffix="_粘贴", name=NAMELESS, change=lose_marks)
    )
    story[date(2025, 12, 12)].append(_send(0, "2025Q4", suffix="_更正", name=NAMELESS))


def _register(story):
    rows = (
        (date(2024, 9, 5), "延期", ("市水利局", "2024Q3", date(2024, 9, 30), "李某", "防汛")),
        (date(2024, 9, 6), "延期", ("市某某局", "2024Q3", date(2024, 9, 30), "", "")),
        (date(2024, 12, 2), "免报", ("市气象局", "2024Q4", "李某", "机构改革")),
        (date(2025, 3, 31), "收件更正", ("市水利局", "2025Q1", date(2025, 3, 24), "传真")),
        (date(2025, 5, 20), "机构变动", ("2025Q2", "市教育局", "更名", "市教育和体育局", "批复")),
        (date(2025, 6, 16), "归属认定", (NAMELESS, "U01", "2025Q2", "电话核实")),
        (date(2025, 9, 2), "节假日", (date(2025, 9, 26), None, "放假", "市里活动")),
        (date(2025, 11, 10), "机构变动", ("2025Q4", "市气象局", "并入", "市林业局", "批复")),
    )
    for day, sheet, values in rows:
        story[day].append(_register_row(sheet, values))


def _send(number, period, answers=FILLED, suffix="", name="", change=None):
    def act(root, day):
        folder = root / "outbox" / period / "forms"
        forms = sorted(folder.glob("*.xlsx")) if folder.is_dir() else []
        names = (NAMES[number], "市教育和体育局") if number == 4 else (NAMES[number],)
        form = next((path for path in forms if path.name.split("_")[0] in names), None)
        if form is None:
            return False
        target = root / "inbox" / (name or f"{NAMES[number]}_{period}{suffix}.xlsx")
        by_item = not set(answers) <= set(FILLED)
        every = answers if by_item else dict.fromkeys(GAPS, answers)
        texts = tuple((item, tuple(sorted(said.items()))) for item, said in every.items())
        target.write_bytes(_filled(form.read_bytes(), texts, suffix, change))
        _stamp(target, day)
        return True

    return act


@cache
def _filled(form, texts, suffix, change):
    """The bytes of a form filled; the same form filled alike is the same file in every world, also
    in one of another process, so without the time of saving.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "form.xlsx"
        source.write_bytes(form)
        answers = {item: {**dict(said), "remark": suffix} if said else {} for item, said in texts}
        filled = fill(source, Path(folder) / "filled.xlsx", answers, change=change)
        return packed(load_workbook(filled))


def lose_marks(book, sheet):
    """A sheet of which somebody has deleted the key column, in a new file."""
    heading = next(c for row in sheet.iter_rows() for c in row if str(c.value).startswith("BD1."))
    sheet.delete_cols(heading.column)
    for name in list(sheet.defined_names):
        del sheet.defined_names[name]


def _drop(name, content):
    def act(root, day):
        (root / "inbox" / name).write_bytes(content)
        _stamp(root / "inbox" / name, day)
        return True

    return act


def _register_row(sheet, values):
    def act(root, day):
        add_row(Workspace.open(root), sheet, *values)
        return True

    return act


def _stamp(path, day):
    came = moment(f"{day}T07:00").timestamp()
    os.utime(path, (came, came))


def final_state(world):
    """All that is there in the end, and which letters lay ready on the way, as far as it does not
    depend on when it was done.
    """
    outbox = world.root / "outbox"
    kept = {
        path.relative_to(outbox).as_posix(): _lasting(path)
        for path in sorted(outbox.rglob("*"))
        if path.is_file() and path.suffix in (".xlsx", ".docx") and "催报函" not in path.name
    }
    return kept, ledger_state(world.root), world.letters


def letters(root):
    """What each letter that lies ready asks for: the return, or which items."""
    found = sorted((root / "outbox").glob("*/reminders/*_催报函*.docx"))
    return {path.name: _asked(path) for path in found}


def _asked(path):
    lines = [paragraph.text for paragraph in docx.Document(str(path)).paragraphs]
    kind = "缺项" if any("仍有必报事项没有填报" in line for line in lines) else "整份"
    return kind, [line for line in lines if re.match(r"\d+\. ", line)]


def _lasting(path):
    """What is in a file; of the list of whom to call all but the days on which that was done."""
    if path.stem == REMINDERS.title:
        when = REMINDERS["reminded"].heading
        return [{k: v for k, v in row.items() if k != when} for row in records(path, path.stem)]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ledger_state(root):
    """What the ledger says, moments of our own doing left out."""
    with sqlite3.connect(root / ".bioduty" / "ledger.sqlite") as db:
        said = {
            name: sorted(map(repr, db.execute(query)))
            for name, query in {
                "files": "SELECT sha256, name, received, verdict, kind, unit, period, revision"
                " FROM files",
                "entries": "SELECT sha256, item, answers FROM entries JOIN files ON id = file",
                "forms": "SELECT kind, unit, period, form_id, due FROM forms",
                "corrections": "SELECT c.period, c.unit, sha256 FROM corrections AS c"
                " JOIN files ON id = CAST(c.matter AS INTEGER)",
                "closings": "SELECT * FROM closings",
                "counted": "SELECT files.name, counted.period FROM counted JOIN files ON id = file",
                "register": "SELECT sheet, entry FROM register",
                "settlements": "SELECT entry, files.name, files.received FROM settlements"
                " JOIN files ON files.id = settlements.file",
                "assignments": "SELECT name, a.unit, a.period FROM assignments AS a"
                " JOIN files ON files.id = file",
            }.items()
        }
    db.close()
    return said


def nameless(root):
    """(day received, verdict, unit) of the files with the name that several units give."""
    with sqlite3.connect(root / ".bioduty" / "ledger.sqlite") as db:
        rows = db.execute(
            "SELECT received, verdict, unit FROM files WHERE name = ? ORDER BY received",
            (NAMELESS,),
        ).fetchall()
    db.close()
    return [(received[:10], verdict, unit) for received, verdict, unit in rows]


def unsent(root):
    """The matters of letters and correction copies that lie ready and were not mailed."""
    with sqlite3.connect(root / ".bioduty" / "ledger.sqlite") as db:
        last = {
            (period, unit): f"{period}/{unit}/reminder/{due}/{distance}"
            for period, unit, due, distance in db.execute(
                "SELECT period, unit, due, distance FROM reminders ORDER BY rowid"
            )
        }
        copies = {
            f"{period}/{unit}/correction/{matter}"
            for period, unit, matter in db.execute(
                "SELECT period, unit, matter FROM corrections"
                " WHERE period NOT IN (SELECT period FROM closings)"
            )
        }
        mailed = {matter.split(" ")[0] for (matter,) in db.execute("SELECT matter FROM mails")}
    db.close()
    codes = {unit.name: unit.code for unit in UNITS}
    names = (name.split("_") for name in letters(root))
    return (copies | {last[period, codes[unit]] for unit, period, _ in names}) - mailed


def reminders(root):
    """(period, unit, distance) of every reminder on record, with the day it was made."""
    with sqlite3.connect(root / ".bioduty" / "ledger.sqlite") as db:
        rows = db.execute("SELECT period, unit, due, distance, made FROM reminders").fetchall()
    db.close()
    return {(period, unit, due, distance): made[:10] for period, unit, due, distance, made in rows}


def differences(one, other):
    """What two final states do not have in common, a line each: for a person who looks why."""
    return [
        f"{key}: {_only(said.get(key), more.get(key))} | {_only(more.get(key), said.get(key))}"
        for said, more in zip(one, other, strict=True)
        for key in sorted({*said, *more})
        if said.get(key) != more.get(key)
    ]


def _only(these, those):
    if isinstance(these, list) and isinstance(those, list):
        return [row for row in these if row not in those]
    return these
