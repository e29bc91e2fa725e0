"""`python -m bioduty_xl.offline DIR`: all that an installation needs, gathered into one folder, to
be carried to machines without a network. It asks pip for binary wheels alone, so that no machine
needs a compiler, and installs nothing itself.

pip looks at the machine it runs on where a wheel says that it needs another one on Windows alone;
so what the wheels say is read here too, for the machine that is meant.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bioduty_xl import console, usage
from bioduty_xl.desktop import batch_file
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.language import Language, language_of, say, speak, tell
from bioduty_xl.layout.atomic import SCRATCH, write_whole

NAME = "bioduty-xl"
WHEELS, ENVIRONMENT = "wheels", "bioduty"
"""Folders: of the wheels, and of the environment that they are installed into."""

PYTHONS = ("3.11", "3.12", "3.13")
"""For which wheels are gathered for other machines, where nothing else is asked for."""

_OWN = "bioduty_xl-*.whl"


@dataclass(frozen=True)
class Machine:
    """A kind of machine that wheels are for.

    Attributes:
        tags: what pip calls it; none: this machine.
        marks: what its Python says of it (PEP 508).
    """

    tags: tuple[str, ...] = ()
    marks: Mapping[str, str] | None = None


MACHINES = {
    "here": Machine(),
    "windows": Machine(
        ("win_amd64",),
        {
            "os_name": "nt",
            "sys_platform": "win32",
            "platform_system": "Windows",
            "platform_machine": "AMD64",
        },
    ),
    "linux": Machine(
        ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
        {
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": "x86_64",
        },
    ),
}


def gather(
    folder: Path,
    machines: Sequence[str] = ("here",),
    pythons: Sequence[str] = PYTHONS,
    wheel: Path | None = None,
) -> list[Path]:
    """Gather this program's wheel and all that it needs, with what installs them beside.

    Args:
        folder: made if need be; wheels that are there already are not asked for again.
        machines: of `MACHINES`.
        pythons: versions that machines other than this one may have.
        wheel: this program's own; None: it is made from the checkout that is running, or taken
            from where it was installed from, or from the package index.

    Returns:
        The wheels.

    Raises:
        ConfigError: what was given is no wheel of this program.
        BiodutyError: pip is not there or fails, as it does without a network; or something has no
            binary wheel for a machine.
        OSError: the folder cannot be made or written.
    """
    wheels = folder / WHEELS
    wheels.mkdir(parents=True, exist_ok=True)
    own = _own_wheel(wheels, wheel)
    for name in machines:
        machine = MACHINES[name]
        if not machine.tags:
            _download(wheels, [str(own)])
            continue
        for python in pythons:
            _download_for(machine, python, wheels, own)
    for text, content, mode in _commands(machines, pythons):
        write_whole(folder / text, content, mode)
    return sorted(wheels.glob("*.whl"))


def _own_wheel(wheels: Path, given: Path | None) -> Path:
    """The program's own wheel, in the folder of wheels, where it is the only one; older ones stay
    until it is there.
    """
    if given is not None:
        _require_own(given)
    source = given or _installed_from()
    with TemporaryDirectory(dir=wheels, prefix=SCRATCH) as scratch:
        made = _made_wheel(Path(scratch), source)
        own = wheels / made.name
        write_whole(own, made.read_bytes())
    for old in wheels.glob(_OWN):
        if old != own:
            old.unlink()
    return own


def _made_wheel(folder: Path, source: Path | None) -> Path:
    """The program's own wheel: the file itself, or one made or downloaded into a folder."""
    if source is not None and source.is_file():
        return source
    if source is not None:
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
    else:
        _download_own(folder)
    return next(folder.glob(_OWN))


def _require_own(wheel: Path) -> None:
    try:
        name, *_ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        name = canonicalize_name("")
    if name != NAME:
        raise ConfigError(say("{wheel} 不是本程序的安装包，应是 bioduty_xl-….whl", wheel=wheel))
    _requirements(wheel)


def _installed_from() -> Path | None:
    """The checkout that is running, or the wheel or checkout that was installed, if it is still
    there.
    """
    checkout = Path(__file__).resolve().parents[1]
    if _is_checkout(checkout):
        return checkout
    try:
        said = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    parts = urlsplit(said.get("url", ""))
    if parts.scheme != "file":
        return None
    path = Path(url2pathname(parts.path))
    is_wheel = path.suffix == ".whl" and path.is_file()
    return path if is_wheel or _is_checkout(path) else None


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file()


def _download_own(wheels: Path) -> None:
    try:
        this = f"{NAME}=={distribution(NAME).version}"
        _pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels), this)
    except (PackageNotFoundError, BiodutyError) as error:
        raise BiodutyError(
            say(
                "找不到本程序自己的安装包：请用 --wheel 指明安装时所用的 bioduty_xl-….whl 文件，"
                "或者在源码文件夹中执行本命令"
            ),
            *(error.details if isinstance(error, BiodutyError) else ()),
        ) from None


def _download_for(machine: Machine, python: str, wheels: Path, own: Path) -> None:
    """For another machine: again with what the wheels need there and pip has not seen, until there
    is no more.
    """
    where = [option for tag in machine.tags for option in ("--platform", tag)]
    marks = {
        **(machine.marks or {}),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    asked: set[str] = set()
    while more := {str(one) for one in _needed(wheels, marks)} - asked:
        asked |= more
        _download(wheels, [str(own), *sorted(asked)], *where, "--python-version", python)


def _needed(wheels: Path, marks: Mapping[str, str]) -> Iterator[Requirement]:
    """What the wheels gathered so far need on a machine, without the marks by which it was told."""
    for path in wheels.glob("*.whl"):
        for text in _requirements(path):
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate(dict(marks)):
                one.marker = None
                one.name = canonicalize_name(one.name)
                yield one


@functools.cache
def _requirements(wheel: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(wheel) as package:
            name = next(n for n in package.namelist() if n.endswith(".dist-info/METADATA"))
            head = HeaderParser().parsestr(package.read(name).decode("utf-8"))
    except (zipfile.BadZipFile, zlib.error, EOFError, StopIteration, UnicodeDecodeError):
        raise BiodutyError(say("{wheel} 已损坏，请删去后重新获取", wheel=wheel)) from None
    return tuple(head.get_all("Requires-Dist", ()))


def _download(wheels: Path, wanted: Sequence[str], *options: str) -> None:
    found = ("--only-binary=:all:", "--find-links", str(wheels), "--dest", str(wheels))
    _pip("download", *found, *options, *wanted)


def _pip(*arguments: str) -> None:
    """Run pip, whose last words are passed on where it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if said and said[-1].endswith("No module named pip"):
            raise BiodutyError(
                say(
                    "{python} 没有 pip：先执行 python -m ensurepip，或换用带有 pip 的 Python",
                    python=sys.executable,
                )
            )
        errors = [line for line in said if line.startswith("ERROR:")] or said[-3:]
        raise BiodutyError(say("pip 没有成功，请检查网络，或者缺少适用的安装包"), *errors)


def _commands(machines: Sequence[str], pythons: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
    """What installs the wheels, on the machines that they are for, and what it says about it: each
    with its name and rights.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = "windows" if sys.platform == "win32" else "linux"
    versions: dict[str, set[str]] = {}
    for name in machines:
        found = {here} if name == "here" else set(pythons)
        versions.setdefault(own if name == "here" else name, set()).update(found)
    fitting = {name: sorted(found, key=_as_number) for name, found in versions.items()}
    if "windows" in fitting:
        yield "安装.bat", _windows(fitting["windows"]), 0o644
    if "linux" in fitting:
        yield "安装.sh", _shell(fitting["linux"]), 0o755
    yield "说明.txt", _read_me(fitting).replace("\n", "\r\n").encode("utf-8-sig"), 0o644


def _as_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


_INSTALL = f"-m pip install --no-index --find-links {WHEELS} --upgrade {NAME}"
_FAILED = "没有装好，请看上面的说明。"


def _shell(pythons: Sequence[str]) -> bytes:
    return f"""\
#!/bin/sh
# 不需要网络：只用 {WHEELS} 中的安装包，装到 {ENVIRONMENT} 文件夹，或参数所指的文件夹。
# 要指定 Python：PYTHON=/usr/bin/python3.12 sh 安装.sh
here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
target=${{1:-"$here/{ENVIRONMENT}"}}
case $target in /*) ;; *) target=$(pwd)/$target ;; esac
python=python3
for version in {" ".join(pythons)}; do
    command -v "python$version" >/dev/null && python=python$version
done
cd -- "$here" &&
    "${{PYTHON:-$python}}" -m venv "$target" &&
    "$target/bin/python" {_INSTALL} ||
    {{ echo '{_FAILED}'; exit 1; }}
echo "安装完成：$target/bin/bioduty"
""".encode()


def _windows(pythons: Sequence[str]) -> bytes:
    """The same for cmd.exe; without labels, since it loses its place where it jumps."""
    failed = f"(echo. & echo {_FAILED}& pause & exit /b 1)"
    return batch_file(
        [
            "setlocal",
            f"rem 不需要网络：只用 {WHEELS} 中的安装包",
            f"rem 装到 {ENVIRONMENT} 文件夹，或参数所指的文件夹",
            f'set "target=%~dp0{ENVIRONMENT}"',
            'if not "%~1"=="" set "target=%~f1"',
            'pushd "%~dp0"',
            "set python=python",
            f'for %%v in ({" ".join(pythons)}) do py -%%v -c "" >nul 2>nul && set python=py -%%v',
            f'%python% -m venv "%target%" || {failed}',
            f'"%target%\\Scripts\\python.exe" {_INSTALL} || {failed}',
            'echo 安装完成："%target%\\Scripts\\bioduty.exe"',
            "popd",
            "pause",
        ]
    )


_SYSTEMS = {"windows": "Windows（64 位）", "linux": "Linux（64 位）"}


def _read_me(fitting: Mapping[str, Sequence[str]]) -> str:
    rows = "\n".join(
        f"  {_SYSTEMS[name]}：Python {'、'.join(versions)}" for name, versions in fitting.items()
    )
    return f"""\
bioduty-xl 离线安装

把本文件夹整个复制到不能上网的电脑上。那里须先装有以下版本的 Python 之一：

{rows}

Windows：双击“安装.bat”；Linux：执行 sh 安装.sh

程序装在本文件夹的 {ENVIRONMENT} 文件夹里；要装到别处，把那个文件夹写在命令后面，例如：

  安装.bat D:\\bioduty
  sh 安装.sh /opt/bioduty

装好以后新建工作区：

  Windows：{ENVIRONMENT}\\Scripts\\bioduty.exe init D:\\报送
  Linux：  {ENVIRONMENT}/bin/bioduty init ~/报送

升级：用新的安装文件夹再装一次，装到原来的地方。
卸载：删去 {ENVIRONMENT} 文件夹。工作区（收到的文件、台账、汇总表）在别处，不受影响。

手工安装只需在本文件夹执行一条命令：

  python {_INSTALL}
"""


@usage.command()
@click.argument("folder", metavar="DIR", type=usage.Path(path_type=Path, file_okay=False))
@usage.option(
    "--platform",
    "machines",
    multiple=True,
    type=click.Choice(tuple(MACHINES)),
    help="给哪种机器用，可以写几次：本机（不写时）、64 位 Windows、64 位 Linux",
)
@usage.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="X.Y",
    help="那些机器上 Python 的版本，可以写几次；不写时为 3.11、3.12、3.13",
)
@usage.option(
    "--wheel",
    type=usage.Path(path_type=Path, exists=True, dir_okay=False),
    help="本程序的安装包；不写时由源码生成，或从安装来源、软件源取得",
)
def main(
    folder: Path, machines: tuple[str, ...], pythons: tuple[str, ...], wheel: Path | None
) -> None:
    """把安装所需的一切收集到 DIR，带到不能上网的电脑上安装。"""
    with console.reported():
        wheels = gather(folder, machines or ("here",), _versions(pythons), wheel)
        size = sum(path.stat().st_size for path in wheels) >> 20
    found = tell(
        "已收集 {count} 个安装包（{size} MB）：{folder}",
        count=len(wheels),
        size=size,
        folder=folder,
    )
    click.echo(found)
    click.echo(tell("把整个文件夹复制过去，按其中的“说明.txt”安装"))


def _versions(given: Sequence[str]) -> Sequence[str]:
    for one in given:
        major, _, minor = one.partition(".")
        if not (major == "3" and minor.isascii() and minor.isdigit() and int(minor) >= 11):
            raise ConfigError(
                say("“{one}”不是 Python 的版本，应写成 3.12 的样子，不低于 3.11", one=one)
            )
    return given or PYTHONS


if __name__ == "__main__":
    console.make_usable()
    speak(language_of(Language.AUTO, os.environ))
    main()
