"""Deliveries that wait for their turn: never more at once than allowed, none forgotten, no endpoint left out."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hookline.outgoing.line import Line
from hookline.outgoing.models import Delivery

MOST, PER_ENDPOINT = 5, 2
ENDPOINTS = [UUID(int=number) for number in range(1, 5)]
endpoints = st.sampled_from(ENDPOINTS)


def some(count: int, endpoint: UUID) -> list[Delivery]:
    return [Delivery(endpoint_id=endpoint) for _ in range(count)]


def test_endpoints_take_turns_however_long_the_line_of_one_is() -> None:
    busy, quiet, other = ENDPOINTS[:3]
    line = Line(most=4, per_endpoint=4)
    line.extend(some(10, busy) + some(1, quiet) + some(1, other))
    begun = [line.begin() for _ in range(4)]
    assert [delivery and delivery.endpoint_id for delivery in begun] == [busy, quiet, other, busy]
    assert line.begin() is None


class Lines(RuleBasedStateMachine):
    """The model: what waits and what is under way, as plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(MOST, PER_ENDPOINT)
        self.waiting: list[Delivery] = []
        self.under_way: list[Delivery] = []

    def flying(self, endpoint: UUID) -> int:
        return sum(delivery.endpoint_id == endpoint for delivery in self.under_way)

    @rule(count=st.integers(1, 4), endpoint=endpoints)
    def claim(self, count: int, endpoint: UUID) -> None:
        claimed = some(count, endpoint)
        self.line.extend(claimed)
        self.waiting += claimed

    @rule()
    def begin(self) -> None:
        delivery = self.line.begin()
        if delivery is None:
            free = [d for d in self.waiting if self.flying(d.endpoint_id) < PER_ENDPOINT]
            assert not free or len(self.under_way) == MOST
            return
        # The first of its endpoint.
        assert delivery is next(d for d in self.waiting if d.endpoint_id == delivery.endpoint_id)
        self.waiting.remove(delivery)
        self.under_way.append(delivery)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.under_way:
            delivery = data.draw(st.sampled_from(self.under_way))
            self.under_way.remove(delivery)
            self.line.ended(delivery)

    @rule(endpoint=endpoints)
    def leave(self, endpoint: UUID) -> None:
        assert self.line.leave(endpoint) == [d for d in self.waiting if d.endpoint_id == endpoint]
        self.waiting = [d for d in self.waiting if d.endpoint_id != endpoint]

    @rule()
    def clear(self) -> None:
        assert set(map(id, self.line.clear())) == set(map(id, self.waiting))
        self.waiting = []

    @invariant()
    def never_too_many(self) -> None:
        assert len(self.line) == len(self.waiting)
        assert len(self.under_way) <= MOST
        assert max(Counter(d.endpoint_id for d in self.under_way).values(), default=0) <= PER_ENDPOINT


TestLines = Lines.TestCase
