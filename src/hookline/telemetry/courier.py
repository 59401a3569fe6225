"""Courier: calls what users gave us on one thread of its own, never on those that acknowledge or record."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import close_old_connections, connections

logger = logging.getLogger("hookline.telemetry")

Call = Callable[[], object]

#: Maximum number of waiting calls. More are dropped, which is logged: a receiver that hangs must not use up memory.
MOST = 10_000
#: Of them, those that strangers can cause.
MOST_EXPENDABLE = 1_000
#: Seconds that a process waits for the remaining calls before it ends.
AT_EXIT = 5.0
#: Seconds between two log lines about dropped calls.
_SAY = 60.0


class Courier:
    """Makes calls in the order in which they were put. What one raises is logged. Safe to use from several threads."""

    def __init__(self, most: int = MOST, most_expendable: int = MOST_EXPENDABLE) -> None:
        self._most, self._most_expendable = most, most_expendable
        self._local = threading.local()
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # where only the thread that forked goes on
        atexit.register(self.drain, AT_EXIT)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Call, bool]] = deque()
        self._expendable = 0
        self._calling = False
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._said = float("-inf")

    def put(self, call: Call, *, expendable: bool = False) -> None:
        """Have this called soon. `expendable`: strangers can cause any number of them."""
        held: list[Call] | None = getattr(self._local, "held", None)
        if held is not None:
            held.append(call)
            return
        with self._changed:
            if len(self._waiting) >= self._most or (expendable and self._expendable >= self._most_expendable):
                self._drop()
                return
            self._waiting.append((call, expendable))
            self._expendable += expendable
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hookline-signals", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until every call was made. Returns whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._calling, timeout)

    @contextmanager
    def here(self) -> Iterator[None]:
        """What this thread puts within the block is called by it, at the end of the block. For tests."""
        if getattr(self._local, "held", None) is not None:
            yield
            return
        held: list[Call] = []
        self._local.held = held
        try:
            yield
        finally:
            self._local.held = None
        for call in held:
            _make(call)

    def _drop(self) -> None:
        self._dropped += 1
        if time.monotonic() - self._said >= _SAY:
            self._said = time.monotonic()
            logger.error("%d signals were dropped: their receivers take too long, and too many wait", self._dropped)
            self._dropped = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                call, expendable = self._waiting.popleft()
                self._expendable -= expendable
                self._calling = True
            close_old_connections()
            _make(call)
            with self._changed:
                idle = not self._waiting
            if idle:
                connections.close_all()
            with self._changed:
                self._calling = False
                self._changed.notify_all()


def _make(call: Call) -> None:
    try:
        call()
    except Exception:
        logger.exception("what users are told could not be told")


#: Of this process.
courier = Courier()
