"""The net below all messages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

from hookline import conf
from hookline.engine.job import Job
from hookline.engine.prune import Pruner, prune
from hookline.engine.settle import release_expired
from hookline.incoming import retention as incoming
from hookline.incoming.models import Event
from hookline.outgoing import retention as outgoing
from hookline.outgoing.models import Delivery

logger = logging.getLogger("hookline.celery")

#: For how many seconds one sweep prunes history.
PRUNING = 1.0


def sweep(settings: conf.Settings, on_more: Callable[[type[Job]], None]) -> None:
    """Return jobs whose worker is gone, and have whatever is due claimed: retries, and what a lost message left.

    Then prune history for a while. Raises DatabaseError.
    """
    for model in (Event, Delivery):
        take_back(model, settings)
        on_more(model)
    prune(_pruners(settings), PRUNING)


@cache
def _pruners(settings: conf.Settings) -> list[Pruner]:
    """Those of this process, which remember how far they have come."""
    return [*incoming.pruners(settings), *outgoing.pruners(settings)]


def take_back(model: type[Job], settings: conf.Settings) -> int:
    """Return jobs whose worker is gone, and how many there were. Raises DatabaseError."""
    delays = settings.EVENT_RETRY_DELAYS if model is Event else settings.DELIVERY_RETRY_DELAYS
    if released := release_expired(model, len(delays) + 1):
        logger.warning("took back %d jobs whose worker is gone", released)
    return released
