"""Looks at a file before anything parses it: what it is, and whether it is safe to open.

Reads streams under byte caps and never trusts a size that the file states about itself.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from bioduty_xl.errors import NotAReturn, Unreadable

_CHUNK = 1 << 16
_MIB = 1 << 20
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WORKBOOK_PART = "xl/workbook.xml"

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
        ratio: unpacked to packed size that only a bomb exceeds, beyond the first MiB.
    """

    file_bytes: int = 50 * _MIB
    unpacked_bytes: int = 300 * _MIB
    entries: int = 2000
    ratio: int = 400


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
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            _check_names(entries, limits)
            names = {entry.filename for entry in entries}
            if _WORKBOOK_PART not in names:
                raise NotAReturn(_describe_zip(names))
            _check_content(package, entries, path.stat().st_size, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise Unreadable("文件已损坏，打不开，请该单位重新报送") from error
    except RuntimeError as error:  # zipfile's word for an encrypted entry
        raise NotAReturn("压缩包设有密码，请去掉密码后重新报送") from error
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


def _check_content(
    package: zipfile.ZipFile, entries: list[zipfile.ZipInfo], size: int, limits: Limits
) -> None:
    """Unpack every part once, under the caps, looking for a document type declaration."""
    total = 0
    for entry in entries:
        first = True
        for chunk in _chunks(package, entry):
            total += len(chunk)
            if total > limits.unpacked_bytes or total > max(_MIB, size) * limits.ratio:
                raise Unreadable("文件解压后过大，不是正常的工作簿，已拒收")
            if first and entry.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in chunk:
                raise Unreadable("文件内含有文档类型声明，不是正常的工作簿，已拒收")
            first = False


def _chunks(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with package.open(entry) as part:
        while chunk := part.read(_CHUNK):
            yield chunk
