"""Believable invented answers for the demo, by fixed rules: the same unit says the same again."""

from __future__ import annotations

import random

from bioduty_xl.domain.plan import Item, Role, Unit, UnitKind
from bioduty_xl.domain.returns import Progress

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_OFFICES = ("综合科", "自然生态保护科", "办公室", "规划财务科", "法规科", "业务科")

_ACTIONS = (
    "召开专题会议{n}次，研究“{task}”年度任务，形成工作台账{m}项",
    "联合有关单位开展现场调研{n}次，走访点位{m}个，梳理问题清单并逐项明确责任人",
    "印发工作方案1份，分解任务{m}项，已完成{n}项",
    "组织业务培训{n}期、{k}人次，发放宣传资料{k}份",
    "开展专项检查{n}轮，出动执法人员{k}人次，发现并督促整改问题{m}个",
    "完成{m}个监测点位的季度巡查，更新数据{k}条，质量抽查合格率{p}%",
)
_COUNTY_ACTIONS = (
    "指导{m}个乡（镇）落实“{task}”有关要求，开展巡查{k}人次",
    "依托林长制、河长制开展巡护{k}公里，劝导不当行为{m}起",
)
_FEATURES = (
    "建立“月调度、季通报”机制，任务按期完成率{p}%。",
    "探索部门联席、信息共享做法，办理时限压缩{n}个工作日。",
    "结合国际生物多样性日开展主题活动{n}场，参与群众{k}人次。",
)
_PROBLEMS = (
    "专业技术人员不足，基层监测力量较为薄弱。",
    "经费以年度预算安排为主，缺少稳定的专项投入。",
    "部门间数据标准不统一，共享还不够及时。",
)
_NEXT_STEPS = (
    "下季度完成剩余{m}项任务，开展“回头看”1次。",
    "组织第{n}轮现场检查，督促问题整改销号。",
    "编制完善工作指南，开展培训{n}期。",
)
_STATES = (Progress.ONGOING, Progress.ONGOING, Progress.CONTINUOUS, Progress.DONE)


class Author:
    """The person at a unit who fills its return.

    Args:
        unit: the unit.
        period: for which period; the person stays the same, the text changes.
    """

    def __init__(self, unit: Unit, period: str) -> None:
        self._unit = unit
        self._said = random.Random(f"{unit.code} {period}")
        self._number = 1 + int(unit.code[1:]) + (100 if unit.kind is UnitKind.COUNTY else 0)

    def answer(self, item: Item, role: Role) -> dict[str, str]:
        """What the unit reports on an item, by column key."""
        actions = _COUNTY_ACTIONS if role is Role.COUNTY else ()
        first, second = self._said.sample(_ACTIONS + actions, 2)
        answer = {
            "status": self._said.choice(_STATES).value,
            "progress": f"{self._filled(first, item)}；{self._filled(second, item)}。",
            "problems": "无",
            "next_steps": self._filled(self._said.choice(_NEXT_STEPS), item),
        }
        if self._said.random() < 0.3:
            answer["features"] = self._filled(self._said.choice(_FEATURES), item)
        if self._said.random() < 0.35:
            answer["problems"] = self._said.choice(_PROBLEMS)
        return answer

    def volunteers(self) -> bool:
        """Whether the unit reports on an optional item."""
        return self._said.random() < 0.4

    def signature(self) -> dict[str, str]:
        """Who filled and who signed, by field key."""
        return {"filler": self._name(0), "phone": self._phone(0), "approver": self._name(1)}

    def contact(self) -> dict[str, str]:
        """The unit's line on the contact form, by column key."""
        return {
            "leader": self._name(1),
            "leader_phone": self._phone(1),
            "office": _OFFICES[self._number % len(_OFFICES)],
            "name": self._name(0),
            "phone": self._phone(0),
        }

    def rename(self, name: str) -> str:
        """The file name under which the person sends the form back."""
        habits = (
            name,
            name,
            name,
            f"{name} (1) 最终版",
            f"{self._unit.name}报送表",
            f"{name}-盖章",
        )
        return habits[self._number % len(habits)]

    def _name(self, which: int) -> str:
        return _SURNAMES[(self._number + which * 7) % len(_SURNAMES)] + "某某"[: 1 + which % 2]

    def _phone(self, which: int) -> str:
        return f"0812-0{self._number:03d}{which:03d}"

    def _filled(self, text: str, item: Item) -> str:
        return text.format(
            task=item.title,
            n=self._said.randint(2, 5),
            m=self._said.randint(6, 18),
            k=self._said.randint(30, 480),
            p=self._said.randint(91, 99),
        )
