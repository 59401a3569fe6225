"""What an endpoint was sent, by its sequence numbers: as a page, or as server-sent events.

The view answers at once. `poll_edge` is ahead of it under ASGI, and waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Header, Query
from pydantic import Field

from hookline.access.principal import Principal
from hookline.api.auth import Needs, Request
from hookline.api.endpoints import endpoint_in
from hookline.api.errors import Unparsable
from hookline.api.names import application_of
from hookline.api.poll_watch import Awaited
from hookline.api.polled import Polled, Streamed, Waiting
from hookline.api.query import Number
from hookline.api.renderer import compact, written
from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.api.visible import body_fields
from hookline.models import Endpoint
from hookline.operations import endpoint_messages
from hookline.operations.endpoint_messages import Numbered, Page

routes = Routes("Endpoint")

READ = Needs("messages:read")
EVENTS = "text/event-stream"
#: Messages in one read of a stream.
PORTION = 20
#: The highest number that the database can hold.
HIGHEST = 2**63 - 1
#: What a stream begins with: whoever loses it comes back after so many milliseconds.
BEGINNING = b"retry: 1000\n\n"


class PollQuery(Waiting):
    since: Annotated[Number, Field(ge=0, le=HIGHEST)] = 0


class PolledOut(Out):
    """A message as the endpoint gets it. The body is text, or in base64 where it is not UTF-8; empty once expunged."""

    sequence: int
    id: str
    event_type: str
    event_id: str | None
    timestamp: str
    #: `pending`, `running`, `succeeded`, `dead` or `cancelled`.
    status: str
    body: str | None
    body_base64: str | None
    #: Of a webhook that was forwarded: the sender's.
    headers: dict[str, str] | None


class GoneOut(Out):
    """Numbers whose messages were pruned: from `first` to `last`."""

    first: int
    last: int


class PollOut(Out):
    """`next` is what to ask for then; `done`: there is nothing behind it yet. `last` is the last number so far."""

    data: list[PolledOut]
    gone: list[GoneOut]
    since: int
    next: int
    last: int
    done: bool


@routes.get(
    "/app/{app}/endpoint/{ep}/poll",
    "v1.endpoint.poll",
    READ,
    PollOut,
    openapi_extra={"responses": {200: {"content": {EVENTS: {"schema": {"type": "string"}}}}}},
)
def poll(
    request: Request,
    app: str,
    ep: str,
    query: Query[PollQuery],
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> HttpResponse:
    """Read what a numbered endpoint was sent with numbers higher than `since`, in order; nothing is skipped.

    Where there is nothing it waits, at most `wait` seconds. With `Accept: text/event-stream` it goes on: each message
    is an event whose id is its number, and `Last-Event-ID` resumes. Under WSGI it answers at once.
    """
    if not wants_events(request.headers.get("Accept", "")):
        return HttpResponse(read(request.auth, (app, ep), query).page(), content_type="application/json")
    found = read(request.auth, (app, ep), resumed(query, last_event_id))
    response = HttpResponse(BEGINNING + events_text(found), content_type=EVENTS)
    response["cache-control"] = "no-cache"
    return response


@dataclass(frozen=True, slots=True)
class FoundMessages:
    endpoint: Endpoint
    messages: Page

    @property
    def is_empty(self) -> bool:
        return self.messages.is_empty

    @property
    def more(self) -> bool:
        return self.messages.more

    @property
    def next(self) -> int:
        return self.messages.next

    @property
    def key(self) -> UUID:
        return self.endpoint.pk

    @property
    def known(self) -> int:
        return self.messages.next

    def page(self) -> bytes:
        return page_text(self.messages)


def read(principal: Principal, names: Sequence[str], query: PollQuery) -> FoundMessages:
    """What there is now. Raises Missing, NotFound, or Conflict for an endpoint that numbers nothing."""
    app, ep = names
    endpoint = endpoint_in(application_of(principal, app), ep)
    return FoundMessages(endpoint, endpoint_messages.since(endpoint, query.since, limit=query.limit))


def resumed(query: PollQuery, last_event_id: str | None) -> PollQuery:
    """What a stream goes on with: behind the last event that the client has seen, if it says so. Raises Unparsable."""
    after = query.since
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 20):
            raise Unparsable("header Last-Event-ID: use the id of an event, which is a number")
        after = min(int(last_event_id), HIGHEST)
    return PollQuery(since=after, limit=PORTION)


def wants_events(accept: str) -> bool:
    return EVENTS in accept.lower()


def page_text(page: Page) -> bytes:
    """A page as JSON."""
    return compact(
        PollOut(
            data=[polled(one) for one in page.messages],
            gone=[GoneOut(first=first, last=last) for first, last in page.gone],
            since=page.since,
            next=page.next,
            last=page.last,
            done=not page.more,
        )
    ).encode()


def polled(numbered: Numbered) -> PolledOut:
    message = numbered.delivery.message
    return PolledOut(
        sequence=numbered.sequence,
        id=message.public_id,
        event_type=message.type,
        event_id=message.uid,
        timestamp=written(message.created_at),
        status=str(numbered.delivery.state),
        headers=None if numbered.headers is None else dict(numbered.headers),
        **body_fields(numbered.body),
    )


def events_text(found: FoundMessages) -> bytes:
    """A page as server-sent events, in the order of the numbers (WHATWG HTML, section 9.2.5)."""
    return b"".join(text for _, text in sorted(_events(found.messages)))


def _events(page: Page) -> Iterator[tuple[int, bytes]]:
    for one in page.messages:
        yield one.sequence, _event(one.sequence, "", polled(one))
    for first, last in page.gone:
        yield last, _event(last, "event: gone\n", GoneOut(first=first, last=last))


def _event(number: int, kind: str, data: Any) -> bytes:
    """JSON as it is written here has no line break."""
    return f"id: {number}\n{kind}data: {compact(data)}\n\n".encode()


#: The last number of each endpoint; an endpoint that is deleted has none, which is news, too.
NUMBERS: Awaited[UUID, int] = Awaited(
    endpoint_messages.notified, endpoint_messages.last_numbers, lambda known, last: last is None or last > known
)
POLLED = Polled(READ, NUMBERS, read, PollQuery, Streamed(resumed, events_text))
