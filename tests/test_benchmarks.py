"""The benchmark measures what it says: its returns are returns, and all come to the same counts."""

import json
import re
import shutil
import signal
import time
import zipfile
from importlib.util import find_spec

import pytest
from books import records

from benchmarks import __main__ as command
from benchmarks.answers import file_number
from benchmarks.children import Failed, Run, run, script
from benchmarks.city import COLLECTED, DISTRICT, ISSUED, PERIOD, SHOWN, City, found, repeated
from benchmarks.contests import PARTS, POLARS
from benchmarks.goals import judge
from benchmarks.returns import make_returns
from benchmarks.sampling import Sampler
from benchmarks.scene import set_up
from benchmarks.tables import Table
from benchmarks.turns import Contest, Score, Way
from benchmarks.writers import Writer, writers_here
from bioduty_xl.domain.plan import fold
from bioduty_xl.layout.packaged import PLAN, packaged
from bioduty_xl.plan.book import read_plan

TWO = (Writer.OPENPYXL, Writer.SHARED)

PEERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not all(map(find_spec, needed)), reason=f"{' or '.join(needed)} is not installed"
        ),
    )
    for name, needed in (("pandas", ("pandas",)), ("polars", POLARS))
]


def test_all_of_it_runs_and_ours_and_the_peers_come_to_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "writers_here", lambda: TWO)
    figures = tmp_path / "figures.json"
    sizes = ["--sizes", "6", "--rounds", "1", "--rows", "30", "--json", str(figures)]
    work = ["--keep", str(tmp_path / "work"), "--markdown"]
    assert command.main([*sizes, *work]) == 0
    told = json.loads(figures.read_text("utf-8"))
    contests = {one["part"]: one for one in told["contests"]}
    assert set(contests) == set(PARTS)
    for contest in contests.values():
        for way in contest["ways"].values():
            assert way["seconds"]["median"] > 0
            assert way["runs"][0]["cpu"] > 0
            assert way["runs"][0]["peak_mb"] > 1
    end = contests["end"]["ways"]
    assert set(end) == {"ours", "pandas", *(["polars"] if all(map(find_spec, POLARS)) else [])}
    assert all(way["counts"] == end["ours"]["counts"] for way in end.values())
    assert min(end["ours"]["counts"].values()) > 0
    assert end["ours"]["runs"][0]["children_mb"] > 1, "the process that reads is counted too"
    assert {goal["title"].partition(" ")[0] for goal in told["goals"]} >= {"generate", "bioduty"}
    shown = capsys.readouterr().out
    assert "| reached |" in shown or "| not reached |" in shown
    assert "LibreOffice is missing here" in shown
    assert "node" not in told["machine"]


@pytest.mark.parametrize("size", [1, 6, DISTRICT, 5 * DISTRICT + 1, 10_000])
def test_the_plan_of_a_city_of_any_size_is_sound(size):
    plan = repeated(read_plan(packaged(PLAN)), size)
    assert plan.problems() == ()
    assert len(plan.units) == size


def test_every_district_has_the_roles_of_the_real_plan():
    real = read_plan(packaged(PLAN))
    city = repeated(real, 3 * DISTRICT).with_named_units()
    roles = sorted((duty.item, duty.role) for duty in real.obligations())
    for district in ("一", "二", "三"):
        units = {unit.code for unit in city.units if f"第{district}片区" in unit.name}
        duties = [duty for duty in city.obligations() if duty.unit in units]
        assert sorted((duty.item, duty.role) for duty in duties) == roles
        assert sum(duty.required for duty in duties) == 218  # no measure names any of them


def test_the_same_seed_makes_the_same_returns_and_another_one_others(tmp_path):
    city = found(tmp_path / "city", 3)
    city.workspace.generate(PERIOD, as_of=ISSUED)
    contents = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        make_returns(city, tmp_path / name, seed, TWO)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1] != contents[2]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Three districts and more, so that every model is used and has others made from it; the
    product has accepted every file (`set_up` sees to that).
    """
    return set_up(tmp_path_factory.mktemp("large") / "scene", 3 * DISTRICT + 8, "1", writers_here())


@pytest.mark.slow
def test_every_return_that_was_made_is_accepted(large):
    units = large.city.units()
    assert large.returns.count == len(units) - round(0.05 * len(units))
    standing = City(large.folder / "collected", large.size).workspace.standing(PERIOD, as_of=SHOWN)
    assert standing.files.accepted == large.returns.count
    assert standing.files.held == standing.files.rejected == 0
    assert len(standing.returned) == large.returns.count
    required = len(standing.required)
    assert 0.02 * required < standing.missing - _absent(standing) < 0.06 * required


def _absent(standing):
    """Required items of the units that returned nothing."""
    return sum(len(line.required) for line in standing.units if line.receipt is None)


@pytest.mark.slow
def test_nothing_of_its_model_is_left_in_a_return(large):
    city, numbered = large.city, 0
    for unit in city.units():
        path, model = large.returned / f"{unit.name}_{PERIOD}.xlsx", city.model(unit)
        if unit is model or not path.exists():
            continue
        with zipfile.ZipFile(path) as package:
            text = b"".join(map(package.read, package.namelist())).decode()
        plain = re.sub(r"&#(\d{3,});", lambda found: chr(int(found[1])), text)
        for own, others in (
            (unit.name, model.name),
            (f".{unit.code}.{PERIOD}.", f".{model.code}.{PERIOD}."),
        ):
            assert own in plain
            assert others not in plain
        assert file_number(model) not in plain
        numbered += file_number(unit) in plain
    assert numbered > DISTRICT  # who answers for one optional item may have left it blank


@pytest.mark.slow
def test_each_writer_keeps_texts_in_its_own_way(large):
    kinds = {"openpyxl": 0, "shared strings": 0, "LibreOffice": 0}
    for path in large.returned.iterdir():
        with zipfile.ZipFile(path) as package:
            names = package.namelist()
            sheets = b"".join(package.read(n) for n in names if n.startswith("xl/worksheets/s"))
            made_by = package.read("docProps/app.xml")
        if b"LibreOffice" in made_by:
            kinds["LibreOffice"] += 1
        else:
            inline = b'"inlineStr"' in sheets
            assert inline != ("xl/sharedStrings.xml" in names)
            kinds["openpyxl" if inline else "shared strings"] += 1
    assert {kind: number for kind, number in kinds.items() if number} == large.returns.written_by


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_finds_what_the_product_finds(large, peer, tmp_path):
    out = tmp_path / "peer.xlsx"
    paths = map(str, (large.returned, large.city.plan_file, out))
    said = run([*script(f"peer_{peer}.py"), *paths]).said
    workspace = City(large.folder / "collected", large.size).workspace
    standing = workspace.standing(PERIOD, as_of=SHOWN)
    missing = {
        (line.unit.name, cell.obligation.item) for line in standing.units for cell in line.missing
    }
    assert said == {"answered": len(standing.required) - len(missing), "missing": len(missing)}
    assert {(row["单位"], row["任务编号"]) for row in records(out, "缺项")} == missing
    states = {row["单位"]: row["状态"] for row in records(out, "总览")}
    assert states == {line.unit.name: line.state.word for line in standing.units}
    answered = [row for row in records(out, "明细") if row["工作开展情况"]]
    entries = workspace.entries(PERIOD, as_of=SHOWN)
    assert len(answered) == sum(entries["progress"] != "")


@pytest.mark.slow
def test_what_is_kept_is_used_again(large, monkeypatch):
    monkeypatch.setattr(shutil, "copytree", None)  # nothing can be made anew
    assert set_up(large.folder, large.size, "1", writers_here()) == large


def test_a_run_that_fails_says_what_it_said():
    with pytest.raises(Failed, match="no such folder here"):
        run(["python3", "-c", "raise SystemExit('no such folder here')"])


def scores(part, size, ours, theirs):
    """A contest that was held, with the seconds of each way by round; a hundred pieces a run."""
    ways = [Way(key, key, (), lambda: None) for key in ("ours", "openpyxl")]
    contest = Contest(part, part, size, "file", 100, ways, "openpyxl")
    made = {
        key: [Run(seconds, seconds / 2, 50.0, 10.0) for seconds in rounds]
        for key, rounds in (("ours", ours), ("openpyxl", theirs))
    }
    return Score(contest, made)


def test_goals_are_judged_by_the_median_of_what_each_round_gave():
    [one] = judge([scores("collect", 1000, [1, 9, 2], [10, 10, 40])])
    assert (one.measured.median, one.measured.least, one.measured.greatest) == (0.1, 0.05, 0.9)
    assert one.reached
    [other] = judge([scores("generate", 1000, [0.6, 0.6], [10, 10])])
    assert not other.reached


def test_growth_is_judged_beyond_a_thousand():
    small = scores("collect", 1000, [1, 1], [10, 10])
    large = scores("collect", 10_000, [1.05, 1.3], [10, 10])
    titles = {one.title: one for one in judge([small, large])}
    grown = titles["collect, cost per file : that at 1,000"]
    assert grown.size == 10_000
    assert grown.measured.median == pytest.approx(1.175)
    assert not grown.reached
    assert titles["collect, memory : that at 1,000"].reached


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_a_profile_names_the_product_and_the_package_where_time_goes():
    with Sampler() as sampler:
        until = time.process_time() + 0.3
        while time.process_time() < until:
            fold("攀枝花市（东区）" * 500)
    shares = sampler.shares()
    assert shares["domain.plan.fold"] > 0.5
    assert shares["_pytest"] == 1.0


def test_a_table_reads_the_same_in_both_forms():
    table = Table("Steps", ("way", "s"), [("ours", "1.5"), ("theirs", "12")], ["A note."])
    assert table.as_text() == "Steps\n\nway       s\n------  ---\nours    1.5\ntheirs   12\nA note."
    assert table.as_markdown() == (
        "### Steps\n\n| way | s |\n| --- | ---: |\n| ours | 1.5 |\n| theirs | 12 |\n\nA note."
    )


def test_moments_are_in_order():
    assert ISSUED < COLLECTED < SHOWN
