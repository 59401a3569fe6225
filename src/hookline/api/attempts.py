"""Attempts: what was sent to whom, what came back, and what is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from ninja import Query, Status

from hookline.api.answers import json_response, list_text
from hookline.api.auth import Needs, Request
from hookline.api.errors import ApiError, Missing
from hookline.api.message_text import WITHOUT, message_text, shown
from hookline.api.names import application, endpoint_of
from hookline.api.pages import Keys, ListResponse, items, respond
from hookline.api.query import Listing
from hookline.api.renderer import compact
from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.api.time_pages import ATTEMPT_IDS, ENDPOINT_IDS, MSG_IDS, StatusClassIn, StatusIn, TimeListing, by_id
from hookline.core import ids
from hookline.exceptions import NotFound
from hookline.models import Attempt, Delivery
from hookline.operations import attempt_lists as lists
from hookline.operations import deliveries, messages, resending
from hookline.operations.attempt_lists import Status as Became
from hookline.tenants.models import Tenant

routes = Routes("Message Attempt")

READ = Needs("deliveries:read")
WRITE = Needs("deliveries:write")
#: Content of messages is removed by who may send them.
EXPUNGE = Needs("messages:write")

_TEXTS = {Became.SUCCESS: "success", Became.PENDING: "pending", Became.FAIL: "fail", Became.SENDING: "sending"}


class AttemptOut(Out):
    url: str
    response: str
    response_status_code: int
    response_duration_ms: int
    status: int
    status_text: str
    trigger_type: int
    msg_id: str
    endpoint_id: str
    id: str
    timestamp: datetime


class EndpointMessageOut(Out):
    event_id: str | None
    event_type: str
    payload: dict[str, Any]
    channels: list[str] | None
    id: str
    timestamp: datetime
    status: int
    status_text: str
    next_attempt: datetime | None = None


class MessageEndpointOut(Out):
    id: str
    uid: str | None
    url: str
    description: str
    version: int
    rate_limit: int | None
    throttle_rate: int | None
    disabled: bool
    event_types: list[str] | None
    filter_types: list[str] | None
    channels: list[str] | None
    created_at: datetime
    updated_at: datetime
    status: int
    status_text: str
    next_attempt: datetime | None


class CountOut(Out):
    count: int
    #: Never: all are counted.
    approximated: bool


class Nothing(Out):
    """An answer without anything in it."""


class AttemptListing(TimeListing):
    status: StatusIn | None = None
    status_code_class: StatusClassIn | None = None

    def which(self) -> lists.Narrowed:
        return self.narrowed(status=self.status, status_class=self.status_code_class)


class OfMessage(AttemptListing):
    endpoint_id: str | None = None


class AttemptedListing(TimeListing):
    status: StatusIn | None = None


@routes.get(
    "/app/{app}/attempt/endpoint/{endpoint}", "v1.message-attempt.list-by-endpoint", READ, ListResponse[AttemptOut]
)
def attempts_by_endpoint(
    request: Request, app: str, endpoint: str, query: Query[AttemptListing]
) -> ListResponse[AttemptOut]:
    """List the attempts to send to an endpoint, the newest first."""
    found = lists.attempts_of_endpoint(endpoint_of(application(request, app), endpoint), query.which())
    return _attempts(*by_id(found, query, ATTEMPT_IDS), with_content=query.with_content)


@routes.get("/app/{app}/attempt/endpoint/{endpoint}/count", "v1.message-attempt.count", READ, CountOut)
def count_attempts(request: Request, app: str, endpoint: str, query: Query[AttemptListing]) -> CountOut:
    """Count what `/attempt/endpoint/{endpoint}` would list."""
    found = lists.attempts_of_endpoint(endpoint_of(application(request, app), endpoint), query.which())
    return CountOut(count=found.count(), approximated=False)


@routes.get("/app/{app}/attempt/msg/{msg}", "v1.message-attempt.list-by-msg", READ, ListResponse[AttemptOut])
def attempts_by_message(request: Request, app: str, msg: str, query: Query[OfMessage]) -> ListResponse[AttemptOut]:
    """List the attempts to send a message, the newest first."""
    tenant = application(request, app)
    message = messages.find_in(tenant, msg)
    to = None if query.endpoint_id is None else endpoint_of(tenant, query.endpoint_id)
    found = lists.attempts_of_message(message, query.which(), to)
    return _attempts(*by_id(found, query, ATTEMPT_IDS), with_content=query.with_content)


@routes.get(
    "/app/{app}/msg/{msg}/attempt", "v1.message-attempt.list-attempts", READ, ListResponse[AttemptOut], deprecated=True
)
def attempts_of_message(request: Request, app: str, msg: str, query: Query[OfMessage]) -> ListResponse[AttemptOut]:
    """The older form of `/attempt/msg/{msg}`."""
    return attempts_by_message(request, app, msg, query)


@routes.get(
    "/app/{app}/msg/{msg}/endpoint/{endpoint}/attempt",
    "v1.message-attempt.list-by-endpoint-deprecated",
    READ,
    ListResponse[AttemptOut],
    deprecated=True,
)
def attempts_of_message_to(
    request: Request, app: str, msg: str, endpoint: str, query: Query[AttemptListing]
) -> ListResponse[AttemptOut]:
    """The older form of `/attempt/msg/{msg}?endpoint_id=`."""
    tenant = application(request, app)
    message = messages.find_in(tenant, msg)
    found = lists.attempts_of_message(message, query.which(), endpoint_of(tenant, endpoint))
    return _attempts(*by_id(found, query, ATTEMPT_IDS), with_content=query.with_content)


@routes.get(
    "/app/{app}/endpoint/{endpoint}/msg",
    "v1.message-attempt.list-attempted-messages",
    READ,
    ListResponse[EndpointMessageOut],
)
def attempted_messages(request: Request, app: str, endpoint: str, query: Query[AttemptedListing]) -> HttpResponse:
    """List the messages that were sent to an endpoint, and what became of each, the newest first."""
    to = endpoint_of(application(request, app), endpoint)
    found = lists.attempted_by(to, query.narrowed(status=query.status))
    if not query.with_content:
        found = found.defer("message__body")
    of_messages = Keys("message_id", MSG_IDS.write, MSG_IDS.read)
    tried, done = by_id(found, query, of_messages)
    texts = [_with_status(one, with_content=query.with_content) for one in tried]
    return json_response(list_text(texts, [one.message_id for one in tried], "msg", done=done))


@routes.get(
    "/app/{app}/msg/{msg}/endpoint",
    "v1.message-attempt.list-attempted-destinations",
    READ,
    ListResponse[MessageEndpointOut],
)
def attempted_destinations(
    request: Request, app: str, msg: str, query: Query[Listing]
) -> ListResponse[MessageEndpointOut]:
    """List the endpoints that a message was sent to, and what became of that, by their ids; with deleted ones."""
    message = messages.find_in(application(request, app), msg)
    keys = Keys("endpoint_id", ENDPOINT_IDS.write, ENDPOINT_IDS.read)
    found, done = items(lists.destinations_of(message), query, keys)
    return respond([_destination(one) for one in found], [one.endpoint_id for one in found], keys, done=done)


@routes.get("/app/{app}/msg/{msg}/attempt/{attempt}", "v1.message-attempt.get", READ, AttemptOut)
def get_attempt(request: Request, app: str, msg: str, attempt: str) -> AttemptOut:
    """Get one attempt to send a message."""
    found = _attempt(application(request, app), msg, attempt)
    return _out(found, by_hand=bool(lists.made_by_hand([found])), with_content=True)


@routes.delete("/app/{app}/msg/{msg}/attempt/{attempt}/content", "v1.message-attempt.expunge-content", EXPUNGE)
def expunge_attempt(request: Request, app: str, msg: str, attempt: str) -> Status[None]:
    """Remove what an endpoint answered to one attempt, for good."""
    deliveries.expunge_attempt(request.auth.actor, _attempt(application(request, app), msg, attempt))
    return Status(204, None)


@routes.post("/app/{app}/msg/{msg}/endpoint/{endpoint}/resend", "v1.message-attempt.resend", WRITE, {202: Nothing})
def resend(request: Request, app: str, msg: str, endpoint: str) -> Status[Nothing]:
    """Send a message to an endpoint again, now, whether it wants it or not; with all its attempts."""
    tenant = application(request, app)
    message, to = messages.find_in(tenant, msg), endpoint_of(tenant, endpoint)
    if message.is_expunged:
        raise ApiError("the payload of this message is gone", code="missing_payload")
    resending.resend(request.auth.actor, message, to)
    return Status(202, Nothing())


# ---- how they are shown -----------------------------------------------------------------------------


def _attempt(tenant: Tenant, msg: str, attempt: str) -> Attempt:
    try:
        message = messages.find_in(tenant, msg)
    except NotFound:
        raise Missing("Message not found") from None
    found = lists.find_attempt(message, attempt)
    if found is None:
        raise Missing("Message attempt not found")
    return found


def _attempts(found: Sequence[Attempt], done: bool, *, with_content: bool) -> ListResponse[AttemptOut]:
    by_hand = lists.made_by_hand(found)
    outs = [_out(one, by_hand=one.pk in by_hand, with_content=with_content) for one in found]
    return respond(outs, [one.pk for one in found], ATTEMPT_IDS, done=done)


def _out(attempt: Attempt, *, by_hand: bool, with_content: bool) -> AttemptOut:
    delivery = attempt.delivery
    became = lists.status_of_attempt(attempt)
    return AttemptOut.model_construct(
        url=delivery.endpoint.url,
        response=lists.answer_of(attempt) if with_content else "{}",
        response_status_code=attempt.status or 0,
        response_duration_ms=attempt.duration_ms,
        status=int(became),
        status_text=_TEXTS[became],
        trigger_type=int(by_hand),
        msg_id=ids.to_text("msg", delivery.message_id),
        endpoint_id=ids.to_text("ep", delivery.endpoint_id),
        id=attempt.public_id,
        timestamp=ids.moment_of(attempt.pk),
    )


def _with_status(delivery: Delivery, *, with_content: bool) -> bytes:
    message, became = delivery.message, lists.status_of(delivery)
    text = message_text(
        message.pk,
        message.type,
        shown(bytes(message.body)) if with_content else WITHOUT,
        channels=message.channels,
        uid=message.uid,
        created_at=message.created_at,
        tags=message.tags,
    )
    status: dict[str, Any] = {"status": int(became), "statusText": _TEXTS[became]}
    if (at := lists.next_attempt(delivery)) is not None:
        status["nextAttempt"] = at
    return b"%b,%b" % (text[:-1], compact(status).encode()[1:])


def _destination(delivery: Delivery) -> MessageEndpointOut:
    endpoint, became = delivery.endpoint, lists.status_of(delivery)
    rate = None if endpoint.lane_rate is None else max(1, round(endpoint.lane_rate))
    return MessageEndpointOut.model_construct(
        id=endpoint.public_id,
        uid=endpoint.uid,
        url=endpoint.url,
        description=endpoint.description,
        version=endpoint.version or 1,
        rate_limit=rate,
        throttle_rate=rate,
        disabled=endpoint.disabled,
        event_types=endpoint.event_types or None,
        filter_types=endpoint.event_types or None,
        channels=endpoint.channels or None,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at or endpoint.created_at,
        status=int(became),
        status_text=_TEXTS[became],
        next_attempt=lists.next_attempt(delivery),
    )
