"""Stopping: SIGTERM and Ctrl-C, as something that a process can ask about and wait for."""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from hookline.exceptions import HooklineError

logger = logging.getLogger("hookline.cli")


class Stopping:
    """While it is entered, the first signal asks the process to stop; a second Ctrl-C ends it at once."""

    def __init__(self, signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)) -> None:
        self.requested = False
        #: Why the process has to be started again, if it has to.
        self.failure = ""
        self._signals = signals
        self._before: dict[signal.Signals, Any] = {}
        # A pipe and not a threading.Event: a handler that runs while the main thread holds the event's lock would
        # wait for itself.
        self.readable, self._writable = os.pipe()

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.readable)
        os.close(self._writable)

    def wait(self) -> None:
        """Return when the process was asked to stop."""
        if not self.requested:
            os.read(self.readable, 1)

    def fail(self, reason: str, at_once: bool) -> None:
        """Ask the process to stop, from any thread: it cannot go on, and its supervisor has to start it again.

        `at_once`: nothing can be finished or given back, and others wait until the process is gone.
        """
        if at_once:
            logger.critical("%s", reason)
            logging.shutdown()
            os._exit(1)
        self.failure = self.failure or reason
        if not self.requested:
            self.requested = True
            os.write(self._writable, b".")

    def raise_failure(self) -> None:
        """Raises HooklineError when the process has to be started again, so that it ends with a code that says so."""
        if self.failure:
            raise HooklineError(self.failure)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        os.write(self._writable, b".")
