"""Events as a kind of job."""

from __future__ import annotations

from functools import partial

from hookline import conf
from hookline.engine.kind import JobKind, register
from hookline.engine.prefetch import MOST
from hookline.engine.threaded import Threaded
from hookline.incoming import retention
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.incoming.process.load import fetch_sources


def make(settings: conf.Settings) -> JobKind[Event]:
    """Events as the settings want them processed."""
    threads, batch = settings.HANDLER_THREADS, settings.EVENTS_PER_TRANSACTION
    # One source may fill the whole leases in one claim when no other has work. A second claim for the other half would
    # meet the handlers of the first, and on SQLite wait for their transactions.
    whole = max(MOST, threads * 2)
    return JobKind(
        model=Event,
        lease=settings.LEASE,
        per_lane=2 * whole,
        longest_run=settings.HANDLER_TIMEOUT,
        retry=settings.event_retry,
        runner=Threaded(
            run=process.run_all,
            fail=process.decide,
            gave_up=process.announce_given_up,
            prepare=fetch_sources,
            poll=settings.POLL,
            threads=threads,
            batch=batch,
        ),
        prune=partial(retention.pruners, settings),
    )


register(Event, make, direction="incoming", task="hookline.process_events")
