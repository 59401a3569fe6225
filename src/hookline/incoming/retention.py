"""How long events, rejections and their counts are kept."""

from __future__ import annotations

from hookline import conf
from hookline.engine.prune import Pruner
from hookline.incoming.models import Event, Rejection, RejectionCount


def pruners(settings: conf.Settings) -> list[Pruner]:
    """What prunes the history of what came in, as the settings say."""
    kept = (
        (Event, settings.RETENTION),
        (Rejection, settings.REJECTION_RETENTION),
        (RejectionCount, settings.REJECTION_RETENTION),
    )
    return [Pruner(model, retention) for model, retention in kept if retention]
