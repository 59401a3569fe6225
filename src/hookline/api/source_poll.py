"""What came in at a source, behind a cursor. The view answers at once; `poll_edge`, ahead of it under ASGI, waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpResponse
from ninja import Query
from pydantic import AfterValidator

from hookline.access.principal import Principal
from hookline.api.auth import Request
from hookline.api.events import READ, EventOut
from hookline.api.poll_watch import Awaited
from hookline.api.polled import Polled, Waiting
from hookline.api.query import When
from hookline.api.renderer import compact
from hookline.api.routes import Routes
from hookline.api.schema import Out, refused
from hookline.api.sources import find_for
from hookline.models import Source
from hookline.operations import source_events
from hookline.operations.source_events import Cursor, Page

routes = Routes("Source")


def _checked(text: str) -> str:
    try:
        Cursor.parse(text)
    except ValueError as error:
        raise refused(str(error)) from None
    return text


class SourcePollQuery(Waiting):
    #: The `next` of the last answer.
    since: Annotated[str, AfterValidator(_checked)] | None = None
    #: Without a cursor, where to begin.
    after: When | None = None


class SourcePollOut(Out):
    """`next` is what to ask for then; `done`: there is nothing behind it yet."""

    data: list[EventOut]
    next: str
    done: bool


@routes.get("/source/{source}/poll", "v1.source.poll", READ, SourcePollOut)
def poll_source(request: Request, source: str, query: Query[SourcePollQuery]) -> HttpResponse:
    """Read what came in at a source behind the cursor `since`, without its content; nothing is skipped.

    Without a cursor it begins with what was stored at the time `after` or later, or with what comes from now on. Where
    there is nothing it waits, at most `wait` seconds. An event may be told again, where one that began to be stored
    before it was committed after it: tell them apart by id. Under WSGI it answers at once.
    """
    return HttpResponse(read(request.auth, (source,), query).page(), content_type="application/json")


@dataclass(frozen=True, slots=True)
class FoundEvents:
    source: Source
    found: Page

    @property
    def is_empty(self) -> bool:
        return not self.found.events

    @property
    def more(self) -> bool:
        return self.found.more

    @property
    def next(self) -> str:
        return str(self.found.next)

    @property
    def key(self) -> tuple[UUID, datetime]:
        return self.source.pk, self.found.next.recent

    @property
    def known(self) -> int:
        return self.found.next.seen

    def page(self) -> bytes:
        data = [EventOut.of(event) for event in self.found.events]
        return compact(SourcePollOut(data=data, next=self.next, done=not self.more)).encode()


def read(principal: Principal, names: Sequence[str], query: SourcePollQuery) -> FoundEvents:
    """What there is now. Raises Missing."""
    source = find_for(principal, *names)
    cursor = source_events.begin(source, query.after) if query.since is None else Cursor.parse(query.since)
    return FoundEvents(source, source_events.since(source, cursor, limit=query.limit))


#: How many events each source has from a time on.
COUNTS: Awaited[tuple[UUID, datetime], int] = Awaited(
    source_events.notified, source_events.counts, lambda known, count: count != known
)
POLLED = Polled(READ, COUNTS, read, SourcePollQuery)
