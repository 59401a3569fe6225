"""Giving jobs that were just made to a worker that would begin them at once: they are claimed as they are inserted.

So nobody has to claim them, and they come to the worker whole. A worker of the same process is given them by a call,
one of a sibling process by a message (see `runtime/siblings.py`). If a process dies in between, they are returned like
any other claimed jobs. Only jobs about which a claim would have nothing to decide are given.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from hookline.engine import notifier
from hookline.engine.claimant import Claimant
from hookline.engine.grant import Grant
from hookline.engine.job import Job

logger = logging.getLogger("hookline.engine")

#: So few jobs are given at a time. More are there only where much comes in, and then one claim takes them all for less.
FEW = 4
#: Bytes of a job's contents that are given, all together: more are read by whoever claims them.
MOST_BYTES = 64 * 1024


class Receiver(Claimant, Protocol):
    """One that is given jobs."""

    @property
    def places(self) -> int:
        """How many jobs it would begin now."""

    def of_rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The jobs of rows as the statement returned them that made them."""


class Reserved(Protocol):
    """Places that are reserved for jobs that are about to be made."""

    @property
    def grant(self) -> Grant: ...

    def give(self, rows: Sequence[Any]) -> None:
        """Hand over what was made claimed, once it is committed; the places of others are free again.

        Must be called, with nothing if nothing was made; or `lose`. Raises nothing.
        """

    def lose(self) -> None:
        """The database has failed, so nobody knows what was made. Raises nothing."""


class Giver(Protocol):
    def reserve(self, most: int, least: int) -> Reserved | None:
        """Places for up to `most` jobs, of one worker; None if no worker has `least`."""


_receivers: dict[type[Job], Receiver] = {}
_givers: dict[type[Job], Giver] = {}


def receive(model: type[Job], receiver: Receiver) -> None:
    """From now on this worker takes what is given; one for each kind in a process."""
    _receivers[model] = receiver


def leave(model: type[Job], receiver: Receiver) -> None:
    """The reverse, for one that has stopped. What it is given all the same it gives back."""
    if _receivers.get(model) is receiver:
        del _receivers[model]


def receiver_of(model: type[Job]) -> Receiver | None:
    return _receivers.get(model)


def give_by(model: type[Job], giver: Giver | None) -> None:
    """From now on this process gives its jobs in this way; None: to a worker of its own, if it has one."""
    if giver is None:
        _givers.pop(model, None)
    else:
        _givers[model] = giver


class Told(Protocol):
    """Where other processes see what a worker of this process has room for. For any thread."""

    def tell(self, receiver: Receiver) -> None:
        """The places of the worker have changed."""


_told: dict[type[Job], Told] = {}


def tell_by(model: type[Job], told: Told) -> None:
    """From now on the workers of this kind tell `told` whenever their places change."""
    _told[model] = told


def told_of(model: type[Job]) -> Told | None:
    return _told.get(model)


def reserve(model: type[Job], most: int, least: int = 1) -> Reserved | None:
    """Places for jobs that are about to be made: see Giver."""
    if (giver := _givers.get(model)) is not None:
        return giver.reserve(most, least)
    receiver = _receivers.get(model)
    if receiver is None or (places := min(receiver.places, most)) < least:
        return None
    return _Here(model, receiver, Grant(places, receiver.lease, receiver.worker))


class _Here:
    """Places of a worker in this process: not counted, since it sees itself what comes."""

    def __init__(self, model: type[Job], receiver: Receiver, grant: Grant) -> None:
        self._model = model
        self._receiver = receiver
        self.grant = grant

    def give(self, rows: Sequence[Any]) -> None:
        if not rows:
            return
        try:
            self._receiver.take(self._receiver.of_rows(rows))
        except Exception:
            logger.exception("%d %s could not be given to a worker", len(rows), self._model.nouns)
        notifier.of(self._model).notify_given()

    def lose(self) -> None:
        self._receiver.may_have_missed()
