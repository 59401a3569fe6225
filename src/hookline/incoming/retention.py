"""How long events, rejections and their counts are kept."""

from __future__ import annotations

from hookline import conf
from hookline.db.row import Row
from hookline.engine.prune import Pruner, Reference
from hookline.incoming.models import Event, FollowUp, ObjectVersion, Rejection, RejectionCount


def pruners(settings: conf.Settings) -> list[Pruner]:
    """What prunes the history of what came in, as the settings say."""
    kept = (
        (Event, settings.RETENTION),
        (Rejection, settings.REJECTION_RETENTION),
        (RejectionCount, settings.REJECTION_RETENTION),
        (ObjectVersion, settings.RETENTION),
    )
    keepers: dict[type[Row], list[Reference]] = {Event: [(FollowUp, "event")]}
    return [Pruner(model, retention, keepers=keepers.get(model, ())) for model, retention in kept if retention]


def follow_up_pruners(settings: conf.Settings) -> list[Pruner]:
    """What prunes the history of what followed events."""
    return [Pruner(FollowUp, settings.RETENTION)] if settings.RETENTION else []
