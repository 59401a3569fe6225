"""Events: what was received and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from hookline.audit.actor import Actor
from hookline.incoming.models import Event
from hookline.operations import jobs, rows
from hookline.operations.jobs import FINISHED, State
from hookline.operations.selection import ALL, Columns, Selection
from hookline.operations.selection import newest as select

COLUMNS = Columns(
    {"status": "state", "type": "type", "source": "source", "tenant": "source__tenant", "unhandled": "unhandled"},
    indexed=frozenset({"status", "source", "unhandled"}),
    lane="source",
)


def find(public_id: str) -> Event:
    """Raises NotFound or ValueError."""
    return rows.find(Event.objects.select_related("source__tenant"), public_id)


def newest(selection: Selection = ALL) -> list[Event]:
    """The newest events of a selection, without their headers and bodies."""
    events = Event.objects.select_related("source__tenant").defer("body", "headers", "url")
    return select(events, selection, COLUMNS)


def retry(actor: Actor, public_ids: Sequence[str], *, now: bool = False) -> list[str]:
    """Process finished events again, with all their tries.

    With `now`, pending ones are due at once, too. Those that need no retry are left alone. Returns the public ids of
    the others. Raises NotFound, ValueError, or Conflict when none needs one.
    """
    return retry_keys(actor, [find(public_id).pk for public_id in public_ids], now=now, at_least_one=True)


def retry_selection(actor: Actor, selection: Selection, *, now: bool = False) -> list[str]:
    """The same for a selection, without those in other states; for dead ones where it names no status."""
    return retry_keys(actor, chosen(selection), now=now)


def chosen(selection: Selection) -> list[UUID]:
    """The keys of what `retry_selection` would retry, newest first.

    Without a status, what no handler wanted has succeeded.
    """
    wanted = selection if selection.status is not None or selection.unhandled else replace(selection, status=State.DEAD)
    return [row.pk for row in select(Event.objects.only("pk"), wanted, COLUMNS)]


def retry_keys(
    actor: Actor,
    keys: Sequence[UUID],
    *,
    states: Collection[State] = FINISHED,
    now: bool = False,
    at_least_one: bool = False,
) -> list[str]:
    """The same by primary key, for those in one of the `states`. Returns the public ids of what is due again."""
    return jobs.retry(actor, Event, keys, states=states, now=now, at_least_one=at_least_one)


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
        "attempts": event.attempts,
        "unhandled": bool(event.unhandled),
        "note": event.note,
        "created_at": event.created_at,
        "due_at": event.due_at,
        "finished_at": event.finished_at,
    }


def content_as_json(event: Event) -> dict[str, Any]:
    """What `as_json` leaves out, but for the body."""
    request = {"method": event.method or "POST", "url": event.url, "headers": event.headers}
    return {"dedup_key": event.dedup_key, **request}
