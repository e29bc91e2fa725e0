"""A backup holds one moment of a workspace, and comes back whole or not at all."""

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import year
from books import FILLED, fill
from commands import bioduty, failed, run

import bioduty_xl
from bioduty_xl import Workspace, ledger
from bioduty_xl.errors import BiodutyError, ConfigError, LedgerError
from bioduty_xl.intake import filing
from bioduty_xl.workspace import ALL_TIME

Q2 = "2024Q2"


def rows(path):
    """Every row of a ledger, by table."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema")]
        tables = [name for name in names if not name.startswith(("sqlite_", "files_"))]
        return {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def originals(ws):
    return {path.name: path.read_bytes() for path in filing.originals_in(ws.originals)}


def contents(folder):
    """Every file below a folder but starters, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("运行.")
    }


@pytest.fixture
def busy(city):
    """A small city that has closed a quarter, with returns of the next one, one of them held."""
    city.run("2024-06-03")
    city.give("市林业局", "林业.xlsx")
    (city.ws.inbox / "通知.pdf").write_bytes(b"%PDF-1.7 notice")
    city.run("2024-06-20")
    city.run("2024-07-12")  # 2024Q2 is closed
    assert city.ws.is_closed(Q2)
    city.run("2024-09-02")  # forms of 2024Q3 are out
    (city.ws.state_dir / "mail.password").write_text("secret", encoding="ascii")
    for name in ("mail.password", "signing.key"):
        (city.ws.state_dir / name).chmod(0o600)
    return city


@pytest.fixture
def saved(busy, tmp_path):
    """Its backup."""
    return busy.ws.backup(tmp_path / "备份 一.zip", as_of="2024-09-03").path


def test_a_restored_workspace_is_the_one_that_was_backed_up(busy, saved, tmp_path):
    before = rows(busy.ws.ledger_file)
    there = Workspace.restore(saved, tmp_path / "新 电脑" / "报送")
    assert rows(there.ledger_file) == before
    assert originals(there) == originals(busy.ws)
    assert len(originals(there)) == 2
    assert contents(there.outbox_root) == contents(busy.ws.outbox_root)
    for name in ("bioduty.toml", "plan.xlsx", "register.xlsx"):
        assert (there.root / name).read_bytes() == (busy.ws.root / name).read_bytes()
    assert contents(there.root / "templates") == contents(busy.ws.root / "templates")
    kept = {path.name for path in there.state_dir.iterdir()}
    assert kept == {
        *("ledger.sqlite", "originals", "published", "signing.key", "mail.password"),
        *("register.xlsx", "passes.jsonl"),
    }
    said = there.standing("2024Q3", as_of="2024-09-10").as_json()
    assert said == busy.ws.standing("2024Q3", as_of="2024-09-10").as_json()


def test_a_form_that_was_handed_out_before_comes_back_after(busy, saved, tmp_path):
    form = busy.form("市水利局", "2024Q3")
    filled = fill(form, tmp_path / "水利.xlsx", answers=FILLED)
    there = year.City(Workspace.restore(saved, tmp_path / "新 电脑").root)
    shutil.copyfile(filled, there.ws.inbox / "水利.xlsx")
    (report,) = there.run("2024-09-10").collected.files
    assert (report.verdict, report.unit) == ("accepted", "U02")


def test_a_closed_book_comes_out_again_as_it_was_published(busy, saved, tmp_path):
    there = year.City(Workspace.restore(saved, tmp_path / "新 电脑").root)
    published = busy.ws.report_file(Q2).read_bytes()
    assert there.ws.report_file(Q2).read_bytes() == published
    there.ws.report_file(Q2).unlink()
    there.run("2024-09-10")
    assert there.ws.report_file(Q2).read_bytes() == published
    assert there.run("2024-09-11").altered == []


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_only_its_owner_may_read_a_backup_and_a_restored_state(busy, saved, tmp_path):
    def rights(path):
        return stat.S_IMODE(path.stat().st_mode)

    assert rights(saved) == 0o600
    there = Workspace.restore(saved, tmp_path / "新 电脑")
    assert rights(there.state_dir) == rights(there.originals) == 0o700
    assert rights(there.state_dir / "signing.key") == 0o600
    assert rights(there.state_dir / "mail.password") == 0o600


def test_the_manifest_says_what_is_in_it(busy, saved):
    with zipfile.ZipFile(saved) as package:
        said = json.loads(package.read("manifest.json"))
        for name, kept in said["members"].items():
            content = package.read(name)
            assert kept["sha256"] == hashlib.sha256(content).hexdigest()
            assert kept["size"] == len(content)
    assert (said["format"], said["version"]) == ("bioduty-backup", 1)
    assert said["ledger"] == len(ledger.MIGRATIONS)
    assert said["made"].startswith("2024-09-03")
    assert (said["periods"], said["files"]) == ([Q2, "2024Q3"], 2)
    assert said["left_out"] == said["missing"] == said["damaged"] == said["elsewhere"] == []
    absent = ("bioduty.log", "lock", "heartbeat", "ledger.sqlite-journal", ".xlsx.tmp")
    assert not [name for name in said["members"] if name.endswith(absent)]
    assert not [name for name in said["members"] if "/inbox/" in name]


def test_what_was_not_collected_yet_is_put_back_into_the_inbox(busy, tmp_path):
    """Also where a name cannot be written into a zip; what was collected is not there twice."""
    busy.give("市水利局", "科室/水利.xlsx", period="2024Q3")
    (busy.ws.inbox / "~$水利.xlsx").write_bytes(b"lock")
    expected = 1
    if sys.platform == "linux":
        odd = os.path.join(os.fsencode(busy.ws.inbox), "返回表.pdf".encode("gbk"))
        Path(os.fsdecode(odd)).write_bytes(b"%PDF-1.7 odd")
        expected = 2
    made = busy.ws.backup(tmp_path / "b.zip")
    assert len(made.manifest.waiting) == expected
    there = Workspace.restore(made.path, tmp_path / "新 电脑")
    files = {name for name in contents(there.inbox) if not name.startswith(".bioduty")}
    assert "科室/水利.xlsx" in files
    assert len(files) == expected
    collected = year.City(there.root).run("2024-09-10").collected
    assert [one.unit for one in collected.files if one.verdict == "accepted"] == ["U02"]


def test_a_restored_inbox_is_known_for_ours_also_in_its_old_place(busy, saved):
    root = busy.ws.root
    root.rename(root.with_name("旧"))
    there = year.City(Workspace.restore(saved, root).root)
    assert there.run("2024-09-10").failures == []


def test_a_workspace_that_was_never_used_can_be_backed_up(ws, tmp_path):
    made = ws.backup(tmp_path / "b.zip")
    assert (made.manifest.ledger, made.manifest.files) == (None, 0)
    there = Workspace.restore(made.path, tmp_path / "新 电脑")
    assert len(there.generate(Q2, "市林业局")) == 1


PASSES = """
import os, sys
from pathlib import Path
from bioduty_xl import Workspace, publishing, reminding
from bioduty_xl.batch import run_pass
from bioduty_xl.domain.calendar import moment
root, coming = Path(sys.argv[1]), sorted(Path(sys.argv[2]).iterdir())
print("ready", flush=True)
for number, path in enumerate(coming):
    os.rename(path, root / "inbox" / path.name)
    if number % 6 == 5:
        run_pass(Workspace.open(root), moment("2024-06-20"), lambda *_: None)
    else:
        Workspace.open(root).collect(as_of="2024-06-20")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it kills with SIGKILL")
def test_backups_taken_while_passes_are_running_and_killed_lose_nothing(city, tmp_path):
    """Whenever a backup is taken, what had come into the inbox before is in it, and a pass over the
    restored workspace accepts all of it.
    """
    coming = tmp_path / "在途"
    coming.mkdir()
    for number in range(16):
        unit = year.NAMES[number % len(year.NAMES)]
        texts = {**FILLED, "remark": f"第{number}次"}
        fill(city.form(unit), coming / f"{number:02d}{unit}.xlsx", answers=texts)
    sent = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in coming.iterdir()}
    chance = random.Random("backups")
    env = {**os.environ, "PYTHONPATH": str(Path(bioduty_xl.__file__).parents[1])}
    seen = set()
    for round_ in range(8):
        here = tmp_path / f"{round_}"
        root = shutil.copytree(city.ws.root, here / "w")
        left = shutil.copytree(coming, here / "在途")
        with subprocess.Popen(
            [sys.executable, "-c", PASSES, str(root), str(left)], env=env, stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()
            time.sleep(chance.uniform(0, 4.0))
            if round_ % 2:
                process.send_signal(signal.SIGKILL)
                process.wait()
            yet_to_come = {path.name for path in left.iterdir()}
            made = Workspace.open(root).backup(here / "b.zip")
            process.kill()
        assert not made.needs_attention, made.manifest
        seen.add(made.manifest.files)
        there = Workspace.restore(made.path, here / "新")
        with ledger.Ledger(there.ledger_file, snapshot=True) as opened:
            named = opened.hashes()
        kept = originals(there)
        assert all(hashlib.sha256(kept[name]).hexdigest() == name for name in named)
        assert not year.City(there.root).run("2024-06-25").failures
        with ledger.Ledger(there.ledger_file, snapshot=True) as opened:
            files = opened.files(ALL_TIME)
        found = {sent[file.sha256] for file in files}
        assert found >= set(sent.values()) - yet_to_come
        accepted = {sent[file.sha256] for file in files if file.verdict == "accepted"}
        assert accepted == found
    assert len(seen) > 2, seen  # in the midst of collecting


def test_a_backup_waits_for_nobody_and_holds_nobody_up(busy, tmp_path):
    with busy.ws.locked():
        assert busy.ws.backup(tmp_path / "b.zip").manifest.files == 2


def broken(saved, target, change):
    """A copy of a backup whose members went through `change(name, info, content)`; None drops one.
    The manifest is left alone."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(target, "w") as made:
        for info in source.infolist():
            changed = change(info, source.read(info))
            if changed is not None:
                made.writestr(info, changed)
    return target


def with_manifest(saved, target, change):
    """A copy of a backup whose manifest says something else."""

    def changed(info, content):
        if info.filename != "manifest.json":
            return content
        said = json.loads(content)
        change(said)
        return json.dumps(said)

    return broken(saved, target, changed)


def replaced(saved, target, name, content):
    """A copy of a backup with a member of other bytes, as its manifest says too."""
    kept = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    draft = target.with_suffix(".draft")
    with_manifest(saved, draft, lambda said: said["members"][name].update(kept))
    broken(draft, target, lambda i, c: content if i.filename == name else c)
    draft.unlink()
    return target


def refused(path, target, match, error=BiodutyError, **more):
    """Nothing is there afterwards, and nothing is left of the try."""
    before = sorted(target.parent.iterdir())
    with pytest.raises(error, match=match):
        Workspace.restore(path, target, **more)
    assert not target.exists()
    assert sorted(target.parent.iterdir()) == before


def test_a_damaged_backup_is_refused(saved, tmp_path):
    target, bad = tmp_path / "新 电脑", tmp_path / "坏.zip"
    whole = saved.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    refused(bad, target, "不是 bioduty 的备份")
    middle = len(whole) // 3
    bad.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    refused(bad, target, "没有恢复任何内容")
    bad.write_bytes(b"")
    refused(bad, target, "已损坏")


def test_a_backup_that_is_not_what_its_manifest_says_is_refused(saved, tmp_path):
    target, bad = tmp_path / "新 电脑", tmp_path / "坏.zip"
    key = "state/signing.key"
    refused(
        broken(saved, bad, lambda i, c: b"0" * len(c) if i.filename == key else c),
        target,
        "signing.key”与清单不符",
    )
    refused(broken(saved, bad, lambda i, c: None if i.filename == key else c), target, "与清单不符")
    an_original = next(n for n in zipfile.ZipFile(saved).namelist() if "/originals/" in n)
    broken(saved, bad, lambda i, c: None if i.filename == an_original else c)
    worse = with_manifest(bad, tmp_path / "更坏.zip", lambda said: said["members"].pop(an_original))
    refused(worse, target, "缺少台账所列的 originals/")


def test_what_is_no_backup_is_refused(saved, tmp_path):
    other = tmp_path / "别的.zip"
    with zipfile.ZipFile(other, "w") as made:
        made.writestr("a.txt", "a")
    refused(other, tmp_path / "新", "不是 bioduty 的备份")
    with_manifest(saved, other, lambda said: said.pop("members"))
    refused(other, tmp_path / "新", "不是 bioduty 的备份")


def test_a_backup_of_a_newer_program_is_refused(saved, tmp_path):
    newer = tmp_path / "新版.zip"
    with_manifest(saved, newer, lambda said: said.update(version=2, product="9.0"))
    refused(newer, tmp_path / "新", "更新版本的程序（9.0）")
    with_manifest(saved, newer, lambda said: said.update(ledger=99))
    refused(newer, tmp_path / "新", "台账由更新版本的程序写成")


@pytest.mark.parametrize(
    "name",
    [
        *("", "state/", "../外.txt", "workspace/../../外.txt", "/tmp/外.txt", "workspace//外.txt"),
        *(r"workspace\..\外.txt", "C:/外.txt", "workspace/C:外.txt", "别处/外.txt", "workspace/"),
        "state/signing.key/x",
    ],
)
def test_a_member_that_would_go_elsewhere_is_refused(saved, tmp_path, name):
    content = b"x"

    def change(said):
        kept = {"sha256": hashlib.sha256(content).hexdigest(), "size": 1}
        said["members"][name] = {**kept, "mode": 0o644, "changed_ns": 0}

    bad = with_manifest(saved, tmp_path / "坏.zip", change)
    with zipfile.ZipFile(bad, "a") as package:
        package.writestr(zipfile.ZipInfo(name), content)
    (tmp_path / "里").mkdir()
    refused(bad, tmp_path / "里" / "新", "已损坏")
    assert not list(tmp_path.rglob("外*"))


def test_links_duplicates_and_bombs_are_refused(saved, tmp_path):
    target, bad = tmp_path / "新 电脑", tmp_path / "坏.zip"

    def link(info, content):
        if info.filename == "state/signing.key":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        return content

    refused(broken(saved, bad, link), target, "不是备份里会有的")
    shutil.copyfile(saved, bad)
    with (
        zipfile.ZipFile(bad, "a") as package,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        package.writestr("state/signing.key", "0" * 64)
    refused(bad, target, "不是备份里会有的")
    bomb = bytes(1 << 20)

    def inflate(said):
        for number in range(900):
            kept = {"sha256": hashlib.sha256(bomb).hexdigest(), "size": len(bomb)}
            said["members"][f"workspace/{number}"] = {**kept, "mode": 0o644, "changed_ns": 0}

    with_manifest(saved, bad, inflate)
    with zipfile.ZipFile(bad, "a", zipfile.ZIP_DEFLATED) as package:
        for number in range(900):
            package.writestr(f"workspace/{number}", bomb)
    refused(bad, target, "大得反常")


def test_a_starter_in_a_backup_is_never_put_in_place(saved, tmp_path):
    evil = b"#!/bin/sh\nrm -rf ~\n"

    def change(said):
        kept = {"sha256": hashlib.sha256(evil).hexdigest(), "size": len(evil)}
        said["members"]["workspace/运行.sh"] = {**kept, "mode": 0o755, "changed_ns": 0}

    bad = with_manifest(saved, tmp_path / "坏.zip", change)
    with zipfile.ZipFile(bad, "a") as package:
        package.writestr("workspace/运行.sh", evil)
    there = Workspace.restore(bad, tmp_path / "新 电脑")
    assert b"bioduty_xl" in (there.root / "运行.sh").read_bytes()


def with_members(saved, target, *names, content=b"x", mode=0o755):
    """A copy of a backup with members that it never had, in its manifest too."""
    kept = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "mode": mode}

    def change(said):
        said["members"] |= {name: {**kept, "changed_ns": 0} for name in names}

    with_manifest(saved, target, change)
    with zipfile.ZipFile(target, "a") as package:
        for name in names:
            package.writestr(zipfile.ZipInfo(name), content)
    return target


def test_nothing_of_a_backup_shadows_a_module_or_runs_by_accident(saved, tmp_path):
    """Python looks for modules, and cmd.exe for programs, in the folder that a starter runs in."""
    evil = b"open('had', 'w').close()\n"
    bad = with_members(
        saved,
        tmp_path / "坏.zip",
        *("workspace/click.py", "workspace/json/__init__.py", "workspace/CHCP.COM"),
        *("workspace/pandas.cpython-312-x86_64-linux-gnu.so", "workspace/inbox/表.xlsx.exe"),
        *("workspace/click.py_", "state/sqlite3.py", "outside/x.bat", "workspace/运行.SH"),
        *("workspace/运行.bat/x", "workspace/dirname"),
        content=evil,
    )
    there = tmp_path / "新 电脑"
    said = bioduty("restore", bad, there)
    assert "已改名：click.py → click.py__" in said
    assert "已改名：inbox/表.xlsx.exe → inbox/表.xlsx.exe_" in said
    held = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    runnable = {name for name in held if name.lower().endswith((".py", ".com", ".so", ".exe"))}
    assert runnable == set()
    starters = {name for name in held if name.lower().endswith((".bat", ".sh"))}
    assert starters == {"运行.bat", "运行.sh"}
    assert b"bioduty_xl" in (there / "运行.bat").read_bytes()
    assert (there / "click.py_").read_bytes() == (there / "click.py__").read_bytes() == evil
    if os.name == "posix":
        assert not os.access(there / "dirname", os.X_OK)
        subprocess.run(
            [sys.executable, "-m", "bioduty_xl", "status", Q2],
            cwd=there,
            env={**os.environ, "PYTHONPATH": str(Path(bioduty_xl.__file__).parents[1])},
            check=True,
            capture_output=True,
        )
        assert not list(there.rglob("had"))


@pytest.mark.parametrize("name", ["CON", "a.", "a ", "nul.xlsx", "a?b", "click.p\u200cy", "a\nb"])
def test_a_name_that_some_system_would_not_take_as_it_stands_is_no_member(saved, tmp_path, name):
    bad = with_members(saved, tmp_path / "坏.zip", f"workspace/{name}")
    (tmp_path / "里").mkdir()
    refused(bad, tmp_path / "里" / "新", "不是备份里会有的")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        (("workspace/.bioduty/x",), "状态文件夹的位置"),
        (("workspace/.bioduty",), "状态文件夹的位置"),
        (("workspace/inbox",), "放不到位"),
        (("workspace/templates/quarterly_return.xlsx/x",), "既是文件又是文件夹"),
        (("workspace/" + "长" * 100,), "放不到位"),
        (("state/originals",), "不是备份里会有的"),
        (("state/lock/x",), "不是备份里会有的"),
    ],
)
def test_members_that_get_in_each_others_way_are_one_sentence(saved, tmp_path, members, error):
    """It names the backup, and no scratch folder that is gone by then."""
    bad = with_members(saved, tmp_path / "坏.zip", *members)
    (tmp_path / "里").mkdir()
    target = tmp_path / "里" / "没有过" / "新"
    code = 2 if "状态" in error else 1
    said = failed("restore", bad, target, expect=code)
    assert error in said
    assert str(bad) in said
    assert ".~bioduty" not in said
    assert list((tmp_path / "里").iterdir()) == []


def test_what_had_been_outside_before_is_no_hindrance_the_next_time(busy, tmp_path):
    city = outside(busy, "plan", tmp_path / "共享 plan.xlsx")
    first = Workspace.restore(city.ws.backup(tmp_path / "a.zip").path, tmp_path / "二")
    second = tmp_path / "三"
    said = bioduty("restore", first.backup(tmp_path / "b.zip").path, second)
    assert str(second / "备份中的外部文件_2") in said
    assert (second / "备份中的外部文件_2" / "共享 plan.xlsx").is_file()
    assert (second / "备份中的外部文件" / "共享 plan.xlsx").is_file()


def test_a_damaged_ledger_or_settings_in_gbk_are_said_of_the_backup(saved, tmp_path):
    bad, target = tmp_path / "坏.zip", tmp_path / "新"
    settings = "[office]\nname = '某办公室'\n".encode("gbk")
    replaced(saved, bad, "workspace/bioduty.toml", settings)
    said = failed("restore", bad, target, expect=2)
    assert f"{bad} 中的 bioduty.toml" in said
    assert "GBK" in said
    with zipfile.ZipFile(saved) as package:
        whole = package.read("state/ledger.sqlite")
    for content in (whole[:9000], b"no ledger", b""):
        replaced(saved, bad, "state/ledger.sqlite", content)
        assert f"{bad} 中的 ledger.sqlite" in failed("restore", bad, target, expect=1)
        assert not target.exists()


def test_a_ledger_that_is_none_of_ours_is_refused(saved, tmp_path):
    """It has our version, and rows that we never write."""
    odd = tmp_path / "odd.sqlite"
    for change in ("DROP TABLE closings", "UPDATE closings SET period = '去年'"):
        with zipfile.ZipFile(saved) as package:
            odd.write_bytes(package.read("state/ledger.sqlite"))
        with closing(sqlite3.connect(odd)) as db, db:
            db.execute("PRAGMA foreign_keys = OFF")
            db.execute(change)
        bad = replaced(saved, tmp_path / "坏.zip", "state/ledger.sqlite", odd.read_bytes())
        assert str(bad) in failed("restore", bad, tmp_path / "新", expect=1)


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_rights_that_a_manifest_from_windows_gives_open_no_secret(saved, tmp_path):
    def change(said):
        for kept in said["members"].values():
            kept["mode"] = 0o666

    bad = with_manifest(saved, tmp_path / "视窗.zip", change)
    for state_dir in (None, tmp_path / "别处"):
        target = tmp_path / f"新 {state_dir is None}"
        there = Workspace.restore(bad, target, state_dir=state_dir)
        assert stat.S_IMODE(there.state_dir.stat().st_mode) == 0o700
        for name in ("signing.key", "mail.password", "ledger.sqlite"):
            assert stat.S_IMODE((there.state_dir / name).stat().st_mode) == 0o600
        assert stat.S_IMODE((there.root / "register.xlsx").stat().st_mode) == 0o644


def test_a_state_folder_is_told_from_the_current_folder(saved, tmp_path, monkeypatch):
    (tmp_path / "里").mkdir()
    monkeypatch.chdir(tmp_path / "里")
    bioduty("restore", saved, "新", "--state-dir", "新/状态", cwd=tmp_path / "里")
    there = Workspace.open("新")
    assert there.settings.paths.state_dir == Path("状态")
    assert there.is_closed(Q2)
    bioduty("restore", saved, "又", "--state-dir", "旁边", cwd=tmp_path / "里")
    assert Workspace.open("又").state_dir == tmp_path / "里" / "旁边"
    home = {**os.environ, "HOME": str(tmp_path / "家"), "USERPROFILE": str(tmp_path / "家")}
    done = run("restore", saved, "再", "--state-dir", "~/状态", cwd=tmp_path / "里", env=home)
    assert done.returncode == 0, done.stderr
    assert Workspace.open("再").state_dir == tmp_path / "家" / "状态"
    assert not (tmp_path / "里" / "~").exists()


@pytest.mark.parametrize("place", ["inbox", "outbox", "templates/a", "inbox/a/b"])
def test_a_state_folder_that_would_lie_among_other_files_is_refused(saved, tmp_path, place):
    target = tmp_path / "里" / "新"
    target.parent.mkdir()
    refused(saved, target, "不能与 .* 互相包含", ConfigError, state_dir=place)
    refused(saved, target, "状态文件夹的位置", ConfigError, state_dir="plan.xlsx")
    refused(saved, target, "不是本机用户", ConfigError, state_dir="~没有这个人/x")
    assert list(target.parent.iterdir()) == []


def test_what_people_keep_in_the_workspace_folder_is_in_a_backup(busy, tmp_path):
    root = busy.ws.root
    (root / "我的笔记.docx").write_bytes(b"PK mine")
    (root / "笔记" / ".旧").mkdir(parents=True)
    (root / "笔记" / "a.txt").write_text("a", encoding="utf-8")
    (root / "笔记" / "b.py").write_text("pass", encoding="utf-8")
    made = busy.ws.backup(root / "b.zip")  # in the folder itself, and again
    made = busy.ws.backup(root / "b.zip")
    assert made.manifest.left_out == ()
    assert not [name for name in made.manifest.members if "b.zip" in name]
    there = Workspace.restore(made.path, tmp_path / "新 电脑").root
    assert (there / "我的笔记.docx").read_bytes() == b"PK mine"
    assert {path.name for path in (there / "笔记").iterdir()} == {"a.txt", "b.py_"}


def test_what_is_no_belonging_of_a_person_is_left_out_by_name(busy, tmp_path, monkeypatch):
    root = busy.ws.root
    for folder, mark in (("venv", "pyvenv.cfg"), ("演示", "bioduty.toml"), (".git", "HEAD")):
        (root / folder).mkdir()
        (root / folder / mark).write_text("x", encoding="utf-8")
    (root / "照片").mkdir()
    for number in range(4):
        (root / "照片" / f"{number}.jpg").write_bytes(b"jpg")
    monkeypatch.setattr("bioduty_xl.belongings.MOST_FILES", 3)
    busy.ws.backup(root / "上次.zip")
    made = busy.ws.backup(tmp_path / "b.zip")
    assert sorted(made.manifest.elsewhere) == sorted(
        (
            f"{root / 'venv'} 是 Python 环境，没有备份",
            f"{root / '演示'} 是另一个工作区，没有备份，请单独备份",
            f"{root / '.git'} 属于其他程序，没有备份",
            f"{root / '上次.zip'} 是备份，没有再放进去",
        )
    )
    (said,) = made.manifest.left_out
    assert "照片 里的文件太多或者太大（4 个" in said
    assert made.needs_attention


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_that_are_not_followed_are_named(busy, tmp_path):
    root = busy.ws.root
    (tmp_path / "别处").mkdir()
    (tmp_path / "别处" / "x.txt").write_text("x", encoding="ascii")
    links = (root / "快捷", root / "outbox" / "x.txt", root / "inbox" / "x.txt")
    for link, target in zip(links, ("别处", "别处/x.txt", "没有"), strict=True):
        link.symlink_to(tmp_path / target)
    (root / "templates").rename(tmp_path / "模板")
    (root / "templates").symlink_to(tmp_path / "模板")  # this one the settings name
    made = busy.ws.backup(tmp_path / "b.zip")
    said = {f"{link}：是指向别处的链接，没有备份" for link in links}
    assert set(made.manifest.left_out) == said
    assert "workspace/templates/quarterly_return.xlsx" in made.manifest.members


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere case does not count")
def test_names_that_differ_by_case_alone_are_not_both_in_a_backup(busy, tmp_path):
    for name in ("a.txt", "A.txt", "CON", "b.", "c?.txt"):
        (busy.ws.root / name).write_text(name, encoding="ascii")
        (busy.ws.inbox / name).write_text(f"inbox {name}", encoding="ascii")
    made = busy.ws.backup(tmp_path / "b.zip")
    assert len(made.manifest.waiting) == 5
    assert sum("大小写不同" in said for said in made.manifest.left_out) == 1
    assert sum("文件名不能写入备份" in said for said in made.manifest.left_out) == 3
    there = Workspace.restore(made.path, tmp_path / "新 电脑")
    came = {
        path.read_text(encoding="ascii") for path in there.inbox.iterdir() if path.stat().st_size
    }
    assert came == {f"inbox {name}" for name in ("a.txt", "A.txt", "CON", "b.", "c?.txt")}


def test_a_backup_without_the_key_of_forms_that_are_out_is_not_called_good(busy, tmp_path):
    whole = busy.ws.backup(tmp_path / "有.zip").path
    assert "其中有签名密钥" in bioduty("backup", whole, "--workspace", busy.ws.root)
    (busy.ws.state_dir / "signing.key").unlink()
    target = tmp_path / "b.zip"
    said = bioduty("backup", target, "--workspace", busy.ws.root, expect=3)
    assert "没有签名密钥" in said
    assert "其中有签名密钥" not in said
    assert "没有签名密钥" in bioduty("restore", target, tmp_path / "新 电脑")
    with pytest.raises(ConfigError, match="从中找回密钥"):
        busy.ws.backup(whole)


def test_a_book_that_is_still_being_written_is_no_damaged_one(busy, tmp_path):
    published = busy.ws.state_dir / "published"
    (published / ".~bioduty-0123.xlsx").write_bytes(b"half")
    made = busy.ws.backup(tmp_path / "b.zip")
    assert not made.needs_attention
    assert not [name for name in made.manifest.members if ".~" in name]


def test_what_goes_away_between_listing_and_opening_ends_no_backup(busy, tmp_path, monkeypatch):
    """A book that is gone, and an original that cannot be opened, are missing; what the ledger does
    not know is just not there."""
    real = Path.open
    unknown = busy.ws.originals / ("0" * 64)
    unknown.write_bytes(b"")
    (book,) = (busy.ws.state_dir / "published").iterdir()
    original = next(path for path in filing.originals_in(busy.ws.originals) if path != unknown)

    def gone(path, *arguments, **options):
        if path in (unknown, book):
            raise FileNotFoundError(2, "gone", str(path))
        if path == original:
            raise PermissionError(13, "not yours", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", gone)
    made = busy.ws.backup(tmp_path / "b.zip")
    monkeypatch.undo()
    assert set(made.manifest.missing) == {book.stem, original.name}
    assert [f"{original}：读不出来" in said for said in made.manifest.left_out] == [True]
    assert Workspace.restore(made.path, tmp_path / "新 电脑").is_closed(Q2)


@pytest.mark.skipif(os.name != "posix", reason="devices are POSIX's")
def test_a_device_is_no_place_for_a_backup(busy, tmp_path):
    os.mkfifo(tmp_path / "管道")
    for target in ("/dev/full", "/dev/null", tmp_path / "管道"):
        said = failed("backup", target, "--workspace", busy.ws.root, expect=2)
        assert "不是普通文件" in said


def test_a_folder_that_is_not_empty_is_left_alone(busy, saved, tmp_path):
    target = tmp_path / "有东西"
    target.mkdir()
    (target / "x.txt").write_text("x", encoding="ascii")
    with pytest.raises(ConfigError, match="已经有东西"):
        Workspace.restore(saved, target)
    assert contents(target) == {"x.txt": b"x"}
    with pytest.raises(ConfigError, match="已经有东西"):
        Workspace.restore(saved, busy.ws.root)


def test_an_empty_folder_is_filled(saved, tmp_path):
    target = tmp_path / "空"
    target.mkdir()
    bad = tmp_path / "坏.zip"
    bad.write_bytes(saved.read_bytes()[:9000])
    with pytest.raises(BiodutyError):
        Workspace.restore(bad, target)
    assert list(target.iterdir()) == []
    assert Workspace.restore(saved, target).is_closed(Q2)
    assert not [path for path in target.iterdir() if path.name.startswith(".~")]


def outside(city, setting, folder):
    """The city with one of its paths outside of its folder."""
    ws = city.ws
    (ws.root / getattr(ws.settings.paths, setting)).rename(folder)
    text = (ws.root / "bioduty.toml").read_text(encoding="utf-8")
    old = getattr(ws.settings.paths, setting).as_posix()
    changed = text.replace(f'{setting} = "{old}"', f"{setting} = '{folder}'")
    assert changed != text
    (ws.root / "bioduty.toml").write_text(changed, encoding="utf-8")
    return year.City(ws.root)


def test_a_state_folder_elsewhere_goes_where_a_person_says(busy, tmp_path):
    state = tmp_path / "状态"
    city = outside(busy, "state_dir", state)
    saved = city.ws.backup(tmp_path / "b.zip").path
    target = tmp_path / "新 电脑"
    refused(saved, target, "--state-dir", ConfigError)
    refused(saved, target, "已经有东西", ConfigError, state_dir=state)
    there = Workspace.restore(saved, target, state_dir=".bioduty")
    assert there.state_dir == target / ".bioduty"
    assert there.is_closed(Q2)
    assert year.City(target).run("2024-09-10").failures == []
    elsewhere = tmp_path / "另外 的" / "状态"
    moved = Workspace.restore(saved, tmp_path / "第三", state_dir=elsewhere)
    assert moved.state_dir == elsewhere
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert rows(moved.ledger_file) == rows(city.ws.ledger_file)
    settings = replace(moved.settings, paths=city.ws.settings.paths)
    assert settings == city.ws.settings


@pytest.mark.parametrize("table", ['[paths]  # 位置\ninbox = "inbox"\n', ""])
def test_settings_that_name_no_state_folder_are_made_to(busy, tmp_path, table):
    others = '[office]\nname = "某办公室"\n\n[intake]\nsettle_seconds = 0.0\n\n'
    (busy.ws.root / "bioduty.toml").write_text(others + table, encoding="utf-8")
    saved = Workspace.open(busy.ws.root).backup(tmp_path / "b.zip").path
    there = Workspace.restore(saved, tmp_path / "新", state_dir="状态 夹")
    assert there.state_dir == tmp_path / "新" / "状态 夹"
    assert there.settings.office.name == "某办公室"
    assert there.is_closed(Q2)


def test_what_lies_on_a_share_stays_there_and_is_said(busy, tmp_path):
    """Inbox, outbox and plan on another disk; the plan is in the backup all the same."""
    city = outside(busy, "inbox", tmp_path / "共享 inbox")
    city = outside(city, "outbox", tmp_path / "共享 outbox")
    city = outside(city, "plan", tmp_path / "共享 plan.xlsx")
    made = city.ws.backup(tmp_path / "b.zip")
    assert ["收件夹" in said or "发件夹" in said for said in made.manifest.elsewhere] == [True] * 2
    assert not made.needs_attention
    said = bioduty("restore", made.path, tmp_path / "新 电脑")
    assert "备份中的外部文件" in said
    kept = tmp_path / "新 电脑" / "备份中的外部文件" / "共享 plan.xlsx"
    assert kept.read_bytes() == (tmp_path / "共享 plan.xlsx").read_bytes()


def test_a_lost_or_rotten_original_is_said_and_no_hindrance(busy, tmp_path):
    first, second = sorted(filing.originals_in(busy.ws.originals))
    first.unlink()
    second.write_bytes(b"rotten")
    target = tmp_path / "b.zip"
    done = run("backup", target, "--workspace", busy.ws.root)
    assert done.returncode == 3
    assert f"原件不见了：{first.name}" in done.stdout
    assert f"原件与收到时不同，请检查磁盘：{second.name}" in done.stdout
    said = bioduty("restore", target, tmp_path / "新 电脑")
    assert f"备份时已经不见了的原件：{first.name}" in said


def test_a_damaged_ledger_does_not_replace_a_good_backup(busy, saved):
    good = saved.read_bytes()
    path = busy.ws.ledger_file
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(LedgerError, match="已损坏"):
        busy.ws.backup(saved)
    path.unlink()
    with pytest.raises(LedgerError, match="不见了"):
        busy.ws.backup(saved)
    assert saved.read_bytes() == good
    assert not list(saved.parent.glob(".~bioduty-*"))


def test_only_an_older_backup_of_the_same_workspace_is_replaced(busy, saved, ws, tmp_path):
    assert busy.ws.backup(saved, as_of="2024-09-05").manifest.made.day == 5
    other = tmp_path / "重要.xlsx"
    other.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="不是 bioduty 的备份"):
        busy.ws.backup(other)
    assert other.read_bytes() == b"mine"
    ws.generate(Q2, "市林业局")
    with pytest.raises(ConfigError, match="另一个工作区（小城 报送）"):
        ws.backup(saved)
    with pytest.raises(ConfigError, match="是文件夹"):
        busy.ws.backup(tmp_path)
    with pytest.raises(ConfigError, match="没有文件夹"):
        busy.ws.backup(tmp_path / "没有" / "b.zip")
    for folder in (busy.ws.inbox, busy.ws.state_dir, busy.ws.outbox(Q2)):
        with pytest.raises(ConfigError, match="工作区自己的文件夹"):
            busy.ws.backup(folder / "b.zip")


def test_the_commands_say_what_they_did_and_what_to_do_next(busy, tmp_path):
    target, there = tmp_path / "备份 一.zip", tmp_path / "新 电脑"
    said = bioduty("backup", target, cwd=busy.ws.root)
    assert f"已备份：{target}" in said
    assert "收件 2 个" in said
    said = bioduty("restore", target, there)
    assert f"已恢复：{there}" in said
    assert f'bioduty doctor --workspace "{there}"' in said
    assert "市林业局" in bioduty("status", Q2, "--workspace", there)
    data = json.loads(bioduty("backup", target, "--json", cwd=there))
    assert (data["file"], data["files"], data["periods"]) == (str(target), 2, [Q2, "2024Q3"])
    data = json.loads(bioduty("restore", target, tmp_path / "再", "--json"))
    assert data["workspace"] == str(tmp_path / "再")
    assert "已经有东西" in failed("restore", target, there, expect=2)
    target.write_bytes(b"PK nonsense")
    assert "没有恢复任何内容" in failed("restore", target, tmp_path / "又", expect=1)
