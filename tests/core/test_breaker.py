from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hookline.core.breaker import AT_REST, Breaker, BreakerSettings, State, admits, record

SETTINGS = BreakerSettings(trip_after=3, first_pause=30, longest_pause=600, probes=2, close_after=2, probe_patience=60)


def fail(breaker: Breaker, times: int, now: float = 0.0) -> Breaker:
    for _ in range(times):
        breaker = record(breaker, False, now, SETTINGS)
    return breaker


def probing(now: float = 30.0) -> Breaker:
    return admits(fail(Breaker(), 3), now, SETTINGS).breaker


def test_a_new_breaker_admits_everything_and_needs_no_write() -> None:
    breaker = Breaker()
    decision = admits(breaker, 0.0, SETTINGS)
    assert decision.admit
    assert decision.breaker is breaker
    assert record(breaker, True, 0.0, SETTINGS) is breaker


def test_failures_in_a_row_open_it() -> None:
    assert fail(Breaker(), 2).state is State.CLOSED
    assert fail(Breaker(), 3, now=100.0) == Breaker(
        State.OPEN,
        failures=3,
        trips=1,
        opened_at=100.0,
        open_until=130.0,
        counted=1,
        counted_at=100.0,
        failing_since=100.0,
    )


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = record(fail(Breaker(), 2), True, 0.0, SETTINGS)
    assert breaker == Breaker()
    assert fail(breaker, 2).state is State.CLOSED


def test_an_open_breaker_says_when_to_ask_again() -> None:
    breaker = fail(Breaker(), 3, now=100.0)
    decision = admits(breaker, 129.9, SETTINGS)
    assert not decision.admit
    assert decision.retry_at == 130.0
    assert decision.breaker is breaker


def test_late_results_do_not_change_an_open_breaker() -> None:
    breaker = fail(Breaker(), 3)
    assert record(breaker, False, 1.0, SETTINGS) is breaker
    assert record(breaker, True, 1.0, SETTINGS) is breaker


def test_after_the_pause_a_few_probes_are_admitted() -> None:
    first = admits(fail(Breaker(), 3), 30.0, SETTINGS)
    second = admits(first.breaker, 30.1, SETTINGS)
    third = admits(second.breaker, 30.2, SETTINGS)
    assert (first.admit, second.admit, third.admit) == (True, True, False)
    assert third.breaker.state is State.HALF_OPEN
    # The others wait for the results of these, or until they count as lost.
    assert (third.retry_at, third.breaker.held_until) == (90.0, 90.0)
    assert second.breaker.full
    assert not first.breaker.full
    assert first.breaker.held_until is None


def test_enough_successful_probes_close_it() -> None:
    breaker = record(probing(), True, 31.0, SETTINGS)
    assert breaker.state is State.HALF_OPEN
    assert record(breaker, True, 31.0, SETTINGS) == Breaker()


def test_a_successful_probe_makes_room_for_the_next() -> None:
    full = admits(probing(), 30.1, SETTINGS).breaker
    assert not admits(full, 31.0, SETTINGS).admit
    assert admits(record(full, True, 31.0, SETTINGS), 31.0, SETTINGS).admit


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_longest_pause() -> None:
    breaker, now, pauses = fail(Breaker(), 3), 0.0, []
    for _ in range(8):
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker = record(admits(breaker, now, SETTINGS).breaker, False, now, SETTINGS)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]
    assert breaker.opened_at == 0.0


def test_failures_that_come_together_count_once_and_every_other_one_counts() -> None:
    patient = BreakerSettings(trip_after=1000, apart=30)
    breaker = AT_REST
    for now in (0.0, 0.1, 29.9, 30.0, 31.0, 100.0):
        breaker = record(breaker, False, now, patient)
    assert (breaker.failures, breaker.counted, breaker.failing_since) == (6, 3, 0.0)
    assert record(breaker, True, 101.0, patient) is AT_REST


def test_a_successful_probe_ends_the_row_of_failures_although_it_does_not_close_the_breaker() -> None:
    breaker = record(probing(), True, 31.0, SETTINGS)
    assert (breaker.state, breaker.failures, breaker.counted, breaker.failing_since) == (State.HALF_OPEN, 0, 0, None)
    assert record(breaker, False, 32.0, SETTINGS).counted == 1


def test_closing_forgets_the_earlier_pauses() -> None:
    breaker = probing()
    for _ in range(2):
        breaker = record(breaker, True, 31.0, SETTINGS)
    assert fail(breaker, 3, now=100.0).open_until == 130.0


def test_probes_lost_with_their_worker_are_forgotten() -> None:
    full = admits(probing(), 30.0, SETTINGS).breaker
    assert not admits(full, 89.9, SETTINGS).admit
    assert admits(full, 90.0, SETTINGS).admit


def test_a_pause_written_by_a_wrong_clock_does_not_last() -> None:
    assert admits(fail(Breaker(), 3, now=1e9), 0.0, SETTINGS).admit


def test_the_hundred_thousandth_trip_is_no_longer_than_the_longest_pause() -> None:
    breaker = Breaker(State.HALF_OPEN, trips=100_000, opened_at=0.0, open_until=60.0)
    assert record(breaker, False, 0.0, SETTINGS).open_until == 600.0


@pytest.mark.parametrize("breaker", [Breaker(), fail(Breaker(), 2), fail(Breaker(), 3), probing()])
def test_a_breaker_survives_being_stored_as_json(breaker: Breaker) -> None:
    assert Breaker.load(json.loads(json.dumps(breaker.dump()))) == breaker


def test_a_breaker_at_rest_is_stored_as_nothing() -> None:
    assert Breaker().dump() == {}


def test_what_a_later_version_stored_is_still_readable() -> None:
    assert Breaker.load({"state": "open", "trips": 2, "colour": "red"}) == Breaker(State.OPEN, trips=2)


@given(st.lists(st.booleans()), st.floats(0, 1e10))
def test_fewer_failures_in_a_row_than_the_limit_never_open_it(results: list[bool], now: float) -> None:
    breaker, row = Breaker(), 0
    for succeeded in results:
        row = 0 if succeeded else row + 1
        if row == SETTINGS.trip_after:
            return
        breaker = record(breaker, succeeded, now, SETTINGS)
        assert breaker.state is State.CLOSED


class AnyHistory(RuleBasedStateMachine):
    """Results and questions in any order, as several workers would produce them, on a clock that may step back."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(), 1e9

    @rule(seconds=st.floats(-5, 1000))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(succeeded=st.booleans())
    def a_result_comes(self, succeeded: bool) -> None:
        self.breaker = record(self.breaker, succeeded, self.now, SETTINGS)

    @rule()
    def a_worker_asks(self) -> None:
        decision = admits(self.breaker, self.now, SETTINGS)
        if decision.admit:
            assert decision.retry_at is None
        else:
            assert decision.breaker is self.breaker
            assert decision.retry_at is not None
            assert self.now < decision.retry_at <= self.now + SETTINGS.longest_pause
        self.breaker = decision.breaker

    @invariant()
    def the_columns_agree_with_the_state(self) -> None:
        breaker = self.breaker
        assert 0 <= breaker.probes <= SETTINGS.probes
        assert 0 <= breaker.successes < SETTINGS.close_after
        closed = breaker.state is State.CLOSED
        assert (breaker.opened_at is None) == (breaker.open_until is None) == (breaker.trips == 0) == closed
        if closed:
            assert breaker.failures < SETTINGS.trip_after

    @invariant()
    def no_breaker_keeps_an_endpoint_out_for_longer_than_the_longest_pause(self) -> None:
        assert admits(self.breaker, self.now + SETTINGS.longest_pause, SETTINGS).admit

    @invariant()
    def it_can_be_stored(self) -> None:
        assert Breaker.load(json.loads(json.dumps(self.breaker.dump()))) == self.breaker


TestAnyHistory = AnyHistory.TestCase
