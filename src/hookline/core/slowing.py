"""Slowing: a lower rate for an endpoint that is overloaded, or that has just recovered. Pure.

429 says that too many requests came (RFC 6585 section 4); with 502 and 504 a proxy says that the server behind it does
not keep up (RFC 9110 sections 15.6.3 and 15.6.5). Each halves the rate, and with time it doubles again until there is
no limit any more. An endpoint that was unavailable starts at `FIRST` in the same way, so that its backlog does not
overwhelm it. That is set when it becomes unavailable, since workers read it every two seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What begins a second at first: of an endpoint with few deliveries, no less than before.
FIRST = 20.0
#: What begins a second at least.
SLOWEST = 0.2
#: Seconds in which the rate doubles.
DOUBLES = 5.0
#: From this rate on nothing is held back.
FASTEST = 320.0
#: Answers within this many seconds of the last halving were under way by then, and halve nothing.
APART = 2.0

#: A time that never comes.
_STILL = 1e12

STATUSES = frozenset((429, 502, 504))


@dataclass(frozen=True, slots=True)
class Slowing:
    """So many begin a second at this time, in Unix time, and more from then on."""

    rate: float
    at: float

    def rate_at(self, now: float) -> float | None:
        """What begins a second now; None once nothing is held back.

        A time that is still to come counts as now.
        """
        doublings = min(max(0.0, now - self.at) / DOUBLES, 64.0)  # bounded, because a float is
        rate = self.rate * 2.0**doublings
        return rate if rate < FASTEST else None


def slowed(before: Slowing | None, now: float) -> Slowing:
    """After an answer of STATUSES. Returns the very same when nothing changes."""
    rate = None if before is None else before.rate_at(now)
    if before is None or rate is None:
        return Slowing(FIRST, now)
    if before.at <= now < before.at + APART:
        return before
    return Slowing(max(SLOWEST, rate / 2), now)


def held(before: Slowing | None, now: float) -> Slowing:
    """Of an endpoint that gets nothing for now: workers know by the time it is back how little that is to be."""
    return Slowing(_little(before, now), _STILL)


def resumed(before: Slowing | None, now: float) -> Slowing:
    """After an outage, or a pause that a person made."""
    return Slowing(_little(before, now), now)


def _little(before: Slowing | None, now: float) -> float:
    rate = None if before is None else before.rate_at(now)
    return FIRST if rate is None else min(rate, FIRST)
