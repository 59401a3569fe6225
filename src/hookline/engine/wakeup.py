"""The noun Wakeup: tells the workers of this process that there may be something to claim."""

from __future__ import annotations

import threading
from functools import cache

from django.db import router, transaction

from hookline.engine.job import Job


class Wakeup:
    """A flag that any thread may raise and one waiting thread takes down."""

    def __init__(self) -> None:
        self._raised = threading.Event()

    def notify(self) -> None:
        self._raised.set()

    def wait(self, timeout: float) -> None:
        """Return when the flag is raised, or after `timeout` seconds: polling is the net below every wake-up."""
        self._raised.wait(timeout)
        self._raised.clear()


@cache
def of(model: type[Job]) -> Wakeup:
    """The wake-up of the workers for this kind of job."""
    return Wakeup()


def after_commit(model: type[Job]) -> None:
    """Wake the workers once the caller's transaction is committed."""
    transaction.on_commit(of(model).notify, using=router.db_for_write(model))
