"""催报函: asks one unit for the return, or the items, that it owes. What is owed comes from
`domain.chasing`, how it looks from `report.official`; nothing here is sent or saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bioduty_xl import config
from bioduty_xl.domain.calendar import CHINA, Calendar, Roll
from bioduty_xl.domain.chasing import Chased
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan
from bioduty_xl.domain.standing import UnitState
from bioduty_xl.report.official import Block, Body, Heading, Paper, chinese_date, numbered, render

WORKING_DAYS_TO_ANSWER = 3
"""So many working days after a letter is made, what it asks for is to be here."""

SUBJECT = "生物多样性保护工作推进情况"
"""What the quarterly returns are about, as titles put it."""


def reminder_letter(
    office: config.Office, period: Period, one: Chased, plan: Plan, made: date
) -> bytes:
    """A reminder to one unit, as a docx file's content.

    Before its due date a unit is asked for its return by that day; after it, for the return or the
    required items that are missing by the third working day.

    Args:
        office: asks and signs; its contact and phone are printed where set.
        made: the day that the letter bears.
    """
    return render(
        Paper(
            urgency=one.urgency.value,
            title=(office.name, f"关于催报{period.label}", f"{SUBJECT}的函"),
            addressee=one.line.unit.name,
            blocks=tuple(_text(office, period, one, plan, made)),
            organ=office.name,
            dated=made,
            note=contact_note(office),
        )
    )


def contact_note(office: config.Office) -> str:
    """Whom to call, as the note below the date says it; empty where neither is set."""
    parts = (("联系人", office.contact), ("联系电话", office.phone))
    return "，".join(f"{label}：{text}" for label, text in parts if text)


def quoted_title(title: str) -> str:
    """A document's title in 《》, those within it turned into 〈〉 as GB/T 15834-2011 wants."""
    return f"《{title.replace('《', '〈').replace('》', '〉')}》"


def answer_day(calendar: Calendar, made: date) -> str:
    """The day by which a letter wants an answer, as it is printed: （估算） follows where the rest
    days on the way are not announced.
    """
    day = calendar.working_day(made, WORKING_DAYS_TO_ANSWER)
    guessed = any(calendar.is_estimated(year) for year in {made.year, day.year})
    return chinese_date(day) + _ESTIMATED * guessed


def due_day(calendar: Calendar, period: Period, unit: str | None = None) -> str:
    """A period's due date as it is printed, for one unit where a code is given. It too is a guess
    where it was moved off a rest day that is not announced.
    """
    day = calendar.due(period, unit)
    fixed = period in calendar.special or (unit, period) in calendar.extensions
    moved = calendar.roll is not Roll.NONE and not fixed
    return chinese_date(day) + _ESTIMATED * (moved and calendar.is_estimated(day.year))


_ESTIMATED = "（估算）"


def _text(
    office: config.Office, period: Period, one: Chased, plan: Plan, made: date
) -> Iterator[Block]:
    yield Body(_opening(period, one, plan, made))
    yield Heading("缺报内容" if one.has_returned else "报送内容")
    yield from _owed(period, one, plan)
    yield Heading("报送要求")
    yield Body(_request(period, one, made))
    yield Body(_where_the_form_is(office, one))
    yield Body("特此函达，请予支持。")


def _opening(period: Period, one: Chased, plan: Plan, made: date) -> str:
    line = one.line
    due = f"{due_day(line.calendar, period, line.unit.code)}前（含当日）"
    duty = f"按照{quoted_title(plan.title)}及定期报送工作推进情况的要求，贵单位"
    if line.receipt is not None:
        came = f"{duty}于{chinese_date(line.receipt.received.astimezone(CHINA).date())}"
        if not one.has_form:
            way = f"以{line.receipt.way}" if line.receipt.way else ""
            return (
                f"{came}{way}报送的{period.label}工作推进情况已收悉，但电子报送表尚未收到，"
                "现函请补报。"
            )
        return f"{came}报送的{period.label}报送表已收悉。经核对，仍有必报事项没有填报，现函请补报。"
    state = f"{duty}{period.label}工作推进情况应于{due}报送。截至{chinese_date(made)}，"
    if line.state is UnitState.OVERDUE:
        return f"{state}我办尚未收到贵单位的报送表，已逾期{line.days_overdue}天，现予催报。"
    return f"{state}我办尚未收到贵单位的报送表，现提醒按时报送。"


def _owed(period: Period, one: Chased, plan: Plan) -> Iterator[Block]:
    """The required items that are not answered, in plan order."""
    titles = [
        f"{plan.by_key[cell.obligation.item].title}（{cell.obligation.role.value}）"
        for cell in one.line.missing
    ]
    if not titles:
        yield Body(f"{period.label}报送表。贵单位本期没有必报事项，如无选报内容，也请返回报送表。")
        return
    if one.has_form:
        yield Body(f"以下{len(titles)}项必报事项未填，或只填了不能作为答复的内容：")
    else:
        yield Body(f"{period.label}报送表，其中必报事项{len(titles)}项：")
    ends = ["；"] * (len(titles) - 1) + ["。"]
    yield from numbered(title + end for title, end in zip(titles, ends, strict=True))


def _request(period: Period, one: Chased, made: date) -> str:
    line = one.line
    if not one.has_returned and line.state is not UnitState.OVERDUE:
        due = due_day(line.calendar, period, line.unit.code)
        return f"请于{due}前（含当日）报送，逾期未报的将予催报、通报。"
    what = "报送"
    if one.has_returned:
        what = "补齐缺报事项并重新报送" if one.has_form else "补报电子报送表"
    return (
        f"请于收到本函后{WORKING_DAYS_TO_ANSWER}个工作日内，"
        f"即{answer_day(line.calendar, made)}前（含当日）{what}。"
        "本季度没有进展或者不涉及的事项，请在报送表中如实选择并写明原因。"
    )


def _where_the_form_is(office: config.Office, one: Chased) -> str:
    copy = "在已报送的报送表上补填" if one.has_form else "使用先前下发给贵单位的报送表填报"
    call = "与我办联系" if contact_note(office) else "与下发单位联系"
    return (
        f"请{copy}，不要另行制表或者使用其他单位的表，经审签后按原渠道返回。"
        f"报送表遗失或者有疑问的，请{call}。已经报送的，请告知报送时间和方式，以便核对。"
    )
