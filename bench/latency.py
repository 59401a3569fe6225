"""How long an acknowledgement and an event take at a steady 1,000 events/s, all of which are processed: `make bench`.

A real `hookline serve`, a handler that writes one row, and a worker, either in a process of its own or in the server's.
Requests start on schedule whatever became of earlier ones, and their time counts from the schedule. The lag is from
the event's row to its settlement, by the database's clock. Each event must be answered 200, succeed, and have one row.
On PostgreSQL no statement may wait for another's lock for longer than `lock_waits.MOST`.

With `--failing 0.3`, that share of all runs of the handler fails once its row is written, and is retried with a
second's back-off, five times at the most; what counts then is how long after the last acknowledgement all is done.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import report
from bench.backlog import HANDLER, Backlog
from bench.events import requests
from bench.load import percentile, send
from bench.lock_waits import MOST, SETTINGS, LockWaits
from bench.process import hookline, server
from bench.stand import database, set_up

if TYPE_CHECKING:
    from hookline.incoming.models import Source

CONNECTIONS = 64
OWN, SERVER = "worker in a process of its own", "worker in the server"
#: Milliseconds for the acknowledgement, and seconds for the lag, which 99 of 100 events keep.
MOST_MS, MOST_LAG = 50.0, 1.0
#: Seconds in which all is done after the last acknowledgement, where runs fail.
MOST_DRAIN = 120.0
#: With `--failing`: enough retries that no event is dead, a second apart.
RETRIES = {"HOOKLINE_EVENT_RETRY_DELAYS": "1,1,1,1,1", "HOOKLINE_RETRY_JITTER": "0"}


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rate", type=float, default=1000, help="events per second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-transaction", type=int, default=10, help="EVENTS_PER_TRANSACTION")
    parser.add_argument("--worker", choices=("own", "server", "both"), default="both", help="the process it runs in")
    parser.add_argument("--failing", type=float, default=0.0, help="the share of the handler's runs that fail")
    arguments = parser.parse_args()
    kind, count, failing = arguments.database, round(arguments.rate * arguments.seconds), arguments.failing
    settings = {
        "rate": f"{arguments.rate:g}/s for {arguments.seconds:g} s",
        "connections": CONNECTIONS,
        "EVENTS_PER_TRANSACTION": arguments.per_transaction,
        **({"runs that fail": f"{failing:.0%}"} if failing else {}),
    }
    places = {"own": (OWN,), "server": (SERVER,), "both": (OWN, SERVER)}[arguments.worker]
    environment = {**HANDLER, "HOOKLINE_EVENTS_PER_TRANSACTION": str(arguments.per_transaction)}
    environment |= {**RETRIES, "BENCH_FAILING": str(failing)} if failing else {}
    result = report.Report("failures" if failing else "latency", kind, settings)
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory, SETTINGS):
        source, backlog = set_up(), Backlog()
        for place in places:
            backlog.clear()
            with LockWaits(kind) as waits:
                acknowledged, drain = measure(
                    source, backlog, place, environment, count=count, rate=arguments.rate, patience=MOST_DRAIN * 2
                )
            lags = backlog.lags()
            for name, values in (("acknowledged", acknowledged), ("lag", lags)):
                for share in (0.5, 0.99, 1.0):
                    label = f"p{share * 100:.0f}" if share < 1 else "longest"
                    result.row(f"{name}, {label}: {place}", percentile(values, share) * 1000, "ms")
            if failing:
                result.row(f"runs of the handler that failed: {place}", backlog.retries(), "runs")
                result.aim(f"seconds from the last acknowledgement until all is done, {place}", drain, most=MOST_DRAIN)
            else:
                result.aim(
                    f"p99 of the acknowledgement in ms, {place}", percentile(acknowledged, 0.99) * 1000, most=MOST_MS
                )
                result.aim(f"p99 of the lag in s, {place}", percentile(lags, 0.99), most=MOST_LAG)
            if waits.watches:
                result.row(f"longest wait for a lock that was seen: {place}", waits.longest * 1000, "ms")
                for line in waits.too_long:
                    print(line, file=sys.stderr)
                too_long = f"statements that waited for a lock for more than {MOST:g} s, or met a deadlock, {place}"
                result.aim(too_long, len(waits.too_long), most=0)
        return result.finish(arguments)


def measure(
    source: Source,
    backlog: Backlog,
    place: str,
    environment: dict[str, str],
    *,
    count: int,
    rate: float,
    patience: float,
) -> tuple[list[float], float]:
    """Send `count` events on schedule, and wait until all are processed.

    Returns the seconds of each acknowledgement, in order, and those from the last one until all was done.
    """
    prepared = list(requests(source, count))
    with ExitStack() as processes:
        if place == OWN:
            _, port = processes.enter_context(server("--no-worker"))
            processes.enter_context(hookline("worker", environment=environment)).wait_for("Hookline works")
        else:
            _, port = processes.enter_context(server(environment=environment))
        load = send(port, prepared, CONNECTIONS, rate).check()
        began = time.monotonic()
        backlog.wait(count, timeout=patience)
        drain = time.monotonic() - began
    return sorted(load.latencies), drain


if __name__ == "__main__":
    sys.exit(main())
