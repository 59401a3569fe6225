"""Keeping a thread's connections to the database good, without asking the database before each piece of work."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

A = TypeVar("A")
R = TypeVar("R")

#: Seconds between two looks that ask the database.
EVERY = 1.0

_thread = threading.local()


def look_after() -> None:
    """Close those of this thread that are broken or too old, if the last look is more than `EVERY` seconds ago.

    A look asks the database, which takes as long as a good part of a quick job, and what was used a moment ago is most
    likely still there. After an error, or when the database has closed a connection, the next call looks at once.
    """
    now = time.monotonic()
    unsure = any(
        connection.errors_occurred or _has_news(connection) for connection in connections.all(initialized_only=True)
    )
    if unsure or now - getattr(_thread, "looked", float("-inf")) >= EVERY:
        close_old_connections()
        _thread.looked = now


def _has_news(connection: BaseDatabaseWrapper) -> bool:
    """Whether PostgreSQL has said something that nobody asked for, such as that it closes the connection."""
    raw: Any = connection.connection
    if raw is None or connection.vendor != "postgresql":
        return False
    if raw.closed:
        return True
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def afresh(work: Callable[[A], R]) -> Callable[[A], R]:
    """`work`, before which a connection of its thread that has become unusable is closed."""

    def with_usable_connections(argument: A) -> R:
        look_after()
        return work(argument)

    return with_usable_connections
