"""Sorts the problems that units report into themes, by the words that they use.

Plain counting, no learning: the same text always has the same theme, and a coordinator can see
why. What no word fits is 其他, never lost.
"""

from __future__ import annotations

from collections.abc import Mapping

OTHER = "其他"

_WORDS: Mapping[str, tuple[str, ...]] = {
    "经费保障": (
        *("经费", "资金", "财政", "预算", "投入不足", "投入有限", "拨付", "配套资金", "缺钱"),
        *("融资", "补偿资金", "费用", "筹措"),
    ),
    "人员力量": (
        *("人员", "人员不足", "人手", "编制", "力量", "薄弱", "队伍", "人少", "兼职"),
        *("专职", "身兼数职", "缺人", "执法力量", "人力"),
    ),
    "专业技术": (
        *("专业", "技术", "人才", "科研", "鉴定", "专家", "培训", "业务能力", "能力不足"),
        *("研究基础", "识别能力"),
    ),
    "设施设备": (
        *("设施", "设备", "装备", "仪器", "车辆", "无人机", "平台建设", "站点", "场所", "场地"),
        *("实验室", "硬件", "信号", "老化"),
    ),
    "协调配合": (
        *("协调", "配合", "联动", "会商", "沟通", "衔接", "协作", "合力", "跨部门", "部门间"),
        *("各自为政", "信息共享", "职责不清", "职责交叉", "推诿"),
    ),
    "制度政策": (
        *("制度", "政策", "法规", "法律", "条例", "办法", "标准", "机制不", "机制尚", "规划"),
        *("细则", "依据", "审批", "上级文件", "考核", "补偿标准"),
    ),
    "数据监测": (
        *("数据", "数据标准", "数据共享", "监测", "调查", "普查", "本底", "底数", "信息化"),
        *("统计", "台账", "名录", "编目", "样地", "样线", "评估"),
    ),
    "宣传意识": (
        *("宣传", "意识", "公众", "群众", "认识不", "重视", "参与度", "知晓率", "科普", "氛围"),
        *("积极性", "社会参与", "观念"),
    ),
}
"""Theme → the words that speak for it. Each word counts once however often it stands in a text; of
themes with as many words the earlier is taken.
"""

THEMES = (*_WORDS, OTHER)
"""The themes in order; 其他 is last."""


def theme_of(text: str) -> str:
    """The theme of a reported problem: the one with most of its words in the text; 其他 where no
    word of any theme is found.
    """
    counts = {theme: len([w for w in words if w in text]) for theme, words in _WORDS.items()}
    best = max(counts, key=lambda theme: counts[theme])  # the first of several as good
    return best if counts[best] else OTHER
