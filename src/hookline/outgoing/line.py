"""The noun Line: deliveries that were claimed and wait for their turn. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from uuid import UUID

from hookline.outgoing.models import Delivery


class Line:
    """Lets at most `most` deliveries be under way, and of each endpoint at most `per_endpoint`; endpoints in turn."""

    def __init__(self, most: int, per_endpoint: int) -> None:
        self._most = most
        self._per_endpoint = per_endpoint
        self._waiting: defaultdict[UUID, deque[Delivery]] = defaultdict(deque)
        self._under_way: defaultdict[UUID, int] = defaultdict(int)
        self._busy = 0
        self._length = 0
        #: Endpoints that have a delivery waiting and a place free, those that had their turn longest ago first.
        self._turns: deque[UUID] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def extend(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            endpoint = delivery.endpoint_id
            waiting = self._waiting[endpoint]
            waiting.append(delivery)
            self._length += 1
            if len(waiting) == 1 and self._under_way[endpoint] < self._per_endpoint:
                self._turns.append(endpoint)

    def begin(self) -> Delivery | None:
        """The next delivery that may begin now, if there is one. It is under way until it has `ended`."""
        if self._busy >= self._most or not self._turns:
            return None
        endpoint = self._turns.popleft()
        waiting = self._waiting[endpoint]
        delivery = waiting.popleft()
        self._length -= 1
        self._busy += 1
        self._under_way[endpoint] += 1
        if not waiting:
            del self._waiting[endpoint]
        elif self._under_way[endpoint] < self._per_endpoint:
            self._turns.append(endpoint)
        return delivery

    def ended(self, delivery: Delivery) -> None:
        endpoint = delivery.endpoint_id
        self._busy -= 1
        self._under_way[endpoint] -= 1
        if self._under_way[endpoint] == self._per_endpoint - 1 and endpoint in self._waiting:
            self._turns.append(endpoint)
        if not self._under_way[endpoint]:
            del self._under_way[endpoint]

    def leave(self, endpoint: UUID) -> list[Delivery]:
        """Take away, and return, those that wait for this endpoint."""
        left = self._waiting.pop(endpoint, deque[Delivery]())
        if endpoint in self._turns:
            self._turns.remove(endpoint)
        self._length -= len(left)
        return list(left)

    def clear(self) -> list[Delivery]:
        """Take away, and return, all that wait."""
        return [delivery for endpoint in list(self._waiting) for delivery in self.leave(endpoint)]
