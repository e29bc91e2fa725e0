"""The plan as a workbook that the coordinator can edit: 单位, 任务, 举措, 分工.

Read with calamine (values only, fast), written with openpyxl. The units that a measure names are
not stored: they follow from its text.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from bioduty_xl.domain.plan import Item, Measure, Part, Plan, Role, Unit, UnitKind, fold
from bioduty_xl.errors import PlanError
from bioduty_xl.language import listed, say
from bioduty_xl.layout.columns import Kind, Sheet
from bioduty_xl.layout.sheets import (
    PLAN_ASSIGNMENTS,
    PLAN_BOOK,
    PLAN_ITEMS,
    PLAN_MEASURES,
    PLAN_UNITS,
)
from bioduty_xl.layout.table import locate, rows_below, text_of

_KIND_WORDS = dict(zip(UnitKind, PLAN_UNITS["kind"].choices, strict=True))
_SEPARATOR = "、"
_UNTITLED = "责任分工方案"

_Rows = list[tuple[int, dict[str, str]]]


def read_plan(path: Path) -> Plan:
    """Read a plan workbook.

    Raises:
        PlanError: the file, a sheet or a column is missing, or a row lacks something or says
            something impossible; each place is named.
    """
    tables = _read_tables(path)
    errors = [text for sheet in PLAN_BOOK for text in _blanks(sheet, tables[sheet.key])]
    _demand_none(errors, path)
    units = tuple(_unit(row, errors, at) for at, row in tables["plan_units"])
    roles = _assignments(tables["plan_assignments"], units, errors)
    measures = _measures(tables["plan_measures"])
    parts = _parts(tables["plan_items"], errors)
    items = tuple(_item(at, row, roles, measures, errors) for at, row in tables["plan_items"])
    known = {item.key for item in items}
    for sheet, keys in (PLAN_MEASURES, measures), (PLAN_ASSIGNMENTS, (key for key, _ in roles)):
        strays = (key for key in dict.fromkeys(keys) if key not in known)
        errors += [
            say("“{sheet}”中的任务编号“{key}”不在任务表中", sheet=sheet.title, key=key)
            for key in strays
        ]
    _demand_none(errors, path)
    return Plan(_title(path), parts, units, items).with_named_units()


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as a workbook; the same plan gives the same bytes."""
    from openpyxl import Workbook

    from bioduty_xl.layout.package import save

    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = plan.title
    for sheet, rows in zip(PLAN_BOOK, _rows_of(plan), strict=True):
        _write_table(book.create_sheet(sheet.title), sheet, rows)
    save(book, path)


def _rows_of(plan: Plan) -> Iterable[Sequence[Sequence[object]]]:
    yield [
        (unit.code, unit.name, _KIND_WORDS[unit.kind], _SEPARATOR.join(unit.aliases))
        for unit in plan.units
    ]
    yield [(i.key, i.part, plan.part_of(i).title, i.no, i.title, i.description) for i in plan.items]
    yield [(m.key, item.key, m.text) for item in plan.items for m in item.measures]
    yield [
        (plan.by_code[code].name, item.key, role.value)
        for item in plan.items
        for code, role in item.assignments
    ]


def _write_table(worksheet: object, sheet: Sheet, rows: Sequence[Sequence[object]]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.properties import PageSetupProperties
    from openpyxl.worksheet.worksheet import Worksheet

    assert isinstance(worksheet, Worksheet)
    worksheet.append([column.heading for column in sheet.columns])
    for row in rows:
        worksheet.append(list(row))
    for index, column in enumerate(sheet.columns, start=1):
        letter = get_column_letter(index)
        worksheet.column_dimensions[letter].width = column.width
        head = worksheet.cell(1, index)
        head.font = Font(name="黑体", bold=True)
        head.fill = PatternFill("solid", fgColor="D9E7DF")
        for number in range(2, len(rows) + 2):
            cell = worksheet.cell(number, index)
            cell.alignment = Alignment(vertical="top", wrap_text=column.kind is Kind.TEXT)
            if isinstance(cell.value, str):
                cell.data_type = "s"
        if column.choices:
            choices = DataValidation("list", formula1=f'"{",".join(column.choices)}"')
            choices.add(f"{letter}2:{letter}2000")
            worksheet.add_data_validation(choices)
    worksheet.freeze_panes = "A2"
    worksheet.auto_filter.ref = worksheet.dimensions
    worksheet.page_setup.orientation = "landscape"
    worksheet.page_setup.paperSize = 9
    worksheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    worksheet.page_setup.fitToHeight = 0
    worksheet.print_title_rows = "1:1"


def _read_tables(path: Path) -> dict[str, _Rows]:
    if not path.is_file():
        raise PlanError(say("没有责任分工方案工作簿：{path}", path=path))
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))
        names = {name.strip(): name for name in book.sheet_names}
        return {sheet.key: _read_table(book, names, sheet, path) for sheet in PLAN_BOOK}
    except CalamineError as error:
        raise PlanError(say("{file} 不是能打开的 Excel 工作簿", file=path.name)) from error


def _read_table(book: CalamineWorkbook, names: dict[str, str], sheet: Sheet, path: Path) -> _Rows:
    if sheet.title not in names:
        raise PlanError(say("{file} 缺少工作表“{sheet}”", file=path.name, sheet=sheet.title))
    rows = book.get_sheet_by_name(names[sheet.title]).to_python(skip_empty_area=False)
    grid = [[text_of(value) for value in row] for row in rows]
    location = locate(sheet, grid)
    if location is None or location.missing:
        lost = location.missing if location else sheet.columns
        headings = listed(column.heading for column in lost)
        raise PlanError(
            say(
                "{file} 的工作表“{sheet}”缺少列：{headings}",
                file=path.name,
                sheet=sheet.title,
                headings=headings,
            )
        )
    return list(rows_below(location, grid))


def _title(path: Path) -> str:
    """The plan's title, kept in the workbook's document properties."""
    import zipfile

    from defusedxml import ElementTree

    if not zipfile.is_zipfile(path):
        return _UNTITLED
    with zipfile.ZipFile(path) as package:
        if "docProps/core.xml" not in package.namelist():
            return _UNTITLED
        core = ElementTree.fromstring(package.read("docProps/core.xml"))
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title")
    return title or _UNTITLED


def _blanks(sheet: Sheet, rows: _Rows) -> Iterator[str]:
    for at, row in rows:
        for column in sheet.columns:
            if column.key != "aliases" and not row[column.key].strip():
                yield say(
                    "“{sheet}”第 {row} 行：“{heading}”是空的",
                    sheet=sheet.title,
                    row=at + 1,
                    heading=column.heading,
                )


def _demand_none(errors: list[str], path: Path) -> None:
    if errors:
        raise PlanError(say("责任分工方案工作簿 {file} 有误", file=path.name), *errors)


def _unit(row: dict[str, str], errors: list[str], at: int) -> Unit:
    kinds = {word: kind for kind, word in _KIND_WORDS.items()}
    word = row["kind"].strip()
    if word not in kinds:
        errors.append(
            say(
                "“{sheet}”第 {row} 行：单位类别“{word}”应为{known}",
                sheet=PLAN_UNITS.title,
                row=at + 1,
                word=word,
                known=listed(kinds, say("或")),
            )
        )
    aliases = row["aliases"].replace("，", _SEPARATOR).replace(",", _SEPARATOR).split(_SEPARATOR)
    return Unit(
        row["code"].strip(),
        row["name"].strip(),
        kinds.get(word, UnitKind.DEPARTMENT),
        tuple(alias.strip() for alias in aliases if alias.strip()),
    )


def _measures(rows: _Rows) -> dict[str, list[Measure]]:
    measures: dict[str, list[Measure]] = {}
    for _, row in rows:
        measure = Measure(row["key"].strip(), row["text"])
        measures.setdefault(row["item"].strip(), []).append(measure)
    return measures


def _assignments(
    rows: _Rows, units: Iterable[Unit], errors: list[str]
) -> dict[tuple[str, Role], list[str]]:
    codes = {fold(name): unit.code for unit in units for name in (unit.code, *unit.spellings)}
    words = {role.value: role for role in Role}
    found: dict[tuple[str, Role], list[str]] = {}
    for at, row in rows:
        where = say("“{sheet}”第 {row} 行", sheet=PLAN_ASSIGNMENTS.title, row=at + 1)
        code, role = codes.get(fold(row["unit"])), words.get(row["role"].strip())
        if code is None:
            errors.append(say("{where}：“{unit}”不在单位表中", where=where, unit=row["unit"]))
        elif role is None:
            errors.append(
                say(
                    "{where}：职责“{role}”应为{known}之一",
                    where=where,
                    role=row["role"],
                    known=listed(words),
                )
            )
        else:
            found.setdefault((row["item"].strip(), role), []).append(code)
    return found


def _parts(rows: _Rows, errors: list[str]) -> tuple[Part, ...]:
    parts: dict[str, Part] = {}
    for at, row in rows:
        no, title = row["part"].strip(), row["part_title"].strip()
        if no not in parts:
            parts[no] = Part(int(no) if no.isdecimal() else 0, title)
        elif parts[no].title != title:
            errors.append(
                say(
                    "“{sheet}”第 {row} 行：部分名称“{title}”与前面的“{before}”不一致",
                    sheet=PLAN_ITEMS.title,
                    row=at + 1,
                    title=title,
                    before=parts[no].title,
                )
            )
    return tuple(parts.values())


def _item(
    at: int,
    row: dict[str, str],
    roles: Mapping[tuple[str, Role], list[str]],
    measures: Mapping[str, list[Measure]],
    errors: list[str],
) -> Item:
    key, where = row["key"].strip(), say("“{sheet}”第 {row} 行", sheet=PLAN_ITEMS.title, row=at + 1)
    return Item(
        key,
        _whole(row["no"], where, errors),
        _whole(row["part"], where, errors),
        row["title"].strip(),
        row["description"],
        lead=tuple(roles.get((key, Role.LEAD), ())),
        responsible=tuple(roles.get((key, Role.RESPONSIBLE), ())),
        counties=tuple(roles.get((key, Role.COUNTY), ())),
        measures=tuple(measures.get(key, ())),
    )


def _whole(text: str, where: str, errors: list[str]) -> int:
    if text.strip().isdecimal():
        return int(text)
    errors.append(say("{where}：“{text}”应为整数", where=where, text=text))
    return 0
