"""Writes openpyxl workbooks so that the same content gives the same bytes.

openpyxl stamps the time of saving into the package and leaves formulas without a value. Here the
times are fixed, and cached values are written beside formulas.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from openpyxl import Workbook

from bioduty_xl.layout.atomic import write_whole

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can state."""

_MODIFIED = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
_FIXED = rb"\g<1>2024-01-01T00:00:00Z\g<2>"


def save(
    workbook: Workbook, path: Path, cached: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Save a workbook under its name, whole or not at all; arguments as for `packed`."""
    write_whole(path, packed(workbook, cached))


def packed(workbook: Workbook, cached: Mapping[str, Mapping[str, str]] | None = None) -> bytes:
    """A workbook as a file's content.

    Args:
        cached: sheet name → cell address → text that the formula in that cell shows, for viewers
            that do not calculate.
    """
    buffer = io.BytesIO()
    workbook.save(buffer)
    values = {
        f"xl/worksheets/sheet{workbook.sheetnames.index(name) + 1}.xml": cells
        for name, cells in (cached or {}).items()
    }
    return _normalise(buffer, values)


def _normalise(buffer: io.BytesIO, values: Mapping[str, Mapping[str, str]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _MODIFIED.sub(_FIXED, content)
            for cell, text in values.get(name, {}).items():
                content = _with_value(content, cell, text)
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, content)
    return out.getvalue()


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
