"""What comes in at a source, here or at a server elsewhere, as it comes: for `hookline listen`.

Both say it behind a cursor and wait where there is nothing. They may tell of an event again, so events are told apart
by their ids. No clock of this machine is asked.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import click

from hookline.cli.command import Failure
from hookline.cli.patience import Away, patiently
from hookline.cli.remote.client import PAGE, Client, in_path
from hookline.core.request import WebhookRequest

#: Seconds that a look waits; less than a request may take.
WAIT = 20
#: Seconds between two looks at a server that answers at once.
PAUSE = 1.0
#: Events that are remembered: more than are stored within a minute.
MOST_SEEN = 100_000
#: How long storing an event may take.
OVERLAP = timedelta(seconds=30)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arrived:
    id: str
    type: str
    at: datetime


class Events(Protocol):
    """Those of one source."""

    def begin(self, since: datetime | None) -> None:
        """What is read begins with those of this time; without one, with those that come from now on."""

    def read(self) -> Sequence[Arrived]:
        """The next ones, the oldest first. It waits where there are none, and may end without any. Raises Away."""

    def request_of(self, event: str) -> WebhookRequest:
        """What the sender sent: the body and the headers, without those that carry credentials. Raises Away."""


class Feed:
    """Tells of each event once. Without `since`, of those that come from now on."""

    def __init__(self, events: Events, since: datetime | None = None) -> None:
        self._events = events
        #: In the order in which they were told of.
        self._seen: dict[str, None] = {}
        events.begin(since)

    def arrived(self) -> list[Arrived]:
        """It waits where there are none, and may end without any. It outlasts that nobody answers for a while."""
        new = [one for one in patiently(self._events.read) if one.id not in self._seen]
        self._seen |= dict.fromkeys(one.id for one in new)
        for event in list(self._seen)[: max(0, len(self._seen) - MOST_SEEN)]:
            del self._seen[event]
        return new


@contextmanager
def _database() -> Iterator[None]:
    """Raises Away where the database does not answer; it is connected to again the next time."""
    from django.db import InterfaceError, OperationalError, connections

    try:
        yield
    except (InterfaceError, OperationalError) as error:
        connections.close_all()
        raise Away(f"the database does not answer: {str(error).strip().partition(chr(10))[0]}") from error


class LocalEvents:
    """In this database."""

    def __init__(self, source: str) -> None:
        from hookline.cli.command import load_django

        load_django()
        from hookline.operations import sources

        self._source = sources.find(source)

    def heard(self) -> AbstractContextManager[None]:
        """Meanwhile a look ends when another process stores something, where the database can tell."""
        from hookline.operations import source_events

        return source_events.heard()

    def begin(self, since: datetime | None) -> None:
        from hookline.operations import source_events

        self._cursor = source_events.begin(self._source, since)

    def read(self) -> Sequence[Arrived]:
        from hookline.operations import source_events

        with _database():
            page = source_events.wait(self._source, self._cursor, WAIT, limit=PAGE)
        self._cursor = page.next
        return [Arrived(event.public_id, event.type, event.created_at) for event in page.events]

    def request_of(self, event: str) -> WebhookRequest:
        from hookline.operations import events

        with _database():
            return events.find(event).request


class RemoteEvents:
    """At a server elsewhere, over its management API."""

    def __init__(self, client: Client, source: str) -> None:
        self._client, self._source = client, source
        self._cursor = ""
        self._first: list[Arrived] = []
        #: Of a server that cannot be waited at.
        self._listed: ListedEvents | None = None

    def begin(self, since: datetime | None) -> None:
        try:
            # Behind the cursor of the answer come those that are there already, too.
            self._first = self._poll({"after": since, "wait": 0})
        except Failure as failure:
            if failure.code != "not_found":
                raise
            # Without the source this fails as well.
            self._listed = ListedEvents(self._client, self._source, since)
            click.echo(f"{self._client.server} is an older Hookline: it is asked once a second.", err=True)

    def read(self) -> Sequence[Arrived]:
        if self._listed is not None:
            return self._listed.read()
        if found := self._first:
            self._first = []
            return found
        began = time.monotonic()
        found = self._poll({"since": self._cursor, "wait": WAIT})
        if not found and (left := PAUSE - (time.monotonic() - began)) > 0:  # it does not wait
            time.sleep(left)
        return found

    def request_of(self, event: str) -> WebhookRequest:
        found = self._client.ask("GET", f"/event/{in_path(event)}", {"reveal": True})
        text = found["body"]
        body = base64.b64decode(found["bodyBase64"]) if text is None else text.encode()
        headers = {name: (value,) for name, value in found["headers"].items()}
        return WebhookRequest(found["method"], found["url"] or "", headers, body)

    def _poll(self, query: Mapping[str, Any]) -> list[Arrived]:
        page = self._client.ask("GET", f"/source/{in_path(self._source)}/poll", {**query, "limit": PAGE})
        self._cursor = page["next"]
        return [_arrived(one) for one in page["data"]]


class ListedEvents:
    """At a server that has only the list of events: looked for from a while before the newest one that was seen."""

    def __init__(self, client: Client, source: str, since: datetime | None) -> None:
        self._client, self._source = client, source
        self._seen: dict[str, datetime] = {}
        self._from = since or _EVER
        newest = self._list({}, 1)  # which says whether there is such a source, too
        if since is None and newest:
            self._from = newest[0].at - OVERLAP
            self._seen = {one.id: one.at for one in self._list({"after": self._from}, None)}
        self._pause = 0.0

    def read(self) -> list[Arrived]:
        time.sleep(self._pause)
        self._pause = PAUSE
        new = [one for one in self._list({"after": self._from}, None) if one.id not in self._seen]
        new.sort(key=lambda one: (one.at, one.id))
        if new:
            self._seen |= {one.id: one.at for one in new}
            self._from = max(self._from, new[-1].at - OVERLAP)
            self._seen = {event: at for event, at in self._seen.items() if at >= self._from}
        return new

    def _list(self, query: Mapping[str, Any], limit: int | None) -> list[Arrived]:
        return [_arrived(one) for one in self._client.pages("/event", {"source_id": self._source, **query}, limit)]


def _arrived(one: Mapping[str, Any]) -> Arrived:
    return Arrived(one["id"], one["eventType"], datetime.fromisoformat(one["createdAt"]))
