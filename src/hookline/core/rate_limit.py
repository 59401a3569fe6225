"""Rate: a number per second, with a burst. The generic cell rate algorithm. Pure.

Instead of a count, one time is kept: when all that was admitted so far would have been due at the constant
rate. The burst is how far that time may be in the future. https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hookline.exceptions import ConfigurationError

MOST_PER_SECOND = 1_000_000.0
MOST_BURST = 10_000_000
#: Times are added up, so that a whole number of intervals may miss by a rounding error.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` in the long run, and `burst` at once after a pause."""

    per_second: float
    burst: int

    @classmethod
    def of(cls, per_second: float | None, burst: int | None) -> Rate | None:
        """The rate of two settings, the burst being a second's worth where it is not set; None where there is none.

        Raises ConfigurationError for numbers that make no sense.
        """
        if per_second is None:
            if burst is not None:
                raise ConfigurationError("a burst needs a rate")
            return None
        if not 0 < per_second <= MOST_PER_SECOND:
            raise ConfigurationError(f"a rate must be more than 0 and at most {MOST_PER_SECOND:.0f} a second")
        burst = max(1, math.ceil(per_second)) if burst is None else burst
        if not 1 <= burst <= MOST_BURST:
            raise ConfigurationError(f"a burst must be from 1 to {MOST_BURST}")
        return cls(float(per_second), burst)


@dataclass(frozen=True, slots=True)
class Taken:
    """How many were let through, the time to keep, and how many seconds until the next one is let through."""

    number: int
    due: float
    wait: float


def take(rate: Rate, due: float, now: float, wanted: int) -> Taken:
    """Let through as many as there is room for, up to `wanted`. `due` is the time that was kept; times in seconds."""
    due = max(due, now)
    room = math.floor(rate.burst - (due - now) * rate.per_second + _SLACK)
    number = max(0, min(wanted, room))
    due += number / rate.per_second
    wait = due - now - (rate.burst - 1) / rate.per_second
    return Taken(number, due, max(0.0, wait))
