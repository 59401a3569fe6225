"""Removing the content of messages, and what endpoints answered. The record of what was sent when stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import router, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from hookline.core import ids
from hookline.db import clock
from hookline.db.row import Row
from hookline.engine import notifier, order
from hookline.engine.claim import FIRST
from hookline.engine.job import FINISHED, State
from hookline.engine.prune import WINDOW, Step
from hookline.outgoing.deliver.admission import EXPUNGED_NOTE
from hookline.outgoing.models import EXPUNGED, FOR_NOBODY, Attempt, Delivery, Message

R = TypeVar("R", bound=Row)

#: Seconds after which a walk that has come to its end starts again, for what waited when it came by.
_AGAIN = 86400.0
#: Of messages. What was forwarded has the sender's headers besides, and perhaps no body.
HAS_CONTENT = (Q(forwarded__isnull=True) & ~Q(body=b"")) | (Q(forwarded__isnull=False) & ~Q(forwarded=FOR_NOBODY))
#: Of deliveries that may still be sent.
MAY_BE_SENT = Q(state__in=[State.PENDING, State.RUNNING]) | Q(has_turn=True)


@dataclass(frozen=True, slots=True)
class Expunged:
    """What was removed with the contents of messages."""

    messages: int
    #: Attempts of which the answer was removed.
    answers: int
    #: Deliveries that waited, or parked their order key: they cannot be sent any more.
    cancelled: int


def expunge(messages: Collection[UUID], note: str) -> Expunged:
    """Remove the contents of messages, and what endpoints answered, for good; cancel what waits, with this note.

    What is being sent now goes on, and its answer is kept. Joins the caller's transaction.
    """
    waiting = _rows(Delivery).filter(Q(state=State.PENDING) | Q(state=State.DEAD, has_turn=True), message__in=messages)
    cancelled = len(order.cancel(Delivery, list(waiting.values_list("pk", flat=True)), note))
    removed = expunge_messages(messages)
    answers = expunge_answers(_rows(Attempt).filter(delivery__message__in=messages))
    if removed or answers:
        notifier.notify_after_commit(Delivery)  # others may have the turn now
    return Expunged(removed, answers, cancelled)


def expunge_messages(messages: Collection[UUID]) -> int:
    """Remove the bodies of messages, and what was read from them. Returns of how many. Joins the transaction."""
    ended = _rows(Delivery).filter(message__in=messages, state__in=FINISHED, has_turn=None)
    ended.exclude(order_key=None).update(order_key=None)  # a value from the message
    chosen = _rows(Message).filter(HAS_CONTENT, pk__in=messages)
    forwarded = chosen.filter(forwarded__isnull=False).update(body=b"", forwarded=FOR_NOBODY)
    return forwarded + chosen.filter(forwarded__isnull=True).update(body=b"")


def expunge_answers(attempts: QuerySet[Attempt]) -> int:
    """Remove what was answered to attempts. Returns of how many. Joins the caller's transaction."""
    return attempts.exclude(response_body=EXPUNGED).update(response_headers={}, response_body=EXPUNGED, request=None)


class Expunging:
    """Walks messages, or attempts, from the oldest on, and removes the content of those older than `retention` seconds.

    What may still be sent is stepped over, and looked at again when the walk starts again a day later.
    """

    def __init__(self, model: type[Message | Attempt], retention: float) -> None:
        self._model: type[Any] = model
        self._retention = retention
        self._after = FIRST
        self._began: float | None = None

    def step(self) -> Step:
        """Look at the next rows. Raises DatabaseError."""
        now = clock.now(self._model)
        if self._began is None or now - self._began >= _AGAIN:
            self._after, self._began = FIRST, now
        old = self._model._default_manager.using(router.db_for_write(self._model)).filter(
            id__gt=self._after, id__lt=ids.first_at(now - self._retention)
        )
        if not (window := list(old.order_by("id").values_list("id", flat=True)[:WINDOW])):
            return Step()
        removed = _of_attempts(window) if self._model is Attempt else _of_messages(window)
        self._after = window[-1]
        return Step(Counter(contents=removed) if removed else Counter(), more=len(window) == WINDOW)


class ContentEnding:
    """Removes the content of messages whose publisher said how long it is kept. What waits of them is cancelled."""

    def step(self) -> Step:
        """Look at the next messages. Raises DatabaseError."""
        over = _rows(Message).filter(content_until__lte=clock.moment(clock.now(Message)))
        chosen = list(over.order_by("content_until", "id").values_list("pk", flat=True)[:WINDOW])
        if not chosen:
            return Step()
        with transaction.atomic(using=router.db_for_write(Message)):
            _rows(Message).filter(pk__in=chosen).update(content_until=None)
            waiting = _rows(Delivery).filter(message__in=chosen, state=State.PENDING).values_list("pk", flat=True)
            if keys := list(waiting):
                order.cancel(Delivery, keys, EXPUNGED_NOTE)
                notifier.notify_after_commit(Delivery)  # others may have the turn now
            removed = expunge_messages(chosen)
        return Step(Counter(contents=removed) if removed else Counter(), more=len(chosen) == WINDOW)


def _of_messages(window: list[UUID]) -> int:
    waits = Exists(_rows(Delivery).filter(MAY_BE_SENT, message=OuterRef("pk")))
    with transaction.atomic(using=router.db_for_write(Message)):
        chosen = _rows(Message).filter(HAS_CONTENT, pk__in=window).exclude(waits)
        return expunge_messages(list(chosen.values_list("pk", flat=True)))


def _of_attempts(window: list[UUID]) -> int:
    return expunge_answers(_rows(Attempt).filter(pk__in=window))


def _rows(model: type[R]) -> QuerySet[R]:
    return model._default_manager.using(router.db_for_write(model))
