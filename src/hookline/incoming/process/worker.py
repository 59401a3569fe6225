"""The worker that processes events, put together from the settings."""

from __future__ import annotations

from django.db import router

from hookline import conf
from hookline.engine.leases import Leases
from hookline.engine.prefetch import MOST
from hookline.engine.worker import OnStuck, ThreadWorker
from hookline.incoming.models import Event, Source
from hookline.incoming.process import run as process


def make_worker(
    settings: conf.Settings, threads: int | None = None, on_stuck: OnStuck | None = None
) -> ThreadWorker[Event]:
    """A worker with `threads` threads, or as many as the settings say. Not started yet."""
    threads, batch = threads or settings.HANDLER_THREADS, settings.EVENTS_PER_TRANSACTION
    # One source may fill the whole leases in one claim when no other has work. A second claim for the other half would
    # meet the handlers of the first, and on SQLite wait for their transactions.
    whole = max(MOST, threads * batch * 2)
    leases = Leases(Event, lease=settings.LEASE, per_lane=2 * whole, longest_run=settings.HANDLER_TIMEOUT)
    return ThreadWorker(
        leases,
        process.run_all,
        fail=process.decide,
        on_stuck=on_stuck,
        threads=threads,
        batch=batch,
        poll=settings.POLL,
        max_attempts=len(settings.EVENT_RETRY_DELAYS) + 1,
        prepare=fetch_sources,
    )


def fetch_sources(events: list[Event]) -> None:
    """Read the sources and tenants of a batch with one query, not two for each event."""
    sources = Source.objects.using(router.db_for_write(Event)).select_related("tenant")
    found = sources.in_bulk({event.source_id for event in events})
    for event in events:
        event.source = found[event.source_id]
