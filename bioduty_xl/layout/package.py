"""Writes workbooks so that the same content gives the same bytes.

openpyxl stamps the time of saving into the package, spells Chinese as numbers, merges cells in no
order and leaves formulas without a value. Here times are fixed, letters are UTF-8, merged cells in
order, and cached values are written beside formulas. A part that many workbooks share is deflated
once (`Member`).
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

from bioduty_xl.layout.atomic import write_whole

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can state."""

Parts = Mapping[str, bytes]
"""A package's parts by name, in the order in which they are stored."""

_MODIFIED = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
_FIXED = rb"\g<1>2024-01-01T00:00:00Z\g<2>"

_XML = (".xml", ".rels", ".vml")
_SPELT = re.compile(rb"(?:&#(?:12[89]|1[3-9]\d|[2-9]\d\d|\d{4,});)+")
"""Letters spelt as numbers; what is ASCII is spelt for a reason."""

_MERGED = re.compile(rb"(?<=<mergeCells )([^>]*>)(.*?)(?=</mergeCells>)")
_MERGED_CELL = re.compile(rb'<mergeCell ref="([A-Z]+)(\d+)[^>]*>')

_LOCAL = struct.Struct("<4s2B4H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_DOS_DATE = (ZIP_TIME[0] - 1980) << 9 | ZIP_TIME[1] << 5 | ZIP_TIME[2]
_VERSION, _UNIX, _UTF8_NAME = 20, 3, 0x800
_RIGHTS = 0o644 << 16

_LEVEL = 3
"""Of compression: the usual 6 takes a fifth more time and saves a twentieth of the size."""


@dataclass(frozen=True)
class Member:
    """A part as it lies in the package.

    Attributes:
        name: of the part.
        crc, size: of its content.
        deflated: the content, compressed.
    """

    name: str
    crc: int
    size: int
    deflated: bytes


def save(
    workbook: Workbook, path: Path, cached: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Save a workbook under its name, whole or not at all; arguments as for `packed`."""
    write_whole(path, packed(workbook, cached))


def packed(workbook: Workbook, cached: Mapping[str, Mapping[str, str]] | None = None) -> bytes:
    """A workbook as a file's content; arguments as for `parts_of`."""
    return joined(deflate(name, content) for name, content in parts_of(workbook, cached).items())


def parts_of(workbook: Workbook, cached: Mapping[str, Mapping[str, str]] | None = None) -> Parts:
    """The parts of a workbook's package.

    Args:
        cached: sheet name → cell address → text that the formula in that cell shows, for viewers
            that do not calculate.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:  # stored: what is read again below
        ExcelWriter(workbook, package).save()
    values = {workbook[name].path[1:]: cells for name, cells in (cached or {}).items()}
    with zipfile.ZipFile(buffer) as source:
        return {
            name: _normalised(name, source.read(name), values.get(name, {}))
            for name in source.namelist()
        }


def deflate(name: str, content: bytes) -> Member:
    """A part made ready to be stored."""
    deflated = zlib.compress(content, _LEVEL, -zlib.MAX_WBITS)
    return Member(name, zlib.crc32(content), len(content), deflated)


def joined(members: Iterable[Member]) -> bytes:
    """A package of parts, as a file's content."""
    files: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for member in members:
        name, shared = _header(member)
        files += _LOCAL.pack(b"PK\3\4", _VERSION, 0, *shared), name, member.deflated
        entry = (_VERSION, _UNIX, _VERSION, 0, *shared, 0, 0, 0, _RIGHTS, at)
        directory += _CENTRAL.pack(b"PK\1\2", *entry), name
        at += _LOCAL.size + len(name) + len(member.deflated)
    count, size = len(directory) // 2, sum(map(len, directory))
    return b"".join((*files, *directory, _END.pack(b"PK\5\6", 0, 0, count, count, size, at, 0)))


def _header(member: Member) -> tuple[bytes, tuple[int, ...]]:
    """A member's name as stored, and what both its headers say: flags, method, time, day, check
    sum, sizes, and the lengths of its name and of nothing else.
    """
    plain = member.name.isascii()
    name = member.name.encode()
    sizes = (member.crc, len(member.deflated), member.size, len(name), 0)
    return name, (0 if plain else _UTF8_NAME, zipfile.ZIP_DEFLATED, 0, _DOS_DATE, *sizes)


def _normalised(name: str, content: bytes, values: Mapping[str, str]) -> bytes:
    if name == "docProps/core.xml":
        content = _MODIFIED.sub(_FIXED, content)
    if name.endswith(_XML) and not content.startswith(b"<?"):  # in no declared encoding: in UTF-8
        content = _SPELT.sub(_letters, content)
    content = _MERGED.sub(_in_order, content)
    for cell, text in values.items():
        content = _with_value(content, cell, text)
    return content


def _letters(spelt: re.Match[bytes]) -> bytes:
    return "".join(map(chr, map(int, spelt[0][2:-1].split(b";&#")))).encode()


def _in_order(merged: re.Match[bytes]) -> bytes:
    """Merged cells from the top left, which openpyxl writes in the order of their hashes."""
    cells = sorted(
        _MERGED_CELL.finditer(merged[2]), key=lambda cell: (int(cell[2]), len(cell[1]), cell[1])
    )
    return merged[1] + b"".join(cell[0] for cell in cells)


def _with_value(sheet: bytes, cell: str, text: str) -> bytes:
    pattern = re.compile(
        rb'<c r="%s"((?: s="\d+")?)(?: t="\w+")?>(<f>.*?</f>)<v\s*(?:/>|></v>)' % cell.encode(),
        re.DOTALL,
    )
    value = escape(text).encode()
    return pattern.sub(
        lambda m: (
            b'<c r="%s"%s t="str">%s<v>%s</v>' % (cell.encode(), m.group(1), m.group(2), value)
        ),
        sheet,
    )
