"""WorkerProcess: a process that works, and says so every few seconds, so that others know that one does."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import Error, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row

#: Seconds between two signs of life, and how long one is good for: a killed process counts as alive no longer.
EVERY = 10.0
GOOD_FOR = 35.0


class WorkerProcess(Row):
    """There is one row for each process that works."""

    prefix = "wkr"
    noun, nouns = "worker process", "worker processes"

    host = models.CharField(_("host"), max_length=200)
    process = models.PositiveIntegerField(_("process"))
    #: The kinds of job that it does, such as `events`.
    kinds = models.JSONField(_("kinds"), default=list)
    #: It is known to live until then.
    alive_until = models.DateTimeField(_("alive until"))

    class Meta:
        verbose_name = _("worker process")
        verbose_name_plural = _("worker processes")
        ordering = ["id"]


class Presence:
    """Says that this process works on `kinds`, from `tell` to `end`. For one thread."""

    def __init__(self, kinds: Sequence[str], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._kinds = list(kinds)
        self._monotonic = monotonic
        self._told_at = float("-inf")
        self._row: UUID | None = None

    def tell(self) -> None:
        """Call it often: it writes every few seconds. Raises nothing: a failed write is made up next time."""
        if self._kinds and self._monotonic() - self._told_at >= EVERY:
            with suppress(Error):  # SQLite's one write lock may be held for long
                self._write()
            self._told_at = self._monotonic()

    def _write(self) -> None:
        until = Now() + timedelta(seconds=GOOD_FOR)
        rows = WorkerProcess._default_manager
        if self._row is None or not rows.filter(pk=self._row).update(alive_until=until):
            # Those of processes that were killed.
            rows.filter(alive_until__lt=Now() - timedelta(days=1)).delete()
            made = WorkerProcess(
                host=socket.gethostname()[:200], process=os.getpid(), kinds=self._kinds, alive_until=until
            )
            made.save(force_insert=True)
            self._row = made.pk

    def end(self) -> None:
        """This process stops working. Raises nothing: the row expires."""
        if self._row is not None:
            with suppress(Error):
                WorkerProcess._default_manager.filter(pk=self._row).delete()


def alive() -> list[WorkerProcess]:
    """Those that work now, at most a thousand. Raises DatabaseError."""
    return list(WorkerProcess._default_manager.filter(alive_until__gt=Now())[:1000])
