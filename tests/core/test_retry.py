"""Expected values: the example schedule of Standard Webhooks (5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.retry import RetrySchedule, check_own
from hookline.exceptions import ConfigurationError

STANDARD = RetrySchedule()
DAY = 86400


def test_the_default_is_the_schedule_of_standard_webhooks() -> None:
    waits = [STANDARD.next_delay(attempt, random=0.0) for attempt in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_jitter_only_lengthens() -> None:
    schedule = RetrySchedule((100.0,), jitter=0.2)
    assert schedule.next_delay(1, random=0.0) == 100.0
    assert schedule.next_delay(1, random=0.5) == pytest.approx(110.0)
    assert schedule.next_delay(1, random=0.999999) == pytest.approx(120.0, abs=0.001)


def test_the_longer_of_schedule_and_retry_after_counts() -> None:
    assert STANDARD.next_delay(1, random=0.0, at_least=60.0) == 60.0
    assert STANDARD.next_delay(2, random=0.0, at_least=60.0) == 300.0


def test_retry_after_does_not_add_attempts() -> None:
    assert STANDARD.next_delay(10, random=0.0, at_least=60.0) is None


def test_an_empty_schedule_means_one_attempt() -> None:
    assert RetrySchedule(()).next_delay(1, random=0.0) is None


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="attempts are counted from 1, not 0"):
        STANDARD.next_delay(0, random=0.0)


@pytest.mark.parametrize("delays", [(-1.0,), (math.inf,), (math.nan,), (1e300,)])
def test_a_schedule_of_impossible_waits_is_a_configuration_error(delays: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match="retry delays"):
        RetrySchedule(delays)


@pytest.mark.parametrize("jitter", [-0.1, 1.1, math.nan, math.inf])
def test_impossible_jitter_is_a_configuration_error(jitter: float) -> None:
    with pytest.raises(ConfigurationError, match="retry jitter"):
        RetrySchedule(jitter=jitter)


@given(
    st.lists(st.floats(0, 366 * DAY), max_size=12),
    st.floats(0, 1),
    st.integers(1, 10**30),
    st.floats(0, 1, exclude_max=True),
    st.floats(),
)
def test_a_wait_is_never_negative_nor_beyond_the_promised_bound(
    delays: list[float], jitter: float, attempt: int, random: float, at_least: float
) -> None:
    wait = RetrySchedule(tuple(delays), jitter).next_delay(attempt, random, at_least)
    if attempt > len(delays):
        assert wait is None
    else:
        assert wait is not None
        assert delays[attempt - 1] <= wait <= (1 + jitter) * max(DAY, *delays)


def test_an_endpoint_s_own_schedule_takes_the_place_of_what_it_names() -> None:
    settings = RetrySchedule((1.0, 2.0), jitter=0.0, deadline=10.0)
    assert settings.changed_by(None) is settings
    assert settings.changed_by({"delays": [7]}) == RetrySchedule((7,), 0.0, 10.0)
    assert settings.changed_by({"deadline": 0}) == RetrySchedule((1.0, 2.0), 0.0, 0)
    assert settings.changed_by({"delays": []}).max_attempts == 1


@pytest.mark.parametrize(
    "own",
    [
        [], "5s", {"delay": [1]}, {"delays": "1,2"}, {"delays": [-1]}, {"delays": ["1"]}, {"delays": [True]},
        {"delays": [1] * 101}, {"deadline": -1}, {"deadline": "1h"}, {"deadline": float("nan")}, {"deadline": 1e9},
    ],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused(own: object) -> None:
    with pytest.raises(ConfigurationError, match="retry"):
        check_own(own)


def test_an_empty_schedule_is_none() -> None:
    assert check_own({}) is None
    assert check_own({"delays": [60], "deadline": 3600}) == {"delays": [60], "deadline": 3600}
