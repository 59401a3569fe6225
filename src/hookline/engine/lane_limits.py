"""LaneLimits: how many jobs of a lane may begin a second, and run at once, in all workers together.

A person sets limits; besides, a lane may be slowed down for a while (see core.slowing). What has to wait keeps its
place in the queue of its lane.

The state is in the lane's row, and is changed under its lock. A worker reads every two seconds which lanes have limits;
where none has, a claim costs nothing more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

from hookline.core.rate_limit import Rate, take
from hookline.core.slowing import Slowing
from hookline.db import clock
from hookline.engine.job import Job, Lane, State
from hookline.engine.settle import settle
from hookline.engine.settlement import ITS_TIME, Settlement

J = TypeVar("J", bound=Job)

#: Seconds for which what was read of the limits is good.
FRESH = 2.0
#: Seconds until a lane that has as many running as it may is looked at again.
FULL = 0.05
#: A lane without its own burst has what its rate allows in this many seconds: workers look no more often.
STEP = 0.25


class LimitedLane(Lane):
    """A lane that may have limits; None: no such limit."""

    lane_rate = models.FloatField(_("begin a second"), null=True, blank=True, editable=False)
    lane_burst = models.PositiveIntegerField(_("begin after a pause"), null=True, blank=True, editable=False)
    lane_at_once = models.PositiveIntegerField(_("run at once"), null=True, blank=True, editable=False)
    #: What `core.rate_limit.take` keeps.
    lane_due = models.FloatField(_("state of the rate"), null=True, editable=False)
    #: What `core.slowing` keeps.
    lane_slow_rate = models.FloatField(_("slowed down to"), null=True, editable=False)
    lane_slow_at = models.FloatField(_("slowed down at"), null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def slowing(self) -> Slowing | None:
        """Set it to slow the lane down. The caller saves."""
        rate, at = self.lane_slow_rate, self.lane_slow_at
        return None if rate is None or at is None else Slowing(rate, at)

    @slowing.setter
    def slowing(self, slowing: Slowing | None) -> None:
        self.lane_slow_rate = None if slowing is None else slowing.rate
        self.lane_slow_at = None if slowing is None else slowing.at

    def rate_at(self, now: float) -> Rate | None:
        """What it may begin now, of its limit and its slowing; None where nothing is held back."""
        return _limit_of(self.lane_rate, self.lane_burst, None, self.slowing, now).rate

    @property
    def limits(self) -> dict[str, float | None]:
        return {"rate": self.lane_rate, "burst": self.lane_burst, "at_once": self.lane_at_once}


def _limited() -> models.Q:
    names = ("lane_rate", "lane_at_once", "lane_slow_rate")
    return models.Q(*((f"{name}__isnull", False) for name in names), _connector=models.Q.OR)


def limited_index(name: str) -> models.Index:
    """Finds the lanes that have limits, or are slowed down."""
    return models.Index(fields=["id"], name=f"{name}_limited", condition=_limited())


def rate_of(per_second: float, burst: int | None) -> Rate:
    return Rate(per_second, max(1, round(per_second * STEP)) if burst is None else burst)


def wait_of(rate: Rate, due: float, now: float) -> float:
    """Seconds until a part of the burst is there again: looking for each one would cost more than running it."""
    worth = max(1.0, min(rate.burst, rate.per_second * STEP / 2))
    return max(0.0, due - now - (rate.burst - worth) / rate.per_second)


@dataclass(frozen=True, slots=True)
class _Limit:
    rate: Rate | None
    at_once: int | None
    #: Whether nobody set this rate.
    slowed: bool

    @property
    def most(self) -> int:
        """Of one claim."""
        found = [self.rate.burst] if self.rate else []
        return min([*found, self.at_once] if self.at_once is not None else found)

    def __bool__(self) -> bool:
        return self.rate is not None or self.at_once is not None

    @property
    def why(self) -> str:
        """A job waits for the rate."""
        rate = 0.0 if self.rate is None else self.rate.per_second
        if self.slowed:
            return f"waits because its {{lane}} was overloaded or away, and gets {rate:.3g} a second for now"
        return f"waits for its rate limit of {rate:g} a second"


def _limit_of(
    per_second: float | None, burst: int | None, at_once: int | None, slowing: Slowing | None, now: float
) -> _Limit:
    rate = None if per_second is None else rate_of(per_second, burst)
    slow = None if slowing is None else slowing.rate_at(now)
    if slow is None or (rate is not None and rate.per_second <= slow):
        return _Limit(rate, at_once, False)
    return _Limit(rate_of(slow, None), at_once, True)


class LaneLimits(Generic[J]):
    """What one worker knows of the limits of its lanes. For the thread that claims."""

    def __init__(self, model: type[J], lane_of: Callable[[J], UUID]) -> None:
        self._model = model
        self._lane_of = lane_of
        lane = cast("type[Lane]", model._meta.get_field(model.lane).related_model)
        self._lane: type[LimitedLane] | None = lane if issubclass(lane, LimitedLane) else None
        self._limits: dict[int, _Limit] = {}
        #: Those of them that were held when they were read.
        self._held: set[int] = set()
        self._read_at = float("-inf")
        #: Lanes that may begin nothing before a time, in monotonic seconds.
        self._not_before: dict[int, float] = {}

    def refresh(self) -> None:
        """Read which lanes have limits, if that is due. Raises DatabaseError."""
        now = time.monotonic()
        if self._lane is None or now - self._read_at < FRESH:
            return
        lanes = self._lane._default_manager.using(router.db_for_write(self._lane))
        columns = ("pk", "lane_rate", "lane_burst", "lane_at_once", "lane_slow_rate", "lane_slow_at", "held_until")
        found = list(lanes.filter(_limited()).values_list(*columns))
        slow = {pk: Slowing(rate, at or 0.0) for pk, *_, rate, at, _ in found if rate is not None}
        time_there = clock.now(self._lane) if found else 0.0
        self._held = {pk.int for pk, *_, until in found if until is not None and until.timestamp() > time_there}
        limits = {
            pk.int: _limit_of(rate, burst, at_once, slow.get(pk), time_there) for pk, rate, burst, at_once, *_ in found
        }
        self._limits = {lane: limit for lane, limit in limits.items() if limit}
        if over := [pk for pk, slowing in slow.items() if slowing.rate_at(time_there) is None]:
            at = [slow[pk].at for pk in over]
            lanes.filter(pk__in=over, lane_slow_at__in=at).update(lane_slow_rate=None, lane_slow_at=None)
        self._not_before = {lane: at for lane, at in self._not_before.items() if lane in self._limits and at > now}
        self._read_at = now

    def waiting(self) -> list[UUID]:
        """The lanes that may begin nothing now."""
        if not self._not_before:
            return []
        now = time.monotonic()
        return [UUID(int=lane) for lane, at in self._not_before.items() if at > now]

    def most(self) -> dict[UUID, int]:
        """How many a claim should take of a lane at most, of those that have limits.

        Not those that were held when they were read: they are many where many endpoints are dead, and give nothing.
        """
        return {UUID(int=lane): limit.most for lane, limit in self._limits.items() if lane not in self._held}

    def pause(self) -> float | None:
        """Seconds until a lane that waits may begin something; None where none waits."""
        if not self._not_before:
            return None
        now = time.monotonic()
        self._not_before = {lane: at for lane, at in self._not_before.items() if at > now - FRESH}
        return max(0.0, min(self._not_before.values()) - now) if self._not_before else None

    def admit(self, jobs: Sequence[J]) -> list[J]:
        """Those of the claimed jobs that may begin now. The others are given back. Raises DatabaseError."""
        if not self._limits or self._lane is None:
            return list(jobs)
        limited: dict[UUID, list[J]] = defaultdict(list)
        for job in jobs:
            if self._lane_of(job).int in self._limits:
                limited[self._lane_of(job)].append(job)
        if not limited:
            return list(jobs)
        back: set[UUID] = set()
        database = router.db_for_write(self._lane)
        rows = self._lane._default_manager.using(database)
        with transaction.atomic(using=database):
            # A write first, in one order everywhere: it locks the row, and SQLite refuses one behind a read.
            for lane_id in sorted(limited):
                rows.filter(pk=lane_id).update(lane_due=models.F("lane_due"))
            states = dict(rows.filter(pk__in=limited).values_list("pk", "lane_due"))
            now = clock.now(self._lane)
            for lane_id, waiting in limited.items():
                if lane_id in states:
                    back |= self._take(rows, lane_id, waiting, states[lane_id], now)
        return [job for job in jobs if job.id not in back]

    def _take(self, rows: Any, lane_id: UUID, jobs: Sequence[J], state: float | None, now: float) -> set[UUID]:
        """Begin as many as may; the ids of those that were given back."""
        limit, count, wait, why = self._limits[lane_id.int], len(jobs), 0.0, ""
        if limit.at_once is not None:
            running = self._model._default_manager.using(rows.db).filter(**{self._model.lane: lane_id})
            others = running.filter(state=State.RUNNING).exclude(pk__in=[job.pk for job in jobs]).count()
            count = max(0, min(count, limit.at_once - others))
            wait, why = FULL, f"waits because {limit.at_once} are running, which is all that may at once"
        if limit.rate is not None:
            # One further ahead than a whole burst was written by a wrong clock.
            taken = take(limit.rate, min(state or 0.0, now + limit.rate.burst / limit.rate.per_second), now, count)
            rows.filter(pk=lane_id).update(lane_due=taken.due)
            if taken.number < count or limit.at_once is None:
                wait = wait_of(limit.rate, taken.due, now)
                why = limit.why.format(lane=self._model.lane)
            count = taken.number
        surplus = [(job, Settlement.give_back(ITS_TIME, why)) for job in jobs[count:]]
        settle(surplus, model=self._model)
        if surplus or len(jobs) >= limit.most:  # there may be more
            self._not_before[lane_id.int] = time.monotonic() + wait
        return {job.id for job, _ in surplus}
