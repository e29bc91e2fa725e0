"""A ledger of every schema that there ever was opens, and says after its migration all that it said
before. What stands in `tests/ledgers` is never written anew.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commands import failed

from bioduty_xl import ledger
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.errors import LedgerError
from bioduty_xl.ledger import Ledger
from bioduty_xl.workspace import ALL_TIME

FIXTURES = sorted((Path(__file__).parent / "ledgers").glob("*.sql"))
NEWEST = len(ledger.MIGRATIONS)
Q2 = Period(2024, 2)

every_schema = pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)


def test_every_schema_has_its_fixture():
    """After a new entry of MIGRATIONS: rows for it in tests/ledgers/make.py, and run that."""
    assert [int(path.stem) for path in FIXTURES] == list(range(1, NEWEST + 1))


def written(fixture, tmp_path):
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(fixture.read_text(encoding="utf-8"))
    return path


def tables(path):
    """Columns and rows by table."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        return {name: [dict(row) for row in db.execute(f"SELECT * FROM {name}")] for name in names}


@every_schema
def test_the_fixture_is_of_its_schema_and_has_rows_in_each_table(fixture, tmp_path):
    path = written(fixture, tmp_path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (int(fixture.stem),)
    assert all(tables(path).values()), tables(path)


@every_schema
def test_a_migration_loses_nothing(fixture, tmp_path):
    path = written(fixture, tmp_path)
    before = tables(path)
    with Ledger(path):
        pass
    after = tables(path)
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]]
        assert kept == rows, name
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (NEWEST,)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@every_schema
def test_a_migrated_ledger_is_one_like_any_other(fixture, tmp_path):
    """The same tables, columns and indexes as a new one has."""
    Ledger(tmp_path / "new.sqlite").__exit__()
    path = written(fixture, tmp_path)
    Ledger(path).__exit__()

    def schema(path):
        with closing(sqlite3.connect(path)) as db:
            names = db.execute("SELECT type, name FROM sqlite_schema ORDER BY name").fetchall()
            return {name: db.execute(f"PRAGMA table_info({name})").fetchall() for _, name in names}

    assert schema(path) == schema(tmp_path / "new.sqlite")


@every_schema
@pytest.mark.parametrize("how", [{}, {"read_only": True}, {"snapshot": True}], ids=str)
def test_what_was_on_record_is_read(fixture, tmp_path, how):
    with Ledger(written(fixture, tmp_path), **how) as opened:
        verdicts = [(one.name, one.verdict, one.unit) for one in opened.files(ALL_TIME)]
        assert verdicts == [
            *(("a.xlsx", "accepted", "U02"), ("b.xlsx", "accepted", "U02")),
            ("c.pdf", "held", None),
        ]
        (returned,) = opened.revisions(FormKind.RETURN, Q2)["U02"]
        (entry,) = opened.entries(returned)
        assert (entry.item, entry["progress"]) == ("T01", "开展巡护12次。")
        (finding,) = opened.findings(returned)
        assert (finding.code, finding.cell) == ("REQUIRED_BLANK", "G6")
        assert returned.header == {"filler": "赵某"}
        assert opened.contact_forms().keys() == {"U02"}
        assert opened.units_with_form(FormKind.RETURN, Q2) == {"U02"}
        assert opened.periods() == [Q2]
        assert opened.is_blank is False


def test_a_ledger_of_a_newer_program_is_refused_in_a_sentence_and_left_alone(tmp_path):
    path = written(FIXTURES[-1], tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = path.read_bytes()
    for how in ({}, {"read_only": True}, {"snapshot": True}):
        with pytest.raises(LedgerError, match="由更新版本的程序写成，请升级程序后再用"):
            Ledger(path, **how)
    assert path.read_bytes() == before


def test_the_command_line_says_so_too(q2):
    with closing(sqlite3.connect(q2.ledger_file)) as db:
        db.execute(f"PRAGMA user_version = {NEWEST + 1}")
    for command in ("status", "collect"):
        said = failed(command, "--workspace", q2.root, "--as-of", "2024-06-20", expect=1)
        assert "更新版本的程序" in said
        assert said.count("\n") == 1
