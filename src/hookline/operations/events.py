"""Events: what was received and what became of it."""

from __future__ import annotations

from typing import Any

from hookline.core.shown_headers import shown
from hookline.exceptions import ConfigurationError, NotFound
from hookline.incoming.models import Event, Source
from hookline.operations import rows
from hookline.operations.job_history import JobHistory
from hookline.operations.selection import Columns

COLUMNS = Columns(
    {
        "status": "state",
        "type": "type",
        "source": "source",
        "tenant": "source__tenant",
        "unhandled": "unhandled",
        "parked": "has_turn",
    },
    indexed=frozenset({"status", "source", "unhandled"}),
    lane="source",
)

#: Sources of which the sender's own ids are looked up, and the newest events that are searched besides.
MOST_SOURCES, MOST_SEARCHED = 1000, 100_000

_history = JobHistory(model=Event, columns=COLUMNS, related=("source__tenant",), not_listed=("body", "headers", "url"))
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


def find_any(name: str) -> Event:
    """By public id, or by the sender's own id of the event. Raises NotFound, or ConfigurationError for several events.

    A signed id is found by its key among all events, any other id among the newest 100,000.
    """
    try:
        return find(name)
    except (ValueError, NotFound):
        events = Event.objects.select_related("source__tenant")
    sources = list(Source.objects.order_by("-id").values_list("pk", flat=True)[:MOST_SOURCES])
    found = list(events.filter(source__in=sources, dedup_key=f"id:{name}")[:2])
    if not found:
        oldest = Event.objects.order_by("-id").values_list("pk", flat=True)[MOST_SEARCHED : MOST_SEARCHED + 1]
        searched = events.filter(pk__gte=oldest[0]) if oldest else events
        found = list(searched.filter(provider_id=name).order_by("-id")[:2])
    if not found:
        raise rows.not_found(Event, name)
    if len(found) > 1:
        both = " and ".join(event.public_id for event in found)
        raise ConfigurationError(f"several events have the sender's id {name!r}, such as {both}; use one of these")
    return found[0]


def as_json(event: Event) -> dict[str, Any]:
    """An event without its headers and body."""
    return {
        "id": event.public_id,
        "source": event.source.public_id,
        "provider": event.source.provider,
        "tenant": event.tenant.key,
        "type": event.type,
        "provider_id": event.provider_id,
        "repeat_of": event.repeat_of and event.public(event.repeat_of),
        "conflict_of": event.conflict_of and event.public(event.conflict_of),
        "status": event.state,
        "order_key": event.order_key or None,
        "parked": event.is_parked,
        "attempts": event.attempts,
        "unhandled": bool(event.unhandled),
        "note": event.note,
        "created_at": event.created_at,
        "due_at": event.due_at,
        "finished_at": event.finished_at,
    }


def content_as_json(event: Event, *, reveal: bool = False) -> dict[str, Any]:
    """What `as_json` leaves out, but for the body.

    The sender's credentials are not stored with it. What a proxy may have added is hidden and signatures are shortened,
    unless they are to be revealed.
    """
    headers = event.headers if reveal else shown(event.headers)
    request = {"method": event.method or "POST", "url": event.url, "headers": headers}
    return {"dedup_key": event.dedup_key, **request}
