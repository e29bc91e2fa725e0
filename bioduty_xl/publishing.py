"""Publishing a quarter's books: written when what they show has changed, closed once, kept.

A closed quarter's book is kept under its hash, so that it comes out again exactly as it was
published, whatever the plan, the settings or the program say by then. A correction copy lies ready
only while it asks for what is still to be mended.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bioduty_xl.domain.calendar import end_of_day
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.errors import Altered, LedgerError
from bioduty_xl.evidence import Queried, Returned, gather, judge, queried
from bioduty_xl.forms.correction import Correction
from bioduty_xl.handout import Handout
from bioduty_xl.language import say
from bioduty_xl.layout.atomic import remove_unless_open, write_beside_if_open, write_whole
from bioduty_xl.ledger import Book, Closing, CorrectionCopy, FileRecord, Ledger
from bioduty_xl.report import bulletin, frames
from bioduty_xl.report.book import render
from bioduty_xl.report.evidence import Evidence
from bioduty_xl.report.parquet import require_pyarrow, to_parquet
from bioduty_xl.terms import Terms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publisher:
    """Writes what a quarter's ledger says.

    Attributes:
        handout: makes the quarter's correction copies.
        file: the consolidated workbook.
        bulletin: the draft 通报, written when the quarter is closed.
        kept: folder of published books, by hash.
    """

    terms: Terms
    ledger: Ledger
    handout: Handout
    file: Path
    bulletin: Path
    kept: Path
    _known: dict[datetime, Mapping[str, Returned]] = field(default_factory=dict, compare=False)
    """What was judged, by moment: while a publisher is at work, nothing is received."""

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
        content = self._published(closing)
        path = self._put(content, self.ledger.book(self.file.name).shown)
        if merge is not None:
            found = self._as_closed(closing)
            write_whole(merge, to_parquet(frames.entries(found), found.standing))
        return path

    def _write_open(self, as_of: datetime, merge: Path | None) -> Path:
        found = gather(self.terms, self.ledger, self.period, as_of, self._judged(as_of))
        every = frames.entries(found)
        tables = frames.sheets(found, every)
        path = self._write(found, tables, frames.shown(found, tables))
        if merge is not None:  # last, so that one that cannot be written costs no book
            write_whole(merge, to_parquet(every, found.standing))
        return path

    def renew(self, as_of: datetime) -> Path | None:
        """Write the book if it would show anything else than it does, or is gone.

        Returns:
            Its path if it was written.
        """
        found = gather(self.terms, self.ledger, self.period, as_of, self._judged(as_of))
        tables = frames.sheets(found)
        known, shown = self.ledger.book(self.file.name).shown, frames.shown(found, tables)
        if self.file.exists() and known == shown:
            return None
        return self._write(found, tables, shown)

    def close(self) -> Path:
        """Publish the quarter as it stood when its last day ended, with a draft bulletin and the
        correction copies of that moment.

        What is published does not depend on when that is done, and the ledger is told last: it may
        be stopped anywhere and repeated.

        Raises:
            TemplateError: the copies cannot be made, so the quarter is not closed yet.
        """
        as_of = end_of_day(self.terms.calendar.closing(self.period))
        found = gather(self.terms, self.ledger, self.period, as_of, self._judged(as_of))
        tables = frames.sheets(found)
        content = render(found, tables)
        sha256 = hashlib.sha256(content).hexdigest()
        write_whole(self._kept_file(sha256), content, mode=0o600)
        path = self._write(found, tables, frames.shown(found, tables), content)
        dated = self.terms.calendar.working_day(as_of.date(), 1)
        draft = bulletin.draft(found, tables, self.terms.settings.office, dated)
        write_beside_if_open(self.bulletin, draft)
        self.correct(as_of)
        self.ledger.close(Closing(self.period, as_of, sha256), self._counted(found))
        _log.info("%s: closed as of %s", self.period, as_of.isoformat())
        return path

    def restore(self) -> Path | None:
        """See to it that a closed book is there as it was published: where it is gone, or is a
        version of our own from before the close, because it was open then, it is written.

        Returns:
            Its path if it was written.

        Raises:
            Altered: a person has changed it; it is left as it is.
            PermissionError: it is open in another program.
        """
        closing = self.ledger.closing(self.period)
        assert closing is not None, "only closed books are restored"
        found = _hash_of(self.file) if self.file.exists() else ""
        if found == closing.sha256:
            return None
        known = self.ledger.book(self.file.name)
        if found not in ("", known.sha256):
            raise Altered(
                say(
                    "{path} 与结账时写出的不同，已原样保留；要恢复结账时的汇总表，"
                    "请把它改名或移走，下次运行时重新写出",
                    path=self.file,
                )
            )
        content = self._published(closing)
        write_whole(self.file, content)
        self.ledger.record_book(self.file.name, Book(known.shown, closing.sha256))
        return self.file

    def correct(self, as_of: datetime) -> list[Path]:
        """Write a correction copy for each return with errors, where it is not there as it should
        be and the unit still has something to report. Copies that ask for what is no longer asked
        go first, so that none lies ready.

        Returns:
            Those written.

        Raises:
            TemplateError: the template is not fit to make them of.
            PermissionError: one is open in another program; all the others were written.
        """
        found = queried(self._judged(as_of))
        asked = {code: one for code, one in found.items() if self.handout.asks(code)}
        written, open_elsewhere = list[Path](), []
        with self.ledger.together():  # what a stop takes back is written and put on record again
            known = self.ledger.corrections(self.period)
            self._drop_copies(asked, known)
            for unit in self.handout.plan.units:
                if unit.code in asked:
                    try:
                        written += self._correct(unit, asked[unit.code], known.get(unit.code))
                    except PermissionError as error:
                        open_elsewhere.append(error)
        if open_elsewhere:
            raise open_elsewhere[0]
        return written

    def _judged(self, as_of: datetime) -> Mapping[str, Returned]:
        if as_of not in self._known:
            self._known[as_of] = judge(self.terms, self.ledger, self.period, as_of)
        return self._known[as_of]

    def _write(
        self, found: Evidence, tables: frames.Tables, shown: str, content: bytes | None = None
    ) -> Path:
        path = self._put(content or render(found, tables), shown)
        _log.info("%s: consolidated as of %s", self.period, found.standing.as_of.isoformat())
        return path

    def _put(self, content: bytes, shown: str) -> Path:
        """Write the book and put on record what stands under its name."""
        path = write_beside_if_open(self.file, content)
        if path == self.file:
            sha256 = hashlib.sha256(content).hexdigest()
            self.ledger.record_book(path.name, Book(shown, sha256))
        return path

    def _drop_copies(
        self, asked: Mapping[str, Queried], known: Mapping[str, CorrectionCopy]
    ) -> None:
        """Take away what is named like a copy of ours and does not hold, whatever units are called
        by now.

        Args:
            known: the copies on record, by unit code.
        """
        holding = {
            code
            for code, copy in known.items()
            if code in asked and asked[code].matter == copy.matter
        }
        for code in set(known) - holding:
            self.ledger.record_correction(self.period, code, None)
        units = self.handout.plan.units
        wanted = {self.handout.correction_file(unit) for unit in units if unit.code in holding}
        ours = re.compile(rf".+_{self.period}_退回修改\.xlsx")
        for path in (self.handout.folder / "corrections").glob("*.xlsx"):
            if ours.fullmatch(path.name) and path not in wanted:
                remove_unless_open(path)

    def _correct(self, unit: Unit, one: Queried, known: CorrectionCopy | None) -> list[Path]:
        """Write a unit's copy, unless it is there and shows the same.

        Args:
            known: what is on record of it.
        """
        asked = Correction(one.file.header, one.entries, one.findings)
        content = self.handout.correction(unit, asked)
        copy = CorrectionCopy(one.matter, self.handout.correction_shows(content))
        path = self.handout.correction_file(unit)
        if path.exists() and known == copy:
            return []
        self.handout.correct(unit, content)
        self.ledger.record_correction(self.period, unit.code, copy)
        return [path]

    def _counted(self, found: Evidence) -> list[FileRecord]:
        """The accepted files of the quarter's own units that the closed book shows, or that newer
        ones in it replace; and the late ones of earlier quarters in it.
        """
        own = (
            file
            for kind in FormKind
            for unit, files in self.ledger.revisions(
                kind, self.period, found.standing.as_of
            ).items()
            for file in files
            if unit in found.plan.by_code
        )
        return [*own, *(late.file for late in found.late)]

    def _published(self, closing: Closing) -> bytes:
        path = self._kept_file(closing.sha256)
        content = path.read_bytes() if path.is_file() else self._rebuilt(closing)
        if hashlib.sha256(content).hexdigest() != closing.sha256:
            raise LedgerError(
                say(
                    "{period} 结账时的汇总存档 {path} 不见了或已损坏，按现有台账也不能原样重建，"
                    "请从备份恢复",
                    period=self.period,
                    path=path,
                )
            )
        return content

    def _rebuilt(self, closing: Closing) -> bytes:
        return render(self._as_closed(closing))

    def _as_closed(self, closing: Closing) -> Evidence:
        """What was published: without what a person settled only after the close."""
        with self.ledger.copied() as ledger:
            ledger.take_back_settled(closing)
            return gather(self.terms, ledger, self.period, closing.as_of)

    def _kept_file(self, sha256: str) -> Path:
        return self.kept / f"{sha256}.xlsx"


def _hash_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
