"""The rate: never more than the burst and what the time since allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.rate_limit import Rate, take
from hookline.exceptions import ConfigurationError


def test_a_burst_is_let_through_at_once_and_then_one_each_interval() -> None:
    rate = Rate(10, 3)
    taken = take(rate, 0.0, 1000.0, 5)
    assert (taken.number, round(taken.wait, 6)) == (3, 0.1)
    assert take(rate, taken.due, 1000.05, 1).number == 0
    assert take(rate, taken.due, 1000.1, 5).number == 1
    assert take(rate, taken.due, 1000.3, 5).number == 3
    assert take(rate, taken.due, 2000.0, 5).number == 3  # a pause saves up no more than the burst


def test_a_slow_rate_waits_for_minutes() -> None:
    rate = Rate(1 / 60, 1)
    taken = take(rate, 0.0, 0.0, 1)
    assert (taken.number, taken.wait) == (1, 60.0)


@given(
    st.floats(0.1, 1000),
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 50)), min_size=1, max_size=30),
)
def test_no_span_of_time_lets_through_more_than_the_burst_and_the_rate(
    per_second: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    rate, due, now = Rate(per_second, burst), 0.0, 1_000.0
    begin, total = now, 0
    for pause, wanted in asked:
        now += pause
        taken = take(rate, due, now, wanted)
        assert 0 <= taken.number <= wanted
        due, total = taken.due, total + taken.number
        assert total <= burst + (now - begin) * per_second + 0.01
        if taken.number < wanted:  # when the wait is over, there is room for one
            assert take(rate, due, now + taken.wait + 0.001, 1).number == 1


@pytest.mark.parametrize(("limit", "burst"), [(0, None), (-1, None), (2e6, None), (None, 3), (1, 0), (float("nan"), 1)])
def test_numbers_that_make_no_sense_are_refused(limit: float | None, burst: int | None) -> None:
    with pytest.raises(ConfigurationError):
        Rate.of(limit, burst)


def test_without_a_burst_it_is_a_seconds_worth() -> None:
    assert Rate.of(2.5, None) == Rate(2.5, 3)
    assert Rate.of(None, None) is None
