"""LogLimit: no more lines of one kind than a person would read."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Lines of one kind: a burst of this many, and then one per this many seconds.
BURST = 200
SECONDS_EACH = 1.0
#: Kinds that are told apart.
MAX_KINDS = 1000


@dataclass(slots=True)
class _Kind:
    allowed: float
    counted_at: float
    left_out: int = 0


class LogLimit(logging.Filter):
    """Leaves out lines of a logger where one kind comes too often, and says how many in the next that it lets pass.

    Strangers can cause lines: every request that finds the database away, or a queue full, is one. A kind is the
    message before its arguments are filled in, and the first of these, which names the source.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kinds: OrderedDict[tuple[object, ...], _Kind] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        first = str(record.args[0])[:100] if isinstance(record.args, tuple) and record.args else ""
        left_out = self._take((record.name, record.levelno, str(record.msg)[:200], first))
        if left_out is None:
            return False
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out} more like it before)"
            record.args = None
        return True

    def _take(self, key: tuple[object, ...]) -> int | None:
        """How many were left out before this one; None where it is left out itself."""
        now = self._monotonic()
        with self._lock:
            kind = self._kinds.setdefault(key, _Kind(BURST, now))
            self._kinds.move_to_end(key)
            if len(self._kinds) > MAX_KINDS:
                self._kinds.popitem(last=False)
            kind.allowed = min(BURST, kind.allowed + (now - kind.counted_at) / SECONDS_EACH)
            kind.counted_at = now
            if kind.allowed < 1:
                kind.left_out += 1
                return None
            kind.allowed -= 1
            left_out, kind.left_out = kind.left_out, 0
            return left_out
