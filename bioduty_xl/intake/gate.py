"""Looks at a file before anything parses it: what it is, and whether it is safe to open.

Reads streams under byte caps and never trusts a size that the file states about itself.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bioduty_xl.errors import NotAReturn, Unreadable

_CHUNK = 1 << 16
_MIB = 1 << 20
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WORKBOOK_PART = "xl/workbook.xml"

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LENGTHS = struct.Struct("<HH")
"""A zip part's local header, and the lengths of name and extra field at its end (APPNOTE 4.3.7)."""

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


class Format(StrEnum):
    """What a file is by its content, whatever its name says."""

    XLSX = "xlsx"


@dataclass(frozen=True)
class Limits:
    """Caps of the gate.

    Attributes:
        file_bytes: of the file as it is.
        unpacked_bytes: of all its parts unpacked.
        entries: how many parts it may have.
    """

    file_bytes: int = 50 * _MIB
    unpacked_bytes: int = 300 * _MIB
    entries: int = 2000


def check(path: Path, limits: Limits) -> Format:
    """Say what the file is, having made sure that it can be parsed.

    Raises:
        NotAReturn: it is no workbook that is read here; the message says what to ask for.
        Unreadable: it is damaged or dangerous.
    """
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("文件是空的（0 字节），请该单位重新报送")
    if size > limits.file_bytes:
        raise Unreadable(f"文件有 {size // _MIB} MB，超过上限，请去掉图片等附件后重新报送")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK"):
        return _check_zip(path, limits)
    if head == _OLE2:
        raise NotAReturn(_describe_ole2(path))
    kind = next((kind for magic, kind in _OTHER_KINDS.items() if head.startswith(magic)), None)
    what = f"这是{kind}" if kind else "这不是 Excel 工作簿"
    raise NotAReturn(f"{what}，请该单位填写下发的报送表（xlsx）后重新报送")


def _describe_ole2(path: Path) -> str:
    if _contains(path, _ENCRYPTED):
        return "文件设有打开密码，请去掉密码后重新报送"
    return "这是旧版 Office 文件（如 xls、doc），请打开后另存为 xlsx 再报送"


def _contains(path: Path, pattern: bytes) -> bool:
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if pattern in tail + chunk:
                return True
            tail = chunk[-len(pattern) :]
    return False


def _check_zip(path: Path, limits: Limits) -> Format:
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as package:
            entries = package.infolist()
            _check_names(entries, limits)
            names = {entry.filename for entry in entries}
            if _WORKBOOK_PART not in names:
                raise NotAReturn(_describe_zip(names))
            _check_content(file, entries, limits)
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, NotImplementedError) as error:
        raise Unreadable("文件已损坏，打不开，请该单位重新报送") from error
    return Format.XLSX


def _describe_zip(names: set[str]) -> str:
    if any(name.startswith("word/") for name in names):
        return "这是 Word 文件，请把内容填入下发的报送表（xlsx）后重新报送"
    if any(name.startswith("ppt/") for name in names):
        return "这是演示文稿，请填写下发的报送表（xlsx）后重新报送"
    if "mimetype" in names or "content.xml" in names:
        return "这是 ODF 文件（如 ods），请打开后另存为 xlsx 再报送"
    return "这是压缩包，请解压后把其中的报送表（xlsx）放入收件夹"


def _check_names(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise Unreadable(f"文件内有 {len(entries)} 个部件，不是正常的工作簿，已拒收")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name:
            raise Unreadable("文件内有指向外部的路径，不是正常的工作簿，已拒收")
        if name.lower() in seen:
            raise Unreadable("文件内有重名部件，内容无法确定，已拒收")
        seen.add(name.lower())


def _check_content(file: BinaryIO, entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Unpack every part once, under the cap, looking for a document type declaration."""
    total = 0
    for entry in entries:
        if entry.flag_bits & 1:
            raise NotAReturn("文件内有加密的部件，请去掉密码后重新报送")
        size, checksum = 0, 0
        for chunk in _chunks(file, entry):
            if not size and entry.filename.lower().endswith((".xml", ".rels")):
                _refuse_doctype(chunk)
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
            if total + size > limits.unpacked_bytes:
                raise Unreadable("文件解压后过大，不是正常的工作簿，已拒收")
        if (size, checksum) != (entry.file_size, entry.CRC):
            raise zipfile.BadZipFile(entry.filename)
        total += size


def _refuse_doctype(start: bytes) -> None:
    if b"<!DOCTYPE" in start or "<!DOCTYPE".encode("utf-16-le") in start:
        raise Unreadable("文件内含有文档类型声明，不是正常的工作簿，已拒收")


def _chunks(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
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
            raise zipfile.BadZipFile(entry.filename)
        else:
            while packed and (chunk := inflate.decompress(packed, _CHUNK)):
                yield chunk
                packed = inflate.unconsumed_tail
