"""The reception: what comes into the inbox is kept, recorded, read, concluded and tidied away.

The order is the only safe one (design, section 8): the bytes are in the store before the ledger
knows of the file, the ledger knows before anything reads it, and the inbox is touched last. A run
may be stopped anywhere; the next one goes on from what is on record. Nothing is ever deleted.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from bioduty_xl.desk import Desk
from bioduty_xl.domain.calendar import CHINA, Calendar
from bioduty_xl.domain.verdict import Collected, FileReport, Verdict
from bioduty_xl.errors import BiodutyError, ConfigError, NotAReturn, ReturnError
from bioduty_xl.intake import archive, filing, gate
from bioduty_xl.intake.gate import Limits
from bioduty_xl.intake.raw import ARCHIVE, LOST, LOST_WORDS
from bioduty_xl.intake.reading import Reading, Started
from bioduty_xl.language import say
from bioduty_xl.ledger import RECEIVED, Assignment, Conclusion, FileRecord, Ledger

_log = logging.getLogger(__name__)

LEFTOVER = "程序留下的临时文件、快捷方式等，不是返回表"
NO_FILE = "不是普通文件（管道、设备或链接），没有打开"
WRITING = "文件仍在写入或被其他程序打开，下次再收"
CLOSED = "打不开：没有权限，或正被其他程序独占，请检查权限，下次再收"
OPEN_ELSEWHERE = (
    "文件旁有编辑程序的锁文件，说明正被打开，关闭后再收；确认无人打开的，请删去该锁文件"
)
NO_ROOM = "磁盘空间不足，暂未收取，请清理磁盘，下次再收"

BATCH = 64
"""Files that are kept, recorded and concluded together."""

LONG_DAYS = 1
"""After so many days in the inbox, a file that is still not taken is spoken of with its age."""


@dataclass(frozen=True)
class Reception:
    """One pass over the inbox.

    Attributes:
        desk: decides what a file is.
        calendar: says which period is current when a file of no known period comes.
        reading: has originals read.
        limits: caps on files.
        inbox, originals: where files come in, and where they are kept.
        latest: the pass's moment; nothing counts as received later.
    """

    desk: Desk
    calendar: Calendar
    reading: Reading
    limits: Limits
    inbox: Path
    originals: Path
    latest: datetime

    def take_all(self, progress: Callable[[str, int, int], None]) -> Collected:
        """Finish what a stopped run left, then take what is in the inbox.

        Raises:
            BiodutyError: the inbox is not there.
        """
        require_inbox(self.inbox, self.desk.ledger)
        self._mark_inbox()
        filing.clear_partial(self.originals)
        left = [_Kept(file) for file in self.desk.ledger.unreported()]
        reports = list(self._conclude_all(_batches(left)))
        found = filing.scan(self.inbox)
        arrivals = [*found.arrivals, *self._changed(found.filed)]
        settled, growing = filing.wait_until_settled(
            arrivals, self.desk.settings.intake.settle_seconds
        )
        reports += self._take(settled, progress)
        reports += self._conclude_all([self._adopted()])
        self.desk.ledger.mark_reported()
        reports += [self._deferred(arrival, WRITING) for arrival in growing]
        reports += [self._deferred(arrival, OPEN_ELSEWHERE) for arrival in found.open]
        reports += [FileReport(name, "", Verdict.DEFERRED, reason=CLOSED) for name in found.closed]
        reports += [
            FileReport(name, "", Verdict.IGNORED, reason=LEFTOVER) for name in found.ignored
        ]
        # A file that a stopped run left half done is met twice: in the ledger and in the inbox.
        return Collected(tuple({(r.file, r.sha256): r for r in reports}.values()))

    def look_at(self, path: Path, name: str, sha256: str) -> tuple[FileReport, ...]:
        """What would become of a file, and of each member if it is an archive; records nothing."""
        answer = self.reading.look_at(path, sha256)
        if answer != ARCHIVE:
            return (report_of(name, sha256, self._judge(answer, name, sha256)),)
        reports = []
        try:
            for member in self._open_archive(path):
                (kept,) = filing.store([archive.chunks(path, member)], self.originals)
                assert isinstance(kept, str), "a member is there as long as its archive is"
                inner = f"{name}/{member.name}"
                said = self.reading.look_at(self.originals / kept, kept)
                reports.append(report_of(inner, kept, self._judge(said, inner, kept)))
        except ReturnError as error:
            return (report_of(name, sha256, Conclusion(error.verdict, str(error))),)
        return (report_of(name, sha256, _sum_up(reports)), *reports)

    def assign(self, file: FileRecord, assignment: Assignment) -> FileReport:
        """Settle by a person's decision what became of a file, and put the decision on record.

        Raises:
            BiodutyError: its original is gone or damaged.
        """
        answer = self.reading.look_at(self.originals / file.sha256, file.sha256)
        if answer == LOST:
            raise BiodutyError(LOST_WORDS)
        conclusion = self.desk.conclude_assigned(answer, file, assignment)
        with self.desk.ledger.together():
            self.desk.ledger.conclude(file, conclusion, assignment)
            if not Verdict(conclusion.verdict).needs_attention:
                self._settle_with(file, answer)
        _log.info("file %s: assigned, %s", file.sha256[:12], conclusion.verdict)
        if not Verdict(conclusion.verdict).needs_attention:
            self._tidy_settled(filing.scan(self.inbox).filed)
        return report_of(file.name, file.sha256, conclusion)

    def follow_up(self, file: FileRecord) -> None:
        """Do what follows from a file that was settled; it may be repeated."""
        answer = self.reading.look_at(self.originals / file.sha256, file.sha256)
        with self.desk.ledger.together():
            self._settle_with(file, answer)
        self._tidy_settled(filing.scan(self.inbox).filed)

    def _settle_with(self, file: FileRecord, answer: str) -> None:
        """Settle what waited with a file: copies of its bytes, and the archive it came in."""
        ledger = self.desk.ledger
        for twin in ledger.with_hash(file.sha256):
            if twin.id != file.id and twin.verdict in _WAITING:
                conclusion = self.desk.conclude(answer, twin.name, [ledger.file(file.id)], twin)
                self._settle(ledger.reopen(twin), conclusion)
        if file.container is not None:
            self._settle_archive(ledger.file(file.container))

    def _settle_archive(self, container: FileRecord) -> None:
        """Sum an archive up anew after one of its members was settled."""
        reports = [self._filed(member) for member in self.desk.ledger.members(container)]
        self._settle(self.desk.ledger.reopen(container), _sum_up(reports))

    def _tidy_settled(self, filed: Sequence[filing.Arrival]) -> None:
        """Move what was settled since it was put aside to where such files lie."""
        for arrival in filed:
            if arrival.path.parent != self.inbox / filing.ASIDE_FOLDER:
                continue
            known = self._known(arrival)
            if known and not any(file.verdict in _WAITING for file in known):
                report = self._filed(known[-1])
                filing.tidy(arrival, known[-1].sha256, self.inbox, self._folder(known[-1], report))

    def _mark_inbox(self) -> None:
        inbox, ledger = str(self.inbox.resolve()), self.desk.ledger
        if filing.mark_as_ours(self.inbox) and not ledger.knows_inbox(inbox):
            ledger.remember_inbox(inbox)

    def _changed(self, filed: Sequence[filing.Arrival]) -> list[filing.Arrival]:
        """Of the files taken or put aside, those with bytes that never came before: somebody has
        mended them where they lie or dropped them there, or their copy was not finished when they
        were read. Those that were settled meanwhile are tidied.
        """
        changed = [arrival for arrival in filed if self._known(arrival) == []]
        self._tidy_settled([arrival for arrival in filed if arrival not in changed])
        return changed

    def _known(self, arrival: filing.Arrival) -> list[FileRecord] | None:
        """The records of a file's bytes; None where it cannot be read, or is too large to be read
        again at each pass and of a size that came before.
        """
        outsized = arrival.size > self.limits.file_bytes
        if outsized and self.desk.ledger.has_size(arrival.size):
            return None
        try:
            return self.desk.ledger.with_hash(filing.hash_of(arrival.path))
        except OSError:
            return None

    def _take(
        self, arrivals: Sequence[filing.Arrival], progress: Callable[[str, int, int], None]
    ) -> Iterator[FileReport]:
        """Arrivals, batch by batch, in the only safe order: keep, record, read, conclude, tidy."""
        kept = self._keep_all(arrivals)
        for done, report in enumerate(self._conclude_all(kept), start=1):
            progress(report.file, done, max(done, len(arrivals)))
            yield report

    def _keep_all(self, arrivals: Sequence[filing.Arrival]) -> Iterator[list[_Waiting]]:
        """Keep arrivals batch by batch; of one that the store has no room for, what it has."""
        for batch in _batches(arrivals):
            try:
                yield self._keep(batch)
            except OSError:
                if len(batch) == 1:
                    raise
                yield from (self._keep([arrival]) for arrival in batch)

    def _keep(self, arrivals: Sequence[filing.Arrival]) -> list[_Waiting]:
        """Put arrivals into the store, then on record."""
        fitting = [arrival for arrival in arrivals if self._has_room_for(arrival)]
        hashes = filing.store([filing.chunks(arrival.path) for arrival in fitting], self.originals)
        kept = dict(zip(fitting, hashes, strict=True))
        with self.desk.ledger.together():
            return [self._record(arrival, kept.get(arrival)) for arrival in arrivals]

    def _has_room_for(self, arrival: filing.Arrival) -> bool:
        outsized = arrival.size > self.limits.file_bytes
        return not outsized or filing.has_room_for(arrival.size, self.originals)

    def _record(self, arrival: filing.Arrival, kept: str | filing.Unavailable | None) -> _Waiting:
        if not isinstance(kept, str):
            return self._deferred(arrival, NO_ROOM if kept is None else CLOSED)
        ledger = self.desk.ledger
        file = ledger.receive(
            kept, arrival.name, arrival.size, arrival.changed_ns, arrival.received(self.latest)
        )
        if file.verdict in _WAITING:  # dropped in again, or not tidied: it may be readable now
            file = ledger.reopen(file)
        return _Kept(file, arrival)

    def _folder(self, file: FileRecord, report: FileReport) -> str:
        if report.verdict.needs_attention:
            return filing.ASIDE_FOLDER
        period = report.period or self.calendar.current(file.received)
        return f"{filing.TAKEN_FOLDER}/{period}"

    def _adopted(self) -> list[_Waiting]:
        """Originals of which the ledger knows nothing, put on record: a run was stopped between
        keeping and recording them, and the file was taken from the inbox since.
        """
        known = self.desk.ledger.hashes()
        strays = [path for path in filing.originals_in(self.originals) if path.name not in known]
        return [self._adopt(path) for path in strays]

    def _adopt(self, path: Path) -> _Kept:
        status = path.stat()
        came = datetime.fromtimestamp(int(status.st_mtime), CHINA)
        name = f"（原文件名不详）{path.name[:12]}"
        received = min(came, self.latest)
        return _Kept(
            self.desk.ledger.receive(path.name, name, status.st_size, status.st_mtime_ns, received)
        )

    def _conclude_all(self, batches: Iterable[Sequence[_Waiting]]) -> Iterator[FileReport]:
        """Judge what was kept, in order. While a batch is judged, the next ones are being read."""
        started: deque[tuple[Sequence[_Waiting], Started]] = deque()
        for batch in batches:
            hashes = [one.file.sha256 for one in batch if isinstance(one, _Kept) and one.is_open]
            started.append((batch, self.reading.start(hashes)))
            if len(started) > self.reading.batches_ahead:
                yield from self._conclude_batch(*started.popleft())
        while started:
            yield from self._conclude_batch(*started.popleft())

    def _conclude_batch(self, batch: Sequence[_Waiting], started: Started) -> Iterator[FileReport]:
        """Judge a batch and put its verdicts on record together; archives stand by themselves."""
        answers = self.reading.answers(started)

        def is_archive(one: _Waiting) -> bool:
            return isinstance(one, _Kept) and one.is_archive(answers)

        for apart, group in groupby(batch, is_archive):
            if apart:
                for one in group:
                    assert isinstance(one, _Kept), "only what was kept can be an archive"
                    reports = self._conclude_archive(one.file)
                    self._tidy(one, reports[0])
                    yield from reports
            else:
                yield from self._conclude_together(list(group), answers)

    def _conclude_together(
        self, waiting: Sequence[_Waiting], answers: Mapping[str, str]
    ) -> Iterator[FileReport]:
        with self.desk.ledger.together():
            reports = [self._conclude(one, answers) for one in waiting]
        for one, report in zip(waiting, reports, strict=True):
            if isinstance(one, _Kept):
                self._tidy(one, report)
        yield from reports

    def _conclude(self, one: _Waiting, answers: Mapping[str, str]) -> FileReport:
        """Judge a recorded file, unless that was done before."""
        if isinstance(one, FileReport):
            return one
        file = self.desk.ledger.file(one.file.id)  # an archive before it may have concluded it
        if file.verdict != RECEIVED:
            return self._filed(file)
        twins = self.desk.ledger.twins(file)
        return self._settle(file, self.desk.conclude(answers[file.sha256], file.name, twins, file))

    def _tidy(self, one: _Kept, report: FileReport) -> None:
        if one.arrival is not None and report.verdict is not Verdict.DEFERRED:
            folder = self._folder(one.file, report)
            filing.tidy(one.arrival, one.file.sha256, self.inbox, folder)

    def _conclude_archive(self, file: FileRecord) -> list[FileReport]:
        original = self.originals / file.sha256
        try:
            members = self._open_archive(original)
            if not filing.has_room_for(sum(member.size for member in members), self.originals):
                return [FileReport(file.name, file.sha256, Verdict.DEFERRED, reason=NO_ROOM)]
            batches = (self._keep_members(file, original, batch) for batch in _batches(members))
            reports = list(self._conclude_all(batches))
        except ReturnError as error:
            return [self._settle(file, Conclusion(error.verdict, str(error)))]
        return [self._settle(file, _sum_up(reports)), *reports]

    def _keep_members(
        self, container: FileRecord, path: Path, members: Sequence[archive.Member]
    ) -> list[_Waiting]:
        """Put an archive's members into the store, then on record."""
        sources = [archive.chunks(path, member) for member in members]
        hashes = filing.store(sources, self.originals)
        with self.desk.ledger.together():
            return [
                _Kept(
                    self.desk.ledger.receive(
                        str(sha256),
                        f"{container.name}/{member.name}",
                        member.size,
                        container.id,  # it has no arrival of its own: once for each archive
                        container.received,
                        container,
                    )
                )
                for member, sha256 in zip(members, hashes, strict=True)
            ]

    def _open_archive(self, path: Path) -> list[archive.Member]:
        """The members of an archive that has passed the gate, leftovers of programs left out.

        Raises:
            ReturnError: it cannot be opened, or has none.
        """
        with path.open("rb") as file:
            gate.check(file, self.limits)
        members = [member for member in archive.members(path) if not member.is_leftover]
        if not members:
            raise NotAReturn("压缩包里没有文件，请该单位重新报送")
        return members

    def _settle(self, file: FileRecord, conclusion: Conclusion) -> FileReport:
        self.desk.ledger.conclude(file, conclusion)
        _log.info("file %s: %s", file.sha256[:12], conclusion.verdict)  # names may hold numbers
        return report_of(file.name, file.sha256, conclusion)

    def _judge(self, answer: str, name: str, sha256: str) -> Conclusion:
        twins = self.desk.ledger.with_hash(sha256) if sha256 else []
        return self.desk.conclude(answer, name, twins)

    def _filed(self, file: FileRecord) -> FileReport:
        return FileReport(
            file.name,
            file.sha256,
            Verdict(file.verdict),
            file.kind,
            file.unit,
            file.period,
            file.revision,
            file.reason,
            self.desk.ledger.findings(file),
        )

    def _deferred(self, arrival: filing.Arrival, reason: str) -> FileReport:
        """A file to try again at every pass; once it has waited long, its age is said."""
        came = datetime.fromtimestamp(arrival.changed_ns // 1_000_000_000, CHINA)
        days = (self.latest - came).days if self.latest.year < _FOREVER else 0
        if days >= LONG_DAYS:
            reason += f"（已等待 {days} 天）"
            _log.warning("a file has waited %d days in the inbox", days)
        return FileReport(arrival.name, "", Verdict.DEFERRED, reason=reason)


@dataclass(frozen=True)
class _Kept:
    """A file in the store and on record, which waits to be judged.

    Attributes:
        arrival: where it lies in the inbox; None for what came otherwise.
    """

    file: FileRecord
    arrival: filing.Arrival | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was not judged yet."""
        return self.file.verdict == RECEIVED

    def is_archive(self, answers: Mapping[str, str]) -> bool:
        """Whether it is to be opened: what comes out of one is not."""
        is_member = self.file.container is not None
        return self.is_open and not is_member and answers[self.file.sha256] == ARCHIVE


_Waiting = _Kept | FileReport
"""What a batch is made of: files to judge, and reports on those that could not be taken."""

_T = TypeVar("_T")

_WAITING = (Verdict.HELD, Verdict.REJECTED)

_FOREVER = 9999
"""The year of a pass without a moment of its own."""


def require_inbox(inbox: Path, ledger: Ledger) -> None:
    """Make sure that an inbox is the one that was there before, and not the empty folder that is
    left where a share is not connected.

    Raises:
        BiodutyError: it is not there, or lost the mark that it had.
    """
    if not inbox.is_dir():
        raise BiodutyError(
            say(
                "收件夹 {inbox} 不可用：请检查共享盘是否连接；要换收件夹，请修改 bioduty.toml",
                inbox=inbox,
            )
        )
    if ledger.knows_inbox(str(inbox.resolve())) and not filing.is_ours(inbox):
        raise BiodutyError(
            say(
                "收件夹 {inbox} 不可用：里面没有先前留下的标记，可能是共享盘没有连接。"
                "确是这个文件夹的，请在其中新建名为 {name} 的空文件",
                inbox=inbox,
                name=filing.SENTINEL,
            )
        )


def find_file(ledger_files: list[FileRecord], wanted: str) -> FileRecord:
    """The file that a person means, the newest where several have the name.

    Args:
        ledger_files: every file on record, in order of receipt.
        wanted: its name below the inbox, its last part alone, or the start of its SHA-256.

    Raises:
        ConfigError: there is none, or several that differ.
    """
    name = wanted.replace("\\", "/").strip("/")
    for matches in (
        [file for file in ledger_files if file.name == name],
        [file for file in ledger_files if file.name.rpartition("/")[2] == name],
        [file for file in ledger_files if has_hash(file, name)],
    ):
        open_ones = [file for file in matches if file.verdict in _WAITING]
        if len({file.sha256 for file in open_ones}) > 1:
            listed = (
                say("{file}：{sha256}", file=file.name, sha256=file.sha256[:12])
                for file in open_ones
            )
            raise ConfigError(
                say("有几个待处理的文件叫“{wanted}”，请改用 SHA-256 的前几位", wanted=wanted),
                *listed,
            )
        if matches:
            return (open_ones or matches)[-1]
    raise ConfigError(say("收件台账中没有“{wanted}”，请写收件台账“文件”列中的名称", wanted=wanted))


def has_hash(file: FileRecord, start: str) -> bool:
    """Whether a text is the start of a file's SHA-256, long enough to name it."""
    return len(start) >= 8 and file.sha256.startswith(start.lower())


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Items, so many at a time that one commit and one flush serve them all."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _sum_up(reports: list[FileReport]) -> Conclusion:
    """What becomes of an archive: it needs attention as long as one of its members does."""
    counts = Counter(report.verdict for report in reports)
    listed = "，".join(f"{verdict.word} {number} 个" for verdict, number in counts.items())
    reason = f"压缩包，内有 {len(reports)} 个文件，已逐个处理：{listed}"
    waiting = [report.file for report in reports if report.verdict.needs_attention]
    if waiting:
        reason += f"；需要处理的是：{'、'.join(waiting)}"
        return Conclusion(Verdict.HELD.value, reason)
    repeated = set(counts) == {Verdict.DUPLICATE}
    return Conclusion((Verdict.DUPLICATE if repeated else Verdict.ACCEPTED).value, reason)


def report_of(name: str, sha256: str, conclusion: Conclusion) -> FileReport:
    """A conclusion as a report on the file."""
    return FileReport(
        name,
        sha256,
        Verdict(conclusion.verdict),
        conclusion.kind,
        conclusion.unit,
        conclusion.period,
        conclusion.revision,
        conclusion.reason,
        conclusion.findings,
    )
