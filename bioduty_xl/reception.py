"""The reception: what comes into the inbox is kept, recorded, read, concluded and tidied away.

The order is the only safe one (design, section 8): the bytes are in the store before the ledger
knows of the file, the ledger knows before anything reads it, and the inbox is touched last. A run
may be stopped anywhere; the next one goes on from what is on record. Nothing is ever deleted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bioduty_xl.desk import Desk
from bioduty_xl.domain.calendar import CHINA, Calendar
from bioduty_xl.domain.verdict import Collected, FileReport, Verdict
from bioduty_xl.errors import BiodutyError, ConfigError, NotAReturn, ReturnError
from bioduty_xl.intake import archive, filing, gate
from bioduty_xl.ledger import Assignment, Conclusion, FileRecord, Ledger

_log = logging.getLogger(__name__)

LEFTOVER = "程序留下的临时文件、快捷方式等，不是返回表"
NO_FILE = "不是普通文件（管道、设备或链接），没有打开"
WRITING = "文件仍在写入或被其他程序打开，下次再收"
CLOSED = "打不开：没有权限，或正被其他程序独占，请检查权限，下次再收"
OPEN_ELSEWHERE = (
    "文件旁有编辑程序的锁文件，说明正被打开，关闭后再收；确认无人打开的，请删去该锁文件"
)
NO_ROOM = "磁盘空间不足，暂未收取，请清理磁盘，下次再收"
LOST = "台账中有记录，但保存的原件不见了或已损坏，请从备份恢复状态文件夹，或让该单位重新报送"

LONG_DAYS = 1
"""After so many days in the inbox, a file that is still not taken is spoken of with its age."""


@dataclass(frozen=True)
class Reception:
    """One pass over the inbox.

    Attributes:
        desk: decides what a file is.
        calendar: says which period is current when a file of no known period comes.
        inbox, originals: where files come in, and where they are kept.
        latest: the pass's moment; nothing counts as received later.
    """

    desk: Desk
    calendar: Calendar
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
        left = self.desk.ledger.unreported()
        reports = [report for file in left for report in self._resume(file)]
        found = filing.scan(self.inbox)
        arrivals = [*found.arrivals, *self._changed(found.filed)]
        settled, growing = filing.wait_until_settled(
            arrivals, self.desk.settings.intake.settle_seconds
        )
        for done, arrival in enumerate(settled):
            progress(arrival.name, done, len(settled))
            reports += self._take(arrival)
        reports += [report for path in self._orphans() for report in self._adopt(path)]
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
        if not gate.is_archive(path):
            return (report_of(name, sha256, self._judge(path, name, sha256)),)
        reports = []
        try:
            for member in self._open_archive(path):
                kept = filing.store_chunks(archive.chunks(path, member), self.originals)
                inner = f"{name}/{member.name}"
                conclusion = self._judge(self.originals / kept, inner, kept)
                reports.append(report_of(inner, kept, conclusion))
        except ReturnError as error:
            return (report_of(name, sha256, Conclusion(error.verdict, str(error))),)
        return (report_of(name, sha256, _sum_up(reports)), *reports)

    def assign(self, file: FileRecord, assignment: Assignment) -> FileReport:
        """Settle by a person's decision what became of a file, and put the decision on record.

        Raises:
            BiodutyError: its original is gone or damaged.
        """
        ledger = self.desk.ledger
        original = self.originals / file.sha256
        if not _is_intact(original):
            raise BiodutyError(LOST)
        conclusion = self.desk.conclude_assigned(original, file, assignment)
        ledger.conclude(file, conclusion, assignment)
        _log.info("file %s: assigned, %s", file.sha256[:12], conclusion.verdict)
        if not Verdict(conclusion.verdict).needs_attention:
            self.follow_up(ledger.file(file.id))
        return report_of(file.name, file.sha256, conclusion)

    def follow_up(self, file: FileRecord) -> None:
        """Do what follows from a file that was settled; it may be repeated."""
        ledger = self.desk.ledger
        for twin in ledger.with_hash(file.sha256):
            if twin.id != file.id and twin.verdict in _WAITING:
                self._settle(
                    ledger.reopen(twin),
                    self.desk.conclude(self.originals / file.sha256, twin.name, [file], twin),
                )
        if file.container is not None:
            self._settle_archive(ledger.file(file.container))
        self._tidy_settled(filing.scan(self.inbox).filed)

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

    def _resume(self, file: FileRecord) -> list[FileReport]:
        """Go on with what a stopped run left; its archive may have been finished just before."""
        return self._conclude(self.desk.ledger.file(file.id))

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
        outsized = arrival.size > self.desk.limits.file_bytes
        if outsized and self.desk.ledger.has_size(arrival.size):
            return None
        try:
            return self.desk.ledger.with_hash(filing.hash_of(arrival.path))
        except OSError:
            return None

    def _take(self, arrival: filing.Arrival) -> list[FileReport]:
        """One arrival, in the only safe order: keep, record, read, conclude, tidy."""
        outsized = arrival.size > self.desk.limits.file_bytes
        if outsized and not filing.has_room_for(arrival.size, self.originals):
            return [self._deferred(arrival, NO_ROOM)]
        try:
            sha256 = filing.store(arrival.path, self.originals)
        except filing.Unavailable:
            return [self._deferred(arrival, CLOSED)]
        file = self.desk.ledger.receive(
            sha256, arrival.name, arrival.size, arrival.changed_ns, arrival.received(self.latest)
        )
        if file.verdict in _WAITING:  # dropped in again, or not tidied: it may be readable now
            file = self.desk.ledger.reopen(file)
        reports = self._conclude(file)
        if reports[0].verdict is not Verdict.DEFERRED:
            filing.tidy(arrival, sha256, self.inbox, self._folder(file, reports[0]))
        return reports

    def _folder(self, file: FileRecord, report: FileReport) -> str:
        if report.verdict.needs_attention:
            return filing.ASIDE_FOLDER
        period = report.period or self.calendar.current(file.received)
        return f"{filing.TAKEN_FOLDER}/{period}"

    def _orphans(self) -> Iterator[Path]:
        """Originals of which the ledger knows nothing: a run was stopped between keeping and
        recording them, and the file was taken from the inbox since.
        """
        for path in filing.originals_in(self.originals):
            if not self.desk.ledger.with_hash(path.name):
                yield path

    def _adopt(self, path: Path) -> list[FileReport]:
        status = path.stat()
        came = datetime.fromtimestamp(int(status.st_mtime), CHINA)
        name = f"（原文件名不详）{path.name[:12]}"
        received = min(came, self.latest)
        file = self.desk.ledger.receive(
            path.name, name, status.st_size, status.st_mtime_ns, received
        )
        return self._conclude(file)

    def _conclude(self, file: FileRecord) -> list[FileReport]:
        """Judge a recorded file, unless that was done before; an archive with all its members."""
        original = self.originals / file.sha256
        if file.verdict != "received":
            return [self._filed(file)]
        if not _is_intact(original):
            return [self._settle(file, Conclusion(Verdict.HELD.value, LOST))]
        if file.container is None and gate.is_archive(original):
            return self._conclude_archive(file, original)
        twins = self.desk.ledger.twins(file)
        return [self._settle(file, self.desk.conclude(original, file.name, twins, file))]

    def _conclude_archive(self, file: FileRecord, original: Path) -> list[FileReport]:
        try:
            members = self._open_archive(original)
            if not filing.has_room_for(sum(member.size for member in members), self.originals):
                return [FileReport(file.name, file.sha256, Verdict.DEFERRED, reason=NO_ROOM)]
            reports = [r for member in members for r in self._take_member(file, original, member)]
        except ReturnError as error:
            return [self._settle(file, Conclusion(error.verdict, str(error)))]
        return [self._settle(file, _sum_up(reports)), *reports]

    def _open_archive(self, path: Path) -> list[archive.Member]:
        """The members of an archive that has passed the gate, leftovers of programs left out.

        Raises:
            ReturnError: it cannot be opened, or has none.
        """
        gate.check(path, self.desk.limits)
        members = [member for member in archive.members(path) if not member.is_leftover]
        if not members:
            raise NotAReturn("压缩包里没有文件，请该单位重新报送")
        return members

    def _take_member(
        self, container: FileRecord, path: Path, member: archive.Member
    ) -> list[FileReport]:
        sha256 = filing.store_chunks(archive.chunks(path, member), self.originals)
        file = self.desk.ledger.receive(
            sha256,
            f"{container.name}/{member.name}",
            member.size,
            container.id,  # a member has no arrival of its own: once for each archive that came
            container.received,
            container,
        )
        return self._conclude(file)

    def _settle(self, file: FileRecord, conclusion: Conclusion) -> FileReport:
        self.desk.ledger.conclude(file, conclusion)
        _log.info("file %s: %s", file.sha256[:12], conclusion.verdict)  # names may hold numbers
        return report_of(file.name, file.sha256, conclusion)

    def _judge(self, path: Path, name: str, sha256: str) -> Conclusion:
        twins = self.desk.ledger.with_hash(sha256) if sha256 else []
        return self.desk.conclude(path, name, twins)

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
            f"收件夹 {inbox} 不可用：请检查共享盘是否连接；要换收件夹，请修改 bioduty.toml"
        )
    if ledger.knows_inbox(str(inbox.resolve())) and not filing.is_ours(inbox):
        raise BiodutyError(
            f"收件夹 {inbox} 不可用：里面没有先前留下的标记，可能是共享盘没有连接。"
            f"确是这个文件夹的，请在其中新建名为 {filing.SENTINEL} 的空文件"
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
            listed = (f"{file.name}：{file.sha256[:12]}" for file in open_ones)
            raise ConfigError(f"有几个待处理的文件叫“{wanted}”，请改用 SHA-256 的前几位", *listed)
        if matches:
            return (open_ones or matches)[-1]
    raise ConfigError(f"收件台账中没有“{wanted}”，请写收件台账“文件”列中的名称")


def has_hash(file: FileRecord, start: str) -> bool:
    """Whether a text is the start of a file's SHA-256, long enough to name it."""
    return len(start) >= 8 and file.sha256.startswith(start.lower())


def _is_intact(original: Path) -> bool:
    """Whether the store still holds the bytes that its name says."""
    try:
        return filing.hash_of(original) == original.name
    except FileNotFoundError:
        return False


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
