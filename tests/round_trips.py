"""How often a client waits for PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection


def round_trips(work: Callable[[], object], trace: Path) -> int:
    """How many times the client waited for the server, by libpq's own record of what it sent."""
    connection.ensure_connection()
    pgconn: Any = connection.connection.pgconn
    with trace.open("w") as file:
        pgconn.trace(file.fileno())
        try:
            work()
        finally:
            pgconn.untrace()
    # Each ends with Sync in the extended protocol, and is one Query in the simple one.
    return len(re.findall(r"\tF\t\d+\t(?:Sync|Query)\b", trace.read_text()))
