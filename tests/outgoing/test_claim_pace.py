"""When a sender may claim again."""

from __future__ import annotations

import pytest

from hookline.outgoing.deliver.claim_pace import ClaimPace


@pytest.mark.parametrize(
    ("count", "waited", "drained", "high_inflow", "pause"),
    [
        (8, 0.0, True, True, 0.0),  # little is published
        (9, 0.0, True, False, 0.03),  # three times as long as the claim took
        (9, 0.0, False, False, 0.0),  # there is more already
        (9, 0.0, False, True, 0.05),  # asked again soon, whether the inflow is still high
        (9, 1.0, False, True, 0.0),  # it is behind
    ],
)
def test_the_next_claim_waits_only_where_much_comes(
    count: int, waited: float, drained: bool, high_inflow: bool, pause: float
) -> None:
    pace = ClaimPace(ask_again=0.05)
    pace.claimed(count, waited, 100.0, 0.01, drained=drained)
    assert max(0.0, pace.pause(100.0, high_inflow=high_inflow)) == pytest.approx(pause)
    assert pace.pause(100.1, high_inflow=high_inflow) <= 0


def test_nothing_gathers_where_deliveries_were_just_given() -> None:
    pace = ClaimPace(ask_again=0.05)
    pace.was_given(99.5)
    pace.claimed(50, 0.0, 100.0, 0.01, drained=True)
    assert pace.pause(100.0, high_inflow=False) <= 0
    pace.claimed(50, 0.0, 101.0, 0.01, drained=True)
    assert pace.pause(101.0, high_inflow=False) == pytest.approx(0.03)


def test_a_slow_claim_does_not_put_off_the_next_one_for_long() -> None:
    pace = ClaimPace(ask_again=0.05)
    pace.claimed(50, 0.0, 100.0, 2.0, drained=True)
    assert pace.pause(100.0, high_inflow=False) == pytest.approx(0.05)
