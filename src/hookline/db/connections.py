"""Keeping a thread's connections to the database good, without asking the database before each piece of work."""

from __future__ import annotations

import threading
import time

from django.db import close_old_connections, connections

_thread = threading.local()


def look_after(every: float = 1.0) -> None:
    """Close those of this thread that are broken or too old, if the last look is more than `every` seconds ago.

    A look asks the database, which takes as long as a good part of a quick job, and what was used a moment ago is most
    likely still there. After an error the next call looks at once.
    """
    now = time.monotonic()
    failed = any(connection.errors_occurred for connection in connections.all(initialized_only=True))
    if failed or now - getattr(_thread, "looked", float("-inf")) >= every:
        close_old_connections()
        _thread.looked = now
