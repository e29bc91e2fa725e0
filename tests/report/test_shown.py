"""The fingerprint of a book: another one whenever the book would look otherwise, else the same."""

from dataclasses import replace

import pytest
from year import PLAN

from bioduty_xl import Workspace, evidence
from bioduty_xl.domain.calendar import moment
from bioduty_xl.plan.book import write_plan
from bioduty_xl.report import frames
from bioduty_xl.report.book import render


def look(city, as_of="2024-06-10"):
    """The fingerprint of the book as it would be, and the book."""
    ws = Workspace.open(city.ws.root)
    with ws._ledger(read_only=True) as ledger:
        found = evidence.gather(ws.terms, ledger, ws.period("2024Q2"), moment(as_of))
    tables = frames.sheets(found)
    return frames.shown(found, tables), render(found, tables)


def duty_less():
    """A unit that may report on an item no longer does: white becomes grey in the matrix."""
    item = PLAN.items[0]
    assert item.responsible
    return replace(PLAN, items=(replace(item, responsible=item.responsible[:-1]), *PLAN.items[1:]))


@pytest.mark.parametrize(
    "changed",
    [
        duty_less(),
        replace(PLAN, parts=(replace(PLAN.parts[0], title="保护和恢复"),)),
        replace(PLAN, title="生物多样性保护责任分工方案（修订）"),
    ],
    ids=["a duty", "a part's title", "the plan's title"],
)
def test_what_the_book_shows_of_the_plan_is_in_its_fingerprint(city, changed):
    shown, book = look(city)
    write_plan(changed, city.ws.root / "plan.xlsx")
    now, other = look(city)
    assert other != book
    assert now != shown


def test_the_moment_is_not(city):
    (shown, book), (later, other) = look(city), look(city, "2024-06-12")
    assert book != other
    assert shown == later
