"""THE CONTESTS: what is measured, and what it is held against. A new one is a function here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib.util import find_spec

from benchmarks.children import module, script
from benchmarks.city import COLLECTED, ISSUED, PERIOD, SHOWN, City
from benchmarks.scene import Scene
from benchmarks.turns import Contest, Way

SAMPLE = 300
"""Files that a peer or a floor takes where it stands beside a single step; costs are per file."""

POLARS = ("polars", "fastexcel")
"""What the second peer needs; the extra `bench` brings it."""

_DETAIL_COLUMNS = 20

_SETTLED = "The second that a pass waits for files to settle (intake.settle_seconds) is left out."


def end_to_end(scene: Scene) -> Contest:
    """A folder of returns becomes a consolidated workbook: whole processes, imports and all."""
    work = str(scene.work), PERIOD, COLLECTED, SHOWN
    peer = str(scene.returned), str(scene.city.plan_file), str(scene.out / "peer.xlsx")
    missing = [name for name in POLARS if find_spec(name) is None]
    ours = Way("ours", "bioduty-xl", (*script("ours.py"), *work), scene.before_collect)
    pandas, polars = (
        Way(name, title, (*script(f"peer_{name}.py"), *peer), scene.empty_out)
        for name, title in (("pandas", "pandas + openpyxl"), ("polars", "polars + fastexcel"))
    )
    return Contest(
        part="end",
        title="End to end",
        size=scene.size,
        piece="file",
        pieces=scene.returns.count,
        ways=(ours, pandas) if missing else (ours, pandas, polars),
        against="pandas",
        counts={"ours": partial(_standing_counts, scene)},
        notes=(_SETTLED, *(f"Left out, not installed: {name}." for name in missing)),
    )


def _standing_counts(scene: Scene) -> dict[str, int]:
    """What ours says of the required items in a run's workspace."""
    items = City(scene.work, scene.size).workspace.standing(PERIOD, as_of=SHOWN).as_json()["items"]
    return {"answered": items["required"] - items["missing"], "missing": items["missing"]}


def generate(scene: Scene) -> Contest:
    """Handing out the forms."""
    work = str(scene.work), PERIOD, ISSUED
    sample = str(scene.city.forms), str(SAMPLE), str(scene.out)
    return Contest(
        part="generate",
        title="Generate",
        size=scene.size,
        piece="file",
        pieces=scene.size,
        ways=(
            _step("ours", "bioduty-xl", scene.before_generate, "generate", *work),
            _step(
                *("openpyxl", "openpyxl: load, save", scene.empty_out),
                *("generate_with_openpyxl", *sample),
            ),
            _step(
                *("floor", "floor: deflate what differs, write", scene.empty_out),
                *("generate_floor", *sample),
            ),
        ),
        against="openpyxl",
    )


def collect(scene: Scene) -> Contest:
    """Emptying the inbox."""
    work = str(scene.work), COLLECTED
    sample, out = (str(scene.returned), str(SAMPLE)), str(scene.out)
    engines = (
        _step(
            *(engine, f"pandas.read_excel, {engine}", scene.empty_out),
            *("read_with_pandas", *sample, engine),
        )
        for engine in ("openpyxl", "calamine")
    )
    return Contest(
        part="collect",
        title="Collect",
        size=scene.size,
        piece="file",
        pieces=scene.returns.count,
        ways=(
            _step("ours", "bioduty-xl", scene.before_collect, "collect", *work),
            *engines,
            _step(
                *("floor", "floor: inflate, null parse", scene.empty_out),
                *("read_floor", *sample),
            ),
            _step(
                *("disk", "floor: write, flush to disk, rename", scene.empty_out),
                *("keep_floor", *sample, out),
            ),
        ),
        against="openpyxl",
        notes=(_SETTLED,),
    )


def consolidate(scene: Scene) -> Contest:
    """The book of a collected quarter and its correction copies, alone."""
    work = str(scene.work), PERIOD, SHOWN
    return Contest(
        part="consolidate",
        title="Consolidate",
        size=scene.size,
        piece="file",
        pieces=scene.returns.count,
        ways=(_step("ours", "bioduty-xl", scene.before_consolidate, "consolidate", *work),),
        against="ours",
    )


def sheet(scene: Scene, rows: int) -> Contest:
    """One big sheet, as wide as 汇总明细."""
    table = str(rows), str(scene.out)
    floors = (
        _step(
            *(f"floor{level}", f"floor: deflate plain text, level {level}", scene.empty_out),
            *("sheet_floor", *table, level),
        )
        for level in ("6", "1")
    )
    return Contest(
        part="sheet",
        title=f"A sheet of {rows:,} rows × {_DETAIL_COLUMNS}",
        size=0,
        piece="row",
        pieces=rows,
        ways=(
            _step("ours", "bioduty-xl", scene.empty_out, "sheet", *table),
            _step(
                *("xlsxwriter", "xlsxwriter, plain", scene.empty_out),
                *("sheet_with_xlsxwriter", *table),
            ),
            _step("pandas", "pandas.to_excel", scene.empty_out, "sheet_with_pandas", *table),
            *floors,
        ),
        against="xlsxwriter",
    )


def commands(scene: Scene) -> Contest:
    """Commands as people wait for them: whole processes."""
    root = "--workspace", str(scene.work), "--as-of", SHOWN
    bioduty = module("bioduty_xl")
    return Contest(
        part="commands",
        title="Commands",
        size=scene.size,
        piece="run",
        pieces=1,
        ways=(
            Way("help", "bioduty --help", (*bioduty, "--help"), scene.empty_out),
            Way(
                *("status", "bioduty status", (*bioduty, "status", PERIOD, *root)),
                scene.before_consolidate,
            ),
            Way("pass", "python -c pass", (sys.executable, "-c", "pass"), scene.empty_out),
        ),
        against="pass",
    )


BY_SIZE: dict[str, Callable[[Scene], Contest]] = {
    "end": end_to_end,
    "generate": generate,
    "collect": collect,
    "consolidate": consolidate,
}
"""Contests that are held in every size."""

ALONE = ("sheet", "commands")
"""Contests that are held once, with the smallest city."""

PARTS = (*BY_SIZE, *ALONE)


def wanted(parts: Collection[str], scenes: Sequence[Scene], rows: int) -> list[list[Contest]]:
    """The contests of some parts, those of one part together, to be run in turn."""
    smallest = min(scenes, key=lambda scene: scene.size)
    alone: dict[str, Callable[[Scene], Contest]] = {
        "sheet": partial(sheet, rows=rows),
        "commands": commands,
    }
    found = {part: [make(scene) for scene in scenes] for part, make in BY_SIZE.items()}
    found |= {part: [make(smallest)] for part, make in alone.items()}
    return [found[part] for part in PARTS if part in parts]


def _step(key: str, title: str, prepare: Callable[[], None], *step: str) -> Way:
    return Way(key, title, (*module("benchmarks.steps"), *step), prepare)
