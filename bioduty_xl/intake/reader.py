"""Reads an identified form by key and heading, and says what it had to mend to do so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit, fold
from bioduty_xl.domain.returns import (
    Contact,
    Entry,
    Finding,
    FindingKind,
    Return,
    Severity,
    shortened,
)
from bioduty_xl.domain.stamp import Forged, FormKind, Seal, looks_like_token
from bioduty_xl.errors import LayoutMismatch, WrongUnit
from bioduty_xl.intake.identity import FormSheet, Identity, PlanOf, identify, identify_assigned
from bioduty_xl.intake.raw import Odd, RawBook
from bioduty_xl.layout.columns import OWN, Filler
from bioduty_xl.layout.sheets import CORRECTIONS, GUIDE_TITLE, IDENTITY_SHEET, RETURN_FORM
from bioduty_xl.layout.table import address, cell_at, parse_address, rows_below

INDISPENSABLE = ("status", "progress")
"""Columns of a return form without which it says nothing."""

ROWS_MAX = 1000
"""Marked rows beyond which somebody has filled the marks downwards."""

REPAIRS = (
    FindingKind(
        "WORKBOOK_MARKS_GONE",
        Severity.WARNING,
        "文件带的标识没有了，多半是复制到了新文件；凭表内的标识仍认得出，已收下。",
        "不必处理；下次请直接在原表上填写。",
    ),
    FindingKind(
        "MACRO",
        Severity.WARNING,
        "报送表用不着宏，带宏的文件有安全风险；宏没有运行，只读了单元格。",
        "另存为不带宏的工作簿。",
    ),
    FindingKind(
        "SHEET_RENAMED",
        Severity.WARNING,
        "工作表改了名，已按标题行认出。",
        "不必处理；请勿改名。",
    ),
    FindingKind(
        "FAR_CELLS",
        Severity.WARNING,
        "表格以外很远处有零星单元格，没有读取。",
        "删去这些单元格；其中确有内容的，移到表内。",
    ),
    FindingKind(
        "EXTRA_SHEET",
        Severity.WARNING,
        "多出的工作表不在汇总之列，没有读取。",
        "需要计入的内容写入表内原有各栏。",
    ),
    FindingKind(
        "COLUMNS_MOVED",
        Severity.WARNING,
        "列的顺序变了，已按标题认出。",
        "不必处理。",
    ),
    FindingKind(
        "HEADING_RESPELT",
        Severity.WARNING,
        "标题改了写法，已按相近的原标题读取。",
        "核对读得对不对；请勿改标题。",
    ),
    FindingKind(
        "COLUMN_MISSING",
        Severity.WARNING,
        "原有的一列没有了，按空白处理。",
        "该列有内容要报的，用下发的原表补报。",
    ),
    FindingKind(
        "EXTRA_COLUMN",
        Severity.WARNING,
        "多出的列不在汇总之列，没有读取。",
        "内容写入表内原有各栏；经办人要加列，在模板上加。",
    ),
    FindingKind(
        "ROW_WITHOUT_MARK",
        Severity.ERROR,
        "这一行不是原表的行，认不出属于哪项任务，没有读取。",
        "把内容填入原表对应的行。",
    ),
    FindingKind(
        "ROWS_MOVED",
        Severity.WARNING,
        "行的顺序变了，已按行标识认出。",
        "不必处理。",
    ),
    FindingKind(
        "ROW_REPEATED",
        Severity.WARNING,
        "同一项任务有几行，已合并读取。",
        "核对合并得对不对，留一行。",
    ),
    FindingKind(
        "ITEM_GONE",
        Severity.ERROR,
        "这一行的任务不在现行方案中，没有读取。",
        "核实方案；方案有变动的，请经办人重新下发表格。",
    ),
    FindingKind(
        "CELL_ERROR",
        Severity.ERROR,
        "单元格是错误值，读不出内容。",
        "改为直接填写文字。",
    ),
    FindingKind(
        "FORMULA_WITHOUT_VALUE",
        Severity.ERROR,
        "单元格是公式，却没有存下计算结果，读不出内容。",
        "改为直接填写文字。",
    ),
    FindingKind(
        "NUMBER_PRECISION",
        Severity.WARNING,
        "超过 15 位的号码按数字保存，末尾几位已经丢失。",
        "把单元格设为文本后重新填写。",
    ),
)
"""What the reader says of a file: what it mended, and what it could not read."""

_KINDS = {kind.code: kind for kind in REPAIRS}

QUOTED_MOST = 200
"""Characters of a text that a finding quotes."""

UNREAD = frozenset(
    ("ROW_WITHOUT_MARK", "EXTRA_COLUMN", "EXTRA_SHEET", "FAR_CELLS", "COLUMN_MISSING")
)
"""Findings that say that something in the file was not read."""


@dataclass(frozen=True)
class _Row:
    """A row as found: where, its mark, its texts by column key."""

    number: int
    mark: str
    texts: dict[str, str] = field(default_factory=dict)


def read_form(book: RawBook, seal: Seal, plan_of: PlanOf) -> Return:
    """Identify and read a returned workbook.

    Args:
        plan_of: the plan of a period.

    Raises:
        ReturnError: it is none of ours, its marks disagree, or too much of it is gone.
    """
    identity = identify(book, seal, plan_of)
    plan = identity.plan
    template = _template_of(book)
    rows = list(_rows(identity.sheet, template.columns))
    if sum(bool(row.mark) for row in rows) > ROWS_MAX:
        raise LayoutMismatch(f"表格有 {len(rows)} 行，远多于原表，请核对后重新报送")
    keyed = [(_marked_key(row, identity, seal), row) for row in rows if row.mark]
    _require_rows_in_place(identity.sheet, keyed, plan)
    if not book.checked:
        _require_whole(identity, keyed, plan)
    return _read(book, identity, rows, keyed, template)


def _require_rows_in_place(sheet: FormSheet, keyed: list[tuple[str, _Row]], plan: Plan) -> None:
    """Sorting the shown columns leaves the hidden marks behind; then each row is marked as one item
    and printed as another, and nobody can say which of the two the answers belong to.
    """
    titles = {fold(item.title): item.key for item in plan.items}
    for key, row in keyed if sheet.declared is RETURN_FORM else ():
        printed = titles.get(fold(row.texts.get("task", "")), key)
        if printed != key:
            raise LayoutMismatch(
                f"第 {row.number + 1} 行的标识属于 {key}，写的却是 {printed} 的“"
                f"{RETURN_FORM['task'].heading}”，可能排序或粘贴时错行，请核对后用原表重新报送"
            )


def _require_whole(identity: Identity, keyed: list[tuple[str, _Row]], plan: Plan) -> None:
    """A format without checksums: rows that are gone, or printed otherwise, may be damage."""
    if identity.stamp.kind is not FormKind.RETURN:
        return
    here = dict(keyed)
    owed = {duty.item for duty in plan.obligations() if duty.unit == identity.unit.code}
    for key in sorted(owed):
        item = plan.by_key[key]
        if key not in here or fold(here[key].texts.get("task", "")) != fold(item.title):
            raise LayoutMismatch(
                f"旧版格式（xls、et）的表格中，“{item.title}”一行缺失或被改动，文件可能已损坏，"
                "请该单位打开核对，另存为 xlsx 后重新报送"
            )


def read_assigned(book: RawBook, unit: Unit, period: Period, plan: Plan) -> Return:
    """Read a workbook whose unit and period a person has settled.

    Its rows are told by their 重点任务, then by their mark, then by their 序号.

    Raises:
        ReturnError: it has no form's table, or several.
    """
    identity = identify_assigned(book, unit, period, plan)
    template = _template_of(book)
    rows = list(_rows(identity.sheet, template.columns))
    keyed = [(key, row) for row in rows if (key := _likely_key(row, plan))]
    return _read(book, identity, rows, keyed, template)


def _read(
    book: RawBook,
    identity: Identity,
    rows: list[_Row],
    keyed: list[tuple[str, _Row]],
    template: _Template,
) -> Return:
    sheet = identity.sheet
    if sheet.place.doubtful:
        headings = "、".join(f"“{heading}”" for heading in sheet.place.doubtful)
        raise LayoutMismatch(
            f"有几列的标题都像{headings}，不能确定以哪一列为准，请恢复原表的列后重新报送"
        )
    lost = [column for column in sheet.place.missing if column.key in INDISPENSABLE]
    if lost:
        headings = "、".join(column.heading for column in lost)
        raise LayoutMismatch(f"表格缺少“{headings}”列，请该单位用下发的原表重新报送")
    header, header_cells = _header(sheet)
    repairs = [
        *_layout_repairs(book, identity, template),
        *_row_repairs(sheet, rows, keyed, identity.plan, template),
        *_unreadable_cells(sheet, rows, keyed, header_cells),
    ]
    form = Return(
        identity.stamp.kind,
        identity.unit.code,
        identity.stamp.period,
        header,
        header_cells,
        repairs=tuple(repairs),
    )
    if identity.stamp.kind is FormKind.CONTACTS:
        return replace(form, contacts=tuple(_contacts(identity, rows)))
    return replace(form, entries=_entries(sheet, keyed, identity.plan))


def _header(sheet: FormSheet) -> tuple[dict[str, str], dict[str, str]]:
    found = sheet.fields
    texts = {key: cell_at(sheet.raw.grid[row], column) for key, (row, column) in found.items()}
    return texts, {key: address(row, column) for key, (row, column) in found.items()}


def _rows(sheet: FormSheet, own: frozenset[str]) -> Iterator[_Row]:
    column = sheet.mark_column
    headings = [text.strip() for text in sheet.raw.grid[sheet.place.row]]
    added = {OWN + text: index for index, text in enumerate(headings) if text in own}
    for number, texts in rows_below(sheet.place, sheet.raw.grid):
        row = sheet.raw.grid[number]
        mark = "" if column is None else cell_at(row, column).strip()
        more = {key: cell_at(row, index) for key, index in added.items()}
        yield _Row(number, mark, {**texts, **more})


def _likely_key(row: _Row, plan: Plan) -> str:
    """The item that a row is about, as far as people can tell; empty where they cannot."""
    for item in plan.items:
        if fold(row.texts.get("task", "")) == fold(item.title):
            return item.key
    marked = row.mark.partition(".")[0]
    if marked in plan.by_key:
        return marked
    number = row.texts.get("no", "").strip()
    return next((item.key for item in plan.items if str(item.no) == number), "")


def _marked_key(row: _Row, identity: Identity, seal: Seal) -> str:
    try:
        return seal.read_row_mark(identity.stamp, row.mark)
    except Forged:
        raise WrongUnit(
            f"第 {row.number + 1} 行的标识不属于这张表，可能是从别的表粘贴来的，请核实后重新报送"
        ) from None


def _entries(sheet: FormSheet, keyed: list[tuple[str, _Row]], plan: Plan) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for key, row in keyed:
        entry = _entry(sheet, key, row)
        found[key] = _merged(found[key], entry) if key in found else entry
    return tuple(found[item.key] for item in plan.items if item.key in found)


def _entry(sheet: FormSheet, key: str, row: _Row) -> Entry:
    cells = {name: address(row.number, index) for name, index in sheet.place.columns.items()}
    unreadable = frozenset(
        name for name, cell in cells.items() if sheet.raw.odd.get(cell) in (Odd.ERROR, Odd.FORMULA)
    )
    return Entry(key, row.texts, sheet.raw.title, cells, unreadable)


def _merged(first: Entry, second: Entry) -> Entry:
    """A row that was copied: what both say, once."""
    filled = {
        name: text
        if not first[name].strip() or (_said(second, name) and name in first.unreadable)
        else first[name]
        if text.strip() in ("", first[name].strip()) or name in second.unreadable
        else f"{first[name]}\n{text}"
        for name, text in second.answers.items()
    }
    unreadable = frozenset(
        key
        for key, text in filled.items()
        if (key in first.unreadable or key in second.unreadable)
        and not _said(first, key)
        and not _said(second, key)
    )
    return replace(first, answers=filled, unreadable=unreadable)


def _said(entry: Entry, key: str) -> bool:
    return bool(entry[key].strip()) and key not in entry.unreadable


def _contacts(identity: Identity, rows: list[_Row]) -> Iterator[Contact]:
    asked = identity.sheet.declared.filled_by(Filler.UNIT)
    for row in rows:
        texts = {column.key: row.texts.get(column.key, "").strip() for column in asked}
        if any(texts.values()):
            yield Contact(identity.unit.code, **texts)


def _layout_repairs(book: RawBook, identity: Identity, template: _Template) -> Iterator[Finding]:
    sheet = identity.sheet
    title = sheet.raw.title
    if not identity.workbook_marked:
        yield _repair(
            "WORKBOOK_MARKS_GONE", "文件标识已丢失（可能复制到了新文件），按表内标识收下", title
        )
    if book.macros:
        yield _repair(
            "MACRO", "文件带有宏，宏没有运行，只读取了单元格；请不要在报送表中使用宏", title
        )
    if title.strip() != sheet.declared.title:
        yield _repair("SHEET_RENAMED", f"工作表名被改为“{title}”，已按标题识别", title)
    if sheet.raw.cut:
        yield _repair(
            "FAR_CELLS",
            f"表格以外很远处有 {len(sheet.raw.cut)} 个单元格（如 {sheet.raw.cut[0]}）没有读取，"
            "请删去",
            title,
            sheet.raw.cut[0],
        )
    yield from _heading_repairs(sheet, template)
    known = {title.strip(), IDENTITY_SHEET, GUIDE_TITLE, CORRECTIONS.title, *template.sheets}
    for raw in book.sheets:
        if raw.title.strip() not in known and any(any(row) for row in raw.grid):
            yield _repair("EXTRA_SHEET", f"多出的工作表“{raw.title}”没有读取", raw.title)


@dataclass(frozen=True)
class _Template:
    """What the form says of the template that it was made from; all empty where that is gone.

    Attributes:
        columns: headings that the coordinator added.
        order: every heading, in the form's order.
        texts: what stood below the table.
        sheets: titles of the form's other sheets.
    """

    columns: frozenset[str]
    order: tuple[str, ...]
    texts: frozenset[str]
    sheets: frozenset[str]


def _template_of(book: RawBook) -> _Template:
    sheets = [raw.grid for raw in book.sheets if raw.title.strip() == IDENTITY_SHEET]
    grid = sheets[0] if sheets else []
    columns, order, texts, titles = (
        [text for row in grid if (text := cell_at(row, index).strip())] for index in range(4)
    )
    return _Template(
        frozenset(text for text in columns if not looks_like_token(text)),
        tuple(order),
        frozenset(texts),
        frozenset(titles),
    )


def _heading_repairs(sheet: FormSheet, template: _Template) -> Iterator[Finding]:
    title = sheet.raw.title
    if _are_moved(sheet, template):
        yield _repair("COLUMNS_MOVED", "列的顺序被调整，已按标题识别", title)
    for found, declared in sheet.place.respelt:
        yield _repair("HEADING_RESPELT", f"标题“{found}”已按“{declared}”读取", title)
    for column in sheet.place.missing:
        yield _repair("COLUMN_MISSING", f"缺少“{column.heading}”列，该列按空白处理", title)
    for heading in sheet.place.extra:
        if heading != sheet.token and heading not in template.columns:
            yield _repair("EXTRA_COLUMN", f"多出的列“{heading}”没有读取，请写入表内原有各列", title)


def _are_moved(sheet: FormSheet, template: _Template) -> bool:
    """Whether the columns stand in another order than on the form that was handed out."""
    if sheet.declared is RETURN_FORM and template.order:
        now = [text.strip() for text in sheet.raw.grid[sheet.place.row]]
        return [text for text in now if text in template.order] != [
            text for text in template.order if text in now
        ]
    order = [
        sheet.place.columns[c.key] for c in sheet.declared.columns if c.key in sheet.place.columns
    ]
    return order != sorted(order)


def _is_templates(row: _Row, sheet: FormSheet, template: _Template) -> bool:
    """Whether a row below the table is one of the template's, a line to sign on, say."""
    texts = (text.strip() for text in sheet.raw.grid[row.number])
    return any(text.startswith(known) for text in texts for known in template.texts)


def _row_repairs(
    sheet: FormSheet,
    rows: list[_Row],
    keyed: list[tuple[str, _Row]],
    plan: Plan,
    template: _Template,
) -> Iterator[Finding]:
    title = sheet.raw.title
    asked = [column.key for column in sheet.declared.filled_by(Filler.UNIT)]
    told = {row.number for _, row in keyed}
    for row in rows:
        said = [text for key in asked if (text := row.texts.get(key, "").strip())]
        if row.number not in told and said and not _is_templates(row, sheet, template):
            yield _repair(
                "ROW_WITHOUT_MARK",
                "这一行不是原表的行，没有读取，请把内容填入原表对应的行（写有："
                f"{shortened('；'.join(said), QUOTED_MOST)}）",
                title,
                address(row.number, min(sheet.place.columns.values())),
            )
    for key, row in keyed:
        if sheet.declared is RETURN_FORM and key not in plan.by_key:
            yield _repair(
                "ITEM_GONE",
                f"{key} 已不在现行责任分工方案中，这一行没有读取，请核实方案",
                title,
                address(row.number, min(sheet.place.columns.values())),
            )
    keys = [key for key, _ in keyed]
    if keys != sorted(keys):
        yield _repair("ROWS_MOVED", "行的顺序被调整，已按行标识识别", title)
    for key in (key for key, times in Counter(keys).items() if times > 1):
        yield _repair("ROW_REPEATED", f"{key} 出现了多行，已合并读取，请核对", title)


def _unreadable_cells(
    sheet: FormSheet,
    rows: list[_Row],
    keyed: list[tuple[str, _Row]],
    header_cells: dict[str, str],
) -> Iterator[Finding]:
    """Cells that a unit filled and that hold something else than it meant to say."""
    if not sheet.raw.odd:
        return
    items = {row.number: key for key, row in keyed if sheet.declared is RETURN_FORM}
    places = [
        (
            address(row.number, sheet.place.columns[column.key]),
            items.get(row.number, ""),
            column.key,
        )
        for row in rows
        for column in sheet.declared.filled_by(Filler.UNIT)
        if column.key in sheet.place.columns
    ]
    asked = {entry.key for entry in sheet.declared.fields if entry.filled_by is Filler.UNIT}
    places += [(cell, "", key) for key, cell in header_cells.items() if key in asked]
    for cell, item, key in places:
        odd = sheet.raw.odd.get(cell)
        if odd is not None:
            row, column = parse_address(cell)
            text = shortened(sheet.raw.grid[row][column], QUOTED_MOST)
            code, advice = _ODD[odd]
            found = _repair(code, advice.format(text=text), sheet.raw.title, cell)
            yield replace(found, item=item, about=key)


_ODD = {
    Odd.ERROR: (
        "CELL_ERROR",
        "单元格是错误值“{text}”，读不出内容，请改为直接填写文字",
    ),
    Odd.FORMULA: (
        "FORMULA_WITHOUT_VALUE",
        "单元格是公式“{text}”，没有计算结果，请改为直接填写文字",
    ),
    Odd.NUMBER: (
        "NUMBER_PRECISION",
        "超过 15 位的号码按数字保存时，末尾几位已经丢失，请将单元格设为文本后重新填写",
    ),
}


def _repair(code: str, message: str, sheet: str, cell: str = "") -> Finding:
    return Finding(code, _KINDS[code].severity, message, sheet, cell)
