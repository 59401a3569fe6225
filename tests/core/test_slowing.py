from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.slowing import Slowing, held, resumed, slowed


def test_the_first_answer_that_asks_for_less_leaves_twenty_a_second_and_each_later_one_halves() -> None:
    first = slowed(None, 100.0)
    assert first.rate_at(100.0) == 20
    second = slowed(first, 102.0)  # the rate had grown by 2 ** 0.4 by then
    assert second.rate_at(102.0) == pytest.approx(13.195, abs=0.001)


def test_hundreds_that_were_under_way_halve_it_once() -> None:
    first = slowed(None, 100.0)
    assert slowed(first, 101.9) is first


def test_it_doubles_every_five_seconds_until_nothing_is_held_back() -> None:
    slow = slowed(None, 0.0)
    assert [slow.rate_at(now) for now in (0, 5, 10, 15)] == [20, 40, 80, 160]
    assert slow.rate_at(20) is None


def test_one_in_five_seconds_is_the_least() -> None:
    slow = None
    for now in range(0, 200, 2):
        slow = slowed(slow, float(now))
    assert slow is not None
    assert slow.rate_at(198.0) == 0.2


def test_an_endpoint_that_is_back_starts_at_twenty_unless_it_was_slower() -> None:
    assert resumed(None, 50.0) == Slowing(20.0, 50.0)
    assert resumed(Slowing(0.5, 50.0), 50.0) == Slowing(0.5, 50.0)
    assert resumed(Slowing(0.5, 0.0), 50.0) == Slowing(20.0, 50.0)


def test_one_that_gets_nothing_for_now_is_not_sped_up_meanwhile() -> None:
    away = held(None, 0.0)
    assert (away.rate_at(1e9), resumed(away, 1e9)) == (20, Slowing(20.0, 1e9))
    assert resumed(held(Slowing(0.5, 50.0), 50.0), 1e9) == Slowing(0.5, 1e9)


def test_a_time_that_is_still_to_come_counts_as_now() -> None:
    assert Slowing(20.0, 1e12).rate_at(0.0) == 20


@given(st.floats(0.2, 320), st.floats(0, 4e9), st.floats(0, 4e9))
def test_the_rate_is_always_between_the_bounds_or_none(rate: float, at: float, now: float) -> None:
    found = slowed(Slowing(rate, at), now).rate_at(now)
    assert found is None or 0.2 <= found < 320
