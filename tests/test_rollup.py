"""A province of 21 workspaces: its book says what they say, one by one and in sum, and leaves them
as they were; what is wrong with one is said and harms no other.
"""

import json
import multiprocessing
import pickle
import shutil
import sqlite3
import time
import zipfile
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import office as libreoffice
import province
import pytest
from books import records
from commands import bioduty, failed, run
from openpyxl import load_workbook
from province import AS_OF, CLOSED, CLOSED_AT, DERIVED, FIRST, NAMES, OTHER, Q2, STRICT

from bioduty_xl import BiodutyError, Province, Workspace, ledger, rollup
from bioduty_xl.errors import ConfigError, TemplateError
from bioduty_xl.layout.sheets import ROLLUP


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """The 21 workspaces; no test changes them."""
    return province.make(tmp_path_factory.mktemp("province") / "全省 各市")


@pytest.fixture(scope="module")
def folders(cities):
    return [cities / name for name in NAMES]


@pytest.fixture(scope="module")
def merged(folders):
    return Province.read(folders, Q2, as_of=AS_OF)


@pytest.fixture(scope="module")
def book(merged, tmp_path_factory):
    return merged.write(tmp_path_factory.mktemp("book") / "全省汇总_2024Q2.xlsx")


@pytest.fixture(scope="module")
def own(folders, tmp_path_factory):
    """What each city says by itself, by its name: the figures and the sheets of its consolidated
    workbook, made in a copy, with a key where the province got none. The figures are those of
    `status --json`; of a closed city they are the published ones.
    """
    root = tmp_path_factory.mktemp("own")
    return {folder.name: _by_itself(folder, root / folder.name) for folder in folders}


def _by_itself(folder, copy):
    ws = Workspace.open(shutil.copytree(folder, copy))
    if not (ws.state_dir / "signing.key").exists():
        (ws.state_dir / "signing.key").write_text("00" * 32, encoding="ascii")
    (ws.root / "templates").mkdir(exist_ok=True)  # without correction copies, which take longest
    (ws.root / "templates" / "quarterly_return.xlsx").write_bytes(b"")
    as_of = CLOSED_AT if folder.name == CLOSED else AS_OF
    with suppress(TemplateError):  # raised when the book is written
        ws.consolidate(Q2, as_of=as_of)
    workbook = load_workbook(ws.report_file(Q2))
    figures = dict(workbook["总览"].iter_rows(min_row=5, max_col=2, values_only=True))
    if folder.name != CLOSED:
        assert figures.items() >= _as_overview(ws.standing(Q2, as_of=as_of).as_json()).items()
    return figures, {sheet.title: _records(sheet) for sheet in workbook}


def _as_overview(said):
    """What `status --json` prints, by the names of 总览."""
    units, items, files = said["units"], said["items"], said["files"]
    states = Counter(unit["state"] for unit in said["by_unit"])
    return {
        **dict(zip(("应报单位", "已报单位", "按时", "迟报", "逾期"), units.values(), strict=True)),
        "未到期": states["not_due"],
        "免报": states["exempt"],
        **dict(zip(("必报事项", "已填", "无进展", "不涉及", "缺项"), items.values(), strict=True)),
        "待处理的文件": files["held"],
        "拒收的文件": files["rejected"],
    }


SUMMED = (
    *("应报单位", "已报单位", "按时", "迟报", "逾期", "未到期", "免报"),
    *("必报事项", "已填", "无进展", "不涉及", "缺项"),
)


def _records(sheet):
    rows = list(sheet.iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def of_city(rows, name):
    return [
        {key: value for key, value in row.items() if key != "市（州）"}
        for row in rows
        if row["市（州）"] == name
    ]


@pytest.mark.parametrize("title", ["各单位情况", "缺项清单", "汇总明细", "问题清单"])
def test_every_row_is_that_of_the_citys_own_book_and_none_is_wanting(book, own, title):
    """丙州 is closed: its own book is the one that was published."""
    rows = records(book, title)
    assert list(dict.fromkeys(row["市（州）"] for row in rows)) == [
        name for name in NAMES if _theirs(own, name, title)
    ]
    for name in NAMES:
        ours = of_city(rows, name)
        theirs = _theirs(own, name, title)
        extra = {"来源文件2"} if title == "汇总明细" else set()
        assert [{k: v for k, v in row.items() if k not in extra} for row in ours] == [
            {k: v for k, v in row.items() if k not in extra} for row in theirs
        ]
        if extra:
            assert [row["来源文件2"] for row in ours] == [row.get("来源文件2") for row in theirs]


def _theirs(own, name, title):
    """A city's rows; a sheet without any holds a note in its first cell."""
    rows = own[name][1]["报送台账" if title == "各单位情况" else title]
    return [row for row in rows if list(row.values())[1] is not None]


def test_every_figure_of_a_city_is_its_own(book, own):
    rows = {row["市（州）"]: row for row in records(book, "各市（州）情况")}
    assert list(rows) == list(NAMES)
    for name, row in rows.items():
        figures, sheets = own[name]
        assert {key: row[key] for key in SUMMED} == {key: figures[key] for key in SUMMED}
        assert row["待处理文件"] == figures["待处理的文件"]
        assert row["拒收文件"] == figures["拒收的文件"]
        lacking = Counter(one["状态"] for one in _theirs(own, name, "缺项清单"))
        assert (row["返回未填"], row["未返回"]) == (lacking["返回未填"], lacking["未返回"])
        assert row["反映问题"] == len(_theirs(own, name, "问题清单"))
        assert row["报送率"] == cut(figures["已报单位"], figures["应报单位"])
        answered = figures["必报事项"] - figures["缺项"]
        assert row["完成率"] == cut(answered, figures["必报事项"])
        said = {one["事项"]: one["说明"] for one in sheets["口径说明"]}
        assert said["统计时点"].startswith(f"{row['统计时点']:%Y-%m-%d %H:%M:%S}")
        assert said["截止日期"].startswith(f"{row['截止日期']:%Y-%m-%d}")
        assert row["结账情况"] == ("已结账" if name == CLOSED else "未结账")


def cut(part, whole):
    """A share in tenths of a per cent, what is beyond cut off."""
    return int(1000 * part / whole) / 1000 if whole else None


def test_a_closed_city_counts_as_it_was_published(book, own):
    """What was settled after the closing waits in the published book, as it did then."""
    row = next(row for row in records(book, "各市（州）情况") if row["市（州）"] == CLOSED)
    _, published = own[CLOSED]
    counts = Counter(one["处理结果"] for one in published["收件台账"])
    assert (row["已报单位"], row["待处理文件"]) == (2, counts["待处理"]) == (2, 1)
    assert row["结账后收到"] == 3  # late, corrected, settled
    assert row["统计时点"].isoformat() + "+08:00" == CLOSED_AT
    assert not any(one["其他来件"] for one in of_city(records(book, "各单位情况"), CLOSED))
    said = " ".join(one["工作开展情况"] for one in of_city(records(book, "汇总明细"), CLOSED))
    assert "更正" not in said


def test_a_quarter_that_was_closed_only_later_is_not_closed_yet(cities):
    (city,) = Province.read([cities / CLOSED], Q2, as_of="2024-07-01").evidence.cities
    assert (city.is_closed, city.came_later) == (False, 0)
    assert f"{city.standing.as_of:%m-%d}" == "07-01"
    assert len(city.standing.returned) == 3  # the file that a person has settled among them


def test_the_provinces_figures_are_the_sums(book, own):
    sheet = load_workbook(book)["全省总览"]
    shown = dict(sheet.iter_rows(min_row=5, max_col=2, values_only=True))
    every = [figures for figures, _ in own.values()]
    assert shown["已汇总的市（州）"] == len(every) == 21
    assert (shown["已结账的市（州）"], shown["未汇总的文件夹"], shown["重复的文件夹"]) == (1, 0, 0)
    total = Counter()
    for figures in every:
        total.update({key: value for key, value in figures.items() if isinstance(value, int)})
    assert {key: shown[key] for key in SUMMED} == {key: total[key] for key in SUMMED}
    assert shown["待处理文件"] == total["待处理的文件"]
    assert shown["拒收文件"] == total["拒收的文件"]
    assert shown["报送率"] == cut(total["已报单位"], total["应报单位"])
    assert shown["按时率"] == cut(total["按时"], total["应报单位"])
    assert shown["完成率"] == cut(total["必报事项"] - total["缺项"], total["必报事项"])
    assert shown["反映问题"] == sum(len(_theirs(own, name, "问题清单")) for name in own)


def test_the_tasks_of_each_city_are_counted_by_their_titles(book, own):
    """Worked out from the rows of each city's own book: required answers and missing items."""
    rows = {row["重点任务"]: row for row in records(book, "各市任务情况")}
    expected = {title: {} for title in rows}
    for name in NAMES:
        done = Counter(
            row["重点任务"] for row in _theirs(own, name, "汇总明细") if "必报" in row["本单位职责"]
        )
        lacking = Counter(row["重点任务"] for row in _theirs(own, name, "缺项清单"))
        for row in own[name][1]["任务矩阵"]:
            title = row["重点任务"]
            expected[title][name] = (done[title], done[title] + lacking[title])
    for title, row in rows.items():
        by_city = expected[title]
        assert row["涉及市（州）"] == len(by_city)
        assert row["已答复"] == sum(part for part, _ in by_city.values())
        assert row["必报"] == sum(whole for _, whole in by_city.values())
        for name in NAMES:
            part, whole = by_city.get(name, (0, 0))
            assert row[name] == (f"{part}/{whole}" if whole else None), (title, name)
    assert rows["开展监测"]["任务编号"] == "T02、T01"
    assert rows["开展监测"]["涉及市（州）"] == 21


def test_where_plans_differ_is_shown_and_nothing_is_merged_by_number(book):
    rows = {row["重点任务"]: row for row in records(book, "方案差异")}
    others = f"除{OTHER}外的市（州）"
    assert rows["开展监测"]["差异"] == "编号不同"
    assert rows["开展监测"]["任务编号"].splitlines() == [f"T02：{others}", f"T01：{OTHER}"]
    assert rows["开展巡护执法"]["没有此项的市（州）"] == others
    assert rows["开展巡护执法"]["相近的任务"].splitlines()[0] == "开展巡护"
    assert rows["开展巡护"]["没有此项的市（州）"] == OTHER
    assert rows["落实资金"]["差异"] == "部分没有"
    assert "开展宣传" not in rows  # the same title and number everywhere


def test_what_is_to_know_of_a_citys_figures_stands_in_its_row(book):
    notes = {row["市（州）"]: row["说明"] or "" for row in records(book, "各市（州）情况")}
    assert "尚未结账" in notes[FIRST]
    assert notes[CLOSED] == ""
    assert "必报口径在设置中有调整" in notes[STRICT]
    offices = {row["市（州）"]: row["联系人"] for row in records(book, "各市（州）情况")}
    assert offices[OTHER] == "孙某"


def test_themes_are_counted_over_all_problems(book):
    counted = Counter(row["主题"] for row in records(book, "问题清单"))
    rows = list(load_workbook(book)["全省总览"].iter_rows(values_only=True, min_col=4, max_col=6))
    heading = next(n for n, row in enumerate(rows) if row[0] == "反映的问题")
    shown = {}
    for theme, count, _ in rows[heading + 1 :]:
        if theme is None:
            break
        shown[theme] = count
    assert shown == dict(counted)


def test_a_citys_name_and_counts_lead_to_where_its_rows_begin(book):
    workbook = load_workbook(book)
    sheet = workbook["各市（州）情况"]
    headings = [cell.value for cell in sheet[1]]
    linked = Counter()
    for row in sheet.iter_rows(min_row=2):
        for heading, title in (
            *(("市（州）", "各单位情况"), ("已填", "汇总明细")),
            *(("缺项", "缺项清单"), ("反映问题", "问题清单")),
        ):
            cell = row[headings.index(heading)]
            if cell.hyperlink is None:
                assert not cell.value
                continue
            target, _, place = cell.hyperlink.location.partition("!")
            assert target.strip("'") == title
            first = workbook[title][place]
            assert (first.column, first.value) == (1, row[1].value)
            assert workbook[title].cell(first.row - 1, 1).value != row[1].value
            linked[heading] += 1
    assert linked["市（州）"] == 21
    assert min(linked.values()) > 15


def test_every_sheet_is_declared_one_real_table_and_reached_from_the_first(book):
    workbook = load_workbook(book)
    assert workbook.sheetnames == [sheet.title for sheet in ROLLUP]
    first = workbook.worksheets[0]
    links = {c.hyperlink.location for row in first.iter_rows() for c in row if c.hyperlink}
    for declared in ROLLUP[1:]:
        sheet = workbook[declared.title]
        (table,) = sheet.tables.values()
        assert table.ref == sheet.dimensions
        headings = [cell.value for cell in sheet[1]]
        assert headings[: len(declared.columns)] == [c.heading for c in declared.columns]
        assert len(set(headings)) == len(headings)
        assert f"'{declared.title}'!A1" in links
    assert len(first._charts) == 2


def processes():
    """Two of them, as they are started where a process has threads already."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def test_the_same_cities_and_moment_give_the_same_bytes_whoever_reads_them(
    folders, merged, book, tmp_path
):
    for executor in (ThreadPoolExecutor(2), processes()):
        with executor:
            other = Province.read(folders, Q2, as_of=AS_OF, executor=executor)
        assert other == merged
    assert other.write(tmp_path / "other.xlsx").read_bytes() == book.read_bytes()
    one, again, later = (
        Province.read(folders[:2], Q2, as_of=when).write(tmp_path / f"{n}.xlsx").read_bytes()
        for n, when in enumerate((AS_OF, AS_OF, "2024-07-13"))
    )
    assert one == again != later


def test_reading_and_writing_leave_every_workspace_as_it_was(cities, folders, tmp_path):
    before = province.fingerprints(cities)
    Province.read(folders, Q2, as_of=AS_OF).write(tmp_path / "全省.xlsx")
    assert province.fingerprints(cities) == before
    assert len(before) > 200


class Lazy:
    """Does nothing before it is asked for the result: all that is handed in is under way."""

    def __init__(self):
        self.waiting, self.most = 0, 0

    def submit(self, function, *arguments):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        future = Future()

        def result(timeout=None):
            self.waiting -= 1
            return function(*arguments)

        future.result = result
        return future


def test_no_more_than_a_window_of_readings_is_under_way(folders):
    executor = Lazy()
    Province.read(folders, Q2, as_of=AS_OF, executor=executor)
    assert executor.most == rollup.WINDOW < len(folders)
    assert executor.waiting == 0


def test_a_process_that_dies_in_the_middle_changes_nothing(folders, merged, monkeypatch):
    monkeypatch.setattr(rollup, "WINDOW", 4)
    with processes() as executor:
        seen = []

        def kill_one(name, done, total):
            seen.append(name)
            if done == 3:
                next(iter(executor._processes.values())).kill()

        other = Province.read(folders, Q2, as_of=AS_OF, executor=executor, progress=kill_one)
    assert other == merged
    assert seen == [city.name for city in merged.evidence.cities]


def test_what_travels_can_be_pickled_there_and_back(folders):
    order = rollup.Order(str(folders[1]), "乙", rollup.Period(2024, 2), rollup.moment(AS_OF))
    reading = rollup.read_city(pickle.loads(pickle.dumps(order)))
    assert pickle.loads(pickle.dumps(reading)) == reading
    assert (reading.name, reading.is_named) == (OTHER, True)


@pytest.fixture
def lone(cities, tmp_path):
    """A copy of a derived city under a name; with form ids of its own where a number is given."""

    def copy(name, number=0, source=DERIVED[0]):
        target = tmp_path / name
        shutil.copytree(cities / source, target)
        if number:
            province.with_ids_of_its_own(target, number)
        return target

    return copy


def left_out(folders, **named):
    found = Province.read(folders, Q2, as_of=AS_OF, **named)
    assert found.needs_attention
    return {Path(one.folder).name: one.reason for one in found.evidence.left_out}


def _newer_version(folder):
    db = sqlite3.connect(folder / ".bioduty" / "ledger.sqlite")
    db.execute(f"PRAGMA user_version = {len(ledger.MIGRATIONS) + 1}")
    db.close()


def _cut(folder):
    path = folder / ".bioduty" / "ledger.sqlite"
    path.write_bytes(path.read_bytes()[:-20000])


def _scribbled(folder):
    db = sqlite3.connect(folder / ".bioduty" / "ledger.sqlite")
    with db:
        db.execute("UPDATE entries SET answers = substr(answers, 5)")
    db.close()


def _without_period(folder):
    db = sqlite3.connect(folder / ".bioduty" / "ledger.sqlite")
    with db:
        for table in ("forms", "files"):
            db.execute(f"UPDATE {table} SET period = '2024Q3'")
    db.close()


BAD = {
    "不是工作区": (lambda f: (f / "bioduty.toml").unlink(), "没有 bioduty.toml"),
    "没有台账": (lambda f: (f / ".bioduty" / "ledger.sqlite").unlink(), "没有台账"),
    "空台账": (lambda f: (f / ".bioduty" / "ledger.sqlite").write_bytes(b""), "是空的"),
    "断台账": (_cut, "已损坏"),
    "别的文件": (lambda f: (f / ".bioduty" / "ledger.sqlite").write_bytes(b"x" * 9999), "已损坏"),
    "乱台账": (_scribbled, "内容有误"),
    "新版本": (_newer_version, "更新版本"),
    "没有这一期": (_without_period, "没有下发过 2024Q2"),
    "设置写错": (
        lambda f: (f / "bioduty.toml").write_text("[office\n", "utf-8"),
        "应写成 [office]",
    ),
    "方案打不开": (lambda f: (f / "plan.xlsx").write_bytes(b"PK damaged"), "plan.xlsx"),
}


def test_each_kind_of_bad_folder_is_named_and_the_others_count(lone, tmp_path, merged, cities):
    folders = [cities / FIRST]
    for name, (spoil, _) in BAD.items():
        folder = lone(name)
        spoil(folder)
        folders.append(folder)
    (tmp_path / "说明.docx").write_bytes(b"PK")
    folders += [tmp_path / "说明.docx", tmp_path / "没有的文件夹"]
    before = province.fingerprints(tmp_path)
    found = Province.read(folders, Q2, as_of=AS_OF)
    reasons = {one.name: one.reason for one in found.evidence.left_out}
    says = {name: said for name, (_, said) in BAD.items()}
    says |= {"说明.docx": "不是文件夹", "没有的文件夹": "没有这个文件夹"}
    assert list(reasons) == list(says)
    for name, said in says.items():
        assert said in reasons[name], reasons[name]
    assert found.evidence.cities == (merged.evidence.cities[0],)
    assert found.needs_attention
    assert province.fingerprints(tmp_path) == before

    path = found.write(tmp_path / "省.xlsx")
    rows = records(path, "各市（州）情况")
    assert [row["汇总情况"] for row in rows] == ["已汇总", *["未汇总"] * len(says)]
    assert [row["说明"] for row in rows[1:]] == list(reasons.values())
    assert all(row["应报单位"] is None for row in rows[1:])
    cells = [c.value for row in load_workbook(path)["全省总览"].iter_rows() for c in row if c.value]
    assert set(reasons.values()) <= set(cells)
    assert any(str(text).startswith(f"注意：{len(says)} 个文件夹未汇总") for text in cells)
    said = {row["事项"]: row["说明"] for row in records(path, "口径说明")}
    assert all(reason in said["未计入的文件夹"] for reason in reasons.values())


def test_a_ledger_that_another_program_keeps_to_itself_is_left_out_soon(lone, cities, monkeypatch):
    monkeypatch.setattr(ledger, "SNAPSHOT_SECONDS", 0.1)
    folder = lone("被占用")
    db = sqlite3.connect(folder / ".bioduty" / "ledger.sqlite", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    assert "正被其他程序占用" in left_out([cities / FIRST, folder])["被占用"]
    assert time.monotonic() - started < 5
    db.close()


def test_a_city_counts_while_its_own_pass_is_at_work(lone):
    """The lock is for those who write."""
    folder = lone("正在运行")
    with Workspace.open(folder).locked():
        found = Province.read([folder], Q2, as_of=AS_OF)
    assert not found.needs_attention


def test_where_no_folder_can_be_read_there_is_no_book(tmp_path):
    with pytest.raises(BiodutyError) as caught:
        Province.read([tmp_path, tmp_path / "无"], Q2, as_of=AS_OF)
    assert len(caught.value.details) == 2
    with pytest.raises(ConfigError):
        Province.read([tmp_path], "2024Q9", as_of=AS_OF)


def test_a_folder_given_twice_counts_once(cities, tmp_path):
    (tmp_path / "别名").symlink_to(cities / FIRST)
    given = [cities / FIRST, f"{cities}/../{cities.name}/{FIRST}", tmp_path / "别名"]
    found = Province.read(given, Q2, as_of=AS_OF).evidence
    assert len(found.cities) == 1
    assert [one.is_double for one in found.left_out] == [True, True]


def test_the_same_city_from_two_folders_counts_once_and_says_which_is_newer(lone, tmp_path):
    june, july = lone("6月/某市"), lone("7月/某市")
    db = sqlite3.connect(june / ".bioduty" / "ledger.sqlite")
    with db:
        db.execute("DELETE FROM entries")
        db.execute("DELETE FROM findings")
        db.execute("DELETE FROM files WHERE received > '2024-06-25'")
    db.close()
    found = Province.read([june, july], Q2, as_of=AS_OF)
    (city,), (double,) = found.evidence.cities, found.evidence.left_out
    assert (city.name, city.folder) == ("某市", str(june))
    assert double.is_double
    assert "最后收件 2024-06-24 23:59，本文件夹最后收件 2024-06-27 23:59" in double.reason
    path = found.write(tmp_path / "省.xlsx")
    assert [row["汇总情况"] for row in records(path, "各市（州）情况")] == ["已汇总", "重复"]
    shown = [c.value for c in load_workbook(path)["全省总览"]["D"]]
    assert shown.count("某市") == 1


def test_cities_whose_folders_have_one_name_are_told_apart_by_the_folder_above(lone):
    folders = [lone("子市/报送", 101), lone("丑市/报送", 102), lone("寅市", 103)]
    found = Province.read(folders, Q2, as_of=AS_OF)
    assert [city.name for city in found.evidence.cities] == ["子市/报送", "丑市/报送", "寅市"]
    assert not found.needs_attention


def test_the_name_in_the_settings_goes_before_the_folders(lone):
    folders = [lone("a", 101), lone("b", 102)]
    for folder in folders:
        province.setting(folder, 'region = ""', 'region = "卯市"')
    found = Province.read(folders, Q2, as_of=AS_OF).evidence
    assert [city.name for city in found.cities] == ["卯市"]
    assert "office.region" in found.left_out[0].reason


def test_a_name_with_letters_that_no_file_can_hold_is_cleaned_and_the_book_opens(lone, tmp_path):
    folders = [lone("a", 101), lone("乙\x07市", 102)]
    province.setting(folders[0], 'region = ""', 'region = "甲\\u0001\\n市"')
    found = Province.read(folders, Q2, as_of=AS_OF)
    assert [city.name for city in found.evidence.cities] == ["甲 市", "乙 市"]
    path = found.write(tmp_path / "省.xlsx")
    assert [row["市（州）"] for row in records(path, "各市（州）情况")] == ["甲 市", "乙 市"]
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            ElementTree.fromstring(package.read(name))


def test_a_copy_under_another_name_counts_but_is_doubted(lone, tmp_path):
    found = Province.read([lone("辰市"), lone("辰市 副本"), lone("巳市", 101)], Q2, as_of=AS_OF)
    doubts = {city.name: city.doubts for city in found.evidence.cities}
    assert "辰市 副本" in doubts["辰市"][0]
    assert "辰市" in doubts["辰市 副本"][0]
    assert doubts["巳市"] == ()
    assert found.needs_attention
    path = found.write(tmp_path / "省.xlsx")
    assert "疑为重复，请核实：辰市、辰市 副本" in load_workbook(path)["全省总览"]["A3"].value
    assert "疑为同一工作区的副本" in records(path, "各市（州）情况")[0]["说明"]


def test_the_command_writes_the_book_and_says_where_each_city_stands(cities, merged, tmp_path):
    given = [cities / name for name in (FIRST, OTHER, CLOSED)]
    folder = tmp_path / "汇 总"
    folder.mkdir()
    options = ("--period", "2024年第二季度", "--as-of", AS_OF)
    out = bioduty("rollup", *given, *options, cwd=folder)
    path = folder / "全省汇总_2024Q2.xlsx"
    assert path.name in out
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.split()}
    assert lines[OTHER][1:] == ["3", "2", "1", "1", "1", "8", "4", "0", "0"]
    assert lines[CLOSED][-1] == "2024-07-09"
    assert lines["合计"][1:3] == ["13", "7"]
    again = json.loads(bioduty("rollup", *given, *options, "--json", "-o", path))
    assert Path(again["workbook"]) == path
    assert [city["name"] for city in again["cities"]] == [FIRST, OTHER, CLOSED]
    expected = [city.as_json() for city in merged.evidence.cities[:3]]
    assert again["cities"] == expected
    assert again["units"]["returned"] == sum(city["units"]["returned"] for city in expected)
    assert again["left_out"] == []


def test_the_command_exits_3_where_a_folder_is_left_out_and_1_where_all_are(cities, tmp_path):
    """The period left out is the one that is usually current."""
    bad = tmp_path / "空 文件夹"
    bad.mkdir()
    options = ("--as-of", "2024-07-09", "-o", tmp_path / "省.xlsx")
    done = run("rollup", cities / FIRST, bad, *options, "--json")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [f"未计入：{bad}：不是工作区（没有 bioduty.toml）"]
    said = json.loads(done.stdout)
    assert said["period"] == Q2
    (one,) = said["left_out"]
    assert (one["name"], one["folder"]) == ("空 文件夹", str(bad))
    (tmp_path / "省.xlsx").unlink()
    assert str(bad) in failed("rollup", bad, *options, expect=1)
    assert not (tmp_path / "省.xlsx").exists()


def test_a_book_that_is_open_elsewhere_is_written_beside(merged, tmp_path, monkeypatch):
    from bioduty_xl.layout import atomic

    real = atomic.os.replace

    def refuse(source, target):
        if str(target).endswith("省.xlsx"):
            raise PermissionError(13, "in use", str(target))
        real(source, target)

    (tmp_path / "省.xlsx").write_bytes(b"old")
    monkeypatch.setattr(atomic.os, "replace", refuse)
    monkeypatch.setattr(atomic.time, "sleep", lambda _: None)
    assert merged.write(tmp_path / "省.xlsx").name == "省_2.xlsx"
    assert (tmp_path / "省.xlsx").read_bytes() == b"old"


@pytest.mark.office
def test_libreoffice_opens_the_book_and_shows_the_same(office, book):
    titles = ("全省总览", "各市（州）情况", "各市任务情况")
    shown = office.run(
        libreoffice.opening(book),
        libreoffice.reading(titles[0], "A6", "B9"),
        libreoffice.reading(titles[1], "B2", "D2", "L2"),
        libreoffice.reading(titles[2], "A2", "G2"),
    )
    assert shown[1]["A6"] == "未汇总的文件夹"
    assert shown[2] == {"B2": FIRST, "D2": "2024-06-25", "L2": "60.0%"}
    assert shown[3]["G2"] == "1/2"
