"""Runs in the child process: opens one xlsx and writes down what is in it.

`python -m bioduty_xl.intake.parse` answers one JSON line for each path on its standard input. It
judges nothing; whatever goes wrong here costs only this process.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from bioduty_xl.intake.raw import RawBook, RawSheet
from bioduty_xl.layout.table import text_of

CELLS_MAX = 2_000_000
"""Most cells of a sheet that are turned into text; a form has a few hundred."""


class TooLarge(Exception):
    """A sheet's used area is far beyond any form."""


def parse(content: bytes) -> RawBook:
    """Everything that identity and answers need from an xlsx package.

    Raises:
        TooLarge: a sheet's used area is beyond `CELLS_MAX`.
    """
    properties, workbook_names, sheet_names = _marks(content)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    sheets = []
    for index, entry in enumerate(book.sheets_metadata):
        sheet = book.get_sheet_by_index(index)
        if sheet.total_height * sheet.total_width > CELLS_MAX:
            raise TooLarge(entry.name)
        rows = sheet.to_python(skip_empty_area=False)
        sheets.append(
            RawSheet(
                entry.name,
                entry.visible == SheetVisibleEnum.Visible,
                [_trimmed(text_of(value) for value in row) for row in rows],
                sheet_names.get(index, {}),
            )
        )
    return RawBook(tuple(sheets), properties, workbook_names)


def _trimmed(texts: Iterable[str]) -> list[str]:
    row = list(texts)
    while row and not row[-1]:
        row.pop()
    return row


def _marks(content: bytes) -> tuple[dict[str, str], dict[str, str], dict[int, dict[str, str]]]:
    """Custom properties, workbook-level names, and sheet-level names by sheet index."""
    properties: dict[str, str] = {}
    names: dict[str, str] = {}
    local: dict[int, dict[str, str]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        if "docProps/custom.xml" in package.namelist():
            for element in ElementTree.fromstring(package.read("docProps/custom.xml")):
                properties[element.get("name", "")] = "".join(element.itertext()).strip()
        workbook = ElementTree.fromstring(package.read("xl/workbook.xml"))
    for element in _elements(workbook, "definedName"):
        text = (element.text or "").strip().strip('"')
        scope = element.get("localSheetId", "")
        target = local.setdefault(int(scope), {}) if scope.isdigit() else names
        target[element.get("name", "")] = text
    return properties, names, local


def _elements(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def _answer(path: str) -> str:
    try:
        return parse(Path(path).read_bytes()).to_json()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the reader is no Exception
        return json.dumps({"error": type(error).__name__, "message": str(error)[:500]})


def main() -> None:
    """Answer paths, one JSON text a line, until standard input ends."""
    for line in sys.stdin:
        sys.stdout.write(_answer(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
