"""The noun Wakeup: tells those who listen that there may be something to claim."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.db import router, transaction

from hookline.engine.job import Job


class Wakeup:
    """A bell for one kind of job. Workers of this process listen, and carriers take the ring to other processes.

    A ring is only a hint: polling is the net below it, so a listener may forget one, and must not raise.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._carriers: tuple[Callable[[], None], ...] = ()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in whichever thread the ring comes from, at each ring."""
        self._listeners = (*self._listeners, listener)

    def carry(self, carrier: Callable[[], None]) -> None:
        """Call `carrier` at each ring that began in this process."""
        self._carriers = (*self._carriers, carrier)

    def ignore(self, listener: Callable[[], None]) -> None:
        """The reverse of `listen` and `carry`."""
        self._listeners = tuple(known for known in self._listeners if known != listener)
        self._carriers = tuple(known for known in self._carriers if known != listener)

    def ring_here(self) -> None:
        """A ring that came from another process."""
        for listener in self._listeners:
            listener()

    def notify(self) -> None:
        self.ring_here()
        for carrier in self._carriers:
            carrier()


@cache
def of(model: type[Job]) -> Wakeup:
    """The bell for this kind of job."""
    return Wakeup()


def after_commit(model: type[Job]) -> None:
    """Ring once the caller's transaction is committed."""
    transaction.on_commit(of(model).notify, using=router.db_for_write(model))
