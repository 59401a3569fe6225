"""What came in at a source since the last look, here or at a server elsewhere: for `hookline listen`.

Events are told apart by their ids, and looked for from a while before the newest one that was seen: the one that began
to be stored first may be committed last. No clock of this machine is asked.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from hookline.cli.remote.client import Client, in_path
from hookline.core.request import WebhookRequest

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

    def newest(self) -> Arrived | None: ...
    def since(self, moment: datetime) -> Sequence[Arrived]:
        """All that were stored at this time or later, in any order."""

    def request_of(self, event: str) -> WebhookRequest:
        """What the sender sent: the body and the headers, without those that carry credentials."""


class Feed:
    """Tells of each event once, the oldest first. Without `since`, of those that come from now on."""

    def __init__(self, events: Events, since: datetime | None = None) -> None:
        self._events = events
        self._seen: dict[str, datetime] = {}
        self._from = since or _EVER
        if since is None and (last := events.newest()) is not None:
            self._from = last.at - OVERLAP
            self._seen = {one.id: one.at for one in events.since(self._from)}

    def arrived(self) -> list[Arrived]:
        new = [one for one in self._events.since(self._from) if one.id not in self._seen]
        new.sort(key=lambda one: (one.at, one.id))
        if new:
            self._seen |= {one.id: one.at for one in new}
            self._from = max(self._from, new[-1].at - OVERLAP)
            self._seen = {event: at for event, at in self._seen.items() if at >= self._from}
        return new


class LocalEvents:
    """In this database."""

    def __init__(self, source: str) -> None:
        from hookline.cli.command import load_django

        load_django()
        from hookline.operations import sources

        self._source = sources.find(source).public_id

    def newest(self) -> Arrived | None:
        return next(iter(self._list(limit=1)), None)

    def since(self, moment: datetime) -> Sequence[Arrived]:
        return self._list(since=moment)

    def request_of(self, event: str) -> WebhookRequest:
        from hookline.operations import events

        return events.find(event).request

    def _list(self, **narrowed: Any) -> list[Arrived]:
        from hookline.operations import events
        from hookline.operations.selection import MOST, Selection

        found = events.newest(Selection(source=self._source, **{"limit": MOST, **narrowed}))
        return [Arrived(event.public_id, event.type, event.created_at) for event in found]


class RemoteEvents:
    """At a server elsewhere, over its management API."""

    def __init__(self, client: Client, source: str) -> None:
        self._client, self._source = client, source

    def newest(self) -> Arrived | None:
        return next(iter(self._list({}, 1)), None)

    def since(self, moment: datetime) -> Sequence[Arrived]:
        return self._list({"after": moment}, None)

    def request_of(self, event: str) -> WebhookRequest:
        found = self._client.ask("GET", f"/event/{in_path(event)}", {"reveal": True})
        text = found["body"]
        body = base64.b64decode(found["bodyBase64"]) if text is None else text.encode()
        headers = {name: (value,) for name, value in found["headers"].items()}
        return WebhookRequest(found["method"], found["url"] or "", headers, body)

    def _list(self, query: Mapping[str, Any], limit: int | None) -> list[Arrived]:
        pages = self._client.pages("/event", {"source_id": self._source, **query}, limit)
        return [Arrived(one["id"], one["eventType"], datetime.fromisoformat(one["createdAt"])) for one in pages]
