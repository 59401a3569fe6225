"""The noun FairQueue: deliveries that were claimed and wait for their turn. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID


class Waiting(Protocol):
    """What waits for its turn: something for an endpoint."""

    @property
    def endpoint_id(self) -> UUID: ...


W = TypeVar("W", bound=Waiting)


@dataclass(slots=True, eq=False)
class _Row(Generic[W]):
    """The deliveries of one endpoint."""

    waiting: deque[W] = field(default_factory=deque)
    sending: int = 0
    #: Being sent or recorded.
    under_way: int = 0
    #: Whether it stands among those that have a turn.
    in_turn: bool = False


class FairQueue(Generic[W]):
    """Says which delivery begins next; endpoints take turns.

    At most `most` are being sent at once, and of each endpoint at most `per_endpoint`. Of those that were sent, as many
    again may wait to be recorded: they are what a crash repeats, so they are bounded, too.
    """

    def __init__(self, most: int, per_endpoint: int) -> None:
        self._most = most
        self._per_endpoint = per_endpoint
        #: By the number of the endpoint's id, because Python computes the hash of a UUID in Python.
        self._rows: dict[int, _Row[W]] = {}
        self._length = self._sending = 0
        #: How many are being sent or recorded.
        self.under_way = 0
        #: Endpoints for which one waits and may begin; the one whose turn is longest ago first.
        self._turns: deque[_Row[W]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def extend(self, deliveries: Iterable[W]) -> None:
        for delivery in deliveries:
            row = self._rows.get(delivery.endpoint_id.int)
            if row is None:
                row = self._rows[delivery.endpoint_id.int] = _Row[W]()
            row.waiting.append(delivery)
            self._length += 1
            self._take_turn(row)

    def begin(self) -> W | None:
        """The next delivery to send now, if there is one."""
        if not self._turns or self._sending >= self._most or self.under_way >= 2 * self._most:
            return None
        row = self._turns.popleft()
        row.in_turn = False
        delivery = row.waiting.popleft()
        row.sending += 1
        row.under_way += 1
        self._length -= 1
        self._sending += 1
        self.under_way += 1
        self._take_turn(row)
        return delivery

    def sent(self, delivery: W) -> None:
        """It has its answer, which is recorded next."""
        row = self._rows[delivery.endpoint_id.int]
        row.sending -= 1
        self._sending -= 1
        self._take_turn(row)

    def recorded(self, delivery: W) -> None:
        row = self._rows[delivery.endpoint_id.int]
        row.under_way -= 1
        self.under_way -= 1
        self._take_turn(row)
        if not row.under_way and not row.waiting:
            del self._rows[delivery.endpoint_id.int]

    def leave(self, endpoint: UUID) -> list[W]:
        """Take away, and return, those that wait for this endpoint."""
        row = self._rows.get(endpoint.int)
        if row is None:
            return []
        if row.in_turn:
            self._turns.remove(row)
            row.in_turn = False
        left = list(row.waiting)
        row.waiting.clear()
        self._length -= len(left)
        if not row.under_way:
            del self._rows[endpoint.int]
        return left

    def clear(self) -> list[W]:
        """Take away, and return, all that wait."""
        return [delivery for endpoint in list(self._rows) for delivery in self.leave(UUID(int=endpoint))]

    def _take_turn(self, row: _Row[W]) -> None:
        if (
            row.waiting
            and not row.in_turn
            and row.sending < self._per_endpoint
            and row.under_way < 2 * self._per_endpoint
        ):
            row.in_turn = True
            self._turns.append(row)
