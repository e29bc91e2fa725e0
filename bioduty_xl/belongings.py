"""What lies in a workspace's folder, and what of it people have put there themselves. Links are not
followed, programs and other workspaces not entered; each is named, so that nothing is passed over
in silence. No file is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bioduty_xl.config import SETTINGS_FILE
from bioduty_xl.errors import system_words
from bioduty_xl.intake.filing import has_leftover_name
from bioduty_xl.language import say
from bioduty_xl.layout.atomic import SCRATCH

MOST_FILES, MOST_BYTES = 5_000, 1 << 30
"""Of one thing that people keep in a workspace's folder, beyond which it is nothing that they wrote
for the work that is done there.
"""

_MADE_BY_PROGRAMS = frozenset(("node_modules", "__pycache__"))

Identity = tuple[int, int]
"""What tells a file or folder from any other, whatever it is called: its disk and its number."""


@dataclass
class Belongings:
    """What was found.

    Attributes:
        files: plain files.
        size: of all of them, in bytes.
        links: links, whatever they lead to.
        closed: what cannot be looked at, with the system's reason.
        apart: a sentence for each folder that is another program's or another workspace's.
        too_much: a sentence for each thing that has more files or bytes than a backup takes.
    """

    files: list[Path] = field(default_factory=list)
    size: int = 0
    links: list[Path] = field(default_factory=list)
    closed: list[tuple[Path, str]] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    too_much: list[str] = field(default_factory=list)

    def add(self, more: Belongings) -> None:
        """Take over what was found elsewhere."""
        self.files += more.files
        self.size += more.size
        self.links += more.links
        self.closed += more.closed
        self.apart += more.apart
        self.too_much += more.too_much


def everything_in(top: Path, but: Collection[Identity] = ()) -> Belongings:
    """Every file of a folder and those below it.

    Args:
        top: a file will do as well; a link to a folder is followed, as it was named.
        but: what is not looked at.
    """
    found = Belongings()
    if not top.is_dir():
        _look(top, found, but)
        return found

    def closed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            found.closed.append((Path(error.filename), system_words(error)))

    for here, folders, names in os.walk(top, onerror=closed):
        entered = [name for name in sorted(folders) if _is_entered(Path(here, name), found, but)]
        folders[:] = entered
        for name in sorted(names):
            _look(Path(here, name), found, but)
    return found


def own_things_in(root: Path, ours: Iterable[Path]) -> Belongings:
    """What people have put into a workspace's folder: all that is none of ours.

    Args:
        root: the workspace's folder.
        ours: files and folders that the settings name, starters and the like, there or not.
    """
    known = {identity for path in ours if (identity := _identity(path))}
    found = Belongings()
    for path in sorted(root.iterdir()):
        if path.name.startswith(SCRATCH) or has_leftover_name(path.name):
            continue
        if path.is_symlink() or not path.is_dir():
            _look(path, found, known)
        elif _is_entered(path, found, known):
            found.add(_unless_too_much(path, everything_in(path, known)))
    return found


def _unless_too_much(path: Path, found: Belongings) -> Belongings:
    if len(found.files) <= MOST_FILES and found.size <= MOST_BYTES:
        return found
    said = say(
        "{path} 里的文件太多或者太大（{count} 个，{size} MB），没有备份，请另行保存",
        path=shown(path),
        count=len(found.files),
        size=found.size >> 20,
    )
    return Belongings(too_much=[said])


def _look(path: Path, found: Belongings, but: Collection[Identity]) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        found.closed.append((path, system_words(error)))
        return
    if _identity(path) in but:
        return
    if stat.S_ISLNK(status.st_mode):
        found.links.append(path)
    elif stat.S_ISREG(status.st_mode):
        found.files.append(path)
        found.size += status.st_size


def _is_entered(folder: Path, found: Belongings, but: Collection[Identity]) -> bool:
    """Whether a folder is looked into; what it is otherwise is put down."""
    if folder.is_symlink():
        _look(folder, found, but)
        return False
    if _identity(folder) in but or folder.name.startswith(SCRATCH):
        return False
    said = _whose(folder)
    if said is not None:
        found.apart.append(said)
    return said is None


def _whose(folder: Path) -> str | None:
    if _identity(folder / "pyvenv.cfg"):
        return say("{path} 是 Python 环境，没有备份", path=shown(folder))
    if _identity(folder / SETTINGS_FILE):
        return say("{path} 是另一个工作区，没有备份，请单独备份", path=shown(folder))
    if folder.name.startswith(".") or folder.name in _MADE_BY_PROGRAMS:
        return say("{path} 属于其他程序，没有备份", path=shown(folder))
    return None


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def shown(path: Path) -> str:
    """A path as text, also where its name was saved as GBK, say."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
