import re
import zipfile
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
from books import rezip
from office import numbering, reading, typing
from openpyxl.utils.datetime import to_excel

from bioduty_xl.domain.calendar import CHINA, Calendar, Roll, end_of_day
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.register import (
    ChangeKind,
    DayChange,
    Exemption,
    Extension,
    MailAddress,
    Ownership,
    Plans,
    Problem,
    Register,
    TrueReceipt,
    UnitChange,
    changed,
)
from bioduty_xl.errors import PlanError
from bioduty_xl.layout.packaged import PLAN, packaged
from bioduty_xl.layout.sheets import REGISTER_BOOK, REGISTER_UNITS
from bioduty_xl.plan import entry_words
from bioduty_xl.plan.book import read_plan
from bioduty_xl.plan.register import read_register, write_register
from bioduty_xl.plan.register_rows import MOST_ROWS

Q2, Q3, Q4 = Period(2024, 2), Period(2024, 3), Period(2024, 4)
WATER, FOREST, FARM = "U10", "U02", "U03"

GOOD = {
    "延期": [["市水利局", "2024Q2", date(2024, 7, 5), "李某", "防汛"]],
    "免报": [["市审计局", "2024Q2", "李某", "机构撤并"]],
    "收件更正": [["市林业局", "2024Q2", datetime(2024, 6, 24, 16, 30), "传真", "原件存档"]],
    "归属认定": [["报表 终稿.xlsx", "市财政局", "2024Q2", "电话核实"]],
    "节假日": [[date(2024, 10, 1), date(2024, 10, 7), "放假", "国庆节"]],
    "机构变动": [["2024Q3", "市农业农村局", "更名", "市乡村局", "某文〔2024〕1号"]],
    "邮箱": [["市水利局", "shui@example.org", "办公室"]],
}

READ = Register(
    extensions=(Extension(WATER, Q2, date(2024, 7, 5), "李某", "防汛"),),
    exemptions=(Exemption("U22", Q2, "机构撤并", "李某"),),
    receipts=(TrueReceipt(FOREST, Q2, datetime(2024, 6, 24, 16, 30, tzinfo=CHINA), "传真"),),
    ownerships=(Ownership("报表 终稿.xlsx", "U12", Q2, "电话核实"),),
    days=(DayChange(date(2024, 10, 1), date(2024, 10, 7), works=False, note="国庆节"),),
    changes=(UnitChange(Q3, ChangeKind.RENAMED, "市农业农村局", "市乡村局", "某文〔2024〕1号"),),
    addresses=(MailAddress(WATER, "shui@example.org"),),
)


def read_file(path, plan, calendar=None, **more):
    return read_register(path.read_bytes(), path.name, plan, calendar or Calendar(), **more)


def entry_texts(register, plan):
    return entry_words.entry_texts(register, Plans(plan, register.changes))


@pytest.fixture(scope="module")
def plan():
    return read_plan(packaged(PLAN))


@pytest.fixture(scope="module")
def blank(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("register") / "register.xlsx"
    write_register(path, plan)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "register.xlsx"


@pytest.fixture
def fill(blank, path):
    """Types rows under the headings, by sheet, and makes further changes; the path of it."""

    def run(rows, change=lambda book: None):
        book = openpyxl.load_workbook(blank)
        for title, entries in rows.items():
            for number, entry in enumerate(entries, start=3):
                for column, value in enumerate(entry, start=1):
                    book[title].cell(number, column).value = value
        change(book)
        book.save(path)
        return path

    return run


@pytest.fixture
def read(fill, plan):
    """The register that typed rows make."""

    def run(rows, change=lambda book: None, **more):
        return read_file(fill(rows, change), plan, **more)

    return run


@pytest.fixture
def problem_of(read):
    """What is wrong with a single row, whose problem is demanded to name it."""

    def run(title, *entry):
        [problem] = read({title: [entry]}).problems
        assert (problem.sheet, problem.row) == (title, 3)
        return problem.message

    return run


# There and back


def test_a_blank_register_says_nothing(blank, plan):
    assert read_file(blank, plan) == Register()


def test_the_same_plan_gives_the_same_bytes(blank, path, plan):
    write_register(path, plan)
    assert path.read_bytes() == blank.read_bytes()


def test_what_is_typed_is_read(read):
    assert read(GOOD) == READ


def test_sheets_have_their_explanation_and_headings(blank, plan):
    book = openpyxl.load_workbook(blank)
    assert book.sheetnames == [sheet.title for sheet in (*REGISTER_BOOK, REGISTER_UNITS)]
    for declared in REGISTER_BOOK:
        sheet = book[declared.title]
        assert sheet["A1"].value == declared.heading
        assert [cell.value for cell in sheet[2]] == [column.heading for column in declared.columns]
        assert [str(one) for one in sheet.merged_cells.ranges] == [
            f"A1:{chr(64 + len(declared.columns))}1"
        ]
        assert sheet.freeze_panes == "A3"
        assert sheet.max_row == 2
    units = book[REGISTER_UNITS.title]
    assert [units.cell(row, 1).value for row in range(3, units.max_row + 1)] == [
        unit.name for unit in plan.units
    ]


def drop_downs(path):
    """What each drop-down offers, by sheet and range."""
    return {
        (sheet.title, str(one.sqref)): one.formula1.replace("'", "").replace("$", "")
        for sheet in openpyxl.load_workbook(path)
        for one in sheet.data_validations.dataValidation
    }


def test_drop_downs_offer_units_and_words(blank):
    units = "单位名录!A3:A40"
    assert drop_downs(blank) == {
        ("延期", "A3:A500"): units,
        ("免报", "A3:A500"): units,
        ("收件更正", "A3:A500"): units,
        ("归属认定", "B3:B500"): units,
        ("节假日", "C3:C500"): '"放假,上班"',
        ("机构变动", "B3:B500"): units,
        ("机构变动", "C3:C500"): '"更名,接替,并入"',
        ("机构变动", "D3:D500"): units,
        ("邮箱", "A3:A500"): units,
    }


def test_a_drop_down_of_units_takes_other_names_too(blank):
    rules = openpyxl.load_workbook(blank)["机构变动"].data_validations.dataValidation
    strict = {str(one.sqref): bool(one.showErrorMessage) for one in rules}
    assert strict == {"B3:B500": False, "C3:C500": True, "D3:D500": False}


def test_texts_stay_texts_and_dates_are_dates(blank):
    columns = openpyxl.load_workbook(blank)["延期"].column_dimensions
    formats = [columns[letter].number_format for letter in "ABCDE"]
    assert formats == ["@", "@", "yyyy-mm-dd", "@", "@"]


@pytest.mark.office
def test_a_register_kept_in_libreoffice_is_read_and_keeps_its_drop_downs(blank, path, plan, office):
    day = to_excel(datetime(2024, 7, 5))
    *_, shown = office.change(
        blank,
        path,
        typing("延期", {"A3": "市水利局", "B3": "2024Q2", "D3": "李某", "E3": "防汛"}),
        numbering("延期", {"C3": day}),
        typing("免报", {"A3": "市审计局", "B3": "2024-2", "D3": "机构撤并"}),
        typing("节假日", {"A3": "2024年10月1日", "C3": "放假"}),
        numbering("收件更正", {"C3": to_excel(datetime(2024, 6, 24, 16, 30))}),
        typing("收件更正", {"A3": "市林业局", "B3": "2024Q2"}),
        reading("延期", "C3"),
    )
    register = read_file(path, plan)
    assert shown == {"C3": "2024-07-05"}
    assert register.problems == ()
    assert register.extensions == READ.extensions
    assert register.exemptions == (Exemption("U22", Q2, "机构撤并"),)
    assert [one.received for one in register.receipts] == [READ.receipts[0].received]
    assert register.days == (DayChange(date(2024, 10, 1), date(2024, 10, 1), works=False),)
    assert drop_downs(path).keys() == drop_downs(blank).keys()
    columns = openpyxl.load_workbook(path)["延期"].column_dimensions
    assert columns["B"].number_format == "@"


# Forgiving spellings


@pytest.mark.parametrize(
    "written",
    [
        *("2024Q2", " 2024q2 ", "2024-2", "2024年第二季度", "2024年二季度", "2024年第2季度"),
        *("２０２４Ｑ２", "2024 Q2", "2024/2", "２０２４年第二季度\n"),
    ],
)
def test_a_period_may_be_written_as_people_do(read, written):
    assert read({"免报": [["市审计局", written, None, "撤并"]]}).exemptions[0].period == Q2


@pytest.mark.parametrize(
    "written",
    [
        *(date(2024, 7, 5), datetime(2024, 7, 5), "2024-07-05", "2024/7/5", "2024.7.5"),
        *("2024年7月5日", "2024 年 7 月 5 日", "20240705", 20240705, "２０２４－０７－０５"),
        *("２０２４．７．５", " 2024-7-5 ", "2024-07-05 00:00:00"),
    ],
)
def test_a_date_may_be_written_as_people_do(read, written):
    register = read({"延期": [["市水利局", "2024Q2", written]]})
    assert register == Register(extensions=(Extension(WATER, Q2, date(2024, 7, 5)),))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (datetime(2024, 6, 24, 16, 30), (16, 30, 0)),
        (datetime(2024, 6, 24, 16, 59, 59), (16, 59, 59)),
        ("2024-06-24 16:30", (16, 30, 0)),
        ("2024-06-24T16:30:05", (16, 30, 5)),
        ("２０２４年６月２４日１６：３０", (16, 30, 0)),
        ("2024年6月24日16时30分", (16, 30, 0)),
        ("2024/6/24 9点", (9, 0, 0)),
        (date(2024, 6, 24), (23, 59, 59)),
        ("20240624", (23, 59, 59)),
    ],
)
def test_a_receipt_keeps_its_time_and_a_date_alone_is_its_end(read, written, meant):
    [receipt] = read({"收件更正": [["市林业局", "2024Q2", written]]}).receipts
    assert receipt.received == datetime(2024, 6, 24, *meant, tzinfo=CHINA)


def test_times_all_through_a_day_come_back_as_typed(read, plan):
    moments = [datetime(2024, 6, 24, 0, 1) + timedelta(minutes=37 * n) for n in range(38)]
    rows = [[unit.name, "2024Q2", at] for unit, at in zip(plan.units, moments, strict=True)]
    found = [one.received.replace(tzinfo=None) for one in read({"收件更正": rows}).receipts]
    assert found == moments


@pytest.mark.parametrize("written", ["市水利局", "市水务局", "攀枝花市水利局", "u10", " 市 水利局"])
def test_a_unit_may_be_written_in_any_of_its_spellings(read, written):
    assert read({"延期": [[written, "2024Q2", "2024-07-05"]]}).extensions[0].unit == WATER


def test_columns_may_move_and_others_may_stand_between(read):
    def shuffle(book):
        sheet = book["延期"]
        sheet.unmerge_cells("A1:E1")
        sheet.insert_cols(1, amount=2)
        sheet.insert_rows(1)
        sheet["A3"], sheet["A4"] = "登记人", "赵某"
        sheet.move_range("C3:C4", cols=7)
        book.move_sheet("延期", offset=3)
        book.create_sheet("备忘")["A1"] = "别忘了"

    assert read(GOOD, shuffle) == READ


def test_blank_rows_and_lone_remarks_are_no_entries(read):
    lone = [[None] * 4 + ["以上已报领导"]]
    spaced = [*GOOD["收件更正"], [None, "  "], *lone]
    days = [*GOOD["节假日"], [None, None, None, "其余照旧"]]
    mails = [[None, None, "待补"], *GOOD["邮箱"]]
    assert read({**GOOD, "收件更正": spaced, "节假日": days, "邮箱": mails}) == READ


# Rows that cannot take effect

UNIT_AND_PERIOD = [
    ((None, "2024Q2"), "“单位”是空的"),
    (("市水力局", "2024Q2"), "责任分工方案中没有“市水力局”，是否指：市水利局"),
    (("※", "2024Q2"), "责任分工方案中没有“※”，请照抄单位名录"),
    (("市水利局", None), "“报送期”是空的"),
    (("市水利局", 2024.2), "“2024.2”不是报送期，请写成 2024Q2 的样子"),
    (("市水利局", 2024), "“2024”不是报送期"),
    (("市水利局", date(2024, 2, 1)), "“2024-02-01”不是报送期"),
    (("市水利局", "2024Q5"), "“2024Q5”不是报送期"),
    (("市水利局", "2042Q22"), "“2042Q22”不是报送期"),
    (("市水利局", "0002Q2"), "“0002Q2”的年份不在 2020 至 2100 之间"),
    (("市水利局", "2204Q2"), "“2204Q2”的年份不在 2020 至 2100 之间"),
    (("市水利局", True), "“TRUE”不是报送期"),
    (("市水利局", "=1/0"), "“报送期”是公式错误"),
    (("市水利局", "#REF!"), "“报送期”是公式错误"),
    (("#NAME?", "2024Q2"), "“单位”是公式错误"),
]


@pytest.mark.parametrize(("written", "why"), UNIT_AND_PERIOD)
@pytest.mark.parametrize(
    ("title", "before", "after"),
    [
        ("延期", (), ("2024-07-05",)),
        ("免报", (), (None, "撤并")),
        ("收件更正", (), ("2024-06-24",)),
        ("归属认定", ("报表.xlsx",), ("核实",)),
    ],
)
def test_a_unit_or_period_that_cannot_be(fill, plan, title, before, after, written, why):
    path = fill({title: [(*before, *written, *after)]})
    if "=1/0" in written:
        as_excel_calculates(path)
    [problem] = read_file(path, plan).problems
    assert (problem.sheet, problem.row) == (title, 3)
    assert why in problem.message


def as_excel_calculates(path):
    """Give the formulas `1/0` of a workbook their value, which openpyxl leaves out."""

    def change(name, content):
        if not name.startswith("xl/worksheets/"):
            return content
        pattern = rb'<c r="(\w+)"( s="\d+")?[^>]*><f>1/0</f><v\s*(?:/>|></v>)'
        return re.sub(pattern, rb'<c r="\1"\2 t="e"><f>1/0</f><v>#DIV/0!</v>', content)

    rezip(path, path.with_suffix(".new"), change)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("title", "entry", "why"),
    [
        ("延期", ("市水利局", "2024Q2", None), "“延期至”是空的"),
        ("延期", ("市水利局", "2024Q2", "下周五"), "“延期至”中的“下周五”不是日期，请写成"),
        ("延期", ("市水利局", "2024Q2", "2024-06-31"), "“2024-06-31”不是日期"),
        ("延期", ("市水利局", "2024Q2", "24-7-5"), "“24-7-5”不是日期"),
        ("延期", ("市水利局", "2024Q2", 45478), "“45478”不是日期"),
        ("延期", ("市水利局", "2024Q2", 2024.7), "“2024.7”不是日期"),
        ("延期", ("市水利局", "2024Q2", time(9)), "“09:00:00”不是日期"),
        ("延期", ("市水利局", "2024Q2", timedelta(days=40)), "不是日期"),
        ("延期", ("市水利局", "2024Q2", "2204-07-05"), "“2204-07-05”的年份不在 2020 至 2100 之间"),
        ("延期", ("市水利局", "2024Q2", datetime(2024, 7, 5, 17)), "“延期至”中有时间，请只写日期"),
        ("延期", ("市水利局", "2024Q2", "2024-06-24"), "延期至 2024-06-24 早于 2024Q2 的截止日期"),
        ("延期", ("市水利局", "2024Q2", "2042-07-05"), "晚了 6584 天，最多延 92 天，请核对日期"),
        ("延期", ("市水利局", "2024Q2", "2024-07-05", "=1/0"), "“批准人”是公式错误"),
        ("延期", (None, None, None, "李某"), "“单位”是空的"),
        ("免报", ("市审计局", "2024Q2", "李某"), "“事由”是空的"),
        ("收件更正", ("市林业局", "2024Q2"), "“实际收到日期”是空的"),
        ("收件更正", ("市林业局", "2024Q2", "2024-06-24 25:00"), "不是日期"),
        ("收件更正", ("市林业局", "2024Q2", "2024-6-116:30"), "不是日期"),
        ("收件更正", ("市林业局", "2024Q2", "2023-06-24"), "实际收到日期 2023-06-24 早于"),
        ("归属认定", (None, "市财政局", "2024Q2", "核实"), "“文件”是空的"),
        ("归属认定", ("报表.xlsx", "市财政局", "2024Q2"), "“理由”是空的"),
        ("节假日", (None, "2024-10-07", "放假"), "“起始日期”是空的"),
        ("节假日", ("2024-10-07", "2024-10-01", "放假"), "2024-10-01 早于起始日期 2024-10-07"),
        ("节假日", ("2024-10-01", "2025-10-07", "放假"), "2024-10-01 至 2025-10-07 超过 60 天"),
        ("节假日", ("2024-10-01", "=1/0", "放假"), "“结束日期”是公式错误"),
        ("节假日", ("2024-10-01", None, "休息"), "类别“休息”无法识别，应为放假、上班之一"),
        ("节假日", ("2024-10-01",), "“类别”是空的"),
        ("机构变动", ("2024年", "市农业局", "更名", "市乡村局"), "“2024年”不是报送期"),
        ("机构变动", ("2024Q3", "市农业局", "改名", "市乡村局"), "应为更名、接替、并入之一"),
        ("机构变动", ("2024Q3", "市农业局", "更名"), "“新单位”是空的"),
        ("机构变动", ("2024Q3", "市农机局", "更名", "市乡村局"), "没有“市农机局”，是否指："),
        ("机构变动", ("2024Q3", "市农业局", "更名", "市农业局"), "新单位与原单位都写的是"),
        ("机构变动", ("2024Q3", "市农业局", "更名", "市林草局"), "“市林草局”已是市林业局的名称"),
        ("机构变动", ("2024Q3", "市农业局", "并入", "市乡村局"), "责任分工方案中没有“市乡村局”"),
        ("机构变动", ("2024Q3", "市农业局", "并入", "市农牧局"), "不能并入自身"),
        ("邮箱", ("市水力局", "shui@example.org"), "没有“市水力局”，是否指：市水利局"),
        ("邮箱", ("市水利局",), "“邮箱”是空的"),
        ("邮箱", ("市水利局", "；"), "不是邮箱地址"),
        ("邮箱", ("市水利局", "=1/0"), "“邮箱”是公式错误"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_a_problem_and_the_rest_counts(fill, plan, title, entry, why):
    path = fill({**GOOD, title: [entry, *GOOD[title]]})
    as_excel_calculates(path)
    register = read_file(path, plan)
    [problem] = register.problems
    assert (problem.sheet, problem.row) == (title, 3)
    assert why in problem.message
    assert str(problem) == f"“{title}”第 3 行：{problem.message}"
    assert register.entries == READ.entries


@pytest.mark.parametrize(
    "written",
    [
        *("shui", "@example.org", "shui@", "shui@example", "a@b@example.org", ".a@example.org"),
        *("a..b@example.org", "a@-x.example.org", "a@example..org", "赵某@example.org"),
        *("<a@example.org>", "赵某<a@example.org>", '"a"@example.org', "a@[127.0.0.1]"),
        *("a@example.org\nBcc: b@example.org", "a@example.org、b", "a@example.org\x7f"),
        *("a@example.org_x000D_Bcc:b@example.org", "a" * 250 + "@example.org", "a,b@"),
    ],
)
def test_what_is_no_mail_address_is_none_at_all(problem_of, written):
    assert "不是邮箱地址，应为 name@example.org 的样子" in problem_of("邮箱", "市水利局", written)


def test_a_cell_may_hold_several_addresses_and_a_unit_several_rows(read):
    cells = [
        "a@example.org、b.c+d@mail.example.org；e_f@example.org;g-h@example.org",
        "a@example.org，i@example.org, j@example.org\nk@example.org l@example.org",
        "ｍ＠example．org",
    ]
    register = read({"邮箱": [["市水利局", cell] for cell in cells]})
    names = ["a@", "b.c+d@mail.", "e_f@", "g-h@", "i@", "j@", "k@", "l@", "m@"]
    assert register.problems == ()
    assert [one.address for one in register.addresses] == [f"{name}example.org" for name in names]
    assert {one.unit for one in register.addresses} == {WATER}


# Rows that contradict each other


def messages(register):
    return [(one.sheet, one.row, one.message) for one in register.problems]


@pytest.mark.parametrize(
    ("title", "rows"),
    [
        ("延期", [["市水利局", "2024Q2", "2024-07-05"], ["U10", "2024-2", "2024-07-08"]]),
        ("免报", [["市审计局", "2024Q2", None, "撤并"], ["市审计局", "2024Q2", None, "筹建"]]),
        ("收件更正", [["市林业局", "2024Q2", "20240624"], ["市林草局", "2024Q2", "20240625"]]),
        ("机构变动", [["2024Q3", "U12", "更名", "财务局"], ["2024Q3", "U12", "接替", "财务局"]]),
    ],
)  # fmt: skip
def test_the_second_of_two_rows_that_disagree_names_the_first(read, title, rows):
    register = read({title: rows})
    message = "与第 3 行说的是同一件事而内容不同，请留一行"
    assert messages(register) == [(title, 4, message)]
    assert register == replaced(read({title: rows[:1]}), problems=register.problems)


def replaced(register, problems):
    return Register(*(getattr(register, name) for name in FIELDS), problems=problems)


FIELDS = ("extensions", "exemptions", "receipts", "ownerships", "days", "changes", "addresses")


def test_rows_that_say_the_same_count_once(read):
    assert read({title: [*rows, *rows, *rows] for title, rows in GOOD.items()}) == READ


def test_the_same_unit_may_be_extended_in_two_periods(read):
    rows = [["市水利局", "2024Q2", "2024-07-05"], ["市水利局", "2024Q3", "2024-10-08"]]
    assert [one.period for one in read({"延期": rows}).extensions] == [Q2, Q3]


def test_a_unit_is_not_both_extended_and_exempt(read):
    extensions = [["市审计局", "2024Q3", "2024-10-08"], ["市审计局", "2024Q2", "2024-07-05"]]
    register = read({"延期": extensions, "免报": GOOD["免报"]})
    message = "该单位 2024Q2 已免报（“免报”第 3 行），不会再延期，请删去其中一行"
    assert messages(register) == [("延期", 4, message)]
    assert [one.period for one in register.extensions] == [Q3]
    assert register.exemptions == READ.exemptions


def test_a_day_is_not_both_free_and_worked(read):
    rows = [
        *GOOD["节假日"],
        ["2024-10-07", "2024-10-12", "上班"],
        ["2024-10-12", None, "上班"],
        ["2024-10-01", "2024-10-02", "放假", "重写"],
    ]
    register = read({"节假日": rows})
    assert messages(register) == [("节假日", 4, "2024-10-07 在第 3 行写的是另一种类别，请核对")]
    assert [(one.first, one.works) for one in register.days] == [
        (date(2024, 10, 1), False),
        (date(2024, 10, 12), True),
        (date(2024, 10, 1), False),
    ]


def test_a_short_start_of_a_hash_is_a_file_name(read):
    rows = [["ab12", "市财政局", "2024Q2", "核"], ["0123456789abcdef", "市审计局", "2024Q2", "核"]]
    assert [one.file for one in read({"归属认定": rows}).ownerships] == [row[0] for row in rows]


def test_an_extension_is_measured_from_the_day_that_the_registers_own_rest_days_give(read):
    """25 June 2024 is a Tuesday; here the office rests on it, and the due date rolls on."""
    rows = {"延期": [["市水利局", "2024Q2", "2024-06-25"]]}
    rest = {"节假日": [["2024-06-25", None, "放假"]]}
    calendar = Calendar(roll=Roll.NEXT)
    assert read(rows, calendar=calendar).problems == ()
    register = read({**rows, **rest}, calendar=calendar)
    assert [problem.row for problem in register.problems] == [3]
    assert "早于 2024Q2 的截止日期 2024-06-26" in register.problems[0].message
    assert register.extensions == ()


def test_a_file_name_may_stand_in_rows_of_several_periods(read):
    rows = [["甲.xls", "市财政局", "2024Q2", "核"], ["甲.xls", "市审计局", "2024Q3", "核"]]
    register = read({"归属认定": rows})
    assert register.problems == ()
    assert [one.row for one in register.ownerships] == [3, 4]


# Changes of units


def test_changes_stand_in_the_order_in_which_they_take_effect(read):
    rows = [
        ["2025Q1", "市乡村局", "并入", "市林业局"],
        ["2024Q4", "市财政局", "接替", "市财务局"],
        ["2024Q3", "市农业局", "更名", "市乡村局"],
    ]
    register = read({"机构变动": rows})
    assert register.problems == ()
    assert [(str(one.since), one.unit, one.successor) for one in register.changes] == [
        ("2024Q3", "市农业农村局", "市乡村局"),
        ("2024Q4", "市财政局", "市财务局"),
        ("2025Q1", "市乡村局", "市林业局"),
    ]


def test_units_are_looked_up_as_they_stand_in_the_period(read):
    changes = [
        ["2024Q3", "市农业局", "更名", "市乡村局"],
        ["2024Q4", "市乡村局", "并入", "市林业局"],
    ]
    extensions = [
        ["市农业局", "2024Q2", "2024-07-05"],
        ["市乡村局", "2024Q2", "2024-07-05"],
        ["市乡村局", "2024Q3", "2024-10-08"],
        ["市农业局", "2024Q3", "2024-10-08"],
        ["市乡村局", "2024Q4", "2025-01-08"],
        ["U03", "2024Q4", "2025-01-08"],
    ]
    register = read({"机构变动": changes, "延期": extensions})
    assert messages(register) == [
        ("延期", 4, "2024Q2 的责任分工方案中没有“市乡村局”，是否指：市农业农村局"),
        ("延期", 8, "2024Q4 的责任分工方案中没有“U03”，是否指：市林业局"),
    ]
    assert [(one.unit, one.period) for one in register.extensions] == [
        (FARM, Q2),
        (FARM, Q3),
        (FOREST, Q4),
    ]


def test_a_unit_that_was_merged_does_not_change_again(read):
    rows = [
        ["2024Q3", "市农业局", "并入", "市林业局"],
        ["2024Q4", "市农业农村局", "并入", "市财政局"],
        ["2024Q4", "U03", "更名", "市乡村局"],
    ]
    register = read({"机构变动": rows})
    assert messages(register) == [
        ("机构变动", row, f"“{name}”已自 2024Q3 起并入市林业局（第 3 行），请核对")
        for row, name in ((4, "市农业农村局"), (5, "U03"))
    ]
    assert [one.unit for one in register.changes] == ["市农业农村局"]


def test_a_later_change_does_not_rest_on_one_that_cannot_be(read):
    rows = [
        ["2024Q3", "市农业局", "更名", "市林业局"],
        ["2024Q3", "市农业局", "更名", "市乡村局"],
        ["2024Q4", "市乡村局", "更名", "市三农局"],
    ]
    register = read({"机构变动": rows})
    assert [problem.row for problem in register.problems] == [3]
    assert [one.successor for one in register.changes] == ["市乡村局", "市三农局"]


def test_every_change_that_is_read_can_be_made(read, plan):
    rows = [
        ["2024Q3", "市农业局", "更名", "市\n乡村局"],
        ["2024Q3", "市林业局", "接替", "市自然保护局"],
        ["2024Q4", "市自然保护局", "并入", "市乡村局"],
        ["2024Q3", "市林业局", "更名", "市乡村局"],
    ]
    register = read({"机构变动": rows})
    after = changed(plan, register.changes)
    assert after.problems() == ()
    assert after.by_code[FARM].name == "市 乡村局"
    assert FOREST not in after.by_code
    assert [problem.row for problem in register.problems] == [6]


def test_changes_without_end_are_cut_short_and_said_to_be(read):
    rows = [["2024Q3", "市林业局", "更名", f"市第{n}局"] for n in range(502)]
    register = read({"机构变动": rows})
    assert messages(register) == [("机构变动", 503, "只读前 500 条变动，从这一行起没有计入")]
    assert [one.successor for one in register.changes] == [row[3] for row in rows[:500]]


def test_mail_goes_by_names_of_any_time_and_to_a_unit_while_it_is_there(read):
    changes = [
        ["2024Q3", "市农业局", "更名", "市乡村局"],
        ["2024Q4", "市财政局", "并入", "市审计局"],
    ]
    mails = [
        ["市农业局", "a@example.org"],
        ["市乡村局", "b@example.org"],
        ["市财政局", "c@example.org"],
    ]
    register = read({"机构变动": changes, "邮箱": mails})
    assert register.problems == ()
    assert register.addresses == (
        MailAddress(FARM, "a@example.org"),
        MailAddress(FARM, "b@example.org"),
        MailAddress("U12", "c@example.org"),
    )


# Books that people have mishandled


def test_a_missing_sheet_is_a_problem_and_the_rest_counts(read):
    register = read(GOOD, lambda book: book.remove(book["免报"]))
    [problem] = register.problems
    assert str(problem) == "“免报”：没有这个工作表，这类事项都没有计入，请补上"
    assert register == replaced(
        Register(READ.extensions, (), *(getattr(READ, name) for name in FIELDS[2:])), (problem,)
    )


def test_a_sheet_without_a_needed_column_does_not_count(read):
    register = read(GOOD, lambda book: book["节假日"].delete_cols(2))
    [problem] = register.problems
    expected = "缺少列：结束日期；这个工作表没有计入，请补上标题和内容"
    assert problem == Problem("节假日", 0, expected)
    assert register.days == ()
    assert register.extensions == READ.extensions


def test_a_sheet_without_a_further_column_counts(read):
    register = read(GOOD, lambda book: book["延期"].delete_cols(4))
    assert messages(register) == [("延期", 0, "缺少列：批准人；其余各列照常计入，请补上标题和内容")]
    assert register.extensions == (Extension(WATER, Q2, date(2024, 7, 5), "", "防汛"),)


def test_a_sheet_without_headings_does_not_count(read):
    register = read(GOOD, lambda book: book["邮箱"].delete_rows(2))
    assert [(one.sheet, one.row) for one in register.problems] == [("邮箱", 0)]
    assert "缺少列：单位、邮箱、备注" in register.problems[0].message
    assert register.addresses == ()


def test_problems_stand_in_the_order_of_sheets_and_rows(read):
    bad = {title: [["？"] * 5, *rows, ["？"] * 5] for title, rows in reversed(GOOD.items())}
    register = read(bad, lambda book: book["免报"].delete_cols(4))
    places = [(one.sheet, one.row) for one in register.problems]
    assert places == [
        *(("延期", 3), ("延期", 5), ("免报", 0)),
        *((title, row) for title in list(GOOD)[2:] for row in (3, 5)),
    ]


def test_rows_far_below_are_left_out_and_said_to_be(read):
    def add(book):
        for column, value in enumerate(GOOD["延期"][0], start=1):
            book["延期"].cell(MOST_ROWS, column, value)
            book["延期"].cell(1_048_576, column, value)

    register = read({}, add)
    assert register.extensions == READ.extensions
    [problem] = register.problems
    assert (problem.sheet, problem.row) == ("延期", MOST_ROWS + 1)
    assert problem.message.startswith("只读前 5000 行，从这一行起没有计入")


def test_a_cell_at_the_end_of_the_sheet_is_turned_away(fill, plan):
    path = fill(GOOD, lambda book: book["延期"].cell(1_048_576, 16_384, 1))
    with pytest.raises(PlanError, match=r"register\.xlsx 的 XFD1048576 也有内容，离表太远"):
        read_file(path, plan)


def test_a_million_blank_rows_say_nothing(fill, plan):
    path = fill(GOOD)

    def lengthen(name, content):
        if name != "xl/worksheets/sheet1.xml":
            return content
        rows = "".join(
            f'<row r="{n}"><c r="A{n}" s="1"/><c r="B{n}" s="1" /></row>'
            for n in range(4, 1_000_000)
        )
        return content.replace(b"</sheetData>", rows.encode() + b"</sheetData>")

    assert read_file(rezip(path, path.with_name("long.xlsx"), lengthen), plan) == READ


def test_a_package_that_unpacks_to_far_too_much_is_turned_away(fill, plan):
    path = fill(GOOD)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package,
        package.open("xl/media/blank.bin", "w") as stream,
    ):
        for _ in range(401):
            stream.write(bytes(2**20))
    with pytest.raises(PlanError, match="解开后太大"):
        read_file(path, plan)


def damaged(content):
    return content[: len(content) // 2]


def without_book(path):
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("readme.txt", "nothing")
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", "单位,报送期".encode()])
def test_a_file_that_is_no_workbook_is_an_error(path, plan, content):
    path.write_bytes(content)
    with pytest.raises(PlanError, match=r"register\.xlsx 不是能打开的 Excel 工作簿"):
        read_file(path, plan)


def test_half_a_workbook_and_another_package_are_errors(blank, path, plan):
    for content in (damaged(blank.read_bytes()), without_book(path)):
        path.write_bytes(content)
        with pytest.raises(PlanError, match=r"register\.xlsx 不是能打开的 Excel 工作簿"):
            read_file(path, plan)


def test_broken_parts_are_an_error(blank, path, plan):
    for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml"):
        rezip(
            blank, path, lambda name, content, part=part: content[:99] if name == part else content
        )
        with pytest.raises(PlanError, match="不是能打开的 Excel 工作簿"):
            read_file(path, plan)


# For the record


def test_entries_are_put_into_words(read, plan):
    assert entry_texts(read(GOOD), plan) == (
        ("延期", "市水利局（U10） 2024Q2 延期至 2024-07-05 批准人 李某 事由 防汛"),
        ("免报", "市审计局（U22） 2024Q2 免报 批准人 李某 事由 机构撤并"),
        ("收件更正", "市林业局（U02） 2024Q2 实际收到 2024-06-24 16:30 收到方式 传真"),
        ("归属认定", "文件 报表 终稿.xlsx 归属 市财政局（U12） 2024Q2 理由 电话核实"),
        ("节假日", "2024-10-01 至 2024-10-07 放假 说明 国庆节"),
        ("机构变动", "自 2024Q3 起 市农业农村局 更名 市乡村局 依据 某文〔2024〕1号"),
        ("邮箱", "市水利局（U10） shui@example.org"),
    )


def test_a_change_is_known_again_whatever_its_basis_says(read, plan):
    register = read({"机构变动": GOOD["机构变动"]})
    texts = [text for _, text in entry_texts(register, plan)]
    (change,) = register.changes
    for basis in ("", "另一文件", change.basis):
        assert entry_words.is_on_record(replace(change, basis=basis), texts)
    assert entry_words.is_on_record(change, [texts[0].partition(" 依据 ")[0]])
    for other in (replace(change, successor="市乡村"), replace(change, since=Q4)):
        assert not entry_words.is_on_record(other, texts)


def test_a_change_that_is_objected_to_is_a_problem_and_those_that_rest_on_it_are(read):
    rows = [
        ["2024Q3", "市农业局", "更名", "市乡村局"],
        ["2024Q4", "市乡村局", "更名", "市三农局"],
        ["2024Q4", "市财政局", "接替", "市财务局"],
    ]
    register = read({"机构变动": rows}, objection=lambda one: "太晚" if one.since == Q3 else None)
    assert messages(register)[0] == ("机构变动", 3, "太晚")
    assert [problem.row for problem in register.problems] == [3, 4]
    assert [one.successor for one in register.changes] == ["市财务局"]


def test_words_leave_out_what_is_not_said(plan):
    register = Register(
        extensions=(Extension(WATER, Q2, date(2024, 7, 5)),),
        receipts=(TrueReceipt(FOREST, Q2, end_of_day(date(2024, 6, 24))),),
        days=(DayChange(date(2024, 10, 12), date(2024, 10, 12), works=True),),
    )
    assert [text for _, text in entry_texts(register, plan)] == [
        "市水利局（U10） 2024Q2 延期至 2024-07-05",
        "市林业局（U02） 2024Q2 实际收到 2024-06-24",
        "2024-10-12 上班",
    ]


def test_words_say_the_name_of_the_period_and_stay_the_same_afterwards(plan):
    def extension(period):
        return Extension(FARM, period, date(2025, 1, 8))

    before = Register(extensions=(extension(Q2),))
    rename = UnitChange(Q3, ChangeKind.RENAMED, "市农业农村局", "市乡村局")
    after = Register(extensions=(extension(Q2), extension(Q3)), changes=(rename,))
    texts = [text for _, text in entry_texts(after, plan)]
    assert texts[:2] == [
        "市农业农村局（U03） 2024Q2 延期至 2025-01-08",
        "市乡村局（U03） 2024Q3 延期至 2025-01-08",
    ]
    assert [text for _, text in entry_texts(before, plan)] == texts[:1]


def test_words_have_no_telephone_numbers_and_stand_in_one_line(plan):
    reason = "电话13800000000、0812-0000001\n答复，文号20240705123号"
    register = Register(extensions=(Extension(WATER, Q2, date(2024, 7, 5), "", reason),))
    [(_, text)] = entry_texts(register, plan)
    assert text.endswith("事由 电话（号码略）、（号码略） 答复，文号20240705123号")
