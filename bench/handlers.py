"""The user's code of the benchmarks, which HOOKLINE_APPS names: a handler that writes one row, and then may fail."""

from __future__ import annotations

import os
from zlib import crc32

from django.db import connection

import hookline
from hookline.incoming.models import Event

INSERT = "INSERT INTO bench_effect (event) VALUES (%s)"

#: The share of runs that fail, but for those that a retry of its last resort makes.
FAILING, LAST = float(os.environ.get("BENCH_FAILING", "0")), 5


@hookline.handler("stripe")
def take_effect(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event.provider_id])
    if (
        FAILING
        and event.attempts < LAST
        and crc32(f"{event.provider_id} {event.attempts}".encode()) % 1000 < FAILING * 1000
    ):
        raise ConnectionError("one of the runs that shall fail")
