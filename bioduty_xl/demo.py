"""A whole collection on the real plan: two quarters, filled in as different people would.

All text, names and numbers are invented: people appear by surname and 某, and telephone numbers
begin with a digit that no local number has. Same program, same demo: the signing key and every
moment are fixed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.demo_text import Author
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.returns import Progress as ItemProgress
from bioduty_xl.domain.standing import Standing
from bioduty_xl.errors import BiodutyError
from bioduty_xl.forms.style import put_text
from bioduty_xl.forms.template import grid_of, place_of
from bioduty_xl.intake.filing import TAKEN_FOLDER
from bioduty_xl.language import say
from bioduty_xl.layout.package import save
from bioduty_xl.layout.sheets import CONTACTS_FORM, RETURN_FORM
from bioduty_xl.layout.table import find_fields
from bioduty_xl.workspace import Progress, Workspace

DEMO_KEY = "bd" * 32
"""The demo's forms are sealed with a key that everybody knows, so that they come out the same."""


@dataclass(frozen=True)
class Quarter:
    """When what happens in a quarter of the demo.

    Attributes:
        issued: forms go out.
        first, second: passes over the inbox before the due date.
        late: the pass after it.
        consolidated: the moment of the book.
    """

    period: str
    issued: str
    first: str
    second: str
    late: str
    consolidated: str


QUARTERS = (
    Quarter("2024Q1", "2024-04-19", "2024-04-22", "2024-04-25", "2024-04-29", "2024-05-06"),
    Quarter("2024Q2", "2024-06-03", "2024-06-20", "2024-06-25", "2024-06-27", "2024-06-28"),
)


@dataclass(frozen=True)
class Played:
    """What the demo made.

    Attributes:
        root: its workspace.
        books: the consolidated workbooks, one a quarter.
        examples: a form worth a look.
        standings: where each quarter stood in the end.
    """

    root: Path
    books: tuple[Path, ...]
    examples: tuple[Path, ...]
    standings: tuple[Standing, ...]


def free_folder(wanted: Path) -> Path:
    """The folder wanted, or the next one with a number that is not there yet."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def play(folder: Path, progress: Progress) -> Played:
    """Play two quarters in a new workspace.

    Raises:
        BiodutyError: the folder has something in it already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BiodutyError(say("{folder} 不是空文件夹，请换一个名称", folder=folder))
    workspace = _new_workspace(folder)
    books, standings = [], []
    for number, quarter in enumerate(QUARTERS):
        progress(quarter.period, number * 4, len(QUARTERS) * 4)
        workspace.generate(quarter.period, as_of=quarter.issued)
        for step, (moment, drop) in enumerate(_deliveries(workspace, quarter), start=1):
            drop()
            progress(quarter.period, number * 4 + step, len(QUARTERS) * 4)
            workspace.collect(as_of=moment)
        books.append(workspace.consolidate(quarter.period, as_of=quarter.consolidated))
        standings.append(workspace.standing(quarter.period, as_of=quarter.consolidated))
    examples = tuple((workspace.outbox(QUARTERS[-1].period) / "forms").glob("市林业局_*.xlsx"))
    return Played(workspace.root, tuple(books), examples, tuple(standings))


def _new_workspace(folder: Path) -> Workspace:
    created = Workspace.create(folder)
    settings = created.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("settle_seconds = 1.0", "settle_seconds = 0.0")
    text = text.replace('contact = ""', 'contact = "李某某"')
    text = text.replace('phone = ""', 'phone = "0812-0000123"')
    settings.write_text(text, encoding="utf-8")
    created.state_dir.mkdir(mode=0o700)
    key = created.state_dir / "signing.key"
    key.touch(mode=0o600)
    key.write_text(DEMO_KEY, encoding="ascii")
    return Workspace.open(created.root)


def _deliveries(workspace: Workspace, quarter: Quarter) -> Iterator[tuple[str, Callable[[], None]]]:
    """(moment of the pass, what people drop into the inbox before it)."""
    units = list(workspace.plan.units)
    random.Random(quarter.period).shuffle(units)
    never, late, revised = units[:4], units[4:7], units[7]
    on_time = units[7:]
    owed = Counter(duty.unit for duty in workspace.plan.obligations() if duty.required)
    busy = [unit for unit in on_time[1:] if owed[unit.code] >= len(_HABITS)]
    sloppy = {unit.code: habit for unit, habit in zip(busy, _HABITS, strict=False)}

    def first() -> None:
        for unit in on_time[: len(on_time) // 2]:
            _drop(workspace, quarter.period, unit, sloppy.get(unit.code))
        _drop_damaged(workspace, quarter.period, never[0])

    def second() -> None:
        for unit in on_time[len(on_time) // 2 :]:
            _drop(workspace, quarter.period, unit, sloppy.get(unit.code))
        _drop(workspace, quarter.period, revised, _revise, suffix="_更正")
        _drop_copy(workspace, quarter.period, on_time[2])

    def after() -> None:
        for unit in late:
            _drop(workspace, quarter.period, unit, None)
        _drop_stray(workspace, never[1])

    return iter(((quarter.first, first), (quarter.second, second), (quarter.late, after)))


_Answers = dict[str, dict[str, str]]
_Habit = Callable[[_Answers], None]


def _leave_half(answers: _Answers) -> None:
    for item in list(answers)[len(answers) // 2 :]:
        answers[item] = {}


def _write_placeholders(answers: _Answers) -> None:
    for item, word in zip(list(answers), ("同上", "无", "/"), strict=False):
        answers[item]["progress"] = word


def _report_nothing(answers: _Answers) -> None:
    item = next(iter(answers))
    answers[item] = {
        "status": ItemProgress.NO_PROGRESS.value,
        "progress": "上级配套文件尚未印发，本季度暂未开展实质性工作，已明确专人跟踪。",
        "next_steps": "待文件印发后一个月内制定落实措施。",
    }


def _report_not_applicable(answers: _Answers) -> None:
    item = list(answers)[-1]
    answers[item] = {
        "status": ItemProgress.NOT_APPLICABLE.value,
        "remark": "本季度无属于本单位职责范围的事项。",
    }


def _forget_reason(answers: _Answers) -> None:
    answers[next(iter(answers))] = {"status": ItemProgress.NO_PROGRESS.value}


def _revise(answers: _Answers) -> None:
    for texts in answers.values():
        texts["remark"] = "已按审核意见补充。"


_HABITS: tuple[_Habit, ...] = (
    *(_leave_half, _write_placeholders, _report_nothing),
    *(_report_not_applicable, _forget_reason),
)


def _drop(
    workspace: Workspace, period: str, unit: Unit, habit: _Habit | None, suffix: str = ""
) -> None:
    """A unit fills its form and drops it into the inbox, the contact form with it."""
    name = _form_name(workspace, unit, period)
    author = Author(unit, period)
    duties = [duty for duty in workspace.plan.obligations() if duty.unit == unit.code]
    answers = {
        duty.item: author.answer(workspace.plan.by_key[duty.item], duty.role)
        for duty in duties
        if duty.required or author.volunteers()
    }
    if habit is not None:
        habit(answers)
    source = workspace.outbox(period) / "forms" / f"{name}.xlsx"
    _fill_return(source, workspace.inbox / f"{author.rename(name)}{suffix}.xlsx", author, answers)
    contacts = workspace.outbox(period) / "contacts" / f"{name}_{CONTACTS_FORM.title}.xlsx"
    if contacts.exists() and not suffix:
        _fill_contacts(contacts, workspace.inbox / contacts.name, author)


def _form_name(workspace: Workspace, unit: Unit, period: str) -> str:
    """The name of a unit's form, without extension."""
    return f"{workspace.terms.file_name(unit, workspace.period(period))}_{period}"


def _fill_return(source: Path, target: Path, author: Author, answers: _Answers) -> None:
    book = load_workbook(source)
    sheet = book[RETURN_FORM.title]
    place = place_of(RETURN_FORM, sheet)
    fields = find_fields(RETURN_FORM, grid_of(sheet), place.row)
    for key, text in author.signature().items():
        row, column = fields[key]
        _write(sheet, row, column, text)
    mark = max(place.columns.values()) + 1
    for row in range(place.row + 1, sheet.max_row):
        item = str(sheet.cell(row + 1, mark + 1).value).partition(".")[0]
        for key, text in answers.get(item, {}).items():
            _write(sheet, row, place.columns[key], text)
    save(book, target)


def _fill_contacts(source: Path, target: Path, author: Author) -> None:
    book = load_workbook(source)
    sheet = book[CONTACTS_FORM.title]
    place = place_of(CONTACTS_FORM, sheet)
    for key, text in author.contact().items():
        _write(sheet, place.row + 1, place.columns[key], text)
    save(book, target)


def _write(sheet: Worksheet, row: int, column: int, text: str) -> None:
    cell = sheet.cell(row + 1, column + 1)
    assert isinstance(cell, Cell)
    put_text(cell, text)


def _drop_damaged(workspace: Workspace, period: str, unit: Unit) -> None:
    """A return whose sending broke off in the middle."""
    name = f"{_form_name(workspace, unit, period)}.xlsx"
    content = (workspace.outbox(period) / "forms" / name).read_bytes()
    (workspace.inbox / name).write_bytes(content[: len(content) // 2])


def _drop_copy(workspace: Workspace, period: str, unit: Unit) -> None:
    """Somebody sends the same file once more, under another name."""
    taken = workspace.inbox / TAKEN_FOLDER / period
    for path in sorted(taken.glob(f"{_form_name(workspace, unit, period)}*.xlsx"))[:1]:
        (workspace.inbox / f"{path.stem} - 副本.xlsx").write_bytes(path.read_bytes())


def _drop_stray(workspace: Workspace, unit: Unit) -> None:
    """A unit sends a PDF instead of its form."""
    content = b"%PDF-1.4\n% " + unit.code.encode() + b"\n%%EOF\n"
    (workspace.inbox / f"{unit.name}工作总结.pdf").write_bytes(content)
