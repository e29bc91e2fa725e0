from datetime import UTC, date, datetime, timedelta

import pytest

from bioduty_xl.domain.calendar import (
    CHINA,
    Calendar,
    Roll,
    SpecialPeriod,
    days_after,
    is_announced,
    moment,
)
from bioduty_xl.domain.period import Period

Q1, Q2 = Period(2024, 1), Period(2024, 2)
FIRST = Calendar(special={Q1: SpecialPeriod(date(2024, 4, 25), date(2023, 3, 3))})


def test_returns_are_due_on_the_25th_of_the_last_month():
    assert FIRST.due(Q2) == date(2024, 6, 25)
    assert FIRST.due(Period(2024, 4)) == date(2024, 12, 25)


def test_the_first_return_has_its_own_date_and_reach():
    assert FIRST.due(Q1) == date(2024, 4, 25)
    assert FIRST.covers(Q1) == (date(2023, 3, 3), date(2024, 4, 25))


@pytest.mark.parametrize(
    ("today", "said"),
    [
        ("2026-11-25", "2026Q4 2026-12-01 下发报送表，2026-12-25 截止，2027-01-08 结账"),
        ("2026-12-01", "2026Q4 2026-12-25 截止，2027-01-08 结账"),
        ("2026-12-25", "2026Q4 2026-12-25 截止，2027-01-08 结账"),
        ("2026-12-26", "2026Q4 2027-01-08 结账"),
        ("2027-01-09", "2027Q1 2027-03-01 下发报送表，2027-03-25 截止，2027-04-08 结账"),
    ],
)
def test_what_comes_next_is_said_by_its_dates(today, said):
    assert Calendar().ahead(moment(today)) == f"接下来：{said}"


def test_no_day_falls_between_two_forms():
    for period in (Q2, Q2.shift(1), Q2.shift(2), Q2.shift(3)):
        first, last = FIRST.covers(period)
        assert last == FIRST.due(period)
        assert first == FIRST.covers(period.shift(-1))[1] + timedelta(days=1)


@pytest.mark.parametrize(
    ("roll", "due"),
    [
        (Roll.NONE, date(2024, 8, 25)),
        (Roll.NEXT, date(2024, 8, 26)),
        (Roll.PREVIOUS, date(2024, 8, 23)),
    ],
)
def test_a_due_date_on_a_sunday_rolls_as_set(roll, due):
    august = Calendar(roll=roll)
    assert august._rolled(date(2024, 8, 25)) == due


def test_an_extension_moves_one_unit_alone():
    calendar = Calendar(extensions={("U01", Q2): date(2024, 7, 5)})
    assert calendar.due(Q2, "U01") == date(2024, 7, 5)
    assert calendar.due(Q2, "U02") == calendar.due(Q2) == date(2024, 6, 25)


@pytest.mark.parametrize(
    ("day", "fault"),
    [
        (date(2024, 6, 24), "早于 2024Q2 的截止日期 2024-06-25"),
        (date(2024, 6, 25), None),
        (date(2024, 9, 25), None),
        (date(2024, 9, 26), "晚了 93 天，最多延 92 天"),
        (date(2042, 7, 5), "晚了 6584 天"),
    ],
)
def test_a_due_date_is_put_off_to_no_earlier_day_and_to_none_far_beyond(day, fault):
    found = Calendar().extension_fault(Q2, day)
    assert found is None if fault is None else fault in found


def test_an_extension_is_measured_from_a_periods_special_date():
    assert FIRST.extension_fault(Q1, date(2024, 4, 25)) is None
    assert "截止日期 2024-04-25" in FIRST.extension_fault(Q1, date(2024, 4, 1))


@pytest.mark.parametrize(
    ("day", "period"),
    [
        ("2024-03-01", Q1),
        ("2024-04-25", Q1),
        ("2024-05-09", Q1),
        ("2024-05-10", Q2),
        ("2024-06-25", Q2),
        ("2024-07-09", Q2),
        ("2024-07-10", Period(2024, 3)),
        ("2020-01-01", Q1),
    ],
)
def test_the_current_period_is_the_one_due_next_or_due_within_fourteen_days_past(day, period):
    assert FIRST.current(moment(day)) == period


def test_the_due_day_itself_is_not_overdue():
    due = date(2024, 6, 25)
    assert days_after(due, moment("2024-06-25T23:59:59")) == 0
    assert days_after(due, moment("2024-06-26T00:00:00")) == 1


def test_overdue_days_are_counted_by_the_day_in_china():
    late_in_london = datetime(2024, 6, 25, 17, 0, tzinfo=UTC)
    assert days_after(date(2024, 6, 25), late_in_london) == 1


def test_working_days_skip_rest_days_and_count_make_up_days():
    # 2024-09-14 was a make-up Saturday, 15 to 17 September the Mid-Autumn holiday.
    assert FIRST.working_days_after(date(2024, 9, 13), moment("2024-09-18")) == 2
    assert FIRST.is_working_day(date(2024, 9, 14))


def test_years_not_announced_fall_back_to_weekends():
    assert not is_announced(2100)
    assert FIRST.is_estimated(2100)
    assert FIRST.is_working_day(date(2100, 1, 4))
    assert not FIRST.is_working_day(date(2100, 1, 3))


def test_registered_days_go_before_what_is_announced_or_guessed():
    calendar = Calendar(days={date(2100, 1, 4): False, date(2024, 6, 22): True})
    assert not calendar.is_estimated(2100)
    assert not calendar.is_working_day(date(2100, 1, 4))
    assert calendar.is_working_day(date(2024, 6, 22))  # a Saturday
    assert not FIRST.is_working_day(date(2024, 6, 22))


def test_distances_in_working_days_go_round_holidays():
    due = date(2024, 9, 25)
    found = [FIRST.working_day(due, distance) for distance in (-5, -1, 1, 4, 5)]
    assert found == [
        *(date(2024, 9, 18), date(2024, 9, 24), date(2024, 9, 26)),
        *(date(2024, 9, 30), date(2024, 10, 8)),  # 29 September was a make-up Sunday
    ]


def test_forms_go_out_on_the_opening_day_of_the_month_in_which_they_are_due():
    assert FIRST.opening(Q2) == date(2024, 6, 1)
    assert FIRST.opening(Q1) == date(2024, 4, 1)
    assert Calendar(open_day=28, due_day=25).opening(Q2) == date(2024, 6, 25)


def test_a_quarter_closes_after_some_days_and_not_before_its_last_extension():
    assert FIRST.closing(Q2) == date(2024, 7, 9)
    extended = Calendar(extensions={("U01", Q2): date(2024, 7, 20), ("U01", Q1): date(2024, 9, 1)})
    assert extended.closing(Q2) == date(2024, 7, 20)


def test_a_date_alone_is_the_end_of_that_day_in_china():
    assert moment("2024-06-26") == datetime(2024, 6, 26, 23, 59, 59, tzinfo=CHINA)
    assert moment("2024-06-26T09:00") == datetime(2024, 6, 26, 9, 0, tzinfo=CHINA)
    assert moment(date(2024, 6, 26)).utcoffset() == timedelta(hours=8)
    with pytest.raises(ValueError):
        moment("yesterday")
