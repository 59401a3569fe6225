"""Hang: a job that has run for too long and whose thread cannot be ended, written down for other processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row


class Hang(Row):
    """Written by the process in which it hangs, and deleted there when it ends. There are few at any time."""

    prefix = "hang"
    noun, nouns = "hang", "hangs"

    #: The public id of the job.
    job = models.CharField(_("job"), max_length=64)
    #: What runs, such as the name of a handler.
    what = models.CharField(_("what"), max_length=300)
    host = models.CharField(_("host"), max_length=200)
    process = models.PositiveIntegerField(_("process"))
    thread = models.CharField(_("thread"), max_length=200)
    #: The process is known to live until then; it writes a later time every now and then.
    alive_until = models.DateTimeField(_("alive until"))

    class Meta:
        verbose_name = _("hang")
        verbose_name_plural = _("hangs")
        ordering = ["id"]

    @property
    def sentence(self) -> str:
        return f"{self.what} hangs on {self.job} in {self.thread} of process {self.process} on {self.host}"


def report(job: str, what: str, thread: str, alive: float) -> UUID:
    """Note a hang. `alive` is in seconds, as for `renew`. Raises DatabaseError."""
    made = Hang(job=job, what=what[:300], host=socket.gethostname()[:200], process=os.getpid(), thread=thread[:200])
    made.alive_until = Now() + timedelta(seconds=alive)
    made.save(force_insert=True)
    # Those of processes that were killed.
    Hang._default_manager.filter(alive_until__lt=Now() - timedelta(days=1)).delete()
    return made.pk


def renew(hangs: Collection[UUID], alive: float) -> None:
    """This process lives, for another `alive` seconds at least. Raises DatabaseError."""
    if hangs:
        Hang._default_manager.filter(pk__in=hangs).update(alive_until=Now() + timedelta(seconds=alive))


def resolve(hangs: Collection[UUID]) -> None:
    """They have ended. Raises DatabaseError."""
    if hangs:
        Hang._default_manager.filter(pk__in=hangs).delete()


def current() -> list[Hang]:
    """What hangs now in any process, at most a hundred. Raises DatabaseError."""
    return list(Hang._default_manager.filter(alive_until__gt=Now())[:100])
