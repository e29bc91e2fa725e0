"""Timers of the system that start passes: systemd units, a crontab, a task for Windows.

Each is one text, ready to install, that runs `bioduty run` at the times in bioduty.toml, which are
Asia/Shanghai wherever the machine is. It is only printed: nothing is installed, no clock is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from html import escape
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import ConfigError
from bioduty_xl.language import listed, say, tell

UNIT_FOLDER = PurePosixPath("/etc/systemd/system")
"""Where an administrator's own units are."""

_USER = re.compile("[a-z_][a-z0-9_-]*", re.ASCII)
"""A user that systemd takes by name; others are known to it by their number."""

_NOT_IN_TIMERS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that a line of a crontab, a unit or XML cannot hold."""

_NOT_IN_COMMANDS = frozenset("\"'\\$%")
"""Characters that systemd refuses, or older ones do not expand, in the path of a command."""

_QUARTER_HOUR = 15
"""The time zones in use lie whole quarters of an hour apart, summer time included."""

_FIRST_DAY = date(2024, 1, 1)
"""From when Windows counts days; any that is past."""


def name_of(workspace: PurePath) -> str:
    """What a workspace's timers are called, so that those of two do not replace each other."""
    path = str(workspace).encode(errors="surrogatepass")
    return f"bioduty-{hashlib.sha256(path).hexdigest()[:8]}"


def owner_of(workspace: Path) -> str:
    """The user whom a workspace belongs to, by name, or by number where the name is one that not
    every system takes; empty where folders have no such owner.
    """
    if os.name != "posix":
        return ""
    try:
        name = workspace.owner()
    except KeyError:  # a number that no user has any more, or one from another machine
        name = ""
    return name if _USER.fullmatch(name) else str(workspace.stat().st_uid)


def printed(
    kind: str,
    workspace: PurePath,
    executable: Sequence[str],
    times: Sequence[time],
    owner: str = "",
) -> str:
    """What to install so that a workspace's passes are started at their times.

    - `systemd`: a service and a timer, each below a line `# ==== path ====`. A pass missed while
      the machine was off is made up for. Time zones in OnCalendar= need systemd 235. The service
      runs as the workspace's owner, who could not write what another user had written.
    - `cron`: lines for a user's own crontab. Debian's cron ignores CRON_TZ, and cronie applies it
      to other people's lines as well; a time converted to the machine's own zone goes wrong with
      its summer time. So cron asks every quarter of an hour what time it is in China, which is
      right everywhere. Seconds are left out. `@reboot` makes up for what was missed.
    - `schtasks`: XML for Windows' Task Scheduler, which takes it as UTF-16: see `schtasks_bytes`.
      A percent sign in a path is left as it is; Windows knows no way to escape one there, and
      replaces only names of variables that exist.

    Args:
        kind: one of `KINDS`.
        workspace: its folder, absolute.
        executable: the program, absolute, and what it takes before `run`, such as
            `("/opt/bioduty/bin/python", "-m", "bioduty_xl")`.
        times: of day, in Asia/Shanghai; in any order.
        owner: the user to run as, where the system asks for one; empty: unknown.

    Raises:
        ConfigError: there is no such kind, no time, a path is not absolute or has line breaks.
    """
    if kind not in _KINDS:
        raise ConfigError(
            say("没有“{kind}”这种定时方式，可用的有：{known}", kind=kind, known=listed(KINDS))
        )
    if not times:
        raise ConfigError(
            say("bioduty.toml 的 schedule.at 没有写时刻，请至少写一个，如 [08:30:00]")
        )
    command = (*executable, "run", "--workspace", str(workspace), "-q")
    _require_absolute(workspace, executable)
    _require_printable(command)
    return _KINDS[kind](_Task(command, workspace, sorted(set(times)), owner))


def schtasks_bytes(text: str) -> bytes:
    """A task's XML as the file that `schtasks /XML` takes: UTF-16 with its mark."""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def _require_absolute(workspace: PurePath, executable: Sequence[str]) -> None:
    program = executable[0] if executable else ""
    if not any(path(program).is_absolute() for path in (PurePosixPath, PureWindowsPath)):
        raise ConfigError(say("定时任务中的程序须写完整路径，不能写“{program}”", program=program))
    if not workspace.is_absolute():
        raise ConfigError(
            say("定时任务中的工作区须写完整路径，不能写“{workspace}”", workspace=workspace)
        )


def _require_printable(command: Sequence[str]) -> None:
    for word in command:
        if _NOT_IN_TIMERS.search(word):
            raise ConfigError(
                say("定时任务中的路径不能有换行等控制字符，请将文件夹改名：{word!a}", word=word)
            )


@dataclass(frozen=True)
class _Task:
    """What is to be started, where, when and as whom."""

    command: Sequence[str]
    workspace: PurePath
    times: Sequence[time]
    owner: str

    @property
    def name(self) -> str:
        return name_of(self.workspace)


def _systemd(task: _Task) -> str:
    service, timer = UNIT_FOLDER / f"{task.name}.service", UNIT_FOLDER / f"{task.name}.timer"
    return f"""\
{_remarks(_about_systemd(task, service.name, timer.name))}
# ==== {service} ====
[Unit]
Description=bioduty: one pass over the workspace
Wants=network-online.target
After=network-online.target remote-fs.target

[Service]
Type=oneshot
{_user_lines(task.owner)}
ExecStart={_exec_line(task.command)}
{_remarks([tell("3：有文件待处理；75：另一次运行尚未结束。两者都不是故障。")])}
SuccessExitStatus=3 75
TimeoutStartSec=1h
Nice=10
NoNewPrivileges=true

# ==== {timer} ====
[Unit]
Description=bioduty: when passes start

[Timer]
{_lines(f"OnCalendar=*-*-* {at:%H:%M:%S} Asia/Shanghai" for at in task.times)}
Persistent=true
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def _about_systemd(task: _Task, service: str, timer: str) -> Iterator[str]:
    yield tell(
        "bioduty 的 systemd 定时器，每天 {times}（北京时间）运行；关机错过的，开机后补上。",
        times=_list(task.times),
    )
    yield tell("工作区：{workspace}", workspace=task.workspace)
    yield tell(
        "安装：本文存为 bioduty.txt，用 root 执行下面四行。"
        "“====”行以下各为一个文件，第一行写入它们："
    )
    yield "  awk '/^# ==== /{f=$3} f{print > f}' bioduty.txt"
    yield "  systemctl daemon-reload"
    yield f"  systemctl enable --now {timer}"
    yield f"  systemctl list-timers {timer}"
    yield tell(
        "查看结果：journalctl -u {service}；卸载：systemctl disable --now {timer}",
        service=service,
        timer=timer,
    )


def _remarks(lines: Iterable[str]) -> str:
    return _lines(f"# {line}" for line in lines)


def _user_lines(owner: str) -> str:
    if owner:
        return f"{_remarks([tell('工作区的所有者：root 写下的文件，经办人改不了')])}\nUser={owner}"
    said = tell("不写 User 时用 root 运行；应改为工作区所有者的用户名，并去掉行首的“#”：")
    return f"{_remarks([said])}\n#User="


def _exec_line(command: Sequence[str]) -> str:
    """A command as ExecStart= takes it (systemd.service(5), systemd.syntax(7)).

    The path of the command itself may hold no quotes and no backslash, also where escaped; such a
    path is handed to a shell as an argument.
    """
    if _NOT_IN_COMMANDS.intersection(command[0]):
        command = ("/bin/sh", "-c", 'exec "$0" "$@"', *command)
    return " ".join(_unit_word(word) for word in command)


def _unit_word(word: str) -> str:
    """A word in quotes: escapes, then specifiers (%), then variables ($) must come out as it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def _cron(task: _Task) -> str:
    line = " ".join(_cron_word(word) for word in task.command)
    return f"""\
{_remarks(_about_cron(task))}
{_lines(_cron_line(slot, line) for slot in _slots(task.times))}
{_remarks([tell("开机后补上错过的；重复运行没有害处。")])}
@reboot {line}
"""


def _about_cron(task: _Task) -> Iterator[str]:
    yield tell(
        "bioduty 的 crontab，每天 {times}（北京时间）运行。工作区：{workspace}",
        times=_list(task.times),
        workspace=task.workspace,
    )
    yield tell("安装：用工作区所有者的用户执行 crontab -e，把以下各行加入并保存；卸载时删去。")
    yield tell(
        "各种 cron 对时区的处理不同（cronie 认 CRON_TZ=Asia/Shanghai，Debian 的 cron 不认），"
    )
    yield tell(
        "所以每一刻钟问一次北京时间（CST-8，即东八区），到点才运行；本机用什么时区、夏令时都不影响。"
    )


def _slots(times: Sequence[time]) -> list[list[time]]:
    """The times, those together that lie whole quarters of an hour apart."""

    def past_quarter(at: time) -> int:
        return at.minute % _QUARTER_HOUR

    return [list(slot) for _, slot in groupby(sorted(times, key=past_quarter), past_quarter)]


def _cron_line(slot: Sequence[time], command: str) -> str:
    minutes = ",".join(str(m) for m in range(slot[0].minute % _QUARTER_HOUR, 60, _QUARTER_HOUR))
    moments = "|".join(dict.fromkeys(f"{at:%H:%M}" for at in slot))
    asked = r'"$(TZ=CST-8 date +\%H:\%M)"'
    return f"{minutes} * * * * case {asked} in {moments}) {command};; esac"


def _cron_word(word: str) -> str:
    r"""A word for the shell, in a line where cron takes % for a line's end unless it is \%. The
    \% stands outside of quotes, where cron's backslash cannot be one of the word's own.
    """
    return r"\%".join(shlex.quote(part) if part else "" for part in word.split("%")) or "''"


def _schtasks(task: _Task) -> str:
    command = task.command
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<!-- {_about_schtasks(task)} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{escape(_description(task), quote=False)}</Description>
  </RegistrationInfo>
  <Triggers>
{_lines(_trigger(at) for at in task.times)}
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT1H</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(command[0], quote=False)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(command[1:]), quote=False)}</Arguments>
      <WorkingDirectory>{escape(str(task.workspace), quote=False)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def _about_schtasks(task: _Task) -> str:
    return "\n     ".join(
        (
            tell(
                "存为 bioduty.xml，编码用 UTF-16（记事本“另存为”，编码选“UTF-16 LE”），然后执行："
            ),
            f"schtasks /Create /TN {task.name} /XML bioduty.xml",
            tell("卸载：schtasks /Delete /TN {name}", name=task.name),
            tell(
                "要在无人登录时也运行，在“任务计划程序”中打开它的属性，选“不管用户是否登录都要运行”。"
            ),
        )
    )


def _description(task: _Task) -> str:
    return tell("bioduty：每天 {times}（北京时间）收取、汇总返回表", times=_list(task.times))


def _trigger(at: time) -> str:
    start = datetime.combine(_FIRST_DAY, at.replace(microsecond=0), CHINA)
    return f"""\
    <CalendarTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>{start.isoformat()}</StartBoundary>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>"""


def _list(times: Sequence[time]) -> str:
    return listed(dict.fromkeys(f"{at:%H:%M}" for at in times))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


_KINDS: Mapping[str, Callable[[_Task], str]] = {
    "systemd": _systemd,
    "cron": _cron,
    "schtasks": _schtasks,
}
KINDS = tuple(_KINDS)
"""What `printed` can print, which `schedule --print` offers."""
