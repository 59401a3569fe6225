"""Events processed per second, by a handler that writes one row: `make bench`.

A backlog waits in the database before `hookline worker` starts. Measured is from the first settlement to the last, by
the database's clock. Beside it, for orientation: threads that do nothing but the handler's INSERT and its COMMIT.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from bench import report
from bench.effects import Effects
from bench.events import fill
from bench.handlers import APPS, INSERT
from bench.process import hookline
from bench.stand import database, set_up

if TYPE_CHECKING:
    from hookline.incoming.models import Source

THREADS = 4
#: Events per transaction.
MANY = 50
LEAST = 2000.0


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="the backlog of one measurement")
    arguments = parser.parse_args()
    kind, count = arguments.database, arguments.events
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory):
        source, effects = set_up(), Effects()
        result = report.Report("processing", kind, {"backlog": count, "threads per process": THREADS, "handler": INSERT})
        most = 0.0
        for batch in (1, 10, MANY):
            for processes in (1, 2) if kind == "postgresql" else (1,):
                rate = measure(source, effects, count, batch, processes)
                most = max(most, rate)
                result.row(f"{named(batch, 'event')} per transaction, {named(processes, 'process')}", rate, "events/s")
        result.row(f"bare: INSERT and COMMIT, {THREADS if kind == 'postgresql' else 1} threads", bare(kind, count // 2), "rows/s")
        if kind == "postgresql":
            result.aim("events/s", most, least=LEAST)
        return result.finish(arguments)
