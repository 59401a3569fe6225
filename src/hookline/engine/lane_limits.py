"""LaneLimits: how many jobs of a lane may begin a second, and run at once, in all workers together.

A person sets limits; a lane may also be slowed down for a while (see core.slowing). Lanes may share the rate of their
group, such as the endpoints of a tenant. Jobs that have to wait keep their place in the queue of their lane.

The state is in the row of the lane, or group, and is changed under its lock. A worker reads every two seconds which
lanes have limits; if none has, a claim costs nothing more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast
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

    #: Name of the foreign key to what the rate is shared with: it has `throttle_rate`, which many may begin a second,
    #: and `throttle_due`, which `core.rate_limit.take` keeps.
    group: ClassVar[str] = ""

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

    @classmethod
    def unlimited(cls, lane: str) -> str:
        """SQL for: neither its own limits nor its group's hold back what is claimed of this lane."""
        none = [f"{lane}.{name} IS NULL" for name in _LIMITS]
        if cls.group:
            key: Any = cls._meta.get_field(cls.group)
            groups = key.related_model._meta.db_table
            shared = f"shared.id = {lane}.{key.column} AND shared.throttle_rate IS NOT NULL"
            none.append(f"NOT EXISTS (SELECT 1 FROM {groups} shared WHERE {shared})")
        return " AND ".join(none)

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


#: The columns of a lane's own limits.
_LIMITS = ("lane_rate", "lane_at_once", "lane_slow_rate")


def _limited() -> models.Q:
    return models.Q(*((f"{name}__isnull", False) for name in _LIMITS), _connector=models.Q.OR)


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


@dataclass(slots=True)
class _Part(Generic[J]):
    """Claimed jobs of one lane, of which the first `count` may begin. The others wait so long, for this reason."""

    jobs: list[J]
    count: int
    wait: float = 0.0
    why: str = ""


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
        #: The group of each lane that shares a rate, and the rate of each group.
        self._group_of: dict[int, UUID] = {}
        self._shared: dict[UUID, Rate] = {}
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
        self._read_groups(lanes)
        known = self._limits.keys() | self._group_of.keys()
        self._not_before = {lane: at for lane, at in self._not_before.items() if lane in known and at > now}
        self._read_at = now

    def _read_groups(self, lanes: Any) -> None:
        if self._lane is None or not (group := self._lane.group):
            return
        found = lanes.filter(**{f"{group}__throttle_rate__isnull": False})
        rows = list(found.values_list("pk", f"{group}_id", f"{group}__throttle_rate"))
        self._group_of = {pk.int: group_id for pk, group_id, _ in rows}
        self._shared = {group_id: rate_of(rate, None) for _, group_id, rate in rows}

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
        most = {lane: self._shared[group].burst for lane, group in self._group_of.items()}
        for lane, limit in self._limits.items():
            most[lane] = min(limit.most, most.get(lane, limit.most))
        return {UUID(int=lane): number for lane, number in most.items() if lane not in self._held}

    def pause(self) -> float | None:
        """Seconds until a lane that waits may begin something; None where none waits."""
        if not self._not_before:
            return None
        now = time.monotonic()
        self._not_before = {lane: at for lane, at in self._not_before.items() if at > now - FRESH}
        return max(0.0, min(self._not_before.values()) - now) if self._not_before else None

    def admit(self, jobs: Sequence[J]) -> list[J]:
        """Those of the claimed jobs that may begin now. The others are given back. Raises DatabaseError."""
        if self._lane is None or not (self._limits or self._group_of):
            return list(jobs)
        limited: dict[UUID, list[J]] = defaultdict(list)
        for job in jobs:
            lane = self._lane_of(job)
            if lane.int in self._limits or lane.int in self._group_of:
                limited[lane].append(job)
        if not limited:
            return list(jobs)
        back: set[UUID] = set()
        database = router.db_for_write(self._lane)
        rows = self._lane._default_manager.using(database)
        with transaction.atomic(using=database):
            groups = self._locked_groups(database, limited)
            ruled = [lane_id for lane_id in sorted(limited) if lane_id.int in self._limits]
            # A write first, in one order everywhere: it locks the row, and SQLite refuses one behind a read.
            for lane_id in ruled:
                rows.filter(pk=lane_id).update(lane_due=models.F("lane_due"))
            states = dict(rows.filter(pk__in=ruled).values_list("pk", "lane_due")) if ruled else {}
            now = clock.now(self._lane)
            parts = {
                lane_id: self._allowed(rows, lane_id, waiting, states.get(lane_id), now)
                for lane_id, waiting in limited.items()
                if lane_id.int not in self._limits or lane_id in states
            }
            for group_id, state in groups.items():
                self._share(database, group_id, state, parts, now)
            for lane_id, part in parts.items():
                back |= self._begin(rows, lane_id, part, states.get(lane_id), now)
        return [job for job in jobs if job.id not in back]

    def _allowed(self, rows: Any, lane_id: UUID, jobs: list[J], state: float | None, now: float) -> _Part[J]:
        """How many the limits of the lane let begin."""
        part = _Part(jobs, len(jobs))
        if (limit := self._limits.get(lane_id.int)) is None:
            return part
        if limit.at_once is not None:
            running = self._model._default_manager.using(rows.db).filter(**{self._model.lane: lane_id})
            others = running.filter(state=State.RUNNING).exclude(pk__in=[job.pk for job in jobs]).count()
            part.count = max(0, min(part.count, limit.at_once - others))
            part.wait, part.why = FULL, f"waits because {limit.at_once} are running, which is all that may at once"
        if limit.rate is not None:
            taken = take(limit.rate, _due(limit.rate, state, now), now, part.count)
            if taken.number < part.count or limit.at_once is None:
                part.wait = wait_of(limit.rate, taken.due, now)
                part.why = limit.why.format(lane=self._model.lane)
            part.count = taken.number
        return part

    def _begin(self, rows: Any, lane_id: UUID, part: _Part[J], state: float | None, now: float) -> set[UUID]:
        """Count those that begin; the ids of those that were given back."""
        limit = self._limits.get(lane_id.int)
        if limit is not None and limit.rate is not None:
            rows.filter(pk=lane_id).update(lane_due=take(limit.rate, _due(limit.rate, state, now), now, part.count).due)
        surplus = [(job, Settlement.give_back(ITS_TIME, part.why)) for job in part.jobs[part.count :]]
        settle(surplus, model=self._model)
        if surplus or (limit is not None and len(part.jobs) >= limit.most):  # there may be more
            self._put_off(lane_id.int, part.wait)
        return {job.id for job, _ in surplus}

    # ---- a rate that lanes share --------------------------------------------------------------------
    def _locked_groups(self, database: str, lanes: Iterable[UUID]) -> dict[UUID, float | None]:
        """The states of their groups, whose rows stay locked. They come before lanes, as where a tenant is deleted."""
        wanted = {self._group_of[lane.int] for lane in lanes if lane.int in self._group_of}
        if not wanted:
            return {}
        rows = self._groups(database)
        for group_id in sorted(wanted):
            rows.filter(pk=group_id).update(throttle_due=models.F("throttle_due"))
        return dict(rows.filter(pk__in=wanted).values_list("pk", "throttle_due"))

    def _groups(self, database: str) -> Any:
        lane = cast("type[LimitedLane]", self._lane)
        group = cast("type[models.Model]", lane._meta.get_field(lane.group).related_model)
        return group._default_manager.using(database)

    def _share(
        self, database: str, group_id: UUID, state: float | None, parts: dict[UUID, _Part[J]], now: float
    ) -> None:
        """Let begin what the rate of a group allows, of each of its lanes about as many."""
        own = sorted(
            (part for lane, part in parts.items() if self._group_of.get(lane.int) == group_id),
            key=lambda part: part.count,
        )
        rate = self._shared[group_id]
        wanted = sum(part.count for part in own)
        taken = take(rate, _due(rate, state, now), now, wanted)
        self._groups(database).filter(pk=group_id).update(throttle_due=taken.due)
        if taken.number == wanted < rate.burst:
            return
        wait, left = wait_of(rate, taken.due, now), taken.number
        why = f"waits for the rate limit of its {self._lane and self._lane.group}, {rate.per_second:g} a second"
        for number, part in enumerate(own):
            count = min(part.count, left // (len(own) - number))
            if count < part.count:
                part.count, part.wait, part.why = count, max(part.wait, wait), why
            left -= count
        for lane, its in self._group_of.items():
            if its == group_id:
                self._put_off(lane, wait)

    def _put_off(self, lane: int, wait: float) -> None:
        self._not_before[lane] = max(self._not_before.get(lane, 0.0), time.monotonic() + wait)


def _due(rate: Rate, state: float | None, now: float) -> float:
    """What was kept. One further ahead than a whole burst was written by a wrong clock."""
    return min(state or 0.0, now + rate.burst / rate.per_second)
