"""Ledgers of earlier versions open and keep what they say; a migration happens whole or not."""

import signal
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from bioduty_xl import ledger
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.errors import LedgerError
from bioduty_xl.ledger import Ledger
from bioduty_xl.workspace import ALL_TIME

DATA = Path(__file__).parent / "data"
Q2 = Period(2024, 2)


@pytest.fixture
def old(tmp_path):
    """A ledger as version 0.1 wrote it: one return accepted, one PDF held."""
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript((DATA / "ledger_v1.sql").read_text(encoding="utf-8"))
    db.close()
    return path


def test_a_ledger_of_version_2_opens_and_says_what_it_said(tmp_path):
    """One return accepted, the same in a file without marks that a person assigned, one PDF."""
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript((DATA / "ledger_v2.sql").read_text(encoding="utf-8"))
    db.close()
    with Ledger(path) as opened:
        files = [(file.name, file.verdict, file.unit) for file in opened.files(ALL_TIME)]
        assert files == [
            *(("a.xlsx", "accepted", "U02"), ("b.xlsx", "duplicate", "U02")),
            ("c.pdf", "held", None),
        ]
        (decided,) = opened.assignments(opened.files(ALL_TIME)[1])
        assert (decided.unit, decided.reason) == ("U02", "电话核实")
        assert opened.periods() == [Q2]
        assert opened.closing(Q2) is None
        assert opened.uncounted(FormKind.RETURN, Q2.shift(1), ALL_TIME) == []
        assert opened.registered() == opened.reminders(Q2) == []
    assert columns(path)[1] == len(ledger.MIGRATIONS)


def columns(path):
    with sqlite3.connect(path) as db:
        found = {row[1] for row in db.execute("PRAGMA table_info(files)")}
        version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return found, version


def test_a_ledger_of_version_1_opens_and_says_what_it_said(old):
    with Ledger(old) as opened:
        files = [(file.name, file.verdict, file.unit) for file in opened.files(ALL_TIME)]
        assert files == [("a.xlsx", "accepted", "U02"), ("b.pdf", "held", None)]
        (returned,) = opened.revisions(FormKind.RETURN, Q2)["U02"]
        entries = opened.entries(returned)
        assert len(entries) == 23
        assert all(entry["progress"] and not entry.unreadable for entry in entries)
        assert opened.unreported() == []
        assert opened.units_with_form(FormKind.RETURN, Q2) == {"U02"}
    assert columns(old)[1] == len(ledger.MIGRATIONS)


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(old, monkeypatch):
    before = columns(old)
    broken = ledger.MIGRATIONS[1] + "INSERT INTO no_such_table VALUES (1);"
    monkeypatch.setattr(ledger, "MIGRATIONS", (ledger.MIGRATIONS[0], broken))
    with pytest.raises(LedgerError):
        Ledger(old)
    assert columns(old) == before
    monkeypatch.undo()
    Ledger(old).__exit__()
    assert columns(old)[1] == len(ledger.MIGRATIONS)


def test_a_migration_applied_by_another_process_is_not_applied_again(old):
    with Ledger(old) as first:
        first._apply(2, ledger.MIGRATIONS[1])
        assert first.count() == 2


def test_the_database_is_as_durable_as_sqlite_can_be(old):
    with Ledger(old) as opened:
        settings = {
            name: opened._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "truncate", "synchronous": 3, "foreign_keys": 1}


def test_the_same_sighting_twice_is_one_record(tmp_path):
    came = datetime(2024, 6, 20, tzinfo=CHINA)
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        first = opened.receive("ab" * 32, "a.xlsx", 3, 17, came)
        assert opened.receive("ab" * 32, "a.xlsx", 3, 17, came) == first
        assert first.verdict == "received"
        assert opened.unreported() == [first]


def test_a_snapshot_touches_nothing_even_to_migrate(tmp_path, old):
    """In a folder whose name SQLite's addresses must escape."""
    folder = tmp_path / "甲市 100%41?#"
    folder.mkdir()
    path = old.rename(folder / "ledger.sqlite")
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    with Ledger(path, snapshot=True) as copy:
        assert copy.count() == 2
        assert copy.closing(Q2) is None  # a table of the newest version
        assert [one.name for one in folder.iterdir()] == ["ledger.sqlite"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)


def test_a_snapshot_does_not_see_what_is_written_later(old):
    with Ledger(old, snapshot=True) as copy, Ledger(old) as writer:
        writer.remember_inbox("x")
        assert not copy.knows_inbox("x")
    with Ledger(old, snapshot=True) as copy:
        assert copy.knows_inbox("x")


def test_a_snapshot_undoes_what_a_killed_run_left_half_done_in_its_copy_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as whole:
        whole.remember_inbox("kept")
    script = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA cache_size = 1')\n"  # so that it writes before it commits
        "db.execute('BEGIN')\n"
        "db.execute('DELETE FROM inboxes')\n"
        "for n in range(2000): db.execute('INSERT INTO inboxes VALUES (?)', (f'{n}' * 50,))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert len(before["ledger.sqlite-journal"]) > 0
    with Ledger(path, snapshot=True) as copy:
        assert copy.knows_inbox("kept")
        assert not copy.knows_inbox("1" * 50)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "没有台账"),
        (lambda path: path.write_bytes(b""), "是空的"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "已损坏"),
        (lambda path: path.write_bytes(b"SQLite format 4" * 600), "已损坏"),
    ],
)
def test_there_is_no_snapshot_of_what_is_no_sound_ledger(old, spoil, says):
    spoil(old)
    with pytest.raises(LedgerError, match=says):
        Ledger(old, snapshot=True)


def test_who_only_reads_an_older_ledger_does_not_migrate_it(old):
    before = old.read_bytes()
    with Ledger(old, read_only=True) as opened:
        assert opened.count() == 2
        assert opened.unreported() == []
    assert old.read_bytes() == before


def test_an_error_of_the_disk_is_no_cause_of_itself(old, monkeypatch):
    """SQLite's codes that have no sentence of their own come as they are, once."""

    def fails(path, target):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(ledger, "_back_up", fails)
    with pytest.raises(LedgerError, match="disk I/O error") as caught:
        Ledger(old, snapshot=True)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert caught.value.__cause__.__cause__ is None
