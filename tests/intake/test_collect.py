"""The inbox: what is kept, recorded, deferred, ignored; and in which order."""

import os
import sqlite3
import stat
import subprocess
import sys

import pytest
from books import FILLED, copy, fill, fill_contacts

from bioduty_xl import Workspace
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
    fill(
        form("市林业局"),
        q2.inbox / "b.xlsx",
        change=lambda book, _: setattr(book.properties, "title", "x"),
    )
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
    with q2.locked(), pytest.raises(Busy):
        Workspace.open(q2.root).collect(as_of="2024-06-20")


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


def test_a_journal_left_by_a_killed_run_does_not_block_reading(q2):
    code = (
        "import os, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA journal_mode = TRUNCATE')\n"
        "db.execute('PRAGMA cache_size = 1')\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "db.execute('DELETE FROM forms')\n"
        "db.execute('CREATE TABLE big AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1'\n"
        "           ' FROM n WHERE x < 50000) SELECT x FROM n')\n"
        "os._exit(9)\n"
    )
    ledger = q2.state_dir / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", code, str(ledger)], check=False)
    assert (q2.state_dir / "ledger.sqlite-journal").stat().st_size > 0
    assert q2.periods_to_hand_out("2024-06-26") == []
    assert len(q2.standing("2024Q2", as_of="2024-06-26").units) == 38


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_ledger_is_a_sentence_for_the_operator(q2, content):
    (q2.state_dir / "ledger.sqlite").write_bytes(content)
    with pytest.raises(LedgerError, match="不能使用"):
        q2.standing("2024Q2", as_of="2024-06-26")


def test_a_file_name_that_is_not_utf8_does_not_block_the_inbox(q2, form, tmp_path):
    content = fill(form("市林业局"), tmp_path / "a.xlsx").read_bytes()
    name = os.fsencode(q2.inbox) + b"/" + "市林业局.xlsx".encode("gbk")
    with open(name, "wb") as file:
        file.write(content)
    fill(form("市水利局"), q2.inbox / "b.xlsx")
    reports = q2.collect(as_of="2024-06-20").files
    assert {report.unit for report in reports} == {"U02", "U10"}
    assert q2.consolidate("2024Q2", as_of="2024-06-26").exists()


def test_a_name_too_long_to_number_does_not_stop_the_others(q2, form):
    for turn in range(2):
        (q2.inbox / ("长" * 83 + ".pdf")).write_bytes(b"%PDF" + bytes([turn]))
        fill(form("市林业局"), q2.inbox / "a.xlsx", answers={**FILLED, "remark": str(turn)})
        assert len(q2.collect(as_of="2024-06-20").files) == 2
    assert len(list((q2.inbox / "待处理").iterdir())) == 2


def test_a_store_that_cannot_be_written_is_no_deferral(q2, form):
    fill(form("市林业局"), q2.inbox / "a.xlsx")
    q2.originals.write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError):
        q2.collect(as_of="2024-06-20")


@pytest.mark.parametrize("key", ["", "zz", "ab" * 16])
def test_a_damaged_key_is_refused_not_used(q2, key):
    (q2.state_dir / "signing.key").write_text(key, encoding="ascii")
    with pytest.raises(LedgerError, match="密钥"):
        q2.generate("2024Q2")


def test_what_was_held_is_held_again_not_taken_for_a_duplicate(q2):
    for name in ("a.pdf", "b.pdf"):
        (q2.inbox / name).write_bytes(b"%PDF-1.4")
        (report,) = q2.collect(as_of="2024-06-20").files
        assert report.verdict == "held"


def test_a_foreign_unit_typed_on_the_sheet_is_held(q2, form):
    def retype(book, sheet):
        from books import field_cell

        field_cell(sheet, "unit").value = "某市某某局"

    fill(form("市林业局"), q2.inbox / "a.xlsx", change=retype)
    (report,) = q2.collect(as_of="2024-06-20").files
    assert report.verdict == "held"
    assert "某市某某局" in report.reason


def test_a_blank_contact_form_is_among_the_findings(ws):
    from books import records

    blank = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")[1]
    copy(blank, ws.inbox / "联系人.xlsx")
    ws.collect(as_of="2024-04-22")
    book = ws.consolidate("2024Q1", as_of="2024-04-26")
    assert [row["规则"] for row in records(book, "校验意见")] == ["CONTACT_BLANK"]


def test_an_outbox_outside_the_workspace_takes_the_forms(ws, tmp_path):

    settings = ws.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    outbox = tmp_path / "共享 发件"
    settings.write_text(text.replace('outbox = "outbox"', f"outbox = '{outbox}'"), encoding="utf-8")
    moved = Workspace.open(ws.root)
    (path,) = moved.generate("2024Q2", "市林业局", as_of="2024-06-03")
    assert path == outbox / "2024Q2" / "forms" / "市林业局_2024Q2.xlsx"


def test_a_row_whose_item_left_the_plan_is_said_not_dropped(q2, form):
    from dataclasses import replace

    from bioduty_xl.plan.book import write_plan

    write_plan(replace(q2.plan, items=q2.plan.items[:-1]), q2.root / "plan.xlsx")
    fill(form("东区人民政府"), q2.inbox / "a.xlsx")
    (report,) = Workspace.open(q2.root).collect(as_of="2024-06-20").files
    assert [finding.code for finding in report.findings] == ["ITEM_GONE"]


def test_an_old_copy_that_comes_again_does_not_push_out_a_newer_one_and_says_so(q2, form, tmp_path):
    old = fill(form("市林业局"), tmp_path / "旧.xlsx")
    copy(old, q2.inbox / "a.xlsx")
    q2.collect(as_of="2024-06-20")
    fill(form("市林业局"), q2.inbox / "b.xlsx", answers={**FILLED, "progress": "更正：巡护15次。"})
    q2.collect(as_of="2024-06-21")
    copy(old, q2.inbox / "c.xlsx")
    (again,) = q2.collect(as_of="2024-06-22").files
    assert again.verdict == "duplicate"
    assert "第 2 次修订“b.xlsx”" in again.reason
    assert set(q2.entries("2024Q2").query("code == 'U02'")["progress"]) == {"更正：巡护15次。"}
