"""Looking at the database in a process of its own, while this one still loads modules."""

from __future__ import annotations

import os
from collections.abc import Callable

from django.db import connections, router

from hookline.models import Event


def is_prepared() -> Callable[[], bool]:
    """Begin to look whether the database is up to date, and its secrets can be read with the keys at hand.

    The calling process must have no threads and no connections. Returns what waits for the answer. False: look
    again, here, where what is wrong can be said and mended. On SQLite nothing is looked at, and the answer is False:
    there it takes less time than the process would.
    """
    if connections[router.db_for_write(Event)].vendor == "sqlite":
        return lambda: False
    looking = os.fork()
    if looking:
        return lambda: os.waitpid(looking, 0)[1] == 0
    code = 1
    try:
        for stream in (1, 2):  # whatever it says would be said twice
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        _look()
        code = 0
    finally:
        os._exit(code)


def _look() -> None:
    from hookline.db import schema  # loaded in the new process alone
    from hookline.operations import secrets  # as above

    schema.require()
    secrets.require_keys()
