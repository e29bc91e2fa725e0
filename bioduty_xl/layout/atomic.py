"""Writes files whole or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SCRATCH = ".~bioduty-"
"""How the names of files begin that are not whole yet."""


def clear_scratch(folder: Path) -> None:
    """Remove what stopped runs have left of files that they were writing, in a folder and those
    below it. Nobody else may be writing there.
    """
    for path in folder.rglob(f"{SCRATCH}*"):
        path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace a file in one step, durably; one that holds the same bytes already is left alone.

    Args:
        mode: its rights; None: as for any new file of this user (the umask).
    """
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=SCRATCH, suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _usual_mode() if mode is None else mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_unless_open(path: Path) -> None:
    """Remove a file; one that another program keeps open stays, to be removed another time."""
    with suppress(PermissionError):
        path.unlink(missing_ok=True)


def _usual_mode() -> int:
    mask = os.umask(0o077)  # there is no way to ask without setting it
    os.umask(mask)
    return 0o666 & ~mask


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
