"""Thousands of broken files through `inspect`: each is answered, in time, and never wrongly."""

import contextlib
import io
import random
import shutil
import time
import zipfile

import pytest
from books import FILLED, fill
from office import running, what_is_missing

from bioduty_xl import Workspace
from bioduty_xl.intake.reading import Reading

pytestmark = pytest.mark.slow

UNIT, PERIOD = "U02", "2024Q2"


def said(number):
    return f"本单位就第{number}项工作开展巡查{number}次，出动{number * 7}人次。"


TEXTS = {f"T{n:02d}": {**FILLED, "progress": said(n)} for n in range(1, 24)}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory, handed_out):
    """A workspace whose `inspect` keeps one reading process for all files."""
    root = tmp_path_factory.mktemp("fuzzed") / "w"
    shutil.copytree(handed_out, root)
    ws = Workspace.open(root)
    with (
        Reading(ws._reading_terms(tries=1), ws.originals) as reading,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(
            "bioduty_xl.intake.reading.Reading",
            lambda *given, in_all=None: (
                contextlib.nullcontext(reading)
                if in_all is not None  # `inspect`, which is told where a file lies
                else Reading(*given)
            ),
        )
        yield ws


@pytest.fixture(scope="module")
def originals(fuzzed, tmp_path_factory):
    """A filled return as openpyxl and, where it is there, LibreOffice write it: bytes by kind."""
    folder = tmp_path_factory.mktemp("originals")
    form = fuzzed.outbox(PERIOD) / "forms" / f"市林业局_{PERIOD}.xlsx"
    filled = fill(form, folder / "filled.xlsx", answers=TEXTS)
    found = {"xlsx": filled.read_bytes()}
    if not what_is_missing():
        with running(folder) as office:
            for kind in ("xls", "ods"):
                office.change(filled, folder / f"a.{kind}")
                found[kind] = (folder / f"a.{kind}").read_bytes()
    return found


def broken(content, chance):
    """Bytes broken in one of the ways in which files are."""
    content = bytearray(content)
    size = len(content)
    place, length = chance.randrange(size), chance.randrange(1, 1 + min(2000, size // 4))
    match chance.randrange(7):
        case 0:
            return bytes(content[:place])
        case 1:
            content[place : place + length] = b"\0" * len(content[place : place + length])
        case 2:
            del content[place : place + length]
        case 3:
            content[place:place] = content[place : place + length]
        case 4:
            content[place:place] = chance.randbytes(length)
        case _:
            for _ in range(chance.choice((1, 1, 2, 5, 20))):
                content[chance.randrange(size)] = chance.randrange(256)
    return bytes(content)


def broken_inside(content, chance):
    """A zip whose own sums are right again, with one of its parts broken."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        telling = [n for n in names if "sheet2" in n or "workbook" in n or n == "content.xml"]
        victim = chance.choice([*names, *telling * 4])
        for name in names:
            part = old.read(name)
            new.writestr(name, broken(part, chance) if name == victim and part else part)
    return out.getvalue()


WAYS = {
    "xlsx": ("xlsx", broken, 400),
    "xlsx, inside": ("xlsx", broken_inside, 200),
    "xls": ("xls", broken, 700),
    "ods, inside": ("ods", broken_inside, 60),
}
"""What is broken, how, and how many files one test makes."""


def answers_of(ws, path):
    """What a pass would take from a file: progress by item."""
    shutil.copyfile(path, ws.inbox / path.name)
    ws.collect(as_of="2024-06-20")
    entries = ws.entries(PERIOD).query("code == @UNIT")
    return dict(zip(entries["item"], entries["progress"], strict=True))


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("way", WAYS)
def test_no_broken_file_crashes_hangs_or_is_taken_for_what_it_is_not(
    fuzzed, originals, tmp_path, way, part
):
    kind, breaks, many = WAYS[way]
    if kind not in originals:
        pytest.skip(what_is_missing())
    chance = random.Random(f"{way} {part}")
    seen = set()
    for number in range(many):
        content = breaks(originals[kind], chance)
        path = tmp_path / f"{number}.{kind}"
        path.write_bytes(content)
        started = time.monotonic()
        report = fuzzed.inspect(path)
        assert time.monotonic() - started < 15
        seen.add(report.verdict.value)
        assert "出错" not in report.reason, (number, report.reason)  # nothing came unexpected
        if report.verdict != "accepted":
            assert report.verdict in ("held", "rejected")
            assert report.reason
            continue
        assert (report.unit, str(report.period)) == (UNIT, PERIOD), number
        if kind == "xls":  # no checksum, and texts told by number: a changed one cannot be seen
            continue
        scratch = Workspace.open(shutil.copytree(fuzzed.root, tmp_path / f"w{number}"))
        taken = answers_of(scratch, path)
        if way == "xlsx":
            assert taken == {
                item: texts["progress"] for item, texts in TEXTS.items() if item in taken
            }
        for item, text in taken.items():
            others = {texts["progress"] for key, texts in TEXTS.items() if key != item}
            assert text not in others, (number, item)
        shutil.rmtree(scratch.root)
    assert "rejected" in seen
    if breaks is broken_inside:
        assert "accepted" in seen  # or nothing was tried
