"""Breaker: whether an Endpoint is worth trying at this moment. Pure; `now` is Unix time in seconds.

    closed     every delivery is admitted. `trip_after` failures in a row open it.
    open       nothing is admitted until `open_until`; the deliveries wait without spending attempts.
    half-open  a few probes are admitted. Enough successes close it; one failure opens it again for twice as long.

A breaker protects the workers (each attempt at a dead endpoint takes up a concurrent request until its deadline) and
the endpoint (which gets a few probes when it is back, not a day's backlog at once).

The endpoint is held while all probes are under way, so that its other deliveries keep their places in the queue.

It counts consecutive failures, not a failure rate over a window. The count is one number, which an ordinary success
need not write, while a window would cost a write of the Endpoint for every delivery. An endpoint that fails most
of the time soon has many failures in a row; one that fails now and then should stay in use.

Concurrency: a Breaker lives in the row of its Endpoint, and many workers read it. `admits` and `record` return the very
same object when nothing changes, so the usual case is `if new is not old: write`. Write under a row lock, or with
`UPDATE ... WHERE` the row still holds what was read, and compute again when it does not. A lost update in the closed
state delays opening by one failure; only admitting a probe needs the check, since two workers could admit the same one.
Nothing has to be released when a worker dies: probes without a result are forgotten after `probe_patience`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """Durations are seconds."""

    #: Failures in a row that open the breaker. Above what a restart of the consumer causes with a few deliveries under
    #: way, and low enough that a dead endpoint costs at most this many deadlines.
    trip_after: int = 10
    #: How long it stays open the first time. A restart or deployment is usually over by then.
    first_pause: float = 30.0
    #: Each reopening doubles the pause up to this. So long at most does an endpoint wait after it is back.
    longest_pause: float = 600.0
    #: Deliveries under way at once while half-open. More than one, so that one slow probe does not hold up recovery.
    probes: int = 3
    #: Successes that close it. More than one, since a consumer that is starting up may answer once and fail again.
    close_after: int = 2
    #: After this, a probe without a result counts as lost with its worker. Longer than a delivery can take.
    probe_patience: float = 60.0
    #: A failure within this many seconds of the one counted last is part of the same trouble, and does not count
    #: towards suspension: hundreds that were under way when a consumer restarted are one. See core.suspension.
    apart: float = 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One endpoint's breaker, as stored. The default is a new endpoint's."""

    state: State = State.CLOSED
    #: In a row: since the last success, without those that came late while it was open.
    failures: int = 0
    #: Since it became half-open.
    successes: int = 0
    #: Under way, while half-open.
    probes: int = 0
    #: How many times it opened since it was last closed.
    trips: int = 0
    #: When it opened after it was last closed: since when the endpoint fails. None while closed.
    opened_at: float | None = None
    #: Open: when probing begins. Half-open: when probes without a result count as lost. None while closed.
    open_until: float | None = None
    #: All probes are under way: nothing else is admitted until one of them has its result.
    full: bool = False
    #: Of the failures in a row those that count towards suspension; when the last of these was, and when the first.
    counted: int = 0
    counted_at: float | None = None
    failing_since: float | None = None
    #: Its tenant was told that it fails.
    warned: bool = False

    @property
    def held_until(self) -> float | None:
        """Until when nothing is to be claimed, in Unix time; None where something may be."""
        return self.open_until if self.state is State.OPEN or self.full else None

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Breaker:
        """What `dump` wrote; AT_REST itself for an empty one. Names that this version does not know are left out."""
        if not stored:
            return AT_REST
        known = {name: stored[name] for name in cls.__slots__ if name in stored}
        return cls(**{**known, "state": State(known.get("state", State.CLOSED))})

    def dump(self) -> dict[str, Any]:
        """Plain JSON values; empty for a breaker at rest, which is the usual one."""
        return {} if self == AT_REST else {**asdict(self), "state": self.state.value}


#: The breaker of an endpoint with nothing to remember.
AT_REST = Breaker()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to try the endpoint now, and if not, when to ask again. `breaker` is what to store."""

    admit: bool
    breaker: Breaker
    retry_at: float | None = None


def admits(breaker: Breaker, now: float, settings: BreakerSettings) -> Decision:
    """Whether a delivery may be tried. Store the breaker of the decision *before* trying: it counts the probe."""
    if breaker.state is State.CLOSED:
        return Decision(True, breaker)
    due = _is_due(breaker, now, settings)
    if breaker.state is State.HALF_OPEN and not due:
        if breaker.probes < settings.probes:
            probes = breaker.probes + 1
            return Decision(True, replace(breaker, probes=probes, full=probes >= settings.probes))
        return Decision(False, breaker if breaker.full else replace(breaker, full=True), breaker.open_until)
    if due:
        return Decision(True, _start_probing(breaker, now, settings))
    return Decision(False, breaker, breaker.open_until)


def record(breaker: Breaker, succeeded: bool, now: float, settings: BreakerSettings) -> Breaker:
    """The breaker after one result."""
    if breaker.state is State.CLOSED:
        return _record_closed(breaker, succeeded, now, settings)
    if breaker.state is State.OPEN:
        # An attempt that began before it opened. It must not lengthen the pause: a hundred under way would double it a
        # hundred times. Nor shorten it: the success may be older than the failures. The probes will tell.
        return breaker
    if not succeeded:
        return _open(_count(breaker, now, settings), now, settings)
    successes = breaker.successes + 1
    if successes >= settings.close_after:
        return AT_REST
    return replace(
        breaker,
        successes=successes,
        probes=max(breaker.probes - 1, 0),
        full=False,
        failures=0,
        counted=0,
        counted_at=None,
        failing_since=None,
    )


def _record_closed(breaker: Breaker, succeeded: bool, now: float, settings: BreakerSettings) -> Breaker:
    if succeeded:
        return AT_REST if breaker.failures else breaker
    breaker = _count(breaker, now, settings)
    return breaker if breaker.failures < settings.trip_after else _open(breaker, now, settings)


def _count(breaker: Breaker, now: float, settings: BreakerSettings) -> Breaker:
    """With one more failure in a row."""
    at = breaker.counted_at
    counts = at is None or not at <= now < at + settings.apart
    return replace(
        breaker,
        failures=breaker.failures + 1,
        counted=breaker.counted + counts,
        counted_at=now if counts else at,
        failing_since=now if breaker.failing_since is None else breaker.failing_since,
    )


def _open(breaker: Breaker, now: float, settings: BreakerSettings) -> Breaker:
    doublings = min(breaker.trips, 30)  # bounded, because 2 ** trips grows without end and floats do not
    return replace(
        breaker,
        state=State.OPEN,
        successes=0,
        probes=0,
        full=False,
        trips=breaker.trips + 1,
        opened_at=now if breaker.opened_at is None else breaker.opened_at,
        open_until=now + min(settings.first_pause * 2**doublings, settings.longest_pause),
    )


def _start_probing(breaker: Breaker, now: float, settings: BreakerSettings) -> Breaker:
    """Half-open, with this delivery as the first probe. Successes of an earlier round count on."""
    until = now + settings.probe_patience
    return replace(breaker, state=State.HALF_OPEN, probes=1, full=settings.probes <= 1, open_until=until)


def _is_due(breaker: Breaker, now: float, settings: BreakerSettings) -> bool:
    """Whether `open_until` has passed. One further ahead than any pause was written by a wrong clock, and has too."""
    if breaker.open_until is None:
        return True
    longest = max(settings.longest_pause, settings.probe_patience)
    return not now < breaker.open_until <= now + longest
