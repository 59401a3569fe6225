"""How long messages, deliveries and attempts are kept."""

from __future__ import annotations

from hookline import conf
from hookline.engine.prune import Pruner
from hookline.outgoing.models import Attempt, Delivery, Message

#: Deliveries end after their message was made, so a walk over messages of the same age would find them all kept. A day
#: later most are not: what is retried for longer goes with one of the walks that follow.
_LATER = 86400.0


def pruners(settings: conf.Settings) -> list[Pruner]:
    """What prunes the history of what was sent, as the settings say. A message goes when its last delivery is gone."""
    if not settings.RETENTION:
        return []
    return [
        Pruner(Delivery, settings.RETENTION, parts=[(Attempt, "delivery")]),
        Pruner(Message, settings.RETENTION + _LATER, keepers=[(Delivery, "message")]),
    ]
