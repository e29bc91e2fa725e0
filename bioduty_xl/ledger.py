"""The record of the collection: forms handed out, files received, verdicts, answers (SQLite).

Times are stored as ISO 8601 text in China's offset, so that text order is time order. The database
stays on a local disk; `journal_mode=TRUNCATE` and `synchronous=EXTRA` make a commit durable when it
returns. What the ledger says is never inferred from the inbox.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Contact, Entry, Finding, Return, Severity
from bioduty_xl.domain.stamp import FormKind, Stamp
from bioduty_xl.errors import LedgerError


@dataclass(frozen=True)
class FileRecord:
    """A file that came.

    Attributes:
        id: number in order of receipt.
        sha256: of its bytes, the name of its original.
        name: its path below the inbox.
        size: in bytes.
        received: when it arrived.
        verdict: `received` until it has been read, then accepted, held, rejected or duplicate.
        kind, unit, period, revision: what it was found to be, where it was.
        reason: why, and what to do, in Chinese.
        header: labelled fields of the form, by field key.
        container: number of the archive that it came out of.
    """

    id: int
    sha256: str
    name: str
    size: int
    received: datetime
    verdict: str
    kind: FormKind | None
    unit: str | None
    period: Period | None
    revision: int | None
    reason: str
    header: Mapping[str, str]
    container: int | None = None


@dataclass(frozen=True)
class Assignment:
    """A person's decision whose return a file is.

    Attributes:
        unit, period: as decided.
        reason: as given.
        decided: when; None where the caller does not say.
    """

    unit: str
    period: Period
    reason: str
    decided: datetime | None = None


@dataclass(frozen=True)
class Closing:
    """A closed quarter.

    Attributes:
        as_of: the moment that its published book shows.
        sha256: of that book's bytes.
    """

    period: Period
    as_of: datetime
    sha256: str


@dataclass(frozen=True)
class Reminder:
    """A unit was reminded.

    Attributes:
        due: the unit's due date then.
        distance: working days from it.
        made: when.
    """

    period: Period
    unit: str
    due: date
    distance: int
    made: datetime


@dataclass(frozen=True)
class Conclusion:
    """What became of a file.

    Attributes:
        verdict: accepted, held, rejected or duplicate.
        reason: why, and what to do.
        kind, unit, period: what it was found to be, where it was.
        revision: its number among the accepted ones of its unit, period and kind.
        returned: what was read; recorded for accepted files alone.
        findings: of its rules and repairs.
    """

    verdict: str
    reason: str
    kind: FormKind | None = None
    unit: str | None = None
    period: Period | None = None
    revision: int | None = None
    returned: Return | None = None
    findings: tuple[Finding, ...] = ()


_SCHEMA_1 = """
CREATE TABLE forms (
    kind TEXT NOT NULL, unit TEXT NOT NULL, period TEXT NOT NULL, form_id TEXT NOT NULL,
    version INTEGER NOT NULL, issued TEXT, file TEXT NOT NULL,
    PRIMARY KEY (kind, unit, period)
) STRICT;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL, received TEXT NOT NULL, verdict TEXT NOT NULL,
    kind TEXT, unit TEXT, period TEXT, revision INTEGER, reason TEXT NOT NULL DEFAULT '',
    header TEXT NOT NULL DEFAULT '{}',
    UNIQUE (sha256, name, changed_ns)
) STRICT;
CREATE INDEX files_by_period ON files (period, kind, unit);
CREATE TABLE entries (
    file INTEGER NOT NULL REFERENCES files (id), item TEXT NOT NULL, sheet TEXT NOT NULL,
    cells TEXT NOT NULL, answers TEXT NOT NULL,
    PRIMARY KEY (file, item)
) STRICT;
CREATE TABLE contacts (
    file INTEGER NOT NULL REFERENCES files (id), row INTEGER NOT NULL, contact TEXT NOT NULL,
    PRIMARY KEY (file, row)
) STRICT;
CREATE TABLE findings (
    file INTEGER NOT NULL REFERENCES files (id), row INTEGER NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (file, row)
) STRICT;
"""

_SCHEMA_2 = """
ALTER TABLE files ADD COLUMN container INTEGER REFERENCES files (id);
ALTER TABLE files ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
UPDATE files SET reported = 1 WHERE verdict <> 'received';
CREATE INDEX files_unreported ON files (reported) WHERE reported = 0;
CREATE INDEX files_by_hash ON files (sha256);
ALTER TABLE entries ADD COLUMN unreadable TEXT NOT NULL DEFAULT '[]';
CREATE TABLE assignments (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files (id), unit TEXT NOT NULL,
    period TEXT NOT NULL, reason TEXT NOT NULL, decided TEXT
) STRICT;
CREATE TABLE inboxes (path TEXT PRIMARY KEY) STRICT;
"""

_SCHEMA_3 = """
CREATE TABLE register (
    sheet TEXT NOT NULL, entry TEXT NOT NULL, seen TEXT NOT NULL, PRIMARY KEY (sheet, entry)
) STRICT;
CREATE TABLE books (name TEXT PRIMARY KEY, shown TEXT NOT NULL) STRICT;
CREATE TABLE closings (
    period TEXT PRIMARY KEY, as_of TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE counted (
    file INTEGER PRIMARY KEY REFERENCES files (id),
    period TEXT NOT NULL REFERENCES closings (period)
) STRICT;
CREATE TABLE reminders (
    period TEXT NOT NULL, unit TEXT NOT NULL, due TEXT NOT NULL, distance INTEGER NOT NULL,
    made TEXT NOT NULL, PRIMARY KEY (period, unit, due, distance)
) STRICT;
CREATE TABLE mails (matter TEXT PRIMARY KEY, sent TEXT NOT NULL, address TEXT NOT NULL) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_SCHEMA_1, _SCHEMA_2, _SCHEMA_3)
"""Each step of the schema once, oldest first; `PRAGMA user_version` counts those applied."""

_FILE_COLUMNS = (
    "id, sha256, name, size, received, verdict, kind, unit, period, revision, reason, header,"
    " container"
)


class Ledger:
    """An open ledger. Use as a context manager.

    Args:
        path: the database; made, with its folder, unless `read_only`.
        read_only: open without writing anything, even where there is none yet.

    Raises:
        LedgerError: it cannot be opened, or a newer version of the program wrote it.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        with _told(path):
            self._db = _open(path, read_only)
        try:
            with _told(path):
                self._db.execute("PRAGMA journal_mode = TRUNCATE").fetchall()
                self._db.execute("PRAGMA synchronous = EXTRA")
                self._db.execute("PRAGMA foreign_keys = ON")
                self._migrate(path)
                if read_only:
                    self._db.execute("PRAGMA query_only = ON")
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _migrate(self, path: Path) -> None:
        done = self._db.execute("PRAGMA user_version").fetchone()[0]
        if done > len(MIGRATIONS):
            raise LedgerError(f"台账 {path} 由更新版本的程序写成，请升级程序后再用")
        for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
            self._apply(number, script)

    def _apply(self, number: int, script: str) -> None:
        """One migration and its record in one transaction, unless another process was first."""
        with self._transaction() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] < number:
                for statement in filter(str.strip, script.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _told(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _told(self._path):
            return self._db.execute(statement, tuple(values)).fetchall()

    def record_forms(self, forms: Sequence[tuple[Stamp, str]], issued: datetime | None) -> None:
        """Put on record that forms were handed out; a form made again keeps its first date.

        Args:
            forms: each stamp with the file's path below the outbox.
            issued: when; None where the caller does not say.
        """
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO forms VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (
                        *(stamp.kind.value, stamp.unit, str(stamp.period), stamp.form_id),
                        *(stamp.version, _text(issued) if issued else None, file),
                    )
                    for stamp, file in forms
                ],
            )

    def units_with_form(self, kind: FormKind, period: Period) -> frozenset[str]:
        """Codes of the units to whom a period's form was handed out."""
        rows = self._query(
            "SELECT unit FROM forms WHERE kind = ? AND period = ?", (kind.value, str(period))
        )
        return frozenset(unit for (unit,) in rows)

    def units_asked(self, kind: FormKind) -> frozenset[str]:
        """Codes of the units to whom a form of this kind was ever handed out."""
        rows = self._query("SELECT DISTINCT unit FROM forms WHERE kind = ?", (kind.value,))
        return frozenset(unit for (unit,) in rows)

    def receive(
        self,
        sha256: str,
        name: str,
        size: int,
        changed_ns: int,
        received: datetime,
        container: FileRecord | None = None,
    ) -> FileRecord:
        """Put on record that a file came, before anything reads it; the same sighting of it again
        gives the same record.

        Args:
            container: the archive that it came out of.
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO files (sha256, name, size, changed_ns, received, verdict, container)"
                " VALUES (?, ?, ?, ?, ?, 'received', ?) ON CONFLICT DO NOTHING",
                (
                    *(sha256, name, size, changed_ns, _text(received)),
                    container.id if container else None,
                ),
            )
        return self._files(
            "sha256 = ? AND name = ? AND changed_ns = ?", (sha256, name, changed_ns)
        )[0]

    def conclude(
        self, file: FileRecord, conclusion: Conclusion, assignment: Assignment | None = None
    ) -> None:
        """Put a verdict on record, with all that was read.

        Args:
            assignment: the person's decision that it follows from; it replaces what was concluded
                before.
        """
        accepted = conclusion.returned if conclusion.verdict == "accepted" else None
        with self._transaction() as db:
            if assignment is not None:
                _insert_assignment(db, file.id, assignment)
                _delete_read(db, file.id)
            db.execute(
                "UPDATE files SET verdict = ?, kind = ?, unit = ?, period = ?, revision = ?,"
                " reason = ?, header = ? WHERE id = ?",
                (
                    conclusion.verdict,
                    conclusion.kind.value if conclusion.kind else None,
                    conclusion.unit,
                    str(conclusion.period) if conclusion.period else None,
                    conclusion.revision,
                    conclusion.reason,
                    _json(dict(accepted.header) if accepted else {}),
                    file.id,
                ),
            )
            if accepted is not None:
                _insert_return(db, file.id, accepted)
            db.executemany(
                "INSERT INTO findings VALUES (?, ?, ?)",
                [(file.id, n, _json(asdict(f))) for n, f in enumerate(conclusion.findings)],
            )

    def unreported(self) -> list[FileRecord]:
        """Files that no finished pass has told of: a stopped run left them, concluded or not."""
        return self._files("reported = 0 OR verdict = 'received'", ())

    def mark_reported(self) -> None:
        """Put on record that a pass has finished and tells of every file."""
        if self._query("SELECT 1 FROM files WHERE reported = 0 LIMIT 1"):
            with self._transaction() as db:
                db.execute("UPDATE files SET reported = 1 WHERE reported = 0")

    def reopen(self, file: FileRecord) -> FileRecord:
        """Take back a verdict, so that the file is judged anew; what was read from it goes."""
        with self._transaction() as db:
            db.execute(
                "UPDATE files SET verdict = 'received', reported = 0 WHERE id = ?", (file.id,)
            )
            _delete_read(db, file.id)
        return self.file(file.id)

    def has_size(self, size: int) -> bool:
        """Whether a file of so many bytes ever came."""
        return bool(self._query("SELECT 1 FROM files WHERE size = ? LIMIT 1", (size,)))

    def members(self, file: FileRecord) -> list[FileRecord]:
        """The files that came out of an archive."""
        return self._files("container = ?", (file.id,))

    def file(self, number: int) -> FileRecord:
        """A file by its number."""
        return self._files("id = ?", (number,))[0]

    def assignments(self, file: FileRecord) -> tuple[Assignment, ...]:
        """What people decided about a file, oldest first."""
        rows = self._query(
            "SELECT unit, period, reason, decided FROM assignments WHERE file = ? ORDER BY id",
            (file.id,),
        )
        return tuple(
            Assignment(
                unit, Period.parse(period), reason, datetime.fromisoformat(at) if at else None
            )
            for unit, period, reason, at in rows
        )

    def knows_inbox(self, path: str) -> bool:
        """Whether a folder was marked as our inbox before."""
        return bool(self._query("SELECT 1 FROM inboxes WHERE path = ?", (path,)))

    def remember_inbox(self, path: str) -> None:
        """Put on record that a folder carries the mark of our inbox."""
        with self._transaction() as db:
            db.execute("INSERT INTO inboxes VALUES (?) ON CONFLICT DO NOTHING", (path,))

    def twins(self, file: FileRecord) -> list[FileRecord]:
        """Files with the same bytes that came before."""
        return self._files("sha256 = ? AND id < ?", (file.sha256, file.id))

    def count(self) -> int:
        """How many files are on record."""
        return int(self._query("SELECT count(*) FROM files")[0][0])

    def with_hash(self, sha256: str) -> list[FileRecord]:
        """Files with these bytes, in order of receipt."""
        return self._files("sha256 = ?", (sha256,))

    @property
    def is_blank(self) -> bool:
        """Whether no form was ever handed out."""
        return not self._query("SELECT 1 FROM forms LIMIT 1")

    def files(self, until: datetime) -> list[FileRecord]:
        """Every file received up to a moment, in order of receipt."""
        return self._files("received <= ?", (_text(until),))

    def revisions(
        self, kind: FormKind, period: Period, until: datetime | None = None
    ) -> dict[str, list[FileRecord]]:
        """Accepted files of a period by unit code, oldest first.

        Args:
            until: leave out what was received later.
        """
        where, values = (
            "verdict = 'accepted' AND kind = ? AND period = ?",
            [kind.value, str(period)],
        )
        if until is not None:
            where, values = f"{where} AND received <= ?", [*values, _text(until)]
        found: dict[str, list[FileRecord]] = {}
        for file in self._files(where, values):
            found.setdefault(str(file.unit), []).append(file)
        return found

    def entries(self, file: FileRecord) -> tuple[Entry, ...]:
        """The answers read from an accepted return form."""
        rows = self._query(
            "SELECT item, answers, sheet, cells, unreadable FROM entries"
            " WHERE file = ? ORDER BY item",
            (file.id,),
        )
        texts = ",".join(f"[{answers},{cells},{keys}]" for _, answers, _, cells, keys in rows)
        return tuple(
            Entry(item, answers, sheet, cells, frozenset(keys))
            for (item, _, sheet, _, _), (answers, cells, keys) in zip(
                rows, json.loads(f"[{texts}]"), strict=True
            )
        )

    def findings(self, file: FileRecord) -> tuple[Finding, ...]:
        """The findings of a file."""
        rows = self._query("SELECT finding FROM findings WHERE file = ? ORDER BY row", (file.id,))
        return tuple(_finding(json.loads(text)) for (text,) in rows)

    def contact_forms(self, until: datetime | None = None) -> dict[str, FileRecord]:
        """By unit code: the newest contact form accepted (up to a moment) that names somebody."""
        where, values = (
            "verdict = 'accepted' AND kind = ? AND id IN (SELECT file FROM contacts)",
            [FormKind.CONTACTS.value],
        )
        if until is not None:
            where, values = f"{where} AND received <= ?", [*values, _text(until)]
        return {str(file.unit): file for file in self._files(where, values)}

    def contacts_in(self, file: FileRecord) -> tuple[Contact, ...]:
        """The contacts read from an accepted contact form."""
        rows = self._query("SELECT contact FROM contacts WHERE file = ? ORDER BY row", (file.id,))
        return tuple(Contact(**json.loads(text)) for (text,) in rows)

    def forms(self, period: Period) -> list[tuple[FormKind, str, str]]:
        """Every form handed out for a period: kind, unit code, path below the outbox."""
        rows = self._query(
            "SELECT kind, unit, file FROM forms WHERE period = ? ORDER BY unit, kind DESC",
            (str(period),),
        )
        return [(FormKind(kind), unit, file) for kind, unit, file in rows]

    def periods(self) -> list[Period]:
        """Every period of which a form is out or a return is here, oldest first."""
        rows = self._query(
            "SELECT period FROM forms UNION SELECT period FROM files WHERE verdict = 'accepted'"
        )
        return sorted(Period.parse(period) for (period,) in rows if period)

    def register(self, entries: Sequence[tuple[str, str]], seen: datetime) -> list[str]:
        """Put register entries on record with the time they were first seen.

        Args:
            entries: each sheet's title with the entry's text.

        Returns:
            The texts of those that are new.
        """
        known = set(self._query("SELECT sheet, entry FROM register"))
        new = [entry for entry in dict.fromkeys(entries) if entry not in known]
        if new:
            with self._transaction() as db:
                db.executemany(
                    "INSERT INTO register VALUES (?, ?, ?)",
                    [(sheet, text, _text(seen)) for sheet, text in new],
                )
        return [text for _, text in new]

    def registered(self) -> list[tuple[str, str, datetime]]:
        """Every register entry that ever took effect: sheet, text, when it was first seen."""
        rows = self._query("SELECT sheet, entry, seen FROM register ORDER BY seen, sheet, entry")
        return [(sheet, text, datetime.fromisoformat(seen)) for sheet, text, seen in rows]

    def book_shows(self, name: str) -> str:
        """The fingerprint of what a book showed when it was last written; empty if never."""
        rows = self._query("SELECT shown FROM books WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def record_book(self, name: str, shown: str) -> None:
        """Put on record what a book shows."""
        self.record_books({name: shown})

    def record_books(self, shown: Mapping[str, str]) -> None:
        """Put on record what books show, or other papers are made of, by their names."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO books VALUES (?, ?) ON CONFLICT DO UPDATE SET shown = excluded.shown",
                shown.items(),
            )

    def close(self, closing: Closing, files: Sequence[FileRecord]) -> None:
        """Put on record that a quarter is closed, and which accepted files its book has counted,
        late ones of earlier quarters included.
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO closings VALUES (?, ?, ?)",
                (str(closing.period), _text(closing.as_of), closing.sha256),
            )
            db.executemany(
                "INSERT INTO counted VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(file.id, str(closing.period)) for file in files],
            )

    def closing(self, period: Period) -> Closing | None:
        """How a quarter was closed; None while it is open."""
        rows = self._query("SELECT as_of, sha256 FROM closings WHERE period = ?", (str(period),))
        return Closing(period, datetime.fromisoformat(rows[0][0]), rows[0][1]) if rows else None

    def uncounted(self, period: Period, until: datetime) -> list[FileRecord]:
        """Accepted files of closed quarters before a period that no closed book before the
        period's own has counted, received up to a moment: what came, or was settled, too late
        (补报).
        """
        return self._files(
            "verdict = 'accepted' AND period < ? AND period IN (SELECT period FROM closings)"
            " AND id NOT IN (SELECT file FROM counted WHERE counted.period < ?)"
            " AND received <= ?",
            (str(period), str(period), _text(until)),
        )

    def counted_units(self, kind: FormKind, period: Period, before: Period) -> frozenset[str]:
        """Codes of the units whose file of a closed quarter was counted by a closed book before
        another quarter's.
        """
        rows = self._query(
            "SELECT DISTINCT unit FROM files JOIN counted ON counted.file = files.id"
            " WHERE kind = ? AND files.period = ? AND counted.period < ?",
            (kind.value, str(period), str(before)),
        )
        return frozenset(unit for (unit,) in rows)

    def record_reminders(self, reminders: Sequence[Reminder]) -> None:
        """Put on record that units were reminded; once is once."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO reminders VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (str(one.period), one.unit, one.due.isoformat(), one.distance, _text(one.made))
                    for one in reminders
                ],
            )

    def reminders(self, period: Period) -> list[Reminder]:
        """The reminders of a period, oldest first."""
        rows = self._query(
            "SELECT unit, due, distance, made FROM reminders WHERE period = ?"
            " ORDER BY made, unit, distance",
            (str(period),),
        )
        return [
            Reminder(
                *(period, unit, date.fromisoformat(due), distance), datetime.fromisoformat(made)
            )
            for unit, due, distance, made in rows
        ]

    def was_mailed(self, matter: str) -> bool:
        """Whether a mail was sent."""
        return bool(self._query("SELECT 1 FROM mails WHERE matter = ?", (matter,)))

    def record_mail(self, matter: str, sent: datetime, address: str) -> None:
        """Put on record that a mail was sent."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO mails VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (matter, _text(sent), address),
            )

    def _files(self, where: str, values: Sequence[Any]) -> list[FileRecord]:
        rows = self._query(
            f"SELECT {_FILE_COLUMNS} FROM files"  # noqa: S608  # our own words alone
            f" WHERE {where} ORDER BY received, id",
            values,
        )
        return [_file_record(row) for row in rows]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite complains of, as a sentence for the operator."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(f"台账 {path} 不能使用：{error}") from error


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    """A connection. One that will only read may still roll back what a killed run left behind,
    which SQLite refuses to a connection opened as read-only.
    """
    if read_only and not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    if read_only and db.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS):
        # An older ledger is migrated by the next run that writes; who only reads takes a copy.
        copy = sqlite3.connect(":memory:", isolation_level=None)
        with closing(db):
            db.backup(copy)
        return copy
    return db


def _insert_return(db: sqlite3.Connection, file: int, returned: Return) -> None:
    db.executemany(
        "INSERT INTO entries (file, item, sheet, cells, answers, unreadable)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                *(file, e.item, e.sheet, _json(dict(e.cells)), _json(dict(e.answers))),
                _json(sorted(e.unreadable)),
            )
            for e in returned.entries
        ],
    )
    db.executemany(
        "INSERT INTO contacts VALUES (?, ?, ?)",
        [(file, n, _json(asdict(contact))) for n, contact in enumerate(returned.contacts)],
    )


def _delete_read(db: sqlite3.Connection, file: int) -> None:
    for table in ("entries", "contacts", "findings"):
        db.execute(f"DELETE FROM {table} WHERE file = ?", (file,))  # noqa: S608  # our own words


def _insert_assignment(db: sqlite3.Connection, file: int, assignment: Assignment) -> None:
    decided = _text(assignment.decided) if assignment.decided else None
    db.execute(
        "INSERT INTO assignments (file, unit, period, reason, decided) VALUES (?, ?, ?, ?, ?)",
        (file, assignment.unit, str(assignment.period), assignment.reason, decided),
    )


def _file_record(row: tuple[Any, ...]) -> FileRecord:
    identity, sha256, name, size, received, verdict, kind, unit, period, revision, *rest = row
    reason, head, container = rest
    return FileRecord(
        identity,
        sha256,
        name,
        size,
        datetime.fromisoformat(received),
        verdict,
        FormKind(kind) if kind else None,
        unit,
        Period.parse(period) if period else None,
        revision,
        reason,
        json.loads(head),
        container,
    )


def _finding(data: dict[str, str]) -> Finding:
    return Finding(**{**data, "severity": Severity(data["severity"])})  # type: ignore[arg-type]


def _text(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat(timespec="seconds")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
