"""Fleet: the workers of one process, for every kind of job."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from django.db import DatabaseError, connections, router

from hookline import conf
from hookline.engine.kind import declared, kinds
from hookline.engine.liveness import Liveness
from hookline.engine.postgres_notify import Listener
from hookline.engine.prune import Pruning
from hookline.engine.worker import OnStuck
from hookline.incoming.models import Event
from hookline.operations import forwards, handlers, prune
from hookline.runtime.interpreter import spare_what_is_loaded
from hookline.telemetry.courier import courier

logger = logging.getLogger("hookline.cli")


class Fleet:
    """Runs what is due until `stop`."""

    def __init__(
        self,
        settings: conf.Settings,
        only: str | None = None,
        concurrency: int | None = None,
        on_stuck: OnStuck | None = None,
    ) -> None:
        """`only`: "incoming" or "outgoing". `concurrency`: handlers at once; with only outgoing, requests at once.

        `on_stuck` is called when this process cannot go on, with the reason.
        """
        if concurrency is not None:
            if only == "outgoing":
                settings = replace(settings, DELIVERY_CONCURRENCY=concurrency)
            else:
                settings = replace(settings, HANDLER_THREADS=concurrency)
        self._stop_timeout = settings.STOP_TIMEOUT
        self._processes_events = only != "outgoing"
        # Also of the kinds that it does not run, so that somebody returns them wherever only the others died.
        self._liveness = Liveness(kinds(settings), [kind.name for kind in kinds(settings, only)])
        chosen = [replace(kind, worker_number=self._liveness.number) for kind in kinds(settings, only)]
        self._workers = [kind.worker(on_stuck) for kind in chosen if kind.runs_here()]
        self._pruning = Pruning(prune.pruners(settings, chosen))
        self._listener: Listener | None = None
        if connections[router.db_for_write(Event)].vendor == "postgresql":
            self._listener = Listener(tuple(one.model for one in declared()))

    def start(self) -> None:
        spare_what_is_loaded()
        if self._processes_events:
            log_handlers()
        self._liveness.start()
        for worker in self._workers:
            worker.start()
        self._pruning.start()
        if self._listener is not None:
            self._listener.start()

    def stop(self) -> None:
        """Take no more jobs, finish those in progress, release the rest. All workers stop at the same time."""
        if self._listener is not None:
            self._listener.stop()
        with ThreadPoolExecutor(len(self._workers)) as threads:
            for stopped in [threads.submit(worker.stop, self._stop_timeout) for worker in self._workers]:
                stopped.result()
        self._liveness.stop()
        self._pruning.stop()
        courier.drain(self._stop_timeout)


def log_handlers() -> None:
    """Say which handlers there are: a worker that found none processes every event without a word."""
    if found := handlers.described():
        logger.info("%d handlers: %s", len(found), ", ".join(found))
        return
    forwarded = 0
    with suppress(DatabaseError):  # the workers that start now wait for it, and say so
        forwarded = forwards.sources_forwarded()
    if forwarded:
        logger.info("no handlers are registered; the events of %d sources are forwarded", forwarded)
    else:
        logger.warning(
            "no handlers are registered, so every event ends as unhandled; name their modules in HOOKLINE_APPS, put "
            "them into the webhooks.py of an installed app, or have sources forwarded"
        )
