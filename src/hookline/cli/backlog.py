"""How much work there is, of each kind."""

from __future__ import annotations

from hookline.engine.backlog import Backlog, backlog_of
from hookline.models import Delivery, Event


def backlogs() -> dict[str, Backlog]:
    """The backlog of each kind of job."""
    return {"events": backlog_of(Event), "deliveries": backlog_of(Delivery)}
