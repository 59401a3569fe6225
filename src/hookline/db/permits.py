"""Permits: how many more requests of a source, tenant or key this process may accept, before it asks again.

All processes share one row for each limit. A process takes what a tenth of a second is worth from it at once, so that
accepting a request writes nothing to the database; what it does not use within a second is lost. When nothing is left,
it knows until when, and refuses without asking.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import Error, router, transaction

from hookline.core.rate_limit import Rate, take
from hookline.db import clock
from hookline.db.rate_use import RateUse
from hookline.exceptions import CannotStore, RateLimited

#: What a process takes at once, in seconds of the rate, and at most this share of the burst.
PORTION = 0.1
SHARE = 0.25
#: Seconds after which permits that were not used are lost.
AGE = 1.0
#: Times that a request asks before it is refused: others may take what it asked for.
TRIES = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: the key that all processes share, and the rate."""

    key: str
    rate: Rate

    @property
    def portion(self) -> int:
        return max(1, math.floor(min(self.rate.per_second * PORTION, self.rate.burst * SHARE)))


@dataclass(slots=True)
class _Held:
    left: int = 0
    until: float = 0.0
    blocked_until: float = 0.0


class Permits:
    """Permits of one process. Thread safe; its lock is never held while the database is asked."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def use(self, limit: Limit) -> bool:
        """Use one permit. False where the database must be asked for more. Raises RateLimited."""
        now = self._monotonic()
        with self._lock:
            held = self._held.get(limit.key)
            if held is None:
                return False
            if held.left and now < held.until:
                held.left -= 1
                return True
            if now < held.blocked_until:
                raise RateLimited(limit.key.partition(":")[0], limit.rate.per_second, held.blocked_until - now)
        return False

    def give_back(self, limit: Limit) -> None:
        """What was used for a request that another limit refused."""
        with self._lock:
            if (held := self._held.get(limit.key)) is not None:
                held.left += 1

    def refill(self, limits: Sequence[Limit]) -> list[None]:
        """Ask the database for more permits of these limits, as often as they are named. Raises CannotStore."""
        wanted = Counter(limit.key for limit in limits)
        try:
            for limit in {limit.key: limit for limit in sorted(limits, key=lambda one: one.key)}.values():
                number, wait = _take(limit, max(limit.portion, wanted[limit.key]))
                now = self._monotonic()
                with self._lock:
                    held = self._held.setdefault(limit.key, _Held())
                    held.left = number + (held.left if now < held.until else 0)
                    held.until = now + AGE
                    if not number:
                        held.blocked_until = now + wait
        except Error as error:  # InterfaceError, too, which is no DatabaseError
            raise CannotStore("the database is not available") from error
        return [None] * len(limits)

    def admit(self, limits: Sequence[Limit]) -> None:
        """Use one permit of each of these limits, in this thread. Raises RateLimited, CannotStore."""
        used: list[Limit] = []
        try:
            for limit in limits:
                for _ in range(TRIES):
                    if self.use(limit):
                        break
                    self.refill([limit])
                else:
                    raise RateLimited(limit.key.partition(":")[0], limit.rate.per_second, 1.0)
                used.append(limit)
        except RateLimited:
            for limit in used:
                self.give_back(limit)
            raise

    def forget(self) -> None:
        """For tests."""
        with self._lock:
            self._held.clear()


#: Those of this process.
permits = Permits()


def _take(limit: Limit, wanted: int) -> tuple[int, float]:
    """How many permits the database gives to this process, and how many seconds until it has more."""
    using = router.db_for_write(RateUse)
    with transaction.atomic(using=using, durable=True):
        rows = RateUse.objects.using(using)
        row = rows.select_for_update().filter(key=limit.key).first()
        if row is None:  # whoever comes second waits for the first one here
            rows.bulk_create([RateUse(key=limit.key)], ignore_conflicts=True)
            row = rows.select_for_update().get(key=limit.key)
        taken = take(limit.rate, row.due, clock.now(RateUse), wanted)
        if taken.number:
            rows.filter(pk=row.pk).update(due=taken.due)
    return taken.number, taken.wait
