"""Siblings: processes under one supervisor that tell each other at once of jobs, and give them to each other.

Each process that works has a socket, made before they are forked. A word of one byte, the number of a kind, says that
there may be jobs to claim: only a hint, so a full socket does no harm. A longer one gives jobs that were made claimed
for this very process, with all their columns (see `engine/giving.py`). Shared memory says who has room (see
`engine/places.py`), and whether many requests come in (see `db/inflow.py`). A process that only answers, and replaces
one that died, says so: that one may have been about to give jobs.
"""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections, router

from hookline import conf
from hookline.db.connections import look_after
from hookline.db.inflow import Inflow, inflow
from hookline.engine import giving, notifier, postgres_notify
from hookline.engine.giving import Receiver
from hookline.engine.grant import Grant
from hookline.engine.job import Job
from hookline.engine.places import Free, Offer, Places, shared_cells
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement

logger = logging.getLogger("hookline.engine")

#: A word: jobs may have been made claimed for this process of which nobody tells it.
_MISSED = bytes([255])

#: Most bytes of a word. What is given has at most `giving.MOST_BYTES` of contents, and a few columns besides.
_LONGEST = 2 * giving.MOST_BYTES
#: What a socket should keep that is not read yet.
_KEPT = 4 * _LONGEST


class Siblings:
    """Words to `workers` processes, from each other and from those that only answer, which are `servers`."""

    def __init__(self, workers: int, servers: int, models: Sequence[type[Job]]) -> None:
        self._name = uuid.uuid4().hex
        self._models = models
        self._sockets = [_pair() for _ in range(workers)]
        self._listening: threading.Thread | None = None
        self._inflow, *cells = shared_cells([Inflow.CELL, *[Places.size_of(workers, servers)] * len(models)])
        self._places = [Places(memory, workers, servers) for memory in cells]

    def join_as_worker(self, place: int) -> None:
        """This process is the worker with this place: it is told what others notify and give, and passes on its own."""
        self._relay([other for other in range(len(self._sockets)) if other != place])
        offers = [_Offering(Offer(places, place)) for places in self._places]
        for model, offer in zip(self._models, offers, strict=True):
            giving.tell_by(model, offer)
        self._listening = threading.Thread(
            target=self._listen, args=(place, offers), name="hookline-siblings", daemon=True
        )
        self._listening.start()

    def join_as_server(self, place: int) -> None:
        """This process only answers: it passes on what it notifies, and gives its jobs to workers with places.

        Not on SQLite, where several processes are slower than one.
        """
        self._relay(range(len(self._sockets)))
        writers = [write for _, write in self._sockets]
        for number, model in enumerate(self._models):
            if connections[router.db_for_write(model)].vendor == "postgresql":
                giving.give_by(model, _Giver(model, number, self._places[number], place, writers))
        if any(places.has_given(place) for places in self._places):
            for writer in writers:
                with suppress(OSError):  # full: then their leases run out
                    writer.send(_MISSED)

    def worker_ended(self, place: int) -> None:
        """The worker with this place is gone, so nothing is given to it until another is in its place."""
        for places in self._places:
            places.grant(place, None, 0)

    def close(self) -> None:
        """Nobody listens any more, in any process."""
        for read, _ in self._sockets:
            with suppress(OSError):
                read.shutdown(socket.SHUT_RDWR)
        if self._listening is not None:
            self._listening.join()
        for pair in self._sockets:
            for end in pair:
                end.close()

    def _relay(self, others: Sequence[int]) -> None:
        postgres_notify.join_group(self._name)
        inflow.share(self._inflow)
        writers = [self._sockets[other][1] for other in others]
        for number, model in enumerate(self._models):
            notifier.of(model).relay(_Teller(writers, number), to_siblings=True)

    def _listen(self, place: int, offers: Sequence[_Offering]) -> None:
        read = self._sockets[place][0]
        word = bytearray(_LONGEST)
        while size := read.recv_into(word):
            if word[0] == _MISSED[0]:
                for receiver in map(giving.receiver_of, self._models):
                    if receiver is not None:
                        receiver.may_have_missed()
                continue
            model = self._models[word[0]]
            if size == 1:
                notifier.of(model).notify_here()
                continue
            try:
                look_after()
                offers[word[0]].receive(model, memoryview(word)[1:size])
            except Exception:  # whatever it is, the next word may be in order
                logger.exception("%s that were given could not be taken; their leases will run out", model.nouns)
        connections.close_all()


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends for whole words, of which the second never waits. macOS has no SEQPACKET; what DGRAM lacks is its end,
    and no end is needed, since every process has both."""
    try:
        read, write = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        read, write = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    write.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KEPT)
    read.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KEPT)
    write.setblocking(False)
    return read, write


class _Teller:
    """Tells others that there may be jobs of one kind, each time another one first."""

    def __init__(self, writers: Sequence[socket.socket], number: int) -> None:
        self._writers = deque(writers)
        self._word = bytes([number])

    def __call__(self) -> None:
        for writer in tuple(self._writers):
            with suppress(OSError):  # full: it looks anyway
                writer.send(self._word)
        self._writers.rotate()


class _Offering:
    """The places of this process for one kind."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._lock = threading.Lock()

    def tell(self, receiver: Receiver) -> None:
        """See giving.Told."""
        with self._lock:  # else what was true a moment ago might be told last
            self._offer.tell(receiver.worker, receiver.places, time.monotonic())

    def receive(self, model: type[Job], word: memoryview) -> None:
        """Have jobs begun that were given to this process. Those for the one before it in this place, or for a worker
        that has stopped, are given back."""
        number, rows = pickle.loads(word)  # noqa: S301  # nobody else has these sockets
        receiver = giving.receiver_of(model)
        if receiver is None or number != receiver.worker:
            give_back(model, rows, "the worker stopped before it was told of it")
            return
        with self._lock:
            self._offer.took(len(rows))
        receiver.take(receiver.of_rows(rows))
        self.tell(receiver)


class _Giver:
    """Gives jobs of one kind to the worker process that has most places: see giving.Giver. For any thread."""

    def __init__(
        self, model: type[Job], number: int, places: Places, place: int, writers: Sequence[socket.socket]
    ) -> None:
        self.model = model
        self._number = bytes([number])
        self._places = places
        self._place = place
        self._writers = writers
        self._lock = threading.Lock()

    def reserve(self, most: int, least: int) -> _Reserved | None:
        """See giving.Giver."""
        with self._lock:
            free = self._places.freest()
            if free is None or free.places < least:
                return None
            count = min(free.places, most)
            self._places.give(self._place, free, count)
        return _Reserved(self, free, Grant(count, conf.get().LEASE, free.number))

    def send(self, to: Free, rows: Sequence[Any]) -> bool:
        """Returns whether the word is under way."""
        word = self._number + pickle.dumps((to.number, rows), pickle.HIGHEST_PROTOCOL)
        if len(word) > _LONGEST:
            return False
        try:
            self._writers[to.worker].send(word)
        except OSError:  # full, or longer than this system allows
            return False
        return True

    def tell_of_missed(self, to: Free) -> None:
        """Have the worker look for what was made for it, and may be known to nobody."""
        with suppress(OSError):  # full: then their leases run out
            self._writers[to.worker].send(_MISSED)

    def take_back(self, to: Free, count: int) -> None:
        """So many places were not used."""
        with self._lock:
            self._places.give(self._place, to, -count)


class _Reserved:
    """See giving.Reserved."""

    def __init__(self, giver: _Giver, to: Free, grant: Grant) -> None:
        self._giver = giver
        self._to = to
        self.grant = grant

    def give(self, rows: Sequence[Any]) -> None:
        """See giving.Reserved."""
        given = bool(rows) and self._giver.send(self._to, rows)
        if unused := self.grant.places - (len(rows) if given else 0):
            self._giver.take_back(self._to, unused)
        if rows and not given:
            give_back(self._giver.model, rows, "the worker could not be told of it")
        elif rows:
            notifier.of(self._giver.model).notify_given(elsewhere=True)

    def lose(self) -> None:
        """See giving.Reserved."""
        self.give(())
        self._giver.tell_of_missed(self._to)


@dataclass(frozen=True, slots=True)
class _Held:
    """See engine.job.Held."""

    id: UUID
    claim: int
    order_key: str | None


def give_back(model: type[Job], rows: Sequence[Any], why: str) -> None:
    """Let any worker claim what was given in vain."""
    back = Settlement.give_back(0, why)
    try:
        settle([(job, back) for job in _held(model, rows)], model=model)
    except Exception:
        logger.exception("cannot give back %d %s; their leases will run out", len(rows), model.nouns)
    notifier.of(model).notify()


def _held(model: type[Job], rows: Sequence[Any]) -> list[_Held]:
    """What settling them takes, of rows that begin with all columns."""
    names = [field.attname for field in model._meta.concrete_fields]
    return [_Held(*(row[names.index(name)] for name in ("id", "claim", "order_key"))) for row in rows]
