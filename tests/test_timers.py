"""Timers of the system: what is printed is read by systemd, a shell and an XML parser."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, time, timedelta
from pathlib import Path, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import pytest
from commands import run
from defusedxml import ElementTree

from bioduty_xl import Workspace, timers
from bioduty_xl.cli import cli
from bioduty_xl.errors import ConfigError
from bioduty_xl.timers import KINDS, UNIT_FOLDER, name_of, owner_of, printed, schtasks_bytes

TIMES = [time(17, 30), time(8, 30), time(7, 5)]
HARD = """生物多样性 50%完成's "副本" $HOME ${X} $$ a\\%b %H &;|<>*\\"""
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
MIDNIGHT = "T00:00+08:00"
SYSTEMD = Path("/usr/lib/systemd/systemd")

posix = pytest.mark.skipif(os.name != "posix", reason="files with such names exist on POSIX alone")
needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def stub(tmp_path):
    """A program in a hard place; what it was called with is in the file beside it."""
    folder = tmp_path / HARD
    folder.mkdir()
    return make_stub(folder)


def make_stub(folder):
    path = folder / "bioduty"
    path.write_text('#!/bin/sh\nprintf \'%s\\0\' "$@" > "$0.called"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def called_with(stub):
    return Path(f"{stub}.called").read_text(encoding="utf-8").split("\0")[:-1]


def install(text, folder):
    """Do as the printed comment says, with another folder for the units."""
    [command] = re.findall(r"^#   (awk .*)$", text, re.MULTILINE)
    (folder / "bioduty.txt").write_text(text.replace(str(UNIT_FOLDER), str(folder)), "utf-8")
    subprocess.run(command, shell=True, cwd=folder, check=True)
    [name] = re.findall(r"^# ==== .*/(.*)\.service ====$", text, re.MULTILINE)
    return folder / f"{name}.service", folder / f"{name}.timer"


@posix
@needs_analyze
@pytest.mark.parametrize("owner", ["", "daemon", "12345"])
@pytest.mark.parametrize("hard_program", [False, True])
def test_systemd_finds_no_fault_in_the_units(tmp_path, stub, hard_program, owner):
    units = tmp_path / "units"
    units.mkdir()
    program = str(stub) if hard_program else sys.executable
    text = printed("systemd", tmp_path / HARD, [program], TIMES, owner)
    service, timer = install(text, units)
    done = subprocess.run(
        ["systemd-analyze", "verify", service, timer], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_analyze
def test_systemd_reads_the_times_as_chinas(tmp_path):
    text = printed("systemd", tmp_path, [sys.executable], TIMES)
    calendars = re.findall("^OnCalendar=(.*)$", text, re.MULTILINE)
    assert len(calendars) == 3
    hours = []
    for calendar in calendars:
        done = subprocess.run(
            ["systemd-analyze", "calendar", calendar],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        )
        hours += re.findall(r"Next elapse: \w+ [\d-]+ ([\d:]+) UTC", done.stdout)
    assert hours == ["23:05:00", "00:30:00", "09:30:00"]


@pytest.fixture
def units():
    """A folder for units that any user may read: systemd's test mode refuses to be root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for needed in ("basic", "sysinit", "shutdown", "timers"):
            (folder / f"{needed}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        (folder / "runtime").mkdir()
        (folder / "runtime").chmod(0o777)
        yield folder


def as_systemd_starts(units, service):
    """The words that systemd itself makes of ExecStart=. It prints them quoted for a shell, and
    before it undoes $$, which it does when it starts them.
    """
    user = {"user": 65534} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [SYSTEMD, "--test", "--user", f"--unit={service.name}", "--log-target=console"],
        capture_output=True,
        env={
            "XDG_RUNTIME_DIR": str(units / "runtime"),
            "SYSTEMD_UNIT_PATH": f"{units}:",
            "LANG": "C.UTF-8",
        },
        check=False,
        timeout=60,
        **user,
    )
    found = re.findall("^\t+Command Line: (.*)$", done.stdout.decode(), re.MULTILINE)
    assert len(found) == 1, (done.stdout, done.stderr)
    split = ["/bin/sh", "-c", f"printf '%s\\0' {found[0]}"]
    words = subprocess.run(split, capture_output=True, check=True).stdout.decode()
    return [word.replace("$$", "$") for word in words.split("\0")[:-1]]


@posix
@pytest.mark.skipif(not SYSTEMD.exists(), reason="systemd is not installed")
@pytest.mark.parametrize("hard_program", [False, True])
def test_systemd_starts_the_command_word_for_word(units, hard_program):
    folder = units / HARD if hard_program else units
    folder.mkdir(exist_ok=True)
    stub, workspace = make_stub(folder), Path("/srv") / HARD
    text = printed("systemd", workspace, [str(stub), "-m", "a b"], TIMES)
    service, _ = install(text, units)
    command = as_systemd_starts(units, service)
    assert (command[0] == str(stub)) is not hard_program
    subprocess.run(command, check=True)
    assert called_with(stub) == ["-m", "a b", "run", "--workspace", str(workspace), "-q"]


def test_what_a_service_promises(tmp_path):
    text = printed("systemd", tmp_path, [sys.executable, "-m", "bioduty_xl"], TIMES)
    service, timer = re.split(r"^# ==== .* ====\n", text, flags=re.MULTILINE)[1:]
    assert "Type=oneshot\n" in service
    assert "SuccessExitStatus=3 75\n" in service
    assert f'"{sys.executable}" "-m" "bioduty_xl" "run"' in service
    assert "Persistent=true\n" in timer
    assert "WantedBy=timers.target" in timer
    assert "ProtectSystem" not in text and "PrivateTmp" not in text


def test_a_service_runs_as_the_workspaces_owner_or_leaves_the_line_to_be_filled_in(tmp_path):
    owned = printed("systemd", tmp_path, [sys.executable], TIMES, "office")
    assert re.findall("^#?User=.*$", owned, re.MULTILINE) == ["User=office"]
    unknown = printed("systemd", tmp_path, [sys.executable], TIMES)
    assert re.findall("^#?User=.*$", unknown, re.MULTILINE) == ["#User="]


@posix
@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(("office", "office"), ("www-data", "www-data")),
        *(("GOV\\zhao", "<number>"), ("a%b", "<number>"), ("zhao$", "<number>")),
        ("赵某", "<number>"),
    ],
)
def test_an_owner_is_named_or_else_numbered(tmp_path, monkeypatch, name, said):
    monkeypatch.setattr(Path, "owner", lambda _: name)
    assert owner_of(tmp_path) == said.replace("<number>", str(tmp_path.stat().st_uid))


@posix
def test_an_owner_without_a_name_is_numbered(tmp_path, monkeypatch):
    def nobody(_):
        raise KeyError("uid not found")

    monkeypatch.setattr(Path, "owner", nobody)
    assert owner_of(tmp_path) == str(tmp_path.stat().st_uid)


def test_where_folders_have_no_owners_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(timers.os, "name", "nt")
    assert owner_of(PureWindowsPath("D:/w")) == ""


def test_the_timers_of_two_workspaces_stand_side_by_side(tmp_path):
    """Those of one workspace keep their name, so that they are replaced when printed anew."""
    folders = [PurePosixPath("/srv") / name for name in ("市", "县", "县 2")]
    assert len({name_of(folder) for folder in folders}) == 3
    assert all(re.fullmatch("bioduty-[0-9a-f]{8}", name_of(folder)) for folder in folders)
    assert name_of(folders[0]) == name_of(PurePosixPath("/srv/市"))
    files = set()
    for folder in folders:
        text = printed("systemd", folder, [sys.executable], TIMES)
        files |= {path.name for path in install(text, tmp_path)}
    assert len(files) == len(list(tmp_path.glob("*.timer")) + list(tmp_path.glob("*.service"))) == 6


def as_cron_cuts(command):
    r"""The command of a crontab's line as cron hands it to the shell: \% is a percent sign, and
    one without backslash would end it.
    """
    kept, escaped = "", False
    for letter in command:
        if escaped:
            kept = kept[:-1] + letter if letter == "%" else kept + letter
            escaped = False
            continue
        if letter == "%":
            return kept
        escaped = letter == "\\"
        kept += letter
    return kept


def lines_of(text):
    """(when, command) of each line of a crontab."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [
        (line.split(" ", 1) if line.startswith("@") else line.rsplit(" * * * * ", 1))
        for line in lines
    ]


def run_line(command, here="UTC", clock=None):
    """Run what cron would, with a `date` that stands still where one is given."""
    path = os.defpath if clock is None else f"{clock}:{os.defpath}"
    subprocess.run(
        ["/bin/sh", "-c", as_cron_cuts(command)], check=True, env={"PATH": path, "TZ": here}
    )


@posix
def test_cron_runs_the_command_word_for_word(tmp_path, stub):
    workspace = tmp_path / HARD
    text = printed("cron", workspace, [str(stub), "-m", "bioduty_xl", "", "%"], TIMES)
    when, command = lines_of(text)[-1]
    assert when == "@reboot"
    run_line(command)
    assert called_with(stub) == [
        *("-m", "bioduty_xl", "", "%", "run", "--workspace", str(workspace), "-q"),
    ]


def make_clock(folder, at):
    """A folder with a `date` that tells a fixed moment in whatever zone it is asked for."""
    folder.mkdir()
    date = folder / "date"
    date.write_text(f'#!/bin/sh\nexec /bin/date -d @{at.timestamp():.0f} "$@"\n')
    date.chmod(0o755)
    return folder


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="date -d is GNU's")
@pytest.mark.parametrize("day", ["2024-01-15", "2024-07-15"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kathmandu"])
def test_cron_starts_passes_at_chinas_time_in_any_zone(tmp_path, stub, zone, day):
    """All minutes of a day: the lines that cron would start, each run with that minute's clock."""
    lines = lines_of(printed("cron", tmp_path, [str(stub)], TIMES))
    called, midnight, started = Path(f"{stub}.called"), datetime.fromisoformat(day + MIDNIGHT), []
    for at in (midnight + timedelta(minutes=minute) for minute in range(24 * 60)):
        minute = str(at.astimezone(ZoneInfo(zone)).minute)
        due = [command for when, command in lines if minute in when.split(",")]
        for command in due:
            run_line(command, zone, make_clock(tmp_path / f"{at:%H%M}", at))
            if called.exists():
                started.append(at.time())
                called.unlink()
    assert started == sorted(TIMES)


def test_cron_asks_every_quarter_and_times_share_a_line(tmp_path):
    text = printed("cron", tmp_path, ["/opt/bioduty"], TIMES)
    assert [when for when, _ in lines_of(text)] == ["0,15,30,45", "5,20,35,50", "@reboot"]
    assert " in 08:30|17:30) " in text
    assert "\n# " in text and "CRON_TZ=" not in re.sub("(?m)^#.*$", "", text)


@pytest.fixture
def task():
    """A task of Windows, parsed from the bytes that are saved."""
    workspace = PureWindowsPath(r"D:\工作 & <报送>\生物 多样性")
    executable = [r"C:\Program Files\Python\pythonw.exe", "-m", "bioduty_xl"]
    return ElementTree.fromstring(schtasks_bytes(printed("schtasks", workspace, executable, TIMES)))


def names(element):
    return [child.tag.removeprefix(NAMESPACE) for child in element]


def texts(element, path):
    return [found.text for found in element.findall(path.replace("/", f"/{NAMESPACE}"))]


def test_a_windows_task_has_its_parts_in_the_order_of_the_schema(task):
    assert task.tag == f"{NAMESPACE}Task"
    assert task.get("version") == "1.2"
    assert names(task) == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]
    for trigger in task.find(f"{NAMESPACE}Triggers"):
        assert trigger.tag == f"{NAMESPACE}CalendarTrigger"
        assert names(trigger) == ["Enabled", "StartBoundary", "ScheduleByDay"]
    [principal] = task.find(f"{NAMESPACE}Principals")
    assert task.find(f"{NAMESPACE}Actions").get("Context") == principal.get("id")


def test_a_windows_task_starts_daily_at_chinas_times(task):
    assert texts(task, "./Triggers/CalendarTrigger/StartBoundary") == [
        "2024-01-01T07:05:00+08:00",
        "2024-01-01T08:30:00+08:00",
        "2024-01-01T17:30:00+08:00",
    ]
    assert texts(task, "./Triggers/CalendarTrigger/ScheduleByDay/DaysInterval") == ["1"] * 3
    settings = {
        child.tag.removeprefix(NAMESPACE): child.text for child in task.find(f"{NAMESPACE}Settings")
    }
    assert settings == {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "StartWhenAvailable": "true",
        "ExecutionTimeLimit": "PT1H",
    }


def test_a_windows_task_quotes_its_arguments_and_nothing_else(task):
    assert texts(task, "./Actions/Exec/Command") == [r"C:\Program Files\Python\pythonw.exe"]
    assert texts(task, "./Actions/Exec/Arguments") == [
        r'-m bioduty_xl run --workspace "D:\工作 & <报送>\生物 多样性" -q'
    ]
    assert texts(task, "./Actions/Exec/WorkingDirectory") == [r"D:\工作 & <报送>\生物 多样性"]


def test_a_windows_task_says_how_to_install_it():
    folder = PureWindowsPath(r"D:\w")
    text = printed("schtasks", folder, [r"C:\bioduty.exe"], TIMES)
    assert text.startswith('<?xml version="1.0" encoding="UTF-16"?>\n')
    assert f"schtasks /Create /TN {name_of(folder)} /XML bioduty.xml" in text
    assert schtasks_bytes(text).decode("utf-16") == text.replace("\n", "\r\n")


def test_the_command_line_offers_every_kind():
    (option,) = (one for one in cli.commands["schedule"].params if one.name == "kind")
    assert tuple(option.type.choices) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_printed_depends_on_nothing_but_the_arguments(kind):
    def text(times):
        return printed(kind, PurePosixPath("/srv/w"), ["/opt/bioduty"], times)

    assert text(TIMES) == text([*sorted(TIMES), TIMES[0]])
    assert text(TIMES) != text(TIMES[:1])
    assert text(TIMES).endswith("\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("workspace", "executable", "times", "said"),
    [
        (PurePosixPath("w"), ["/opt/bioduty"], TIMES, "工作区"),
        (PurePosixPath("/srv/w"), ["bioduty"], TIMES, "程序"),
        (PurePosixPath("/srv/w"), [], TIMES, "程序"),
        (PurePosixPath("/srv/a\nb"), ["/opt/bioduty"], TIMES, "换行"),
        (PurePosixPath("/srv/a"), ["/opt/\udce4/bioduty"], TIMES, "改名"),
        (PurePosixPath("/srv/w"), ["/opt/bioduty"], [], "schedule.at"),
    ],
)
def test_what_cannot_be_a_timer_is_refused(kind, workspace, executable, times, said):
    with pytest.raises(ConfigError, match=said):
        printed(kind, workspace, executable, times)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match="systemd、cron、schtasks"):
        printed("launchd", PurePosixPath("/srv/w"), ["/opt/bioduty"], TIMES)


@pytest.mark.parametrize("kind", KINDS)
def test_what_to_do_is_said_in_english_on_an_english_machine(kind, tmp_path):
    env = {**os.environ, "LANGUAGE": "", "LC_ALL": "en_US.UTF-8", "PYTHONUTF8": "1"}
    root = Workspace.create(tmp_path / "work").root
    done = run("schedule", "--print", kind, "--workspace", root, env=env)
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace(sys.executable, "python")
    assert not re.search("[\u3001-\u9fff]", said)
