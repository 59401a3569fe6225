"""OtherTenants: when to look for deliveries of those tenants that do not take all the room."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import router

from hookline.outgoing.models import Endpoint

#: Seconds for which it is believed which endpoints other tenants have.
_KNOWN = 1.0
#: If they have no more than these, a look is for what waits for these very endpoints. Otherwise it walks through all
#: lanes with work, and past those of the tenants that take the room: with sixty of them it takes twice as long.
FEW = 100
#: A look is followed by a pause of this many times its duration: whoever fills a worker waits for its claims, too.
_PAUSE = 2.0


class OtherTenants:
    """Bounds what looking costs: nothing where there is one tenant, and a third of the time elsewhere.

    `worth`: with room for fewer it is not worth a look. `wait` is for the event loop, `asking` for the claimer.
    """

    def __init__(self, worth: int) -> None:
        self._worth = worth
        self._not_before = self._known_until = float("-inf")
        #: The endpoints of all tenants but these; None where they are more than a few.
        self._theirs: Sequence[UUID] | None = None
        self._but: frozenset[UUID] = frozenset()

    def wait(self, room: int) -> float | None:
        """For how many seconds a look has to wait; None where there is no room for what it would find."""
        return max(0.0, self._not_before - time.monotonic()) if room >= self._worth else None

    @property
    def known_for(self) -> float:
        """Seconds until a look would know of new endpoints."""
        return max(0.0, self._known_until - time.monotonic())

    @contextmanager
    def asking(self, crowding: Collection[UUID]) -> Iterator[Sequence[UUID] | None]:
        """The endpoints of other tenants; None where they are more than a few. What the block does is the look.

        Raises DatabaseError.
        """
        began = time.monotonic()
        if began >= self._known_until or self._but != frozenset(crowding):
            others = Endpoint.objects.using(router.db_for_write(Endpoint)).exclude(tenant__in=crowding).order_by()
            found = list(others.values_list("pk", flat=True)[: FEW + 1])
            self._theirs = found if len(found) <= FEW else None
            self._but = frozenset(crowding)
            self._known_until = began + _KNOWN
        yield self._theirs
        if self._theirs is not None and not self._theirs:
            self._not_before = self._known_until
            return
        ended = time.monotonic()
        self._not_before = ended + _PAUSE * (ended - began)
