"""FairQueue: deliveries that were claimed and wait for their turn. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID


class Waiting(Protocol):
    """What waits for its turn: something for an endpoint of a tenant."""

    @property
    def endpoint_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...


W = TypeVar("W", bound=Waiting)


@dataclass(slots=True, eq=False)
class _Tenant(Generic[W]):
    """The endpoints of one tenant."""

    id: UUID
    #: Those for which one waits and may begin; the one whose turn is longest ago first.
    turns: deque[_Row[W]] = field(default_factory=deque)
    sending: int = 0
    #: What waits, is being sent or recorded.
    held: int = 0
    #: Whether it stands among those that have a turn.
    in_turn: bool = False


@dataclass(slots=True, eq=False)
class _Row(Generic[W]):
    """The deliveries of one endpoint."""

    tenant: _Tenant[W]
    waiting: deque[W] = field(default_factory=deque)
    sending: int = 0
    #: Being sent or recorded.
    under_way: int = 0
    #: Whether it stands among those that have a turn.
    in_turn: bool = False


class FairQueue(Generic[W]):
    """Decides which delivery begins next; tenants take turns, and so do the endpoints of a tenant.

    At most `most` are being sent at once, and to each endpoint at most `per_endpoint`. Tenants with slow endpoints
    may use all of these, so a tenant with less than a quarter of them may begin `extra` more. As many sent deliveries
    again may wait to be recorded: a crash repeats these, so their number is limited, too.
    """

    def __init__(self, most: int, per_endpoint: int, extra: int = 0) -> None:
        self._most = most
        self._extra = extra
        self._few = max(1, most // 4)
        self._per_endpoint = per_endpoint
        #: By the number of the id, because Python computes the hash of a UUID in Python.
        self._rows: dict[int, _Row[W]] = {}
        self._tenants: dict[int, _Tenant[W]] = {}
        self._length = self._sending = 0
        #: How many are being sent or recorded.
        self.under_way = 0
        #: Tenants for which one waits and may begin; the one whose turn is longest ago first.
        self._turns: deque[_Tenant[W]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def extend(self, deliveries: Iterable[W]) -> None:
        for delivery in deliveries:
            row = self._rows.get(delivery.endpoint_id.int)
            if row is None:
                row = self._rows[delivery.endpoint_id.int] = _Row[W](self._tenant(delivery.tenant_id))
            row.waiting.append(delivery)
            row.tenant.held += 1
            self._length += 1
            self._take_turn(row)

    def begin(self) -> W | None:
        """The next delivery to send now, if there is one."""
        if not self._turns or (tenant := self._next()) is None:
            return None
        row = tenant.turns.popleft()
        row.in_turn = False
        delivery = row.waiting.popleft()
        row.sending += 1
        row.under_way += 1
        tenant.sending += 1
        self._length -= 1
        self._sending += 1
        self.under_way += 1
        self._take_turn(row)
        if tenant.turns and not tenant.in_turn:
            tenant.in_turn = True
            self._turns.append(tenant)
        return delivery

    def sent(self, delivery: W) -> None:
        """It has its answer, which is recorded next."""
        row = self._rows[delivery.endpoint_id.int]
        row.sending -= 1
        row.tenant.sending -= 1
        self._sending -= 1
        self._take_turn(row)

    def recorded(self, delivery: W) -> None:
        row = self._rows[delivery.endpoint_id.int]
        row.under_way -= 1
        self.under_way -= 1
        self._take_turn(row)
        self._drop(row.tenant, 1)
        if not row.under_way and not row.waiting:
            del self._rows[delivery.endpoint_id.int]

    def leave(self, endpoint: UUID) -> list[W]:
        """Take away, and return, those that wait for this endpoint."""
        row = self._rows.get(endpoint.int)
        if row is None:
            return []
        tenant = row.tenant
        if row.in_turn:
            tenant.turns.remove(row)
            row.in_turn = False
            if not tenant.turns:
                self._turns.remove(tenant)
                tenant.in_turn = False
        left = list(row.waiting)
        row.waiting.clear()
        self._length -= len(left)
        self._drop(tenant, len(left))
        if not row.under_way:
            del self._rows[endpoint.int]
        return left

    def clear(self) -> list[W]:
        """Take away, and return, all that wait."""
        return [delivery for endpoint in list(self._rows) for delivery in self.leave(UUID(int=endpoint))]

    def holders_of(self, least: int) -> list[UUID]:
        """The tenants of which so many wait, are being sent or recorded; at most a few where `least` is not small."""
        return [tenant.id for tenant in self._tenants.values() if tenant.held >= least]

    @property
    def tenants(self) -> int:
        """How many tenants have something here."""
        return len(self._tenants)

    def _tenant(self, tenant_id: UUID) -> _Tenant[W]:
        tenant = self._tenants.get(tenant_id.int)
        if tenant is None:
            tenant = self._tenants[tenant_id.int] = _Tenant[W](tenant_id)
        return tenant

    def _drop(self, tenant: _Tenant[W], count: int) -> None:
        tenant.held -= count
        if not tenant.held:
            self._tenants.pop(tenant.id.int, None)

    def _next(self) -> _Tenant[W] | None:
        """Take away, and return, the tenant that begins next. Not in `_turns` any more, it has at least one turn."""
        if self._sending < self._most and self.under_way < 2 * self._most:
            tenant = self._turns.popleft()
        elif self._sending < self._most + self._extra and self.under_way < 2 * (self._most + self._extra):
            # Those passed over have a quarter of the places each, so they are few.
            found = next((tenant for tenant in self._turns if tenant.sending < self._few), None)
            if found is None:
                return None
            tenant = found
            self._turns.remove(tenant)
        else:
            return None
        tenant.in_turn = False
        return tenant

    def _take_turn(self, row: _Row[W]) -> None:
        if (
            row.waiting
            and not row.in_turn
            and row.sending < self._per_endpoint
            and row.under_way < 2 * self._per_endpoint
        ):
            row.in_turn = True
            row.tenant.turns.append(row)
            if not row.tenant.in_turn:
                row.tenant.in_turn = True
                self._turns.append(row.tenant)
