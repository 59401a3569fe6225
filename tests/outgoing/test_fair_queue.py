"""Deliveries that wait for their turn: never more at once than allowed, none forgotten, no endpoint left out."""

from __future__ import annotations

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hookline.outgoing.deliver.fair_queue import FairQueue
from hookline.outgoing.models import Delivery

MOST, PER_ENDPOINT = 5, 2
ENDPOINTS = [UUID(int=number) for number in range(1, 5)]
endpoints = st.sampled_from(ENDPOINTS)


def some(count: int, endpoint: UUID) -> list[Delivery]:
    return [Delivery(endpoint_id=endpoint) for _ in range(count)]


def test_endpoints_take_turns_however_long_the_line_of_one_is() -> None:
    busy, quiet, other = ENDPOINTS[:3]
    fair_queue = FairQueue[Delivery](most=4, per_endpoint=4)
    fair_queue.extend(some(10, busy) + some(1, quiet) + some(1, other))
    begun = [fair_queue.begin() for _ in range(4)]
    assert [delivery and delivery.endpoint_id for delivery in begun] == [busy, quiet, other, busy]
    assert fair_queue.begin() is None


class Lines(RuleBasedStateMachine):
    """The model: what waits, is being sent and is being recorded, as plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.fair_queue = FairQueue[Delivery](MOST, PER_ENDPOINT)
        self.waiting: list[Delivery] = []
        self.sending: list[Delivery] = []
        self.recording: list[Delivery] = []

    def may_begin(self, delivery: Delivery) -> bool:
        sending = sum(d.endpoint_id == delivery.endpoint_id for d in self.sending)
        recording = sum(d.endpoint_id == delivery.endpoint_id for d in self.recording)
        return sending < PER_ENDPOINT and sending + recording < 2 * PER_ENDPOINT

    @rule(count=st.integers(1, 4), endpoint=endpoints)
    def claim(self, count: int, endpoint: UUID) -> None:
        claimed = some(count, endpoint)
        self.fair_queue.extend(claimed)
        self.waiting += claimed

    @rule()
    def begin(self) -> None:
        delivery = self.fair_queue.begin()
        if delivery is None:
            full = len(self.sending) == MOST or len(self.sending) + len(self.recording) == 2 * MOST
            assert full or not any(map(self.may_begin, self.waiting))
            return
        assert self.may_begin(delivery)
        # The first of its endpoint.
        assert delivery is next(d for d in self.waiting if d.endpoint_id == delivery.endpoint_id)
        self.waiting.remove(delivery)
        self.sending.append(delivery)

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if self.sending:
            delivery = data.draw(st.sampled_from(self.sending))
            self.sending.remove(delivery)
            self.recording.append(delivery)
            self.fair_queue.sent(delivery)

    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        if self.recording:
            delivery = data.draw(st.sampled_from(self.recording))
            self.recording.remove(delivery)
            self.fair_queue.recorded(delivery)

    @rule(endpoint=endpoints)
    def leave(self, endpoint: UUID) -> None:
        assert self.fair_queue.leave(endpoint) == [d for d in self.waiting if d.endpoint_id == endpoint]
        self.waiting = [d for d in self.waiting if d.endpoint_id != endpoint]

    @rule()
    def clear(self) -> None:
        assert set(map(id, self.fair_queue.clear())) == set(map(id, self.waiting))
        self.waiting = []

    @invariant()
    def never_too_many(self) -> None:
        assert len(self.fair_queue) == len(self.waiting)
        assert len(self.sending) <= MOST
        assert len(self.sending) + len(self.recording) <= 2 * MOST
        for endpoint in ENDPOINTS:
            sending = sum(d.endpoint_id == endpoint for d in self.sending)
            assert sending <= PER_ENDPOINT
            assert sending + sum(d.endpoint_id == endpoint for d in self.recording) <= 2 * PER_ENDPOINT


TestLines = Lines.TestCase
