"""Siblings: processes under one supervisor that tell each other at once that there may be jobs to claim.

Each process that claims has a pipe, made before they are forked. A write is only a hint, so a full pipe does no
harm. It has the number of a kind, and of how many jobs which ids follow: those go to one process, in turn.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from hookline.engine import notifier, postgres_notify
from hookline.engine.job import Job

#: Most bytes that are read at a time.
_MANY = 4096
#: Bytes before the ids, and of each id.
_HEAD, _ID = 2, 16


class Siblings:
    """Notifications to `workers` processes, from each other and from those that only answer."""

    def __init__(self, workers: int, models: Sequence[type[Job]]) -> None:
        self._name = uuid.uuid4().hex
        self._models = models
        self._pipes = [os.pipe() for _ in range(workers)]
        for _, write in self._pipes:
            os.set_blocking(write, False)

    def join(self, place: int | None) -> None:
        """This process is the worker with this place, or one that only answers: pass on what it notifies.

        A worker is notified of what others do.
        """
        postgres_notify.join_group(self._name)
        others = [write for other, (_, write) in enumerate(self._pipes) if other != place]
        for number, model in enumerate(self._models):
            notifier.of(model).relay(_Teller(others, number))
        if place is not None:
            read, _ = self._pipes[place]
            threading.Thread(target=self._listen, args=(read,), name="hookline-siblings", daemon=True).start()

    def _listen(self, read: int) -> None:
        unread = b""
        while heard := os.read(read, _MANY):
            words, unread = split(unread + heard)
            for number, named in dict.fromkeys(words):
                notifier.of(self._models[number]).notify_here(named)


class _Teller:
    """Tells others of jobs of one kind; whoever is first of them now is told which."""

    def __init__(self, pipes: Sequence[int], number: int) -> None:
        self._pipes = deque(pipes)
        self._number = number

    def __call__(self, named: Sequence[UUID]) -> None:
        for place, pipe in enumerate(tuple(self._pipes)):
            ids = b"".join(one.bytes for one in named) if place == 0 else b""
            with suppress(BlockingIOError, BrokenPipeError):  # full: it looks anyway; broken: it has ended
                os.write(pipe, bytes([self._number, len(ids) // _ID]) + ids)
        self._pipes.rotate()


def split(heard: bytes) -> tuple[list[tuple[int, tuple[UUID, ...]]], bytes]:
    """The kinds and jobs that were told of, and the bytes of a word that has not come to its end."""
    words, start = [], 0
    while start + _HEAD <= len(heard) and (end := start + _HEAD + heard[start + 1] * _ID) <= len(heard):
        ids = range(start + _HEAD, end, _ID)
        words.append((heard[start], tuple(UUID(bytes=heard[place : place + _ID]) for place in ids)))
        start = end
    return words, heard[start:]
