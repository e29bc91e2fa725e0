"""Disks that are full, small or on another machine."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import PureWindowsPath
from types import SimpleNamespace

import psutil
import pytest
from books import FILLED, fill, records
from commands import failed, run

from bioduty_xl import Workspace
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.intake import filing
from bioduty_xl.layout import disk

AS_OF = "2024-06-20"


@pytest.fixture
def small(tmp_path):
    """A file system of two megabytes, where one may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if sys.platform != "linux" or shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root on Linux alone")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def use(ws, setting, folder):
    """The workspace with one of its paths elsewhere."""
    settings = ws.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    old = getattr(ws.settings.paths, setting).as_posix()
    assert f'{setting} = "{old}"' in text
    settings.write_text(text.replace(f'{setting} = "{old}"', f"{setting} = '{folder}'"), "utf-8")
    return Workspace.open(ws.root)


def fill_up(folder, leave):
    """Take all of a disk but some bytes."""
    with (folder / "ballast").open("wb") as file:
        left = shutil.disk_usage(folder).free - leave
        file.write(b"x" * max(0, left))


@pytest.mark.parametrize("leave", [0, 8, 16, 24, 40, 64, 100, 160])
def test_a_full_disk_loses_nothing_and_the_next_pass_goes_on(q2, form, small, tmp_path, leave):
    for number, unit in enumerate(("市林业局", "市水利局", "市林业局")):
        texts = {**FILLED, "remark": f"{number}"}
        fill(form(unit), q2.inbox / f"{number}.xlsx", answers=texts)
    (q2.inbox / "扫描件.pdf").write_bytes(b"%PDF" + os.urandom(30_000))
    shutil.copytree(q2.state_dir, small / "state")
    full = use(q2, "state_dir", small / "state")
    brought = {filing.hash_of(path) for path in full.inbox.iterdir()}

    fill_up(small, leave << 10)
    done = run("collect", "--workspace", full.root, "--as-of", AS_OF)
    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr
    if leave == 0:
        assert done.returncode == 1
    if done.returncode == 1:
        assert "错误：" in done.stderr
    here = {filing.hash_of(path) for path in full.inbox.rglob("*") if path.suffix}
    assert here == brought  # nothing left the inbox but into its own folders

    (small / "ballast").unlink()
    full.collect(as_of=AS_OF)
    rows = records(full.consolidate("2024Q2", as_of=AS_OF), "收件台账")
    found = [(row["文件"], row["处理结果"], row["修订次数"]) for row in rows]
    assert sorted(found) == [
        ("0.xlsx", "已收", 1),
        ("1.xlsx", "已收", 1),
        ("2.xlsx", "已收", 2),
        ("扫描件.pdf", "待处理", None),
    ]
    assert {path.name for path in filing.originals_in(full.originals)} == brought


def test_a_full_disk_leaves_the_old_report_whole(q2, form, small):
    full = use(q2, "outbox", small / "outbox")
    first = full.consolidate("2024Q2", as_of="2024-06-20").read_bytes()
    fill(form("市林业局"), full.inbox / "a.xlsx")
    full.collect(as_of="2024-06-20")
    fill_up(small, 0)
    with pytest.raises(OSError):
        full.consolidate("2024Q2", as_of="2024-06-26")
    assert full.report_file("2024Q2").read_bytes() == first
    assert [path.name for path in full.report_file("2024Q2").parent.iterdir()] == [
        full.report_file("2024Q2").name
    ]


def test_an_outsized_file_that_does_not_fit_holds_up_nobody(q2, form, small):
    shutil.copytree(q2.state_dir, small / "state")
    full = use(q2, "state_dir", small / "state")
    with (full.inbox / "0 录像.mp4").open("wb") as file:
        file.truncate(60 << 20)
    fill(form("市林业局"), full.inbox / "1.xlsx")
    reports = {report.file: report for report in full.collect(as_of=AS_OF).files}
    assert reports["1.xlsx"].verdict == "accepted"
    assert reports["0 录像.mp4"].verdict == "deferred"
    assert "磁盘空间不足" in reports["0 录像.mp4"].reason


def test_an_archive_that_does_not_fit_unpacked_holds_up_nobody(q2, form, small):
    shutil.copytree(q2.state_dir, small / "state")
    full = use(q2, "state_dir", small / "state")
    with zipfile.ZipFile(full.inbox / "0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.pdf", b"\0" * (10 << 20))
    fill(form("市林业局"), full.inbox / "1.xlsx")
    for _ in range(2):
        reports = {report.file: report for report in full.collect(as_of=AS_OF).files}
        assert (reports["0.zip"].verdict, "磁盘" in reports["0.zip"].reason) == ("deferred", True)
    assert [line.unit.code for line in full.standing("2024Q2", as_of=AS_OF).returned] == ["U02"]


def mounted(*disks):
    found = [SimpleNamespace(mountpoint=m, fstype=kind, opts=opts) for m, kind, opts in disks]
    return lambda **_: found


@pytest.mark.parametrize(
    ("kind", "opts"),
    [("nfs4", "rw"), ("cifs", "rw"), ("smb3", "rw"), ("fuse.sshfs", "rw"), ("", "rw,remote")],
)
def test_a_network_disk_is_refused_for_the_state_folder(q2, monkeypatch, kind, opts):
    there = str(q2.state_dir)
    monkeypatch.setattr(
        psutil, "disk_partitions", mounted(("/", "ext4", "rw"), (there, kind, opts))
    )
    before = (q2.state_dir / "ledger.sqlite").read_bytes()
    for work in (lambda: q2.collect(as_of=AS_OF), lambda: q2.generate("2024Q3")):
        with pytest.raises(ConfigError, match="state_dir"):
            work()
    assert (q2.state_dir / "ledger.sqlite").read_bytes() == before


def test_a_local_disk_mounted_below_or_over_a_network_disk_is_fine(tmp_path, monkeypatch):
    root, home = ("/", "nfs4", "rw"), (str(tmp_path), "ext4", "rw")
    monkeypatch.setattr(psutil, "disk_partitions", mounted(root, home))
    disk.require_local(tmp_path / "not there yet")
    monkeypatch.setattr(psutil, "disk_partitions", mounted(home, root, ("/", "ext4", "rw")))
    disk.require_local(tmp_path.parent)


@pytest.mark.parametrize("path", ["//server/share/x", r"\\server\share\x", r"Z:\x"])
def test_a_unc_path_is_refused(path):
    with pytest.raises(ConfigError):
        disk.require_local(_Windows(path))


class _Windows(PureWindowsPath):
    """A path of Windows; a mapped drive, Z:, resolves to its share there."""

    def resolve(self):
        return PureWindowsPath(str(self).replace("Z:", r"\\server\share"))


def test_the_command_line_says_so_in_one_sentence(q2, tmp_path):
    shim = tmp_path / "sitecustomize.py"
    shim.write_text(
        "import psutil, types\n"
        "psutil.disk_partitions = lambda all: [\n"
        "    types.SimpleNamespace(mountpoint='/', fstype='cifs', opts='rw')]\n",
        encoding="utf-8",
    )
    found = str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", "")
    env = {**os.environ, "PYTHONPATH": found}
    done = run("collect", "--workspace", q2.root, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "网络盘" in done.stderr


def test_an_inbox_that_cannot_be_listed_is_an_error(q2, monkeypatch):
    def refuse(*_, **named):
        named["onerror"](PermissionError(13, "denied", str(q2.inbox)))
        return iter(())

    monkeypatch.setattr(filing.os, "walk", refuse)
    with pytest.raises(BiodutyError, match="读不出来"):
        q2.collect(as_of=AS_OF)


def test_an_unmounted_share_is_said_by_the_command_line(q2):
    run("collect", "--workspace", q2.root)
    shutil.rmtree(q2.inbox)
    q2.inbox.mkdir()
    assert "不可用" in failed("collect", "--workspace", q2.root, expect=1)
