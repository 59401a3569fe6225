"""Inflow: whether many requests are stored at once just now. Those that answer note it, those that work look.

What is noted is a time, in memory that processes share where those that answer and those that work are processes of one
server. It is the system's monotonic time, which is the same in all of them.
"""

from __future__ import annotations

import time


class Inflow:
    """For any thread."""

    #: Bytes of memory for it.
    CELL = 8
    #: Seconds for which it counts as high. If it goes on, it is noted again sooner.
    LASTS = 0.05

    def __init__(self) -> None:
        self._cell = memoryview(bytearray(self.CELL)).cast("q")

    def share(self, cell: memoryview) -> None:
        """From now on note in, and read, `CELL` bytes that others do, too. They are zero at first."""
        self._cell = cell.cast("q")

    def note(self) -> None:
        """Many are stored together now."""
        self._cell[0] = time.monotonic_ns()

    @property
    def is_high(self) -> bool:
        noted = self._cell[0]
        return noted > 0 and time.monotonic_ns() - noted < self.LASTS * 1e9


#: That of this process, or of the server of which it is one.
inflow = Inflow()
