"""Starters beside the inbox: the one for shells is run for real; of the one for Windows, which
cannot run here, the bytes are looked at as cmd.exe would read them.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands import bioduty, failed

import bioduty_xl
from bioduty_xl import Workspace, desktop

NOT_INSTALLED = {"PYTHONNOUSERSITE": "1", "PYTHONPATH": "", "PYTHONHOME": "/nowhere"}
"""A Python that finds nothing, and that a program may have been uninstalled from."""

FOUND = str(Path(bioduty_xl.__file__).parents[1])


@pytest.fixture
def screen(tmp_path):
    """Environment of a desktop whose `xdg-open` notes what it is to open, in `opened`."""
    tools = tmp_path / "工具 tools"
    tools.mkdir()
    opened = tmp_path / "opened"
    stand_in = tools / "xdg-open"
    stand_in.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$1" >> {shlex.quote(str(opened))}\n', encoding="utf-8"
    )
    stand_in.chmod(0o755)
    path = os.pathsep.join((str(tools), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "DISPLAY": ":0", "PYTHONPATH": FOUND}


def start(root, env, *, cwd="/"):
    return subprocess.run(
        [str(root / "运行.sh")],
        env=env,
        cwd=cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )


linux = pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")


@linux
def test_the_starter_runs_a_pass_and_opens_the_book_of_the_current_period(city, screen, tmp_path):
    """In a folder with Chinese and a blank, started from elsewhere."""
    city.ws.write_starters()
    city.run("2024-06-20")
    # The clock says another year than the passes of this test, which the next pass cannot believe.
    (city.ws.state_dir / "passes.jsonl").unlink()
    done = start(city.ws.root, screen)
    assert "Traceback" not in done.stderr, done.stderr
    assert "正在收取、汇总" in done.stdout
    (opened,) = (tmp_path / "opened").read_text(encoding="utf-8").splitlines()
    assert Path(opened).is_file()
    assert Path(opened).parent.parent == city.ws.root / "outbox"
    assert Path(opened).name.startswith("汇总_")


@linux
def test_python_files_in_the_workspace_are_not_run_by_a_double_click(city, screen):
    """A double click starts in the workspace, where Python would look for modules first."""
    city.run("2024-06-20")
    for name in ("click", "bioduty_xl", "site"):
        (city.ws.root / f"{name}.py").write_text("print('HIJACKED')\n", encoding="ascii")
    done = start(city.ws.root, screen, cwd=city.ws.root)
    assert "HIJACKED" not in done.stdout + done.stderr
    assert "正在收取、汇总" in done.stdout


@linux
def test_the_book_that_was_written_beside_the_usual_one_is_opened(city, screen, tmp_path):
    city.run("2024-06-20")
    bioduty_run(city, screen, "2024-06-21")
    book = city.ws.report_file("2024Q2")
    assert (tmp_path / "opened").read_text(encoding="utf-8") == f"{book}\n"


def bioduty_run(city, env, as_of):
    command = (sys.executable, "-P", "-m", "bioduty_xl", "run", "--open", "--as-of", as_of)
    return subprocess.run(
        [*command, "--workspace", str(city.ws.root)],
        env=env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@linux
def test_without_a_desktop_the_book_is_named_and_the_pass_counts_as_done(city, screen, tmp_path):
    city.run("2024-06-20")
    env = {name: value for name, value in screen.items() if name != "DISPLAY"}
    env.pop("WAYLAND_DISPLAY", None)
    done = bioduty_run(city, env, "2024-06-21")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"没有能打开汇总表的程序，请自行打开：{city.ws.report_file('2024Q2')}\n"
    assert not (tmp_path / "opened").exists()


@linux
def test_where_nothing_opens_workbooks_it_is_said(city, screen, tmp_path):
    city.run("2024-06-20")
    (tmp_path / "工具 tools" / "xdg-open").write_text("#!/bin/sh\nexit 3\n", encoding="ascii")
    done = bioduty_run(city, screen, "2024-06-21")
    assert (done.returncode, "请自行打开" in done.stderr) == (0, True)


def test_before_the_first_form_there_is_nothing_to_open(ws, screen):
    command = (sys.executable, "-P", "-m", "bioduty_xl", "run", "--open", "--as-of", "2024-02-01")
    done = subprocess.run(
        [*command, "--workspace", str(ws.root)],
        env=screen,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "还没有汇总表可以打开\n")


@pytest.mark.skipif(os.name != "posix", reason="rights and shells are POSIX's")
def test_the_starter_says_what_to_do_when_the_program_is_gone(ws, screen):
    desktop.write_starters(ws.root, ("/没有 这个/python", "-m", "bioduty_xl"))
    assert (ws.root / "运行.sh").stat().st_mode & 0o111
    done = start(ws.root, screen)
    assert done.returncode == 1
    assert "找不到程序 /没有 这个/python" in done.stdout
    assert "bioduty init --starters" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="shells are POSIX's")
def test_the_starter_says_so_too_when_the_program_was_uninstalled(ws, screen):
    done = start(ws.root, {k: v for k, v in screen.items() if k != "PYTHONPATH"} | NOT_INSTALLED)
    assert (done.returncode, done.stderr) == (1, "")
    assert "找不到程序" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="shells are POSIX's")
def test_the_starter_fails_as_the_pass_does(ws, screen):
    (ws.root / "bioduty.toml").write_text("nonsense = 1\n", encoding="utf-8")
    done = start(ws.root, screen)
    assert done.returncode == 2
    assert "有需要处理的情况" in done.stdout
    assert "nonsense" in done.stderr


def test_the_windows_starter_as_cmd_reads_it(tmp_path):
    """Simulated: ASCII until the code page is set, then GBK; CRLF; every path in quotes."""
    python = r"C:\用户\张 三\100%&(x)\python.exe"
    desktop.write_starters(tmp_path, (python, "-m", "bioduty_xl"))
    content = (tmp_path / "运行.bat").read_bytes()
    head, page, rest = content.split(b"\r\n", 2)
    assert (head, page) == (b"@echo off", b"chcp 936 >nul")
    text = rest.decode("gbk")
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    lines = text.split("\r\n")
    quoted = r'"C:\用户\张 三\100%%&(x)\python.exe"'
    assert lines[4] == f'{quoted} "-m" "bioduty_xl" run --open --workspace "%~dp0."'
    assert lines[2].startswith(f'{quoted} -P -c "import bioduty_xl" 2>nul || (echo ')
    assert sum("pause" in line for line in lines) == 2


def test_a_path_that_gbk_lacks_is_written_as_utf8(tmp_path):
    desktop.write_starters(tmp_path, ("C:\\Ωß€😀\\python.exe",))
    content = (tmp_path / "运行.bat").read_bytes()
    assert content.startswith(b"@echo off\r\nchcp 65001 >nul\r\n")
    assert "😀" in content.decode("utf-8")


def test_starters_follow_the_program_but_leave_what_a_person_changed(ws):
    own = (ws.root / "运行.sh").read_bytes()
    assert desktop.write_starters(ws.root, desktop.own_command()) == []
    moved = desktop.write_starters(ws.root, ("/opt/新 位置/python", "-m", "bioduty_xl"))
    assert [path.name for path in moved] == ["运行.bat", "运行.sh"]
    assert "/opt/新 位置/python" in (ws.root / "运行.sh").read_text(encoding="utf-8")
    changed = (ws.root / "运行.bat").read_bytes() + b"start notepad\r\n"
    (ws.root / "运行.bat").write_bytes(changed)
    assert desktop.write_starters(ws.root, desktop.own_command()) == [ws.root / "运行.sh"]
    assert (ws.root / "运行.sh").read_bytes() == own
    assert (ws.root / "运行.bat").read_bytes() == changed


def test_init_renews_starters_alone_when_asked(ws):
    (ws.root / "运行.sh").unlink()
    before = {path.name: path.read_bytes() for path in ws.root.iterdir() if path.is_file()}
    assert "--starters" in failed("init", ws.root, expect=1)
    assert not (ws.root / "运行.sh").exists()
    assert "运行.sh" in bioduty("init", ws.root, "--starters")
    assert (ws.root / "运行.sh").exists()
    after = {name: (ws.root / name).read_bytes() for name in before}
    assert after == before
    assert bioduty("init", ws.root, "--starters") == "启动文件不需要更新\n"


def test_a_new_workspace_has_its_starters_beside_the_inbox(tmp_path):
    made = Workspace.create(tmp_path / "新 工作区")
    names = {path.name for path in made.inbox.parent.iterdir()}
    assert {"运行.bat", "运行.sh", "inbox"} <= names
