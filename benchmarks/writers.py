"""How a filled form comes to be saved: by openpyxl, with shared strings, by LibreOffice."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from xml.sax.saxutils import escape

OFFICE_SECONDS = 900
"""How long LibreOffice may take for the files of one run."""


class Writer(Enum):
    """What a return was saved with; the value says how it is told of."""

    OPENPYXL = "openpyxl"
    SHARED = "shared strings"
    OFFICE = "LibreOffice"


def writers_here() -> tuple[Writer, ...]:
    """The writers that this machine has: LibreOffice may be missing."""
    has_office = shutil.which("soffice") is not None
    return tuple(writer for writer in Writer if has_office or writer is not Writer.OFFICE)


def save_again(paths: Sequence[Path], writer: Writer, scratch: Path) -> None:
    """Make of workbooks that openpyxl saved what another writer would have saved, in their places.

    Args:
        scratch: an empty folder.
    """
    if writer is Writer.SHARED:
        for path in paths:
            _share_strings(path)
    elif writer is Writer.OFFICE and paths:
        _convert(paths, scratch)


def _convert(paths: Sequence[Path], scratch: Path) -> None:
    """Open workbooks in LibreOffice and save them, all in one process."""
    program, out = shutil.which("soffice"), scratch / "saved"
    assert program is not None, "who asks for LibreOffice has it"
    profile = f"-env:UserInstallation={(scratch / 'profile').as_uri()}"
    subprocess.run(
        [program, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(out), *paths],
        check=True,
        capture_output=True,
        timeout=OFFICE_SECONDS,
    )
    for path in paths:
        (out / path.name).replace(path)


_TABLE = "xl/sharedStrings.xml"
_OFFICIAL = "http://schemas.openxmlformats.org/"
_ENTRIES = {
    "[Content_Types].xml": f'<Override PartName="/{_TABLE}" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>',
    "xl/_rels/workbook.xml.rels": '<Relationship Id="rIdStrings" Target="sharedStrings.xml" '
    f'Type="{_OFFICIAL}officeDocument/2006/relationships/sharedStrings"/>',
}
"""What tells a package's readers of the table."""

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_INLINE = re.compile(r'<c ([^>]*?) t="inlineStr"><is>(.*?)</is></c>', re.DOTALL)
_REFERENCE = re.compile(r"&#(\d{3,});")
_LAST_TAG = re.compile(r"(</\w+>)\s*\Z")


def _share_strings(path: Path) -> None:
    """Move texts from the cells to one table, each once, in UTF-8, as Excel and xlsxwriter do."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name).decode() for name in package.namelist()}
    numbers: dict[str, int] = {}
    count = 0

    def shared(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        number = numbers.setdefault(found[2], len(numbers))
        return f'<c {found[1]} t="s"><v>{number}</v></c>'

    for name, text in parts.items():
        plain = _REFERENCE.sub(lambda found: escape(chr(int(found[1]))), text)
        if name.startswith("xl/worksheets/"):
            plain = _INLINE.sub(shared, plain)
        parts[name] = _LAST_TAG.sub(_ENTRIES.get(name, "") + r"\1", plain)
    table = "".join(f"<si>{text}</si>" for text in numbers)
    parts[_TABLE] = (
        f'<sst xmlns="{_OFFICIAL}spreadsheetml/2006/main" count="{count}" '
        f'uniqueCount="{len(numbers)}">{table}</sst>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            declared = text if text.startswith("<?xml") else _HEAD + text
            package.writestr(name, declared.encode())
