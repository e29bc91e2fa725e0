"""Hostile packages, refused before anything parses them; and a child that may die."""

import os
import signal
import time
import zipfile
import zlib

import pytest
from books import copy

from bioduty_xl.errors import BiodutyError, NotAReturn, ReturnError, Unreadable
from bioduty_xl.intake import filing, gate
from bioduty_xl.intake.gate import _CHUNK
from bioduty_xl.intake.raw import LATE, LOST, opened
from bioduty_xl.intake.sandbox import Original, Sandbox, Terms

LIMITS = gate.Limits(file_bytes=5 << 20, unpacked_bytes=20 << 20)


def terms(seconds=10, memory_mb=512, tries=1):
    return Terms(gate.Limits(), seconds, memory_mb, tries)


def asked(*paths):
    return [Original(str(path), filing.hash_of(path)) for path in paths]


def opened_or_not(answer):
    """The workbook, or the error that says why there is none."""
    try:
        return opened(answer)
    except ReturnError as error:
        return error


def checked(path, limits):
    with path.open("rb") as file:
        return gate.check(file, limits)


def package(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in [("xl/workbook.xml", "<workbook/>"), *parts]:
            new.writestr(name, content)
    return path


def test_a_form_passes(form):
    assert checked(form("市林业局"), LIMITS) == gate.Format.XLSX


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
        checked(package(tmp_path / "a.xlsx", parts), LIMITS)


def test_a_size_that_the_package_states_is_not_believed(tmp_path):
    path = package(tmp_path / "a.xlsx", [("xl/a.bin", b"\0" * (30 << 20))])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 16 : place + 20] = zlib.crc32(b"\0" * 10).to_bytes(4, "little")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="过大"):
        checked(path, LIMITS)


def test_a_word_file_is_named_as_such(tmp_path):
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("word/document.xml", "<x/>")
    with pytest.raises(NotAReturn, match="Word"):
        checked(path, LIMITS)


def test_an_encrypted_workbook_is_told_to_lose_its_password(tmp_path):
    path = tmp_path / "a.xlsx"
    name = "EncryptedPackage".encode("utf-16-le")
    entry = name.ljust(64, b"\0") + (len(name) + 2).to_bytes(2, "little") + b"\0" * 62
    path.write_bytes(gate._OLE2 + b"\0" * 504 + b"\0" * 128 + entry)
    with pytest.raises(NotAReturn, match="密码"):
        checked(path, LIMITS)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("os.abort()", "异常退出"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "异常退出"),
        ("blocks = [bytearray(1 << 28) for _ in range(9)]", "过大"),
        ("raise type('PanicException', (BaseException,), {})('panic')", "不认识"),
    ],
    ids=["aborts", "crashes", "eats memory", "panics"],
)
def test_a_reader_that_breaks_costs_one_file(form, tmp_path, monkeypatch, fault, why):
    (tmp_path / "broken_reader.py").write_text(
        "import os, signal\n"
        "from bioduty_xl.intake import parse\n"
        "whole = parse.parse\n"
        "def broken(content, form, parts):\n"
        "    if content.endswith(b'bad'):\n"
        f"        {fault}\n"
        "    return whole(content, form, parts)\n"
        "parse.parse = broken\n"
        "parse.main()\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("bioduty_xl.intake.sandbox._CHILD", "broken_reader")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    good, bad = form("市林业局"), tmp_path / "bad.xlsx"
    with zipfile.ZipFile(copy(good, bad), "a") as package:
        package.comment = b"bad"
    with Sandbox(terms(seconds=10, memory_mb=768)) as sandbox:
        for _ in range(2):
            first, broken, last = map(opened_or_not, sandbox.read(asked(good, bad, good)))
            assert first.sheets
            assert last.sheets
            assert isinstance(broken, NotAReturn)
            assert why in str(broken)


def test_a_reader_that_hangs_is_stopped_in_time(form):
    whole = asked(form("市林业局"))
    with Sandbox(terms(seconds=1.5)) as sandbox:
        sandbox.read(whole)
        os.kill(sandbox._process.pid, signal.SIGSTOP)
        late, then = sandbox.read(whole * 2)
        assert "时间过长" in str(opened_or_not(late))
        assert opened(then).sheets


def test_a_file_that_took_too_long_on_a_busy_machine_is_tried_again(form):
    whole = asked(form("市林业局"))
    with Sandbox(terms(seconds=1.5, tries=2)) as sandbox:
        sandbox.read(whole)
        os.kill(sandbox._process.pid, signal.SIGSTOP)
        assert [bool(opened(answer).sheets) for answer in sandbox.read(whole * 3)] == [True] * 3


def test_a_reader_that_is_killed_is_replaced(form):
    whole = asked(form("市林业局"))
    with Sandbox(terms(seconds=5)) as sandbox:
        sandbox.read(whole)
        sandbox._process.kill()
        sandbox._process.wait()
        (answer,) = sandbox.read(whole)
        assert opened(answer).sheets


def test_bytes_that_are_not_what_the_store_says_are_not_read(form, tmp_path):
    path = copy(form("市林业局"), tmp_path / "a.xlsx")
    with Sandbox(terms()) as sandbox:
        answers = sandbox.read([Original(str(path), "0" * 64), Original(f"{path}x", "0" * 64)])
    assert answers == [LOST, LOST]


def test_parts_of_every_size_about_a_chunks_end_pass(tmp_path):
    """zlib may hold output back although it has taken all the input."""
    for size in (*range(_CHUNK - 40, _CHUNK + 360, 3), *range(2 * _CHUNK - 20, 2 * _CHUNK + 80, 3)):
        path = package(tmp_path / "a.xlsx", [("xl/media/image1.bmp", b"\0" * size)])
        assert checked(path, LIMITS) == gate.Format.XLSX


def test_answers_that_are_not_the_readers_own_are_never_believed(form, tmp_path, monkeypatch):
    """A library that prints must not shift the answers by one file."""
    (tmp_path / "talkative.py").write_text(
        "from bioduty_xl.intake import parse\n"
        "whole = parse.parse\n"
        "def talk(content, form, parts):\n"
        "    print('debug', flush=True)\n"
        "    return whole(content, form, parts)\n"
        "parse.parse = talk\n"
        "parse.main()\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("bioduty_xl.intake.sandbox._CHILD", "talkative")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ("市林业局", "市水利局", "市林业局")
    with Sandbox(terms(memory_mb=768)) as sandbox:
        answers = sandbox.read(asked(*map(form, names)))
    assert [name in str(opened(said)) for name, said in zip(names, answers, strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("code", ["", "import sys; sys.exit(3)", "print('hello', flush=True)"])
def test_a_reader_that_does_not_start_stops_the_pass_and_blames_no_file(
    q2, form, tmp_path, monkeypatch, code
):
    (tmp_path / "absent.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    copy(form("市林业局"), q2.inbox / "a.xlsx")
    with monkeypatch.context() as patched:
        patched.setattr("bioduty_xl.intake.sandbox._CHILD", "absent")
        with pytest.raises(BiodutyError, match="不能启动"):
            q2.collect(as_of="2024-06-20")
    (report,) = q2.collect(as_of="2024-06-20").files
    assert report.verdict == "accepted"


def test_all_files_together_may_be_given_a_time(form):
    with Sandbox(terms(seconds=5), in_all=2) as sandbox:
        os.kill(sandbox._running().pid, signal.SIGSTOP)
        started = time.monotonic()
        assert sandbox.read(asked(form("市林业局")) * 2) == [LATE, LATE]
        assert time.monotonic() - started < 4
