"""Builds the two templates from the declaration, and says what a restyled one has lost.

A template is built once and is then the coordinator's: everything is found by heading, label or
placeholder, so rows and columns may move and text may be reworded.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count, pairwise
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.worksheet import Worksheet

from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.stamp import looks_like_token
from bioduty_xl.errors import TemplateError
from bioduty_xl.forms import style
from bioduty_xl.forms.content import Frame
from bioduty_xl.language import listed, say
from bioduty_xl.layout.atomic import write_whole
from bioduty_xl.layout.columns import OWN, Column, Filler, Kind, Sheet
from bioduty_xl.layout.package import packed
from bioduty_xl.layout.sheets import CONTACTS_FORM, GUIDE_TITLE, RETURN_FORM
from bioduty_xl.layout.table import Grid, Location, address, find_fields, locate, text_of

RETURN_TEMPLATE = "quarterly_return.xlsx"
CONTACTS_TEMPLATE = "annex2_contacts.xlsx"

FORMS = {RETURN_TEMPLATE: RETURN_FORM, CONTACTS_TEMPLATE: CONTACTS_FORM}
"""Each template's form."""

_UNREADABLE = (BadZipFile, InvalidFileException, OSError, KeyError, TypeError, ValueError)
"""What openpyxl raises on a file that is no workbook, or a damaged one."""

_USUAL_WIDTH = 8.43
"""Characters that a column holds of which a sheet does not say the width."""

PROGRESS_MARK = "{填报进度}"
"""Where the live count of what is still to fill goes."""

PLACEHOLDERS = {
    PROGRESS_MARK: say("还有几项未填"),
    "{报送单位}": say("单位名称"),
    "{报送期}": say("报送期"),
    "{截止日期}": say("截止日期"),
    "{报送范围}": say("报送哪一段时间的工作"),
    "{咨询方式}": say("向谁咨询"),
}
"""What is filled in wherever a template says it, and what it is."""

_GUIDE = (
    "{报送单位}：",
    "    请填报{报送期}工作推进情况，于{截止日期}前（含当日）报送。报送内容：{报送范围}。",
    "一、只在“工作推进情况”表的浅黄色单元格中填写；其他内容由分工方案带出，请勿改动。",
    "二、“本单位职责”标“必报”的逐项填写，标“选报”的可以不填；“主要举措”中标★的点名由本单位落实。",
    "三、“进展状态”从下拉列表中选择。选“本季度无进展”或“不涉及”的，请写明原因。",
    "四、“工作开展情况”写清做了什么、有何结果，尽量列出时间和数量；填“无”“同上”“略”按未填处理。",
    "五、“存在的问题”没有的填“无”；“下一步工作打算”将印在下期报送表上，供对照填报。",
    "六、请勿增删行列、改动标题，勿把内容复制到其他表格；本表可用 Excel、WPS 或 LibreOffice 填写。",
    "七、填好后将本文件按原格式（xlsx）返回，文件名可以更改；如需更正，改好后再次返回即可，以最后一次为准。",
    "咨询：{咨询方式}",
)

_FIELD_CELLS = {
    "unit": ("B2", "C2", "C2"),
    "period": ("D2", "E2", "F2"),
    "due": ("G2", "H2", "H2"),
    "code": ("I2", "J2", "K2"),
    "filler": ("B3", "C3", "C3"),
    "phone": ("D3", "E3", "F3"),
    "approver": ("G3", "H3", "K3"),
}
"""Label, first and last cell of the value, for each field of the return form."""


def build_templates(folder: Path) -> list[Path]:
    """Write both templates into a folder; returns their paths. One that was restyled stays beside
    the new one, under another name.
    """
    builders = {RETURN_TEMPLATE: _build_return, CONTACTS_TEMPLATE: _build_contacts}
    for name, build in builders.items():
        fresh, target = packed(build()), folder / name
        if target.exists() and target.read_bytes() != fresh:
            target.rename(_free(target))
        write_whole(target, fresh)
    return [folder / name for name in builders]


def _free(path: Path) -> Path:
    backups = (path.with_name(f"{path.stem}_备份{number}{path.suffix}") for number in count(1))
    return next(backup for backup in backups if not backup.exists())


@dataclass(frozen=True)
class Examined:
    """What is wrong with a template, and what is worth knowing of it.

    Attributes:
        lacks: what forms cannot do without, one Chinese sentence each.
        notes: what they can, but somebody may miss.
    """

    lacks: tuple[str, ...]
    notes: tuple[str, ...] = ()


def examine_template(path: Path, sheet: Sheet) -> Examined:
    """Say what a template no longer has, and what the coordinator added to it."""
    try:
        book = Template.read(path, sheet).load()
    except TemplateError as error:
        return Examined((str(error),))
    lacks = tuple(find_lacks(book, sheet))
    return Examined(lacks, () if lacks else tuple(_notes(book, sheet)))


def _notes(book: Workbook, sheet: Sheet) -> Iterator[str]:
    texts = "".join(
        str(value)
        for worksheet in book.worksheets
        for row in worksheet.iter_rows(values_only=True)
        for value in row
        if value is not None
    )
    for mark, meaning in PLACEHOLDERS.items() if sheet is RETURN_FORM else ():
        if mark not in texts:
            yield say(
                "没有“{mark}”，报送表上不会显示{meaning}；需要的，把它写在任一单元格中",
                mark=mark,
                meaning=meaning,
            )
    worksheet = book[sheet.title]
    place = place_of(sheet, worksheet)
    above = [
        value for row in worksheet.iter_rows(max_row=place.row, values_only=True) for value in row
    ]
    if PROGRESS_MARK in texts and PROGRESS_MARK not in above:
        yield say(
            "“{mark}”要单独占一个单元格，写在标题行上方，否则不会换成数字", mark=PROGRESS_MARK
        )
    if any(cell.value for cell in worksheet[place.row + 2]):
        yield say("标题行下面的样式行中写有内容，填写格中的不会印到报送表上")
    added = own_columns(place, grid_of(worksheet))
    if added:
        yield say(
            "自加的列：{columns}；各单位填写的内容列在“汇总明细”的最后", columns=listed(added)
        )
    sample = [worksheet.cell(place.row + 2, index + 1) for index in place.columns.values()]
    if not any(cell.has_style for cell in sample):
        yield say("标题行下面的样式行没有格式，报送表将没有边框和底色")


@dataclass(frozen=True)
class Template:
    """A template's file as it was when it was read; the same bytes are the same template.

    Attributes:
        file: its content.
        declared: the sheet that its forms are filled on.
        path: where it was read from.
    """

    file: bytes
    declared: Sheet
    path: Path = field(compare=False)

    @classmethod
    def read(cls, path: Path, declared: Sheet) -> Template:
        """A template from its file.

        Raises:
            TemplateError: it cannot be read.
        """
        try:
            return cls(path.read_bytes(), declared, path)
        except OSError as error:
            raise _not_opened(path) from error

    def load(self) -> Workbook:
        """Its workbook, sound or not.

        Raises:
            TemplateError: it is none.
        """
        try:
            return load_workbook(io.BytesIO(self.file))
        except _UNREADABLE as error:
            raise _not_opened(self.path) from error

    def open(self) -> Blank:
        """A workbook to be filled.

        Raises:
            TemplateError: it cannot be opened, or lacks something; each lack is named.
        """
        opened = _opened(self)
        if not opened.kept:
            return _blank(self)
        book = _revived(opened.kept)
        return replace(opened.first, book=book, sheet=book[self.declared.title])

    @property
    def frame(self) -> Frame:
        """What the texts of its forms must fit into; raises as `open`."""
        return _opened(self).first.frame


@dataclass(frozen=True)
class Blank:
    """A sound template's workbook, to be filled once, and where things stand in it. That is looked
    up before anything is filled in, so that no text of a form can be taken for a heading or label.

    Attributes:
        sheet: the sheet with the table.
        place: its table.
        width: how many columns that has.
        key_column: number of the column for the hidden marks, right of all that is there.
        columns: indexes of the declared columns and of those that the coordinator added, by the
            keys of `Frame.letters`.
        values: (row, column) from 0 of each labelled field's value.
        frame: what the texts must fit into.
    """

    book: Workbook
    sheet: Worksheet
    declared: Sheet
    place: Location
    width: int
    key_column: int
    columns: Mapping[str, int]
    values: Mapping[str, tuple[int, int]]
    frame: Frame

    @property
    def asked(self) -> frozenset[int]:
        """Numbers of the columns that the unit fills."""
        declared = (self.columns[c.key] for c in self.declared.filled_by(Filler.UNIT))
        return frozenset(index + 1 for index in (*declared, *self.own))

    @property
    def own(self) -> tuple[int, ...]:
        """Indexes of the columns that the coordinator added."""
        return tuple(index for key, index in self.columns.items() if key.startswith(OWN))

    def own_headings(self) -> list[str]:
        """The headings of the coordinator's columns, as they read now."""
        row = self.place.row + 1
        return [text_of(self.sheet.cell(row, n + 1).value).strip() for n in self.own]


@dataclass(frozen=True)
class _Opened:
    """What a template was opened for the first time for.

    Attributes:
        first: which is never filled.
        kept: its workbook, from which others come five times as fast as from the file; empty where
            something in it can only be had from the file.
    """

    first: Blank
    kept: bytes


@lru_cache(maxsize=4)
def _opened(template: Template) -> _Opened:
    blank = _blank(template)
    if any(sheet.tables for sheet in blank.book.worksheets):  # its list of them cannot be kept
        return _Opened(blank, b"")
    try:
        kept = pickle.dumps(blank.book, pickle.HIGHEST_PROTOCOL)
        _revived(kept)
    except (TypeError, AttributeError, pickle.PickleError):
        kept = b""
    return _Opened(blank, kept)


def _revived(kept: bytes) -> Workbook:
    """Another workbook like the one that was kept."""
    book: Workbook = pickle.loads(kept)  # noqa: S301  # of this process's own making
    for sheet in book.worksheets:  # they forget how to make what is not there yet
        sheet.row_dimensions.default_factory = sheet._add_row  # type: ignore[attr-defined]
        sheet.column_dimensions.default_factory = sheet._add_column  # type: ignore[attr-defined]
    return book


def _blank(template: Template) -> Blank:
    book, declared = template.load(), template.declared
    if lacks := find_lacks(book, declared):
        said = say("模板 {file} 缺少必需的内容，请补上后再生成", file=template.path.name)
        raise TemplateError(said, *lacks)
    for worksheet in book.worksheets:
        _ungroup_columns(worksheet)
    sheet = book[declared.title]
    place, grid = place_of(declared, sheet), grid_of(sheet)
    own, values = own_columns(place, grid), value_cells(declared, sheet, place)
    columns = {**place.columns, **{OWN + heading: index for heading, index in own.items()}}
    letters = {key: get_column_letter(index + 1) for key, index in columns.items()}
    widths = {key: width_of(sheet, letter) for key, letter in letters.items()}
    fields = {key: address(*cell) for key, cell in values.items()}
    return Blank(
        book,
        sheet,
        declared,
        place,
        width=len(trimmed(grid[place.row])),
        key_column=max(len(trimmed(row)) for row in grid) + 1,
        columns=columns,
        values=values,
        frame=Frame(place.row + 2, letters, widths, fields),
    )


def _not_opened(path: Path) -> TemplateError:
    return TemplateError(say("模板 {path} 打不开，请从程序自带的模板恢复", path=path))


def find_lacks(book: Workbook, sheet: Sheet) -> list[str]:
    """What a template no longer has, one Chinese sentence each."""
    if sheet.title not in book.sheetnames:
        return [say("缺少工作表“{sheet}”", sheet=sheet.title)]
    grid = grid_of(book[sheet.title])
    location = locate(sheet, grid)
    if location is None:
        return [say("工作表“{sheet}”中找不到标题行", sheet=sheet.title)]
    fields = find_fields(sheet, grid, location.row)
    lacks: list[str] = [
        say("缺少列“{heading}”，请补上这一列的标题", heading=column.heading)
        for column in location.missing
    ]
    lacks += [
        say("缺少标签“{label}”，请在标题行上方补上，右边留一格", label=entry.label)
        for entry in sheet.fields
        if entry.key not in fields
    ]
    headings = [text.strip() for text in grid[location.row]]
    lacks += [
        say("自加的列“{heading}”有几列，请改成不同的标题", heading=heading)
        for heading in dict.fromkeys(location.extra)
        if headings.count(heading) > 1
    ]
    lacks += [
        say("有几列的标题都像“{heading}”，请只留一列", heading=heading)
        for heading in location.doubtful
    ]
    lacks += [
        say("标题行或样式行中有合并单元格 {area}，请取消合并", area=area)
        for area in book[sheet.title].merged_cells.ranges
        if area.min_row <= location.row + 2 and area.max_row > location.row
    ]
    return lacks


def place_of(sheet: Sheet, worksheet: Worksheet) -> Location:
    """Where a template's table stands; the template has been checked."""
    location = locate(sheet, grid_of(worksheet))
    assert location is not None, f"unchecked template: no headings of {sheet.title}"
    return location


def value_cells(sheet: Sheet, worksheet: Worksheet, place: Location) -> dict[str, tuple[int, int]]:
    """(row, column) from 0 of the cell for each labelled field's value: the one right of its label,
    whatever else stands further to the right.
    """
    labels = {fold(entry.label) for entry in sheet.fields}
    only_labels = [
        [text if fold(text).rstrip(":") in labels else "" for text in row]
        for row in grid_of(worksheet)
    ]
    cells = {}
    for key, (row, index) in find_fields(sheet, only_labels, place.row).items():
        while isinstance(worksheet.cell(row + 1, index + 1), MergedCell):
            index += 1  # the label itself spans several cells
        cells[key] = row, index
    return cells


def own_columns(place: Location, grid: Grid) -> dict[str, int]:
    """Index by heading of the columns that the coordinator added to the table."""
    headings = [text.strip() for text in grid[place.row]]
    return {
        text: index
        for index, text in enumerate(headings)
        if text in place.extra and not looks_like_token(text)
    }


def width_of(sheet: Worksheet, letter: str) -> float:
    """A column's width in characters, also where the sheet says nothing of it."""
    if letter in sheet.column_dimensions:
        return sheet.column_dimensions[letter].width
    return sheet.sheet_format.defaultColWidth or _USUAL_WIDTH


def trimmed(row: Sequence[str]) -> list[str]:
    """A row without the blanks at its end."""
    texts = list(row)
    while texts and not texts[-1].strip():
        texts.pop()
    return texts


def grid_of(worksheet: Worksheet) -> Grid:
    """A worksheet's cells as text."""
    return [[text_of(value) for value in row] for row in worksheet.iter_rows(values_only=True)]


def _ungroup_columns(sheet: Worksheet) -> None:
    """Give each column of the table, and the one after it, a width entry of its own.

    Excel and LibreOffice write neighbours that look alike as one entry. openpyxl keeps it under the
    first one's letter, and asking for another's width would add an entry that overlaps it, which
    Excel takes for damage.
    """
    used = sheet.max_column + 1
    for group in list(sheet.column_dimensions.values()):
        first, last = group.min or 0, group.max or 0
        starts = [*range(first, min(last, used) + 1), *range(max(first, used + 1), last + 1)[:1]]
        for start, end in pairwise([*starts, last + 1]) if last > first else ():
            letter = get_column_letter(start)
            single = ColumnDimension(
                sheet, letter, group.width, hidden=group.hidden, min=start, max=end - 1
            )
            single._style = copy(group._style)  # type: ignore[attr-defined]  # the stubs lack it
            sheet.column_dimensions[letter] = single


def _build_return() -> Workbook:
    book = Workbook()
    guide = book.worksheets[0]
    guide.title = GUIDE_TITLE
    _fill_guide(guide)
    _fill_return_sheet(book.create_sheet(RETURN_FORM.title))
    book.active = 0
    return book


def _fill_guide(sheet: Worksheet) -> None:
    sheet.column_dimensions["A"].width = 84
    _write(sheet, "A1", "填 报 说 明", style.TITLE, style.CENTRE)
    sheet.row_dimensions[1].height = 36
    for row, text in enumerate(_GUIDE, start=2):
        _write(sheet, f"A{row}", text, style.GUIDE, style.LEFT)
        sheet.row_dimensions[row].height = 38 if len(text) > 38 else 24
    style.set_up_page(sheet, "portrait")
    sheet.sheet_view.showGridLines = False


def _fill_return_sheet(sheet: Worksheet) -> None:
    last = get_column_letter(len(RETURN_FORM.columns))
    _write(sheet, "A1", RETURN_FORM.heading + "（{报送期}）", style.TITLE, style.CENTRE)
    sheet.merge_cells(f"A1:{last}1")
    for entry in RETURN_FORM.fields:
        label, first, end = _FIELD_CELLS[entry.key]
        _write(sheet, label, entry.label, style.HEADING, style.LABEL)
        box = sheet[f"{first}:{end}"]
        for cell in box[0] if isinstance(box, tuple) else (box,):
            cell.border = style.BOX
            cell.font, cell.alignment = style.BODY, style.LEFT
            cell.number_format = "@"
            _paint(cell, entry.filled_by)
        if first != end:
            sheet.merge_cells(f"{first}:{end}")
    _write(sheet, "A4", PROGRESS_MARK, style.HEADING, style.LEFT)
    sheet.merge_cells(f"A4:{last}4")
    for row, height in enumerate((34, 24, 24, 22, 32), start=1):
        sheet.row_dimensions[row].height = height
    _table(sheet, RETURN_FORM, 5)
    sheet.freeze_panes = "D6"


def _build_contacts() -> Workbook:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = CONTACTS_FORM.title
    last = get_column_letter(len(CONTACTS_FORM.columns))
    _write(sheet, "A1", CONTACTS_FORM.heading, style.TITLE, style.CENTRE)
    sheet.merge_cells(f"A1:{last}1")
    _write(sheet, "F2", CONTACTS_FORM.fields[0].label, style.HEADING, style.LABEL)
    _write(sheet, "G2", None, style.BODY, style.LEFT)
    for row, height in enumerate((40, 24, 32), start=1):
        sheet.row_dimensions[row].height = height
    _table(sheet, CONTACTS_FORM, 3)
    sheet.freeze_panes = "B4"
    return book


def _table(sheet: Worksheet, declared: Sheet, row: int) -> None:
    """The heading row, and below it one row that shows how each column looks."""
    for index, column in enumerate(declared.columns, start=1):
        letter = get_column_letter(index)
        sheet.column_dimensions[letter].width = column.width
        _write(sheet, f"{letter}{row}", column.heading, style.HEADING, style.CENTRE)
        sheet[f"{letter}{row}"].fill = style.HEADING_FILL
        sheet[f"{letter}{row}"].border = style.BOX
        sample = sheet.cell(row + 1, index)
        sample.font, sample.border = style.BODY, style.BOX
        sample.alignment = _alignment(column)
        if column.kind is not Kind.NUMBER:
            sample.number_format = "@"
        _paint(sample, column.filled_by)
    style.set_up_page(sheet, "landscape")
    sheet.print_title_rows = f"{row}:{row}"


def _alignment(column: Column) -> Alignment:
    return style.TOP if column.kind is Kind.TEXT else style.CENTRE


def _paint(cell: Cell | MergedCell, filler: Filler | None) -> None:
    if filler is Filler.UNIT:
        cell.fill, cell.protection = style.ANSWER_FILL, style.UNLOCKED
    else:
        cell.fill = style.PLAN_FILL


def _write(sheet: Worksheet, at: str, text: str | None, font: Font, alignment: Alignment) -> None:
    cell = sheet[at]
    cell.value, cell.font, cell.alignment = text, font, alignment
