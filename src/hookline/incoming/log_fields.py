"""What a line of the log about something that came in carries as fields."""

from __future__ import annotations

from hookline.core import ids
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.new_event import NewEvent


def of_event(event: Event | NewEvent) -> dict[str, str]:
    """Of an event that has its source: nothing is read."""
    return {"event": event.public_id, **of_source(event.source)}


def of_source(source: Source | None) -> dict[str, str]:
    if source is None:
        return {}
    return {"source": source.public_id, "tenant": ids.to_text("ten", source.tenant_id)}
