"""Siblings: processes under one supervisor that tell each other at once that there may be jobs to claim.

Each process that claims has a pipe, made before they are forked. A write is only a hint, so a full pipe does no
harm.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from hookline.engine import notifier, postgres_notify
from hookline.engine.job import Job

#: Most bytes that are read at a time; each names a kind.
_MANY = 4096


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
            notifier.of(model).relay(partial(_tell, others, bytes([number])))
        if place is not None:
            read, _ = self._pipes[place]
            threading.Thread(target=self._listen, args=(read,), name="hookline-siblings", daemon=True).start()

    def _listen(self, read: int) -> None:
        while heard := os.read(read, _MANY):
            for number in set(heard):
                notifier.of(self._models[number]).notify_here()


def _tell(pipes: Sequence[int], word: bytes) -> None:
    for pipe in pipes:
        with suppress(BlockingIOError, BrokenPipeError):  # full: it looks anyway; broken: it has ended
            os.write(pipe, word)
