"""Opens a zip of returns one level deep: each member is a file of its own.

The names in it are shown and nothing else: no member is ever written under its own name.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bioduty_xl.errors import Unreadable
from bioduty_xl.intake.filing import has_leftover_name
from bioduty_xl.intake.gate import DAMAGED, Format, unpacked

_UTF8_NAME = 0x800
"""Bit 11 of a zip entry's flags: its name is UTF-8 (APPNOTE 4.4.4)."""

_MAC_FOLDER = "__MACOSX"


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        index: its number in the archive's table of contents.
        name: its path, as far as it can be made out; for display.
        size: in bytes.
    """

    index: int
    name: str
    size: int

    @property
    def is_leftover(self) -> bool:
        """Whether it is a program's leftover, not something a person put there."""
        path = PurePosixPath(self.name)
        return has_leftover_name(path.name) or _MAC_FOLDER in path.parts


def members(path: Path) -> tuple[Member, ...]:
    """The files in an archive that has passed the gate, in its own order, each name once.

    Raises:
        Unreadable: its table of contents is broken after all.
    """
    found: list[Member] = []
    names: set[str] = set()
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
    except DAMAGED as error:
        raise Unreadable("压缩包已损坏，请该单位重新报送") from error
    for index, entry in enumerate(entries):
        if not entry.is_dir():
            name = _free(_shown(entry), names)
            names.add(name)
            found.append(Member(index, name, entry.file_size))
    return tuple(found)


def chunks(path: Path, member: Member) -> Iterator[bytes]:
    """A member's bytes, found as the gate found them.

    Raises:
        Unreadable: they cannot be unpacked after all.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as package:
            yield from unpacked(file, package.infolist()[member.index], Format.ARCHIVE)
    except DAMAGED as error:
        raise Unreadable("压缩包已损坏，请该单位重新报送") from error


def _shown(entry: zipfile.ZipInfo) -> str:
    """A member's name. Without the UTF-8 flag, Windows in China writes GBK, and macOS UTF-8."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8_NAME:
        raw = name.encode("cp437", "replace")
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = raw.decode("gb18030", "replace")
    return name.replace("\\", "/").replace("\0", "").lstrip("/") or f"{entry.header_offset}"


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
