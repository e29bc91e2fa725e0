"""Single steps, each in a process of its own: ours, what it is held against, and its floor.

python -m benchmarks.steps STEP ARGUMENTS prints the seconds that the step itself took, with all
that it needs imported, and its files in the disk's cache. With BENCHMARKS_PROFILE in the
environment it also says where they went.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from xml.parsers import expat
from xml.sax.saxutils import escape

from benchmarks.clocks import read_clocks
from benchmarks.sampling import Sampler

FORM_SHEET = "工作推进情况"

PROFILE = "BENCHMARKS_PROFILE"
"""In the environment: say where the time goes."""

_LEVEL = 6
"""What zipfile, and so every writer here, deflates with where nothing is said."""

_RAW = -15
"""A stream without a header, as it stands in zip files."""


class Stopwatch:
    """What a step took, once its block has ended.

    Attributes:
        seconds: of the block alone.
        cpu: processor time of the block, that of processes that it started and ended included.
        pieces: how many files or rows it did; 0: who asked knows.
        profile: where the time went, if that was asked; see `sampling`.
    """

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.seconds = self.cpu = 0.0
        self.profile: dict[str, float] = {}


@contextmanager
def timed(pieces: int = 0) -> Iterator[Stopwatch]:
    """Take the time of a block that does so many pieces."""
    watch = Stopwatch(pieces)
    sampler = Sampler() if PROFILE in os.environ else None
    started = read_clocks()
    with sampler or nullcontext():
        yield watch
    took = read_clocks() - started
    if sampler:
        watch.profile = sampler.shares()
    watch.seconds, watch.cpu = took.wall, took.own + took.children


def generate(root: str, period: str, issued: str) -> Stopwatch:
    """Ours: hand out all forms."""
    from bioduty_xl import Workspace, handout  # noqa: F401  # imported late by the product itself

    with timed() as watch:
        forms = Workspace.open(root).generate(period, as_of=issued)
    watch.pieces = len(forms)
    return watch


def generate_with_openpyxl(forms: str, most: str, out: str) -> Stopwatch:
    """openpyxl: load forms that are there, and save them."""
    from openpyxl import load_workbook

    paths = _some(forms, most)
    with timed(len(paths)) as watch:
        for path in paths:
            load_workbook(path).save(Path(out, path.name))
    return watch


def generate_floor(forms: str, most: str, out: str) -> Stopwatch:
    """Deflate the parts in which a form differs from the next one, and write each file at once."""
    packages = [_parts(path) for path in _some(forms, most)]
    jobs = []
    for parts, others in zip(packages, [*packages[1:], packages[0]], strict=True):
        changed = [text for name, text in parts.items() if others.get(name) != text]
        same = (_deflated(text) for name, text in parts.items() if others.get(name) == text)
        jobs.append((changed, b"".join(same)))
    with timed(len(jobs)) as watch:
        for number, (changed, kept) in enumerate(jobs):
            content = b"".join((*map(_deflated, changed), kept))
            Path(out, f"{number}.xlsx").write_bytes(content)
    return watch


def collect(root: str, collected: str) -> Stopwatch:
    """Ours: empty the inbox, with every safeguard on."""
    from bioduty_xl import Workspace

    with timed() as watch:
        taken = Workspace.open(root).collect(as_of=collected)
    watch.pieces = len(taken.files)
    return watch


def read_with_pandas(returns: str, most: str, engine: Literal["openpyxl", "calamine"]) -> Stopwatch:
    """pandas.read_excel: the form's sheet of each file, and nothing else."""
    import pandas as pd

    importlib.import_module({"calamine": "python_calamine"}.get(engine, engine))
    paths = _some(returns, most)
    with timed(len(paths)) as watch:
        for path in paths:
            pd.read_excel(path, sheet_name=FORM_SHEET, header=None, dtype=str, engine=engine)
    return watch


def read_floor(returns: str, most: str) -> Stopwatch:
    """Open each package, inflate every part, and let expat walk it with nobody listening."""
    paths = _some(returns, most)
    with timed(len(paths)) as watch:
        for path in paths:
            for content in _parts(path).values():
                expat.ParserCreate().Parse(content, True)  # noqa: FBT003
    return watch


def keep_floor(returns: str, most: str, out: str) -> Stopwatch:
    """What durability alone costs: each file written, flushed to the disk, renamed, and the
    folder flushed.
    """
    contents = [path.read_bytes() for path in _some(returns, most)]
    folder = os.open(out, os.O_RDONLY)
    with timed(len(contents)) as watch:
        for number, content in enumerate(contents):
            scratch = Path(out, f"{number}.tmp")
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(scratch.with_suffix(".xlsx"))
            os.fsync(folder)
    os.close(folder)
    return watch


def consolidate(root: str, period: str, shown: str) -> Stopwatch:
    """Ours: the consolidated workbook of a collected quarter, with its correction copies."""
    from bioduty_xl import Workspace, publishing  # noqa: F401  # imported late by the product

    with timed() as watch:
        Workspace.open(root).consolidate(period, as_of=shown)
    return watch


def sheet(rows: str, out: str) -> Stopwatch:
    """Ours: a consolidated workbook whose 汇总明细 has so many rows, and nothing else in it."""
    import pandas as pd

    from bioduty_xl import Workspace
    from bioduty_xl.domain.returns import Wording
    from bioduty_xl.layout.sheets import DETAIL
    from bioduty_xl.report import book, frames
    from bioduty_xl.report.evidence import Evidence

    workspace = Workspace.create(Path(out, "workspace"))
    standing = workspace.standing("2024Q2", as_of="2024-06-26")
    evidence = Evidence(workspace.plan, standing, Wording(), {}, (), (), {}, ())
    tables = frames.sheets(evidence)
    keys = [column.key for column in DETAIL.columns]
    tables[DETAIL.key] = pd.DataFrame(_rows(int(rows)), columns=keys, dtype=object)
    with timed(int(rows)) as watch:
        Path(out, "ours.xlsx").write_bytes(book.render(evidence, tables))
    return watch


def sheet_with_xlsxwriter(rows: str, out: str) -> Stopwatch:
    """xlsxwriter, plain: one cell after the other, no formats but that of dates."""
    import xlsxwriter

    table = _rows(int(rows))
    with timed(int(rows)) as watch:
        book = xlsxwriter.Workbook(
            Path(out, "xlsxwriter.xlsx"), {"default_date_format": "yyyy-mm-dd hh:mm"}
        )
        worksheet = book.add_worksheet()
        for number, row in enumerate(table):
            for index, value in enumerate(row):
                worksheet.write(number, index, value)
        book.close()
    return watch


def sheet_with_pandas(rows: str, out: str) -> Stopwatch:
    """pandas.DataFrame.to_excel as it comes."""
    import pandas as pd
    import xlsxwriter  # noqa: F401  # what to_excel writes with

    table = pd.DataFrame(_rows(int(rows)))
    with timed(int(rows)) as watch:
        table.to_excel(Path(out, "pandas.xlsx"), index=False, header=False)
    return watch


def sheet_floor(rows: str, out: str, level: str) -> Stopwatch:
    """Deflate the sheet's text, without any styles, and write it."""
    chunks = list(_plain_xml(_rows(int(rows))))
    with timed(int(rows)) as watch, Path(out, "floor.bin").open("wb") as file:
        deflate = zlib.compressobj(int(level), zlib.DEFLATED, _RAW)
        for chunk in chunks:
            file.write(deflate.compress(chunk))
        file.write(deflate.flush())
    return watch


def _some(folder: str, most: str) -> list[Path]:
    """So many files of a folder at most, spread evenly over it."""
    paths = sorted(Path(folder).glob("*.xlsx"))
    return paths[:: -(-len(paths) // int(most))]


def _parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def _deflated(content: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    return deflate.compress(content) + deflate.flush()


_Row = tuple[object, ...]


def _rows(count: int) -> list[_Row]:
    """Rows as 汇总明细 has them: invented answers, each text of its own."""
    from bioduty_xl.demo_text import Author
    from bioduty_xl.domain.plan import Unit, UnitKind
    from bioduty_xl.layout.packaged import PLAN, packaged
    from bioduty_xl.plan.book import read_plan

    plan, came = read_plan(packaged(PLAN)), datetime(2024, 6, 20, 9)  # noqa: DTZ001  # as in books
    duties = plan.obligations()
    rows: list[_Row] = []
    for number in range(count):
        duty = duties[number % len(duties)]
        item, unit = plan.by_key[duty.item], plan.by_code[duty.unit]
        if number % len(duties) == 0:
            author = Author(Unit("U01", "", UnitKind.DEPARTMENT), str(number // len(duties)))
        told, of_its_own = author.answer(item, duty.role), f"（{number}）"
        rows.append(
            (
                *(plan.part_of(item).title, item.key, item.title, unit.code, unit.name),
                *(duty.duty, "已填", told["status"], told["progress"] + of_its_own),
                *(told.get("features", ""), told["problems"], told["next_steps"] + of_its_own),
                *("", "", "（无上期记录）", 1, came + timedelta(seconds=number)),
                *(f"{unit.name}_2024Q2.xlsx", FORM_SHEET, f"G{6 + item.no}"),
            )
        )
    return rows


def _plain_xml(rows: list[_Row]) -> Iterator[bytes]:
    """The rows as a sheet's XML with its texts in the cells, a thousand rows at a time."""
    for first in range(0, len(rows), 1000):
        yield "".join(
            f'<row r="{number + 1}">{"".join(map(_plain_cell, row))}</row>'
            for number, row in enumerate(rows[first : first + 1000], start=first)
        ).encode()


def _plain_cell(value: object) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>' if value else "<c/>"
    return f"<c><v>{45_000.5 if isinstance(value, datetime) else value}</v></c>"


STEPS: dict[str, Callable[..., Stopwatch]] = {
    step.__name__: step
    for step in (
        *(generate, generate_with_openpyxl, generate_floor),
        *(collect, read_with_pandas, read_floor, keep_floor, consolidate),
        *(sheet, sheet_with_xlsxwriter, sheet_with_pandas, sheet_floor),
    )
}

if __name__ == "__main__":
    print(json.dumps(vars(STEPS[sys.argv[1]](*sys.argv[2:]))))
