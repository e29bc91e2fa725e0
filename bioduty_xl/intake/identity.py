"""Whose form a workbook is, from the marks that it carries.

The sheet's own token decides, because it travels with the answers; the workbook's carriers, the
visible code and the typed names must agree with it, or a person has to look (design: the marks on
workbook and sheet are kept apart so that a sheet pasted into another unit's file is noticed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit, fold
from bioduty_xl.domain.stamp import (
    Forged,
    FormKind,
    Seal,
    Stamp,
    looks_like_code,
    looks_like_token,
)
from bioduty_xl.errors import LayoutMismatch, NotAReturn, WrongUnit
from bioduty_xl.intake.raw import RawBook, RawSheet
from bioduty_xl.layout.columns import Sheet
from bioduty_xl.layout.sheets import (
    CONTACTS_FORM,
    IDENTITY_SHEET,
    RETURN_FORM,
    SHEET_NAME,
    TOKEN_PROPERTY,
    WORKBOOK_NAME,
)
from bioduty_xl.layout.table import Location, cell_at, find_fields, locate

PlanOf = Callable[[Period], Plan]
"""Gives the plan that holds for a period."""

_ASK = "请核实后让该单位用下发的原表重新报送"


@dataclass(frozen=True)
class FormSheet:
    """A worksheet that has the headings of one of our forms.

    Attributes:
        declared: which form.
        raw: the worksheet.
        place: where its table stands.
        mark_column: index of the column whose heading is a token; None where there is none.
    """

    declared: Sheet
    raw: RawSheet
    place: Location
    mark_column: int | None

    @property
    def token(self) -> str:
        """The token above the key column; empty where that is gone."""
        if self.mark_column is None:
            return ""
        return self.raw.grid[self.place.row][self.mark_column].strip()

    @cached_property
    def fields(self) -> dict[str, tuple[int, int]]:
        """Where the values of the labelled fields above the table stand, by field key."""
        return find_fields(self.declared, self.raw.grid, self.place.row)

    def field(self, key: str) -> str:
        """The text of a labelled field above the table; empty where it is gone."""
        found = self.fields.get(key)
        return cell_at(self.raw.grid[found[0]], found[1]).strip() if found else ""


@dataclass(frozen=True)
class Identity:
    """A settled identity.

    Attributes:
        stamp: what the marks say.
        unit: the unit, from the plan.
        plan: that of its period.
        sheet: the sheet to read.
        workbook_marked: whether the workbook's own carriers were there to agree.
    """

    stamp: Stamp
    unit: Unit
    plan: Plan
    sheet: FormSheet
    workbook_marked: bool


def identify(book: RawBook, seal: Seal, plan_of: PlanOf) -> Identity:
    """Settle whose form a workbook is.

    Args:
        plan_of: the plan of a period; units come and go.

    Raises:
        NotAReturn: it is none of our forms.
        LayoutMismatch: it is one, but its key column is gone, or it holds several.
        WrongUnit: marks are forged or disagree with each other or with what is typed.
    """
    sheet = _form_sheet(book)
    tokens = _workbook_tokens(book)
    named = sheet.raw.names.get(SHEET_NAME) if sheet else None
    if sheet is None:
        if tokens:
            raise LayoutMismatch("文件是下发的报送表，但表格的标题行已被删改，" + _ASK)
        raise NotAReturn("这个工作簿不是下发的报送表，请该单位填写下发的报送表后重新报送")
    if sheet.mark_column is None:
        raise LayoutMismatch(_explain_unmarked(sheet, bool(tokens), seal, plan_of))
    stamp = _read(seal, sheet.token)
    carried = {*tokens, named or sheet.token} - {sheet.token}
    if any(_read(seal, token) != stamp for token in sorted(carried)):
        raise WrongUnit(
            "表内标识与文件标识不一致，可能把一个单位的表贴进了另一个单位的文件，" + _ASK
        )
    if stamp.kind.value != sheet.declared.key:
        raise WrongUnit("表内标识与表格种类不符，" + _ASK)
    plan = plan_of(stamp.period)
    unit = plan.by_code.get(stamp.unit)
    if unit is None:
        raise WrongUnit(f"表内标识所指的单位（{stamp.unit}）不在责任分工方案中，" + _ASK)
    _check_typed(sheet, stamp, unit, seal, plan)
    return Identity(stamp, unit, plan, sheet, bool(tokens))


def identify_assigned(book: RawBook, unit: Unit, period: Period, plan: Plan) -> Identity:
    """The identity that a person has settled, whatever the marks say.

    Raises:
        ReturnError: the workbook has no form's table, or several.
    """
    sheet = _form_sheet(book)
    if sheet is None:
        raise NotAReturn("文件里没有报送表的表格，读不出内容，请该单位补报下发的报送表")
    stamp = Stamp(FormKind(sheet.declared.key), "", unit.code, period)
    return Identity(stamp, unit, plan, sheet, workbook_marked=True)


def _form_sheet(book: RawBook) -> FormSheet | None:
    """The sheet to read: the one marked form sheet, by preference the one with its own name."""
    found = list(_form_sheets(book))
    marked = [sheet for sheet in found if sheet.mark_column is not None]
    if len({sheet.token for sheet in marked}) > 1:
        raise WrongUnit("一个文件里有多张不同的报送表，请让各单位分别报送")
    candidates = marked or found
    if any(list(sheet.raw.grid) != list(candidates[0].raw.grid) for sheet in candidates[1:]):
        raise LayoutMismatch(
            "文件里有几张内容不同的报送表，不能确定以哪张为准，请只保留填好的一张后重新报送"
        )
    named = [sheet for sheet in candidates if sheet.raw.title.strip() == sheet.declared.title]
    if len(named) == 1:
        return named[0]
    if len(candidates) > 1:
        raise LayoutMismatch("文件里有多张相同的报送表，不能确定以哪张为准，请只保留一张后重新报送")
    return candidates[0] if candidates else None


def _form_sheets(book: RawBook) -> Iterator[FormSheet]:
    for raw in book.sheets:
        for declared in (RETURN_FORM, CONTACTS_FORM):
            place = locate(declared, raw.grid)
            if place is not None:
                yield FormSheet(declared, raw, place, _mark_column(raw, place))
                break


def _mark_column(raw: RawSheet, place: Location) -> int | None:
    headings = raw.grid[place.row]
    return next((n for n, text in enumerate(headings) if looks_like_token(text.strip())), None)


def _workbook_tokens(book: RawBook) -> tuple[str, ...]:
    sheets = (raw for raw in book.sheets if raw.title.strip() == IDENTITY_SHEET)
    cells = (cell_at(row, 0).strip() for raw in sheets for row in raw.grid[:1])
    carriers = (book.properties.get(TOKEN_PROPERTY, ""), book.names.get(WORKBOOK_NAME, ""), *cells)
    return tuple(text for text in carriers if text)


def _read(seal: Seal, token: str) -> Stamp:
    try:
        return seal.read(token)
    except Forged:
        raise WrongUnit("表内标识被改动过，或者不是本程序下发的表格，" + _ASK) from None


def _explain_unmarked(sheet: FormSheet, workbook_marked: bool, seal: Seal, plan_of: PlanOf) -> str:
    code = sheet.field("code")
    if looks_like_code(code):
        owner = _owner_of(code, sheet, seal, plan_of)
        whose = f"（与{owner.name}的校验码相符）" if owner else ""
        return f"表格的标识列已丢失，只剩校验码 {code}{whose}，请核实是哪个单位所报，" + _ASK
    if workbook_marked:
        return "表格的标识列已被删除，不能确认答复属于哪一项，" + _ASK
    return "表格与报送表相似，但没有下发时的标识，" + _ASK


def _owner_of(code: str, sheet: FormSheet, seal: Seal, plan_of: PlanOf) -> Unit | None:
    """The unit whose form of the typed period shows this 校验码; a hint for people."""
    period = _typed_period(sheet)
    if period is None:
        return None
    kind = FormKind(sheet.declared.key)
    units = plan_of(period).units
    return {seal.visible_code(seal.stamp(kind, unit.code, period)): unit for unit in units}.get(
        code
    )


def _check_typed(sheet: FormSheet, stamp: Stamp, unit: Unit, seal: Seal, plan: Plan) -> None:
    """What people can read on the sheet must not contradict its marks."""
    code = sheet.field("code")
    if code and code != seal.visible_code(stamp):
        raise WrongUnit(f"校验码 {code} 与表内标识不符，" + _ASK)
    for typed in _typed_units(sheet, stamp):
        if plan.find_unit(typed) != unit:
            raise WrongUnit(f"表上写的单位是“{typed}”，标识却属于“{unit.name}”，" + _ASK)
    period = _typed_period(sheet)
    if period is not None and period != stamp.period:
        raise WrongUnit(
            f"表上写的报送期是{period.label}，标识却属于{stamp.period.label}，可能沿用了旧表，"
            + _ASK
        )


def _typed_units(sheet: FormSheet, stamp: Stamp) -> Iterator[str]:
    """The unit names that stand on the sheet for people to read."""
    if stamp.kind is FormKind.RETURN:
        names = [sheet.field("unit")]
    else:
        rows = sheet.raw.grid[sheet.place.row + 1 :]
        names = [cell_at(row, sheet.place.columns.get("unit", len(row))) for row in rows]
    return (name.strip() for name in names if name.strip())


def suggest_unit(name: str, plan: Plan) -> Unit | None:
    """The one unit that a file's name or folder speaks of: a hint for people, which never decides.

    Args:
        name: path below the inbox.
    """
    text = fold(name)
    spelt = {
        unit.code: max((len(fold(s)) for s in unit.spellings if fold(s) in text), default=0)
        for unit in plan.units
    }
    longest = max(spelt.values(), default=0)
    named = [code for code, length in spelt.items() if length == longest]
    return plan.by_code[named[0]] if longest > 1 and len(named) == 1 else None


def _typed_period(sheet: FormSheet) -> Period | None:
    try:
        return Period.parse(sheet.field("period"))
    except ValueError:
        return None
