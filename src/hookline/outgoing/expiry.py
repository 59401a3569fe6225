"""Cancelling what was not delivered when its message expired. A claim sends nothing of it, whether or not this ran."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q

from hookline.db import clock
from hookline.engine import notifier, order
from hookline.engine.claim import FIRST
from hookline.engine.job import State
from hookline.engine.prune import WINDOW, Step
from hookline.outgoing.deliver.admission import EXPIRED
from hookline.outgoing.models import Delivery, Message

#: Seconds after which a walk that has come to its end starts again, for what was running when it came by.
_AGAIN = 86400.0
_BEGINNING = (datetime(1, 1, 1, tzinfo=UTC), FIRST)


class Expiring:
    """Walks the messages with an expiry in its order, and cancels what waits of those that expired."""

    def __init__(self) -> None:
        self._after: tuple[datetime, UUID] = _BEGINNING
        self._began: float | None = None

    def step(self) -> Step:
        """Look at the next messages. Raises DatabaseError."""
        now = clock.now(Message)
        if self._began is None or now - self._began >= _AGAIN:
            self._after, self._began = _BEGINNING, now
        time, key = self._after
        expired = Message.objects.using(router.db_for_write(Message)).filter(
            Q(expires_at__gt=time) | Q(expires_at=time, id__gt=key), expires_at__lte=clock.moment(now)
        )
        found = list(expired.order_by("expires_at", "id").values_list("expires_at", "id")[:WINDOW])
        if not found:
            return Step()
        cancelled = self._cancel([message for _, message in found])
        self._after = found[-1][0] or time, found[-1][1]
        return Step(Counter(expired=cancelled) if cancelled else Counter(), more=len(found) == WINDOW)

    def _cancel(self, messages: list[UUID]) -> int:
        database = router.db_for_write(Delivery)
        waiting = Delivery.objects.using(database).filter(message__in=messages, state=State.PENDING)
        if not (keys := list(waiting.values_list("pk", flat=True))):
            return 0
        with transaction.atomic(using=database):
            cancelled = order.cancel(Delivery, keys, EXPIRED.note)
            notifier.notify_after_commit(Delivery)  # others may have the turn now
        return len(cancelled)
