"""Filled returns, a third each as three writers save them, as many as wanted.

A unit of the first district fills its form for real and saves it with each writer. The files of the
units like it are made from those: in the unpacked parts its marks, name and file number become the
other unit's, and the parts are zipped again. So ten thousand take minutes, and no two are the same.
"""

from __future__ import annotations

import os
import random
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from openpyxl import load_workbook
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from benchmarks.answers import answers_of, file_number, signature_of
from benchmarks.city import COLLECTED, PERIOD, City
from benchmarks.writers import Writer, save_again
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import Unit
from bioduty_xl.domain.stamp import FormKind
from bioduty_xl.forms.style import put_text
from bioduty_xl.forms.template import grid_of, place_of
from bioduty_xl.layout.package import save
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.layout.table import find_fields

ABSENT = 0.05
"""Share of the units that return nothing; one unit at least."""

_Saved = tuple[Unit, Writer]


@dataclass(frozen=True)
class Returns:
    """What was made.

    Attributes:
        count: how many files.
        written_by: how many of them by each writer.
        smallest, median, largest: their sizes in bytes.
    """

    count: int
    written_by: dict[str, int]
    smallest: int
    median: int
    largest: int

    def as_json(self) -> dict[str, object]:
        """The same, for a report."""
        return asdict(self)


def make_returns(city: City, folder: Path, seed: str, writers: Sequence[Writer]) -> Returns:
    """Make the returns of a city whose forms are out.

    Args:
        folder: one that is not there yet.
        seed: the same one, the same answers from the same units.
    """
    folder.mkdir(parents=True)
    units = city.units()
    absent = set(random.Random(seed).sample(units, max(1, round(len(units) * ABSENT))))
    saved = [
        (unit, writers[number % len(writers)])
        for number, unit in enumerate(units)
        if unit not in absent
    ]
    models = _models(city, seed, saved)
    for unit, writer in saved:
        target = folder / f"{unit.name}_{PERIOD}.xlsx"
        models[city.model(unit), writer].save_as(unit, target)
        _date(target)
    sizes = sorted(path.stat().st_size for path in folder.iterdir())
    counts = {writer.value: sum(used is writer for _, used in saved) for writer in writers}
    return Returns(len(saved), counts, sizes[0], sizes[len(sizes) // 2], sizes[-1])


def _date(path: Path) -> None:
    """Let a file be saved the day before the inbox is emptied: peers go by that."""
    emptied = datetime.fromisoformat(COLLECTED).replace(tzinfo=CHINA)
    os.utime(path, (emptied.timestamp() - 3600,) * 2)


class _Model:
    """A file that was filled and saved for real, and what in it is its unit's own."""

    def __init__(self, city: City, unit: Unit, path: Path) -> None:
        self._city, self._unit = city, unit
        with zipfile.ZipFile(path) as package:
            self._parts = [(name, package.read(name)) for name in package.namelist()]

    def save_as(self, unit: Unit, target: Path) -> None:
        """Write the file that a unit with the same roles would have saved."""
        others = dict(zip(self._own, _own_texts(self._city, unit), strict=True))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in self._parts:
                changed = self._pattern.sub(lambda found: others[found[0]], content)
                package.writestr(zipfile.ZipInfo(name), changed, zipfile.ZIP_DEFLATED)

    @cached_property
    def _own(self) -> list[bytes]:
        return _own_texts(self._city, self._unit)

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, self._own)))


def _own_texts(city: City, unit: Unit) -> list[bytes]:
    """What stands in a unit's return and in no other, in the order in which it is exchanged; its
    name in both ways to write Chinese in XML.
    """
    stamp = city.seal.stamp(FormKind.RETURN, unit.code, Period.parse(PERIOD))
    rows = (city.seal.row_mark(stamp, duty.item) for duty in city.duties[unit.code])
    ascii_texts = (
        city.seal.token(stamp),
        *rows,
        city.seal.visible_code(stamp),
        file_number(unit),
    )
    names = unit.name.encode(), unit.name.encode("ascii", "xmlcharrefreplace")
    return [*(text.encode() for text in ascii_texts), *names]


def _models(city: City, seed: str, wanted: Sequence[_Saved]) -> dict[_Saved, _Model]:
    """Fill and save the forms that all others are made from."""
    models = dict.fromkeys((city.model(unit), writer) for unit, writer in wanted)
    with TemporaryDirectory() as scratch:
        paths = {}
        for unit, writer in models:
            paths[unit, writer] = path = Path(scratch, writer.name, f"{unit.code}.xlsx")
            path.parent.mkdir(exist_ok=True)
            _fill(city, unit, f"{seed} {writer.name}", path)
        for writer in Writer:
            own = [path for (_, saved_by), path in paths.items() if saved_by is writer]
            save_again(own, writer, Path(scratch))
        return {saved: _Model(city, saved[0], path) for saved, path in paths.items()}


def _fill(city: City, unit: Unit, seed: str, target: Path) -> None:
    """Fill a unit's form as a person does, and save it with openpyxl."""
    book = load_workbook(city.form(unit))
    sheet = book[RETURN_FORM.title]
    place = place_of(RETURN_FORM, sheet)
    fields = find_fields(RETURN_FORM, grid_of(sheet), place.row)
    for key, text in signature_of(unit).items():
        _write(sheet, *fields[key], text)
    duties = city.duties[unit.code]
    answers = answers_of(unit, city.workspace.plan, duties, seed)
    for row, duty in enumerate(duties, start=place.row + 1):
        for key, text in answers.get(duty.item, {}).items():
            _write(sheet, row, place.columns[key], text)
    save(book, target)


def _write(sheet: Worksheet, row: int, column: int, text: str) -> None:
    cell = sheet.cell(row + 1, column + 1)
    assert isinstance(cell, Cell)
    put_text(cell, text)
