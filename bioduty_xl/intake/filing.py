"""The inbox and the store of originals: what came, settled, kept by content, tidied away.

The order is the one of design §8: an original is whole in the store, under its hash, before the
ledger knows of it, and the inbox is touched last. Nothing is ever deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import BiodutyError

TAKEN_FOLDER = "已收"
"""Below the inbox: accepted files and duplicates, by period."""

ASIDE_FOLDER = "待处理"
"""Below the inbox: held and rejected files, for the coordinator to look at."""

_LEFTOVERS = re.compile(
    r"~\$.*|\.~.*|~WPS.*\.tmp|.*\.tmp|\..*|thumbs\.db|desktop\.ini", re.IGNORECASE
)
_CHUNK = 1 << 20
_STEM_BYTES = 200
"""Of a name to which a number is added; file systems take 255 bytes in all."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A file in the inbox.

    Attributes:
        path: where it lies.
        name: its path below the inbox, with `/`.
        size: in bytes.
        changed_ns: when it came there, in ns since the epoch: its change time, on Windows its
            creation time.
        modified_ns: when its content was last written.
    """

    path: Path
    name: str
    size: int
    changed_ns: int
    modified_ns: int

    def received(self, as_of: datetime) -> datetime:
        """When it arrived, to the second, in China; never later than the pass's `as_of`."""
        changed = datetime.fromtimestamp(self.changed_ns // 1_000_000_000, CHINA)
        return min(changed, as_of.astimezone(CHINA).replace(microsecond=0))


@dataclass(frozen=True)
class Scan:
    """What a look into the inbox found: files to take, and leftovers of programs to ignore."""

    arrivals: tuple[Arrival, ...]
    ignored: tuple[str, ...]


def scan(inbox: Path) -> Scan:
    """List the inbox and its folders afresh, oldest arrival first.

    Raises:
        BiodutyError: the inbox is not there (a share that is not mounted looks so).
    """
    if not inbox.is_dir():
        raise BiodutyError(f"收件夹 {inbox} 不可用：请检查共享盘是否连接，或用 bioduty init 新建")
    arrivals, ignored = [], []
    for path in _walk(inbox):
        name = path.relative_to(inbox).as_posix()
        if is_leftover(path.name) or path.is_symlink():
            ignored.append(name)
        else:
            arrivals += _look(path, name)
    arrivals.sort(key=lambda arrival: (arrival.changed_ns, arrival.name))
    return Scan(tuple(arrivals), tuple(sorted(ignored)))


def is_leftover(name: str) -> bool:
    """Whether a file name is that of a program's lock or temporary file."""
    return _LEFTOVERS.fullmatch(name) is not None


def wait_until_settled(
    arrivals: Iterable[Arrival], seconds: float
) -> tuple[list[Arrival], list[Arrival]]:
    """Look twice, some seconds apart: (files that kept still, files still being written)."""
    arrivals = list(arrivals)
    if arrivals:
        time.sleep(seconds)
    settled: list[Arrival] = []
    growing: list[Arrival] = []
    for arrival in arrivals:
        still = _look(arrival.path, arrival.name) == [arrival]
        (settled if still else growing).append(arrival)
    return settled, growing


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def store(path: Path, originals: Path) -> str:
    """Copy a file into the store under its SHA-256, durably; returns the hash.

    Raises:
        Unavailable: the file cannot be read just now.
        OSError: the store cannot be written.
    """
    originals.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    partial = originals / ".incoming"
    with partial.open("wb") as target:
        for chunk in _chunks(path):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    name = digest.hexdigest()
    os.replace(partial, originals / name)
    _sync_folder(originals)
    return name


class Unavailable(Exception):
    """An arrival cannot be read just now: taken away, or open in another program."""


def _chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes; what goes wrong on the side of the inbox is told apart from the store's."""
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise Unavailable(error.strerror) from error


def tidy(arrival: Arrival, sha256: str, inbox: Path, folder: str) -> None:
    """Move a filed arrival to a folder below the inbox, if it still is what was filed.

    A file that was replaced meanwhile, or that another program holds open, stays for the next
    pass.
    """
    try:
        if hash_of(arrival.path) != sha256:
            return
        target = _free_name(inbox / folder / arrival.path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(arrival.path, target)
    except OSError as error:
        _log.warning("%s stays in the inbox: %s", sha256[:12], error.strerror)


def _walk(inbox: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(inbox):
        if Path(folder) == inbox:
            folders[:] = [name for name in folders if name not in (TAKEN_FOLDER, ASIDE_FOLDER)]
        folders.sort()
        yield from (Path(folder) / name for name in sorted(files))


def _look(path: Path, name: str) -> list[Arrival]:
    try:
        status = path.stat()
    except (FileNotFoundError, PermissionError):
        return []
    if not path.is_file():
        return []
    came = status.st_ctime_ns
    if sys.platform == "win32":
        came = getattr(status, "st_birthtime_ns", came)
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")  # names saved as GBK, say
    return [Arrival(path, shown, status.st_size, came, status.st_mtime_ns)]


def _free_name(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        stem = os.fsdecode(os.fsencode(path.stem)[:_STEM_BYTES])
        free = path.with_name(f"{stem}_{number}{path.suffix}")
    return free


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call and needs none."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
