"""Events: what was received, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query, Status
from pydantic import BaseModel

from hookline.api.auth import Needs, Request
from hookline.api.jobs import DiscardedOut, IdsIn, ReleasedOut, RetriedOut, RetryIn
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Toggle
from hookline.api.routes import Routes
from hookline.api.schema import Out, Text
from hookline.api.sources import find as find_source
from hookline.api.visible import HistoryListing, app_of, between, body_fields, chosen, one
from hookline.models import Event
from hookline.operations import events
from hookline.operations.jobs import State

routes = Routes("Event")

READ = Needs("events:read")
WRITE = Needs("events:write")
IDS = id_keys("evt")


class EventListing(HistoryListing):
    source_id: Text | None = None
    event_type: Text | None = None
    status: State | None = None
    unhandled: Toggle | None = None
    parked: Toggle | None = None


class EventShown(BaseModel):
    #: With whole signatures, as a program needs them that verifies.
    reveal: Toggle = False


class EventOut(Out):
    id: str
    app_id: str | None
    source_id: str
    provider: str
    event_type: str
    #: The sender's own id.
    provider_id: str
    status: str
    attempts: int
    unhandled: bool
    note: str
    order_key: str | None
    repeat_of: str | None
    conflict_of: str | None
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None

    @classmethod
    def values(cls, event: Event) -> dict[str, Any]:
        found = events.as_json(event)
        shown = {name: found[name] for name in EventOut.model_fields if name in found}
        return {**shown, "app_id": app_of(event.tenant), "source_id": found["source"], "event_type": found["type"]}

    @classmethod
    def of(cls, event: Event) -> EventOut:
        return cls.model_construct(**cls.values(event))


class EventContentOut(EventOut):
    method: str
    url: str | None
    headers: dict[str, str]
    #: Of a body that is not UTF-8, None; then `bodyBase64` has it.
    body: str | None
    body_base64: str | None

    @classmethod
    def of(cls, event: Event, *, reveal: bool = False) -> EventContentOut:
        content = events.content_as_json(event, reveal=reveal)
        content.pop("dedup_key")
        return cls.model_construct(**cls.values(event), **content, **body_fields(bytes(event.body)))


@routes.get("/event", "v1.event.list", READ, ListResponse[EventOut])
def list_events(request: Request, query: Query[EventListing]) -> ListResponse[EventOut]:
    """List events without their content, newest first."""
    rows = chosen(request, Event.objects.select_related("source__tenant"), "source__tenant", query.app_id)
    if query.source_id is not None:
        rows = rows.filter(source=find_source(request, query.source_id))
    given = {"type": query.event_type, "state": query.status, "unhandled": query.unhandled or None}
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if query.parked:
        rows = rows.filter(state=State.DEAD, has_turn=True)
    return page(between(rows.defer("body", "headers", "url"), query), query, IDS, EventOut.of, descending=True)


@routes.post("/event/retry", "v1.event.retry-many", WRITE, {202: RetriedOut})
def retry_events(request: Request, body: RetryIn) -> Status[RetriedOut]:
    """Process finished events again, with all their attempts. Those that need no retry are left alone."""
    names = body.found(lambda name: find(request, name))
    return Status(202, RetriedOut(retried=events.retry(request.auth.actor, names, now=body.now)))


@routes.post("/event/discard", "v1.event.discard", WRITE, DiscardedOut)
def discard_events(request: Request, body: IdsIn) -> DiscardedOut:
    """Cancel events that wait or are dead, all or none of them."""
    names = body.found(lambda name: find(request, name))
    return DiscardedOut(discarded=events.discard(request.auth.actor, names))


@routes.post("/event/release", "v1.event.release", WRITE, ReleasedOut)
def release_events(request: Request, body: IdsIn) -> ReleasedOut:
    """Let others go on, past dead events that park their order keys. These stay dead."""
    names = body.found(lambda name: find(request, name))
    return ReleasedOut(released=events.release(request.auth.actor, names))


@routes.get("/event/{event}", "v1.event.get", READ, EventContentOut)
def get_event(request: Request, event: str, query: Query[EventShown]) -> EventContentOut:
    """Get an event with its headers, without those that carry credentials, and its exact body.

    Signatures are shortened, unless `reveal` is true.
    """
    return EventContentOut.of(find(request, event), reveal=query.reveal)


@routes.post("/event/{event}/retry", "v1.event.retry", WRITE, {202: RetriedOut})
def retry_event(request: Request, event: str) -> Status[RetriedOut]:
    """Process a finished event again: its handlers, and its forwards under the same message id."""
    name = find(request, event).public_id
    return Status(202, RetriedOut(retried=events.retry(request.auth.actor, [name])))


def find(request: Request, name: str) -> Event:
    """Raises Missing."""
    return one(request, events.find, name, lambda event: event.tenant)
