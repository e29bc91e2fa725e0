"""The inbox and the store of originals: what came, settled, kept by content, tidied away.

The order is the one of design §8: an original is whole in the store, under its hash, before the
ledger knows of it, and the inbox is touched last. Nothing is ever deleted.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import BiodutyError, system_words
from bioduty_xl.language import say
from bioduty_xl.layout.atomic import sync_folder

TAKEN_FOLDER = "已收"
"""Below the inbox: accepted files and duplicates, by period."""

ASIDE_FOLDER = "待处理"
"""Below the inbox: held and rejected files, for the coordinator to look at."""

_LEFTOVERS = re.compile(
    r"~\$.*|\.~.*|~WPS.*\.tmp|\._.*|\.ds_store|thumbs\.db|desktop\.ini", re.IGNORECASE
)
_MAYBE_LEFTOVERS = re.compile(r"\..*|.*\.(?:tmp|part|crdownload|download)", re.IGNORECASE)
"""Names that programs give their own files, and people by mistake a return."""

_OF_RETURNS = (b"PK", b"\xd0\xcf\x11\xe0")
"""What a return starts with, whatever its name."""

SENTINEL = ".bioduty-inbox"
"""A file that marks an inbox as ours: where it is gone, a share may not be connected."""

_LOCK_NAMES = ("~${name}", ".~lock.{name}#", ".~{name}")
"""Files that Excel, LibreOffice and WPS keep beside a workbook while it is open in them."""

_ROOM_TO_SPARE = 64 << 20
"""Bytes of disk that an outsized file must leave free."""

_HASH = re.compile("[0-9a-f]{64}")
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
    """What a look into the inbox found.

    Attributes:
        arrivals: files to take.
        open: files beside which another program keeps its lock file.
        ignored: names of what is no file of anybody's: leftovers of programs, links, devices.
        closed: names of files and folders that cannot be looked at.
        filed: files taken or put aside earlier; somebody may have changed them where they lie, or
            dropped new ones among them.
    """

    arrivals: tuple[Arrival, ...]
    open: tuple[Arrival, ...]
    ignored: tuple[str, ...]
    closed: tuple[str, ...]
    filed: tuple[Arrival, ...]


def scan(inbox: Path) -> Scan:
    """List the inbox and its folders afresh, oldest arrival first.

    Raises:
        BiodutyError: the inbox cannot be listed.
    """
    paths, closed = _walk(inbox)
    present = set(paths)
    found: list[Arrival] = []
    ignored: list[str] = []
    for path in paths:
        if path == inbox / SENTINEL:
            continue
        try:
            if is_plain(path) and not is_leftover(path):
                found.append(_look(path, inbox))
            else:
                ignored.append(_shown(path, inbox))
        except FileNotFoundError:
            continue
        except OSError:
            closed.append(path)
    found.sort(key=lambda arrival: (arrival.changed_ns, arrival.name))
    own = tuple(inbox / name for name in (TAKEN_FOLDER, ASIDE_FOLDER))
    filed = {a for a in found if a.path.is_relative_to(own[0]) or a.path.is_relative_to(own[1])}
    locked = {arrival for arrival in found if _locks(arrival.path) & present}
    return Scan(
        tuple(arrival for arrival in found if arrival not in locked | filed),
        tuple(arrival for arrival in found if arrival in locked - filed),
        tuple(sorted(ignored)),
        tuple(sorted(_shown(path, inbox) for path in closed)),
        tuple(arrival for arrival in found if arrival in filed - locked),
    )


def is_ours(inbox: Path) -> bool:
    """Whether a folder shows that it has been an inbox before."""
    marks = (SENTINEL, TAKEN_FOLDER, ASIDE_FOLDER)
    return any((inbox / name).exists() for name in marks)


def mark_as_ours(inbox: Path) -> bool:
    """Put the sentinel file into an inbox; returns whether it is there now."""
    try:
        if not (inbox / SENTINEL).exists():
            (inbox / SENTINEL).touch()
    except OSError as error:
        _log.warning("the inbox cannot be marked: %s", error.strerror)
        return False
    return True


def is_plain(path: Path) -> bool:
    """Whether a path is a file as people make them: no link, pipe or device.

    Raises:
        OSError: it cannot be looked at.
    """
    return stat.S_ISREG(path.lstat().st_mode)


def is_leftover(path: Path) -> bool:
    """Whether a file is a program's lock or temporary file. A hidden or unfinished name alone does
    not make it one: what starts as a workbook or an archive does is somebody's.

    Raises:
        OSError: it cannot be looked into.
    """
    if has_leftover_name(path.name):
        return True
    if not _MAYBE_LEFTOVERS.fullmatch(path.name):
        return False
    with path.open("rb") as file:
        return not file.read(4).startswith(_OF_RETURNS)


def has_leftover_name(name: str) -> bool:
    """Whether a file name is one that programs alone give."""
    return _LEFTOVERS.fullmatch(name) is not None


def _locks(path: Path) -> set[Path]:
    """The lock files that programs would keep beside a workbook, Excel's also in its short form."""
    names = [name.format(name=path.name) for name in _LOCK_NAMES]
    return {path.with_name(name) for name in (*names, f"~${path.name[2:]}")}


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
        quiet = _is_still(arrival) and not is_being_written(arrival.path)
        (settled if quiet else growing).append(arrival)
    return settled, growing


def _is_still(arrival: Arrival) -> bool:
    try:
        now = arrival.path.stat()
    except OSError:
        return False
    seen = (arrival.size, arrival.changed_ns, arrival.modified_ns)
    return (now.st_size, _came(now), now.st_mtime_ns) == seen


def is_being_written(path: Path) -> bool:
    """Whether another program on this machine has a file open for writing, as far as the system
    tells: a copy that has stalled looks as still as one that is done.

    Linux grants a read lease only on files that nobody writes (fcntl(2)); Windows refuses a handle
    that allows no writers. Of programs on other machines, only the file server knows.
    """
    if sys.platform == "linux":
        return _has_writer(path)
    if sys.platform == "win32":
        return _refuses_to_share(path)
    return False


def _has_writer(path: Path) -> bool:
    import fcntl
    import signal

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Who opens the file for writing in this moment makes the kernel send a signal; this one
        # is ignored by default.
        fcntl.fcntl(handle, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, _F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, _F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(handle)
    return False


_F_SETSIG, _F_SETLEASE = 10, 1024
"""Of Linux (asm-generic/fcntl.h, linux/fcntl.h); Python names only the second, from 3.9 on."""


def _refuses_to_share(path: Path) -> bool:
    import pywintypes
    import win32con
    import win32file

    try:
        handle = win32file.CreateFile(
            str(path),
            win32con.GENERIC_READ,
            win32con.FILE_SHARE_READ,
            None,
            win32con.OPEN_EXISTING,
            0,
            None,
        )
    except pywintypes.error as error:
        return bool(error.winerror == _SHARING_VIOLATION)
    handle.Close()
    return False


_SHARING_VIOLATION = 32
"""ERROR_SHARING_VIOLATION of Windows."""


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def store(sources: Sequence[Iterable[bytes]], originals: Path) -> list[str | Unavailable]:
    """Put files into the store under their SHA-256, durably when this returns.

    Args:
        sources: the bytes of each; see `chunks`.

    Returns:
        For each its hash, or why it cannot be read just now.

    Raises:
        OSError: the store cannot be written; none of them is in it.
    """
    originals.mkdir(mode=0o700, parents=True, exist_ok=True)
    partials = [originals / f"{_PARTIAL}{number}" for number in range(len(sources))]
    try:
        kept = _write_partials(sources, partials)
        for partial, name in zip(partials, kept, strict=True):
            if isinstance(name, str):
                os.replace(partial, originals / name)
        sync_folder(originals)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)
    return kept


def _write_partials(
    sources: Sequence[Iterable[bytes]], partials: Sequence[Path]
) -> list[str | Unavailable]:
    with ExitStack() as stack:
        targets = [stack.enter_context(partial.open("wb")) for partial in partials]
        kept = [_copy(source, target) for source, target in zip(sources, targets, strict=True)]
        _flush(targets)
    return kept


def _copy(source: Iterable[bytes], target: BinaryIO) -> str | Unavailable:
    digest = hashlib.sha256()
    try:
        for chunk in source:
            digest.update(chunk)
            target.write(chunk)
    except Unavailable as error:
        return error
    target.flush()
    return digest.hexdigest()


def _flush(files: Sequence[BinaryIO]) -> None:
    """Make what was written durable. A disk takes several files at once in little more than the
    time of one.
    """
    handles = [file.fileno() for file in files]
    if len(handles) == 1:
        os.fsync(handles[0])
        return
    with ThreadPoolExecutor(_FLUSHED_AT_ONCE) as threads:
        list(threads.map(os.fsync, handles))


_PARTIAL = ".incoming"
"""How the names of files begin that are not in the store yet."""

_FLUSHED_AT_ONCE = 8


def clear_partial(originals: Path) -> None:
    """Remove what a stopped run has left half written."""
    for path in originals.glob(f"{_PARTIAL}*"):
        path.unlink(missing_ok=True)


def originals_in(originals: Path) -> Iterator[Path]:
    """The files of the store, without what a stopped run left half written."""
    if originals.is_dir():
        yield from (path for path in sorted(originals.iterdir()) if _HASH.fullmatch(path.name))


def has_room_for(size: int, originals: Path) -> bool:
    """Whether the disk has room for a file of a size, with some to spare."""
    folder = originals if originals.is_dir() else originals.parent
    return shutil.disk_usage(folder).free >= size + _ROOM_TO_SPARE


class Unavailable(Exception):
    """An arrival cannot be read just now: taken away, or open in another program."""


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, for the store.

    Raises:
        Unavailable: the file cannot be read just now; what is wrong with the store is told apart.
    """
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise Unavailable(system_words(error)) from error


def tidy(arrival: Arrival, sha256: str, inbox: Path, folder: str) -> None:
    """Move a filed arrival to a folder below the inbox, if it still is what was filed.

    A file that was replaced meanwhile, or that another program holds open, stays for the next
    pass.
    """
    try:
        if arrival.path.parent == inbox / folder or hash_of(arrival.path) != sha256:
            return
        target = _free_name(inbox / folder / arrival.path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(arrival.path, target)
    except OSError as error:
        _log.warning("%s stays in the inbox: %s", sha256[:12], error.strerror)


def _walk(top: Path) -> tuple[list[Path], list[Path]]:
    """Every file below a folder, and the folders that cannot be listed. Links are not followed."""
    paths: list[Path] = []
    closed: list[Path] = []

    def stop(error: OSError) -> None:
        if Path(error.filename) == top:
            raise BiodutyError(
                say(
                    "收件夹 {top} 读不出来（{reason}），请检查共享盘",
                    top=top,
                    reason=system_words(error),
                )
            ) from error
        closed.append(Path(error.filename))

    for folder, folders, files in os.walk(top, onerror=stop):
        here = Path(folder)
        folders.sort()
        paths += (here / name for name in folders if (here / name).is_symlink())
        paths += (here / name for name in sorted(files))
    return paths, closed


def _look(path: Path, inbox: Path) -> Arrival:
    status = path.stat()
    return Arrival(path, _shown(path, inbox), status.st_size, _came(status), status.st_mtime_ns)


def _came(status: os.stat_result) -> int:
    """When a file came to its place: its change time, on Windows its creation time."""
    came = status.st_ctime_ns
    if sys.platform == "win32":
        came = getattr(status, "st_birthtime_ns", came)
    return came


def _shown(path: Path, inbox: Path) -> str:
    """A path below the inbox as text, also where the name was saved as GBK, say."""
    name = path.relative_to(inbox).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _free_name(path: Path) -> Path:
    number = 1
    free = path
    stem = path.stem
    while len(os.fsencode(stem)) > _STEM_BYTES:
        stem = stem[:-1]
    while free.exists():
        number += 1
        free = path.with_name(f"{stem}_{number}{path.suffix}")
    return free
