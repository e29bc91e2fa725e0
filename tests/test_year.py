"""Two years of a small city, a pass a day: everything on its day, once; and the same in the end
with days dropped, a clock that jumps, steps that fail and passes that are killed.
"""

import os
import pickle
import random
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import trustme
import year
from books import records
from filelock import FileLock
from killing import killing, what_is_missing
from mailserver import Box, certified, free_port, serving, set_mail
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.batch import run_pass
from bioduty_xl.config import Security
from bioduty_xl.domain.calendar import moment
from bioduty_xl.errors import LedgerError
from bioduty_xl.layout.sheets import LATE_RETURNS, REMINDERS
from bioduty_xl.watch import Pass

pytestmark = pytest.mark.slow

FORMS = [
    *("2024-04-01", "2024-06-01", "2024-09-01", "2024-12-01"),
    *("2025-03-01", "2025-06-01", "2025-09-01", "2025-12-01"),
]
"""The first day of the month in which a quarter falls due; the first was due in April."""

EXTENDED = "2024-09-05"
"""A unit's due date is moved after its form went out."""

LETTERS = {
    date(2024, 4, 30): {"市气象局_2024Q1_催报函.docx": "整份"},
    date(2024, 6, 24): dict.fromkeys(
        ("市水利局_2024Q2_催报函.docx", "市气象局_2024Q2_催报函.docx"), "整份"
    ),
    date(2024, 9, 26): {
        "市气象局_2024Q3_催报函.docx": "整份",
        "市科技局_2024Q3_催报函.docx": "缺项",
        "市水利局_2024Q3_催报函.docx": "整份",
    },
    date(2025, 12, 26): {
        "市水利局_2025Q4_催报函.docx": "整份",
        "市科技局_2025Q4_催报函.docx": "缺项",
    },
}
"""Worked out by hand from the story: who owes what at a stage of the reminders."""

CLOSED = {
    *(("2024-05-10", "2024Q1"), ("2024-07-10", "2024Q2"), ("2024-10-10", "2024Q3")),
    *(("2025-01-09", "2024Q4"), ("2025-04-09", "2025Q1"), ("2025-07-10", "2025Q2")),
    *(("2025-10-10", "2025Q3"), ("2026-01-09", "2025Q4")),
}
"""The day after the fourteenth after the due date."""

STAGES = {
    "2024Q1": {-5: "2024-04-18", -1: "2024-04-24", 1: "2024-04-26", 4: "2024-04-30"}
    | {8: "2024-05-09"},  # 28 April made up for 1 to 5 May
    "2024Q2": {-5: "2024-06-18", -1: "2024-06-24", 1: "2024-06-26", 4: "2024-07-01"}
    | {8: "2024-07-05"},
    "2024Q3": {-5: "2024-09-18", -1: "2024-09-24", 1: "2024-09-26", 4: "2024-09-30"},
}
"""Worked out by hand with the State Council's calendar of 2024. Eight working days after
2024-09-25 is 2024-10-12, when the quarter is closed.
"""


@pytest.fixture(autouse=True)
def arrival(monkeypatch):
    monkeypatch.setattr(*year.stand_in_for_arrival())


def world(folder):
    return year.World(folder / "两年 的世界")


@dataclass(frozen=True)
class Lived:
    """What is left of a world.

    Attributes:
        passes: what each did, by day.
        final: its final state.
        letters: which lay ready, and what they asked for, by day.
    """

    root: Path
    passes: dict[date, Pass]
    final: tuple[dict, dict]
    reminders: dict
    letters: dict


@pytest.fixture(scope="session")
def lived(tmp_path_factory):
    """Lives a world from one day to another, undisturbed: once, in the worker that asks first."""
    own = tmp_path_factory.getbasetemp()
    base = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def live(first, last):
        folder = base / f"lived {first} {last}"
        with FileLock(f"{folder}.lock"):
            if not (folder / "lived").exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that died over it
                (folder / "lived").write_bytes(pickle.dumps(_live(folder, first, last)))
            return pickle.loads((folder / "lived").read_bytes())

    return live


def _live(folder, first, last):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*year.stand_in_for_arrival())
        one = world(folder)
        one.live_through(first, last)
        final, reminders = year.final_state(one), year.reminders(one.root)
    return Lived(one.root, one.passes, final, reminders, one.letters)


@pytest.fixture(scope="session")
def two_years(lived):
    """Two years without a day dropped."""
    return lived(year.START, year.END)


def test_two_years_pass_without_a_hand(two_years):
    check_the_days(two_years)
    check_the_late(two_years.root)
    check_the_settled(two_years)
    check_published_books_come_back(two_years.root)


def check_the_days(full):
    passes = full.passes
    written = {str(day): done.forms for day, done in passes.items() if done.forms}
    assert [path.name for path in written.pop(EXTENDED)] == ["市水利局_2024Q3.xlsx"]
    assert list(written) == FORMS
    closed = [(str(day), str(one)) for day, done in passes.items() for one in done.closed]
    assert sorted(closed) == sorted(CLOSED)
    assert not any(done.failures for done in passes.values())
    made = full.reminders
    for (period, unit, due, distance), day in made.items():
        if period in STAGES and due == {"2024Q1": "2024-04-25"}.get(period, f"{due[:8]}25"):
            assert STAGES[period][distance] == day, (period, unit)
    never = {(period, distance) for period, unit, _, distance in made if unit == "U03"}
    for period, stages in STAGES.items():  # the unit that comes after the quarter is closed
        assert {distance for one, distance in never if one == period} == set(stages)
    assert made["2024Q3", "U02", "2024-09-30", -5] == "2024-09-24"  # an extension has its own
    assert ("2024Q3", "U02", "2024-09-25", 1) not in made
    assert not any(unit == "U03" and period == "2024Q4" for period, unit, _, _ in made)  # exempt
    for day, expected in LETTERS.items():
        assert {name: kind for name, (kind, _) in full.letters[day].items()} == expected
    assert year.letters(full.root) == {}  # every quarter is closed
    bad = {str(day) for day, done in passes.items() if done.problems}
    assert min(bad) == "2024-09-06"
    books = Counter(str(day) for day, done in passes.items() for path in done.books)
    assert all(count <= 2 for count in books.values())
    quiet = passes[date(2024, 8, 15)]
    assert not (quiet.forms or quiet.books or quiet.reminders or quiet.closed or quiet.corrections)
    assert not passes[date(2024, 6, 3)].books  # nothing that the book shows has changed
    assert passes[date(2024, 6, 10)].books  # a return came
    assert passes[date(2024, 6, 26)].books  # the due date is over


def check_the_late(root):
    ws = Workspace.open(root)
    found = {
        period: {
            (row["报送期"], row["报送单位"], row["类别"])
            for row in records(ws.report_file(period), LATE_RETURNS.title)
        }
        for period in ("2024Q2", "2024Q3", "2025Q4")
    }
    assert found == {
        "2024Q2": {("2024Q1", "市气象局", "补报")},
        "2024Q3": {("2024Q2", "市气象局", "补报")},
        "2025Q4": {("2025Q3", "市气象局", "补报")},  # merged away since
    }
    assert LATE_RETURNS.title not in load_workbook(ws.report_file("2024Q1")).sheetnames
    names = {row["报送单位"] for row in records(ws.report_file("2025Q1"), "报送台账")}
    assert "市教育局" in names
    names = {row["报送单位"] for row in records(ws.report_file("2025Q2"), "报送台账")}
    assert "市教育和体育局" in names
    states = {
        row["报送单位"]: row["报送状态"] for row in records(ws.report_file("2025Q1"), "报送台账")
    }
    assert states["市水利局"] == "按时"  # it came by fax before
    assert len(records(ws.report_file("2025Q4"), "报送台账")) == 4
    called = records(ws.outbox("2024Q2") / "reminders" / "催报清单.xlsx", REMINDERS.title)
    assert [row["报送单位"] for row in called] == ["市气象局"]


def check_the_settled(full):
    """A row of the register settles one file; another's of the same name waits for a person, and
    one that has its marks needs none.
    """
    settled = [str(day) for day, done in full.passes.items() if done.settled]
    assert settled == ["2025-06-16"]
    assert year.nameless(full.root) == [
        *(("2025-06-10", "accepted", "U01"), ("2025-09-12", "held", None)),
        ("2025-12-12", "accepted", "U01"),
    ]
    said = {problem for done in full.passes.values() for problem in done.problems}
    assert [problem.partition("：")[0] for problem in said] == ["“延期”第 4 行"]


def check_published_books_come_back(root):
    """Whatever plan and settings say since; and from the ledger where the kept copy is lost, late
    returns and decisions on the way included.
    """
    ws = Workspace.open(root)
    book = ws.report_file("2024Q3")
    published = book.read_bytes()
    book.unlink()
    kept = {path: path.read_bytes() for path in (ws.state_dir / "published").iterdir()}
    assert len(kept) == 8
    for path in kept:
        path.unlink()
    ws.consolidate("2024Q3", as_of="2026-02-01")
    assert book.read_bytes() == published
    settings = root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("due_day = 25", "due_day = 20"), encoding="utf-8")
    with pytest.raises(LedgerError, match="从备份恢复"):
        Workspace.open(root).consolidate("2024Q3", as_of="2026-02-01")
    for path, content in kept.items():
        path.write_bytes(content)
    Workspace.open(root).consolidate("2024Q3", as_of="2026-02-01")
    assert book.read_bytes() == published
    settings.write_text(text, encoding="utf-8")


SPRING = date(2024, 3, 25), date(2024, 7, 20)
"""Two quarters, the first with the special date."""


@pytest.fixture(scope="session")
def spring(lived):
    """The final state of an undisturbed spring."""
    return lived(*SPRING).final


def test_a_clock_that_jumps_does_nothing_wrong(tmp_path, spring):
    """Some hours back, days back, years ahead, then right again."""
    jumping = world(tmp_path)
    offsets = {
        date(2024, 4, 11): timedelta(hours=-5),
        date(2024, 4, 26): timedelta(days=-40),
        date(2024, 5, 2): timedelta(days=365 * 3),
        date(2024, 5, 3): timedelta(days=-365 * 20),
        date(2024, 6, 18): timedelta(days=-3),
    }
    refused = []
    for n in range((SPRING[1] - SPRING[0]).days + 1):
        day = SPRING[0] + timedelta(days=n)
        jumping.live(day, run=day not in offsets)
        if day in offsets:
            wrong = moment(f"{day}T08:30") + offsets[day]
            done = run_pass(Workspace.open(jumping.root), wrong, lambda *_: None, by_clock=True)
            refused += [day] if done.refused else []
            assert done.refused == bool(done.failures)
    assert refused == [date(2024, 4, 26), date(2024, 5, 2), date(2024, 5, 3), date(2024, 6, 18)]
    assert year.differences(year.final_state(jumping), spring) == []


def test_steps_that_fail_are_caught_up(tmp_path, spring, monkeypatch):
    """Each day another step fails; what it should have done is done on a later day."""
    failing = world(tmp_path)
    steps = (
        *("record_register", "collect", "close", "restore", "hand_out", "remind", "renew"),
        *("correct", "list_contacts", "waiting_files", "mail"),
    )
    chance = random.Random(3)
    failures = 0
    for n in range((SPRING[1] - SPRING[0]).days + 1):
        day = SPRING[0] + timedelta(days=n)
        with monkeypatch.context() as broken:
            if day < SPRING[1] and day not in year.LETTER_DAYS and chance.random() < 0.5:
                error = chance.choice((OSError(28, "No space left on device"), KeyError("x")))
                broken.setattr(Workspace, chance.choice(steps), _raising(error))
            failing.live(day)
        failures += bool(failing.passes[day].failures)
    assert failures > 20
    assert year.differences(year.final_state(failing), spring) == []


def _raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_spring_with_mail_and_a_server_that_is_down_on_some_days(tmp_path, spring):
    """Each once, only what lies ready on that day, and in the end all of it; and whatever the
    server does, everything else is as without mail.
    """
    authority, box = trustme.CA(), Box()
    chance, sent = random.Random(5), Counter()
    lived = world(tmp_path)
    authority.cert_pem.write_to_path(str(lived.root / "根证书.pem"))
    with serving(box, certified(authority), Security.TLS) as port:
        for n in range((SPRING[1] - SPRING[0]).days + 1):
            day = SPRING[0] + timedelta(days=n)
            is_down = chance.random() < 0.3
            set_mail(lived.root, free_port() if is_down else port)
            box.letters.clear()
            lived.live(day)
            names = attached(box)
            sent.update(names)
            check_the_mail(lived, day, names, is_down=is_down)
    assert year.differences(year.final_state(lived), spring) == []
    of_2024q2 = {name: count for name, count in sent.items() if "2024Q2" in name}
    assert {name: n for name, n in of_2024q2.items() if "_2024Q2.xlsx" in name} == dict.fromkeys(
        (f"{name}_2024Q2.xlsx" for name in year.NAMES), 1
    )
    assert of_2024q2["市气象局_2024Q2_催报函.docx"] == 5  # a letter for each stage
    assert of_2024q2["市科技局_2024Q2_退回修改.xlsx"] == 1


def attached(box):
    """The names of the files that came by mail, and that no mail came twice."""
    letters = box.messages()
    assert len({one["Message-ID"] for one in letters}) == len(letters)
    return [part.get_filename() for one in letters for part in one.iter_attachments()]


def check_the_mail(lived, day, names, *, is_down):
    done, ready = lived.passes[day], {path.name for path in (lived.root / "outbox").rglob("*.*")}
    assert set(names) <= ready
    assert not (is_down and names)
    assert all(failure.startswith("邮件 ") for failure in done.failures)
    assert is_down or not done.failures
    if not is_down:
        assert year.unsent(lived.root) == set()


@pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing() or "-")
def test_passes_killed_at_any_step_leave_nothing_undone(tmp_path, spring):
    """On the days on which something happens the pass is killed at many of its steps, each time
    from where the last kill left it, before it may run to its end.
    """
    killed_days = {
        date(2024, 4, 1): "forms",
        date(2024, 4, 24): "reminders",
        date(2024, 4, 28): "a return, the book, reminders",
        date(2024, 5, 10): "closing",
        date(2024, 6, 10): "a return",
        date(2024, 7, 10): "closing",
    }
    lived = world(tmp_path)
    with killing(tmp_path) as killer:
        kills = Counter()
        for n in range((SPRING[1] - SPRING[0]).days + 1):
            day = SPRING[0] + timedelta(days=n)
            lived.live(day, run=day not in killed_days)
            if day in killed_days:
                kills[day] = kill_on(killer, lived.root, f"{day}T08:30", random.Random(day.day))
    assert min(kills.values()) >= 8, kills
    assert year.differences(year.final_state(lived), spring) == []


def kill_on(killer, root, as_of, chance):
    """Kill a day's pass at one step after the other until it comes to its end; how often."""
    kills, step = 0, 1
    while True:
        (status,), _ = killer.run(root, as_of, [step], what="pass")
        if status != -signal.SIGKILL:
            assert status == 0
            return kills
        kills += 1
        step += chance.randint(1, 12)


def test_two_years_with_a_third_of_the_days_dropped_end_the_same(tmp_path, request):
    """Last in the file, and asking last for what it is compared with, so that the two worlds are
    lived side by side where there are two workers.
    """
    dropped = world(tmp_path)
    days = [year.START + timedelta(days=n) for n in range((year.END - year.START).days)]
    skipped = frozenset(random.Random(7).sample(days, len(days) // 3))
    skipped -= year.DECIDED | year.LETTER_DAYS
    dropped.live_through(year.START, year.END, skipped)
    full = request.getfixturevalue("two_years")
    assert year.differences(year.final_state(dropped), full.final) == []
    assert set(year.reminders(dropped.root)) <= set(full.reminders)
    assert not any(done.failures for done in dropped.passes.values())
