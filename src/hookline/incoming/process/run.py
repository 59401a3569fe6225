"""Processing an event: its handlers and "this event is processed" commit together, or neither does."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from django.db import DatabaseError, router, transaction

from hookline import conf
from hookline.db.deferred import deferring
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement, after_failure
from hookline.exceptions import Discard, LeaseLost, Retry
from hookline.incoming.log_fields import of_event
from hookline.incoming.models import UNHANDLED, Event
from hookline.incoming.process import handlers
from hookline.incoming.process.transaction import (
    handlers_transaction,
    is_conflict,
    met_conflict,
    takes_lock_at_once,
)
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.log_fields import concerning
from hookline.telemetry.records import EventRun, EventsProcessed, LeasesLost

logger = logging.getLogger("hookline.incoming")

Functions = tuple[handlers.HandlerFunction, ...]
#: Called with an event, and the name of a handler, before each call of one. May raise LeaseLost.
Begin = Callable[[Event, str], object]


def _unwatched(event: Event, what: str) -> None:
    """For those who run one event in their own thread."""


def run(event: Event, begin: Begin = _unwatched) -> Settlement:
    """Run the handlers of a claimed event and settle it. Returns what became of it.

    Raises LeaseLost if the event belongs to another worker by now; then nothing that was done here remains.
    """
    began = time.monotonic()
    with concerning(partial(of_event, event)):
        settlement = _run_alone(event, functions_of(event), begin)
    announce([EventRun(event, settlement, time.monotonic() - began)])
    return settlement


def _run_alone(event: Event, functions: Functions, begin: Begin) -> Settlement:
    if takes_lock_at_once([functions]):
        return _run(event, functions, begin, immediate=True)
    try:
        return _run(event, functions, begin, immediate=False)
    except _Conflict:
        met_conflict([functions])
        return _run(event, functions, begin, immediate=True)


def _run(event: Event, functions: Functions, begin: Begin, *, immediate: bool) -> Settlement:
    database = router.db_for_write(Event)
    committed: list[bool] = []
    try:
        with handlers_transaction(database, immediate=immediate) as opened, deferring(database) as deferred:
            # Before the handlers, so that it is called before what they leave to do after the commit.
            transaction.on_commit(partial(committed.append, True), using=database)
            settlement = Settlement.succeed(call_handlers(event, functions, begin))
            deferred.write()
            opened.finish_reading()
            settle_or_raise(event, settlement)
        return settlement
    except LeaseLost:
        raise
    except BaseException as error:  # a handler is foreign code and may raise anything
        if ends_the_process(error):
            raise
        if committed:
            logger.exception("%s is processed, but something to be done after its commit failed", event.public_id)
            return settlement
        if not immediate and is_conflict(error):
            raise _Conflict from error
        begin(event, f"the end of {event.public_id}")
        settlement = decide(event, error)
        settle_or_raise(event, settlement)
    return settlement


def run_all(events: Sequence[Event], begin: Begin = _unwatched) -> None:
    """Run several claimed events, in one transaction if there are several: one COMMIT then pays for all of them.

    Each has a savepoint, so that a failing one rolls back alone. Where the transaction as a whole cannot be had,
    because an event was lost to another worker or the database refused it, each event gets one of its own.
    """
    if len(events) > 1:
        try:
            run_together(events, begin)
        except (LeaseLost, DatabaseError):
            logger.warning("could not process %d events together; processing each alone", len(events), exc_info=True)
        else:
            return
    for event in events:
        try:
            run(event, begin)
        except LeaseLost as error:
            logger.warning("%s", error)


def run_together(events: Sequence[Event], begin: Begin = _unwatched) -> None:
    """Run and settle events in one transaction. Raises LeaseLost or DatabaseError, and then nothing happened."""
    sets = {event.pk: functions_of(event) for event in events}
    if takes_lock_at_once(set(sets.values())):
        _run_together(events, sets, begin, immediate=True)
        return
    try:
        _run_together(events, sets, begin, immediate=False)
    except _Conflict:
        met_conflict(sets.values())
        _run_together(events, sets, begin, immediate=True)


def _run_together(events: Sequence[Event], sets: Mapping[UUID, Functions], begin: Begin, *, immediate: bool) -> None:
    database = router.db_for_write(Event)
    runs: list[EventRun] = []
    committed: list[bool] = []
    try:
        with handlers_transaction(database, immediate=immediate) as opened, deferring(database) as deferred:
            transaction.on_commit(partial(committed.append, True), using=database)
            runs = [_run_in_savepoint(event, sets[event.pk], begin, database, immediate=immediate) for event in events]
            deferred.write()
            opened.finish_reading()
            if len(settle([(run.event, run.settlement) for run in runs])) < len(runs):
                raise LeaseLost("one of several events was claimed by another worker while this one was running them")
    except BaseException as error:
        if not committed and not immediate and is_conflict(error):
            raise _Conflict from error
        if not committed or ends_the_process(error):
            raise
        logger.exception("%d events are processed, but something to be done after the commit failed", len(events))
    announce(runs)


def announce(runs: Sequence[EventRun]) -> None:
    """Tell those who want to know what became of events. Called once it is committed."""
    if wanted(EventsProcessed):
        emit(EventsProcessed(runs))
    if dead := [run.event.pk for run in runs if run.settlement.state == State.DEAD]:
        Event.announce_dead(dead)


def _run_in_savepoint(event: Event, functions: Functions, begin: Begin, database: str, *, immediate: bool) -> EventRun:
    began = time.monotonic()
    with concerning(partial(of_event, event)):
        settlement = _call_in_savepoint(event, functions, begin, database, immediate=immediate)
    return EventRun(event, settlement, time.monotonic() - began)


def _call_in_savepoint(
    event: Event, functions: Functions, begin: Begin, database: str, *, immediate: bool
) -> Settlement:
    try:
        with transaction.atomic(using=database):
            note = call_handlers(event, functions, begin)
            if transaction.get_rollback(using=database):
                # Without an exception Django rolls back to the savepoint in silence.
                raise transaction.TransactionManagementError("a handler caught a database error, but not its rollback")
            return Settlement.succeed(note)
    except LeaseLost:
        raise
    except BaseException as error:  # a handler may raise anything
        if ends_the_process(error) or (not immediate and is_conflict(error)):
            raise
        return decide(event, error)


class _Conflict(Exception):
    """SQLite refused a write, and everything has to run again."""


def ends_the_process(error: BaseException) -> bool:
    """Whether this is Ctrl-C, which Python raises in the main thread. All else is a handler's failure."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def functions_of(event: Event) -> Functions:
    """The handlers that want the event."""
    return tuple(handlers.matching(event.source.provider, event.type))


def call_handlers(event: Event, functions: Functions, begin: Begin = _unwatched) -> str:
    """Call every handler that wants the event. Returns a note for the operator."""
    event.forget_json()
    for function in functions:
        begin(event, handlers.name_of(function))
        handlers.call(function, event)
    return "" if functions else UNHANDLED


def settle_or_raise(event: Event, settlement: Settlement) -> None:
    """Make the settlement true. Raises LeaseLost, so that a surrounding transaction rolls back."""
    if not settle([(event, settlement)]):
        emit(LeasesLost("events", 1))
        raise LeaseLost(f"{event.public_id} was claimed by another worker while this one was running it")


def decide(event: Event, error: BaseException) -> Settlement:
    """What becomes of an event whose handlers were rolled back by `error`."""
    if isinstance(error, Discard):
        return Settlement.cancel(error.reason)
    asked = error.after if isinstance(error, Retry) else None
    note = describe(error)
    settlement = after_failure(conf.get().event_retry, event.attempts, note, asked=asked, at_least=asked or 0.0)
    if settlement.state == State.DEAD:
        logger.error("%s is dead after %d tries: %s", event.public_id, event.attempts, note, exc_info=error)
    else:
        due_in = settlement.due_in
        logger.warning("%s failed and is tried again in %.0f s: %s", event.public_id, due_in, note, exc_info=error)
    return settlement


def describe(error: BaseException) -> str:
    """An error in one line for the operator: what, and where in the handler."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  # foreign code again
        text = "(its text cannot be had)"
    return f"{type(error).__name__}: {text[:1900]}{place}"[:2000]
