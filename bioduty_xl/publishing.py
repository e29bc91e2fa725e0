"""Publishing a quarter's books: written when what they show has changed, closed once, kept.

A closed quarter's book is kept under its hash, so that it comes out again exactly as it was
published, whatever the plan, the settings or the program say by then.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

from bioduty_xl.domain.calendar import end_of_day
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.returns import Finding
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.errors import LedgerError, TemplateError
from bioduty_xl.evidence import gather
from bioduty_xl.forms.correction import Correction
from bioduty_xl.handout import Handout
from bioduty_xl.layout.atomic import write_beside_if_open, write_whole
from bioduty_xl.ledger import Closing, FileRecord, Ledger
from bioduty_xl.report import bulletin, frames
from bioduty_xl.report.book import render
from bioduty_xl.report.evidence import Evidence
from bioduty_xl.report.parquet import require_pyarrow, to_parquet
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Paper:
    """A workbook that goes with a book.

    Attributes:
        path: where it stands.
        made_of: a fingerprint of all that it is made of.
        write: makes it.
    """

    path: Path
    made_of: str
    write: Callable[[], object]


@dataclass(frozen=True)
class Publisher:
    """Writes what a quarter's ledger says.

    Attributes:
        handout: makes the quarter's correction copies and the list of contacts.
        book: the consolidated workbook.
        contact_list: the list of contacts of all units.
        bulletin: the draft 通报, written when the quarter is closed.
        kept: folder of published books, by hash.
    """

    terms: Terms
    ledger: Ledger
    handout: Handout
    book: Path
    contact_list: Path
    bulletin: Path
    kept: Path

    @property
    def period(self) -> Period:
        """The quarter."""
        return self.handout.period

    def write(self, as_of: datetime, merge: Path | None = None) -> Path:
        """Write the book, or bring a closed one back as it was published.

        Args:
            merge: where the full merge goes as Parquet, too; that of a closed quarter is made
                anew, as of its closing. None: nowhere.

        Returns:
            Its path; beside the usual one where that is open in another program.

        Raises:
            ConfigError: the extra that writes Parquet is not installed.
        """
        if merge is not None:
            require_pyarrow()
        closing = self.ledger.closing(self.period)
        if closing is None:
            return self._write_open(as_of, merge)
        if merge is not None:
            found = gather(self.terms, self.ledger, self.period, closing.as_of)
            write_whole(merge, to_parquet(frames.entries(found), found.standing))
        return write_beside_if_open(self.book, self._published(closing))

    def _write_open(self, as_of: datetime, merge: Path | None) -> Path:
        found = gather(self.terms, self.ledger, self.period, as_of)
        every = frames.entries(found)
        if merge is not None:
            write_whole(merge, to_parquet(every, found.standing))
        tables = frames.sheets(found, every)
        return self._write(found, tables, frames.shown(tables))

    def renew(self, as_of: datetime) -> Path | None:
        """Write the book if it would show anything else than it does, or is gone.

        Returns:
            Its path if it was written.
        """
        found = gather(self.terms, self.ledger, self.period, as_of)
        tables = frames.sheets(found)
        known = self.ledger.book_shows(self.book.name)
        shown = frames.shown(tables)
        if self.book.exists() and known == shown:
            return None
        return self._write(found, tables, shown)

    def close(self) -> Path:
        """Publish the quarter as it stood when its last day ended, with a draft bulletin.

        It may be stopped anywhere and repeated: nothing depends on the moment of doing it, and the
        ledger is told last.
        """
        as_of = end_of_day(self.terms.calendar.closing(self.period))
        found = gather(self.terms, self.ledger, self.period, as_of)
        tables = frames.sheets(found)
        content = render(found, tables)
        sha256 = hashlib.sha256(content).hexdigest()
        write_whole(self._kept_file(sha256), content, mode=0o600)
        path = self._write(found, tables, frames.shown(tables), content)
        dated = self.terms.calendar.working_day(as_of.date(), 1)
        draft = bulletin.draft(found, tables, self.terms.settings.office, dated)
        write_beside_if_open(self.bulletin, draft)
        self.ledger.close(Closing(self.period, as_of, sha256), self._counted(as_of))
        _log.info("%s: closed as of %s", self.period, as_of.isoformat())
        return path

    def _write(
        self, found: Evidence, tables: frames.Tables, shown: str, content: bytes | None = None
    ) -> Path:
        path = write_beside_if_open(self.book, content or render(found, tables))
        try:
            self._write_papers(found)
        except TemplateError as error:  # the book itself needs no template
            _log.warning("退回修改和联系人名单没有写出：%s", error)
        if path == self.book:
            self.ledger.record_book(path.name, shown)
        _log.info("%s: consolidated as of %s", self.period, found.standing.as_of.isoformat())
        return path

    def _write_papers(self, found: Evidence) -> None:
        """The papers that go with the book; one that stands there as it was written, made of the
        same things, is left alone.
        """
        written = {}
        for paper in chain(self._corrections(found), self._contacts(found)):
            known = self.ledger.book_shows(paper.path.name)
            if known != f"{paper.made_of} {_hash_of(paper.path)}":
                paper.write()
                written[paper.path.name] = f"{paper.made_of} {_hash_of(paper.path)}"
        if written:
            self.ledger.record_books(written)

    def _corrections(self, found: Evidence) -> Iterator[_Paper]:
        """A correction copy for each return with errors; a copy that is no longer needed goes."""
        said: dict[str, list[Finding]] = defaultdict(list)
        for file, finding in found.return_findings:
            said[str(file.unit)].append(finding)
        for line in found.standing.units:
            path, findings = self.handout.correction_file(line.unit), said[line.unit.code]
            if line.receipt and any(finding.is_error for finding in findings):
                header = found.newest[line.unit.code].header
                correction = Correction(header, line.receipt.entries, findings)
                yield _Paper(
                    path,
                    self.handout.correction_made_of(line.unit, correction),
                    partial(self.handout.correct, line.unit, correction),
                )
            elif path.exists():
                _log.info("%s: a correction copy is no longer needed", self.period)
                path.unlink()

    def _contacts(self, found: Evidence) -> Iterator[_Paper]:
        """The list of contacts, once there are any."""
        if found.contacts:
            listed = {unit: people for unit, (_, people) in found.contacts.items()}
            yield _Paper(
                self.contact_list,
                self.handout.contact_list_made_of(listed),
                partial(self.handout.list_contacts, listed, self.contact_list),
            )

    def _counted(self, as_of: datetime) -> list[FileRecord]:
        """The accepted files that the closed book shows, or that newer ones in it replace."""
        own = (
            file
            for kind in FormKind
            for files in self.ledger.revisions(kind, self.period, as_of).values()
            for file in files
        )
        return [*own, *self.ledger.uncounted(self.period, as_of)]

    def _published(self, closing: Closing) -> bytes:
        path = self._kept_file(closing.sha256)
        content = path.read_bytes() if path.is_file() else self._rebuilt(closing)
        if hashlib.sha256(content).hexdigest() != closing.sha256:
            raise LedgerError(
                f"{self.period} 结账时的汇总存档 {path} 不见了或已损坏，"
                "按现有台账也不能原样重建，请从备份恢复"
            )
        return content

    def _rebuilt(self, closing: Closing) -> bytes:
        return render(gather(self.terms, self.ledger, self.period, closing.as_of))

    def _kept_file(self, sha256: str) -> Path:
        return self.kept / f"{sha256}.xlsx"


def _hash_of(path: Path) -> str:
    """Of a file's bytes; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
