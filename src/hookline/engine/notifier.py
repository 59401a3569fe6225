"""Notifier: tells subscribers that there may be something to claim."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.db import router, transaction

from hookline.engine.job import Job


class Notifier:
    """Notifications about one kind of job. Workers of this process subscribe, and relays carry them to other processes.

    A notification is only a hint: polling covers what is lost, so a subscriber may ignore one, and must not raise.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[[], None], ...] = ()
        self._relays: tuple[Callable[[], None], ...] = ()

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Call `subscriber`, in whichever thread the notification comes from."""
        self._subscribers = (*self._subscribers, subscriber)

    def relay(self, carry: Callable[[], None]) -> None:
        """Call `carry` for each notification that began in this process."""
        self._relays = (*self._relays, carry)

    def unsubscribe(self, subscriber: Callable[[], None]) -> None:
        """The reverse of `subscribe` and `relay`."""
        self._subscribers = tuple(known for known in self._subscribers if known != subscriber)
        self._relays = tuple(known for known in self._relays if known != subscriber)

    def notify_here(self) -> None:
        """A notification that came from another process."""
        for subscriber in self._subscribers:
            subscriber()

    def notify(self) -> None:
        self.notify_here()
        for carry in self._relays:
            carry()


@cache
def of(model: type[Job]) -> Notifier:
    """The notifier of this kind of job."""
    return Notifier()


def notify_after_commit(model: type[Job]) -> None:
    """Notify once the caller's transaction is committed."""
    transaction.on_commit(of(model).notify, using=router.db_for_write(model))
