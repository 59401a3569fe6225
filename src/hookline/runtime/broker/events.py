"""One task's share of processing: claim events and run them, one after the other."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from hookline import conf
from hookline.engine.job import Settlement
from hookline.engine.leases import Leases
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.incoming.process.worker import fetch_sources
from hookline.runtime.broker.keeper import Keeper

logger = logging.getLogger("hookline.celery")

#: How long one task goes on claiming, in seconds. Then its place is free for the tasks of others.
SHARE = 2.0
#: How many events one claim takes.
BATCH = 50


def process_due(settings: conf.Settings, on_more: Callable[[], None]) -> None:
    """Process what is due until nothing is, or for about SHARE seconds. Raises DatabaseError.

    `on_more` is called when there is, or may be, work for another task.
    """
    leases = Leases(Event, lease=settings.LEASE, per_lane=BATCH * 2, longest_run=settings.HANDLER_TIMEOUT)
    end = time.monotonic() + SHARE
    while time.monotonic() < end:
        events = leases.claim(BATCH)
        if not events:
            return
        if len(events) * 2 > BATCH:
            on_more()
        run_batch(leases, events, settings.EVENTS_PER_TRANSACTION, on_more)
    on_more()


def run_batch(leases: Leases[Event], events: list[Event], at_once: int, on_more: Callable[[], None]) -> None:
    """Run claimed events, `at_once` in one transaction."""
    try:
        fetch_sources(events)
    except Exception:
        leases.release([(event, Settlement.give_back(0, "the database failed before it began")) for event in events])
        raise
    unbegun = deque(events)
    with Keeper(leases, unbegun, on_more):
        while begun := _next(unbegun, at_once):
            try:
                process.run_all(begun)
            except Exception:
                # The database failed. The leases run out, and the sweep returns what is left.
                logger.exception("could not settle %s", ", ".join(event.public_id for event in begun))
            finally:
                for event in begun:
                    leases.forget(event)


def _next(unbegun: deque[Event], most: int) -> list[Event]:
    events: list[Event] = []
    with suppress(IndexError):  # not asked beforehand: the Keeper may take the rest in between
        while len(events) < most:
            events.append(unbegun.popleft())
    return events
