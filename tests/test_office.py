"""Forms, templates and the consolidated workbook in LibreOffice, as the units open them."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import cycle, pairwise
from pathlib import Path

import pytest
from office import Office, Step, numbering, opening, reading, typing
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl import Workspace
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.returns import Progress, Wording
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.domain.verdict import FileReport, Verdict
from bioduty_xl.forms.template import grid_of, place_of
from bioduty_xl.layout.columns import Filler
from bioduty_xl.layout.sheets import GUIDE_TITLE, IDENTITY_SHEET, REPORT, RETURN_FORM
from bioduty_xl.layout.table import address, find_fields
from bioduty_xl.ledger import Ledger

pytestmark = pytest.mark.office

PERIOD = "2024Q2"
AS_OF = "2024-06-26"
SHEET = RETURN_FORM.title
ANSWERS = tuple(column.key for column in RETURN_FORM.filled_by(Filler.UNIT))
SIGNED = tuple(field.key for field in RETURN_FORM.fields if field.filled_by is Filler.UNIT)

AWKWARD = (
    "第一行\n第二行\n\n第四行",
    "=SUM(A1:A3)",
    "=1+1",
    "+86 起",
    "+1",
    "-1",
    "-与上期持平",
    "@某某",
    "１２３４５",
    "NA",
    "None",
    "nan",
    "TRUE",
    "#N/A",
    "他说“好”，\"quoted\"，'single'",
    "'前撇号",
    "🌿🦌 监测 𠮷 株",
    "长" * 2000,
    "  前后有空格  ",
    "https://example.org/a?b=1&c=%20#d",
    "007",
    "2024-06-25",
    "6/25",
    "0812-1234567",
    "13800000000",
    "1e5",
    "50%",
    "1,000",
    "<b>&amp;</b>",
    "_x0041_ 与 _x000D_",
    "制\t表",
)
"""Texts that a spreadsheet likes to take for something else."""

ANSWERED = "完成湿地巡护12次，新建监测样地3处。"


@dataclass(frozen=True)
class Form:
    """A form handed out: where it lies, and the addresses of what its unit fills.

    Attributes:
        rows: cell by column key, by item key, top to bottom.
        fields: cell by key of each labelled field.
        counter: cell of the live count.
        width: how many columns stand before the key column.
    """

    path: Path
    rows: dict[str, dict[str, str]]
    fields: dict[str, str]
    counter: str
    width: int

    @property
    def answer_cells(self) -> list[str]:
        return [cells[key] for cells in self.rows.values() for key in ANSWERS]

    @property
    def signature_cells(self) -> list[str]:
        return [self.fields[key] for key in SIGNED]

    def filled(self, text: str = ANSWERED) -> dict[str, str]:
        """An ordinary text for every answer, by cell."""
        texts = dict.fromkeys(self.answer_cells, text)
        texts |= {cells["status"]: Progress.ONGOING.value for cells in self.rows.values()}
        signed = dict.fromkeys(self.signature_cells, "李某某")
        return texts | signed | {self.fields["phone"]: "0812-0000001"}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    root = Workspace.create(tmp_path / "ws").root
    settings = root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), encoding="utf-8"
    )
    return Workspace.open(root)


def hand_out(ws: Workspace, unit: Unit) -> Form:
    [path] = ws.generate(PERIOD, unit=unit.name)
    sheet = load_workbook(path)[SHEET]
    place = place_of(RETURN_FORM, sheet)
    mark = max(place.columns.values()) + 1
    rows = {
        str(sheet.cell(number + 1, mark + 1).value).partition(".")[0]: {
            key: address(number, column) for key, column in place.columns.items()
        }
        for number in range(place.row + 1, sheet.max_row)
    }
    fields = find_fields(RETURN_FORM, grid_of(sheet), place.row)
    counter = next(
        cell.coordinate
        for row in sheet.iter_rows(max_row=place.row)
        for cell in row
        if cell.data_type == "f"
    )
    return Form(path, rows, {key: address(*at) for key, at in fields.items()}, counter, mark)


def busiest(ws: Workspace) -> Unit:
    """The department with the most items that has required and optional ones."""
    duties = ws.plan.obligations()

    def load(unit: Unit) -> tuple[bool, int]:
        own = [duty.required for duty in duties if duty.unit == unit.code]
        return len(set(own)) == 2, len(own)

    return max(ws.plan.units, key=load)


def required_items(ws: Workspace, unit: Unit) -> list[str]:
    return [duty.item for duty in ws.plan.obligations() if duty.unit == unit.code and duty.required]


def collect_one(ws: Workspace) -> FileReport:
    [report] = ws.collect(as_of=AS_OF).files
    return report


def answers_of(ws: Workspace, unit: Unit) -> dict[str, dict[str, str]]:
    table = ws.entries(PERIOD)
    own = table[table["code"] == unit.code]
    return {row["item"]: {key: row[key] for key in ANSWERS} for row in own.to_dict("records")}


def header_of(ws: Workspace, unit: Unit) -> dict[str, str]:
    with Ledger(ws.state_dir / "ledger.sqlite", read_only=True) as ledger:
        files = ledger.revisions(FormKind.RETURN, Period.parse(PERIOD))[unit.code]
    return dict(files[-1].header)


def by_item(form: Form, texts: dict[str, str]) -> dict[str, dict[str, str]]:
    return {
        item: {key: texts.get(cells[key], "") for key in ANSWERS}
        for item, cells in form.rows.items()
    }


def differing(found: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """(found, wanted) of what differs, which is short where the texts are long."""
    return {
        key: (found.get(key), wanted.get(key))
        for key in {**found, **wanted}
        if found.get(key) != wanted.get(key)
    }


def count_in(text: str) -> tuple[int, ...]:
    """(required, filled, left) that a counter states."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def standing_count(ws: Workspace, unit: Unit) -> tuple[int, ...]:
    """The same three numbers as the ledger has them."""
    standing = ws.standing(PERIOD, as_of=AS_OF)
    shown = next(row for row in standing.as_json()["by_unit"] if row["code"] == unit.code)
    left = len(shown["missing"])
    return shown["required"], shown["required"] - left, left


@pytest.mark.parametrize("shift", range(3))
def test_every_awkward_text_typed_in_libreoffice_comes_back_as_typed(
    ws: Workspace, office: Office, shift: int
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    source = cycle(AWKWARD[shift * 5 :] + AWKWARD[: shift * 5])
    texts = dict(zip([*form.signature_cells, *form.answer_cells], source, strict=False))

    [_, shown] = office.change(
        form.path, ws.inbox / "返回.xlsx", typing(SHEET, texts), reading(SHEET, *texts)
    )
    report = collect_one(ws)

    assert not differing(shown, texts)
    assert (report.verdict, report.unit) == (Verdict.ACCEPTED, unit.code), report.reason
    assert not differing(answers_of(ws, unit), by_item(form, texts))
    header = header_of(ws, unit)
    assert {key: header[key] for key in SIGNED} == {key: texts[form.fields[key]] for key in SIGNED}


def test_numbers_in_answer_cells_come_back_as_they_are_shown(ws: Workspace, office: Office) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    first = next(iter(form.rows.values()))
    numbers = {form.fields["phone"]: 13800000000, first["remark"]: 2024, first["features"]: 0.5}

    office.change(
        form.path,
        ws.inbox / "返回.xlsx",
        typing(SHEET, form.filled()),
        numbering(SHEET, numbers),
    )
    assert collect_one(ws).verdict is Verdict.ACCEPTED
    answers = next(iter(answers_of(ws, unit).values()))
    found = (header_of(ws, unit)["phone"], answers["remark"], answers["features"])
    assert found == ("13800000000", "2024", "0.5")


def test_counter_follows_typing_and_agrees_with_the_ledger(ws: Workspace, office: Office) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    required = required_items(ws, unit)
    total, half = len(required), len(required) // 2
    first, second, third, fourth, *_ = (form.rows[item] for item in required)

    def answer(items: list[str]) -> Step:
        return typing(SHEET, {form.rows[item]["progress"]: ANSWERED for item in items})

    def change(row: dict[str, str], **texts: str) -> Step:
        return typing(SHEET, {row[key]: text for key, text in texts.items()})

    optional = [item for item in form.rows if item not in required]
    stages = [
        (0, change(first, status=Progress.ONGOING.value)),
        (0, answer(optional)),
        (half, answer(required[:half])),
        (total, answer(required)),
        (total - 1, change(first, progress="同上。")),
        (total - 2, change(second, progress="")),
        (total - 3, change(third, status=Progress.NO_PROGRESS.value, progress="")),
        (total - 3, change(third, problems="无", remark="/")),
        (total - 2, change(third, remark="上级文件尚未印发")),
        (total - 2, change(fourth, status=Progress.NOT_APPLICABLE.value)),
        (total - 3, change(fourth, progress="N/A")),
        (total - 2, change(fourth, problems="本单位无此项职能")),
    ]
    steps = [step for _, change in stages for step in (change, reading(SHEET, form.counter))]
    before, *results = office.change(
        form.path, ws.inbox / "返回.xlsx", reading(SHEET, form.counter), *steps
    )

    assert count_in(before[form.counter]) == (total, 0, total)
    shown = [count_in(result[form.counter]) for result in results[1::2]]
    assert shown == [(total, filled, total - filled) for filled, _ in stages]
    assert collect_one(ws).verdict is Verdict.ACCEPTED
    assert shown[-1] == standing_count(ws, unit)


SAID_NOTHING = (
    *Wording().placeholders,
    *("/", "\\", "-", "——", "。", "、", "……", "？", "*", "???", "×", "　", "\n"),
    *(
        "无。",
        "　无　",
        "暂 无",
        "无\n",
        "无；略",
        "（无）",
        "“无”",
        "同上。",
        "N/A",
        "n.a.",
        "NULL",
    ),
)
SAID_SOMETHING = ("无新增", "1", "第一项", "好", "A", "=1", "长" * 2000, "n?", "共*次", "~5人")


def test_counter_takes_the_same_texts_for_answers_as_the_ledger(
    ws: Workspace, office: Office
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    cell = form.rows[required_items(ws, unit)[0]]["progress"]
    texts = (*SAID_NOTHING, *SAID_SOMETHING)
    steps = [
        step
        for text in texts
        for step in (typing(SHEET, {cell: text}), reading(SHEET, form.counter))
    ]

    results = office.run(opening(form.path), *steps)[2::2]
    counted = [
        text for text, shown in zip(texts, results, strict=True) if count_in(*shown.values())[1]
    ]

    assert counted == [text for text in texts if Wording().is_answer(text)]


def test_counter_of_a_unit_without_required_items_asks_for_nothing(
    ws: Workspace, office: Office
) -> None:
    unit = next(unit for unit in ws.plan.units if not required_items(ws, unit))
    form = hand_out(ws, unit)
    [shown] = office.run(opening(form.path), reading(SHEET, form.counter))[1:]
    assert shown[form.counter] == f"本单位没有必报项，选报 {len(form.rows)} 项"


def test_only_answers_are_unlocked_and_saving_keeps_locks_and_marks(
    ws: Workspace, office: Office
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    answers = {*form.answer_cells, *form.signature_cells}
    every = {cell for cells in form.rows.values() for cell in cells.values()}
    every |= {*form.fields.values(), form.counter}
    saved = ws.inbox / "返回.xlsx"

    office.change(form.path, saved, typing(SHEET, form.filled()))
    [_, states, unlocked] = office.run(
        opening(saved),
        {"do": "states"},
        {"do": "unlocked", "sheet": SHEET, "cells": sorted(every)},
    )

    assert states[SHEET] == {"protected": True, "hidden": False}
    assert states[GUIDE_TITLE]["hidden"] is False
    assert states[IDENTITY_SHEET]["hidden"] is True
    assert set(unlocked) == answers
    assert collect_one(ws).findings == ()


@pytest.mark.parametrize("form_name", ["xls", "ods"])
@pytest.mark.parametrize("way", ["as it is", "and back to xlsx"])
def test_a_form_saved_in_another_format_keeps_its_identity_and_every_awkward_text(
    ws: Workspace, office: Office, tmp_path: Path, form_name: str, way: str
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    texts = dict(zip([*form.signature_cells, *form.answer_cells], cycle(AWKWARD), strict=False))
    saved = tmp_path / f"返回.{form_name}"

    office.change(form.path, saved, typing(SHEET, texts))
    if way == "as it is":
        shutil.copyfile(saved, ws.inbox / saved.name)
    else:
        [shown] = office.change(saved, ws.inbox / "返回.xlsx", reading(SHEET, *texts))
        if form_name == "ods":  # LibreOffice 7.4 writes tabs into ods, and drops them reading it
            texts = {cell: text.replace("\t", "") for cell, text in texts.items()}
        assert not differing(shown, texts)
    report = collect_one(ws)

    assert (report.verdict, report.unit) == (Verdict.ACCEPTED, unit.code), report.reason
    assert not {finding.code for finding in report.findings} & {"WORKBOOK_MARKS_GONE"}
    assert not differing(answers_of(ws, unit), by_item(form, texts))


@pytest.mark.parametrize("form_name", ["xlsx", "xls", "ods"])
def test_error_cells_are_findings_in_every_format(
    ws: Workspace, office: Office, form_name: str
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    required = [form.rows[item] for item in required_items(ws, unit)]
    cell = required[0]["progress"]

    office.change(
        form.path,
        ws.inbox / f"返回.{form_name}",
        typing(SHEET, form.filled()),
        {"do": "formulas", "sheet": SHEET, "cells": {cell: "=1/0"}},
    )
    report = collect_one(ws)

    assert report.verdict is Verdict.ACCEPTED, report.reason
    found = [(finding.code, finding.cell) for finding in report.findings]
    assert found == [("CELL_ERROR", cell)]
    assert "#DIV/0!" in report.findings[0].message
    standing = ws.standing(PERIOD, as_of=AS_OF)
    [line] = [line for line in standing.units if line.unit == unit]
    assert len(line.missing) == 1


@pytest.mark.parametrize(
    ("replace", "why"),
    [(True, "表内标识与文件标识不一致"), (False, "多张不同的报送表")],
    ids=["instead of its own", "beside its own"],
)
def test_a_sheet_copied_into_another_units_file_is_held(
    ws: Workspace, office: Office, tmp_path: Path, replace: bool, why: str
) -> None:
    one, other = ws.plan.units[:2]
    mine, theirs = hand_out(ws, one), hand_out(ws, other)
    filled = tmp_path / "filled.xlsx"
    office.change(mine.path, filled, typing(SHEET, mine.filled()))

    copying = {"do": "copy_sheet", "path": str(filled), "sheet": SHEET, "replace": replace}
    office.change(theirs.path, ws.inbox / "返回.xlsx", copying)
    report = collect_one(ws)

    assert report.verdict is Verdict.HELD
    assert why in report.reason
    assert not ws.standing(PERIOD, as_of=AS_OF).returned


def restyled(name: str) -> list[Step]:
    """What a coordinator does to the template."""
    remark = [column.key for column in RETURN_FORM.columns].index("remark")
    return {
        "a column before 备注": [
            {"do": "insert_columns", "sheet": SHEET, "at": remark, "count": 1},
            typing(SHEET, {f"{get_column_letter(remark + 1)}5": "内部栏"}),
        ],
        "columns of one width": [{"do": "widths", "sheet": SHEET, "columns": 11, "to": 4000}],
        "columns of one width far beyond the table": [
            {"do": "widths", "sheet": SHEET, "columns": 40, "to": 4000},
        ],
        "a row on top": [
            {"do": "insert_rows", "sheet": SHEET, "at": 0, "count": 1},
            typing(SHEET, {"A1": "攀枝花市生态环境保护委员会办公室制"}),
        ],
        "other words": [typing(GUIDE_TITLE, {"A4": "一、请只填浅黄色单元格，{截止日期}前报送。"})],
        "nothing": [],
    }[name]


def assert_no_column_is_described_twice(path: Path) -> None:
    """Excel takes a workbook with overlapping column entries for damaged."""
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if name.startswith("xl/worksheets/sheet"):
                entries = re.findall(rb"<col [^>]*>", package.read(name))
                ends = [
                    (
                        int(re.search(rb'min="(\d+)"', col)[1]),
                        int(re.search(rb'max="(\d+)"', col)[1]),
                    )
                    for col in entries
                ]
                assert all(end < start for (_, end), (start, _) in pairwise(ends)), ends


@pytest.mark.parametrize(
    "change",
    [
        "a column before 备注",
        "columns of one width",
        "columns of one width far beyond the table",
        "a row on top",
        "other words",
        "nothing",
    ],
)
def test_a_template_restyled_in_libreoffice_still_makes_forms_that_are_read(
    ws: Workspace, office: Office, tmp_path: Path, change: str
) -> None:
    template = ws.template("quarterly_return.xlsx")
    office.change(template, tmp_path / "restyled.xlsx", *restyled(change))
    (tmp_path / "restyled.xlsx").replace(template)
    unit = busiest(ws)
    form = hand_out(ws, unit)
    texts = form.filled("已按要求完成，资料见附件。")

    [_, counter, shown] = office.change(
        form.path,
        ws.inbox / "返回.xlsx",
        typing(SHEET, texts),
        reading(SHEET, form.counter),
        {"do": "shown_columns", "sheet": SHEET, "count": form.width + 2},
    )
    report = collect_one(ws)

    assert shown == [True] * form.width + [False, True]
    assert_no_column_is_described_twice(form.path)
    assert (report.verdict, report.unit) == (Verdict.ACCEPTED, unit.code), report.reason
    assert not differing(answers_of(ws, unit), by_item(form, texts))
    assert count_in(counter[form.counter]) == standing_count(ws, unit)
    assert count_in(counter[form.counter])[2] == 0


def test_the_consolidated_workbook_shows_in_libreoffice_what_was_written(
    ws: Workspace, office: Office
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    cells = [*form.signature_cells, *form.answer_cells]
    texts = dict(zip(cells, cycle(AWKWARD), strict=False))
    office.change(form.path, ws.inbox / "返回.xlsx", typing(SHEET, texts))
    ws.collect(as_of=AS_OF)
    path = ws.consolidate(PERIOD, as_of=AS_OF)

    [_, shown] = office.run(opening(path), {"do": "values"})

    book = load_workbook(path)
    assert list(shown) == book.sheetnames == [sheet.title for sheet in REPORT]
    for sheet in book.worksheets:
        assert not differing(by_address(shown[sheet.title]), by_address(written(sheet)))


def by_address(rows: Iterable[Sequence[object]]) -> dict[str, object]:
    return {
        address(row, column): value
        for row, values in enumerate(rows)
        for column, value in enumerate(values)
        if value not in ("", None)
    }


def written(sheet: Worksheet) -> Iterator[list[object]]:
    """A sheet's values as LibreOffice hands them over: dates and times as days."""
    for row in sheet.iter_rows(values_only=True):
        yield [to_excel(value) if isinstance(value, date) else value for value in row]


def test_a_correction_copy_mended_in_libreoffice_is_the_next_revision(
    ws: Workspace, office: Office
) -> None:
    unit = busiest(ws)
    form = hand_out(ws, unit)
    wrong = form.rows[required_items(ws, unit)[0]]["progress"]
    texts = {**form.filled(), wrong: "同上"}
    office.change(form.path, ws.inbox / "返回.xlsx", typing(SHEET, texts))
    [finding] = collect_one(ws).findings
    assert (finding.code, finding.cell) == ("PLACEHOLDER", wrong)
    ws.consolidate(PERIOD, as_of=AS_OF)
    [copy] = (ws.outbox(PERIOD) / "corrections").iterdir()

    [shown] = office.change(copy, ws.inbox / "照样.xlsx", reading(SHEET, *texts))
    assert not differing(shown, texts)
    assert collect_one(ws).verdict is Verdict.DUPLICATE
    office.change(copy, ws.inbox / "改好.xlsx", typing(SHEET, {wrong: ANSWERED}))
    report = collect_one(ws)

    assert (report.verdict, report.revision, report.findings) == (Verdict.ACCEPTED, 2, ())
    assert not differing(answers_of(ws, unit), by_item(form, {**texts, wrong: ANSWERED}))
