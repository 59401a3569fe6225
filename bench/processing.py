"""Events processed per second, by a handler that writes one row: `make bench`.

A backlog waits in the database before `hookline worker` starts. Measured is from the first settlement to the last, by
the database's clock. Beside it, for orientation: threads that do nothing but the handler's INSERT and its COMMIT.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from bench import report
from bench.backlog import HANDLER, Backlog
from bench.process import hookline
from bench.stand import database, set_up
from hookline.conf import Settings

THREADS = 4
#: Events per transaction, and processes.
SETTINGS = {
    "postgresql": ((1, 1), (1, 2), (10, 1), (10, 2), (50, 1), (50, 2)),
    "sqlite": ((1, 1), (10, 1), (50, 1)),  # one writer, so a second process would only wait
}
LEAST = 2000.0
#: EVENTS_PER_TRANSACTION where nobody sets it.
DEFAULT = Settings().EVENTS_PER_TRANSACTION


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="the backlog of one measurement")
    arguments = parser.parse_args()
    kind, count = arguments.database, arguments.events
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory):
        source, backlog = set_up(), Backlog()
        result = report.Report("processing", kind, {"backlog": f"{count:,} events", "threads in each process": THREADS})
        rates = {}
        for batch, processes in SETTINGS[kind]:
            backlog.clear()
            backlog.fill(source, count)
            environment = {**HANDLER, "HOOKLINE_EVENTS_PER_TRANSACTION": str(batch)}
            options = ("--only", "incoming", "--concurrency", str(THREADS), "--processes", str(processes))
            with hookline("worker", *options, environment=environment):
                backlog.wait(count, timeout=60 + count / 50)
            rates[batch, processes] = backlog.rate()
            name = f"{batch} per transaction, {processes} process{'es' if processes > 1 else ''}"
            result.row(name, rates[batch, processes], "events/s")
        threads = THREADS if kind == "postgresql" else 1
        alone = bare(threads, count)
        result.row(f"bare INSERT and COMMIT, {threads} thread{'s' if threads > 1 else ''}", alone, "events/s")
        result.aim("default settings, 1 process, against bare INSERT and COMMIT", rates[DEFAULT, 1] / alone, least=0.5)
        if kind == "postgresql":
            (batch, processes), rate = max(rates.items(), key=lambda item: item[1])
            result.aim(f"events/s, {batch} per transaction, {processes} processes", rate, least=LEAST)
        return result.finish(arguments)


def bare(threads: int, count: int) -> float:
    """Rows per second that threads insert and commit one by one, with nothing around it."""
    from django.db import connection

    from bench.handlers import INSERT

    def insert(rows: int) -> None:
        with connection.cursor() as cursor:
            for number in range(rows):
                cursor.execute(INSERT, [f"evt_{number}"])  # commits, since no transaction is open
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(insert, [count // threads] * threads))
    return count // threads * threads / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
