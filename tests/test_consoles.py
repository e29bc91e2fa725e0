"""Consoles that cannot show every character, or that are not there at all. A Chinese Windows is
simulated: by the encoding of its streams, and by streams that are None as under pythonw.
"""

import json
import os
import subprocess
import sys

import pytest
from books import FILLED, fill

from bioduty_xl import Workspace
from bioduty_xl.intake import filing

ODD = "é 𠮷 „市林业局” ✓.xlsx"
"""A name of which every code page of Windows has another part."""

AS_OF = ("--as-of", "2024-06-20")


@pytest.fixture
def odd(city):
    """A small city with a return whose name no Windows console can show."""
    form = next((city.ws.outbox("2024Q2") / "forms").glob("市林业局*"))
    fill(form, city.ws.inbox / ODD, answers=FILLED)
    (city.ws.inbox / f"{ODD}.pdf").write_bytes(b"%PDF-1.4\n")
    return city.ws


def said(*arguments, encoding, expect=0):
    """What a console of some encoding shows, as text."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bioduty_xl", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.returncode == expect, (arguments, done.stderr)
    assert b"Traceback" not in done.stderr
    assert b"UnicodeEncodeError" not in done.stderr
    done.stderr.decode(encoding)
    return done.stdout.decode(encoding)


def commands(ws, tmp_path):
    """Every command but `demo` and an endless `schedule`, with its exit status."""
    other = tmp_path / "另 一个 é𠮷"
    yield 0, "--help"
    yield 0, "init", other
    yield 2, "status", "--workspace", tmp_path
    yield 2, "status", "𠮷é", "--workspace", ws.root
    yield 0, "plan", "show", "--workspace", ws.root
    yield 0, "plan", "check", "--workspace", ws.root
    yield 0, "template", "build", tmp_path / "模板 é𠮷"
    yield 0, "template", "check", "--workspace", ws.root
    yield 0, "generate", "2024Q2", "--workspace", other
    yield 0, "inspect", ws.inbox / ODD, "--workspace", ws.root
    yield 3, "collect", "--workspace", ws.root, *AS_OF
    yield 0, "status", "2024Q2", "--workspace", ws.root, *AS_OF
    yield (
        *(3, "assign", f"{ODD}.pdf", "--unit", "市水利局", "--period", "2024Q2"),
        *("--reason", "é𠮷", "--workspace", ws.root, *AS_OF),
    )
    yield 0, "consolidate", "2024Q2", "--workspace", ws.root, *AS_OF
    yield 0, "run", "--workspace", ws.root, *AS_OF
    yield 0, "schedule", "--print", "cron", "--workspace", ws.root
    yield 0, "rollup", ws.root, "--period", "2024Q2", "-o", tmp_path / "全省 é𠮷.xlsx", *AS_OF
    yield 0, "doctor", "--workspace", ws.root, *AS_OF


@pytest.mark.slow
def test_no_command_breaks_a_gbk_console(odd, tmp_path):
    for expect, *arguments in commands(odd, tmp_path):
        said(*arguments, encoding="gbk", expect=expect)


def test_a_gbk_console_shows_chinese_and_its_own_ticks_and_escapes_the_rest(odd):
    shown = said("collect", "--workspace", odd.root, *AS_OF, encoding="gbk", expect=3)
    assert r"[待处理] é \U00020bb7 \u201e市林业局” \u2713.xlsx.pdf：" in shown
    assert "√ 台账" in said("doctor", "--workspace", odd.root, *AS_OF, encoding="gbk")


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii", "gbk"])
def test_json_can_be_read_whatever_the_console(odd, encoding):
    out = said("collect", "--json", "--workspace", odd.root, *AS_OF, encoding=encoding, expect=3)
    assert sorted(file["file"] for file in json.loads(out)["files"]) == [ODD, f"{ODD}.pdf"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
def test_a_name_that_is_no_utf_8_is_shown_on_every_console(city):
    name = os.fsdecode("市林业局.pdf".encode("gbk"))
    (city.ws.inbox / name).write_bytes(b"%PDF-1.4\n")
    for encoding in ("utf-8", "gbk"):
        said("inspect", city.ws.inbox / name, "--workspace", city.ws.root,
             encoding=encoding, expect=3)  # fmt: skip
        out = said("inspect", city.ws.inbox / name, "--json", "--workspace", city.ws.root,
                   encoding=encoding, expect=3)  # fmt: skip
        assert json.loads(out)["verdict"] == "held"


WITHOUT_STREAMS = """\
import runpy, sys
sys.stdin = sys.stdout = sys.stderr = None
sys.argv = ["bioduty", *sys.argv[1:]]
runpy.run_module("bioduty_xl", run_name="__main__")
"""


def run_as(how, *arguments):
    """The exit status of a run without a console."""
    command = [sys.executable, "-P", "-m", "bioduty_xl"]
    if how == "pythonw":
        command = [sys.executable, "-P", "-c", WITHOUT_STREAMS]
    closing = {"closed": ">&- 2>&- <&-", "stdout closed": ">&-", "stderr closed": "2>&-"}
    shell = f'exec "$@" {closing.get(how, "")}'
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command, *map(str, arguments)],
        capture_output=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pythonw", "closed", "stdout closed", "stderr closed"])
def test_without_a_console_a_pass_does_what_it_should(odd, how):
    done = run_as(how, "run", "--workspace", odd.root, *AS_OF)
    assert done.returncode == 3, done.stderr
    assert b"Traceback" not in done.stderr
    after = Workspace.open(odd.root)
    assert [line.unit.name for line in after.standing("2024Q2", as_of="2024-06-21").returned] == [
        "市林业局"
    ]
    assert after.report_file("2024Q2").read_bytes().startswith(b"PK")
    assert {path.name for path in filing.originals_in(after.originals)}
    assert run_as(how, "collect", "--workspace", odd.root, *AS_OF).returncode == 0


@pytest.mark.parametrize("how", ["pythonw", "closed"])
@pytest.mark.parametrize(
    ("arguments", "expect"), [(["--help"], 0), (["status", "--nonsense"], 2), (["nonsense"], 2)]
)
def test_without_a_console_help_and_slips_end_quietly(how, arguments, expect):
    assert run_as(how, *arguments).returncode == expect


def test_an_error_without_a_console_still_has_its_status(tmp_path):
    for how in ("pythonw", "closed"):
        assert run_as(how, "status", "--workspace", tmp_path).returncode == 2


@pytest.mark.parametrize("asked", [["--json"], []])
def test_who_has_stopped_reading_changes_neither_the_work_nor_its_status(odd, asked):
    command = [sys.executable, "-P", "-m", "bioduty_xl", "collect", *asked]
    with subprocess.Popen(
        [*command, "--workspace", str(odd.root), *AS_OF],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdout.close()
        complaint = running.stderr.read()
    assert (running.returncode, complaint) == (3, b"")


def test_whoever_reads_neither_stream_gets_no_traceback(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bioduty_xl", "status", "--workspace", str(tmp_path)],
        stdout=writing,
        stderr=writing,
        check=False,
    )
    os.close(writing)
    assert done.returncode in (1, 2)


def test_help_to_who_has_stopped_reading_is_no_traceback():
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bioduty_xl", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
