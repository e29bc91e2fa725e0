"""The command line in two languages: every message has its English, and is said where it should."""

import gettext
import json
import os
import pickle
import re
import subprocess
import sys

import catalogues
import pytest
from click.testing import CliRunner
from commands import run

from bioduty_xl import Workspace, offline
from bioduty_xl.cli import cli
from bioduty_xl.errors import ConfigError, PlanError
from bioduty_xl.language import (
    Language,
    language_of,
    language_setting,
    listed,
    say,
    speak,
    translated,
)

NAMES_OF_THINGS = {
    "health.py": {"_退回修改.xlsx"},
    "machine.py": {"报送表", "宋体", "黑体", "仿宋", "楷体", "小标宋"},
}
"""Chinese in modules of the command line that is no sentence: names of files and fonts."""

ALWAYS_CHINESE = {"settling.py"}
"""Modules whose errors are the reason why a row of the register does not take effect."""


@pytest.fixture(scope="module", autouse=True)
def renewed(request):
    if request.config.getoption("--renew"):
        catalogues.renew()


@pytest.fixture
def spoken(monkeypatch):
    """The command line in this process, in a language: `spoken("en", "status", "--help")`."""
    before = {name: gettext.bindtextdomain(name) for name in ("bioduty_xl", "click")}
    domain = gettext.textdomain()

    def say_it(language, *arguments):
        monkeypatch.setenv("LANGUAGE", language)
        speak(Language(language))
        return CliRunner().invoke(cli, arguments).output

    yield say_it
    gettext.textdomain(domain)
    for name, folder in before.items():
        gettext.bindtextdomain(name, folder)


@pytest.fixture
def english(spoken):
    """This process as the command line is on an English machine."""
    spoken("en", "--help")


def speaking(language, *arguments, cwd=None, **variables):
    """The command line in an environment that says this and nothing else about languages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    }
    said = {"LANG": language} if language else {}
    env = {**kept, **said, "PYTHONUTF8": "1", **variables}
    return run(*arguments, cwd=cwd, env=env)


# The catalogues


def test_every_message_has_its_english_and_nothing_else_is_translated():
    english, said = catalogues.translations(catalogues.OURS), catalogues.all_messages()
    assert not {text: place for text, place in said.items() if not english.get(text)}
    assert not set(english) - set(said)


def test_every_message_is_a_literal_so_that_it_can_be_found():
    assert not [
        place for path in catalogues.modules() for place in catalogues.found_in(path).unclear
    ]


def test_no_english_has_chinese_punctuation_or_other_fields_than_its_message():
    for text, english in catalogues.translations(catalogues.OURS).items():
        assert catalogues.fields(text) == catalogues.fields(english), text
        assert not set(english.replace("责任单位：", "")) & set("，。；：“”？！"), english


@pytest.mark.parametrize("path", [catalogues.OURS, catalogues.CLICKS], ids=lambda path: path.stem)
def test_the_compiled_catalogue_is_that_of_its_source(path):
    compiled = path.with_suffix(".mo")
    assert compiled.read_bytes() == catalogues.compiled(path)
    with compiled.open("rb") as file:
        read = gettext.GNUTranslations(file)
    for text, translation in catalogues.translations(path).items():
        if isinstance(text, str):
            assert read.gettext(text) == translation
        else:
            assert read.ngettext(*text, 2) == translation


def test_every_word_of_click_has_its_chinese():
    chinese = catalogues.translations(catalogues.CLICKS)
    assert not catalogues.clicks_messages() - set(chinese)
    for text, translation in chinese.items():
        texts = (text,) if isinstance(text, str) else text
        known = set.union(*map(catalogues.fields, texts))
        assert catalogues.fields(translation) <= known, text


@pytest.mark.parametrize("name", ["cli.py", "printing.py", "health.py", "machine.py"])
def test_no_chinese_stands_in_the_command_line_unmarked(name):
    found = catalogues.found_in(catalogues.PACKAGE / name).unmarked
    assert {text for _, text in found} <= NAMES_OF_THINGS.get(name, set())


@pytest.mark.parametrize(
    "path",
    list(catalogues.modules()),
    ids=lambda path: path.relative_to(catalogues.PACKAGE).as_posix(),
)
def test_what_the_operator_must_mend_can_be_said_in_english(path):
    if path.name not in ALWAYS_CHINESE:
        assert not catalogues.found_in(path).in_errors


def test_the_extraction_sees_what_it_must(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "PACKAGE", tmp_path)
    module = tmp_path / "cli.py"
    module.write_text(
        'def go(x):\n    """做事。"""\n    say("一{x}", x=x)\n    say(x)\n    tell(f"二{x}")\n'
        '    f("三")\n    f(f"四{x}")\n    raise PlanError("五", say("六"))\n'
        '    raise NotAReturn("七")\n',
        encoding="utf-8",
    )
    found = catalogues.found_in(module)
    assert set(found.messages) == {"做事。", "一{x}", "六"}
    assert found.unclear == ["cli.py:4", "cli.py:5"]
    assert [text for _, text in found.unmarked] == ["二", "三", "四", "五", "七"]
    assert [text for _, text in found.in_errors] == ["五"]


# Sentences


def test_a_sentence_is_chinese_and_its_values_are_translated_with_it(english):
    units = listed(("甲局", say("合计")))
    said = say("{role}：{units}", role=say("牵头"), units=units)
    assert said == "牵头：甲局、合计"
    assert translated(said) == "lead: 甲局, total"
    assert translated("牵头") == "牵头"


def test_an_error_is_told_with_its_details(english):
    error = PlanError(say("方案有以下问题："), "甲", say("合计"))
    assert str(error) == "方案有以下问题：\n  甲\n  合计"
    assert translated(error.said) == "the plan has these faults:\n  甲\n  total"


def test_a_sentence_that_travels_is_a_plain_chinese_one():
    said = say("{count} 份：{folder}", count=3, folder="甲")
    assert type(pickle.loads(pickle.dumps(said))) is str
    assert json.loads(json.dumps(said)) == "3 份：甲"


# Which language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "zh_CN", "LC_MESSAGES": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({"LANGUAGE": "fr:zh_CN:en", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "en_GB:en", "LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_machines(environment, language):
    assert language_of(Language.AUTO, environment) == language


@pytest.mark.parametrize(("code", "language"), [(0x0804, "zh"), (0x0404, "zh"), (0x0409, "en")])
def test_windows_is_asked_where_the_environment_says_nothing(monkeypatch, code, language):
    """Simulated: the call that Windows answers is played."""
    import ctypes
    from types import SimpleNamespace as Made

    kernel = Made(GetUserDefaultUILanguage=lambda: code)
    monkeypatch.setattr(ctypes, "windll", Made(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert language_of(Language.AUTO, {}) == language
    assert language_of(Language.AUTO, {"LANG": "en_US"}) == "en"


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('language = "en"\n', "en"),
        ("# 说明\n  language='zh' # 中文\n[office]\n", "zh"),
        ('\ufefflanguage = "en"\n', "en"),
        ('[office]\nname = "x"\nlanguage = "en"\n', "auto"),
        ('# language = "en"\n', "auto"),
        ("", "auto"),
        ('language = "en"\n[broken\n', "en"),
    ],
)
def test_the_setting_is_read_from_the_head_of_the_file(tmp_path, text, setting):
    (tmp_path / "bioduty.toml").write_text(text, encoding="utf-8")
    assert language_setting(tmp_path) == setting


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_the_setting_is_read_from_what_notepad_saved_as_utf_16(tmp_path, encoding):
    mark = "" if encoding == "utf-16" else "\ufeff"
    text = f'{mark}# 说明\r\nlanguage = "en"\r\n[mail]\r\nport = 0\r\n'
    (tmp_path / "bioduty.toml").write_bytes(text.encode(encoding))
    assert language_setting(tmp_path) == "en"
    said = speaking("zh_CN.UTF-8", "status", cwd=tmp_path).stderr
    assert said.startswith("error: ")


def test_without_a_workspace_there_is_no_setting(tmp_path):
    assert language_setting(None) == "auto"
    assert language_setting(tmp_path / "gone") == "auto"


@pytest.mark.parametrize(
    ("language", "machine", "says"),
    [("en", "zh_CN.UTF-8", "due "), ("zh", "en_US.UTF-8", "截止 "), ("auto", "", "due ")],
)
def test_the_workspaces_setting_wins_over_the_machine(tmp_path, language, machine, says):
    settings = tmp_path / "bioduty.toml"
    settings.write_text(f'language = "{language}"\n', encoding="utf-8")
    for where in (("--workspace", tmp_path), (f"--workspace={tmp_path}",)):
        done = speaking(machine, "status", "2024Q2", *where)
        assert done.returncode == 0, done.stderr
        assert says in done.stdout
    settings.write_text(f'language = "{language}"\n[office\n', encoding="utf-8")
    done = speaking(machine, "status", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("错误：" if language == "zh" else "error: ")


def test_a_language_that_is_none_is_refused(ws):
    text = (ws.root / "bioduty.toml").read_text(encoding="utf-8")
    (ws.root / "bioduty.toml").write_text(text.replace('"auto"', '"fr"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="language"):
        Workspace.open(ws.root)


# What people see


def _every_command():
    for name, command in sorted(cli.commands.items()):
        yield (name,)
        yield from ((name, inner) for inner in sorted(getattr(command, "commands", {})))


@pytest.mark.parametrize("name", [(), *_every_command()], ids=" ".join)
def test_help_is_in_one_language(name, spoken):
    english = spoken("en", *name, "--help")
    words = re.sub("文件|收件台账|运行", "", english)  # the names of a column, a sheet, a starter
    assert "Usage:" in english
    assert catalogues.CHINESE.search(words) is None
    assert "..." not in english.partition("Commands:")[2], "a summary is too long for its line"
    chinese = spoken("zh", *name, "--help")
    assert chinese.startswith("用法：")
    for word in ("Usage", "Options:", "Commands", "[required]"):
        assert word not in chinese


def test_the_gathering_of_wheels_has_its_help_in_both_languages(tmp_path):
    for language, usage in (("zh_CN.UTF-8", "用法："), ("en_US.UTF-8", "Usage:")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bioduty_xl.offline", "--help"],
            env={**os.environ, "LANGUAGE": language, "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert done.stdout.startswith(usage)
        assert all(version in done.stdout for version in offline.PYTHONS)
    assert catalogues.CHINESE.search(done.stdout) is None


def test_the_machines_language_is_that_of_the_usage(tmp_path):
    chinese = speaking("zh_CN.UTF-8", "-h", cwd=tmp_path).stdout
    assert chinese.startswith("用法：")
    assert "显示本说明后退出" in chinese
    assert speaking("en_US.UTF-8", "-h", cwd=tmp_path).stdout.startswith("Usage:")


@pytest.mark.parametrize(
    ("arguments", "chinese", "english"),
    [
        (("statu",), "没有命令", "No such command"),
        (("status", "--foo"), "没有选项", "No such option"),
        (("assign",), "缺少", "Missing"),
        (("status", "1", "2"), "多出了参数", "unexpected extra argument"),
        (("status", "--as-of", "x"), "不是日期", "is not a date"),
        (("status", "--as-of"), "后面须写", "requires an argument"),
        (("schedule", "--print", "x"), "可用的有", "is not one of"),
        (("inspect", "gone.xlsx"), "不存在", "does not exist"),
        (("status",), "bioduty init 新建", "make one with bioduty init"),
    ],
)
def test_misuse_is_told_in_one_language(spoken, tmp_path, monkeypatch, arguments, chinese, english):
    monkeypatch.chdir(tmp_path)
    assert chinese in spoken("zh", *arguments)
    said = spoken("en", *arguments)
    assert english in said
    assert catalogues.CHINESE.search(said) is None


@pytest.mark.parametrize(
    ("arguments", "chinese", "english"),
    [
        (("inspect", "gone.xlsx"), "文件 'gone.xlsx' 不存在", "File 'gone.xlsx' does not exist"),
        (("inspect", "folder"), "文件 'folder' 是文件夹", "File 'folder' is a directory"),
        (("status", "--workspace", "a"), "文件夹 'a' 是文件", "Directory 'a' is a file"),
    ],
)
def test_what_a_path_is_called_is_said_in_the_language_of_the_run(
    tmp_path, arguments, chinese, english
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").touch()
    said = speaking("zh_CN.UTF-8", *arguments, cwd=tmp_path).stderr
    assert chinese in said
    assert not re.search("[Ff]ile |[Dd]irectory ", said.partition("错误")[2])
    assert english in speaking("en_US.UTF-8", *arguments, cwd=tmp_path).stderr


def test_json_is_the_same_on_every_machine(spoken, q2):
    where = ("--workspace", str(q2.root), "--json")
    (q2.inbox / "a.pdf").write_bytes(b"%PDF")
    for arguments in (("inspect", str(q2.inbox / "a.pdf")), ("plan", "show")):
        chinese, english = (spoken(name, *arguments, *where) for name in ("zh", "en"))
        assert json.loads(chinese) == json.loads(english)
    names = [check["name"] for check in json.loads(spoken("en", "doctor", *where))["checks"]]
    assert "收件夹" in names


def test_workbooks_are_chinese_on_an_english_machine(spoken, q2):
    files = []
    for language in ("zh", "en"):
        where = ("--workspace", str(q2.root), "--as-of", "2024-06-20")
        assert str(q2.report_file("2024Q2")) in spoken(language, "consolidate", "2024Q2", *where)
        files.append(q2.report_file("2024Q2").read_bytes())
    assert files[0] == files[1]


def test_an_english_pass_has_the_words_of_the_design(q2, form):
    from books import fill

    fill(form("市林业局"), q2.inbox / "a.xlsx")
    (q2.inbox / "b.xlsx").write_bytes(b"no workbook")
    where = ("--workspace", q2.root, "--as-of", "2024-06-26")
    assert "accepted 1  held 1" in speaking("en_US.UTF-8", "run", *where).stdout
    said = speaking("en_US.UTF-8", "status", "2024Q2", *where).stdout
    for word in ("overdue 37", "late 1", "missing", "as of 2024-06-26", "last pass: ", "[held] b"):
        assert word in said


def test_what_fails_in_a_pass_is_told_in_english_and_kept_in_chinese(spoken, q2):
    q2.inbox.rename(q2.root / "elsewhere")
    said = spoken("en", "run", "--workspace", str(q2.root), "--as-of", "2024-06-20")
    assert f"failed: collecting: inbox {q2.inbox} is not there" in said
    assert "收件：收件夹" in (q2.state_dir / "passes.jsonl").read_text(encoding="utf-8")
