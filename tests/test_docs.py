"""The documents say what is so: commands run, examples give what they show, links lead somewhere.

docs/rules.md is made of the catalogue of findings, the tables of docs/library.md of what the code
says of its public names; after a change there: `pytest tests/test_docs.py --renew`, then read the
difference.
"""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from commands import run

import bioduty_xl
from bioduty_xl import Province, Workspace
from bioduty_xl.cli import cli
from bioduty_xl.desk import KINDS
from bioduty_xl.domain.returns import Severity

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
READ_BY = {path.name: path for path in DOCUMENTS}
ABOUT_INSTALLING = ("python3 ", "venv/bin/", ".venv/bin/", "py ", ".venv\\")
"""Lines that other tests and CI run: they make environments."""


def text_of(name):
    return READ_BY[name].read_text(encoding="utf-8")


def python(folder, *arguments):
    """What Python prints, in a folder, after it ended well and without a warning."""
    done = subprocess.run(
        [sys.executable, "-P", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        there = path.parent / name if name else path
        assert there.exists(), f"{path.name}: {target}"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{path.name}: {target}"


def test_the_librarys_examples_give_what_they_show(tmp_path):
    assert python(tmp_path, "-m", "doctest", ROOT / "docs" / "library.md") == ""


def test_every_public_name_is_in_the_librarys_document():
    text = text_of("library.md")
    assert [name for name in bioduty_xl.__all__ if not re.search(rf"\b{name}\b", text)] == []


def summary(name, member):
    """A line of the table: a public name and the first paragraph of what it says of itself."""
    inner = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
    said, _, _ = (inspect.getdoc(getattr(inner, "func", inner)) or "").partition("\n\n")
    return f"| `{name}` | {' '.join(said.split())} |\n"


@pytest.mark.parametrize("of", [Workspace, Province], ids=lambda of: of.__name__)
def test_the_librarys_document_says_of_each_name_what_the_code_says(of, request):
    path = ROOT / "docs" / "library.md"
    lines = [summary(name, member) for name, member in vars(of).items() if name[0] != "_"]
    table = f"| {of.__name__} | |\n|---|---|\n{''.join(lines)}"
    if request.config.getoption("--renew"):
        old = rf"^\| {of.__name__} \| \|\n(?:\|.*\n)*"
        path.write_text(re.sub(old, lambda _: table, text_of(path.name), flags=re.M), "utf-8")
    assert table in text_of(path.name)


def commands(group, prefix=""):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_every_command_and_option_is_in_the_document_for_who_installs():
    text = text_of("install.md")
    for name, command in commands(cli):
        assert re.search(rf"`(bioduty )?{name}\b", text), name
        for param in command.params:
            if isinstance(param, click.Option):
                assert any(option in text for option in param.opts), (name, param.opts)


@pytest.mark.parametrize("name", ["README.md", "install.md"])
def test_the_commands_of_a_document_run_one_after_the_other(tmp_path, name):
    lines = [
        line
        for block in blocks(text_of(name), "console")
        for line in block.splitlines()
        if not line.startswith(ABOUT_INSTALLING)
    ]
    assert len(lines) > 3
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "bioduty", line
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_the_readmes_python_runs(tmp_path):
    (code,) = blocks(text_of("README.md"), "python")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def rules():
    """docs/rules.md."""
    words = {Severity.ERROR: "错误（须修改）", Severity.WARNING: "提示"}
    lines = [
        "# 校验规则",
        "",
        "汇总工作簿的《校验意见》和“退回修改”里，每条意见都有一个规则代码。本页说明每条规则为什么要有、"
        "怎么改、不需要时怎么关；由程序的规则目录生成。",
        "",
        "“错误”写进“退回修改”，须改好再报；“提示”只列出来，供核对。",
        "",
        '不需要的规则，在 `bioduty.toml` 的 `[rules]` 里关掉：`off = ["NO_FIGURE"]`；要改变轻重的，'
        '写 `severity = {NO_FIGURE = "ERROR"}`。已经收下的返回表，下次运行时也按新的设置办。'
        "写错的代码会指出来。",
        "",
    ]
    for kind in sorted(KINDS, key=lambda kind: (kind.severity is not Severity.ERROR, kind.code)):
        lines += [
            f"## {kind.code}",
            "",
            f"- 程度：{words[kind.severity]}",
            f"- 为什么：{kind.why}",
            f"- 怎么改：{kind.mend}",
            f'- 不需要时：`off = ["{kind.code}"]`',
            "",
        ]
    return "\n".join(lines)


def test_the_document_of_rules_is_what_the_catalogue_says(request):
    path = ROOT / "docs" / "rules.md"
    if request.config.getoption("--renew"):
        path.write_text(rules(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == rules()


def test_every_kind_of_finding_says_why_it_is_there_and_how_to_mend_it():
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.why.endswith("。"), kind.code
        assert kind.mend.endswith("。"), kind.code
