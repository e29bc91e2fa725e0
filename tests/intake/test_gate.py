"""Hostile packages, refused before anything parses them; and a child that may die."""

import os
import signal
import zipfile
import zlib

import pytest
from books import rezip

from bioduty_xl.errors import NotAReturn, Unreadable
from bioduty_xl.intake import gate
from bioduty_xl.intake.sandbox import Sandbox

LIMITS = gate.Limits(file_bytes=5 << 20, unpacked_bytes=20 << 20)


def package(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in [("xl/workbook.xml", "<workbook/>"), *parts]:
            new.writestr(name, content)
    return path


def test_a_form_passes(form):
    assert gate.check(form("市林业局"), LIMITS) == gate.Format.XLSX


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([("xl/a.bin", b"\0" * (30 << 20))], id="zip bomb"),
        pytest.param([("../evil.xml", "x")], id="name upwards"),
        pytest.param([("/etc/x", "x")], id="absolute name"),
        pytest.param([("XL/Workbook.xml", "x")], id="case twin"),
        pytest.param([("xl/x.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x/>')], id="doctype"),
        pytest.param([(f"xl/{n}.xml", "x") for n in range(2500)], id="too many entries"),
    ],
)
def test_a_hostile_package_is_rejected(tmp_path, parts):
    with pytest.raises(Unreadable):
        gate.check(package(tmp_path / "a.xlsx", parts), LIMITS)


def test_a_size_that_the_package_states_is_not_believed(tmp_path):
    path = package(tmp_path / "a.xlsx", [("xl/a.bin", b"\0" * (30 << 20))])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 16 : place + 20] = zlib.crc32(b"\0" * 10).to_bytes(4, "little")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="过大"):
        gate.check(path, LIMITS)


def test_a_word_file_is_named_as_such(tmp_path):
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("word/document.xml", "<x/>")
    with pytest.raises(NotAReturn, match="Word"):
        gate.check(path, LIMITS)


def test_an_encrypted_workbook_is_told_to_lose_its_password(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(gate._OLE2 + b"\0" * 600 + gate._ENCRYPTED)
    with pytest.raises(NotAReturn, match="密码"):
        gate.check(path, LIMITS)


def test_a_sheet_that_aborts_the_reader_costs_one_file(form, tmp_path):
    def spread(name, content):
        if name == "xl/worksheets/sheet2.xml":
            cell = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
            return content.replace(b"</sheetData>", cell)
        return content

    bad = rezip(form("市林业局"), tmp_path / "a.xlsx", spread)
    with Sandbox(seconds=10, memory_mb=512) as sandbox:
        with pytest.raises(NotAReturn):
            sandbox.read(bad)
        assert sandbox.read(form("市林业局")).sheets


def test_a_reader_that_hangs_is_stopped_in_time(form):
    with Sandbox(seconds=1.5, memory_mb=512) as sandbox:
        sandbox.read(form("市林业局"))
        os.kill(sandbox._process.pid, signal.SIGSTOP)
        with pytest.raises(NotAReturn, match="超过"):
            sandbox.read(form("市林业局"))
        assert sandbox.read(form("市林业局")).sheets


def test_a_reader_that_is_killed_is_replaced(form):
    with Sandbox(seconds=5, memory_mb=512) as sandbox:
        sandbox.read(form("市林业局"))
        sandbox._process.kill()
        sandbox._process.wait()
        assert sandbox.read(form("市林业局")).sheets
