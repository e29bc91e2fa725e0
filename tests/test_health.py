"""Each line of the doctor's report, well and not. What cannot be had here is simulated: a share's
clock, a machine without fonts, a full disk, a file of another user, Windows.
"""

import json
import os
import subprocess
import sys
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import pytest
from commands import bioduty

from bioduty_xl import Workspace, health, machine
from bioduty_xl.desktop import own_command, write_starters
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.calendar import moment as at
from bioduty_xl.errors import LedgerError
from bioduty_xl.layout import disk

AS_OF = "2024-06-20T09:00"

NAMES = [
    *("Python", "SQLite", "编码", "时钟", "收件夹", "发件夹", "状态文件夹", "运行锁", "磁盘空间"),
    *("责任分工方案", "模板", "字体", "台账", "放假安排", "登记表", "邮件", "启动文件"),
    "最近一次运行",
]
"""What machines know the checks by."""


def lines(city, as_of=AS_OF, **more):
    """The checks by name, of the workspace as it is on disk."""
    checks = health.examine(Workspace.open(city.ws.root), at(as_of), **more)
    return {check.name: check for check in checks}


def unwell(city, as_of=AS_OF, **more):
    """What is not well: its message by name."""
    found = lines(city, as_of, **more).values()
    return {check.name: check.message for check in found if not check.is_well}


def set_to(city, old, new):
    settings = city.ws.root / "bioduty.toml"
    text = settings.read_text("utf-8")
    assert old in text
    settings.write_text(text.replace(old, new), "utf-8")


def test_a_workspace_that_works_is_well_in_every_line(city):
    city.run("2024-06-20T08:30")
    found = lines(city)
    assert [name for name, check in found.items() if not check.is_well] == []
    assert "在本机磁盘上" in found["状态文件夹"].message
    assert found["台账"].message == "已收文件 0 个"
    assert found["最近一次运行"].message.startswith("最近一次运行：2024-06-20 08:30")


def test_a_starter_of_a_program_that_has_moved_is_said_and_renewed(city):
    assert lines(city)["启动文件"].message == "双击即可运行"
    write_starters(city.ws.root, ("/移走了/python", "-m", "bioduty_xl"))
    assert "别处" in unwell(city)["启动文件"]
    write_starters(city.ws.root, own_command())
    assert lines(city)["启动文件"].message == "双击即可运行"
    starter = city.ws.root / ("运行.bat" if sys.platform == "win32" else "运行.sh")
    starter.write_bytes(starter.read_bytes() + "# 我的\n".encode())
    assert "init --starters" in lines(city)["启动文件"].message
    assert lines(city)["启动文件"].is_well


def test_a_ledger_a_key_or_originals_that_are_gone_are_said_as_the_next_pass_would(city):
    city.give("市林业局", "返回.xlsx")
    city.run("2024-06-20T10:00")
    state = city.ws.state_dir
    (original,) = (state / "originals").iterdir()
    original.rename(state / "away")
    assert "1 份原件不见了" in unwell(city)["台账"]
    (state / "away").rename(original)
    (state / "signing.key").rename(state / "away")
    assert "签名密钥" in unwell(city)["台账"]
    (state / "away").rename(state / "signing.key")
    (state / "ledger.sqlite").unlink()
    assert "原件还在" in unwell(city)["台账"]


def test_a_state_folder_that_is_mistyped_is_not_taken_for_a_new_one(city):
    city.give("市林业局", "返回.xlsx")
    city.run("2024-06-20T10:00")
    set_to(city, 'state_dir = ".bioduty"', 'state_dir = ".biodutyy"')
    assert "已经收取过" in unwell(city)["台账"]
    with pytest.raises(LedgerError, match=r"paths\.state_dir"):
        Workspace.open(city.ws.root).collect()
    assert not (city.ws.root / ".biodutyy" / "signing.key").exists()


def test_an_outbox_that_is_gone_is_said_and_not_made(city):
    set_to(city, 'outbox = "outbox"', "outbox = '共享盘/outbox'")
    assert "共享盘是否连接" in unwell(city)["发件夹"]
    assert not (city.ws.root / "共享盘").exists()


def test_examining_leaves_nothing_behind(city):
    before = {path: path.stat().st_size for path in city.ws.root.rglob("*")}
    lines(city)
    assert {path: path.stat().st_size for path in city.ws.root.rglob("*")} == before


def test_json_is_what_machines_know(city):
    done = json.loads(bioduty("doctor", "--json", "--workspace", city.ws.root, "--as-of", AS_OF))
    assert list(done) == ["checks"]
    assert [check["name"] for check in done["checks"]] == NAMES
    assert all(set(check) == {"name", "is_well", "message"} for check in done["checks"])
    assert all(check["is_well"] is True for check in done["checks"])


def test_an_inbox_that_is_gone_is_named_with_what_to_do(city):
    city.ws.inbox.rename(city.ws.root / "elsewhere")
    assert "请检查共享盘是否连接" in unwell(city)["收件夹"]


@pytest.mark.parametrize(
    ("folder", "name"), [("inbox", "收件夹"), ("outbox", "发件夹"), (".bioduty", "状态文件夹")]
)
def test_a_folder_that_cannot_be_written_is_named(city, monkeypatch, folder, name):
    write = Path.write_bytes

    def refuse(path, content):
        if path.parent == city.ws.root / folder:
            raise PermissionError(13, "Permission denied", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert unwell(city)[name] == (
        f"{city.ws.root / folder} 不能写入（文件正被其他程序打开，或者没有读写的权限），请检查权限"
    )


def test_an_inbox_that_cannot_be_listed_is_named(city, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(health.os, "listdir", refuse)
    assert "没有读写的权限" in unwell(city)["收件夹"]


def test_an_outbox_that_is_no_folder_is_named(city):
    city.ws.outbox_root.rename(city.ws.root / "elsewhere")
    city.ws.outbox_root.write_bytes(b"")
    assert str(city.ws.outbox_root) in unwell(city)["发件夹"]


def test_paths_that_windows_does_not_open_are_said_and_refused_there(city, monkeypatch):
    deep = city.ws.root / ("很深的文件夹" * 8) / ("又一层" * 20) / ("再一层" * 20)
    deep.mkdir(parents=True)
    set_to(city, 'outbox = "outbox"', f"outbox = '{deep}'")
    check = lines(city)["发件夹"]
    assert check.is_well
    assert "Windows 上超过 259 个的打不开" in check.message
    assert health.longest_path(Workspace.open(city.ws.root)) > 259
    monkeypatch.setattr(health.sys, "platform", "win32")
    with pytest.raises(health.BiodutyError, match="请改用较短的文件夹"):
        health._outbox(Workspace.open(city.ws.root), health.time.time)


posix = pytest.mark.skipif(os.name != "posix", reason="Windows keeps rights in another way")


@posix
@pytest.mark.parametrize(("name", "mode"), [(".", 0o755), ("signing.key", 0o644)])
def test_what_others_may_read_is_named_with_the_command_that_closes_it(city, name, mode):
    path = city.ws.state_dir / name
    path.chmod(mode)
    said = unwell(city)["状态文件夹"]
    command = said.partition("请执行：")[2]
    assert command == f"chmod {'700' if name == '.' else '600'} '{path}'"
    subprocess.run(command, shell=True, check=True)
    assert unwell(city) == {}


@posix
def test_a_password_that_others_may_read_is_named(city):
    path = city.ws.state_dir / "mail.password"
    path.write_text("geheim", "utf-8")
    path.chmod(0o640)
    assert unwell(city)["状态文件夹"] == f"其他用户也能读取，请执行：chmod 600 '{path}'"


def test_a_ledger_of_another_user_is_named(city, monkeypatch):
    access = os.access
    ledger = city.ws.ledger_file
    monkeypatch.setattr(
        machine.os, "access", lambda path, how: path != ledger and access(path, how)
    )
    assert f"{ledger} 不能读写，可能是其他用户运行过本程序" in unwell(city)["状态文件夹"]


def test_a_state_folder_on_a_network_disk_is_named(city, monkeypatch):
    monkeypatch.setattr(disk, "is_remote", lambda _: True)
    assert "在网络盘上" in unwell(city)["状态文件夹"]
    assert "在网络盘上" in unwell(city)["运行锁"]


def test_a_lock_that_is_held_is_said(city):
    assert lines(city)["运行锁"].message == "空闲"
    with city.ws.locked():
        assert lines(city)["运行锁"].message == "另一次运行正在进行"


Usage = namedtuple("Usage", "total used free")


def test_a_disk_with_little_room_is_named(city, monkeypatch):
    assert "工作区所在磁盘剩余" in lines(city)["磁盘空间"].message
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(1 << 30, 1 << 30, 9 << 20))
    said = unwell(city)["磁盘空间"]
    assert said == "工作区所在磁盘剩余 9 MB；不足 500 MB 的，请清理磁盘"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a second disk is needed")
def test_each_disk_of_a_workspace_is_looked_at_once(city, monkeypatch):
    set_to(city, 'state_dir = ".bioduty"', "state_dir = '/dev/shm/bioduty not there yet'")
    found = machine.free_space(
        (("工作区", city.ws.root), ("状态文件夹", Path("/dev/shm/bioduty not there yet")))
    )
    assert found.count("剩余") == 2
    assert machine.free_space((("甲", city.ws.root), ("乙", city.ws.inbox))).count("剩余") == 1


def test_a_plan_that_is_wrong_and_settings_that_do_not_meet_it_are_named(city):
    set_to(city, "# [[deadlines.exemptions]]", "[[deadlines.exemptions]]\nunit = '火星局'\n"
           "period = '2024Q2'\nreason = 'x'\n#")  # fmt: skip
    found = unwell(city)
    assert "deadlines.exemptions.unit" in found["责任分工方案"]
    (city.ws.root / "plan.xlsx").write_bytes(b"no workbook")
    assert "不是能打开的 Excel 工作簿" in unwell(city)["责任分工方案"]


def test_a_template_that_is_broken_is_named(city):
    city.ws.template("quarterly_return.xlsx").write_bytes(b"no workbook")
    assert list(unwell(city)) == ["模板"]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("simsun, simhei, simfang, simkai, 方正小标宋简体", "齐全"),
        ("simsun, simhei", "没有仿宋、楷体、小标宋"),
        (None, "本机不能查询"),
    ],
)
def test_fonts_that_lack_are_said_and_are_no_fault(city, monkeypatch, there, says):
    monkeypatch.setattr(machine, "_font_names", lambda: there)
    check = lines(city)["字体"]
    assert check.is_well
    assert says in check.message


def test_fonts_of_windows_are_looked_up_in_its_folder(monkeypatch, tmp_path):
    (tmp_path / "Fonts").mkdir()
    (tmp_path / "Fonts" / "SimSun.ttc").write_bytes(b"")
    monkeypatch.setattr(machine.sys, "platform", "win32")
    monkeypatch.setenv("WINDIR", str(tmp_path))
    assert machine.fonts().startswith("没有黑体、仿宋")


def test_a_ledger_that_is_damaged_is_named(city):
    city.ws.ledger_file.write_bytes(b"no database at all" * 100)
    assert "台账" in unwell(city)


def test_before_the_first_run_all_is_well(ws):
    found = {check.name: check for check in health.examine(ws, at(AS_OF))}
    assert all(check.is_well for check in found.values()), found
    assert found["台账"].message == "尚未建立，首次运行时建立"
    assert found["最近一次运行"].message == "还没有运行过"


def test_the_calendar_s_reach_is_said(city):
    assert (
        "年已有" in lines(city)["放假安排"].message or "已有到" in lines(city)["放假安排"].message
    )
    check = lines(city, "2150-06-20")["放假安排"]
    assert check.is_well
    assert check.message == "2150 年尚未公布，按周末估算；公布后请升级程序，或填在登记表“节假日”中"


def test_a_register_that_is_damaged_is_named(city):
    city.ws.register_file.write_bytes(b"no workbook")
    assert "登记表" in unwell(city)
    city.ws.register_file.unlink()
    assert lines(city)["登记表"].message == "还没有，下次运行时建立"


def test_mail_without_its_password_is_named(city):
    assert lines(city)["邮件"].message == "没有设置，不发邮件"
    set_to(city, 'host = ""', 'host = "smtp.example.org"')
    set_to(city, 'user = ""', 'user = "a"')
    set_to(city, 'sender = ""', 'sender = "a@example.org"')
    assert "没有密码" in unwell(city)["邮件"]
    path = city.ws.state_dir / "mail.password"
    path.write_text("x", "utf-8")
    path.chmod(0o600)
    assert lines(city)["邮件"].message == "smtp.example.org:465，邮箱 0 个"


def test_a_last_pass_that_failed_or_is_long_ago_is_named(city):
    city.run("2024-06-20T08:30")
    assert "最近一次运行" not in unwell(city, "2024-06-23T08:00")
    said = unwell(city, "2024-06-30T09:00")["最近一次运行"]
    assert "至今 10 天没有运行，按设置应每天 08:30、17:30 运行" in said
    assert "bioduty schedule --print" in said
    city.ws.inbox.rename(city.ws.root / "elsewhere")
    city.run("2024-06-21T08:30")
    assert "未完成：收件" in unwell(city, "2024-06-21")["最近一次运行"]


@pytest.mark.parametrize(("now", "word"), [("2024-06-01", "早于"), ("2031-01-01", "远晚于")])
def test_a_clock_that_cannot_be_right_is_named(city, now, word):
    city.run("2024-06-20T08:30")
    said = unwell(city, now, by_clock=True)["时钟"]
    assert f"{word}上次运行的 2024-06-20 08:30" in said
    assert "请校准时钟" in said
    assert "时钟" not in unwell(city, now)  # a moment that a person gives is believed


def test_the_machine_s_time_is_said_beside_china_s(city, monkeypatch):
    now = datetime(2024, 6, 20, 9, 0, tzinfo=CHINA)
    monkeypatch.setenv("TZ", "UTC")
    health.time.tzset()
    try:
        assert machine.time_zone(now) == (
            "北京时间 2024-06-20 09:00（本机时区 +0000，时间 01:00；程序一律按北京时间计算）"
        )
        monkeypatch.setenv("TZ", "Asia/Shanghai")
        health.time.tzset()
        assert machine.time_zone(now) == "北京时间 2024-06-20 09:00"
    finally:
        monkeypatch.undo()
        health.time.tzset()


@pytest.mark.parametrize(("off", "word"), [(600, "慢 10 分钟"), (-7200, "快 120 分钟")])
def test_a_share_whose_clock_is_off_is_named(city, off, word):
    def clock():
        return datetime.now(CHINA).timestamp() + off

    assert f"的时钟比本机{word}" in unwell(city, clock=clock)["收件夹"]
    assert unwell(city, clock=lambda: clock() - off + 60) == {}


def run_with(environment, city):
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "bioduty_xl", "doctor", "--workspace"),
            *(str(city.ws.root), "--as-of", AS_OF, "--json"),
        ],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert b"Traceback" not in done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    return done.returncode, found["编码"]


def test_a_window_that_cannot_show_chinese_is_said_and_is_no_fault(city):
    code, check = run_with({"PYTHONIOENCODING": "cp437", "PYTHONUTF8": "0"}, city)
    assert (code, check["is_well"]) == (0, True)
    assert "chcp 936" in check["message"]


def test_names_of_files_that_cannot_be_chinese_are_named(monkeypatch):
    def refuse(name):
        raise UnicodeEncodeError("ascii", name, 0, 1, "ordinal not in range")

    monkeypatch.setattr(machine.os, "fsencode", refuse)
    with pytest.raises(health.BiodutyError, match="请把环境变量 LANG 设为"):
        machine.letters()
