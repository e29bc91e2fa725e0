"""What a coordinator reads who has slipped in bioduty.toml, from the very bytes that were saved."""

import random
import re
import tomllib

import pytest
from commands import bioduty, failed

from bioduty_xl import Workspace
from bioduty_xl.config import SETTINGS_FILE, Settings, load
from bioduty_xl.errors import ConfigError
from bioduty_xl.layout.packaged import packaged
from bioduty_xl.settings.faults import keys_of
from bioduty_xl.settings.model import declared, model_of
from bioduty_xl.settings.places import Places
from bioduty_xl.settings.plain import NotPlain, plainly
from bioduty_xl.settings.slips import parse
from bioduty_xl.settings.stops import why


def refused(tmp_path, content):
    """The lines that are said of a file: what is wrong with it as a whole, then each fault."""
    path = tmp_path / SETTINGS_FILE
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    return caught.value.details or (caught.value.message,)


def read(tmp_path, content):
    path = tmp_path / SETTINGS_FILE
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path)


class NoNames:
    """Keys of which nothing is known."""

    def meant_in_chinese(self, name):
        return ""

    def is_text(self, path):
        return False


NAMED = '[office]\r\nname = "攀枝花市生态办"\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_notepad_saves_with_a_mark_is_read(tmp_path, encoding):
    assert read(tmp_path, NAMED.encode(encoding)).office.name == "攀枝花市生态办"
    big_endian = b"\xfe\xff" + NAMED.encode("utf-16-be")
    assert read(tmp_path, big_endian).office.name == "攀枝花市生态办"


def test_a_file_in_gbk_is_named_with_its_first_line_and_how_to_save_it(tmp_path):
    (said,) = refused(tmp_path, NAMED.encode("gbk"))
    assert '存成了 GBK（ANSI）编码（第 2 行：name = "攀枝花市生态办"）' in said
    assert "“编码”选“UTF-8”" in said


def test_utf_16_without_a_mark_and_damaged_bytes_are_told_apart(tmp_path):
    (said,) = refused(tmp_path, NAMED.encode("utf-16-le"))
    assert "UTF-16 编码而没有标记" in said
    (said,) = refused(tmp_path, "[mail]\nport = 25\n".encode("utf-16-be"))
    assert "UTF-16 编码而没有标记" in said
    (said,) = refused(tmp_path, "[mail]\nuser = 'x\x00'\n")
    assert "第 2 行第 10 列：mail.user：其中有看不见的控制字符" in said
    (said,) = refused(tmp_path, NAMED.encode() + b"\n# \xff\n")
    assert "第 4 行不是 UTF-8" in said


SLIPS = {
    "wide quotes": (
        "[office]\nname = “市生态办”\n",
        "第 2 行第 8 列：office.name：中文（全角）引号 “",
    ),
    "wide single quotes": ("[office]\nname = ‘市生态办’\n", "office.name：中文（全角）引号 ‘"),
    "one wide quote": (
        '[office]\nname = "市生态办”\n',
        "第 2 行第 13 列：office.name：中文（全角）引号 ”",
    ),
    "wide quotes in a list": (
        '[rules]\nplaceholders = ["尚未”, "未完成"]\n',
        "第 2 行第 20 列：中文（全角）引号 ”",
    ),
    "wide equals": (
        '[office]\nname＝"x"\n',
        "第 2 行第 5 列：office.name：符号要用半角（英文）的：“＝”要改成“=”",
    ),
    "wide comma": ('[rules]\nplaceholders = ["a"，"b"]\n', "“，”要改成“,”"),
    "wide brackets": (
        '［office］\nname = "x"\n',
        "第 1 行第 1 列：office：符号要用半角（英文）的：“［”要改成“[”，“］”要改成“]”",
    ),
    "chinese brackets": ('【office】\nname = "x"\n', "“【”要改成“[”"),
    "wide blank": ('[office]\n\u3000name = "x"\n', "全角空格要删去"),
    "wide hash": ("＃ 说明\n", "“＃”要改成“#”"),
    "bare chinese key": (
        '[office]\n名称 = "x"\n',
        "第 2 行第 1 列：“名称”不能用：设置名都是英文（中文的名称 TOML 要加引号，而这里没有）"
        "，是否想写 [office] 一节的 name？",
    ),
    "bare chinese table": ("[截止日期]\ndue_day = 20\n", "第 1 行第 2 列：“截止日期”不能用"),
    "quoted chinese key": (
        '[office]\n"电话" = "x"\n',
        "第 2 行第 1 列：office.电话：没有这一项，是否想写 phone？",
    ),
    "windows path": (
        '[paths]\ninbox = "D:\\工作"\n',
        "第 2 行第 9 列：paths.inbox：Windows 路径要用单引号，写成 'D:\\工作'，"
        '或者把 \\ 改成 /，写成 "D:/工作"',
    ),
    "windows path of users": ('[paths]\ninbox = "C:\\Users\\x"\n', "写成 'C:\\Users\\x'"),
    "windows path with an end": ('[paths]\ninbox = "D:\\工作\\"\n', "写成 'D:\\工作'"),
    "windows path that is toml": (
        '[paths]\ninbox = "D:\\new"\n',
        "paths.inbox：路径 'D:\\new' 中有换行",
    ),
    "path without quotes": ("[paths]\ninbox = D:\\工作\n", "写成 'D:\\工作'"),
    "text without quotes": (
        "[office]\nname = 市生态办\n",
        '第 2 行第 8 列：office.name：文字要加英文引号，写成 "市生态办"',
    ),
    "open quote": ('[office]\nname = "x\n', '第 2 行第 8 列：office.name：引号 " 没有成对'),
    "nothing": ("[office]\nname =\n", "第 2 行第 7 列：office.name：等号后面没有写值"),
    "colon": ('[office]\nname: "x"\n', "用等号（=），不用冒号"),
    "no equals": ('[office]\nname "x"\n', "用等号（=），不用空格"),
    "open heading": ("[deadlines\ndue_day = 20\n", "应写成 [deadlines]"),
    "half a heading": ("[[deadlines.special]\n", "应写成 [[deadlines.special]]"),
    "open array": (
        "[schedule]\nat = [08:30:00\n[mail]\nport = 25\n",
        "第 2 行第 1 列：schedule.at：方括号 [ 没有配对的 ]，或者其中少了逗号（at = [08:30:00",
    ),
    "open array before a table": (
        "[schedule]\nat = [08:30:00,\n[mail]\nport = 25\n",
        "第 2 行第 1 列：schedule.at：方括号 [ 没有配对的 ]",
    ),
    "open text of several lines": (
        '[office]\nname = """x\n[mail]\nport = 25\n',
        "第 2 行第 1 列：office.name：引号没有成对",
    ),
    "key twice": (
        "[mail]\nport = 25\n\nport = 26\n",
        "第 4 行第 1 列：mail.port：第 2 行已经写过，请删去一处",
    ),
    "table twice": (
        "[mail]\nport = 25\n[mail]\n",
        "第 3 行第 1 列：[mail] 在第 1 行已经有了，请把两处合并成一节",
    ),
    "unit after a number": ("[deadlines]\nclose_days = 14天\n", "只写数字，不写单位“天”：14"),
    "leading zero": ("[deadlines]\ndue_day = 05\n", "数字的前面不要加 0：5"),
    "date with one digit": (
        "[[deadlines.special]]\nperiod = '2024Q2'\ndue = 2024-6-5\n",
        "第 3 行第 7 列：deadlines.special.due：日期要写成 2024-06-05",
    ),
    "date with words": (
        "[[deadlines.special]]\nperiod = '2024Q2'\ndue = 2024年6月5日\n",
        "日期要写成 2024-06-05",
    ),
    "no such day": (
        "[[deadlines.special]]\nperiod = '2024Q2'\ndue = 2024-06-31\n",
        "没有“2024-06-31”这一天",
    ),
    "time without seconds": (
        "[schedule]\nat = [8:30, 17:30]\n",
        "第 2 行第 7 列：schedule.at：时刻要写到秒，写成 08:30:00",
    ),
    "telephone without quotes": (
        "[office]\nphone = 08123333333\n",
        '第 2 行第 9 列：office.phone：文字要加英文引号，写成 "08123333333"',
    ),
    "telephone with a hyphen": (
        "[office]\nphone = 0812-3333333\n",
        'office.phone：文字要加英文引号，写成 "0812-3333333"',
    ),
    "two telephones": (
        "[office]\nphone = 0812-3333333、3344444；\n",
        '写成 "0812-3333333、3344444"',
    ),
    "telephone in a table that there is not": (
        "[单位]\nphone = 0812-3333333\n",
        '写成 "0812-3333333"',
    ),
    "telephone of no known name": ("[office]\ntel = 0812-3333333\n", "没有这一项"),
    "no such time": ("[schedule]\nat = [25:00]\n", "schedule.at：没有“25:00”这个时刻"),
    "no such time after a text": (
        '[schedule]\nat = ["8:30", 24:00:00]\n',
        "schedule.at：没有“24:00:00”这个时刻",
    ),
    "wide digits": (
        "[deadlines]\ndue_day = ２５\n",
        "第 2 行第 11 列：deadlines.due_day：数字要用半角（英文）的，写成 25",
    ),
    "wide digits in a list": ("[reminders]\nbefore = [５, 1]\n", "写成 5"),
    "windows drive": (
        '[paths]\ninbox = "D:\\"\n',
        "写成 'D:\\'，或者把 \\ 改成 /，写成 \"D:/\"",
    ),
    "half a character": (
        '[office]\nname = "\\ud800"\n',
        "office.name：双引号里 \\u 后面的编号不是一个字",
    ),
    "blank in a name": ("[deadlines]\ndue day = 25\n", "设置名中间不能有空格，写成 due_day"),
    "blank in a heading": ("[off ice]\n", "节名中也不能有空格（[off ice"),
    "semicolon": ('[office]\nname = "x";\n', "office.name：这一行的值写完以后还有多余的内容"),
    "no comma": (
        "[reminders]\nbefore = [5 1]\n",
        "reminders.before：方括号 [ 没有配对的 ]，或者其中少了逗号（before = [5 1]",
    ),
    "no comma in a long list": (
        "[reminders]\nbefore = [\n  5 1,\n  3\n]\n",
        "第 3 行第 5 列：reminders.before：方括号 [ 没有配对的 ]，或者其中少了逗号（5 1,",
    ),
    "slashes": ("// 说明\n", "说明写在 # 后面（// 说明"),
    "remark with a colon": ("[office]\n说明：发信服务器\n", "说明写在 # 后面（说明：发信服务器"),
    "two on a line": ('[mail]\nport = 25 user = "x"\n', "一行只写一项"),
    "a sentence": ("[mail]\n这是发信服务器\n", "第 2 行第 1 列：这一行不是“设置名 = 值”"),
}


@pytest.mark.parametrize(("content", "says"), SLIPS.values(), ids=SLIPS)
def test_each_slip_gets_the_sentence_that_helps(tmp_path, content, says):
    assert any(says in line for line in refused(tmp_path, content)), refused(tmp_path, content)


@pytest.mark.parametrize("name", sorted(set(SLIPS) - {"open quote", "two on a line", "wide hash"}))
def test_a_comment_behind_a_slip_changes_nothing(tmp_path, name):
    content, says = SLIPS[name]
    found = refused(tmp_path, content.replace("\n", "   # 说明，如“x”＝1\n"))
    assert any(says in line for line in found), found


WRONG = {
    "misspelt key": (
        '[office]\nnmae = "x"\n',
        "第 2 行第 1 列：office.nmae：没有这一项，是否想写 name？",
    ),
    "misspelt table": (
        "[deadline]\n",
        "第 1 行第 1 列：deadline：没有这一项，是否想写 deadlines？",
    ),
    "capitals": ("[Mail]\n", "是否想写 mail？"),
    "key at the top": (
        "due_day = 20\n",
        "第 1 行第 1 列：due_day：没有这一项，它应写成 [deadlines] 一节的 due_day",
    ),
    "key in another table": (
        '[office]\nhost = "x"\n',
        "office.host：没有这一项，它应写成 [mail] 一节的 host",
    ),
    "table of another table": (
        "[[special]]\nperiod = '2024Q1'\n",
        "special：没有这一项，它应写成 [[deadlines.special]]",
    ),
    "table below another": ("[office.mail]\n", "office.mail：没有这一项，它应写成 [mail]"),
    "nothing like it": (
        "[mail]\nxyzzy = 1\n",
        "mail.xyzzy：没有这一项，这里可用的有：ca_file、host",
    ),
    "too large": (
        "[deadlines]\ndue_day = 40\n",
        "第 2 行第 1 列：deadlines.due_day：“40”不能用，不能大于 28",
    ),
    "too small": ("[mail]\nseconds = 0\n", "“0”不能用，应大于 0"),
    "text for a number": ('[mail]\nport = "x"\n', "mail.port：“x”不能用，应写数字，不加引号"),
    "part of a number": ("[mail]\nport = 1.5\n", "应写整数"),
    "number for text": (
        "[office]\nphone = 123\n",
        'office.phone：“123”不能用，应写文字，加引号，如 "123"',
    ),
    "telephone with a plus": (
        "[office]\nphone = +8613812345678\n",
        'office.phone：“+8613812345678”不能用，应写文字，加引号，如 "+8613812345678"',
    ),
    "unknown telephone": (
        "[office]\ntel = 08123333333\n",
        "office.tel：没有这一项，这里可用的有",
    ),
    "capital switch": (
        "[deadlines]\ndue_day = True\n",
        "deadlines.due_day：不能写 true 或 false",
    ),
    "language after a table": (
        '[schedule]\nlanguage = "zh"\n',
        "schedule.language：没有这一项，请把它移到文件开头，写在第一个 [节名] 的前面",
    ),
    "misspelt language after a table": (
        '[mail]\nlangage = "zh"\n',
        "是否想写 文件开头（第一个 [节名] 的前面）的 language？",
    ),
    "a switch": ("[mail]\nport = true\n", "mail.port：不能写 true 或 false"),
    "text for a list": (
        '[rules]\noff = "NO_FIGURE"\n',
        'rules.off：“NO_FIGURE”不能用，应写成列表，用方括号，如 off = ["NO_FIGURE"]',
    ),
    "text for a table": ('office = "x"\n', "office：“x”不能用，应写成 [office] 一节"),
    "one bracket": (
        "[deadlines.exemptions]\nunit = 'x'\n",
        "deadlines.exemptions：应写成 [[deadlines.exemptions]]（双方括号），每节一条",
    ),
    "no such choice": (
        '[deadlines]\nroll = "nxt"\n',
        "deadlines.roll：“nxt”不能用，只能写：none、next、previous",
    ),
    "no such choice in a list": (
        '[rules]\nrequired = ["lead", "leader"]\n',
        "第 2 行第 21 列：rules.required：“leader”不能用，只能写：lead、sole、named、county",
    ),
    "no such weight": (
        '[rules]\nseverity = {NO_FIGURE = "WRONG"}\n',
        "第 2 行第 13 列：rules.severity.NO_FIGURE：“WRONG”不能用，只能写：ERROR、WARNING",
    ),
    "missing": (
        "[[deadlines.exemptions]]\nunit = 'x'\nperiod = '2024Q2'\n",
        "第 1 行第 1 列：deadlines.exemptions.reason：缺少这一项，请补上",
    ),
    "no period": (
        "[deadlines]\nfirst_period = '2024Q5'\n",
        'deadlines.first_period：“2024Q5”不是报送期，应写成 "2024Q2" 的样子',
    ),
    "number for a date": (
        "[[deadlines.special]]\nperiod = '2024Q2'\ndue = 20240625\n",
        "“20240625”不是日期，应写成 2024-04-25 的样子，不加引号",
    ),
    "half a date": (
        "[[deadlines.special]]\nperiod = '2024Q2'\ndue = '6月25日'\n",
        "“6月25日”不是日期",
    ),
    "number for a time": (
        "[schedule]\nat = [8]\n",
        "第 2 行第 7 列：schedule.at：“8”不是时刻，应写成 08:30:00 的样子",
    ),
    "mail without sender": ("[mail]\nhost = 'x'\n", "第 1 行第 1 列：mail：写了 host"),
}


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_each_wrong_setting_is_named_with_line_and_key(tmp_path, content, says):
    (line,) = refused(tmp_path, content)
    assert says in line


@pytest.mark.parametrize("written", ["2024-07-05", "'2024-07-05'", "'2024/7/5'", "'2024年7月5日'"])
def test_a_date_in_quotes_is_read_where_it_is_plain(tmp_path, written):
    text = f"[[deadlines.special]]\nperiod = '2024Q2'\ndue = {written}\n"
    assert str(read(tmp_path, text).deadlines.special[0].due) == "2024-07-05"


@pytest.mark.parametrize("written", ["17:30:00", "'17:30'", "'17:30:00'", "'17：30'"])
def test_a_time_in_quotes_is_read_where_it_is_plain(tmp_path, written):
    assert f"{read(tmp_path, f'[schedule]{chr(10)}at = [{written}]').schedule.at[0]}" == "17:30:00"


def test_every_fault_is_said_at_once_whatever_its_kind(tmp_path):
    said = refused(
        tmp_path,
        'due_day = 20\n[office]\nname＝“x”\nphone = 1\n[paths]\ninbox = "D:\\工作"\n'
        "[mail]\nport = 25\nport = 26\n[rules]\nlong_text = 0\n[mail]\n",
    )
    assert [line.partition("列")[0] for line in said] == [
        *("第 1 行第 1 ", "第 3 行第 5 ", "第 3 行第 6 ", "第 4 行第 1 ", "第 6 行第 9 "),
        *("第 9 行第 1 ", "第 11 行第 1 ", "第 12 行第 1 "),
    ]


def test_a_number_in_words_is_not_told_to_be_put_in_quotes(tmp_path):
    (said,) = refused(tmp_path, "[deadlines]\ndue_day = 二十五  # 日\n")
    assert said == "第 2 行第 1 列：deadlines.due_day：“二十五”不能用，应写数字，不加引号"


BESIDE = [
    *("}", "这是说明", "// 说明", "a comment", 'name = "a";', 'name = "a" "b"', "name = [5 1]"),
    *("due day = 25", "name = {x 1}", 'name = """a', 'name = ["a",', "[off ice]", "[[mail"),
    *('name = "\\ud800"', "a = " + "[" * 3000, "a = " + "9" * 5000, 'a = x y "z"'),
]


@pytest.mark.parametrize("line", BESIDE, ids=[line[:12] for line in BESIDE])
def test_what_is_before_and_after_a_line_that_is_no_toml_is_checked_all_the_same(tmp_path, line):
    said = refused(
        tmp_path,
        f"[mail]\nport = 'x'\n[office]\nxyzzy = 1\n{line}\n[deadlines]\ndue_dya = 1\n"
        "[rules]\nlong_text = 0\n",
    )
    assert {int(re.match(r"第 (\d+) 行", one)[1]) for one in said} == {2, 4, 5, 7, 9}
    keys = ("mail.port：", "office.xyzzy：", "deadlines.due_dya：", "rules.long_text：")
    assert all(any(key in one for one in said) for key in keys)


def test_what_stands_below_such_a_line_in_its_table_is_checked_too(tmp_path):
    name, xyzzy, phone = refused(tmp_path, '[office]\nname = "a";\nxyzzy = 1\nphone = 1\n')
    assert "office.name" in name
    assert "office.xyzzy" in xyzzy
    assert "office.phone" in phone


def test_a_key_whose_value_cannot_be_used_is_not_said_to_be_missing(tmp_path):
    text = "[[deadlines.exemptions]]\nunit = 'x';\nreason =\nperiod = '2024Q2'\n"
    assert [line.partition("列")[0] for line in refused(tmp_path, text)] == [
        *("第 2 行第 11 ", "第 3 行第 9 "),
    ]
    (said,) = refused(tmp_path, "[mail]\nhost = 'x'\nsender = 'a@b';\n")
    assert "mail.sender：这一行" in said


UNREADABLE = {
    "brackets": "a=" + "[" * 3000,
    "closed brackets": "a=" + "[" * 3000 + "]" * 3000,
    "brackets that the parser just reads": "a=" + "[" * 300 + "]" * 300,
    "braces": "a=" + "{a=" * 3000,
    "names": ".".join("a" * 500) + " = 1",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_too_deep_is_a_sentence(tmp_path, text):
    (said,) = refused(tmp_path, f"# 说明\n{text}\n")
    assert "第 2 行第" in said
    assert "一层套一层，层数太多" in said


@pytest.mark.parametrize("number", ["9" * 5000, "0o" + "7" * 9000, "9" * 30])
def test_a_number_without_end_is_a_sentence(tmp_path, number):
    (said,) = refused(tmp_path, f"[mail]\nseconds = 1\nport = {number}\n")
    assert said.startswith("第 3 行第 ")
    assert "mail.port：" in said
    assert len(said) < 100


KINDS = {
    "Invalid statement": "}",
    "Expected newline": "a = 1 2",
    "Expected '='": "a",
    "Expected ']'": "[a b]",
    "Expected ']]'": "[[a b]]",
    'Expected "': "a = '''x",
    "Found invalid character": "# \x00",
    "Illegal character": 'a = "\x01"',
    "Cannot declare": "[a]\n[a]",
    "Cannot overwrite": "a = 1\na = 2",
    "Cannot mutate": "a = {b = 1}\na.c = 1",
    "Cannot redefine": "[a.b]\n[a]\nb.c = 1",
    "Duplicate inline": "a = {b = 1, b = 2}",
    "Invalid initial": "[]",
    "Unclosed array": "a = [1 2]",
    "Unclosed inline": "a = {b = 1 c = 2}",
    "Unescaped": 'a = "x\\q"',
    "Invalid hex": 'a = "x\\u00"',
    "Escaped character": 'a = "\\ud800"',
    "Unterminated": 'a = """x',
    "Invalid date": "a = 2024-02-30T00:00:00",
    "Invalid value": "a = ?",
}


@pytest.mark.parametrize(("kind", "text"), KINDS.items(), ids=KINDS)
def test_no_english_of_the_parser_is_shown(kind, text):
    with pytest.raises(tomllib.TOMLDecodeError, match=f"^{re.escape(kind)}"):
        tomllib.loads(text)
    assert why(kind) != "写法不对"
    (fault,) = parse(text, NoNames()).faults
    words = fault.message.replace(text.splitlines()[-1], "")
    assert re.search("[A-Za-z]{3}", words) is None


def test_units_and_rules_that_there_are_not_are_all_named_with_their_lines(ws):
    settings = ws.root / SETTINGS_FILE
    settings.write_text(
        "[[deadlines.exemptions]]\nunit = '市水利厅'\nperiod = '2024Q2'\nreason = 'x'\n"
        "[[deadlines.extensions]]\nunit = '火星局'\nperiod = '2024Q2'\ndue = 2024-07-05\n"
        "[[deadlines.extensions]]\nunit = '市林业局'\nperiod = '2024Q2'\ndue = 2024-05-05\n",
        encoding="utf-8",
    )
    said = failed("status", "2024Q2", "--workspace", ws.root, expect=2)
    assert "第 2 行第 1 列：deadlines.exemptions.unit" in said
    assert "市水利局" in said
    assert "第 6 行第 1 列：deadlines.extensions.unit" in said
    assert "第 12 行第 1 列：deadlines.extensions.due" in said
    settings.write_text("[rules]\noff = ['NO_FIGUR', 'PHONE_DUBTFUL']\n", encoding="utf-8")
    said = failed("status", "2024Q2", "--workspace", ws.root, expect=2)
    assert (
        "第 2 行第 1 列：rules.off.NO_FIGUR：没有“NO_FIGUR”这条规则，是否想写 NO_FIGURE？" in said
    )
    assert "是否想写 PHONE_DOUBTFUL？" in said


@pytest.mark.parametrize("command", ["run", "schedule"])
def test_a_setting_that_was_spoilt_meanwhile_stops_a_pass_with_a_sentence(ws, command):
    (ws.root / SETTINGS_FILE).write_text("[mail]\nport = “25”\n", encoding="utf-8")
    assert "mail.port：中文（全角）引号" in failed(command, "--workspace", ws.root, expect=2)


def test_the_schedule_goes_on_when_a_setting_is_spoilt_and_mended(ws, caplog):
    from bioduty_xl import Workspace
    from bioduty_xl.batch import keep_schedule

    settings, whole = ws.root / SETTINGS_FILE, (ws.root / SETTINGS_FILE).read_bytes()
    settings.write_text("[mail]\nport = “25”\n", encoding="utf-8")
    keep_schedule(ws, lambda: Workspace.open(ws.root), until=lambda: True)
    assert [record.message for record in caplog.records] == [
        f"pass failed: {settings} 中有不能使用的设置"
    ]
    settings.write_bytes(whole)
    caplog.clear()
    keep_schedule(ws, lambda: Workspace.open(ws.root), until=lambda: True)
    assert not caplog.records


@pytest.mark.parametrize(
    ("section", "line"),
    [
        *(("office", 'name = "某办"'), ("paths", "inbox = '收件'"), ("paths", 'plan = "D:/a"')),
        *(("deadlines", "due_day = 20"), ("deadlines", 'roll = "next"')),
        ("deadlines", 'first_period = "2024年第2季度"'),
        ("deadlines", 'special = [{ period = "2024Q1", due = "2024年4月26日" }]'),
        ("deadlines", 'exemptions = [{ unit = "a", period = "2024Q2", reason = "r" }]'),
        *(("rules", 'required = ["lead", "lead"]'), ("rules", 'severity = { A = "ERROR" }')),
        *(("intake", "settle_seconds = 2"), ("intake", "read_seconds = 0.5")),
        *(("reminders", "before = [3]"), ("reminders", "after = []")),
        *(("mail", 'host = "h"\nsender = "a@b"'), ("mail", 'security = "starttls"')),
        *(("schedule", 'at = ["9:30", 17:30:00]'),),
    ],
)
def test_what_is_read_plainly_is_what_the_model_reads(section, line):
    data = tomllib.loads(f"[{section}]\n{line}\n")
    plain = plainly(Settings, data)
    assert plain == declared(model_of(Settings).model_validate(data)) != Settings()


@pytest.mark.parametrize(
    ("section", "line", "read"),
    [
        ("deadlines", 'due_day = "20"', lambda s: s.deadlines.due_day == 20),
        ("intake", "memory_mb = 512.0", lambda s: s.intake.memory_mb == 512),
        ("intake", 'settle_seconds = " 2 "', lambda s: s.intake.settle_seconds == 2.0),
    ],
)
def test_what_is_not_plain_is_read_by_the_model_all_the_same(tmp_path, section, line, read):
    text = f"[{section}]\n{line}\n"
    with pytest.raises(NotPlain):
        plainly(Settings, tomllib.loads(text))
    path = tmp_path / SETTINGS_FILE
    path.write_text(text, "utf-8")
    assert read(load(path))


def test_the_file_that_init_writes_says_the_defaults(tmp_path):
    bioduty("init", tmp_path / "新 工作区")
    assert load(tmp_path / "新 工作区" / SETTINGS_FILE) == Settings()


def test_the_file_that_init_writes_has_every_key_with_its_comment():
    text = packaged(SETTINGS_FILE).read_text("utf-8")
    shown, lines = uncommented(text), uncommented(text).splitlines()
    keys = [key for key in keys_of(model_of(Settings), ()) if len(key) > 1]
    assert len(keys) > 50
    for key in keys:
        path = (*key[:-1], 0, key[-1]) if len(key) == 3 else key
        line = lines[Places(shown).of(path).line - 1].removeprefix("[[")
        assert line.startswith((key[-1], ".".join(key))), key
        assert "#" in line, f"{key} is not explained"


def uncommented(text):
    """The file with the examples in its comments in force."""
    return re.sub(r"(?m)^# (?=\[\[|(unit|period|due|reason) = )", "", text)


def test_the_grants_that_init_shows_in_comments_can_be_used(tmp_path):
    text = packaged(SETTINGS_FILE).read_text("utf-8")
    settings = read(tmp_path, uncommented(text))
    assert settings.deadlines.extensions[0].unit == "市水利局"
    assert settings.deadlines.exemptions[0].reason == "经批准免报"


def test_whatever_is_spoilt_in_a_file_ends_in_sentences(tmp_path):
    chance, text = random.Random(7), packaged(SETTINGS_FILE).read_text("utf-8")
    signs = "“”‘’＝，［］\"'\\[]{}=,:#.\n\x00 市0"
    for _ in range(150):
        spoilt = list(text)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(spoilt))
            spoilt[at : at + chance.randint(0, 2)] = chance.choice(signs)
        parsed = parse("".join(spoilt), NoNames())
        assert parsed.faults or parsed.data == tomllib.loads("".join(spoilt))
        lines = len("".join(spoilt).split("\n"))
        assert all(1 <= fault.place.line <= lines for fault in parsed.faults)
        assert len(parsed.faults) < 100


@pytest.mark.parametrize(
    ("key", "folder", "said"),
    [
        ("inbox", "", "工作区本身"),
        ("inbox", "..", "上级文件夹"),
        ("inbox", "outbox", "之内"),
        ("outbox", "inbox/out", "paths.inbox 之内"),
        ("state_dir", "./inbox", "paths.inbox 之内"),
        ("templates", "outbox/t", "paths.outbox 之内"),
        ("register_book", "inbox/register.xlsx", "paths.inbox 之内"),
    ],
)
def test_folders_within_each_other_are_refused_since_what_lies_in_an_inbox_is_moved(
    tmp_path, key, folder, said
):
    root = Workspace.create(tmp_path / "工 作").root
    path = root / "bioduty.toml"
    text = path.read_text("utf-8")
    old = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
    path.write_text(text.replace(old, f"{key} = '{folder}'"), "utf-8")
    with pytest.raises(ConfigError) as refused:
        Workspace.open(root)
    assert any(f"paths.{key}：" in one and said in one for one in refused.value.details)
