"""Deadlines: until when each of the exchanges under way may take, with one timer for all of them.

A timer for each would cost as much as reading the response, and hardly one ever ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: Seconds by which the timer comes late when the process slept, and for how long the event loop then reads first.
_LATE, _READING = 0.25, 0.05


class Deadlines:
    """Calls what is `set` when its time has come, unless it was `lifted` before. For one event loop."""

    def __init__(self) -> None:
        self._times: dict[Callable[[], None], float] = {}
        self._timer: asyncio.Handle | None = None
        #: When it is due. Not to be asked of the timer: uvloop's has no `when()` where that is now.
        self._when = 0.0
        #: The timer came late, and what had come was read before it came again.
        self._read_first = False

    def __len__(self) -> int:
        return len(self._times)

    def set(self, expire: Callable[[], None], time: float) -> None:
        """Have `expire` called at this time of the event loop's clock. One that is set already gets the new time."""
        self._times[expire] = time
        if self._timer is None or time < self._when:
            self._wait_until(time)

    def lift(self, expire: Callable[[], None]) -> None:
        self._times.pop(expire, None)

    def _wait_until(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._when = asyncio.get_running_loop().call_at(time, self._end_due), time

    def _end_due(self) -> None:
        now, self._timer = asyncio.get_running_loop().time(), None
        if now - self._when > _LATE and not self._read_first:
            # An event loop calls its timers before it reads, and what is waited for may have come while we slept.
            self._read_first = True
            self._wait_until(now + _READING)
            return
        self._read_first = False
        for expire in [expire for expire, time in self._times.items() if time <= now]:
            self.lift(expire)
            expire()
        if self._times:
            self._wait_until(min(self._times.values()))
