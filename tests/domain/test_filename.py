"""Names that Windows refuses, simulated: what comes out is what its rules allow."""

import unicodedata

import pytest
from windows import DEVICES, windows_takes

from bioduty_xl.domain.filename import clean_name, distinct_names, is_portable, is_runnable
from bioduty_xl.layout.packaged import PLAN, packaged
from bioduty_xl.plan.book import read_plan


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("市林业局", "市林业局"),
        ("市 林业局（市绿化办）", "市 林业局（市绿化办）"),
        ("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j"),
        ("市\n林\t业\x00局\x7f", "市_林_业_局_"),
        ("市林业局. .", "市林业局"),
        ("  市林业局　", "市林业局"),
        ("市　林业局", "市 林业局"),
        ("CON", "CON_"),
        ("con", "con_"),
        ("NUL.市", "NUL_.市"),
        ("Aux .x", "Aux _.x"),
        ("COM1", "COM1_"),
        ("LPT¹", "LPT¹_"),
        ("COM²", "COM²_"),
        ("CONIN$", "CONIN$_"),
        ("COM10", "COM10"),
        ("CONTACT", "CONTACT"),
        ("~$市林业局", "_$市林业局"),
        (".~lock.x", "_~lock.x"),
        ("..", "_"),
        ("", "_"),
        ("市\u202e林业局", "市_林业局"),
        ("市\udc80局", "市_局"),
        ("e\u0301cole", "école"),
        ("局" * 300, "局" * 40),
        ("x" * 119 + "局", "x" * 119),
        ("x" * 119 + ". 局", "x" * 119),
    ],
)  # fmt: skip
def test_a_name_becomes_one_that_every_system_takes(name, clean):
    assert clean_name(name) == clean
    assert clean_name(clean) == clean


def test_every_sign_and_every_device_gives_a_name_that_windows_takes(tmp_path):
    for code in range(0x3000):
        for name in (chr(code), f"市{chr(code)}", f"{chr(code)}局"):
            made = clean_name(name)
            assert windows_takes(made), (name, made)
            assert all(unicodedata.category(char)[0] != "C" for char in made)
    for device in DEVICES:
        for name in (device, device.lower(), f"{device}.x", f"{device} .x", f" {device}"):
            assert windows_takes(clean_name(name)), name
            assert windows_takes(f"{clean_name(name)}_2024Q2.xlsx"), name


def test_names_that_would_be_the_same_are_told_apart_by_their_keys():
    names = {"U1": "A/B局", "U2": "a:b局", "U3": "C局", "U4": "c局.", "U5": "市林业局"}
    assert distinct_names(names) == {
        "U1": "A_B局（U1）",
        "U2": "a_b局（U2）",
        "U3": "C局（U3）",
        "U4": "c局（U4）",
        "U5": "市林业局",
    }


def test_long_names_that_begin_the_same_are_told_apart():
    names = {f"U{n}": "局" * 100 + str(n) for n in range(5)}
    made = distinct_names(names)
    assert len(set(made.values())) == 5
    assert all(len(f"{name}_2024Q2_退回修改_99.xlsx".encode()) <= 255 for name in made.values())


def test_a_unit_that_is_called_as_another_one_comes_out_is_told_apart_too():
    made = distinct_names({"U1": "x局", "U2": "X局", "U3": "x局（U1）"})
    assert len({name.casefold() for name in made.values()}) == 3


def test_the_units_of_the_plan_keep_their_names():
    plan = read_plan(packaged(PLAN))
    names = {unit.code: unit.name for unit in plan.units}
    assert distinct_names(names) == names


def test_a_name_that_any_system_takes_is_one_that_windows_takes():
    for code in range(0x3000):
        for name in (chr(code), f"市{chr(code)}", f"{chr(code)}局"):
            assert not is_portable(name) or windows_takes(name), name
    for device in DEVICES:
        assert not is_portable(device.lower())
        assert not is_portable(f"{device}.x")
    for name in ("市林业局.xlsx", ".bioduty", "~x", "a b", "ë\u0308", "局" * 85):
        assert is_portable(name)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        *((name, True) for name in ("a.py", "a.PY", "a.xlsx.exe", "a.so", "a.so.1.2", "a.py. .")),
        *((name, True) for name in ("__init__.cpython-312.pyc", "a.lnk", "运行.sh", ".pth")),
        *((name, False) for name in ("a.xlsx", "a.py_", "py", "a.xlsm", "a.so.doc", "a.python")),
    ],
)
def test_what_can_be_run_is_told_by_its_ending(name, runs):
    assert is_runnable(name) is runs
