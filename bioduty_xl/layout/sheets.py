"""THE DECLARATION: every sheet we write or read, column by column.

A heading is written here and nowhere else. From one line come the form's heading, width, lock and
drop-down, the reader's lookup (by heading and key, never by position), the merged column and its
format. Sheet names and headings of the forms and the consolidated book are public.
"""

from __future__ import annotations

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
        Column("rate", "完成率", Kind.PERCENT, 8),
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

REPORT = (
    *(OVERVIEW, RECEIPTS, OVERDUE, MISSING_ITEMS, MATRIX, DETAIL),
    *(PROBLEMS, CONTACTS, FINDINGS, FILES, DEFINITIONS),
)
"""The consolidated workbook, in sheet order."""

PLAN_BOOK = (PLAN_UNITS, PLAN_ITEMS, PLAN_MEASURES, PLAN_ASSIGNMENTS)
"""The plan workbook, in sheet order."""
