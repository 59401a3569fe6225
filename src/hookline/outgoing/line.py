"""The noun Line: deliveries that were claimed and wait for their turn. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from uuid import UUID

from hookline.outgoing.models import Delivery


class Line:
    """Says which delivery begins next; endpoints take turns.

    At most `most` are being sent at once, and of each endpoint at most `per_endpoint`. Of those that were sent, as many
    again may wait to be recorded: they are what a crash repeats, so they are bounded, too.
    """

    def __init__(self, most: int, per_endpoint: int) -> None:
        self._most = most
        self._per_endpoint = per_endpoint
        self._waiting: defaultdict[UUID, deque[Delivery]] = defaultdict(deque)
        self._length = 0
        #: By endpoint: what is being sent, and what is being sent or recorded.
        self._sending: Counter[UUID] = Counter()
        self._under_way: Counter[UUID] = Counter()
        self._all_sending = self._all_under_way = 0
        #: Endpoints for which one waits and may begin; in order, the one whose turn is longest ago first.
        self._turns: dict[UUID, None] = {}

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def extend(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._waiting[delivery.endpoint_id].append(delivery)
            self._length += 1
            self._take_turn(delivery.endpoint_id)

    def begin(self) -> Delivery | None:
        """The next delivery to send now, if there is one."""
        if not self._turns or self._all_sending >= self._most or self._all_under_way >= 2 * self._most:
            return None
        endpoint = next(iter(self._turns))
        del self._turns[endpoint]
        waiting = self._waiting[endpoint]
        delivery = waiting.popleft()
        if not waiting:
            del self._waiting[endpoint]
        self._length -= 1
        self._sending[endpoint] += 1
        self._under_way[endpoint] += 1
        self._all_sending += 1
        self._all_under_way += 1
        self._take_turn(endpoint)
        return delivery

    def sent(self, delivery: Delivery) -> None:
        """It has its answer, which is recorded next."""
        self._sending[delivery.endpoint_id] -= 1
        self._all_sending -= 1
        self._take_turn(delivery.endpoint_id)

    def recorded(self, delivery: Delivery) -> None:
        endpoint = delivery.endpoint_id
        self._under_way[endpoint] -= 1
        self._all_under_way -= 1
        if not self._under_way[endpoint]:
            del self._under_way[endpoint], self._sending[endpoint]
        self._take_turn(endpoint)

    def leave(self, endpoint: UUID) -> list[Delivery]:
        """Take away, and return, those that wait for this endpoint."""
        self._turns.pop(endpoint, None)
        left = self._waiting.pop(endpoint, deque[Delivery]())
        self._length -= len(left)
        return list(left)

    def clear(self) -> list[Delivery]:
        """Take away, and return, all that wait."""
        return [delivery for endpoint in list(self._waiting) for delivery in self.leave(endpoint)]

    def _take_turn(self, endpoint: UUID) -> None:
        if (
            endpoint in self._waiting
            and self._sending[endpoint] < self._per_endpoint
            and self._under_way[endpoint] < 2 * self._per_endpoint
        ):
            self._turns.setdefault(endpoint)
