"""The memory of server and worker over many events: `make bench` (100,000), `make bench-long` (1,000,000).

`hookline serve --no-worker` and `hookline worker`, a handler that writes one row, events as fast as the server takes
them. The resident memory of each process is read twice a second. It is flat when the median of the last quarter is
that of the second quarter; the first may still fill caches.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import report
from bench.backlog import HANDLER, Backlog
from bench.events import requests
from bench.load import send
from bench.process import Process, hookline, server
from bench.stand import database, set_up

CONNECTIONS = 64
PER_TRANSACTION = 10
#: Seconds between two looks.
PAUSE = 0.5
#: Last quarter against the second; and MB for each process.
MOST_GROWTH, MOST_MB = 1.05, 250.0


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    arguments = parser.parse_args()
    kind, count = arguments.database, arguments.events
    result = report.Report("memory", kind, {"events": f"{count:,}", "EVENTS_PER_TRANSACTION": PER_TRANSACTION})
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory):
        source, backlog = set_up(), Backlog()
        environment = {**HANDLER, "HOOKLINE_EVENTS_PER_TRANSACTION": str(PER_TRANSACTION)}
        with server("--no-worker") as (serving, port), hookline("worker", environment=environment) as working:
            working.wait_for("Hookline works")
            with watched({"worker": working}) as in_worker:
                with watched({"server": serving}) as in_server:
                    send(port, requests(source, count), CONNECTIONS).check()
                backlog.wait(count, timeout=60 + count / 50)
        for name, seen in {**in_server, **in_worker}.items():
            quarter = len(seen) // 4
            second, last = statistics.median(seen[quarter : 2 * quarter]), statistics.median(seen[3 * quarter :])
            for label, figure in (("second quarter", second), ("last quarter", last), ("most", max(seen))):
                result.row(f"{name}, {label}", figure, "MB")
            result.aim(f"{name}: last quarter / second quarter", last / second, most=MOST_GROWTH)
            result.aim(f"{name}: most, in MB", max(seen), most=MOST_MB)
        return result.finish(arguments)


@contextmanager
def watched(processes: Mapping[str, Process]) -> Iterator[dict[str, list[float]]]:
    """Read the memory of processes until the block ends. By name, in MB."""
    seen: dict[str, list[float]] = {name: [] for name in processes}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(PAUSE):
            for name, process in processes.items():
                seen[name].append(process.resident)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        ended.set()
        watching.join()


if __name__ == "__main__":
    sys.exit(main())
