"""Processing an event: its handlers and "this event is processed" commit together, or neither does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import Error, router, transaction

from hookline import conf
from hookline.core.retry import RetrySchedule
from hookline.core.text import printable
from hookline.db.connections import committing_itself
from hookline.db.deferred import Deferred, deferring
from hookline.db.rows import by_id_with
from hookline.engine.handover import HandOver
from hookline.engine.job import State
from hookline.engine.kind import notify_all
from hookline.engine.settle import change_of, settle, settled_before
from hookline.engine.settlement import Settlement, after_failure
from hookline.exceptions import Discard, LeaseLost, Retry
from hookline.incoming.follow_ups import store as follow_ups
from hookline.incoming.log_fields import of_event
from hookline.incoming.models import UNHANDLED, Event, Source
from hookline.incoming.process import context, handlers, versions
from hookline.incoming.process.describe import describe
from hookline.incoming.process.handlers import Handler, Handlers
from hookline.incoming.process.transaction import (
    HandlersTransaction,
    handlers_transaction,
    is_conflict,
    met_conflict,
    part_commit_hooks,
    takes_lock_at_once,
)
from hookline.telemetry import tracing
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.log_fields import concerning
from hookline.telemetry.records import EventRun, EventsProcessed, LeasesLost
from hookline.tenants.models import Tenant, named

logger = logging.getLogger("hookline.incoming")

_SOURCE: Any = Event._meta.get_field("source")

#: Called with an event, and the name of a handler, before each call of one. May raise LeaseLost.
Begin = Callable[[Event, str], object]


def _unwatched(event: Event, what: str) -> None:
    """For those who run one event in their own thread."""


def fetch_sources(events: Sequence[Event]) -> None:
    """Read what handlers need of claimed events: their sources and tenants by one query, not by two for each event.

    Where they have them already, nothing is read.
    """
    without = [event for event in events if not _SOURCE.is_cached(event)]
    sources = by_id_with(Source, "tenant", [event.source_id for event in without])
    for event in without:
        _SOURCE.set_cached_value(event, sources[event.source_id.int])
    handlers.read_layers({event.source_id.int: event.source for event in events}.values())


def run(event: Event, begin: Begin = _unwatched, *, again: bool = False) -> Settlement:
    """Run the handlers of a claimed event and settle it. Returns what became of it. `again`: after a run that failed.

    Raises LeaseLost if the event belongs to another worker by now; then nothing that was done here remains.
    """
    began = time.monotonic()
    try:
        runs = _run_alone(event, begin, again=again)
    except LeaseLost:
        raise
    except BaseException as error:  # a handler is foreign code and may raise anything
        if ends_the_process(error):
            raise
        runs = [EventRun(event, fail(event, error, begin), time.monotonic() - began)]
    announce(runs)
    settlement: Settlement = runs[0].settlement
    return settlement


def run_all(events: Iterable[Event], begin: Begin = _unwatched) -> None:
    """Run claimed events, which are taken one by one, in one transaction: one COMMIT then pays for all of them.

    When one fails nothing of that transaction remains, and those that were begun in it run again, each by itself. So a
    handler may run twice, of which only the last run has an effect.
    """
    waiting = iter(events)
    for first in waiting:
        began = time.monotonic()
        begun: list[Event] = []
        try:
            runs = _run_together(first, waiting, begun, begin)
        except BaseException as error:
            if ends_the_process(error):
                raise
            run_each(begun or [first], error, began, begin)
        else:
            announce(runs)


def run_each(events: Sequence[Event], error: BaseException, began: float, begin: Begin = _unwatched) -> None:
    """Run events by themselves, since their common transaction ended with `error` and left nothing."""
    if len(events) > 1:
        logger.warning(
            "%s; the %d events of its transaction run again, each by itself",
            printable(describe(error), 2000),
            len(events),
        )
    for event in events:
        try:
            if len(events) > 1:
                run(event, begin, again=True)
            elif isinstance(error, LeaseLost):
                raise error
            else:
                announce([EventRun(event, fail(event, error, begin), time.monotonic() - began)])
        except LeaseLost as lost:
            logger.warning("%s", lost)


def _run_alone(event: Event, begin: Begin, *, again: bool) -> list[EventRun]:
    if takes_lock_at_once([handlers_of(event)]):
        return _run_in_transaction([event], [], begin, immediate=True, again=again)
    try:
        return _run_in_transaction([event], [], begin, immediate=False, again=again)
    except _Conflict:
        met_conflict([handlers_of(event)])
        return _run_in_transaction([event], [], begin, immediate=True, again=again)


def _run_together(first: Event, others: Iterator[Event], begun: list[Event], begin: Begin) -> list[EventRun]:
    """Run `first`, and others for as long as there are some, in one transaction. `begun` tells which those were."""
    immediate = takes_lock_at_once([handlers_of(first)])
    try:
        return _run_in_transaction(chain((first,), others), begun, begin, immediate=immediate)
    except _Conflict:
        met_conflict({handlers_of(event) for event in begun})
        return _run_in_transaction(tuple(begun), [], begin, immediate=True)


def _run_in_transaction(
    events: Iterable[Event], begun: list[Event], begin: Begin, *, immediate: bool, again: bool = False
) -> list[EventRun]:
    """Run events, each of which is put into `begun`, and settle them. Where this raises, nothing happened.

    What was known of their tenants when they were claimed is taken for true; not `again`, when it may be what failed.

    No event has a savepoint of its own: two more round trips for each would cost as much as many a handler.
    """
    connection = transaction.get_connection(router.db_for_write(Event))
    committed: list[bool] = []
    runs: list[EventRun] = []
    is_committed = partial(_are_settled, runs)
    try:
        with (
            handlers_transaction(connection.alias, immediate=immediate, is_committed=is_committed) as opened,
            HandOver(connection) as handed,
            deferring(connection.alias) as kept,
        ):
            # Before the handlers, so that it is called before what they leave to do after the commit.
            transaction.on_commit(partial(committed.append, True), using=connection.alias)
            transaction.on_commit(handed.give, using=connection.alias)
            for event in events:
                begun.append(event)
                began = time.monotonic()
                if not again:
                    _assume_tenant(kept, event.source.tenant)
                with concerning(partial(of_event, event)), traced(event):
                    settlement = call_handlers(event, handlers_of(event), begin)
                if connection.needs_rollback:
                    # Without an exception Django rolls back in silence.
                    raise transaction.TransactionManagementError(
                        "a handler caught a database error, but not its rollback"
                    )
                runs.append(EventRun(event, settlement, time.monotonic() - began))
            with opened.ending():
                finish(runs, kept, handed, opened)
                if len(runs) > 1:
                    part_commit_hooks(connection)
    except BaseException as error:
        if committed and not ends_the_process(error):
            logger.exception("%s: processed, but something to be done after the commit failed", _names(runs))
        elif not committed and not immediate and is_conflict(error):
            raise _Conflict from error
        else:
            raise
    return runs


def _are_settled(runs: Sequence[EventRun]) -> bool:
    """Whether the transaction of these runs was committed, the connection of which broke at its end.

    They were settled together, so one tells of all.
    """
    try:
        if not settled_before([(run.event, run.settlement) for run in runs], Event):
            return False
    except Error:
        logger.warning("cannot see whether events are processed whose connection broke", exc_info=True)
        return False
    logger.info("%s: processed, though the connection broke before the database said so", _names(runs))
    notify_all()  # the answer that was lost would have told what was dispatched
    return True


def _names(runs: Sequence[EventRun]) -> str:
    return ", ".join(run.event.public_id for run in runs)


def _assume_tenant(kept: Deferred, tenant: Tenant) -> None:
    """Handlers mostly dispatch to the tenant of their event, which was read as the event was claimed."""
    if tenant.deleted_at is None:
        kept.assume(named(tenant), tenant.pk)
        kept.assume(named(tenant.key), tenant.pk)


def fail(event: Event, error: BaseException, begin: Begin = _unwatched) -> Settlement:
    """Settle an event whose handlers were rolled back by `error`. Raises LeaseLost."""
    begin(event, f"the end of {event.public_id}")
    with concerning(partial(of_event, event)):
        settlement = decide(event, error)
        settle_or_raise(event, settlement)
    return settlement


def announce(runs: Sequence[EventRun]) -> None:
    """Tell those who want to know what became of events. Called once it is committed."""
    if wanted(EventsProcessed):
        emit(EventsProcessed(runs))
    if dead := [run.event.pk for run in runs if run.settlement.state == State.DEAD]:
        Event.announce_dead(dead)


def announce_given_up(event: Event, settlement: Settlement, seconds: float) -> None:
    """The same for an event whose handler ran for too long, as the thread that gave up on it knows it."""
    announce([EventRun(event, settlement, seconds)])


class _Conflict(Exception):
    """SQLite refused a write, and everything has to run again."""


def ends_the_process(error: BaseException) -> bool:
    """Whether this is Ctrl-C, which Python raises in the main thread. All else is a handler's failure."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def handlers_of(event: Event) -> Handlers:
    """The handlers that want the event."""
    return handlers.matching(event.source, event.type)


def call_handlers(event: Event, wanting: Handlers, begin: Begin = _unwatched) -> Settlement:
    """Call every handler that wants the event, unless a later state of its object was processed already."""
    event.begin_run()
    if (enter := context.factory()) is not None:
        with enter(event):
            return _call_each(event, wanting, begin)
    return _call_each(event, wanting, begin)


def _call_each(event: Event, wanting: Handlers, begin: Begin) -> Settlement:
    if event.source.version_at and (note := versions.superseded(event)):
        return Settlement.cancel(note)
    for handler in wanting:
        name = handlers.name_of(handler.function)
        event.handler = handler
        begin(event, name)
        with tracing.span(name, "INTERNAL"):
            handlers.call(handler.function, event)
    event.handler = None
    return Settlement.succeed("" if wanting else UNHANDLED)


def traced(event: Event) -> AbstractContextManager[Any]:
    """A span of one run, which continues that of the receipt."""
    if tracing.tracer() is None:
        return nullcontext()
    attributes = {**{f"hookline.{name}": value for name, value in of_event(event).items()}, "hookline.type": event.type}
    return tracing.span("process event", "CONSUMER", event.headers, {**attributes, "hookline.attempt": event.attempts})


def finish(runs: Sequence[EventRun], kept: Deferred, handed: HandOver, opened: HandlersTransaction) -> None:
    """Write what the handlers left to be written, and settle their events. Raises LeaseLost, so that all rolls back.

    On PostgreSQL this is mostly one statement; it commits itself if nothing else was said in the transaction of a
    single event.
    """
    follow_ups.write([run.event for run in runs])
    results = [(run.event, run.settlement) for run in runs]
    handed.end()
    ours = None
    if (change := change_of(results)) is not None:
        alone = len(runs) == 1 and kept.may_commit_itself
        with committing_itself(kept.connection) if alone else nullcontext():
            ours = kept.write_with(change, alone=alone)
            if alone and kept.is_empty and ours is None:
                ours = settle(results)
    if ours is None:
        kept.write()
        opened.finish_reading()
    handed.claim()
    check_ours(results, settle(results) if ours is None else ours)


def settle_or_raise(event: Event, settlement: Settlement) -> None:
    """Make a settlement true. Raises LeaseLost."""
    results = [(event, settlement)]
    check_ours(results, settle(results))


def check_ours(results: Sequence[tuple[Event, Settlement]], ours: set[UUID]) -> None:
    """Raises LeaseLost if one of the events is not among those that were settled."""
    if lost := [event.public_id for event, _ in results if event.id not in ours]:
        if len(results) == 1:  # of several, each that was lost comes here once more, by itself
            emit(LeasesLost(Event.nouns, 1))
        raise LeaseLost(f"{', '.join(lost)} was claimed by another worker while this one was running it")


def decide(event: Event, error: BaseException) -> Settlement:
    """The settlement of an event whose handlers were rolled back by `error`."""
    if isinstance(error, Discard):
        return Settlement.cancel(error.reason)
    asked = error.after if isinstance(error, Retry) else None
    note = describe(error, [one.function for one in handlers_of(event)])
    schedule = schedule_of(event.handler)
    settlement = after_failure(schedule, event.attempts, note, asked=asked, at_least=asked or 0.0)
    said = printable(note, len(note))  # it may quote what a stranger sent
    if settlement.state == State.DEAD:
        logger.error("%s is dead after %d attempts: %s", event.public_id, event.attempts, said, exc_info=error)
    else:
        due_in = settlement.due_in
        logger.warning("%s failed and will be retried in %.0f s: %s", event.public_id, due_in, said, exc_info=error)
    return settlement


def schedule_of(failed: Handler | None) -> RetrySchedule:
    """When an event is retried in which this handler failed."""
    settings = conf.get()
    if failed is None or failed.retry is None:
        return settings.event_retry
    return RetrySchedule(failed.retry, settings.RETRY_JITTER)
