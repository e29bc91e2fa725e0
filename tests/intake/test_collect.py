"""The inbox: what is kept, recorded, deferred, ignored; and in which order."""

import sqlite3
import stat

import pytest
from books import FILLED, copy, fill, fill_contacts

from bioduty_xl.errors import BiodutyError, Busy, LedgerError
from bioduty_xl.intake import filing


def verdicts(collected):
    return {report.file: report.verdict.value for report in collected.files}


def test_every_byte_is_kept_and_the_inbox_is_tidied_by_moving(q2, form):
    taken = fill(form("市林业局"), q2.inbox / "市林业局.xlsx").read_bytes()
    (q2.inbox / "总结.pdf").write_bytes(b"%PDF-1.7 x")
    q2.collect(as_of="2024-06-20")
    assert (q2.inbox / "已收" / "2024Q2" / "市林业局.xlsx").read_bytes() == taken
    assert (q2.inbox / "待处理" / "总结.pdf").read_bytes() == b"%PDF-1.7 x"
    originals = {path.read_bytes() for path in q2.originals.iterdir()}
    assert originals == {taken, b"%PDF-1.7 x"}
    for path in q2.originals.iterdir():
        assert path.name == filing.hash_of(path)


def test_a_second_pass_finds_nothing_to_do(q2, form):
    fill(form("市林业局"), q2.inbox / "市林业局.xlsx")
    q2.collect(as_of="2024-06-20")
    before = (q2.state_dir / "ledger.sqlite").read_bytes()
    assert q2.collect(as_of="2024-06-21").files == ()
    assert (q2.state_dir / "ledger.sqlite").read_bytes() == before


def test_the_same_bytes_under_another_name_are_a_duplicate(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    copy(q2.inbox / "a.xlsx", q2.inbox / "a - 副本.xlsx")
    collected = q2.collect(as_of="2024-06-20")
    assert sorted(verdicts(collected).values()) == ["accepted", "duplicate"]
    assert {report.revision for report in collected.files} == {1}


def test_the_same_answers_saved_anew_are_a_duplicate(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20")
    fill(form("市林业局"), q2.inbox / "b.xlsx", change=lambda book, _: setattr(book, "active", 0))
    (again,) = q2.collect(as_of="2024-06-21").files
    assert again.verdict == "duplicate"
    assert "a.xlsx" in again.reason


def test_changed_answers_are_the_next_revision_and_the_newest_counts(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20")
    fill(form("市林业局"), q2.inbox / "a.xlsx", answers={**FILLED, "progress": "更正：巡护15次。"})
    (second,) = q2.collect(as_of="2024-06-24").files
    assert (second.verdict, second.revision) == ("accepted", 2)
    assert set(q2.entries("2024Q2").query("code == 'U02'")["progress"]) == {"更正：巡护15次。"}
    assert set(q2.entries("2024Q2", as_of="2024-06-21").query("code == 'U02'")["progress"]) == {
        FILLED["progress"]
    }


def test_a_revision_that_empties_answers_gets_a_finding(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20")
    fill(form("市林业局"), q2.inbox / "b.xlsx", answers={"T01": FILLED})
    (second,) = q2.collect(as_of="2024-06-24").files
    emptied = {finding.item for finding in second.findings if finding.code == "EMPTIED"}
    assert emptied == {f"T{n:02d}" for n in range(2, 24)}


def test_received_is_the_arrival_and_never_later_than_as_of(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20T09:00")
    unit = next(u for u in q2.standing("2024Q2", as_of="2024-06-26").units if u.unit.code == "U02")
    assert unit.receipt.received.isoformat() == "2024-06-20T09:00:00+08:00"


def test_without_as_of_the_time_of_arrival_stands(q2, form):
    path = fill(form("市林业局"), q2.inbox / "a.xlsx")
    came = path.stat().st_ctime
    q2.collect()
    (unit,) = q2.standing("2024Q2", as_of="2100-01-01").returned
    assert abs(unit.receipt.received.timestamp() - came) < 1


def test_leftovers_of_programs_are_ignored_and_said(q2):
    names = [
        "~$市林业局.xlsx",
        ".~lock.a.xlsx#",
        "~WPS1234.tmp",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
    ]
    for name in names:
        (q2.inbox / name).write_bytes(b"x")
    assert verdicts(q2.collect(as_of="2024-06-20")) == dict.fromkeys(names, "ignored")
    assert {path.name for path in q2.inbox.iterdir()} >= set(names)


def test_a_folder_in_the_inbox_is_walked(q2, form):
    fill(form("市林业局"), q2.inbox / "林业局" / "第二季度" / "表.xlsx")
    assert verdicts(q2.collect(as_of="2024-06-20")) == {"林业局/第二季度/表.xlsx": "accepted"}


def test_a_file_that_grows_while_looked_at_is_deferred(q2, form, monkeypatch):
    path = fill(form("市林业局"), q2.inbox / "a.xlsx")
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    monkeypatch.setattr(filing.time, "sleep", lambda _: path.write_bytes(whole))
    assert verdicts(q2.collect(as_of="2024-06-20")) == {"a.xlsx": "deferred"}
    monkeypatch.undo()
    assert verdicts(q2.collect(as_of="2024-06-20")) == {"a.xlsx": "accepted"}


@pytest.mark.parametrize(
    ("name", "content", "verdict"),
    [
        ("空.xlsx", b"", "rejected"),
        ("半截.xlsx", b"PK\x03\x04" + b"\0" * 500, "rejected"),
        ("旧版.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "held"),
        ("网页.xls", b"<!DOCTYPE html><table></table>", "held"),
        ("逗号.csv", "单位,情况\n".encode(), "held"),
        ("照片.jpg", b"\xff\xd8\xff\xe0", "held"),
    ],
)
def test_what_is_no_workbook_is_kept_with_advice(q2, name, content, verdict):
    (q2.inbox / name).write_bytes(content)
    (report,) = q2.collect(as_of="2024-06-20").files
    assert report.verdict == verdict
    assert report.reason
    assert (q2.originals / report.sha256).read_bytes() == content


def test_a_return_cut_off_in_the_middle_is_never_a_short_return(q2, form, tmp_path):
    whole = fill(form("市林业局"), tmp_path / "a.xlsx").read_bytes()
    for part in (10, 40, 60, 90, 99):
        (q2.inbox / f"{part}.xlsx").write_bytes(whole[: len(whole) * part // 100])
    assert set(verdicts(q2.collect(as_of="2024-06-20")).values()) == {"rejected"}


def test_an_absent_inbox_is_an_error_not_an_empty_one(q2):
    q2.inbox.rename(q2.root / "elsewhere")
    with pytest.raises(BiodutyError, match="不可用"):
        q2.collect(as_of="2024-06-20")


def test_a_held_lock_turns_a_second_run_away(q2):
    with q2._locked(), pytest.raises(Busy):
        q2.collect(as_of="2024-06-20")


def test_a_run_stopped_after_recording_is_taken_up_again(q2, form, monkeypatch):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    monkeypatch.setattr("bioduty_xl.desk.Desk.conclude", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        q2.collect(as_of="2024-06-20")
    monkeypatch.undo()
    (report,) = q2.collect(as_of="2024-06-21").files
    assert report.verdict == "accepted"
    (unit,) = q2.standing("2024Q2", as_of="2024-06-26").returned
    assert unit.receipt.received.date().isoformat() == "2024-06-20"
    assert list(q2.inbox.glob("*.xlsx")) == []


def test_an_unexpected_fault_of_one_file_does_not_stop_the_others(q2, form, monkeypatch):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    monkeypatch.setattr("bioduty_xl.desk.read_form", lambda *_: 1 / 0)
    (report,) = q2.collect(as_of="2024-06-20").files
    assert report.verdict == "held"
    assert "ZeroDivisionError" in report.reason


def test_the_signing_key_is_the_owners_alone(q2):
    mode = stat.S_IMODE((q2.state_dir / "signing.key").stat().st_mode)
    assert mode == 0o600


def test_a_lost_key_is_never_replaced_in_silence(q2):
    (q2.state_dir / "signing.key").unlink()
    with pytest.raises(LedgerError, match="备份"):
        q2.collect(as_of="2024-06-20")


def test_a_ledger_of_a_newer_program_is_left_alone(q2):
    with sqlite3.connect(q2.state_dir / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerError, match="升级"):
        q2.collect(as_of="2024-06-20")


def test_contacts_come_back_and_a_blank_form_does_not_wipe_them(ws):
    ws.generate("2024Q1", "市林业局", as_of="2024-04-19")
    blank = ws.outbox("2024Q1") / "contacts" / "市林业局_2024Q1_联系人名单.xlsx"
    person = {
        "leader": "赵某某",
        "leader_phone": "0812-0000001",
        "office": "保护科",
        "name": "钱某",
        "phone": "13900000000",
        "remark": "=微信同号",
    }
    fill_contacts(blank, ws.inbox / "联系人.xlsx", [person])
    (report,) = ws.collect(as_of="2024-04-22").files
    assert (report.verdict, report.kind) == ("accepted", "contacts")
    copy(blank, ws.inbox / "联系人2.xlsx")
    (again,) = ws.collect(as_of="2024-04-23").files
    assert [finding.code for finding in again.findings] == ["CONTACT_BLANK"]
    from books import records

    book = ws.consolidate("2024Q1", as_of="2024-04-26")
    row = next(row for row in records(book, "联系人名单") if row["单位代码"] == "U02")
    assert list(row.values())[:7] == ["市林业局", *person.values()]


def test_inspect_changes_nothing(q2, form, tmp_path):
    path = fill(form("市林业局"), tmp_path / "a.xlsx")
    before = {p: p.read_bytes() for p in q2.root.rglob("*") if p.is_file()}
    report = q2.inspect(path)
    assert (report.verdict, report.unit, report.revision) == ("accepted", "U02", 1)
    assert {p: p.read_bytes() for p in q2.root.rglob("*") if p.is_file()} == before
