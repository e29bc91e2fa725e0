"""Writes files whole or not at all, one by one or many at a time."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

SCRATCH = ".~bioduty-"
"""How the names of files begin that are not whole yet."""

_ANY = 0o666
"""The rights of a file that anybody may read, who may read what this user writes."""

_WRITERS = 8
"""How many files of a batch wait for the disk at a time: it makes several durable in one go."""

_WINDOW = 64
"""How many files of a batch may be in memory."""


def clear_scratch(folder: Path) -> None:
    """Remove what stopped runs have left of files that they were writing, in a folder and those
    below it. Nobody else may be writing there.
    """
    for path in folder.rglob(f"{SCRATCH}*"):
        path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int = _ANY) -> None:
    """Replace a file in one step, durably; one that holds the same bytes already is left alone.

    Args:
        mode: its rights, less what the umask takes.
    """
    if _holds(path, content):
        return
    draft = _Draft.of(path)
    try:
        draft.write(content, mode)
        draft.put_in_place()
    except BaseException:
        draft.discard()
        raise


@contextmanager
def writing_whole(path: Path, mode: int = _ANY) -> Iterator[BinaryIO]:
    """A file to write to, which replaces another in one step, durably, when the block ends well.

    Args:
        mode: its rights, less what the umask takes.
    """
    draft = _Draft.of(path)
    try:
        with draft.open(mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.put_in_place()
    except BaseException:
        draft.discard()
        raise
    sync_folder(path.parent)


def remove_unless_open(path: Path) -> None:
    """Remove a file; one that another program keeps open stays, to be removed another time."""
    with suppress(PermissionError):
        path.unlink(missing_ok=True)


def write_batch(files: Iterable[tuple[Path, bytes]]) -> None:
    """Replace many files, each in one step; when it returns, all are on disk under their names.

    All are written beside their places before the first is put there, so what fails while they are
    made or written leaves every old file as it was. Files that hold the same bytes already are
    left alone.

    Args:
        files: each file's path and content; they are asked for no faster than the disk takes them.
    """
    from concurrent.futures import ThreadPoolExecutor  # who only looks writes nothing

    with ThreadPoolExecutor(_WRITERS) as writers:
        batch = _Batch(writers)
        try:
            for path, content in files:
                batch.add(path, content)
            batch.put_in_place()
        except BaseException:
            writers.shutdown(cancel_futures=True)
            batch.discard()
            raise


@dataclass(frozen=True)
class _Draft:
    """A file on its way.

    Attributes:
        path: where it will be.
        scratch: where it is until it is whole.
    """

    path: Path
    scratch: Path

    @classmethod
    def of(cls, path: Path) -> _Draft:
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path, path.with_name(f"{SCRATCH}{secrets.token_hex(8)}{path.suffix}"))

    def open(self, mode: int) -> BinaryIO:
        """The file, to be written."""
        return open(self.scratch, "x+b", opener=partial(os.open, mode=mode))

    def write(self, content: bytes, mode: int = _ANY) -> None:
        """Write it, and wait until it is on disk."""
        with self.open(mode) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def put_in_place(self) -> None:
        os.replace(self.scratch, self.path)

    def discard(self) -> None:
        self.scratch.unlink(missing_ok=True)


class _Batch:
    """Files that are written at the same time, and get their names one after another.

    Args:
        writers: have each draft written.
    """

    def __init__(self, writers: Executor) -> None:
        self._writers = writers
        self._drafts: list[_Draft] = []
        self._under_way: deque[Future[None]] = deque()
        self._folders: set[Path] = set()

    def add(self, path: Path, content: bytes) -> None:
        """Have a file written, unless it is there; waits while too many are under way."""
        self._folders.add(path.parent)
        if _holds(path, content):
            return
        draft = _Draft.of(path)
        self._drafts.append(draft)
        self._under_way.append(self._writers.submit(draft.write, content))
        if len(self._under_way) > _WINDOW:
            self._under_way.popleft().result()

    def put_in_place(self) -> None:
        """Give all their names, once all are on disk."""
        for written in self._under_way:
            written.result()
        for draft in self._drafts:
            draft.put_in_place()
        for folder in self._folders:
            sync_folder(folder)

    def discard(self) -> None:
        """Leave nothing of what has no name yet."""
        for draft in self._drafts:
            draft.discard()


def sync_folder(folder: Path) -> None:
    """Make what files are called in a folder durable; Windows has no such call and needs none."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def write_beside_if_open(path: Path, content: bytes, tries: int = 5) -> Path:
    """Replace a file; where another program keeps it open, write beside it under another name.

    Windows refuses to replace a workbook that is open in Excel. It is tried for some seconds first.

    Returns:
        The path that was written.
    """
    for left in reversed(range(tries)):
        try:
            write_whole(path, content)
            return path
        except PermissionError:
            if left:
                time.sleep(1.0)
    for number in range(2, 100):
        beside = path.with_name(f"{path.stem}_{number}{path.suffix}")
        try:
            write_whole(beside, content)
            return beside
        except PermissionError:
            continue
    raise PermissionError(f"{path} 和同名的副本都被其他程序打开")
