from datetime import date

import pytest

from bioduty_xl.domain.period import Period


@pytest.mark.parametrize(
    "text",
    ["2024Q2", "2024q2", " 2024Q2 ", "2024-2", "2024年第二季度", "2024年2季度", "2024年第2季度"],
)
def test_a_quarter_is_read_in_the_ways_people_write_it(text):
    assert Period.parse(text) == Period(2024, 2)


@pytest.mark.parametrize("text", ["", "2024", "2024Q5", "24Q1", "Q2", "2024Q22", "二季度"])
def test_what_is_no_quarter_is_refused(text):
    with pytest.raises(ValueError, match="not a quarter"):
        Period.parse(text)


def test_quarters_follow_each_other_through_the_year_end():
    assert Period(2024, 4).shift(1) == Period(2025, 1)
    assert Period(2024, 1).shift(-1) == Period(2023, 4)
    assert Period(2023, 4) < Period(2024, 1)
    assert sorted([Period(2024, 2), Period(2023, 4)])[0] == Period(2023, 4)


def test_a_day_falls_in_its_quarter():
    assert Period.containing(date(2024, 3, 31)) == Period(2024, 1)
    assert Period.containing(date(2024, 4, 1)) == Period(2024, 2)
    assert Period(2024, 2).label == "2024年第二季度"
    assert Period(2024, 2).start == date(2024, 4, 1)
