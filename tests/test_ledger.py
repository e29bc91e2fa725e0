"""Ledgers of earlier versions open and keep what they say; a migration happens whole or not."""

import sqlite3
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


def test_who_only_reads_an_older_ledger_does_not_migrate_it(old):
    before = old.read_bytes()
    with Ledger(old, read_only=True) as opened:
        assert opened.count() == 2
        assert opened.unreported() == []
    assert old.read_bytes() == before
