"""Deliveries: what was sent and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min

from hookline.audit.actor import Actor
from hookline.operations import jobs, rows
from hookline.operations.jobs import FINISHED, State
from hookline.operations.selection import ALL, Columns, Selection
from hookline.operations.selection import newest as select
from hookline.outgoing.deliver import breakers
from hookline.outgoing.models import Attempt, Delivery

COLUMNS = Columns(
    {"status": "state", "type": "message__type", "endpoint": "endpoint", "tenant": "endpoint__tenant"},
    indexed=frozenset({"status", "endpoint"}),
    lane="endpoint",
)


_A_MOMENT = timedelta(milliseconds=1)


def find(public_id: str) -> Delivery:
    """Raises NotFound or ValueError."""
    return rows.find(Delivery.objects.select_related("message", "endpoint__tenant"), public_id)


def newest(selection: Selection = ALL) -> list[Delivery]:
    """The newest deliveries of a selection, without the bodies of their messages."""
    deliveries = Delivery.objects.select_related("message", "endpoint__tenant").defer("message__body")
    return select(deliveries, selection, COLUMNS)


def attempts(delivery: Delivery) -> list[Attempt]:
    """Every try that was made, the first one first."""
    return list(delivery.attempts_made.order_by("id"))


def retry(actor: Actor, public_ids: Sequence[str], *, now: bool = False) -> list[str]:
    """Send finished deliveries again, with all their tries and under the same message id.

    With `now`, pending ones are due at once, too. Those that need no retry are left alone. Returns the public ids of
    the others. Raises NotFound, ValueError, or Conflict when none needs one.
    """
    return retry_keys(actor, [find(public_id).pk for public_id in public_ids], now=now, at_least_one=True)


def retry_selection(actor: Actor, selection: Selection, *, now: bool = False) -> list[str]:
    """The same for a selection, without those in other states; for dead ones where it names no status."""
    return retry_keys(actor, chosen(selection), now=now)


def chosen(selection: Selection) -> list[UUID]:
    """The keys of what `retry_selection` would retry, newest first."""
    wanted = selection if selection.status is not None else replace(selection, status=State.DEAD)
    return [row.pk for row in select(Delivery.objects.only("pk"), wanted, COLUMNS)]


def retry_keys(
    actor: Actor,
    keys: Sequence[UUID],
    *,
    states: Collection[State] = FINISHED,
    now: bool = False,
    at_least_one: bool = False,
) -> list[str]:
    """The same by primary key, for those in one of the `states`. Returns the public ids of what is due again."""
    return jobs.retry(
        actor, Delivery, keys, states=states, now=now, at_least_one=at_least_one, hurry=send_before_others
    )


def send_before_others(keys: Sequence[UUID]) -> None:
    """Put deliveries before all that wait for the same endpoints, and have open breakers let them probe at once.

    Joins the caller's transaction.
    """
    waiting = Delivery.objects.filter(state=State.PENDING)
    chosen = waiting.filter(pk__in=keys)
    for endpoint_id, first in chosen.values_list("endpoint").annotate(first=Min("due_at")).order_by("endpoint"):
        held = breakers.probe_now(endpoint_id)
        others = waiting.filter(endpoint=endpoint_id, due_at__lt=first).exclude(pk__in=keys)
        if held and (before := others.aggregate(first=Min("due_at"))["first"]) is not None:
            chosen.filter(endpoint=endpoint_id).update(due_at=before - _A_MOMENT)


def as_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery without its body."""
    return {
        "id": delivery.public_id,
        "message": delivery.message.public_id,
        "endpoint": delivery.endpoint.public_id,
        "url": delivery.endpoint.url,
        "tenant": delivery.endpoint.tenant.key,
        "type": delivery.message.type,
        "status": delivery.state,
        "attempts": delivery.attempts,
        "note": delivery.note,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "finished_at": delivery.finished_at,
    }


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.public_id,
        "number": attempt.number,
        "status": attempt.status,
        "error": attempt.error,
        "detail": attempt.detail,
        "duration_ms": attempt.duration_ms,
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
        "created_at": attempt.created_at,
    }
