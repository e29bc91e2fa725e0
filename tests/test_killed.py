"""Killed anywhere, `collect` loses nothing and counts nothing twice."""

import hashlib
import random
import shutil
import signal
import sqlite3
import time
import zipfile
from collections import Counter
from functools import lru_cache

import pytest
from books import FILLED, fill
from killing import killing, what_is_missing

from bioduty_xl import Workspace, workspace
from bioduty_xl.intake import filing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing() or "-"),
]

AS_OF = "2024-06-20"
SLICES = 8

LAST = 10
"""System calls of the last transaction, from its commit on."""


@pytest.fixture(scope="module", autouse=True)
def one_plan():
    """The plan is read once: it is the same in all these workspaces, and reading it is no step."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workspace, "read_plan", lru_cache(workspace.read_plan))
        yield


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    with killing(tmp_path_factory.mktemp("killer")) as running:
        yield running


@pytest.fixture(scope="module")
def full(tmp_path_factory, handed_out):
    """A workspace whose inbox has returns, a revision, duplicates, an archive and bad files."""
    root = tmp_path_factory.mktemp("full") / "w"
    shutil.copytree(handed_out, root)
    ws = Workspace.open(root)
    forms = ws.outbox("2024Q2") / "forms"

    def filled(unit, name, **texts):
        target = ws.inbox / name
        return fill(forms / f"{unit}_2024Q2.xlsx", target, answers={**FILLED, **texts})

    filled("市林业局", "1.xlsx")
    shutil.copyfile(ws.inbox / "1.xlsx", ws.inbox / "1 - 副本.xlsx")
    filled("市林业局", "子文件夹/2.xlsx", progress="更正：开展巡护15次。")
    (ws.inbox / "扫描件.pdf").write_bytes(b"%PDF-1.7 scanned")
    (ws.inbox / "断.xlsx").write_bytes((ws.inbox / "1.xlsx").read_bytes()[:5000])
    inner = filled("市水利局", "inner.xlsx")
    with zipfile.ZipFile(ws.inbox / "打包.zip", "w") as archive:
        archive.write(inner, "市水利局.xlsx")
        archive.writestr("说明.txt", "见附件")
    inner.unlink()
    shutil.rmtree(forms.parent)
    return root


def contents(folder):
    """How often each content lies in a folder, by hash, the inbox's mark left out."""
    return Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".bioduty-inbox"
    )


def on_record(ws):
    """Everything in the ledger that a report is made of, whatever numbers its rows have."""
    with sqlite3.connect(ws.state_dir / "ledger.sqlite") as db:
        names = {number: f"{name} {sha}" for number, name, sha in db.execute(_NAMES)}
        found = [
            Counter((names[row[0]], *row[1:]) for row in db.execute(f"SELECT * FROM {table}"))
            for table in ("entries", "findings", "contacts", "assignments")
        ]
        files = Counter((*row[1:], names.get(row[0])) for row in db.execute(_FILES))
    db.close()
    return files, found


_NAMES = "SELECT id, name, sha256 FROM files"
_FILES = (
    "SELECT container, sha256, name, size, received, verdict, kind, unit, period, revision, reason,"
    " header FROM files"
)


def outcome(root):
    """What must be the same however often a run was killed, but for the consolidated book."""
    ws = Workspace.open(root)
    kept = {path.name for path in filing.originals_in(ws.originals)}
    for name in kept:
        assert hashlib.sha256((ws.originals / name).read_bytes()).hexdigest() == name
    return on_record(ws), kept, contents(ws.inbox)


def book_of(root):
    return Workspace.open(root).consolidate("2024Q2", as_of="2024-06-26").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(full, tmp_path_factory):
    """The outcome of a run that nobody disturbs, and what it told."""
    root = tmp_path_factory.mktemp("undisturbed") / "w"
    shutil.copytree(full, root)
    told = Workspace.open(root).collect(as_of=AS_OF)
    found = (files, _), kept, tidied = outcome(root)
    assert sorted(row[4] for row in files) == [
        *["accepted"] * 3,
        *["duplicate"],
        *["held"] * 3,
        *["rejected"],
    ]
    assert set(files.values()) == {1}
    assert tidied == contents(full / "inbox")
    assert kept == {row[0] for row in files}
    return found, book_of(root), {report.file for report in told.files}


def check_after(root, undisturbed, *, with_book):
    """A clean run finishes and tells of what was left, and a further one finds nothing."""
    found, book, told = undisturbed
    ws = Workspace.open(root)
    collected = ws.collect(as_of=AS_OF)
    assert outcome(root) == found
    assert not [path for path in ws.inbox.iterdir() if path.suffix]
    assert ws.collect(as_of=AS_OF).files == ()
    if with_book:
        assert book_of(root) == book
    return {report.file for report in collected.files}, told


@pytest.mark.parametrize("slice_", range(SLICES))
def test_killed_at_every_system_call_that_changes_a_disk(
    killer, full, undisturbed, tmp_path, slice_
):
    step, died = slice_ + 1, True
    steps, untold = 0, []
    while died:
        root = tmp_path / f"{step}"
        shutil.copytree(full, root)
        [status], [counted] = killer.run(root, AS_OF, [step])
        assert status in (-signal.SIGKILL, 0), f"step {step}: {status}"
        died = status != 0
        # The book is made of the ledger alone, which is compared at every step.
        now, ever = check_after(root, undisturbed, with_book=steps % 5 == 0 or not died)
        untold += [step] if died and now != ever else []
        shutil.rmtree(root)
        steps += 1
        step += SLICES
    assert steps > 10
    # Whatever a killed run had done, the next one tells of every file; but for those killed within
    # the last transaction of all, which puts on record that everything is told.
    assert all(died_at > counted - LAST for died_at in untold), (untold, counted)


@pytest.fixture(scope="module")
def seconds(killer, full, tmp_path_factory):
    """How long an undisturbed run takes here and now."""
    root = tmp_path_factory.mktemp("timed") / "w"
    shutil.copytree(full, root)
    started = time.monotonic()
    assert killer.run(root, AS_OF)[0] == [0]
    return time.monotonic() - started


@pytest.mark.parametrize("part", range(4))
def test_two_runs_at_once_killed_at_random_a_hundred_times(
    killer, full, undisturbed, seconds, tmp_path, part
):
    chance = random.Random(f"two runs {part}")
    seen = Counter()
    for round_ in range(25):
        root = tmp_path / f"{round_}"
        shutil.copytree(full, root)
        for _ in range(2):
            deaths = [chance.uniform(0, seconds), chance.choice([None, chance.uniform(0, seconds)])]
            statuses, _ = killer.run(root, AS_OF, [None, None], deaths)
            assert set(statuses) <= {-signal.SIGKILL, 0, 75}, statuses
            seen.update(statuses)
        check_after(root, undisturbed, with_book=True)
        shutil.rmtree(root)
    assert seen[-signal.SIGKILL] >= 5, seen
    assert seen[75] >= 5, seen
