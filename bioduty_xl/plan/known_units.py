"""Names of Panzhihua's offices that the plan does not spell out.

The letter names 33 departments and says only "县（区）" of the counties. Which five those are, and
the short and full names by which people write of all of them, is public knowledge of the city's
administration; it is data here, so that a return signed 市发改委 is known to be 市发展改革委's.
"""

from __future__ import annotations

COUNTIES = ("东区人民政府", "西区人民政府", "仁和区人民政府", "米易县人民政府", "盐边县人民政府")
"""The counties and districts of Panzhihua, in the customary order."""

ALIASES: dict[str, tuple[str, ...]] = {
    "市生态环境局": ("市环境保护局", "市环保局", "市生态局"),
    "市林业局": ("市林业和草原局", "市林草局"),
    "市农业农村局": ("市农业局", "市农牧局"),
    "市司法局": (),
    "市自然资源和规划局": ("市自然资源局", "市自规局", "市资规局", "市国土资源局"),
    "市卫生健康委": ("市卫生健康委员会", "市卫健委"),
    "市发展改革委": ("市发展和改革委员会", "市发展改革委员会", "市发改委"),
    "市住房城乡建设局": ("市住房和城乡建设局", "市住建局"),
    "市交通运输局": ("市交通局", "市交运局"),
    "市水利局": ("市水务局",),
    "市城管执法局": (
        "市城市管理行政执法局",
        "市城市管理执法局",
        "市综合行政执法局",
        "市城管局",
    ),
    "市财政局": (),
    "驻市生态环境监测中心站": (
        "四川省攀枝花生态环境监测中心站",
        "攀枝花生态环境监测中心站",
        "市生态环境监测中心站",
        "驻市监测中心站",
    ),
    "市气象局": (),
    "攀枝花海关": ("市海关", "中华人民共和国攀枝花海关"),
    "市科技局": ("市科学技术局",),
    "市中医药局": ("市中医药管理局",),
    "市公安局": (),
    "市检察院": ("市人民检察院",),
    "市市场监管局": ("市市场监督管理局", "市场监管局", "市监局"),
    "市委组织部": ("市组织部",),
    "市审计局": (),
    "市纪委监委": ("市纪律检查委员会监察委员会", "市纪委市监委", "市纪委", "市监委"),
    "市政府办公室": ("市人民政府办公室", "市政府办"),
    "市商务局": (),
    "市文化广播电视和旅游局": ("市文广旅局", "市文旅局", "市文化广电旅游局"),
    "市委宣传部": ("市宣传部",),
    "市教育和体育局": ("市教体局", "市教育局"),
    "市目标绩效办": ("市目标绩效管理办公室", "市目标办", "市绩效办"),
    "市委办公室": ("市委办",),
    "市委编办": ("市委机构编制委员会办公室", "市编办"),
    "市金融工作局": ("市金融局",),
    "市人力资源和社会保障局": ("市人力资源社会保障局", "市人社局"),
}
"""Department as the plan names it first → other ways to write it, without the city's name."""

_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in aliases}


def canonical_name(name: str) -> str:
    """The name under which the plan lists a unit; a name that nobody knows is its own."""
    return _CANONICAL.get(name, name)


def is_known(name: str) -> bool:
    """Whether the name, or what it is another way to write, is among the offices known here."""
    return canonical_name(name) in ALIASES or name in COUNTIES


def aliases_of(name: str) -> tuple[str, ...]:
    """Every other way in which people write a unit's name.

    To the ones listed come the forms with the city's own name: 攀枝花市林业局 for 市林业局, and
    东区, 攀枝花市东区 for 东区人民政府.
    """
    if name in COUNTIES:
        short = name.removesuffix("人民政府")
        spellings: tuple[str, ...] = (short, f"{short}政府", f"攀枝花市{short}")
        spellings += (f"攀枝花市{name}",)
    else:
        spellings = ALIASES.get(name, ())
        spellings += tuple(
            f"攀枝花{text}" for text in (name, *spellings) if text.startswith("市") and text[1:]
        )
    return tuple(dict.fromkeys(text for text in spellings if text != name))
