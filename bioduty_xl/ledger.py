"""The record of the collection: forms handed out, files received, verdicts, answers (SQLite).

Times are stored as ISO 8601 text in China's offset, so that text order is time order. The database
stays on a local disk; `journal_mode=TRUNCATE` and `synchronous=EXTRA` make a commit durable when it
returns. What the ledger says is never inferred from the inbox.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from sys import intern
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, Self
from urllib.parse import quote

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Contact, Entry, Finding, Return, Severity
from bioduty_xl.domain.stamp import FormKind, Stamp
from bioduty_xl.errors import LedgerError
from bioduty_xl.language import say

RECEIVED = "received"
"""The verdict of a file that was not judged yet."""


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
class Registered:
    """A register entry that took effect at some time.

    Attributes:
        sheet: title of the sheet that it stands in.
        text: what it says.
        first_seen, last_seen: the passes that found it first and last; an entry that the last pass
            did not find was withdrawn or edited after it was last seen.
    """

    sheet: str
    text: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Settlement:
    """A register entry (归属认定) is done with: it has settled a file.

    Attributes:
        entry: its text.
        file: number of the file.
        sha256: of the file's bytes.
        settled: when.
    """

    entry: str
    file: int
    sha256: str
    settled: datetime


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
class Form:
    """A form that was handed out.

    Attributes:
        file: its path below the outbox.
        issued: when it first went out; None where the caller did not say.
        due: the due date printed on it; None where an earlier version wrote it.
    """

    kind: FormKind
    unit: str
    file: str
    issued: datetime | None
    due: date | None


@dataclass(frozen=True)
class Book:
    """A workbook as it was last written.

    Attributes:
        shown: fingerprint of what it shows.
        sha256: of its bytes.
    """

    shown: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class CorrectionCopy:
    """A correction copy as it was last written.

    Attributes:
        matter: what it asks for: of which return, and what is to be mended.
        shown: fingerprint of all that it shows.
    """

    matter: str
    shown: str


@dataclass(frozen=True)
class Reminder:
    """A unit was reminded.

    Attributes:
        due: the unit's due date then.
        distance: working days from it.
        asked: keys of the items that it was asked for; none: the whole return.
        made: when.
    """

    period: Period
    unit: str
    due: date
    distance: int
    asked: tuple[str, ...]
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
ALTER TABLE forms ADD COLUMN due TEXT;
CREATE TABLE register (
    sheet TEXT NOT NULL, entry TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
    PRIMARY KEY (sheet, entry)
) STRICT;
CREATE TABLE settlements (
    id INTEGER PRIMARY KEY, entry TEXT NOT NULL UNIQUE,
    file INTEGER NOT NULL REFERENCES files (id), settled TEXT NOT NULL
) STRICT;
CREATE TABLE books (
    name TEXT PRIMARY KEY, shown TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE corrections (
    period TEXT NOT NULL, unit TEXT NOT NULL, matter TEXT NOT NULL, shown TEXT NOT NULL,
    PRIMARY KEY (period, unit)
) STRICT;
CREATE TABLE closings (
    period TEXT PRIMARY KEY, as_of TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE counted (
    file INTEGER PRIMARY KEY REFERENCES files (id),
    period TEXT NOT NULL REFERENCES closings (period)
) STRICT;
CREATE TABLE reminders (
    period TEXT NOT NULL, unit TEXT NOT NULL, due TEXT NOT NULL, distance INTEGER NOT NULL,
    asked TEXT NOT NULL, made TEXT NOT NULL, PRIMARY KEY (period, unit, due, distance)
) STRICT;
CREATE TABLE mails (
    matter TEXT PRIMARY KEY, moment TEXT NOT NULL, address TEXT NOT NULL, refused TEXT NOT NULL
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_SCHEMA_1, _SCHEMA_2, _SCHEMA_3)
"""Each step of the schema once, oldest first; `PRAGMA user_version` counts those applied."""

_PATIENCE = 30.0
"""How many seconds one waits for another connection that is writing."""

SNAPSHOT_SECONDS = 5.0
"""How long a snapshot waits for a ledger that is being written."""

_FILE_COLUMNS = (
    "id, sha256, name, size, received, verdict, kind, unit, period, revision, reason, header,"
    " container"
)


class Ledger:
    """An open ledger. Use as a context manager.

    Args:
        path: the database; made, with its folder, unless `read_only`.
        read_only: open without writing anything, even where there is none yet.
        snapshot: work on a copy in memory of the ledger as it is now. Neither it nor its folder is
            touched, so it may lie on a disk that cannot be written.

    Raises:
        LedgerError: it cannot be opened, or a newer version of the program wrote it. For a
            snapshot also: there is none, or it is damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False, snapshot: bool = False) -> None:
        self._path = path
        with _told(path):
            self._db = _copied(path) if snapshot else _open(path, read_only)
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

    def copied(self) -> Ledger:
        """A snapshot of it, to be used as a context manager of its own."""
        return Ledger(self._path, snapshot=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _migrate(self, path: Path) -> None:
        done = self._db.execute("PRAGMA user_version").fetchone()[0]
        if done > len(MIGRATIONS):
            raise LedgerError(say("台账 {path} 由更新版本的程序写成，请升级程序后再用", path=path))
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
    def together(self) -> Iterator[None]:
        """Whatever is put on record within is put there in one transaction, at its end."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction, or a part of the one that is under way."""
        if self._db.in_transaction:
            yield self._db
            return
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

    def record_forms(
        self, forms: Sequence[tuple[Stamp, str, date]], issued: datetime | None
    ) -> None:
        """Put on record that forms were handed out; a form made again keeps its first date.

        Args:
            forms: each stamp with the file's path below the outbox and the due date printed.
            issued: when; None where the caller does not say.
        """
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO forms (kind, unit, period, form_id, version, issued, file, due)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET file = excluded.file, due = excluded.due",
                [
                    (
                        *(stamp.kind.value, stamp.unit, str(stamp.period), stamp.form_id),
                        *(stamp.version, _text(issued) if issued else None, file, due.isoformat()),
                    )
                    for stamp, file, due in forms
                ],
            )

    def units_with_form(self, kind: FormKind, period: Period) -> frozenset[str]:
        """Codes of the units to whom a period's form was handed out."""
        rows = self._query(
            "SELECT unit FROM forms WHERE kind = ? AND period = ?", (kind.value, str(period))
        )
        return frozenset(unit for (unit,) in rows)

    def form_ids(self, period: Period) -> frozenset[str]:
        """Ids of the forms handed out for a period; no two workspaces have the same, since they
        come of the secret key.
        """
        rows = self._query("SELECT form_id FROM forms WHERE period = ?", (str(period),))
        return frozenset(form_id for (form_id,) in rows)

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
                [(file.id, n, _json(vars(f))) for n, f in enumerate(conclusion.findings)],
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

    def waiting(self, until: datetime) -> list[FileRecord]:
        """The files received up to a moment that are held or rejected and of which nobody has
        decided whose they are; an archive that was opened is left out.
        """
        return self._files(
            "verdict IN ('held', 'rejected') AND received <= ?"
            " AND id NOT IN (SELECT file FROM assignments)"
            " AND id NOT IN (SELECT container FROM files WHERE container IS NOT NULL)",
            (_text(until),),
        )

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

    def hashes(self) -> frozenset[str]:
        """The SHA-256 of every file that ever came."""
        return frozenset(sha256 for (sha256,) in self._query("SELECT DISTINCT sha256 FROM files"))

    def twins(self, file: FileRecord) -> list[FileRecord]:
        """Files with the same bytes that came before."""
        return self._files("sha256 = ? AND id < ?", (file.sha256, file.id))

    def count(self) -> int:
        """How many files are on record."""
        return int(self._query("SELECT count(*) FROM files")[0][0])

    def received(self) -> tuple[datetime, ...]:
        """The first and the last arrival on record; empty where nothing ever came."""
        ((first, last),) = self._query("SELECT min(received), max(received) FROM files")
        return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if first else ()

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

    def revisions_of(self, kind: FormKind, period: Period, unit: str) -> list[FileRecord]:
        """Accepted files of one unit, oldest first."""
        return self._files(
            "period = ? AND kind = ? AND unit = ? AND verdict = 'accepted'",
            (str(period), kind.value, unit),
        )

    def entries(self, file: FileRecord) -> tuple[Entry, ...]:
        """The answers read from an accepted return form."""
        rows = self._query(
            "SELECT item, answers, sheet, cells, unreadable FROM entries"
            " WHERE file = ? ORDER BY item",
            (file.id,),
        )
        answers = json.loads(f"[{','.join(texts for _, texts, _, _, _ in rows)}]")
        return tuple(
            Entry(intern(item), _shared(texts), intern(sheet), _addresses(cells), _keys(unreadable))
            for (item, _, sheet, cells, unreadable), texts in zip(rows, answers, strict=True)
        )

    def answers(self, files: Iterable[FileRecord], column: str) -> dict[int, dict[str, str]]:
        """One column of many return forms: by file number and item key, what could be read there.

        Args:
            files: accepted ones.
            column: the column's key.
        """
        found: dict[int, dict[str, str]] = {}
        for numbers in _batches([file.id for file in files]):
            marks = ", ".join("?" * len(numbers))
            rows = self._query(
                "SELECT file, item, answers, unreadable FROM entries"  # noqa: S608  # only marks
                f" WHERE file IN ({marks})",
                numbers,
            )
            for file, item, answers, unreadable in rows:
                if column not in json.loads(unreadable):
                    text = json.loads(answers).get(column, "")
                    found.setdefault(file, {})[item] = text
        return found

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

    def forms(self, period: Period) -> list[Form]:
        """Every form handed out for a period; of a unit, the return form first."""
        rows = self._query(
            "SELECT kind, unit, file, issued, due FROM forms WHERE period = ?"
            " ORDER BY unit, kind DESC",
            (str(period),),
        )
        return [
            Form(
                *(FormKind(kind), unit, file),
                datetime.fromisoformat(issued) if issued else None,
                date.fromisoformat(due) if due else None,
            )
            for kind, unit, file, issued, due in rows
        ]

    def periods(self) -> list[Period]:
        """Every period of which a form is out or a return is here, oldest first."""
        rows = self._query(
            "SELECT period FROM forms UNION SELECT period FROM files WHERE verdict = 'accepted'"
        )
        return sorted(Period.parse(period) for (period,) in rows if period)

    def register(self, entries: Sequence[tuple[str, str]], seen: datetime) -> list[str]:
        """Put on record that a pass has found register entries.

        Args:
            entries: each sheet's title with the entry's text.
            seen: the pass's moment; one before the last pass's moves nothing back.

        Returns:
            The texts of those that are new.
        """
        known = set(self._query("SELECT sheet, entry FROM register"))
        found = list(dict.fromkeys(entries))
        if found:
            with self._transaction() as db:
                db.executemany(
                    "INSERT INTO register VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET last_seen = max(last_seen, excluded.last_seen)",
                    [(sheet, text, _text(seen), _text(seen)) for sheet, text in found],
                )
        return [text for sheet, text in found if (sheet, text) not in known]

    def registered(self) -> list[Registered]:
        """Every register entry that ever took effect, in the order in which they were seen."""
        rows = self._query(
            "SELECT sheet, entry, first_seen, last_seen FROM register"
            " ORDER BY first_seen, sheet, entry"
        )
        return [
            Registered(*(sheet, text, datetime.fromisoformat(first), datetime.fromisoformat(last)))
            for sheet, text, first, last in rows
        ]

    def settle(self, entry: str, file: FileRecord, settled: datetime) -> None:
        """Put on record that a register entry has settled a file: it is done for ever."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO settlements (entry, file, settled) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (entry, file.id, _text(settled)),
            )

    def settlements(self) -> list[Settlement]:
        """The register entries that have settled a file, in the order in which they did."""
        rows = self._query(
            "SELECT entry, files.id, sha256, settled FROM settlements"
            " JOIN files ON files.id = settlements.file ORDER BY settlements.id"
        )
        return [
            Settlement(entry, file, sha256, datetime.fromisoformat(at))
            for entry, file, sha256, at in rows
        ]

    def book(self, name: str) -> Book:
        """What a book was when it was last written; blank if never."""
        rows = self._query("SELECT shown, sha256 FROM books WHERE name = ?", (name,))
        return Book(*rows[0]) if rows else Book()

    def record_book(self, name: str, book: Book) -> None:
        """Put on record that a book was written."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO books VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                " SET shown = excluded.shown, sha256 = excluded.sha256",
                (name, book.shown, book.sha256),
            )

    def corrections(self, period: Period) -> dict[str, CorrectionCopy]:
        """The correction copies of a period that lie ready, by unit code."""
        rows = self._query(
            "SELECT unit, matter, shown FROM corrections WHERE period = ?", (str(period),)
        )
        return {unit: CorrectionCopy(matter, shown) for unit, matter, shown in rows}

    def record_correction(self, period: Period, unit: str, copy: CorrectionCopy | None) -> None:
        """Put on record that a correction copy was written, or (None) that there is none."""
        with self._transaction() as db:
            if copy is None:
                db.execute(
                    "DELETE FROM corrections WHERE period = ? AND unit = ?", (str(period), unit)
                )
                return
            db.execute(
                "INSERT INTO corrections VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET matter = excluded.matter, shown = excluded.shown",
                (str(period), unit, copy.matter, copy.shown),
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

    def closed_periods(self) -> list[Period]:
        """Every closed quarter, oldest first."""
        rows = self._query("SELECT period FROM closings ORDER BY period")
        return [Period.parse(period) for (period,) in rows]

    def counted(self, period: Period) -> frozenset[int]:
        """Numbers of the files that a closed quarter's book counts."""
        rows = self._query("SELECT file FROM counted WHERE period = ?", (str(period),))
        return frozenset(number for (number,) in rows)

    def take_back_settled(self, closing: Closing) -> None:
        """For a snapshot: let what a person settled only after a quarter was closed wait again, as
        it did when the quarter's book was published.
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE files SET verdict = 'held', unit = NULL"
                " WHERE verdict = 'accepted' AND period = ? AND received <= ?"
                " AND id NOT IN (SELECT file FROM counted WHERE period = ?)",
                (str(closing.period), _text(closing.as_of), str(closing.period)),
            )

    def uncounted(self, kind: FormKind, period: Period, until: datetime) -> list[FileRecord]:
        """Accepted files of closed quarters before a period that no closed book before the
        period's own has counted, received up to a moment: what came, or was settled, too late
        (补报).
        """
        return self._files(
            "verdict = 'accepted' AND kind = ? AND period < ?"
            " AND period IN (SELECT period FROM closings)"
            " AND id NOT IN (SELECT file FROM counted WHERE counted.period < ?)"
            " AND received <= ?",
            (kind.value, str(period), str(period), _text(until)),
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
                "INSERT INTO reminders VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (
                        *(str(one.period), one.unit, one.due.isoformat(), one.distance),
                        *(_json(one.asked), _text(one.made)),
                    )
                    for one in reminders
                ],
            )

    def reminders(self, period: Period) -> list[Reminder]:
        """The reminders of a period in the order in which they were put on record."""
        rows = self._query(
            "SELECT unit, due, distance, asked, made FROM reminders WHERE period = ?"
            " ORDER BY rowid",
            (str(period),),
        )
        return [
            Reminder(
                *(period, unit, date.fromisoformat(due), distance),
                *(tuple(json.loads(asked)), datetime.fromisoformat(made)),
            )
            for unit, due, distance, asked, made in rows
        ]

    def mails(self, period: Period) -> dict[str, str]:
        """The mails of a period that are done with, by their matter: an empty text where the server
        took it, else why it was refused for good.
        """
        rows = self._query(
            "SELECT matter, refused FROM mails WHERE matter GLOB ?", (f"{period}/*",)
        )
        return dict(rows)

    def record_mail(self, matter: str, moment: datetime, address: str, refused: str = "") -> None:
        """Put on record that a mail was sent, or was refused for good."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO mails VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (matter, _text(moment), address, refused),
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
        raise LedgerError(
            say("台账 {path} 不能使用：{error}", path=path, error=str(error))
        ) from error


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    """A connection. One that will only read may still roll back what a killed run left behind,
    which SQLite refuses to a connection opened as read-only.
    """
    if read_only and not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)
    if read_only and db.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS):
        # An older ledger is migrated by the next run that writes; who only reads takes a copy.
        copy = sqlite3.connect(":memory:", isolation_level=None)
        with closing(db):
            db.backup(copy)
        return copy
    return db


def _copied(path: Path) -> sqlite3.Connection:
    """A copy in memory of a ledger, whole and at one moment."""
    if not path.is_file():
        raise LedgerError(say("没有台账 {path}", path=path))
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _back_up(path, copy)
        _require_sound(copy, path)
    except sqlite3.DatabaseError as error:
        copy.close()
        _complain(error, path)
    except BaseException:
        copy.close()
        raise
    return copy


def _require_sound(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        raise LedgerError(say("台账 {path} 是空的", path=path))
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise LedgerError(say("台账 {path} {damaged}", path=path, damaged=_DAMAGED))


_DAMAGED = say("已损坏，请从备份恢复")
_COMPLAINTS = {
    sqlite3.SQLITE_BUSY: say("正被其他程序占用，请稍后再试"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""What SQLite's codes mean to the operator."""


def _back_up(path: Path, target: sqlite3.Connection) -> None:
    try:
        _back_up_as_it_is(path, target)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        # A killed run has left half a transaction, which can only be rolled back by writing.
        with TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            for name in (path.name, f"{path.name}-journal"):
                shutil.copyfile(path.with_name(name), copy.with_name(name))
            with closing(sqlite3.connect(copy, isolation_level=None)) as source:
                source.backup(target)


def _back_up_as_it_is(path: Path, target: sqlite3.Connection) -> None:
    place = path.resolve().as_posix()
    uri = f"file://{'' if place.startswith('/') else '/'}{quote(place)}?mode=ro"
    with closing(
        sqlite3.connect(uri, uri=True, isolation_level=None, timeout=SNAPSHOT_SECONDS)
    ) as source:
        # `backup` waits for a lock without end; a transaction gives up, and then holds it.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(target)


def copy_ledger(path: Path, target: Path) -> int:
    """Copy a ledger as it is at one moment into a new file, while others may be writing to it; what
    a killed run left half done is undone, here and there.

    Returns:
        The number of its schema, which the copy keeps.

    Raises:
        LedgerError: it is damaged, or was written all the time.
    """
    with _told(path):
        try:
            with (
                closing(sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)) as source,
                closing(sqlite3.connect(target, isolation_level=None)) as copy,
            ):
                # `backup` waits for a lock without end; a transaction gives up, and then holds it.
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                source.backup(copy)
                _require_sound(copy, path)
                return int(copy.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            _complain(error, path)


def _complain(error: sqlite3.DatabaseError, path: Path) -> NoReturn:
    """Raise what an error of SQLite means to the operator; one that is not known, as it is."""
    said = _COMPLAINTS.get(getattr(error, "sqlite_errorcode", 0))
    if said is None:
        raise error
    raise LedgerError(say("台账 {path} {said}", path=path, said=said)) from error


def _batches(values: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as a statement of any SQLite takes."""
    for start in range(0, len(values), 500):
        yield values[start : start + 500]


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
        [(file, n, _json(vars(contact))) for n, contact in enumerate(returned.contacts)],
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


def _shared(texts: dict[str, str]) -> dict[str, str]:
    """The same texts, each in memory once: much of what a form says is on many others, too."""
    return {intern(key): intern(text) for key, text in texts.items()}


@lru_cache(maxsize=1024)  # rows of the same form stand in the same cells, whoever filled it
def _addresses(cells: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(cells)
    return found


@lru_cache(maxsize=1024)
def _keys(unreadable: str) -> frozenset[str]:
    return frozenset(json.loads(unreadable))


def _finding(data: dict[str, str]) -> Finding:
    return Finding(**{**data, "severity": Severity(data["severity"])})  # type: ignore[arg-type]


def _text(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat(timespec="seconds")


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
