"""Looks at a file before anything parses it: what it is, and whether it is safe to open.

Reads streams under byte caps and never trusts a size that the file states about itself.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from bioduty_xl.errors import NotAReturn, Unreadable
from bioduty_xl.layout.table import parse_address

_CHUNK = 1 << 20
_MIB = 1 << 20
_WORKBOOK_PART = "xl/workbook.xml"
_CONTENT_TYPES = "[Content_Types].xml"
_ODF_CONTENT = "content.xml"
_ODF_MANIFEST = "META-INF/manifest.xml"
_ODF_SPREADSHEET = b"opendocument.spreadsheet"

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DIRECTORY_ENTRY = 128
"""Bytes of an entry of an OLE2 file's directory: 64 of name (UTF-16), then the name's length
([MS-CFB] 2.6.1)."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LENGTHS = struct.Struct("<HH")
"""A zip part's local header, and the lengths of name and extra field at its end (APPNOTE 4.3.7)."""

DEEPEST = 5_000
"""Open elements at once; a workbook's XML has a dozen."""

MERGED_MOST = 4 << 20
"""Cells that one merge may cover; a merge over some whole columns is harmless."""

_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z]+[0-9]+):([A-Z]+[0-9]+)"')
_SLICE = 1 << 16
"""Bytes that are counted at once: within them, what is opened and closed again goes unseen."""

_MOST_WAITING = 4
"""Chunks that may wait to be counted."""

_MERGE_LENGTH = 200
"""Bytes of a chunk's end that are looked at again with the next one."""

_ASK = "请该单位填写下发的报送表（xlsx）后重新报送"

DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, OverflowError),
    NotImplementedError,
)
"""What reading a broken zip raises."""

_OTHER_KINDS = {
    b"%PDF": " PDF 文件",
    b"\x89PNG": "图片",
    b"\xff\xd8\xff": "图片",
    b"GIF8": "图片",
    b"BM": "图片",
    b"Rar!": " RAR 压缩包",
    b"7z\xbc\xaf": " 7z 压缩包",
    b"<!DO": "网页",
    b"<htm": "网页",
    b"<?xm": " XML 文本",
    b"{\\rt": " RTF 文档",
}


_OTHER_DOCUMENTS = {
    "word/document.xml": "这是 Word 文件，请把内容填入下发的报送表（xlsx）后重新报送",
    "ppt/presentation.xml": f"这是演示文稿，{_ASK}",
    "xl/workbook.bin": "这是二进制工作簿（xlsb），请打开后另存为 xlsx 再报送",
}
"""The main part of other documents, and what is said of them."""


class Format(StrEnum):
    """What a file is by its content, whatever its name says."""

    XLSX = "xlsx"
    ODS = "ods"
    XLS = "xls"
    ARCHIVE = "archive"


@dataclass(frozen=True)
class Limits:
    """Caps of the gate.

    Attributes:
        file_bytes: of the file as it is.
        unpacked_bytes: of all its parts unpacked.
        entries: how many parts it may have.
        members: how many files an archive may have.
        cells: how many cells with something in them.
    """

    file_bytes: int = 50 * _MIB
    unpacked_bytes: int = 400 * _MIB
    entries: int = 2000
    members: int = 300
    cells: int = 2_000_000


def check_size(size: int, limits: Limits) -> None:
    """Refuse a file for its size alone, before it is read.

    Raises:
        Unreadable: it is empty or too large.
    """
    if size == 0:
        raise Unreadable("文件是空的（0 字节），请该单位重新报送")
    if size > limits.file_bytes:
        raise Unreadable(f"文件有 {size // _MIB} MB，超过上限，请去掉图片等附件后重新报送")


def check(file: BinaryIO, limits: Limits, parts: dict[str, bytes | None] | None = None) -> Format:
    """Say what a file is, having made sure that it can be parsed.

    Args:
        parts: takes the names of a package's parts, with the content of XML that is small, so that
            who parses it need not unpack it again.

    Raises:
        NotAReturn: it is no workbook that is read here; the message says what to ask for.
        Unreadable: it is damaged or dangerous.
    """
    check_size(file.seek(0, os.SEEK_END), limits)
    file.seek(0)
    head = file.read(8)
    if head.startswith(b"PK"):
        return _check_zip(file, limits, {} if parts is None else parts)
    if head == _OLE2:
        return _check_ole2(file)
    kind = next((kind for magic, kind in _OTHER_KINDS.items() if head.startswith(magic)), None)
    what = f"这是{kind}" if kind else "这不是 Excel 工作簿"
    raise NotAReturn(f"{what}，{_ASK}")


def _check_ole2(file: BinaryIO) -> Format:
    """Tell the kinds of OLE2 file apart by the names of their streams."""
    streams = {name: _has_stream(file, name) for name in ("EncryptedPackage", "Workbook", "Book")}
    if streams["EncryptedPackage"]:
        raise NotAReturn("文件设有打开密码，请去掉密码后重新报送")
    if streams["Workbook"] or streams["Book"]:
        return Format.XLS
    if _has_stream(file, "WordDocument"):
        raise NotAReturn(f"这是 Word 文件，{_ASK}")
    raise NotAReturn(f"这是旧版 Office 文件，不是工作簿，{_ASK}")


def _has_stream(file: BinaryIO, name: str) -> bool:
    """Whether an OLE2 file's directory has an entry of this name."""
    text = name.encode("utf-16-le")
    length = (len(text) + 2).to_bytes(2, "little")
    entry = text + b"\0" * (64 - len(text)) + length
    offset, tail = 0, b""
    file.seek(0)
    while chunk := file.read(_CHUNK):
        block = tail + chunk
        place = block.find(entry)
        while place >= 0:
            if (offset - len(tail) + place) % _DIRECTORY_ENTRY == 0:
                return True
            place = block.find(entry, place + 1)
        offset += len(chunk)
        tail = block[-len(entry) :]
    return False


def _check_zip(file: BinaryIO, limits: Limits, parts: dict[str, bytes | None]) -> Format:
    try:
        with zipfile.ZipFile(file) as package:
            entries = package.infolist()
            names = [entry.filename for entry in entries]
            form = _format_of(names)
            if form is None:
                raise NotAReturn(_describe_zip(set(names)))
            _check_names(entries, limits, form)
            _check_content(file, entries, limits, form, parts)
            if form is Format.ODS:
                _check_odf(package)
    except DAMAGED as error:
        raise Unreadable("文件已损坏或没有传完，打不开，请该单位重新报送") from error
    return form


def _format_of(names: list[str]) -> Format | None:
    """What a zip is by the names in it; None for a document that is no workbook."""
    if _WORKBOOK_PART in names:
        return Format.XLSX
    if _CONTENT_TYPES in names or not set(names).isdisjoint(_OTHER_DOCUMENTS):
        return None
    if "mimetype" in names:
        return Format.ODS if _ODF_CONTENT in names else None
    return Format.ARCHIVE


def _describe_zip(names: set[str]) -> str:
    known = (text for part, text in _OTHER_DOCUMENTS.items() if part in names)
    return next(known, f"这不是 Excel 工作簿，{_ASK}")


def _check_odf(package: zipfile.ZipFile) -> None:
    """A spreadsheet, and not locked; asked after the parts were found small enough to read."""
    if _ODF_SPREADSHEET not in package.read("mimetype")[:200]:
        raise NotAReturn(f"这是 ODF 文件，但不是工作簿，{_ASK}")
    if _ODF_MANIFEST in package.namelist() and b"encryption-data" in package.read(_ODF_MANIFEST):
        raise NotAReturn("文件设有打开密码，请去掉密码后重新报送")


def _check_names(entries: list[zipfile.ZipInfo], limits: Limits, form: Format) -> None:
    """In a workbook every name must be plain and its own; an archive's names are only shown."""
    if form is Format.ARCHIVE and len(entries) > limits.members:
        raise NotAReturn(f"压缩包内有 {len(entries)} 个文件，请分成几个压缩包，或解压后放入收件夹")
    if len(entries) > limits.entries:
        raise Unreadable(f"文件内有 {len(entries)} 个部件，不是正常的工作簿，已拒收")
    seen: set[str] = set()
    for entry in entries if form is not Format.ARCHIVE else ():
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or ":" in name:
            raise Unreadable("文件内有指向外部的路径，不是正常的工作簿，已拒收")
        if name.lower() in seen:
            raise Unreadable("文件内有重名部件，内容无法确定，已拒收")
        seen.add(name.lower())


def _check_content(
    file: BinaryIO,
    entries: list[zipfile.ZipInfo],
    limits: Limits,
    form: Format,
    parts: dict[str, bytes | None],
) -> None:
    """Unpack every part once, under the caps, and look at what is XML of a workbook."""
    total = 0
    for entry in entries:
        if entry.flag_bits & 1:
            what = "压缩包设有密码" if form is Format.ARCHIVE else "文件内有加密的部件"
            raise NotAReturn(f"{what}，请去掉密码后重新报送")
        is_xml = form is not Format.ARCHIVE and entry.filename.lower().endswith((".xml", ".rels"))
        look = _XmlWatch(limits).look if is_xml else _not_at_all
        size, checksum = 0, 0
        for chunk in unpacked(file, entry, form):
            look(chunk)
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
            if total + size > limits.unpacked_bytes:
                raise Unreadable("文件解压后过大，不是正常的工作簿，已拒收")
            parts[entry.filename] = chunk if is_xml and size == len(chunk) else None
        if (size, checksum) != (entry.file_size, entry.CRC):
            raise zipfile.BadZipFile(entry.filename)
        total += size


def _not_at_all(_: bytes) -> None:
    """Nothing to look for."""


class _XmlWatch:
    """Watches a stream of XML go by, counting; it never parses.

    What has fewer tags than may be nested or be cells needs no closer count: so it is with most
    parts of most workbooks, and chunks wait uncounted until it is not.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = self._cells = self._tags = 0
        self._uncounted: list[bytes] = []
        self._before = b""
        self.look: Callable[[bytes], None] = self._look_at_start

    def _look_at_start(self, chunk: bytes) -> None:
        if b"<!" in chunk or b"\0" in chunk:
            for encoding in ("ascii", "utf-16-le", "utf-16-be"):
                if "<!DOCTYPE".encode(encoding) in chunk or "<!ENTITY".encode(encoding) in chunk:
                    raise Unreadable("文件内含有文档类型声明，不是正常的工作簿，已拒收")
        self.look = self._look_further
        self._look_further(chunk)

    def _look_further(self, chunk: bytes) -> None:
        self._uncounted.append(chunk)
        self._tags += chunk.count(b"<")
        if self._tags > min(DEEPEST, self._limits.cells) or len(self._uncounted) > _MOST_WAITING:
            for waiting in self._uncounted:
                for start in range(0, len(waiting), _SLICE):
                    self._count(waiting[start : start + _SLICE])
            self._uncounted, self._tags = [], self._depth
        if b"mergeCell" in chunk or b"mergeCell" in self._before:
            for first, last in _MERGE.findall(self._before + chunk):
                _check_merge(first.decode(), last.decode())
        self._before = chunk[-_MERGE_LENGTH:]

    def _count(self, chunk: bytes) -> None:
        closed = chunk.count(b"</")
        opened = chunk.count(b"<") - closed - chunk.count(b"<!") - chunk.count(b"<?")
        self._depth += opened - closed - chunk.count(b"/>")
        if self._depth > DEEPEST:
            raise Unreadable("文件内部层层嵌套，不是正常的工作簿，已拒收")
        self._cells += chunk.count(b"</c>")
        if self._cells > self._limits.cells:
            raise Unreadable("表格的使用范围过大，不是填写的报送表，已拒收")


def _check_merge(first: str, last: str) -> None:
    try:
        (top, left), (bottom, right) = parse_address(first), parse_address(last)
    except ValueError:
        raise Unreadable("合并单元格的范围写错，文件已损坏，请该单位重新报送") from None
    if (abs(bottom - top) + 1) * (abs(right - left) + 1) > MERGED_MOST:
        raise Unreadable("合并单元格的范围过大，不是正常的工作簿，已拒收")


def unpacked(file: BinaryIO, entry: zipfile.ZipInfo, form: Format) -> Iterator[bytes]:
    """A part unpacked, as far as its packed bytes go, whatever size is stated for it."""
    file.seek(entry.header_offset + _LOCAL_HEADER.size - 4)
    name, extra = _LENGTHS.unpack(file.read(4))
    file.seek(name + extra, 1)
    left = entry.compress_size
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while left > 0 and (packed := file.read(min(_CHUNK, left))):
        left -= len(packed)
        if entry.compress_type == zipfile.ZIP_STORED:
            yield packed
        elif entry.compress_type != zipfile.ZIP_DEFLATED:
            if form is Format.ARCHIVE:
                raise NotAReturn("压缩包的压缩方式不能识别，请解压后把其中的报送表放入收件夹")
            raise zipfile.BadZipFile(entry.filename)
        else:
            yield from _inflated(inflate, packed)


def _inflated(inflate: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """What some packed bytes give. An output of the full size may not be all: zlib keeps the rest
    to itself even where it has taken all the input.
    """
    full = True
    while packed or full:
        chunk = inflate.decompress(packed, _CHUNK)
        packed, full = inflate.unconsumed_tail, len(chunk) == _CHUNK
        yield chunk
