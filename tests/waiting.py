"""Waiting for something that another thread or process does. Tests never sleep for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout: float = 10, message: str = "") -> T:
    """Call `predicate` until what it returns is true, and return that.

    After `timeout` seconds: AssertionError with the message and what the predicate returned last.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            what = message or getattr(predicate, "__qualname__", repr(predicate))
            raise AssertionError(f"waited {timeout} s in vain: {what} (last: {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return value


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for a lock that this one has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])
