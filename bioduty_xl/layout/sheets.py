"""THE DECLARATION: every sheet we write or read, column by column.

A heading is written here and nowhere else. From one line come the form's heading, width, lock and
drop-down, the reader's lookup (by heading and key, never by position), the merged column and its
format. Sheet names and headings of the forms and the consolidated book are public.
"""

from __future__ import annotations

from bioduty_xl.domain.calendar import MOST_EXTENDED_DAYS
from bioduty_xl.domain.register import ChangeKind
from bioduty_xl.domain.returns import Progress
from bioduty_xl.layout.columns import Column, Field, Filler, Kind, Sheet

IDENTITY_SHEET = "_bioduty"
"""Very hidden sheet of a form: the workbook's own copy of the token."""

TOKEN_PROPERTY = "bioduty_token"  # noqa: S105  # a name, not a secret
"""Custom document property with the token."""

WORKBOOK_NAME = "_bioduty_form"
"""Workbook-level defined name whose value is the token."""

SHEET_NAME = "_bioduty_sheet"
"""Sheet-level defined name whose value is the token."""

GUIDE_TITLE = "填报说明"

NO_PREVIOUS = "（无上期记录）"
"""上期下一步打算 where nothing was collected last quarter, so also on the first form."""

NO_PREVIOUS_ANSWER = "（上期未填）"
"""上期下一步打算 where the unit's last return left it blank."""

EXEMPT_BEFORE = "（上期免报）"
"""上期下一步打算 where the unit owed nothing last quarter."""

NOT_RETURNED_BEFORE = "未报送"
"""上期下一步打算 where the unit sent nothing last quarter."""

RETURN_FORM = Sheet(
    key="return",
    title="工作推进情况",
    heading="生物多样性保护责任分工方案工作推进情况季度报送表",
    fields=(
        Field("unit", "报送单位"),
        Field("period", "报送期"),
        Field("due", "截止日期"),
        Field("code", "校验码"),
        Field("filler", "填报人", Filler.UNIT, hint="请填写填报人姓名。"),
        Field(
            "phone",
            "联系电话",
            Filler.UNIT,
            Kind.PHONE,
            "手机号码，或者带区号的座机号码，如 0812-1234567；多个号码用“、”隔开。",
        ),
        Field("approver", "审签领导", Filler.UNIT, hint="请填写审签本表的单位领导姓名。"),
    ),
    columns=(
        Column("no", "序号", Kind.NUMBER, 4, Filler.PLAN),
        Column("task", "重点任务", Kind.TEXT, 10, Filler.PLAN),
        Column("measures", "主要举措", Kind.TEXT, 21, Filler.PLAN),
        Column("duty", "本单位职责", Kind.WORD, 11.5, Filler.PLAN),
        Column("previous", "上期下一步打算", Kind.TEXT, 12, Filler.PREVIOUS),
        Column(
            "status",
            "进展状态",
            Kind.CHOICE,
            8.5,
            Filler.UNIT,
            choices=tuple(progress.value for progress in Progress),
            hint="请从下拉列表中选择。选“本季度无进展”或“不涉及”的，须在“工作开展情况”或“备注”中写明原因。",
        ),
        Column(
            "progress",
            "工作开展情况",
            Kind.TEXT,
            24,
            Filler.UNIT,
            hint="写清做了什么、取得什么结果，尽量有时间、数量。填“无”“同上”“略”的按未填处理。",
        ),
        Column(
            "features",
            "特色及成效",
            Kind.TEXT,
            9.5,
            Filler.UNIT,
            hint="本季度工作的亮点、特色做法和成效，没有可不填。",
        ),
        Column(
            "problems",
            "存在的问题",
            Kind.TEXT,
            11,
            Filler.UNIT,
            hint="工作中存在的问题和困难，没有的填“无”。",
        ),
        Column(
            "next_steps",
            "下一步工作打算",
            Kind.TEXT,
            13,
            Filler.UNIT,
            hint="下季度拟开展的工作，将印在下期报送表上供对照。",
        ),
        Column("remark", "备注", Kind.TEXT, 6, Filler.UNIT, hint="其他需要说明的情况。"),
    ),
)

CONTACTS_FORM = Sheet(
    key="contacts",
    title="联系人名单",
    heading="攀枝花市生物多样性保护工作联系人名单",
    fields=(Field("code", "校验码"),),
    columns=(
        Column("unit", "单位名称", Kind.WORD, 22, Filler.PLAN),
        Column("leader", "分管领导", Kind.WORD, 14, Filler.UNIT, hint="分管领导姓名。"),
        Column(
            "leader_phone", "联系电话", Kind.PHONE, 18, Filler.UNIT, hint="分管领导的联系电话。"
        ),
        Column("office", "主办单位（科室）", Kind.WORD, 20, Filler.UNIT, hint="承办科室名称。"),
        Column("name", "联系人", Kind.WORD, 14, Filler.UNIT, hint="具体联系人姓名。"),
        Column("phone", "联系电话", Kind.PHONE, 18, Filler.UNIT, hint="联系人的联系电话。"),
        Column("remark", "备注", Kind.TEXT, 16, Filler.UNIT, hint="其他需要说明的情况。"),
    ),
)

CORRECTIONS = Sheet(
    "corrections",
    "修改清单",
    (
        Column("no", "序号", Kind.NUMBER, 6),
        Column("severity", "程度", width=8),
        Column("task", "重点任务", Kind.TEXT, 30),
        Column("cell", "位置（点击打开）", width=16),
        Column("message", "意见（怎么改）", Kind.TEXT, 62),
    ),
    heading="{报送单位}{报送期}报送表修改清单",
)
"""The first sheet of a correction copy."""

PLAN_UNITS = Sheet(
    "plan_units",
    "单位",
    (
        Column("code", "单位代码", width=10),
        Column("name", "单位名称", width=26),
        Column("kind", "单位类别", Kind.CHOICE, 12, choices=("部门", "县（区）")),
        Column("aliases", "简称与别名", Kind.TEXT, 80),
    ),
)
PLAN_ITEMS = Sheet(
    "plan_items",
    "任务",
    (
        Column("key", "任务编号", width=10),
        Column("part", "部分序号", Kind.NUMBER, 10),
        Column("part_title", "部分名称", Kind.TEXT, 30),
        Column("no", "任务序号", Kind.NUMBER, 10),
        Column("title", "任务名称", Kind.TEXT, 40),
        Column("description", "任务内容", Kind.TEXT, 90),
    ),
)
PLAN_MEASURES = Sheet(
    "plan_measures",
    "举措",
    (
        Column("key", "举措编号", width=12),
        Column("item", "任务编号", width=10),
        Column("text", "主要举措", Kind.TEXT, 110),
    ),
)
PLAN_ASSIGNMENTS = Sheet(
    "plan_assignments",
    "分工",
    (
        Column("unit", "单位", width=26),
        Column("item", "任务编号", width=10),
        Column("role", "职责", Kind.CHOICE, 10, choices=("牵头", "责任", "属地")),
    ),
)

REGISTER_EXTENSIONS = Sheet(
    "extensions",
    "延期",
    (
        Column("unit", "单位", width=30),
        Column("period", "报送期", width=12),
        Column("due", "延期至", Kind.DATE, 14),
        Column("approved_by", "批准人", width=14),
        Column("reason", "事由", Kind.TEXT, 50),
    ),
    heading="批准延期的单位，一行一个。报送期写成 2024Q2 的样子；延期至为最后一天，含当日，"
    f"不早于原截止日期，最多延 {MOST_EXTENDED_DAYS} 天。",
)
REGISTER_EXEMPTIONS = Sheet(
    "exemptions",
    "免报",
    (
        Column("unit", "单位", width=30),
        Column("period", "报送期", width=12),
        Column("approved_by", "批准人", width=14),
        Column("reason", "事由", Kind.TEXT, 50),
    ),
    heading="批准免报的单位和报送期，事由必填；免报的不计逾期和缺项。",
)
REGISTER_RECEIPTS = Sheet(
    "receipts_by_other_ways",
    "收件更正",
    (
        Column("unit", "单位", width=30),
        Column("period", "报送期", width=12),
        Column("received", "实际收到日期", Kind.DATE, 16),
        Column("way", "收到方式", width=14),
        Column("remark", "备注", Kind.TEXT, 50),
    ),
    heading="返回表以其他方式先行收到（传真、邮件等）的，写明实际收到的日期，按时或迟报以此为准。"
    "电子表还没有放入收件夹的也可以先登记：单位计为已报，各事项在电子表到之前仍是缺项。",
)
REGISTER_OWNERSHIPS = Sheet(
    "ownerships",
    "归属认定",
    (
        Column("file", "文件", width=44),
        Column("unit", "单位", width=30),
        Column("period", "报送期", width=12),
        Column("reason", "理由", Kind.TEXT, 50),
    ),
    heading="待处理的文件经核实确属某单位的，照抄收件台账“文件”列的名称"
    "（或 SHA-256 的前 8 位以上），写明单位、报送期和理由；下次运行时按此收取。"
    "一行只认定登记时已经收到的一个文件，以后再来的同名文件须另行认定；认定错了的，直接改这一行。",
)
REGISTER_DAYS = Sheet(
    "days",
    "节假日",
    (
        Column("first", "起始日期", Kind.DATE, 14),
        Column("last", "结束日期", Kind.DATE, 14),
        Column("kind", "类别", Kind.CHOICE, 10, choices=("放假", "上班")),
        Column("note", "说明", Kind.TEXT, 50),
    ),
    heading="与程序所知的放假调休安排不同的日子，或新公布的安排。只有一天的，结束日期可以不写。",
)
REGISTER_CHANGES = Sheet(
    "unit_changes",
    "机构变动",
    (
        Column("since", "自哪一期起", width=12),
        Column("unit", "原单位", width=30),
        Column(
            "kind",
            "变动方式",
            Kind.CHOICE,
            12,
            choices=tuple(kind.value for kind in ChangeKind),
        ),
        Column("successor", "新单位", width=30),
        Column("basis", "依据", Kind.TEXT, 50),
    ),
    heading="单位更名、由新单位接替，或并入另一个单位；此前各期仍按原单位计。"
    "并入的，新单位须是责任分工方案中的单位。只能从尚未结账的报送期起；已生效的行请不要改动。",
)
REGISTER_ADDRESSES = Sheet(
    "addresses",
    "邮箱",
    (
        Column("unit", "单位", width=30),
        Column("address", "邮箱", width=40),
        Column("remark", "备注", Kind.TEXT, 50),
    ),
    heading="各单位接收报送表、退回修改和催报函的邮箱；设置了发信服务器才会发信。一个单位可以有几行。",
)
REGISTER_UNITS = Sheet(
    "register_units",
    "单位名录",
    (Column("name", "单位名称", width=30),),
    heading="供各表选用，不必填写。",
)

OVERVIEW = Sheet(
    "overview",
    "总览",
    (Column("name", "指标", width=20), Column("value", "数值", Kind.NUMBER, 10)),
)
CHANGES = Sheet(
    "changes",
    "与上期相比",
    (
        Column("name", "与上期相比", width=42),
        Column("before", "上期", Kind.NUMBER, 9),
        Column("now", "本期", Kind.NUMBER, 9),
        Column("change", "增减", Kind.NUMBER, 9),
    ),
)
"""A small table on 总览."""

INDEX = Sheet(
    "index",
    "分表索引",
    (
        Column("sheet", "工作表（点击打开）", width=26),
        Column("whole", "原表", width=14),
        Column("holds", "内容", Kind.TEXT, 60),
        Column("rows", "行数", Kind.NUMBER, 12),
    ),
)
"""Where the parts of a sheet are that has more rows than Excel takes; there when there are any."""

RECEIPTS = Sheet(
    "receipts",
    "报送台账",
    (
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=24),
        Column("kind", "单位类别", width=9),
        Column("state", "报送状态", width=9),
        Column("due", "截止日期", Kind.DATE, 11),
        Column("first_received", "首次收到", Kind.TIME, 17),
        Column("days", "逾期天数", Kind.NUMBER, 9),
        Column("revision", "修订次数", Kind.NUMBER, 9),
        Column("received", "最新收到", Kind.TIME, 17),
        Column("required", "必报项", Kind.NUMBER, 8),
        Column("filled", "已填", Kind.NUMBER, 7),
        Column("nil", "无进展", Kind.NUMBER, 7),
        Column("not_applicable", "不涉及", Kind.NUMBER, 7),
        Column("missing", "缺项", Kind.NUMBER, 7),
        Column("rate", "完成率", Kind.RATE, 8),
        Column("errors", "错误", Kind.NUMBER, 7),
        Column("warnings", "提示", Kind.NUMBER, 7),
        Column("filler", "填报人", width=10),
        Column("phone", "联系电话", Kind.PHONE, 15),
        Column("file", "返回文件", Kind.TEXT, 30),
        Column("others", "其他来件", Kind.TEXT, 24),
    ),
)
OVERDUE = Sheet(
    "overdue",
    "逾期清单",
    (
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=24),
        Column("due", "截止日期", Kind.DATE, 11),
        Column("days", "逾期天数", Kind.NUMBER, 9),
        Column("working_days", "逾期工作日", Kind.NUMBER, 11),
        Column("required", "必报项", Kind.NUMBER, 8),
        Column("contact", "联系人", width=12),
        Column("phone", "联系电话", Kind.PHONE, 18),
        Column("leader", "分管领导", width=12),
        Column("leader_phone", "分管领导电话", Kind.PHONE, 18),
    ),
)
MISSING_ITEMS = Sheet(
    "missing",
    "缺项清单",
    (
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=24),
        Column("item", "任务编号", width=9),
        Column("title", "重点任务", Kind.TEXT, 36),
        Column("duty", "本单位职责", width=13),
        Column("state", "状态", width=10),
        Column("why", "原因", Kind.TEXT, 44),
    ),
)
MATRIX = Sheet(
    "matrix",
    "任务矩阵",
    (Column("item", "任务编号", width=6), Column("title", "重点任务", Kind.TEXT, 36)),
)
"""The matrix has one more column for each unit, headed by its name."""

DETAIL = Sheet(
    "detail",
    "汇总明细",
    (
        Column("part", "所属部分", Kind.TEXT, 18),
        Column("item", "任务编号", width=9),
        Column("title", "重点任务", Kind.TEXT, 22),
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=18),
        Column("duty", "本单位职责", width=12),
        Column("state", "状态", width=8),
        *(
            Column(column.key, column.heading, column.kind, width)
            for column, width in zip(
                RETURN_FORM.filled_by(Filler.UNIT), (11, 46, 24, 24, 30, 14), strict=True
            )
        ),
        Column("last_status", "上期状态", width=9),
        Column("previous", RETURN_FORM["previous"].heading, Kind.TEXT, 24),
        Column("revision", "修订次数", Kind.NUMBER, 9),
        Column("received", "收到时间", Kind.TIME, 17),
        Column("file", "来源文件", Kind.TEXT, 26),
        Column("sheet", "来源工作表", width=14),
        Column("cell", "来源单元格", width=11),
    ),
)
PROBLEMS = Sheet(
    "problems",
    "问题清单",
    (
        Column("item", "任务编号", width=9),
        Column("title", "重点任务", Kind.TEXT, 30),
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=22),
        Column("duty", "本单位职责", width=12),
        Column("problems", RETURN_FORM["problems"].heading, Kind.TEXT, 50),
        Column("theme", "主题", width=12),
        Column("next_steps", RETURN_FORM["next_steps"].heading, Kind.TEXT, 50),
        Column("last_problems", "上期已反映", width=9),
        Column("file", "来源文件", Kind.TEXT, 26),
        Column("cell", "来源单元格", width=11),
    ),
)
_CONTACT_HEADINGS = {
    key: f"{CONTACTS_FORM[owner].heading}{CONTACTS_FORM[key].heading}"
    for key, owner in (("leader_phone", "leader"), ("phone", "name"))
}
"""A table in Excel wants each heading once, so the consolidated book says whose telephone it is."""

CONTACTS = Sheet(
    "contact_list",
    CONTACTS_FORM.title,
    (
        *(
            Column(
                column.key, _CONTACT_HEADINGS.get(column.key, column.heading), column.kind, width
            )
            for column, width in zip(
                CONTACTS_FORM.columns, (24, 12, 18, 18, 12, 18, 14), strict=True
            )
        ),
        Column("code", "单位代码", width=9),
        Column("received", "收到时间", Kind.TIME, 17),
        Column("stale", "核对", Kind.TEXT, 36),
    ),
)
FINDINGS = Sheet(
    "findings",
    "校验意见",
    (
        Column("severity", "程度", width=7),
        Column("rule", "规则", width=22),
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=22),
        Column("item", "任务编号", width=9),
        Column("message", "意见（怎么改）", Kind.TEXT, 60),
        Column("file", "来源文件", Kind.TEXT, 28),
        Column("sheet", "来源工作表", width=14),
        Column("cell", "来源单元格", width=11),
    ),
)
FILES = Sheet(
    "files",
    "收件台账",
    (
        Column("file", "文件", Kind.TEXT, 40),
        Column("received", "收到时间", Kind.TIME, 17),
        Column("verdict", "处理结果", width=10),
        Column("kind", "表种", width=12),
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=22),
        Column("revision", "修订次数", Kind.NUMBER, 9),
        Column("reason", "说明（怎么办）", Kind.TEXT, 60),
        Column("size", "字节数", Kind.NUMBER, 10),
        Column("sha256", "SHA-256", Kind.TEXT, 68),
    ),
)
DEFINITIONS = Sheet(
    "definitions",
    "口径说明",
    (Column("name", "事项", width=20), Column("text", "说明", Kind.TEXT, 100)),
)

LATE_RETURNS = Sheet(
    "late_returns",
    "补报",
    (
        Column("period", "报送期", width=10),
        Column("code", "单位代码", width=9),
        Column("unit", "报送单位", width=20),
        Column("kind", "类别", width=15),
        Column("received", "收到时间", Kind.TIME, 17),
        Column("days", "逾期天数", Kind.NUMBER, 9),
        Column("item", "任务编号", width=9),
        Column("title", "重点任务", Kind.TEXT, 24),
        Column("state", "状态", width=9),
        *(
            Column(key, RETURN_FORM[key].heading, RETURN_FORM[key].kind, width)
            for key, width in (
                *(("status", 11), ("progress", 46), ("features", 24)),
                *(("problems", 24), ("next_steps", 30)),
            )
        ),
        Column("file", "来源文件", Kind.TEXT, 26),
        Column("cell", "来源单元格", width=11),
    ),
)
"""Returns that came after their quarter was closed; the sheet is there when there are any."""

REMINDERS = Sheet(
    "reminders",
    "催报清单",
    (
        Column("code", "单位代码", width=6),
        Column("unit", "报送单位", width=17),
        Column("matter", "催报事由", width=9),
        Column("due", "截止日期", Kind.DATE, 11),
        Column("days", "逾期天数", Kind.NUMBER, 6),
        Column("working_days", "逾期工作日", Kind.NUMBER, 10),
        Column("urgency", "紧急程度", width=6),
        Column("contact", "联系人", width=8),
        Column("phone", "联系电话", Kind.PHONE, 14),
        Column("office", "主办单位（科室）", width=15),
        Column("leader", "分管领导", width=9),
        Column("leader_phone", "分管领导电话", Kind.PHONE, 14),
        Column("count", "缺项数", Kind.NUMBER, 5),
        Column("missing", "缺报内容", Kind.TEXT, 32),
        Column("reminded", "已催报", Kind.TEXT, 7),
    ),
)
"""Whom to call; narrow enough to be read when it is printed across a page."""

_CITY = Column("city", "市（州）", width=20)

PROVINCE = Sheet("province", "全省总览", OVERVIEW.columns)
CITIES = Sheet(
    "cities",
    "各市（州）情况",
    (
        Column("no", "序号", Kind.NUMBER, 5),
        _CITY,
        Column("merged", "汇总情况", Kind.CHOICE, 9),
        Column("due", "截止日期", Kind.DATE, 11),
        Column("expected", "应报单位", Kind.NUMBER, 9),
        Column("returned", "已报单位", Kind.NUMBER, 9),
        Column("on_time", "按时", Kind.NUMBER, 7),
        Column("late", "迟报", Kind.NUMBER, 7),
        Column("overdue", "逾期", Kind.NUMBER, 7),
        Column("not_due", "未到期", Kind.NUMBER, 7),
        Column("exempt", "免报", Kind.NUMBER, 7),
        Column("return_rate", "报送率", Kind.RATE, 8),
        Column("required", "必报事项", Kind.NUMBER, 9),
        Column("filled", "已填", Kind.NUMBER, 7),
        Column("nil", "无进展", Kind.NUMBER, 7),
        Column("not_applicable", "不涉及", Kind.NUMBER, 7),
        Column("not_filled", "返回未填", Kind.NUMBER, 9),
        Column("not_returned", "未返回", Kind.NUMBER, 7),
        Column("missing", "缺项", Kind.NUMBER, 7),
        Column("rate", "完成率", Kind.RATE, 8),
        Column("problems", "反映问题", Kind.NUMBER, 9),
        Column("held", "待处理文件", Kind.NUMBER, 11),
        Column("rejected", "拒收文件", Kind.NUMBER, 9),
        Column("as_of", "统计时点", Kind.TIME, 17),
        Column("closed", "结账情况", width=9),
        Column("came_later", "结账后收到", Kind.NUMBER, 11),
        Column("office", "汇总单位", Kind.TEXT, 22),
        Column("contact", "联系人", width=10),
        Column("phone", "联系电话", Kind.PHONE, 15),
        Column("note", "说明", Kind.TEXT, 40),
        Column("folder", "文件夹", Kind.TEXT, 18),
    ),
)
"""A row for each folder that was given, also for those that could not be read; doubles last."""

CITY_ITEMS = Sheet(
    "city_items",
    "各市任务情况",
    (
        Column("keys", "任务编号", width=9),
        Column("title", "重点任务", Kind.TEXT, 34),
        Column("cities", "涉及市（州）", Kind.NUMBER, 12),
        Column("required", "必报", Kind.NUMBER, 7),
        Column("answered", "已答复", Kind.NUMBER, 7),
        Column("rate", "完成率", Kind.RATE, 8),
    ),
)
"""It has one more column for each city, headed by its name."""

CITY_UNITS = Sheet("city_units", "各单位情况", (_CITY, *RECEIPTS.columns))
CITY_MISSING = Sheet("city_missing", MISSING_ITEMS.title, (_CITY, *MISSING_ITEMS.columns))
CITY_DETAIL = Sheet("city_detail", DETAIL.title, (_CITY, *DETAIL.columns))
CITY_PROBLEMS = Sheet("city_problems", PROBLEMS.title, (_CITY, *PROBLEMS.columns))
PLAN_DIFFERENCES = Sheet(
    "plan_differences",
    "方案差异",
    (
        Column("title", "重点任务", Kind.TEXT, 40),
        Column("kind", "差异", width=12),
        Column("keys", "任务编号", Kind.TEXT, 40),
        Column("lacking", "没有此项的市（州）", Kind.TEXT, 40),
        Column("alike", "相近的任务", Kind.TEXT, 40),
    ),
)
"""Where the cities' plans do not agree, so that nobody takes a gap for a missing answer."""

CITY_FIGURES = Sheet(
    "city_figures",
    "各市（州）",
    (
        _CITY,
        *(CITIES[key] for key in ("expected", "returned", "overdue", "missing", "rate")),
    ),
)
PROBLEM_THEMES = Sheet(
    "problem_themes",
    "问题主题",
    (
        Column("theme", "反映的问题", width=16),
        Column("count", "条数", Kind.NUMBER, 9),
        Column("cities", "涉及市（州）", Kind.NUMBER, 9),
    ),
)
LEFT_OUT = Sheet(
    "left_out",
    "未计入的文件夹",
    (Column("city", "未计入的文件夹", width=16), Column("reason", "原因", Kind.TEXT, 60)),
)
"""Small tables on 全省总览."""

PROVINCE_BOOK = "全省汇总"
"""What the province's workbook is called."""

ROLLUP = (
    *(PROVINCE, CITIES, CITY_ITEMS, CITY_UNITS, CITY_MISSING),
    *(CITY_DETAIL, CITY_PROBLEMS, PLAN_DIFFERENCES, DEFINITIONS),
)
"""The province's workbook, in sheet order."""

REPORT = (
    *(OVERVIEW, RECEIPTS, OVERDUE, MISSING_ITEMS, MATRIX, DETAIL),
    *(PROBLEMS, CONTACTS, FINDINGS, FILES, DEFINITIONS),
)
"""The consolidated workbook, in sheet order."""

REGISTER_BOOK = (
    *(REGISTER_EXTENSIONS, REGISTER_EXEMPTIONS, REGISTER_RECEIPTS, REGISTER_OWNERSHIPS),
    *(REGISTER_DAYS, REGISTER_CHANGES, REGISTER_ADDRESSES),
)
"""The register, in sheet order; REGISTER_UNITS comes after them."""

PLAN_BOOK = (PLAN_UNITS, PLAN_ITEMS, PLAN_MEASURES, PLAN_ASSIGNMENTS)
"""The plan workbook, in sheet order."""
