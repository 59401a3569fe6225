"""Running follow-ups: each by itself, outside of any transaction, at least once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from django.db import router

from hookline import conf
from hookline.core.retry import RetrySchedule
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement, after_failure
from hookline.engine.worker import Begin
from hookline.exceptions import ConfigurationError, Discard, LeaseLost, Retry
from hookline.incoming.follow_ups import functions
from hookline.incoming.log_fields import of_event
from hookline.incoming.models import Event, FollowUp
from hookline.incoming.process import context, handlers
from hookline.incoming.process.describe import describe
from hookline.incoming.process.run import ends_the_process
from hookline.telemetry.emit import emit
from hookline.telemetry.log_fields import concerning
from hookline.telemetry.records import LeasesLost

logger = logging.getLogger("hookline.incoming")


def fetch_events(follow_ups: list[FollowUp]) -> None:
    """Read the events, sources and tenants of a batch with one query."""
    events = Event.objects.using(router.db_for_write(Event)).select_related("source__tenant")
    found = events.in_bulk({one.event_id for one in follow_ups})
    for one in follow_ups:
        one.event = found[one.event_id]


def run_all(follow_ups: Iterable[FollowUp], begin: Begin[FollowUp]) -> None:
    """Run claimed follow-ups, which are taken one by one, and settle each."""
    for one in follow_ups:
        run(one, begin)


def _unwatched(follow_up: FollowUp, what: str) -> None:
    """For those who run one in their own thread."""


def run(follow_up: FollowUp, begin: Begin[FollowUp] = _unwatched) -> Settlement:
    """Run a claimed follow-up and settle it. Returns what became of it."""
    begin(follow_up, follow_up.name)
    with concerning(partial(of_event, follow_up.event)):
        try:
            _call(follow_up)
            settlement = Settlement.succeed()
        except LeaseLost:
            raise
        except BaseException as error:  # foreign code, which may raise anything
            if ends_the_process(error):
                raise
            begin(follow_up, f"the end of {follow_up.public_id}")
            settlement = decide(follow_up, error)
        if follow_up.id not in settle([(follow_up, settlement)]):
            emit(LeasesLost(FollowUp.nouns, 1))
            logger.warning("%s was claimed by another worker while this one was running it", follow_up.public_id)
        elif settlement.state == State.DEAD:
            FollowUp.announce_dead([follow_up.id])
    return settlement


def _call(follow_up: FollowUp) -> None:
    function, event = functions.named(follow_up.name).function, follow_up.event
    event.forget_json()
    if (enter := context.factory()) is None:
        handlers.call(function, event, **follow_up.arguments)
    else:
        with enter(event):
            handlers.call(function, event, **follow_up.arguments)


def decide(follow_up: FollowUp, error: BaseException) -> Settlement:
    """The settlement of a follow-up that ended with `error`."""
    if isinstance(error, Discard):
        return Settlement.cancel(error.reason)
    asked, note = (error.after if isinstance(error, Retry) else None), describe(error)
    schedule = _schedule_of(follow_up.name)
    settlement = after_failure(schedule, follow_up.attempts, note, asked=asked, at_least=asked or 0.0)
    if settlement.state == State.DEAD:
        logger.error("%s is dead after %d attempts: %s", follow_up.public_id, follow_up.attempts, note, exc_info=error)
    else:
        due_in = settlement.due_in
        logger.warning("%s failed and will be retried in %.0f s: %s", follow_up.public_id, due_in, note, exc_info=error)
    return settlement


def _schedule_of(name: str) -> RetrySchedule:
    settings = conf.get()
    try:
        retry = functions.named(name).retry
    except ConfigurationError:
        retry = None
    return settings.event_retry if retry is None else RetrySchedule(retry, settings.RETRY_JITTER)
