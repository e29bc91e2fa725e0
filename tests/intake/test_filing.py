"""What a stopped run, another program or another system leaves to be dealt with."""

import os
import sys
from types import SimpleNamespace

import pytest
from books import FILLED, copy, fill

from bioduty_xl.errors import LedgerError, NotAReturn
from bioduty_xl.intake import filing, gate, sandbox

AS_OF = "2024-06-20"


def test_an_original_without_a_row_is_adopted_and_read(q2, form, tmp_path):
    filled = fill(form("市林业局"), tmp_path / "a.xlsx")
    (sha256,) = filing.store([filing.chunks(filled)], q2.originals)
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.verdict, report.unit, report.sha256) == ("accepted", "U02", sha256)
    assert "原文件名不详" in report.file
    assert q2.collect(as_of=AS_OF).files == ()


def test_a_copy_that_a_stopped_run_left_half_written_is_no_original(q2, form):
    q2.originals.mkdir(parents=True)
    (q2.originals / ".incoming").write_bytes(b"PK half")
    assert q2.collect(as_of=AS_OF).files == ()
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    (report,) = q2.collect(as_of=AS_OF).files
    assert report.verdict == "accepted"


def test_what_a_stopped_run_held_is_told_by_the_next_one(q2, monkeypatch):
    (q2.inbox / "a.pdf").write_bytes(b"%PDF-1.7")
    with monkeypatch.context() as patched:
        patched.setattr("bioduty_xl.ledger.Ledger.mark_reported", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            q2.collect(as_of=AS_OF)
    assert (q2.inbox / "待处理" / "a.pdf").exists()
    collected = q2.collect(as_of=AS_OF)
    assert collected.needs_attention
    assert [report.file for report in collected.files] == ["a.pdf"]
    assert q2.collect(as_of=AS_OF).files == ()


def test_a_held_file_mended_where_it_lies_is_taken(q2, form, tmp_path):
    (q2.inbox / "a.xlsx").write_bytes(b"PK\x03\x04 torn")
    q2.collect(as_of=AS_OF)
    copy(fill(form("市林业局"), tmp_path / "a.xlsx"), q2.inbox / "待处理" / "a.xlsx")
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.file, report.verdict) == ("待处理/a.xlsx", "accepted")
    assert (q2.inbox / "已收" / "2024Q2" / "a.xlsx").exists()


def test_a_held_file_mended_in_vain_stays_where_it_is(q2):
    (q2.inbox / "a.xlsx").write_bytes(b"PK\x03\x04 torn")
    q2.collect(as_of=AS_OF)
    aside = q2.inbox / "待处理" / "a.xlsx"
    aside.write_bytes(b"PK\x03\x04 torn again")
    (report,) = q2.collect(as_of=AS_OF).files
    assert report.verdict == "rejected"
    assert [path.name for path in aside.parent.iterdir()] == ["a.xlsx"]
    assert q2.collect(as_of=AS_OF).files == ()


def test_a_file_replaced_between_reading_and_tidying_stays_for_the_next_pass(
    q2, form, tmp_path, monkeypatch
):
    newer = fill(
        form("市林业局"), tmp_path / "b.xlsx", answers={**FILLED, "progress": "更正：15次。"}
    )
    target = fill(form("市林业局"), q2.inbox / "a.xlsx")
    conclude = sandbox.Sandbox.read

    def replace_meanwhile(*arguments):
        copy(newer, target)
        return conclude(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(sandbox.Sandbox, "read", replace_meanwhile)
        assert [r.revision for r in q2.collect(as_of=AS_OF).files] == [1]
    assert target.read_bytes() == newer.read_bytes()
    assert [r.revision for r in q2.collect(as_of=AS_OF).files] == [2]


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_who_writes_a_file_is_told_from_who_reads_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    assert not filing.is_being_written(path)
    with path.open("rb"):
        assert not filing.is_being_written(path)
    with path.open("ab"):
        assert filing.is_being_written(path)
    assert not filing.is_being_written(path)
    assert not filing.is_being_written(tmp_path / "gone")


def windows(monkeypatch, **modules):
    """Stand-ins for Windows' own modules, which cannot be here."""
    for name, members in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**members))


class PyWinError(Exception):
    """pywintypes.error"""

    winerror = 32


@pytest.mark.parametrize(("code", "busy"), [(32, True), (5, False), (None, False)])
def test_windows_sharing_violation_means_being_written(monkeypatch, tmp_path, code, busy):
    closed = []

    def create_file(path, access, share, *_):
        assert share == 1  # readers alone: a writer elsewhere makes Windows refuse
        if code is None:
            return SimpleNamespace(Close=lambda: closed.append(path))
        error = PyWinError()
        error.winerror = code
        raise error

    windows(
        monkeypatch,
        pywintypes={"error": PyWinError},
        win32con={"GENERIC_READ": 0x80000000, "FILE_SHARE_READ": 1, "OPEN_EXISTING": 3},
        win32file={"CreateFile": create_file},
    )
    assert filing._refuses_to_share(tmp_path / "a.xlsx") is busy
    assert len(closed) == (code is None)


def test_windows_puts_the_reading_process_into_a_job_with_a_memory_cap(monkeypatch):
    done = {}
    windows(
        monkeypatch,
        win32api={"OpenProcess": lambda access, inherit, pid: ("process", pid)},
        win32con={"PROCESS_SET_QUOTA": 0x100, "PROCESS_TERMINATE": 1},
        win32job={
            "JobObjectExtendedLimitInformation": 9,
            "JOB_OBJECT_LIMIT_PROCESS_MEMORY": 0x100,
            "JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE": 0x2000,
            "CreateJobObject": lambda *_: "job",
            "QueryInformationJobObject": lambda *_: {"BasicLimitInformation": {"LimitFlags": 0}},
            "SetInformationJobObject": lambda job, kind, limits: done.update(limits=limits),
            "AssignProcessToJobObject": lambda job, process: done.update(joined=(job, process)),
        },
    )
    assert sandbox.confine(42, 1 << 29) == "job"
    assert done["joined"] == ("job", ("process", 42))
    assert done["limits"]["ProcessMemoryLimit"] == 1 << 29
    assert done["limits"]["BasicLimitInformation"]["LimitFlags"] == 0x2100


def test_a_reading_process_ends_with_the_one_that_started_it(form, tmp_path):
    path = form("市林业局")
    with sandbox.Sandbox(sandbox.Terms(gate.Limits(), 10, 512)) as reading:
        reading.read([sandbox.Original(str(path), filing.hash_of(path))])
        child = reading._process.pid
        reading._process.stdin.close()
        reading._process.wait(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_lost_ledger_is_not_made_anew_in_silence(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of=AS_OF)
    (q2.state_dir / "ledger.sqlite").unlink()
    for work in (lambda: q2.collect(as_of=AS_OF), lambda: q2.standing("2024Q2", as_of=AS_OF)):
        with pytest.raises(LedgerError, match="备份"):
            work()


def test_an_entry_that_cannot_be_looked_at_is_said_and_stops_nobody(q2, form, monkeypatch):
    fill(form("市林业局"), q2.inbox / "好.xlsx")
    (q2.inbox / "关").mkdir()
    (q2.inbox / "关" / "张三.xlsx").write_bytes(b"x")
    real = filing.is_plain

    def refuse(path):
        if path.parent.name == "关":
            raise PermissionError(13, "denied", str(path))
        return real(path)

    monkeypatch.setattr(filing, "is_plain", refuse)
    reports = {report.file: report for report in q2.collect(as_of=AS_OF).files}
    assert reports["好.xlsx"].verdict == "accepted"
    assert reports["关/张三.xlsx"].verdict == "deferred"
    assert "权限" in reports["关/张三.xlsx"].reason


def test_a_folder_that_may_not_be_listed_is_said(q2, form, monkeypatch):
    fill(form("市林业局"), q2.inbox / "好.xlsx")
    fill(form("市水利局"), q2.inbox / "关" / "a.xlsx")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("关"):
            raise PermissionError(13, "denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reports = {report.file: report.verdict.value for report in q2.collect(as_of=AS_OF).files}
    assert reports == {"好.xlsx": "accepted", "关": "deferred"}


def test_a_linked_folder_is_said_and_not_followed(q2, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.pdf").write_bytes(b"%PDF")
    (q2.inbox / "链接").symlink_to(tmp_path / "elsewhere")
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.file, report.verdict) == ("链接", "ignored")


def test_a_held_file_dragged_back_into_the_inbox_is_read_again(q2, form, tmp_path, monkeypatch):
    """On Windows the creation time survives a move, so it is the same sighting."""
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    monkeypatch.setattr(filing, "_came", lambda status: 7)
    with monkeypatch.context() as patched:
        patched.setattr("bioduty_xl.desk.read_form", _refuse)
        assert [r.verdict for r in q2.collect(as_of=AS_OF).files] == ["held"]
    os.rename(q2.inbox / "待处理" / "a.xlsx", q2.inbox / "a.xlsx")
    assert [r.verdict for r in q2.collect(as_of=AS_OF).files] == ["accepted"]


def _refuse(*_):
    raise NotAReturn("先前读不出来")


def test_a_long_name_is_numbered_by_letters_not_bytes(tmp_path):
    long = tmp_path / ("长" * 80 + ".pdf")
    long.write_bytes(b"x")
    assert filing._free_name(long).name.endswith("_2.pdf")
    filing._free_name(long).write_bytes(b"x")


def test_names_with_control_characters_cannot_fake_a_line(q2):
    from commands import run

    (q2.inbox / "a\n  [已收] 假的\x1b[31m.pdf").write_bytes(b"%PDF")
    out = run("collect", "--workspace", q2.root, "--as-of", AS_OF).stdout
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2
