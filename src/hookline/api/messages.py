"""Messages: what is posted, and what was."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Query, Status
from pydantic import Field

from hookline.api.answers import json_response, list_text, response_of, run
from hookline.api.auth import Needs, Request
from hookline.api.message_text import WITHOUT, message_text, shown
from hookline.api.names import application
from hookline.api.pages import ListResponse
from hookline.api.publisher import WRITE, Asked, Publisher
from hookline.api.routes import Routes
from hookline.api.schema import In, Name, Out, Text
from hookline.api.tasks import TaskOut, as_task
from hookline.api.time_pages import Content, TimeListing, by_commit
from hookline.exceptions import NotFound
from hookline.models import Message
from hookline.operations import messages, replays
from hookline.operations.attempt_lists import messages_of
from hookline.operations.selection import Selection

routes = Routes("Message")
publisher = Publisher()

READ = Needs("messages:read")


class MessageOut(Out):
    event_id: str | None
    event_type: str
    payload: dict[str, Any]
    channels: list[str] | None
    id: str
    timestamp: datetime
    #: Left out where there are none.
    tags: list[str] = []
    #: Left out where what is not delivered is never cancelled.
    expires_at: datetime | None = None


class BatchItemOut(MessageOut):
    """`conflict`: another message has the `eventId`, and is the one that is shown."""

    status: str


class BatchOut(Out):
    data: list[BatchItemOut]


class BulkExpungeContentsIn(In):
    ids: Annotated[list[Text], Field(max_length=1000)] = []


class BulkExpungeContentsOut(Out):
    #: Each id with `expunged` or `not-found`.
    results: dict[str, str]


class CancelledOut(Out):
    id: str
    #: How many deliveries.
    cancelled: int


class PrecheckIn(In):
    event_type: Name
    channels: list[Name] | None = None


class PrecheckOut(Out):
    active: bool


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    """What the OpenAPI document says of a body that is read past Django Ninja."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_CHANNELS = {"type": ["array", "null"], "items": {"type": "string", "maxLength": 128}, "minItems": 1, "maxItems": 5}
MESSAGE_IN: dict[str, Any] = {
    "type": "object",
    "required": ["eventType", "payload"],
    "properties": {
        "eventType": {"type": "string", "pattern": "^[a-zA-Z0-9\\-_.]+$", "maxLength": 256},
        "payload": {"type": "object", "description": "Delivered byte for byte as it is sent."},
        "eventId": {
            "type": ["string", "null"],
            "maxLength": 256,
            "description": "Your own unique id for the message; a second message with it is refused with 409.",
        },
        "channels": _CHANNELS,
        "deliverAt": {"type": ["string", "null"], "format": "date-time", "description": "It is not sent before."},
        "expiresAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "What is not delivered by then is cancelled; left out, as the event type or settings say.",
        },
        "tags": {
            "type": ["array", "null"],
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[a-zA-Z0-9\\-_./\\\\#]+$"},
            "maxItems": 5,
            "description": "Your own words for the message, by which lists of messages are narrowed.",
        },
        "payloadRetentionPeriod": {
            "type": "integer",
            "minimum": 5,
            "maximum": 90,
            "description": "Days after which the payload is removed; left out, as the settings say.",
        },
        "payloadRetentionHours": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 2160,
            "description": "The same in hours.",
        },
        "transformationsParams": {
            "type": ["object", "null"],
            "properties": {"rawPayload": {"type": "string", "description": "Delivered in place of the payload."}},
        },
        "application": {
            "type": ["object", "null"],
            "description": "The application, which is created where the path names none.",
        },
    },
}
BATCH_IN: dict[str, Any] = {
    "type": "object",
    "required": ["messages"],
    "properties": {"messages": {"type": "array", "items": MESSAGE_IN, "minItems": 1, "maxItems": 1000}},
}


@routes.get("/app/{app}/msg", "v1.message.list", READ, ListResponse[MessageOut])
def list_messages(request: Request, app: str, query: Query[TimeListing]) -> HttpResponse:
    """List messages, the newest first; with `after` and no iterator, the oldest after that moment."""
    found = messages_of(application(request, app), query.narrowed())
    if not query.with_content:
        found = found.defer("body")
    shown_ones, done = by_commit(found, query)
    texts = [text_of(message, with_content=query.with_content) for message in shown_ones]
    return json_response(list_text(texts, [message.pk for message in shown_ones], "msg", done=done))


@routes.post(
    "/app/{app}/msg", "v1.message.create", WRITE, {202: MessageOut}, atomic=False, openapi_extra=_body(MESSAGE_IN)
)
def create_message(request: Request, app: str, query: Query[Content]) -> HttpResponse:
    """Send a message to every endpoint of the application that wants it.

    A second request with the same `Idempotency-Key` is answered with the first message, whatever else it says.
    """
    return _published(request, app, many=False)


@routes.post(
    "/app/{app}/msg/batch", "v1.message.batch", WRITE, {202: BatchOut}, atomic=False, openapi_extra=_body(BATCH_IN)
)
def create_messages(request: Request, app: str, query: Query[Content]) -> HttpResponse:
    """Send up to 1,000 messages with one request: they are checked together, and stored in one transaction.

    One that cannot be taken refuses all of them. A taken `eventId` does not: that item has the status `conflict`.
    """
    return _published(request, app, many=True)


@routes.post("/app/{app}/msg/bulk-expunge", "v1.message.bulk-expunge", WRITE, BulkExpungeContentsOut)
def expunge_many(request: Request, app: str, body: BulkExpungeContentsIn) -> BulkExpungeContentsOut:
    """Remove the payloads of up to 1,000 messages, by their ids or eventIds, in one transaction."""
    tenant = application(request, app)
    results = {}
    for name in dict.fromkeys(body.ids):
        try:
            messages.expunge(request.auth.actor, messages.find_in(tenant, name))
        except NotFound:
            results[name] = "not-found"
        else:
            results[name] = "expunged"
    return BulkExpungeContentsOut(results=results)


@routes.post("/app/{app}/msg/expunge-all-contents", "v1.message.expunge-all-contents", WRITE, {202: TaskOut})
def expunge_all(request: Request, app: str) -> Status[TaskOut]:
    """Have a worker remove the payloads of all messages there are, and what endpoints answered, for good.

    What waits is not sent any more. `GET /background-task/{task}` has its progress, and `messagesPurged` in the end.
    """
    tenant = application(request, app)
    started = replays.start(request.auth.actor, replays.What.CONTENTS, Selection(tenant=tenant.public_id))
    return Status(202, as_task(started))


@routes.get("/app/{app}/msg/{msg}", "v1.message.get", READ, MessageOut)
def get_message(request: Request, app: str, msg: str, query: Query[Content]) -> HttpResponse:
    """Get a message by its id or eventId."""
    message = messages.find_in(application(request, app), msg)
    return json_response(text_of(message, with_content=query.with_content))


@routes.delete("/app/{app}/msg/{msg}/content", "v1.message.expunge-content", WRITE)
def expunge_content(request: Request, app: str, msg: str) -> Status[None]:
    """Remove the payload of a message, and what endpoints answered to it, for good. What waits is not sent any more."""
    messages.expunge(request.auth.actor, messages.find_in(application(request, app), msg))
    return Status(204, None)


@routes.post("/app/{app}/msg/{msg}/cancel", "v1.message.cancel", WRITE, CancelledOut)
def cancel_message(request: Request, app: str, msg: str) -> CancelledOut:
    """Cancel what waits of a message. Answered 409 where nothing does."""
    message = messages.find_in(application(request, app), msg)
    return CancelledOut(id=message.public_id, cancelled=messages.cancel(request.auth.actor, message))


@routes.post("/app/{app}/msg/precheck/active", "v1.message.precheck", READ, {200: PrecheckOut}, atomic=False)
def precheck(request: Request, app: str, body: PrecheckIn) -> PrecheckOut:
    """Whether any endpoint would get such a message; filters on the payload are not asked."""
    active = messages.is_wanted(application(request, app), body.event_type, body.channels or ())
    return PrecheckOut(active=active)


def text_of(message: Message, *, with_content: bool) -> bytes:
    return message_text(
        message.pk,
        message.type,
        shown(bytes(message.body)) if with_content else WITHOUT,
        channels=message.channels,
        uid=message.uid,
        created_at=message.created_at,
        tags=message.tags,
        expires_at=message.expires_at,
    )


def _published(request: Request, app: str, *, many: bool) -> HttpResponse:
    asked = Asked(
        app,
        request.META.get("QUERY_STRING", ""),
        request.headers.get("Authorization", ""),
        request.headers.get("Idempotency-Key"),
        many=many,
    )

    async def read_body(most: int) -> bytes:
        return request.body  # whose length the gate has checked

    return response_of(run(publisher.answer(asked, read_body)))
