"""Attempts and messages as an endpoint or a message has them, for lists that are read page by page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from hookline.core import ids
from hookline.db import json_items  # noqa: F401  # for has_item
from hookline.db.clock import boundary
from hookline.engine.job import State
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.tenants.models import Tenant

#: The answer of an endpoint that took the message.
SUCCESS = range(200, 300)


class Status(IntEnum):
    """Of an attempt, or of a delivery. The numbers are those of Svix."""

    SUCCESS = 0
    #: Of nothing: whatever waits was never tried.
    PENDING = 1
    FAIL = 2
    #: It will be tried again, or is being tried.
    SENDING = 3


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which of them. None, and nothing, do not narrow."""

    #: Of that moment or later, and before that one.
    after: datetime | None = None
    before: datetime | None = None
    channel: str | None = None
    tag: str | None = None
    event_types: Collection[str] = ()
    status: Status | None = None
    #: The first digit of the HTTP status, times 100; 0: there was no answer.
    status_class: int | None = None


def messages_of(tenant: Tenant, narrowed: Narrowed) -> QuerySet[Message]:
    """What was published for a tenant, in the order of its commits: by `created_at` and id."""
    found = Message.objects.filter(tenant=tenant, **_of_message("", narrowed))
    for lookup, moment in (("created_at__gte", narrowed.after), ("created_at__lt", narrowed.before)):
        found = found if moment is None else found.filter(**{lookup: boundary(Message, moment)})
    return found


def attempts_of_endpoint(endpoint: Endpoint, narrowed: Narrowed) -> QuerySet[Attempt]:
    return _attempts(Attempt.objects.filter(delivery__endpoint=endpoint), narrowed)


def attempts_of_message(message: Message, narrowed: Narrowed, endpoint: Endpoint | None = None) -> QuerySet[Attempt]:
    found = Attempt.objects.filter(delivery__message=message)
    return _attempts(found if endpoint is None else found.filter(delivery__endpoint=endpoint), narrowed)


def attempted_by(endpoint: Endpoint, narrowed: Narrowed) -> QuerySet[Delivery]:
    """The deliveries of an endpoint that were tried, in the order of their messages."""
    found = Delivery.objects.filter(
        Exists(Attempt.objects.filter(delivery=OuterRef("pk"))),
        endpoint=endpoint,
        **_of_message("message__", narrowed),
    )
    for lookup, moment in (("message__created_at__gte", narrowed.after), ("message__created_at__lt", narrowed.before)):
        found = found if moment is None else found.filter(**{lookup: boundary(Message, moment)})
    if narrowed.status is not None:
        found = found.filter(_with_status(narrowed.status))
    return found.select_related("message")


def destinations_of(message: Message) -> QuerySet[Delivery]:
    """The deliveries of a message that were tried, in the order of their endpoints; with those that were deleted."""
    tried = Exists(Attempt.objects.filter(delivery=OuterRef("pk")))
    return Delivery.objects.filter(tried, message=message).select_related("endpoint__tenant")


def find_attempt(message: Message, public_id: str) -> Attempt | None:
    """The attempt of this message with this id."""
    try:
        pk = Attempt.id_of(public_id)
    except ValueError:
        return None
    return _with_parts(Attempt.objects.filter(pk=pk, delivery__message=message)).first()


def status_of_attempt(attempt: Attempt) -> Status:
    return Status.SUCCESS if attempt.status in SUCCESS else Status.FAIL


def answer_of(attempt: Attempt) -> str:
    """The beginning of the answer; where there was none, what went wrong."""
    if attempt.status is None:
        return attempt.detail or attempt.error
    return attempt.response_body


def status_of(delivery: Delivery) -> Status:
    """What became of a delivery that was tried."""
    match State(delivery.state):
        case State.SUCCEEDED:
            return Status.SUCCESS
        case State.PENDING | State.RUNNING:
            return Status.SENDING
        case _:
            return Status.FAIL


def next_attempt(delivery: Delivery) -> datetime | None:
    """When it is tried again."""
    return delivery.due_at if delivery.state == State.PENDING else None


def made_by_hand(attempts: Collection[Attempt]) -> set[UUID]:
    """The ids of those that somebody asked for: the first since the delivery was last made due again, and each that
    follows one that was taken."""
    later = [attempt.pk for attempt in attempts if attempt.number > 1]
    if not later:
        return set()
    first = Q(delivery__earlier_attempts__gt=0, number=F("delivery__earlier_attempts") + 1)
    before = Attempt.objects.filter(delivery=OuterRef("delivery"), number=OuterRef("number") - 1)
    taken = Exists(before.filter(status__gte=SUCCESS.start, status__lt=SUCCESS.stop))
    return set(Attempt.objects.filter(first | Q(taken), pk__in=later).values_list("pk", flat=True))


# ---- what they share --------------------------------------------------------------------------------


def _attempts(found: QuerySet[Attempt], narrowed: Narrowed) -> QuerySet[Attempt]:
    """By id, which is in the order of time: those of one batch have one `created_at`."""
    found = found.filter(**_of_message("delivery__message__", narrowed))
    for lookup, moment in (("pk__gte", narrowed.after), ("pk__lt", narrowed.before)):
        found = found if moment is None else found.filter(**{lookup: ids.first_from(moment)})
    if (status := narrowed.status) is not None:
        took = Q(status__gte=SUCCESS.start, status__lt=SUCCESS.stop)
        # Written out: NOT of a comparison with NULL is NULL.
        failed = Q(status=None) | Q(status__lt=SUCCESS.start) | Q(status__gte=SUCCESS.stop)
        match status:
            case Status.SUCCESS:
                found = found.filter(took)
            case Status.FAIL:
                found = found.filter(failed)
            case _:
                found = found.none()
    if (of := narrowed.status_class) is not None:
        found = found.filter(status=None) if of == 0 else found.filter(status__gte=of, status__lt=of + 100)
    return _with_parts(found)


def _with_parts(found: QuerySet[Attempt]) -> QuerySet[Attempt]:
    return found.select_related("delivery__endpoint", "delivery__message").defer("delivery__message__body")


def _of_message(prefix: str, narrowed: Narrowed) -> dict[str, Any]:
    lookups: dict[str, Any] = {}
    if narrowed.channel is not None:
        lookups[f"{prefix}channels__has_item"] = narrowed.channel
    if narrowed.tag is not None:
        lookups[f"{prefix}tags__has_item"] = narrowed.tag
    if narrowed.event_types:
        lookups[f"{prefix}type__in"] = list(narrowed.event_types)
    return lookups


def _with_status(status: Status) -> Q:
    match status:
        case Status.SUCCESS:
            return Q(state=State.SUCCEEDED)
        case Status.SENDING:
            return Q(state__in=(State.PENDING, State.RUNNING))
        case Status.FAIL:
            return Q(state__in=(State.DEAD, State.CANCELLED))
        case _:
            return Q(pk__in=())
