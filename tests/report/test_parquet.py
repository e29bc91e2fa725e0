"""The full merge as Parquet: what `entries` says, with types, whole or not at all."""

import json
import os
import sys
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pytest
from books import FILLED, fill, without_marks
from commands import bioduty, run
from pyarrow import parquet

from bioduty_xl import Workspace
from bioduty_xl.errors import ConfigError
from bioduty_xl.report import frames
from bioduty_xl.report.frames import ENTRY_COLUMNS
from bioduty_xl.report.parquet import to_parquet

AS_OF = "2024-06-26"
HOSTILE = ["=1+1", "NA", " 首尾有空格 ", "一行\n两行", "😀", "长" * 32767]


@pytest.fixture
def returned(q2, form):
    answers = {f"T{n:02d}": {**FILLED, "remark": text} for n, text in enumerate(HOSTILE, start=1)}
    fill(form("东区人民政府"), q2.inbox / "a.xlsx", answers=answers)
    q2.collect(as_of="2024-06-20")
    return q2


def test_it_says_what_entries_says(returned):
    returned.consolidate("2024Q2", as_of=AS_OF, parquet=True)
    read = parquet.read_table(returned.parquet_file("2024Q2")).to_pylist()
    entries = returned.entries("2024Q2", as_of=AS_OF)
    assert read == entries.to_dict("records")
    assert len(read) == 289
    told = [row["remark"] for row in read if row["code"] == "C01"][: len(HOSTILE)]
    assert told == HOSTILE


def test_its_columns_have_types_and_its_times_are_those_of_the_workbook(returned):
    returned.consolidate("2024Q2", as_of=AS_OF, parquet=True)
    schema = parquet.read_schema(returned.parquet_file("2024Q2"))
    assert tuple(schema.names) == ENTRY_COLUMNS
    assert {name: schema.field(name).type for name in ("required", "no", "revision")} == {
        "required": pa.bool_(),
        "no": pa.int32(),
        "revision": pa.int32(),
    }
    assert schema.field("received").type == pa.timestamp("us")
    assert {name for name in schema.names if schema.field(name).nullable} == {
        "revision",
        "received",
    }
    assert schema.metadata[b"as_of"] == b"2024-06-26T23:59:59+08:00"
    read = parquet.read_table(returned.parquet_file("2024Q2")).to_pylist()
    came = {row["code"]: row["received"] for row in read}
    assert came["C01"] == datetime(2024, 6, 20, 23, 59, 59)
    assert came["U02"] is None


def test_columns_of_the_coordinators_own_are_in_it(q2, form):
    entries = q2.entries("2024Q2", as_of=AS_OF)
    own = pd.Series(["甲\ud800"] * len(entries), dtype=object)
    every = entries.assign(**dict.fromkeys([*frames._HELPERS, "unit_order"], ""), **{"+科室": own})
    content = to_parquet(every, q2.standing("2024Q2", as_of=AS_OF))
    read = parquet.read_table(pa.BufferReader(content))
    assert set(read["+科室"].to_pylist()) == {"甲\ufffd"}


def test_the_same_merge_gives_the_same_bytes(returned):
    returned.consolidate("2024Q2", as_of=AS_OF, parquet=True)
    first = returned.parquet_file("2024Q2").read_bytes()
    returned.parquet_file("2024Q2").unlink()
    Workspace.open(returned.root).consolidate("2024Q2", as_of=AS_OF, parquet=True)
    assert returned.parquet_file("2024Q2").read_bytes() == first


def test_it_is_written_where_it_is_asked_for_alone(returned):
    book = returned.consolidate("2024Q2", as_of=AS_OF)
    assert not returned.parquet_file("2024Q2").exists()
    assert returned.parquet_file("2024Q2").parent == book.parent


def test_that_of_a_closed_quarter_lacks_what_was_settled_after_the_close(returned, form):
    fill(form("市林业局"), returned.inbox / "不明来件.xlsx", change=without_marks)
    (held,) = returned.collect(as_of="2024-06-21").files
    returned.close("2024Q2")
    assert held.verdict == "held"
    assigned = returned.assign(held.sha256, "市林业局", "2024Q2", "电话核实", as_of="2024-07-20")
    assert assigned.verdict == "accepted"
    returned.consolidate("2024Q2", as_of="2024-07-21", parquet=True)
    read = parquet.read_table(returned.parquet_file("2024Q2")).to_pylist()
    assert {row["code"] for row in read if row["file"]} == {"C01"}


def test_one_that_cannot_be_written_costs_no_book(returned):
    returned.parquet_file("2024Q2").mkdir(parents=True)
    with pytest.raises(OSError, match="parquet"):
        returned.consolidate("2024Q2", as_of=AS_OF, parquet=True)
    assert returned.report_file("2024Q2").is_file()


def test_that_of_a_closed_quarter_shows_its_closing(returned, form):
    closed = returned.close("2024Q2")
    fill(form("市林业局"), returned.inbox / "late.xlsx")
    returned.collect(as_of="2024-07-20")
    published = closed.read_bytes()
    returned.consolidate("2024Q2", as_of="2024-07-21", parquet=True)
    assert closed.read_bytes() == published
    read = parquet.read_table(returned.parquet_file("2024Q2")).to_pylist()
    assert {row["code"] for row in read if row["file"]} == {"C01"}


def test_without_the_extra_nothing_is_written_and_it_is_said_how_to_get_it(returned, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"pip install 'bioduty-xl\[parquet\]'"):
        returned.consolidate("2024Q2", as_of=AS_OF, parquet=True)
    assert not returned.report_file("2024Q2").exists()
    returned.consolidate("2024Q2", as_of=AS_OF)


def test_the_command_names_both_files(returned):
    asked = ("consolidate", "2024Q2", "--workspace", returned.root, "--as-of", AS_OF, "--parquet")
    out = json.loads(bioduty(*asked, "--json"))
    assert out["parquet"] == str(returned.parquet_file("2024Q2"))
    assert bioduty(*asked).splitlines() == [
        f"已写出：{returned.report_file('2024Q2')}",
        f"已写出：{returned.parquet_file('2024Q2')}",
    ]


def test_the_command_without_the_extra_is_a_matter_of_settings(returned, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    asked = ("consolidate", "2024Q2", "--workspace", returned.root, "--as-of", AS_OF)
    done = run(*asked, "--parquet", env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("错误：写 Parquet 文件需要 pyarrow")
    assert "Traceback" not in done.stderr
    assert run(*asked, env={**os.environ, "PYTHONPATH": path}).returncode == 0
