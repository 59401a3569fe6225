"""Handover: a transaction that creates jobs also claims them, for a worker of the same process.

Without it, a notification is sent after the COMMIT, a worker claims the job, and waits for the disk again: for a row
that this process has just written. A job claimed here is like any other claimed job: it has the number of this process,
a lease and a claim number. So no worker begins with it before the COMMIT, and if the process dies after it, the job is
returned as quickly as others. Only jobs that have to wait for no other are handed over; the kind decides which.

The same goes for the next job of an order key: the transaction that ends the one before it claims it (engine.order).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol, Self
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.engine import notifier
from hookline.engine.claimant import Claimant
from hookline.engine.grant import Grant
from hookline.engine.job import Job

logger = logging.getLogger("hookline.engine")

#: A transaction that makes jobs for more than these leaves them to a claim: it is late already.
MOST = 100


class Follower(Claimant, Protocol):
    """One that goes on with the next job of an order key."""

    @property
    def room(self) -> int:
        """How many it would begin with now. Of what it holds in this way it must leave room for claims."""


class Taker(Claimant, Protocol):
    """One that takes over what a transaction makes."""

    @property
    def places(self) -> int:
        """How many it could begin now."""

    def claim(self, made_for: Sequence[UUID]) -> Sequence[Any]:
        """Claim, in the open transaction, what was made for these, as far as there are places. Raises DatabaseError."""


_takers: dict[type[Job], Taker] = {}
_followers: dict[type[Job], Follower] = {}


def offer_to_follow(model: type[Job], follower: Follower) -> None:
    """From now on this worker goes on with the next of a key; one for each kind in a process."""
    _followers[model] = follower


def follower_of(model: type[Job]) -> Follower | None:
    return _followers.get(model)


def give_after_commit(model: type[Job], follower: Follower, claimed: Sequence[Any]) -> None:
    """Have it begin with what the open transaction has claimed, before all else that is done after the COMMIT.

    What others left to do then may fail, and what is claimed must not be forgotten.
    """
    follower.expect(claimed)
    connection = connections[router.db_for_write(model)]
    transaction.on_commit(partial(follower.take, claimed), using=connection.alias)
    connection.run_on_commit.insert(0, connection.run_on_commit.pop())


def offer(model: type[Job], taker: Taker) -> None:
    """From now on this worker takes jobs over; one for each kind in a process."""
    _takers[model] = taker


def withdraw(model: type[Job]) -> None:
    """The reverse of `offer` and `offer_to_follow`. What is claimed by now is still given to it."""
    _takers.pop(model, None)
    _followers.pop(model, None)


def places(model: type[Job]) -> int:
    """How many jobs a worker of this process would take over now."""
    taker = _takers.get(model)
    return 0 if taker is None else max(0, taker.places)


class HandOver:
    """What one transaction makes for the workers of this process. Whoever opens it enters, claims and gives."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._takers = dict(_takers)
        #: What jobs were made for, such as messages, and how many jobs.
        self._made: dict[type[Job], tuple[list[UUID], int]] = {}
        self._claimed: dict[type[Job], list[Any]] = {}
        #: Those for which jobs may be made claimed.
        self._granted: list[Taker] = []
        #: Those of which some were made before the end, and so not claimed.
        self._before_end: set[type[Job]] = set()
        self._ending = self._ended = False

    def __enter__(self) -> Self:
        _current.set(self)
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        _current.set(None)
        if kind is not None:  # perhaps the answer to a statement was lost which was committed
            for taker in self._granted:
                taker.may_have_missed()

    def end(self) -> None:
        """Nothing but the end of the transaction follows: what is made from now on may be made claimed.

        Not before: a handler may take a while, look at what it made, and roll a part of it back.
        """
        self._ending = True

    def grant(self, model: type[Job], made_for: int) -> Grant | None:
        """Leave to make jobs claimed, for so many of what jobs are made for; None where there is none."""
        taker = self._takers.get(model)
        if taker is None or not self._ending or self._ended or self._claimed.get(model) or made_for > MOST:
            return None
        if (free := taker.places) <= 0:
            return None
        self._granted.append(taker)
        return Grant(free, taker.lease, taker.worker)

    def note(self, model: type[Job], made_for: Sequence[UUID], count: int, claimed: Sequence[Any]) -> bool:
        """So many jobs were made, some of them claimed. Returns whether whoever waits for them is told from here."""
        if self._ended or model not in self._takers:
            return False
        known, number = self._made.setdefault(model, ([], 0))
        if claimed:
            self._claimed.setdefault(model, []).extend(claimed)
            self._takers[model].expect(claimed)
        known.extend(made_for)
        if not self._ending:
            self._before_end.add(model)
        self._made[model] = known, number + count
        return True

    def claim(self) -> None:
        """At the end of the transaction: claim what was made before it came to that. Raises DatabaseError."""
        self._ended = True
        for model in self._before_end:
            made_for, count = self._made[model]
            if count and len(made_for) <= MOST:
                claimed = self._takers[model].claim(made_for)
                self._takers[model].expect(claimed)
                self._claimed.setdefault(model, []).extend(claimed)

    def give(self) -> None:
        """After the COMMIT: hand over what was claimed, and tell of the rest."""
        for model, (_, count) in self._made.items():
            claimed = self._claimed.get(model, ())
            if claimed:
                self._takers[model].take(claimed)
            if len(claimed) < count:
                notifier.of(model).notify()


_current: ContextVar[HandOver | None] = ContextVar("hookline_handover", default=None)


def noted(
    connection: BaseDatabaseWrapper, model: type[Job], made_for: Sequence[UUID], count: int, claimed: Sequence[Any]
) -> bool:
    """Tell the open transaction's HandOver, if it has one, what was made. Returns whether it tells those who wait."""
    handover = _of(connection)
    return handover is not None and handover.note(model, made_for, count, claimed)


def granted_to(connection: BaseDatabaseWrapper, model: type[Job], made_for: int) -> Grant | None:
    """See `HandOver.grant`; None where the open transaction has no HandOver."""
    handover = _of(connection)
    return None if handover is None else handover.grant(model, made_for)


def _of(connection: BaseDatabaseWrapper) -> HandOver | None:
    handover = _current.get()
    # A context may be copied into another thread, which has a connection of its own, and outlive the transaction.
    if handover is None or handover.connection is not connection or not connection.in_atomic_block:
        return None
    return handover
