"""A plan of as many units as wanted and their returns, straight into the ledger: what a big
collection looks like to the consolidation, without a file for each unit.
"""

import hashlib
import random
from dataclasses import replace
from datetime import datetime, timedelta

from bioduty_xl import Workspace
from bioduty_xl.domain.calendar import moment
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Plan, Unit
from bioduty_xl.domain.returns import Entry, Finding, Return, Severity
from bioduty_xl.domain.stamp import FormKind, Stamp
from bioduty_xl.layout.packaged import PLAN, packaged
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.ledger import Conclusion, Ledger
from bioduty_xl.plan.book import read_plan, write_plan

WORK = (
    *("开展巡护", "新建监测样地", "完成本底调查", "组织宣传活动", "修复受损生境", "出动执法人员"),
    *("制定实施方案", "召开联席会议", "排查外来入侵物种", "建立数据台账", "培训骨干"),
)
PROBLEMS = ("经费不足，设备老化", "专业技术人员少，人手不够", "部门之间协调配合有待加强", "无")
STATUSES = ("推进中", "推进中", "推进中", "已完成", "长期坚持", "本季度无进展")


def plan_of(units: int) -> Plan:
    """The real plan with so many units; each further one has the duties of a real one."""
    real = read_plan(packaged(PLAN))
    more: dict[str, list[Unit]] = {unit.code: [] for unit in real.units}
    for n in range(units - len(real.units)):
        like = real.units[n % len(real.units)]
        code = f"{chr(ord('A') + n // 900)}{100 + n % 900}"
        more[like.code].append(Unit(code, f"{like.name}{n + 1}", like.kind))

    def with_more(codes: tuple[str, ...]) -> tuple[str, ...]:
        return (*codes, *(unit.code for code in codes for unit in more[code]))

    items = tuple(
        replace(
            item,
            lead=with_more(item.lead),
            responsible=with_more(item.responsible),
            counties=with_more(item.counties),
        )
        for item in real.items
    )
    kept = real.units[:units]
    return replace(real, units=(*kept, *(u for some in more.values() for u in some)), items=items)


def settle(workspace: Workspace, units: int, *periods: str, share: float = 0.9) -> Workspace:
    """The workspace with a plan of so many units, and for each period a return of most of them.

    Args:
        share: of the units that returned.
    """
    plan = plan_of(units)
    write_plan(plan, workspace.root / "plan.xlsx")
    chance = random.Random(units)
    workspace.state_dir.mkdir(exist_ok=True)
    (workspace.state_dir / "signing.key").write_text("bd" * 32, encoding="ascii")
    with Ledger(workspace.state_dir / "ledger.sqlite") as ledger:
        ledger._db.execute("PRAGMA synchronous = OFF")  # nothing here outlives the test
        for text in periods:
            period = Period.parse(text)
            due = _due(period)
            forms = [
                (Stamp(FormKind.RETURN, "0" * 8, unit.code, period), unit.name, due.date())
                for unit in plan.units
            ]
            ledger.record_forms(forms, None)
            duties: dict[str, list[str]] = {}
            for duty in plan.obligations():
                duties.setdefault(duty.unit, []).append(duty.item)
            for unit in plan.units:
                if chance.random() < share:
                    _return(ledger, period, unit, duties.get(unit.code, []), chance)
    return Workspace.open(workspace.root)


def _due(period: Period) -> datetime:
    return moment(f"{period.year}-{period.last_month:02d}-25T09:00")


def _return(
    ledger: Ledger, period: Period, unit: Unit, items: list[str], chance: random.Random
) -> None:
    due = _due(period)
    name = f"已收/{period}/{unit.name}_{period}.xlsx"
    sha256 = hashlib.sha256(f"{period}{unit.code}".encode()).hexdigest()
    received = due - timedelta(hours=chance.randrange(-40, 200))
    file = ledger.receive(sha256, name, chance.randrange(15000, 24000), 0, received)
    entries = tuple(_entry(item, row, chance) for row, item in enumerate(items, start=6))
    blank = [entry for entry in entries if not entry["progress"]]
    findings = tuple(
        Finding(
            *("REQUIRED_BLANK", Severity.ERROR, "必报事项没有填写，请补充"),
            *(entry.sheet, entry.cells["progress"], entry.item, "progress"),
        )
        for entry in blank
    )
    returned = Return(
        FormKind.RETURN, unit.code, period, {"filler": "赵某", "phone": "0812-0000001"}, {}, entries
    )
    ledger.conclude(
        file,
        Conclusion("accepted", "", FormKind.RETURN, unit.code, period, 1, returned, findings),
    )


def _entry(item: str, row: int, chance: random.Random) -> Entry:
    work = "；".join(
        f"{chance.randrange(4, 7)}月{chance.choice(WORK)}{chance.randrange(2, 400)}次"
        for _ in range(chance.randrange(2, 9))
    )
    answers = {
        "status": chance.choice(STATUSES),
        "progress": f"{work}。" if chance.random() > 0.02 else "",
        "features": chance.choice(("建立部门会商机制。", "")),
        "problems": chance.choice(PROBLEMS),
        "next_steps": f"{chance.choice(WORK)}{chance.randrange(2, 90)}处。",
        "remark": "",
    }
    cells = {key: f"{'FGHIJK'[n]}{row}" for n, key in enumerate(answers)}
    return Entry(item, answers, RETURN_FORM.title, cells)
