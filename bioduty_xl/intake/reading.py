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
from pathlib import Path

from bioduty_xl.intake.sandbox import Original, Sandbox, Terms

_log = logging.getLogger(__name__)

CHUNK = 16
"""Files that a worker is given at once."""

CHUNK_BYTES = 8 << 20
"""Bytes after which no more files are put into a chunk."""

_MOST_PROCESSES = 4
"""Reading processes of this machine: what more of them read the parent could not judge in time."""

Started = Sequence[tuple[Sequence[str], Future[list[str]]]]
"""Chunks that are being read, each with what will be said of its files."""


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
        self._pool = _Pool(in_all)
        self._here = ThreadPoolExecutor(processes())

    def __exit__(self, *_: object) -> None:
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
        return [(chunk, self._submit(chunk)) for chunk in self._chunks(dict.fromkeys(hashes))]

    def answers(self, started: Started) -> dict[str, str]:
        """What is said of each original, by SHA-256, when all are read: see `raw.opened`.

        Raises:
            BiodutyError: no reading process can be started; the files are not to blame.
        """
        return {sha: said for chunk, future in started for sha, said in self._told(chunk, future)}

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

    def _submit(self, chunk: Sequence[str]) -> Future[list[str]]:
        if self._elsewhere is not None and all(map(self._can_be_sent, chunk)):
            sent = [(sha256, (self._originals / sha256).read_bytes()) for sha256 in chunk]
            return self._elsewhere.submit(read_sent, self._terms, sent)
        return self._submit_here(chunk)

    def _submit_here(self, chunk: Sequence[str]) -> Future[list[str]]:
        asked = [Original(str((self._originals / sha256).resolve()), sha256) for sha256 in chunk]
        return self._here.submit(self._pool.read, self._terms, asked)

    def _told(self, chunk: Sequence[str], future: Future[list[str]]) -> Iterator[tuple[str, str]]:
        error = future.exception() if self._elsewhere is not None else None
        if error is not None:
            _log.warning("a worker could not read (%s); reading here", type(error).__name__)
            future = self._submit_here(chunk)
        return zip(chunk, future.result(), strict=True)

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
