"""Events and follow-ups as kinds of job."""

from __future__ import annotations

from functools import cache, partial

from hookline import conf
from hookline.db.rows import Parts, all_fields
from hookline.engine.kind import JobKind, register
from hookline.incoming.follow_ups import functions
from hookline.incoming.models import Event, FollowUp, Source
from hookline.tenants.models import Tenant


@cache
def parts() -> Parts:
    """What is read with an event that is given to a worker."""
    return {"source": all_fields(Source), "source__tenant": all_fields(Tenant)}


def make(settings: conf.Settings) -> JobKind[Event]:
    """Events as the settings want them processed."""
    from hookline.engine.prefetch import MOST  # only who processes needs these, and a start is to be short
    from hookline.engine.threaded import Threaded
    from hookline.incoming import retention
    from hookline.incoming.process import run as process

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
        parts=parts(),
        runner=Threaded(
            run=process.run_all,
            fail=process.decide,
            gave_up=process.announce_given_up,
            prepare=process.fetch_sources,
            poll=settings.POLL,
            threads=threads,
            batch=batch,
        ),
        prune=partial(retention.pruners, settings),
    )


def make_follow_ups(settings: conf.Settings) -> JobKind[FollowUp]:
    """Follow-ups as the settings want them run."""
    from hookline.engine.threaded import Threaded  # as above
    from hookline.incoming import retention
    from hookline.incoming.follow_ups import run as follow_ups

    threads = settings.FOLLOW_UP_THREADS
    return JobKind(
        model=FollowUp,
        lease=settings.LEASE,
        per_lane=threads * 4,
        longest_run=settings.HANDLER_TIMEOUT,
        retry=settings.event_retry,
        runner=Threaded(
            run=follow_ups.run_all,
            fail=follow_ups.decide,
            prepare=follow_ups.fetch_events,
            poll=settings.POLL,
            threads=threads,
        ),
        prune=partial(retention.follow_up_pruners, settings),
        runs_here=functions.any_registered,
    )


register(Event, make, direction="incoming", task="hookline.process_events")
register(FollowUp, make_follow_ups, direction="incoming", task="hookline.run_follow_ups")
