"""OtherTenants: when to look for deliveries of those tenants that do not take all the room."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from hookline.outgoing.models import Endpoint

#: Seconds for which it is believed that there are other tenants with an endpoint, or none.
_KNOWN = 1.0
#: A look is followed by a pause of this many times its duration: whoever fills a worker waits for its claims, too.
_PAUSE = 2.0


class OtherTenants:
    """Bounds what looking costs: nothing where there is one tenant, and a third of the time elsewhere.

    `worth`: with room for fewer it is not worth a look. `wait` is for the event loop, `asking` for the claimer.
    """

    def __init__(self, worth: int) -> None:
        self._worth = worth
        self._not_before = self._known_until = float("-inf")

    def wait(self, room: int) -> float | None:
        """For how many seconds a look has to wait; None where there is no room for what it would find."""
        return max(0.0, self._not_before - time.monotonic()) if room >= self._worth else None

    @contextmanager
    def asking(self, crowding: Collection[UUID]) -> Iterator[bool]:
        """Whether there are other tenants at all. What the block does is the look. Raises DatabaseError."""
        began = time.monotonic()
        if began >= self._known_until:
            if not Endpoint.objects.exclude(tenant__in=crowding).exists():
                self._not_before = began + _KNOWN
                yield False
                return
            self._known_until = began + _KNOWN
        yield True
        ended = time.monotonic()
        self._not_before = ended + _PAUSE * (ended - began)
