"""Deliveries: what was sent and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Min, Q

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.signatures.message_signer import CONTENT_TYPE
from hookline.core.url import shown_url
from hookline.db import clock
from hookline.db.clock import moment
from hookline.operations import rows
from hookline.operations.job_history import JobHistory
from hookline.operations.jobs import State
from hookline.operations.selection import Columns
from hookline.operations.waiting import can_go_at, note_of
from hookline.outgoing.content import expunge_answers
from hookline.outgoing.deliver import breakers
from hookline.outgoing.models import EXPUNGED, Attempt, Delivery, Message

COLUMNS = Columns(
    {
        "status": "state",
        "type": "message__type",
        "endpoint": "endpoint",
        "tenant": "endpoint__tenant",
        "parked": "has_turn",
    },
    indexed=frozenset({"status", "endpoint"}),
    lane="endpoint",
)


_A_MOMENT = timedelta(milliseconds=1)


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


def cannot_be_sent(keys: Sequence[UUID]) -> dict[UUID, str]:
    """Which of these deliveries can never be sent again, and why."""
    expired = Q(message__expires_at__lte=moment(clock.now(Delivery)))
    spent = Delivery.objects.filter(expired | Q(message__body=b""), pk__in=keys).select_related("message")
    return {
        one.pk: "the content of its message was expunged" if one.message.is_expunged else "its message expired"
        for one in spent
        if one.message.is_expunged or one.message.expires_at is not None
    }


_history = JobHistory(
    model=Delivery,
    columns=COLUMNS,
    related=("message", "endpoint__tenant"),
    not_listed=("message__body",),
    hurry=send_before_others,
    spent=cannot_be_sent,
)
find = _history.find
newest = _history.newest
retry = _history.retry
retry_selection = _history.retry_selection
retry_keys = _history.retry_keys
chosen = _history.chosen
discard = _history.discard
discard_keys = _history.discard_keys
release = _history.release
release_keys = _history.release_keys


def attempts(delivery: Delivery) -> list[Attempt]:
    """Every try that was made, the first one first."""
    found = list(delivery.attempts_made.order_by("id"))
    for attempt in found:
        attempt.delivery = delivery
    return found


def find_attempt(public_id: str) -> Attempt:
    """Raises NotFound or ValueError."""
    return rows.find(Attempt.objects.select_related("delivery__endpoint__tenant", "delivery__message"), public_id)


def expunge_attempt(actor: Actor, attempt: Attempt) -> bool:
    """Remove what the endpoint answered to one attempt, for good; that it answered stays.

    Returns whether there was something to remove.
    """
    with transaction.atomic(using=router.db_for_write(Attempt)):
        if not expunge_answers(Attempt.objects.filter(pk=attempt.pk)):
            return False
        tenant_id = attempt.delivery.endpoint.tenant_id
        record(actor, "attempt.expunge", attempt.public_id, tenant_id=tenant_id, details={"answers": 1})
    attempt.response_headers, attempt.response_body = {}, EXPUNGED
    return True


def as_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery without its body. Of one that is held, `note` says by what, and `due_at` when it can go."""
    return {
        "id": delivery.public_id,
        "message": delivery.message.public_id,
        "endpoint": delivery.endpoint.public_id,
        "url": shown_url(delivery.endpoint.url),
        "tenant": delivery.endpoint.tenant.key,
        "type": delivery.message.type,
        "status": delivery.state,
        "order_key": delivery.order_key or None,
        "sequence": delivery.sequence or None,
        "parked": delivery.is_parked,
        "attempts": delivery.attempts,
        "note": note_of(delivery),
        "created_at": delivery.created_at,
        "due_at": can_go_at(delivery),
        "finished_at": delivery.finished_at,
    }


def request_headers(attempt: Attempt) -> dict[str, str] | None:
    """The headers of its request: signatures shortened, values of the endpoint's own headers hidden; None for none.

    The HTTP client adds its own: Host, Content-Length, Accept, Accept-Encoding and User-Agent.
    """
    if attempt.request is None:
        return None
    message_id = Message.public(attempt.delivery.message_id)
    return {"content-type": CONTENT_TYPE, "webhook-id": message_id, **attempt.request["headers"]}


def timing_shown(attempt: Attempt) -> str:
    """How many milliseconds each step took, for people; empty where that is not known."""
    steps = {} if attempt.request is None else attempt.request["ms"]
    return ", ".join(f"{name.replace('_', ' ')} {took:g}" for name, took in steps.items())


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.public_id,
        "number": attempt.number,
        "status": attempt.status,
        "error": attempt.error,
        "detail": attempt.detail,
        "duration_ms": attempt.duration_ms,
        "request_headers": request_headers(attempt),
        "timing_ms": None if attempt.request is None else attempt.request["ms"],
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
        "created_at": attempt.created_at,
    }
