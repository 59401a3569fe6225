"""Python imports this at start when this directory is on PYTHONPATH: the clock of this one process is wrong.

FAULTS_CLOCK is by how many seconds. It shifts `time.time`, `time.time_ns` and `datetime.now`, which is all that the
process has for telling the time of day. `time.monotonic` goes on, as it does on a machine whose clock was set wrong.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from datetime import datetime

SHIFT = float(os.environ["FAULTS_CLOCK"])
_time, _time_ns = time.time, time.time_ns


class _Datetimes(type):
    """Lets the datetimes that others made, such as a database driver, count as instances."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, datetime)


class WrongDatetime(datetime, metaclass=_Datetimes):
    __slots__ = ()  # the same size in memory: C code compares it

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> datetime:  # type: ignore[override]  # what is added is plain
        return datetime.now(tz) + dt.timedelta(seconds=SHIFT)


def wrong_time() -> float:
    return _time() + SHIFT


def wrong_time_ns() -> int:
    return _time_ns() + int(SHIFT * 1e9)


time.time, time.time_ns = wrong_time, wrong_time_ns
dt.datetime = WrongDatetime  # type: ignore[misc]  # that is the point
