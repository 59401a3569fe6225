"""The net below all messages."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hookline import conf
from hookline.engine.claim import release_expired
from hookline.engine.job import Job
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery

logger = logging.getLogger("hookline.celery")


def sweep(settings: conf.Settings, on_more: Callable[[type[Job]], None]) -> None:
    """Return jobs whose worker is gone, and have whatever is due claimed: retries, and what a lost message left.

    Raises DatabaseError.
    """
    for model in (Event, Delivery):
        take_back(model, settings)
        on_more(model)


def take_back(model: type[Job], settings: conf.Settings) -> int:
    """Return jobs whose worker is gone, and how many there were. Raises DatabaseError."""
    delays = settings.EVENT_RETRY_DELAYS if model is Event else settings.DELIVERY_RETRY_DELAYS
    if released := release_expired(model, len(delays) + 1):
        logger.warning("took back %d jobs whose worker is gone", released)
    return released
