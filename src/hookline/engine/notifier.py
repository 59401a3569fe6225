"""Notifier: tells subscribers that there may be something to claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from uuid import UUID

from django.db import router, transaction

from hookline.engine.job import Job

#: A notification names jobs only where they are at most so many: more are claimed together just as fast.
MOST_NAMED = 16

#: Gets the ids of jobs that were just committed, and returns whether they are claimed now, without a search.
ClaimsNamed = Callable[[Sequence[UUID]], bool]


class Notifier:
    """Notifications about one kind of job. Workers of this process subscribe, and relays carry them to other processes.

    A notification is only a hint: polling covers what is lost, so a subscriber may ignore one, and must not raise.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[Callable[[], None], ClaimsNamed | None], ...] = ()
        self._relays: tuple[Callable[[Sequence[UUID]], None], ...] = ()

    def subscribe(self, subscriber: Callable[[], None], taker: ClaimsNamed | None = None) -> None:
        """Call `subscriber`, in whichever thread the notification comes from.

        If that names jobs its `taker` is called instead, and `subscriber` only if that does not take them.
        """
        self._subscribers = (*self._subscribers, (subscriber, taker))

    def relay(self, carry: Callable[[Sequence[UUID]], None]) -> None:
        """Call `carry` with the names in it for each notification that began in this process, and was not taken."""
        self._relays = (*self._relays, carry)

    def unsubscribe(self, subscriber: Callable[..., object]) -> None:
        """The reverse of `subscribe` and of `relay`."""
        self._subscribers = tuple(known for known in self._subscribers if known[0] != subscriber)
        self._relays = tuple(known for known in self._relays if known != subscriber)

    def notify_here(self, named: Sequence[UUID] = ()) -> bool:
        """A notification that came from another process. Returns whether a worker takes what it names."""
        taken = False
        for subscriber, take in self._subscribers:
            if named and take is not None and not taken and take(named):
                taken = True
            else:
                subscriber()  # others may wait for the event itself, as a poll does
        return taken

    def notify(self, made: Sequence[UUID] = ()) -> None:
        """A notification that begins in this process. `made`: the jobs, where those are all that it is about."""
        named = made if len(made) <= MOST_NAMED else ()
        if self.notify_here(named):
            return
        for carry in self._relays:
            carry(named)


@cache
def of(model: type[Job]) -> Notifier:
    """The notifier of this kind of job."""
    return Notifier()


def notify_after_commit(model: type[Job], made: Sequence[UUID] = ()) -> None:
    """Notify once the caller's transaction is committed. `made`: the jobs, where those are all that it is about."""
    transaction.on_commit(partial(of(model).notify, made), using=router.db_for_write(model))
