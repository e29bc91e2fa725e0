"""What travels: the wheel holds templates, plan and settings, and works without the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
            *("--outdir", str(out), str(ROOT)),
        ],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_templates_plan_settings_and_languages(wheel):
    with zipfile.ZipFile(wheel) as package:
        held = {name: package.read(name) for name in package.namelist()}
    for name in ("quarterly_return", "annex2_contacts", "responsibility_plan"):
        source = ROOT / "templates" / f"{name}.xlsx"
        assert held[f"bioduty_xl/templates/{name}.xlsx"] == source.read_bytes()
    assert held["bioduty_xl/templates/bioduty.toml"] == (ROOT / "bioduty.toml").read_bytes()
    assert "bioduty_xl/py.typed" in held
    for catalogue in ("en/LC_MESSAGES/bioduty_xl.mo", "zh/LC_MESSAGES/click.mo"):
        source = ROOT / "bioduty_xl" / "locale" / catalogue
        assert held[f"bioduty_xl/locale/{catalogue}"] == source.read_bytes()
    outside = ("tests/", "benchmarks/", "inbox/", "outbox/")
    assert not [name for name in held if name.startswith(outside)]


@pytest.mark.slow
def test_the_wheel_alone_makes_a_workspace(wheel, tmp_path):
    """Unpacked into a bare environment that borrows only the dependencies."""
    with zipfile.ZipFile(wheel) as package:
        package.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import bioduty_xl; assert bioduty_xl.__file__.startswith(sys.argv[1])\n"
        "ws = bioduty_xl.Workspace.create(sys.argv[2])\n"
        "assert len(ws.plan.items) == 23\n"
        "assert len(ws.generate('2024Q2')) == 38\n"
    )
    subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "site"), str(tmp_path / "w")],
        check=True,
        capture_output=True,
    )


def test_the_packaged_plan_is_what_the_letter_says(tmp_path):
    from bioduty_xl.plan.book import write_plan
    from bioduty_xl.plan.document import import_plan

    imported = import_plan(ROOT / "tests" / "data" / "letter_2024_3.txt")
    write_plan(imported.plan, tmp_path / "plan.xlsx")
    packaged = ROOT / "templates" / "responsibility_plan.xlsx"
    assert (tmp_path / "plan.xlsx").read_bytes() == packaged.read_bytes()
