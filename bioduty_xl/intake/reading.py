"""Has originals read: by child processes of this machine, or by an executor's workers anywhere.

Files are asked for in chunks, a bounded number of which are under way at once. A chunk is a plain
value and its answers are plain texts, so that both can travel; a worker reads in a child process
of its own, under the same limits. What a worker fails to do is done here.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bioduty_xl.fanout import Lost, hand_over, result_of
from bioduty_xl.intake.sandbox import Original, Sandbox, Terms

_log = logging.getLogger(__name__)

CHUNK = 16
"""Files that a worker is given at once."""

CHUNK_BYTES = 8 << 20
"""Bytes after which no more files are put into a chunk."""

_MOST_PROCESSES = 4
"""Reading processes of this machine: what more of them read the parent could not judge in time."""

SENT_BYTES = 128 << 20
"""Bytes that are with workers elsewhere at once; they are held in memory here and there."""

_GRACE = 60
"""Seconds that a chunk may take beyond those of its files: to travel, for a process to start."""


@dataclass(frozen=True)
class _Chunk:
    """Files that are being read.

    Attributes:
        hashes: which.
        sent: bytes of them that were sent elsewhere.
        future: what will be said of each.
    """

    hashes: Sequence[str]
    sent: int
    future: Future[list[str]]


Started = Sequence[_Chunk]
"""Chunks that are being read."""


class Reading(AbstractContextManager["Reading"]):
    """Reads originals for as long as its `with` block lasts.

    Args:
        terms: what the reading processes may do.
        originals: the store, in which a file lies under its SHA-256.
        executor: whose workers read; None: child processes of this machine. Workers elsewhere need
            this package, and are sent the bytes of what they read.
        in_all: seconds that all files together may take; None: as long as they need.
    """

    def __init__(
        self,
        terms: Terms,
        originals: Path,
        executor: Executor | None = None,
        *,
        in_all: float | None = None,
    ) -> None:
        self._terms = terms
        self._originals = originals
        self._elsewhere = executor
        self._sent: list[_Chunk] = []
        self._pool = _Pool(in_all)
        self._here = ThreadPoolExecutor(processes())

    def __exit__(self, *_: object) -> None:
        for chunk in self._sent:
            chunk.future.cancel()
        self._here.shutdown(cancel_futures=True)
        self._pool.close()

    @property
    def batches_ahead(self) -> int:
        """How many batches of files may be under way while one is judged: more where many workers
        wait for them.
        """
        return 16 if self._elsewhere is not None else 2

    def start(self, hashes: Sequence[str]) -> Started:
        """Begin to read originals; each once."""
        return [self._submit(chunk) for chunk in self._chunks(dict.fromkeys(hashes))]

    def answers(self, started: Started) -> dict[str, str]:
        """What is said of each original, by SHA-256, when all are read: see `raw.opened`.

        Raises:
            BiodutyError: no reading process can be started; the files are not to blame.
        """
        return {sha: said for chunk in started for sha, said in self._told(chunk)}

    def look_at(self, path: Path, sha256: str) -> str:
        """What is said of a file anywhere, at once and here."""
        return self._pool.read(self._terms, [Original(str(path.resolve()), sha256)])[0]

    def _chunks(self, hashes: Iterable[str]) -> Iterator[list[str]]:
        chunk: list[str] = []
        size = 0
        for sha256 in hashes:
            chunk.append(sha256)
            size += self._size(sha256)
            if len(chunk) == CHUNK or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def _submit(self, hashes: Sequence[str]) -> _Chunk:
        size = sum(map(self._size, hashes))
        under_way = sum(chunk.sent for chunk in self._sent)
        if under_way + size <= SENT_BYTES and all(map(self._can_be_sent, hashes)):
            sent = self._send(hashes, size)
            if sent is not None:
                return sent
        return _Chunk(hashes, 0, self._submit_here(hashes))

    def _send(self, hashes: Sequence[str], size: int) -> _Chunk | None:
        """The chunk with the workers elsewhere; None where there are none."""
        if self._elsewhere is None:
            return None
        files = [(sha256, (self._originals / sha256).read_bytes()) for sha256 in hashes]
        try:
            future = hand_over(self._elsewhere, read_sent, self._terms, files)
        except Lost as lost:
            self._give_up(lost)
            return None
        self._sent.append(_Chunk(hashes, size, future))
        return self._sent[-1]

    def _submit_here(self, hashes: Sequence[str]) -> Future[list[str]]:
        asked = [Original(str((self._originals / sha256).resolve()), sha256) for sha256 in hashes]
        return self._here.submit(self._pool.read, self._terms, asked)

    def _told(self, chunk: _Chunk) -> Iterator[tuple[str, str]]:
        return zip(chunk.hashes, self._said(chunk), strict=True)

    def _said(self, chunk: _Chunk) -> list[str]:
        """What is said of a chunk's files; what workers elsewhere have not read is read here."""
        if not chunk.sent:
            return chunk.future.result()
        self._sent.remove(chunk)
        try:
            return result_of(chunk.future, self._patience(chunk))
        except Lost as lost:
            if isinstance(lost.__cause__, TimeoutError):
                self._give_up(lost)
            else:
                _log.warning("a worker could not read (%s); reading here", lost)
            return self._submit_here(chunk.hashes).result()

    def _patience(self, chunk: _Chunk) -> float:
        """Seconds to wait for a chunk; none where the workers were given up meanwhile."""
        if self._elsewhere is None:
            return 0
        return _GRACE + len(chunk.hashes) * self._terms.most_seconds

    def _give_up(self, lost: Lost) -> None:
        """Read here from now on."""
        _log.warning("the executor's workers do not read any more (%s); reading here", lost)
        self._elsewhere = None

    def _can_be_sent(self, sha256: str) -> bool:
        """Whether a file is there and small enough; what is wrong with others is found here."""
        return 0 < self._size(sha256) <= self._terms.limits.file_bytes

    def _size(self, sha256: str) -> int:
        try:
            return (self._originals / sha256).stat().st_size
        except OSError:
            return 0


def processes() -> int:
    """How many reading processes this machine runs: a core is left to who judges what they read."""
    return max(1, min(_MOST_PROCESSES, (os.cpu_count() or 1) - 1))


def read_sent(terms: Terms, sent: Sequence[tuple[str, bytes]]) -> list[str]:
    """What is said of files that were sent, by SHA-256 and bytes. Runs in a worker, which keeps its
    reading processes for the next chunk.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for sha256, content in sent:
            path = Path(folder) / sha256
            path.write_bytes(content)
            asked.append(Original(str(path), sha256))
        return _WORKERS.read(terms, asked)


class _Pool:
    """Reading processes that are idle, by what they may do; each serves one caller at a time."""

    def __init__(self, in_all: float | None = None) -> None:
        self._in_all = in_all
        self._idle: defaultdict[Terms, deque[Sandbox]] = defaultdict(deque)

    def read(self, terms: Terms, asked: Sequence[Original]) -> list[str]:
        """Have files read by an idle process, or a new one."""
        try:
            sandbox = self._idle[terms].pop()
        except IndexError:
            sandbox = Sandbox(terms, in_all=self._in_all)
        try:
            return sandbox.read(asked)
        finally:
            self._idle[terms].append(sandbox)

    def close(self) -> None:
        """End the processes."""
        for idle in self._idle.values():
            while idle:
                idle.pop().stop()


_WORKERS = _Pool()
"""Of a worker, for as long as it lives. Its reading processes end with it: their standard input
does.
"""
