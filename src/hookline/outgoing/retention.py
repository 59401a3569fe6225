"""How long messages, deliveries and attempts are kept, and their content."""

from __future__ import annotations

from hookline import conf
from hookline.engine.prune import Pruner, Steps
from hookline.outgoing.content import ContentEnding, Expunging
from hookline.outgoing.expiry import Expiring
from hookline.outgoing.models import Attempt, Delivery, Message

#: Deliveries end after their message was made, so a walk over messages of the same age would find them all kept. A day
#: later most are not: what is retried for longer goes with one of the walks that follow.
_LATER = 86400.0


def pruners(settings: conf.Settings) -> list[Steps]:
    """What is done to what was sent as it grows old, as the settings say."""
    walks: list[Steps] = [Expiring(), ContentEnding()]
    if settings.CONTENT_RETENTION:
        walks += [Expunging(Message, settings.CONTENT_RETENTION), Expunging(Attempt, settings.CONTENT_RETENTION)]
    if settings.RETENTION:  # a message goes when its last delivery is gone
        walks += [
            Pruner(Delivery, settings.RETENTION, parts=[(Attempt, "delivery")]),
            Pruner(Message, settings.RETENTION + _LATER, keepers=[(Delivery, "message")]),
        ]
    return walks
