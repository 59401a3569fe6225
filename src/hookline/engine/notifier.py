"""Notifier: tells subscribers that there may be something to claim."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.db import router, transaction

from hookline.engine.job import Job

#: Called in whichever thread the notification comes from.
Subscriber = Callable[[], None]


class Notifier:
    """Notifications about one kind of job. Workers of this process subscribe, and relays carry them to other processes.

    A notification is only a hint: polling covers what is lost, so a subscriber may ignore one, and must not raise.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[Subscriber, ...] = ()
        self._watchers: tuple[Subscriber, ...] = ()
        self._relays: tuple[Subscriber, ...] = ()
        #: Those that carry to processes that are given jobs.
        self._relays_to_siblings: tuple[Subscriber, ...] = ()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` when there may be something to claim."""
        self._subscribers = (*self._subscribers, subscriber)

    def watch(self, watcher: Subscriber) -> None:
        """The same for who claims nothing, and waits for the jobs themselves: also when those are given to a worker."""
        self._watchers = (*self._watchers, watcher)

    def relay(self, carry: Subscriber, *, to_siblings: bool = False) -> None:
        """Call `carry` for each notification that began in this process.

        `to_siblings`: to processes that need none for what they are given (see `engine.giving`).
        """
        if to_siblings:
            self._relays_to_siblings = (*self._relays_to_siblings, carry)
        else:
            self._relays = (*self._relays, carry)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """The reverse of `subscribe`, `watch` and `relay`."""
        for kind in ("_subscribers", "_watchers", "_relays", "_relays_to_siblings"):
            setattr(self, kind, tuple(known for known in getattr(self, kind) if known != subscriber))

    def notify_here(self) -> None:
        """A notification that came from another process."""
        _call(self._subscribers)
        _call(self._watchers)

    def notify(self) -> None:
        """A notification that begins in this process."""
        self.notify_here()
        _call(self._relays_to_siblings)
        _call(self._relays)

    def notify_given(self, *, elsewhere: bool = False) -> None:
        """Jobs were made that nobody has to claim. `elsewhere`: those who watch in other processes are told, too."""
        _call(self._watchers)
        if elsewhere:
            _call(self._relays)


def _call(subscribers: tuple[Subscriber, ...]) -> None:
    for subscriber in subscribers:
        subscriber()


@cache
def of(model: type[Job]) -> Notifier:
    """The notifier of this kind of job."""
    return Notifier()


def notify_after_commit(model: type[Job]) -> None:
    """Notify once the caller's transaction is committed."""
    transaction.on_commit(of(model).notify, using=router.db_for_write(model))
