"""A table of histories, each a line of what the breaker went through and what is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline.core.breaker import AT_REST, Breaker, BreakerSettings, admits, record
from hookline.core.suspension import Notice, SuspensionSettings, judge

BREAKER = BreakerSettings()


def history(answers: str, settings: SuspensionSettings, apart: float = 0.0) -> list[tuple[int, Notice]]:
    """What is told after which answer: `x` failed, `o` succeeded, each `apart` seconds after the one before.

    The clock goes on to when the breaker admits one.
    """
    breaker, now, told = AT_REST, 1000.0, list[tuple[int, Notice]]()
    for number, answer in enumerate(answers, start=1):
        now += apart
        while not (decision := admits(breaker, now, BREAKER)).admit:
            now = decision.retry_at or now
        after = record(decision.breaker, answer == "o", now, BREAKER)
        if (notice := judge(decision.breaker, after, now, settings)) is not None:
            told.append((number, notice))
            after = replace(after, warned=notice is Notice.FAILING)
        breaker = after
    return told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ("x" * 9 + "o" + "x" * 9, []),
        ("x" * 10 + "oo", []),
        # The ten that come together and open it are the first failure, so the fifth is the fourteenth answer.
        ("x" * 14, [(14, Notice.FAILING)]),
        ("x" * 14 + "oo", [(14, Notice.FAILING), (16, Notice.RECOVERED)]),
        ("x" * 14 + "ox" + "x", [(14, Notice.FAILING)]),
        ("x" * 19, [(14, Notice.FAILING), (19, Notice.SUSPENDED)]),
    ],
)
def test_it_warns_at_half_of_the_failures_suspends_at_all_and_tells_of_a_recovery(
    answers: str, told: list[tuple[int, Notice]]
) -> None:
    assert history(answers, SuspensionSettings()) == told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ("xxxx", []),
        ("xxxxxo", [(5, Notice.FAILING), (6, Notice.RECOVERED)]),
        ("xxxxoxxxxo", []),
        ("x" * 10, [(5, Notice.FAILING), (10, Notice.SUSPENDED)]),
        (
            "xxxxx" + "o" + "x" * 10,
            [(5, Notice.FAILING), (6, Notice.RECOVERED), (11, Notice.FAILING), (16, Notice.SUSPENDED)],
        ),
    ],
)
def test_of_an_endpoint_that_gets_something_every_minute_each_failed_attempt_counts(
    answers: str, told: list[tuple[int, Notice]]
) -> None:
    assert history(answers, SuspensionSettings(), apart=60) == told


def test_a_time_of_only_failures_suspends_without_their_number() -> None:
    by_time = SuspensionSettings(failures=0, seconds=3600)
    # Pauses of 30, 60, 120, 240, 480 and then 600 seconds: an hour is over with the tenth opening.
    assert history("x" * 25, by_time)[:2] == [(14, Notice.FAILING), (20, Notice.SUSPENDED)]


def test_zero_suspends_never() -> None:
    assert history("x" * 100, SuspensionSettings(0, 0)) == [(14, Notice.FAILING)]


def test_the_ordinary_success_is_nothing_to_tell_of() -> None:
    assert judge(AT_REST, AT_REST, 0.0, SuspensionSettings()) is None
    assert judge(Breaker(failures=3), AT_REST, 0.0, SuspensionSettings()) is None
