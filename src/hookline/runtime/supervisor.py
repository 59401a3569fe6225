"""Supervisor: keeps several processes running."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

from django.db import connections

from hookline.exceptions import HooklineError
from hookline.runtime.stopping import Stopping
from hookline.telemetry.prometheus import counted_together, process_ended, prometheus

logger = logging.getLogger("hookline.cli")

#: Pause before a process that ended is replaced, so that one that ends at once does not take the whole machine.
_PAUSE = 1.0

#: Gets a Stopping, and a function to call once the process is working. If it has a method `ended`, the supervisor calls
#: that when its process has ended and is about to be replaced.
Work = Callable[[Stopping, Callable[[], None]], None]


def run(works: Sequence[Work], on_ready: Callable[[], None], needed: int | None = None) -> None:
    """Do one work in this process, or each of several in its own, until told to stop.

    `on_ready` is called when the first `needed` of them have begun; None: all. Several are forked, so the calling
    process must have no threads. Raises HooklineError.
    """
    if len(works) == 1:
        with Stopping() as stopping:
            works[0](stopping, on_ready)
            stopping.raise_failure()
    else:
        connections.close_all()  # a connection must not be shared by forked processes
        with counted_together():
            Supervisor(works, on_ready, needed).run()


class Supervisor:
    """Does each of the works in a forked process. The calling process must have no threads and no connections.

    Those beyond the first `needed` are started once these have begun, so that they take no time from them. A process
    that ends is replaced. SIGTERM and Ctrl-C are passed on as SIGTERM, and the processes are waited for. They also stop
    by themselves when the supervisor is killed.
    """

    def __init__(self, works: Sequence[Work], on_ready: Callable[[], None], needed: int | None = None) -> None:
        self._works = works
        self._needed = set(range(len(works) if needed is None else needed))
        #: Places of works that have not begun for the first time.
        self._unready = set(range(len(works)))
        self._on_ready = on_ready
        self._fork = multiprocessing.get_context("fork")
        self._life_read, self._life_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._children: list[ForkProcess] = []

    def run(self) -> None:
        """Return when told to stop. Raises HooklineError when a process cannot even start."""
        with Stopping() as stopping:
            self._children = [self._start(place) for place in sorted(self._needed)]
            try:
                while not stopping.requested:
                    self._watch(stopping)
            finally:
                for child in self._children:
                    child.terminate()
                for child in self._children:
                    child.join()

    def _watch(self, stopping: Stopping) -> None:
        events = wait([stopping.readable, self._ready_read, *(child.sentinel for child in self._children)])
        if stopping.requested:
            return
        if self._ready_read in events:
            self._note_ready(os.read(self._ready_read, 1024))
        for ended in [child for child in self._children if not child.is_alive()]:
            if self._unready:
                raise HooklineError("a process ended before it was ready; see its messages above")
            logger.error("process %s ended with code %s and will be restarted", ended.pid, ended.exitcode)
            process_ended(ended.pid or 0)
            place = self._children.index(ended)
            if (note := getattr(self._works[place], "ended", None)) is not None:
                note()
            time.sleep(_PAUSE)
            self._children[place] = self._start(place)

    def _note_ready(self, said: bytes) -> None:
        """`said`: two bytes for each place whose work has begun."""
        waited = bool(self._needed & self._unready)
        self._unready -= {int.from_bytes(said[start : start + 2]) for start in range(0, len(said), 2)}
        if waited and not self._needed & self._unready:
            self._on_ready()
            self._children += [self._start(place) for place in range(len(self._children), len(self._works))]

    def _start(self, place: int) -> ForkProcess:
        child = self._fork.Process(target=self._run_child, args=(place,))
        child.start()
        logger.info("process %s started", child.pid)
        return child

    def _run_child(self, place: int) -> None:
        os.close(self._life_write)
        # A terminal sends Ctrl-C to every process; only the supervisor's word counts.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with Stopping((signal.SIGTERM,)) as stopping:
            threading.Thread(target=self._stop_with_supervisor, name="hookline-orphan", daemon=True).start()
            self._works[place](stopping, partial(self._report_ready, place))
            prometheus.count_the_last()
            if stopping.failure:
                logger.critical("%s", stopping.failure)
                sys.exit(1)

    def _report_ready(self, place: int) -> None:
        os.write(self._ready_write, place.to_bytes(2))

    def _stop_with_supervisor(self) -> None:
        os.read(self._life_read, 1)  # returns when the only process that could write is gone
        os.kill(os.getpid(), signal.SIGTERM)
