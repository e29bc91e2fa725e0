"""Files of units whose names Windows refuses, and files that are open in Excel. Windows is
simulated: its rules for names are looked at, and its refusal to replace an open file is put in.
"""

import os
from dataclasses import replace

import pytest
import year
from books import fill, fill_contacts
from commands import run as run_command
from windows import windows_takes

from bioduty_xl import Workspace
from bioduty_xl.plan.book import write_plan

NAMES = ("CON", "市发展/改革局", "市发展:改革局", "局" * 90, "市教育局. .")


@pytest.fixture
def awkward(tmp_path):
    """A small city whose units have awkward names, in a folder with Chinese letters and blanks."""
    root = year.make(tmp_path / "报送 工作区 2024")
    units = tuple(replace(unit, name=name) for unit, name in zip(year.UNITS, NAMES, strict=True))
    write_plan(replace(year.PLAN, units=units), root / "plan.xlsx")
    return year.City(root)


def test_every_unit_has_files_of_its_own_that_windows_takes(awkward):
    awkward.run("2024-06-03")
    forms = {path.name for path in (awkward.ws.outbox("2024Q2") / "forms").iterdir()}
    assert forms == {
        "CON__2024Q2.xlsx",
        "市发展_改革局（U02）_2024Q2.xlsx",
        "市发展_改革局（U03）_2024Q2.xlsx",
        f"{'局' * 40}_2024Q2.xlsx",
        "市教育局_2024Q2.xlsx",
    }
    for path in (awkward.ws.outbox("2024Q2") / "forms").iterdir():
        fill(path, awkward.ws.inbox / path.name, answers=year.GAPS)
    done = awkward.run("2024-06-26")
    assert [len(paths) for paths in (done.corrections, done.collected.files)] == [2, 5]
    made = [path.name for path in awkward.ws.outbox_root.rglob("*") if path.is_file()]
    assert len({name.casefold() for name in made}) == len(made)
    assert all(windows_takes(name) for name in made)
    assert awkward.ws.standing("2024Q2", as_of="2024-06-27").returned


def test_letters_of_units_with_awkward_names_are_apart_and_go_when_they_should(awkward):
    awkward.run("2024-06-03")
    awkward.run("2024-06-26")
    letters = {path.name for path in (awkward.ws.outbox("2024Q2") / "reminders").glob("*.docx")}
    assert len(letters) == 5
    assert "市发展_改革局（U03）_2024Q2_催报函.docx" in letters
    assert all(windows_takes(name) for name in letters)
    assert not awkward.run("2024-06-26").reminders


def test_a_unit_that_left_the_plan_has_a_name_of_its_own(awkward):
    terms, gone = awkward.ws.terms, replace(year.UNITS[0], code="U99", name="市发展/改革局")
    assert terms.file_name(gone, awkward.ws.period("2024Q2")) == "市发展_改革局（U99）"


def keep_open(monkeypatch, *paths):
    """As where another program has files open on Windows."""
    real = os.replace

    def refuse(source, target):
        if os.fspath(target) in map(os.fspath, paths):
            raise PermissionError(13, "Permission denied", source, None, os.fspath(target))
        real(source, target)

    monkeypatch.setattr("bioduty_xl.layout.atomic.os.replace", refuse)
    monkeypatch.setattr("bioduty_xl.layout.atomic.time.sleep", lambda _: None)


CONTACT = {"name": "钱某", "phone": "0812-0000002"}


def form_of(city, name="市林业局"):
    return city.ws.outbox("2024Q2") / "forms" / f"{name}_2024Q2.xlsx"


def test_a_form_that_is_open_when_it_is_to_be_renewed_is_renewed_by_a_later_pass(city, monkeypatch):
    old = form_of(city).read_bytes()
    settings = city.ws.root / "bioduty.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("due_day = 25", "due_day = 20"), "utf-8"
    )
    with monkeypatch.context() as patched:
        keep_open(patched, form_of(city))
        done = city.run("2024-06-04")
        (said,) = done.failures
        assert said.startswith("下发报送表 2024Q2：文件正被其他程序打开")
        assert said.endswith(str(form_of(city)))
        assert form_of(city).read_bytes() == old
        assert not list(form_of(city).parent.glob(".~*"))
    assert len(city.run("2024-06-05").forms) == 5
    assert form_of(city).read_bytes() != old


@pytest.mark.parametrize("name", ["运行情况.txt", "contacts.xlsx"])
def test_other_files_of_a_pass_that_are_open_are_said_and_written_later(city, monkeypatch, name):
    path = city.ws.outbox_root / name
    contacts = city.ws.generate("2024Q2", contacts=True, as_of="2024-06-03")[-1]
    fill_contacts(contacts, city.ws.inbox / contacts.name, [CONTACT])
    with monkeypatch.context() as patched:
        keep_open(patched, path)
        done = city.run("2024-06-04")
        assert any(str(path) in failure for failure in done.failures), done.failures
        assert not path.exists()
    assert not city.run("2024-06-05").failures
    assert path.exists()


def test_the_parquet_file_that_is_open_is_named_by_the_command_line(city, tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "real = os.replace\n"
        "def refuse(source, target):\n"
        "    if str(target).endswith('.parquet'):\n"
        "        raise PermissionError(13, 'Permission denied', str(source), None, str(target))\n"
        "    real(source, target)\n"
        "os.replace = refuse\n",
        encoding="utf-8",
    )
    paths = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    done = run_command(
        *("consolidate", "2024Q2", "--parquet", "--workspace", city.ws.root),
        *("--as-of", "2024-06-26"),
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("错误：文件正被其他程序打开，或者没有读写的权限")
    assert str(Workspace.open(city.ws.root).parquet_file("2024Q2")) in done.stderr
    assert "Traceback" not in done.stderr
