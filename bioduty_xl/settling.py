"""Settling: what the register's rows of 归属认定 decide about the files that are held.

A row settles one file, once. Before that it means a file that had come when the row was first seen;
afterwards it is done for ever, whatever else comes under that name and whatever people decide about
its file later. Nothing is written here: the workspace assigns and puts on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bioduty_xl.domain.register import Ownership, Plans
from bioduty_xl.domain.verdict import Verdict
from bioduty_xl.errors import ConfigError
from bioduty_xl.layout.sheets import REGISTER_OWNERSHIPS
from bioduty_xl.ledger import FileRecord, Ledger, Settlement
from bioduty_xl.plan.entry_words import entry_text
from bioduty_xl.reception import find_file, has_hash

_TAKEN = (Verdict.ACCEPTED, Verdict.DUPLICATE)


@dataclass(frozen=True)
class Meant:
    """What a row that is not done with means.

    Attributes:
        file: the file.
        is_settled: whether it is settled already as the row wants it, or by a later decision, so
            that the row only has to be put on record as done.
    """

    file: FileRecord
    is_settled: bool


@dataclass(frozen=True)
class Rows:
    """The rows of 归属认定 as they stand, beside what was decided before.

    Attributes:
        rows: in the order of the sheet.
        plans: for the names of units.
        now: the pass's moment, which is when a row that is not on record yet was first seen.
    """

    rows: Sequence[Ownership]
    plans: Plans
    ledger: Ledger
    now: datetime

    def text(self, row: Ownership) -> str:
        """A row as the ledger knows it."""
        return self._texts[row]

    def meant(self, row: Ownership) -> Meant | None:
        """What a row means; None where it is done with.

        Raises:
            ConfigError: it names no file, another row settles that one, or what the row says is
                not so.
        """
        settlements = self.ledger.settlements()
        done = next((one for one in settlements if one.entry == self.text(row)), None)
        if done is not None:
            self._require_last_word(row, done, settlements)
            return None
        file = self._find(row)
        other = self._settled_by(file, settlements)
        if other is None:
            return Meant(file, self._is_settled(row, file))
        if (other.unit, other.period) == (row.unit, row.period):
            return None
        raise ConfigError(
            f"与第 {other.row} 行认定的是同一个文件；要更正的，请改第 {other.row} 行，删去本行"
        )

    def _require_last_word(
        self, row: Ownership, done: Settlement, settlements: Sequence[Settlement]
    ) -> None:
        """A row that was edited, and then edited back, is done with all the same: that has to be
        said. What people have assigned since stands without a word.
        """
        last = [one for one in settlements if one.sha256 == done.sha256][-1]
        if last.entry == done.entry or _is_whose(self.ledger.file(done.file), row):
            return
        raise ConfigError(
            "本行先前已经办理，其后该文件又改了认定，没有再改回；"
            f"确要改回的，请在“{REGISTER_OWNERSHIPS['reason'].heading}”中补充说明"
        )

    def _find(self, row: Ownership) -> FileRecord:
        """The file that a row names, among those that had come when it was first seen; what names
        the bytes themselves cannot mean others.
        """
        seen, files = self._seen.get(self.text(row), self.now), self.ledger.files(self.now)
        known = [file for file in files if file.received <= seen or has_hash(file, row.file)]
        try:
            return find_file(known, row.file)
        except ConfigError:
            later = find_file(files, row.file)
        raise ConfigError(
            f"“{row.file}”是本行登记以后才收到的，本行不适用于它；"
            f"确属该单位的，请把“{REGISTER_OWNERSHIPS['file'].heading}”改写为 {later.sha256[:12]}"
        )

    def _settled_by(self, file: FileRecord, settlements: Sequence[Settlement]) -> Ownership | None:
        """The row of the sheet that has settled a file's bytes."""
        entries = {one.entry for one in settlements if one.sha256 == file.sha256}
        return next((row for row in self.rows if self.text(row) in entries), None)

    def _is_settled(self, row: Ownership, file: FileRecord) -> bool:
        if _is_whose(file, row):
            return True
        decisions = self.ledger.assignments(file)
        if decisions:
            seen, decided = self._seen.get(self.text(row)), decisions[-1].decided
            return seen is not None and decided is not None and decided > seen
        if file.verdict in _TAKEN and file.unit and file.period:
            unit = self.plans.of(file.period).by_code.get(file.unit)
            owner = unit.name if unit else file.unit
            raise ConfigError(
                f"“{row.file}”已按表中标识收为{owner} {file.period} 的表，"
                "不需要认定，请核对后删去本行"
            )
        return False

    @cached_property
    def _texts(self) -> Mapping[Ownership, str]:
        return {row: entry_text(row, self.plans)[1] for row in self.rows}

    @cached_property
    def _seen(self) -> Mapping[str, datetime]:
        title = REGISTER_OWNERSHIPS.title
        return {one.text: one.first_seen for one in self.ledger.registered() if one.sheet == title}


def _is_whose(file: FileRecord, row: Ownership) -> bool:
    """Whether a file is on record as what a row says."""
    return (file.unit, file.period) == (row.unit, row.period)
