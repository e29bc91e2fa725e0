"""`inspect` answers for any file at all: within 15 s and 1 GB, by its exit status, no traceback."""

import json
import os
import random
import subprocess
import sys
import time
import zipfile

import pytest
from books import fill, rezip
from commands import failed

SECONDS, BYTES = 15, 1 << 30

MEASURED = """
import json, os, resource, subprocess, sys, time
started = time.monotonic()
done = subprocess.run([sys.executable, '-P', '-m', 'bioduty_xl', *sys.argv[1:]],
                      capture_output=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode(),
                  time.monotonic() - started, peak]))
"""


def inspect(ws, path):
    """(exit status, the report) of `inspect --json`, having kept to time and memory.

    The peak is that of the largest of its processes.
    """
    arguments = ["inspect", str(path), "--json", "--workspace", str(ws.root)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], capture_output=True, check=True
    )
    status, out, err, seconds, peak = json.loads(done.stdout)
    assert seconds < SECONDS, seconds
    assert peak < BYTES, peak
    assert "Traceback" not in err, err
    return status, json.loads(out)


@pytest.fixture
def filled(form, tmp_path):
    return fill(form("市林业局"), tmp_path / "filled.xlsx")


def spread(filled, path, rows):
    def change(name, content):
        return (
            content.replace(b"</sheetData>", rows + b"</sheetData>")
            if "sheet2" in name
            else content
        )

    return rezip(filled, path, change)


def million_blank_rows(filled, path):
    cells = "".join(f'<c r="{letter}%d" s="1"/>' for letter in "ABCD").encode()
    blank = b'<row r="%d" s="1" customFormat="1">' + cells + b"</row>"
    return spread(filled, path, b"".join(blank % ((n,) * 5) for n in range(100, 1_048_577)))


def million_full_rows(filled, path):
    row = b'<row r="%d"><c r="A%d"><v>%d</v></c></row>'
    return spread(filled, path, b"".join(row % (n, n, n) for n in range(100, 1_048_577)))


def long_texts(filled, path):
    text = b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>' + b"x" * 30_000 + b"</t></is></c></row>"
    return spread(filled, path, b"".join(text % (n, n) for n in range(100, 5000)))


def bomb(filled, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", b"<x/>")
        with package.open("xl/a.xml", "w", force_zip64=True) as part:
            for _ in range(600):
                part.write(b" " * (1 << 20))
    return path


def archive_of_many(filled, path):
    with zipfile.ZipFile(path, "w") as package:
        for number in range(300):
            package.writestr(f"{number}.xlsx", filled.read_bytes())
    return path


def noise(filled, path, head=b""):
    path.write_bytes(head + random.Random(7).randbytes(40 << 20))
    return path


def noise_in_ole2(filled, path):
    return noise(filled, path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def sparse(filled, path):
    with path.open("wb") as file:
        file.truncate(100 << 30)
    return path


HARD = {
    million_blank_rows: "accepted",
    million_full_rows: "held",
    long_texts: "held",
    bomb: "rejected",
    archive_of_many: "accepted",
    noise: "held",
    noise_in_ole2: "held",
    sparse: "rejected",
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peaks are taken from getrusage")
@pytest.mark.parametrize("make", HARD, ids=lambda make: make.__name__)
def test_hard_files_are_answered_in_time_and_memory(q2, filled, tmp_path, make):
    status, report = inspect(q2, make(filled, tmp_path / "a.xlsx"))
    assert report["verdict"] == HARD[make], report["reason"]
    assert status == (0 if report["verdict"] == "accepted" else 3)


def test_exit_status_is_0_for_accepted_and_3_for_held_and_rejected(q2, filled, tmp_path):
    assert inspect(q2, filled)[0] == 0
    for name, content, verdict in (("a.pdf", b"%PDF", "held"), ("a.xlsx", b"", "rejected")):
        (tmp_path / name).write_bytes(content)
        status, report = inspect(q2, tmp_path / name)
        assert (status, report["verdict"]) == (3, verdict)
        assert report["reason"]


def test_pipes_and_devices_are_not_opened(q2, tmp_path):
    os.mkfifo(tmp_path / "pipe.xlsx")
    started = time.monotonic()
    for path in (tmp_path / "pipe.xlsx", "/dev/zero", "/dev/null"):
        status, report = inspect(q2, path)
        assert (status, report["verdict"]) == (0, "ignored")
    assert time.monotonic() - started < SECONDS


def test_a_folder_and_a_file_that_is_not_there_are_usage_errors(q2, tmp_path):
    for path in (tmp_path, tmp_path / "gone.xlsx"):
        failed("inspect", path, "--workspace", q2.root, expect=2)


def test_an_archive_is_looked_into_and_nothing_is_kept(q2, filled, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("好.xlsx", filled.read_bytes())
        package.writestr("坏.pdf", b"%PDF")
    before = {p: p.read_bytes() for p in q2.root.rglob("*") if p.is_file()}
    status, report = inspect(q2, path)
    assert (status, report["verdict"]) == (3, "held")
    assert "坏.pdf" in report["reason"]
    assert "好.xlsx" not in report["reason"]
    assert {p: p.read_bytes() for p in q2.root.rglob("*") if p.is_file()} == before
