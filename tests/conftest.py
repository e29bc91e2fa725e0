"""Fixtures that tests of several files share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import office as libreoffice
import pytest
import year

from bioduty_xl import Workspace

# For `benchmarks`, which is not installed; last, so that the product is still what is installed.
sys.path.append(str(Path(__file__).resolve().parents[1]))

# The tests expect what a Chinese machine says, from commands in other processes too.
os.environ["LANGUAGE"] = "zh_CN"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the goldens anew")


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[libreoffice.Office]:
    """A running LibreOffice; tests that ask for it are skipped where it is missing."""
    if missing := libreoffice.what_is_missing():
        pytest.skip(missing)
    with libreoffice.running(tmp_path_factory.mktemp("office")) as running:
        yield running


def no_settling(workspace: Workspace) -> Workspace:
    """The same workspace, which takes files at once."""
    settings = workspace.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    assert "settle_seconds = 1.0" in text
    settings.write_text(text.replace("settle_seconds = 1.0", "settle_seconds = 0.0"), "utf-8")
    return Workspace.open(workspace.root)


@pytest.fixture
def ws(tmp_path) -> Workspace:
    """A new workspace in a folder with Chinese letters and a blank in its name."""
    return no_settling(Workspace.create(tmp_path / "生物多样性 报送"))


@pytest.fixture(scope="session")
def handed_out(tmp_path_factory) -> Path:
    """A workspace whose forms of 2024Q2 are out, to be copied."""
    made = no_settling(Workspace.create(tmp_path_factory.mktemp("handed_out") / "w"))
    made.generate("2024Q2", as_of="2024-06-03")
    return made.root


@pytest.fixture
def q2(tmp_path, handed_out) -> Workspace:
    """A workspace with the forms of 2024Q2 handed out."""
    return Workspace.open(shutil.copytree(handed_out, tmp_path / "生物多样性 报送"))


@pytest.fixture
def form(q2):
    """Path of a unit's handed-out form: `form("市林业局")`."""
    return lambda name, period="2024Q2": q2.outbox(period) / "forms" / f"{name}_{period}.xlsx"


@pytest.fixture(scope="session")
def small_city(tmp_path_factory) -> Path:
    """A workspace with the plan of five units and the forms of 2024Q2 out, to be copied."""
    root = year.make(tmp_path_factory.mktemp("small_city") / "w")
    Workspace.open(root).generate("2024Q2", as_of="2024-06-03")
    return root


@pytest.fixture
def city(tmp_path, small_city) -> year.City:
    """A small city with the forms of 2024Q2 handed out, whose passes are quick."""
    return year.City(shutil.copytree(small_city, tmp_path / "小城 报送"))
