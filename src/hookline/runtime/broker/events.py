"""One task's share of processing: claim events and run them, one after the other."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from hookline import conf
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.quarantine import Quarantine
from hookline.engine.settlement import Settlement
from hookline.engine.watchdog import Watchdog
from hookline.exceptions import LeaseLost
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.incoming.process.worker import fetch_sources

logger = logging.getLogger("hookline.celery")

#: How long one task goes on claiming, in seconds. Then its place is free for the tasks of others.
SHARE = 2.0
#: How many events one claim takes.
BATCH = 50
#: An event that was claimed and has not begun after so many seconds is given back: what is before it takes its time.
PATIENCE = 2.0

#: Of this process. Celery's usual pool runs one task at a time in each, and others run several.
_quarantine = Quarantine()


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
    impatient = time.monotonic() + PATIENCE

    def give_back_unbegun() -> None:
        """Let others have what waits behind a handler that takes long."""
        if time.monotonic() >= impatient and (waiting := _take(unbegun, len(unbegun))):
            back = Settlement.give_back(0, "claimed together with another one that took long")
            leases.release([(event, back) for event in waiting])
            on_more()

    watchdog = Watchdog(leases, process.decide)
    with LeaseRenewer(leases, checks=(give_back_unbegun, watchdog.check)):
        while begun := _next(unbegun, at_once):
            run_watched(leases, watchdog, begun)
        watchdog.check()


def run_watched(leases: Leases[Event], watchdog: Watchdog[Event], events: list[Event]) -> None:
    """Run the events of one transaction, a suspect alone. What the database refuses is run again after its lease."""
    suspect = events[0].is_suspect
    place = _quarantine.enter(suspect=suspect)
    if place is None:
        back = Settlement.give_back(_quarantine.patience, "another one that may have stopped a worker runs")
        leases.release([(event, back) for event in events])
        return
    with watchdog.running(events, place) as run:
        try:
            if not suspect or leases.begin_alone(events[0]):
                process.run_all(events, run.begin)
        except LeaseLost as error:
            logger.warning("%s", error)
        except Exception:
            # The database failed. The leases run out, and the sweep returns what is left.
            logger.exception("could not settle %s", ", ".join(event.public_id for event in events))


def _next(unbegun: deque[Event], most: int) -> list[Event]:
    """The events of the next transaction. A suspect has one of its own."""
    events = _take(unbegun, 1)
    while events and len(events) < most and not events[-1].is_suspect:
        if not (more := _take(unbegun, 1)):
            break
        if more[0].is_suspect:
            unbegun.appendleft(more[0])
            break
        events += more
    return events


def _take(unbegun: deque[Event], most: int) -> list[Event]:
    """Up to `most`; not asked beforehand how many there are, because the LeaseRenewer takes some, too."""
    events: list[Event] = []
    with suppress(IndexError):
        while len(events) < most:
            events.append(unbegun.popleft())
    return events
