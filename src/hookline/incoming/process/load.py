"""Reading what handlers need of claimed events."""

from __future__ import annotations

from django.db import router

from hookline.incoming.models import Event, Source


def fetch_sources(events: list[Event]) -> None:
    """Read the sources and tenants of a batch with one query, not two for each event."""
    sources = Source.objects.using(router.db_for_write(Event)).select_related("tenant")
    found = sources.in_bulk({event.source_id for event in events})
    for event in events:
        event.source = found[event.source_id]
