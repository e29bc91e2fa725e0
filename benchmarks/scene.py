"""The files that the runs of one size work on, made once, and a fresh copy of them for each run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.city import COLLECTED, ISSUED, PERIOD, City, found
from benchmarks.returns import Returns, make_returns
from benchmarks.writers import Writer
from bioduty_xl.domain.verdict import Verdict

_RECORD = "scene.json"


class NotAccepted(RuntimeError):
    """The product did not take a return that was made for it: figures would be of another thing."""


@dataclass(frozen=True)
class Scene:
    """A city and its returns, as they stand before each step of a quarter.

    Attributes:
        folder: where all of it is.
        size: how many units.
        returns: what came back.
    """

    folder: Path
    size: int
    returns: Returns

    @property
    def city(self) -> City:
        """The city with its forms out."""
        return City(self.folder / "city", self.size)

    @property
    def returned(self) -> Path:
        """The folder of returned files."""
        return self.folder / "returns"

    @property
    def work(self) -> Path:
        """The workspace of a run."""
        return self.folder / "run" / "workspace"

    @property
    def out(self) -> Path:
        """Where a run writes what is in no workspace."""
        return self.folder / "run" / "out"

    def before_generate(self) -> None:
        """Make the run's workspace anew: no form is out."""
        self._renew("blank")

    def before_collect(self) -> None:
        """Make the run's workspace anew: forms are out, and the returns lie in the inbox."""
        self._renew("city")
        shutil.copytree(self.returned, self.work / "inbox", dirs_exist_ok=True)
        _flush()

    def before_consolidate(self) -> None:
        """Make the run's workspace anew: the returns are collected."""
        self._renew("collected")

    def empty_out(self) -> None:
        """Make the folder for other results anew."""
        shutil.rmtree(self.out.parent, ignore_errors=True)
        self.out.mkdir(parents=True)
        _flush()

    def _renew(self, name: str) -> None:
        self.empty_out()
        skip = shutil.ignore_patterns("forms", "originals", "已收")
        shutil.copytree(self.folder / name, self.work, ignore=skip)
        _flush()


def set_up(folder: Path, size: int, seed: str, writers: Sequence[Writer]) -> Scene:
    """Make a scene, or take the one that is in the folder already, if it was made in the same way.

    Raises:
        NotAccepted: the product did not take what was made.
    """
    record = folder / _RECORD
    if record.exists():
        kept = json.loads(record.read_text("utf-8"))
        if kept["seed"] == seed and list(kept["returns"]["written_by"]) == [
            w.value for w in writers
        ]:
            return Scene(folder, size, Returns(**kept["returns"]))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    blank = found(folder / "blank", size)
    shutil.copytree(blank.root, folder / "city")
    city = City(folder / "city", size)
    city.workspace.generate(PERIOD, as_of=ISSUED)
    scene = Scene(folder, size, make_returns(city, folder / "returns", seed, writers))
    _collect(scene)
    record.write_text(json.dumps({"seed": seed, "returns": scene.returns.as_json()}), "utf-8")
    return scene


def _flush() -> None:
    """Write to the disk what the system holds back: what prepares a run is no part of it."""
    if hasattr(os, "sync"):  # Windows has none
        os.sync()


def _collect(scene: Scene) -> None:
    """Keep a workspace in which the returns are collected."""
    scene.before_collect()
    taken = City(scene.work, scene.size).workspace.collect(as_of=COLLECTED)
    for file in taken.files:
        if file.verdict is not Verdict.ACCEPTED:
            raise NotAccepted(f"{file.file}: {file.verdict.value}: {file.reason}")
    scene.work.rename(scene.folder / "collected")
