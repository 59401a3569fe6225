"""Deliveries that wait for their turn: never more at once than allowed, none forgotten, no endpoint left out."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hookline.outgoing.deliver.fair_queue import FairQueue

MOST, PER_ENDPOINT, EXTRA = 5, 2, 2
ENDPOINTS = [UUID(int=number) for number in range(1, 5)]
#: The first two are of one tenant.
TENANT_OF = {endpoint: UUID(int=100 + number // 2) for number, endpoint in enumerate(ENDPOINTS)}
endpoints = st.sampled_from(ENDPOINTS)


@dataclass(eq=False)
class Waits:
    endpoint_id: UUID
    tenant_id: UUID


def some(count: int, endpoint: UUID) -> list[Waits]:
    return [Waits(endpoint, TENANT_OF[endpoint]) for _ in range(count)]


def test_endpoints_take_turns_however_long_the_line_of_one_is() -> None:
    busy, quiet, other = ENDPOINTS[:3]
    fair_queue = FairQueue[Waits](most=4, per_endpoint=4)
    fair_queue.extend([Waits(one, UUID(int=1)) for one in (*[busy] * 10, quiet, other)])
    begun = [fair_queue.begin() for _ in range(4)]
    assert [delivery and delivery.endpoint_id for delivery in begun] == [busy, quiet, other, busy]
    assert fair_queue.begin() is None


def test_tenants_take_turns_however_many_endpoints_one_has() -> None:
    many = [Waits(UUID(int=number), UUID(int=1)) for number in range(1, 61)]
    one = [Waits(UUID(int=100), UUID(int=2)) for _ in range(3)]
    fair_queue = FairQueue[Waits](most=6, per_endpoint=4)
    fair_queue.extend(many + one)
    begun = [fair_queue.begin() for _ in range(6)]
    assert [waits and waits.tenant_id.int for waits in begun] == [1, 2, 1, 2, 1, 2]


def test_a_tenant_that_has_all_places_leaves_some_for_those_that_have_few() -> None:
    crowd = [Waits(UUID(int=number), UUID(int=1)) for number in range(1, 61)]
    fair_queue = FairQueue[Waits](most=8, per_endpoint=4, extra=3)
    fair_queue.extend(crowd)
    assert sum(fair_queue.begin() is not None for _ in range(60)) == 8
    fair_queue.extend(Waits(UUID(int=100 + number), UUID(int=2)) for number in range(9))
    begun = [fair_queue.begin() for _ in range(9)]
    assert [waits and waits.tenant_id.int for waits in begun] == [2, 2] + [None] * 7  # a quarter of the places
    assert fair_queue.holders_of(10) == [UUID(int=1)]


class Lines(RuleBasedStateMachine):
    """The model: what waits, is being sent and is being recorded, as plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.fair_queue = FairQueue[Waits](MOST, PER_ENDPOINT, EXTRA)
        self.waiting: list[Waits] = []
        self.sending: list[Waits] = []
        self.recording: list[Waits] = []

    def may_begin(self, delivery: Waits) -> bool:
        sending = sum(d.endpoint_id == delivery.endpoint_id for d in self.sending)
        recording = sum(d.endpoint_id == delivery.endpoint_id for d in self.recording)
        return sending < PER_ENDPOINT and sending + recording < 2 * PER_ENDPOINT

    def has_few(self, waits: Waits) -> bool:
        return sum(d.tenant_id == waits.tenant_id for d in self.sending) < max(1, MOST // 4)

    @rule(count=st.integers(1, 4), endpoint=endpoints)
    def claim(self, count: int, endpoint: UUID) -> None:
        claimed = some(count, endpoint)
        self.fair_queue.extend(claimed)
        self.waiting += claimed

    @rule()
    def begin(self) -> None:
        delivery = self.fair_queue.begin()
        if delivery is None:
            under_way = len(self.sending) + len(self.recording)
            full = len(self.sending) >= MOST or under_way >= 2 * MOST
            fuller = len(self.sending) >= MOST + EXTRA or under_way >= 2 * (MOST + EXTRA)
            able = filter(self.may_begin, self.waiting)
            assert fuller or not any(not full or self.has_few(one) for one in able)
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
        assert len(self.sending) <= MOST + EXTRA
        assert len(self.sending) + len(self.recording) <= 2 * (MOST + EXTRA)
        held = [d.tenant_id for d in (*self.waiting, *self.sending, *self.recording)]
        assert set(self.fair_queue.holders_of(3)) == {tenant for tenant in held if held.count(tenant) >= 3}
        assert self.fair_queue.tenants == len(set(held))
        for endpoint in ENDPOINTS:
            sending = sum(d.endpoint_id == endpoint for d in self.sending)
            assert sending <= PER_ENDPOINT
            assert sending + sum(d.endpoint_id == endpoint for d in self.recording) <= 2 * PER_ENDPOINT


TestLines = Lines.TestCase
