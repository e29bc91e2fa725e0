"""Consolidating costs so much a unit, however many units there are: counted, not timed."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from bigcity import settle

import bioduty_xl
from bioduty_xl import Workspace

OURS = str(Path(bioduty_xl.__file__).parent)


def lines_run(work):
    """How many lines of the program a piece of work runs; each turn of a loop is one."""
    lines = Counter()

    def count(frame, event, _):
        if event == "line":
            lines[frame.f_code.co_qualname] += 1
        return count

    def enter(frame, *_):
        return count if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.slow
def test_four_times_the_units_cost_four_times_the_work(tmp_path):
    few, many = (
        settle(Workspace.create(tmp_path / str(units)), units, "2024Q1", "2024Q2")
        for units in (38, 152)
    )

    def consolidated(workspace):
        return lines_run(lambda: workspace.consolidate("2024Q2", as_of="2024-07-05"))

    for workspace in (few, many):
        workspace.consolidate("2024Q2", as_of="2024-07-04")  # writes the correction copies
    small, large = consolidated(few), consolidated(many)
    assert small.total() > 25_000
    assert large.total() < 4.4 * small.total(), [
        (name, small[name], count)
        for name, count in large.most_common(40)
        if count > 5 * small[name]
    ]
