"""How long an acknowledgement and an event take at a steady 1,000 events/s: `make bench`.

A real `hookline serve`, a handler that writes one row, and a worker, either in a process of its own or in the server's.
Requests start on schedule whatever became of earlier ones, and their time counts from the schedule. The lag is from
the event's row to its settlement, by the database's clock.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import report
from bench.backlog import HANDLER, Backlog
from bench.events import requests
from bench.load import percentile, send
from bench.process import hookline, server
from bench.stand import database, set_up

if TYPE_CHECKING:
    from hookline.incoming.models import Source

CONNECTIONS = 64
OWN, SERVER = "worker in a process of its own", "worker in the server"
#: Milliseconds for the acknowledgement, and seconds for the lag, which 99 of 100 events keep.
MOST_MS, MOST_LAG = 50.0, 1.0


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rate", type=float, default=1000, help="events per second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-transaction", type=int, default=10, help="EVENTS_PER_TRANSACTION")
    parser.add_argument("--worker", choices=("own", "server", "both"), default="both", help="the process it runs in")
    arguments = parser.parse_args()
    kind, count = arguments.database, round(arguments.rate * arguments.seconds)
    settings = {
        "rate": f"{arguments.rate:g}/s for {arguments.seconds:g} s",
        "connections": CONNECTIONS,
        "EVENTS_PER_TRANSACTION": arguments.per_transaction,
    }
    places = {"own": (OWN,), "server": (SERVER,), "both": (OWN, SERVER)}[arguments.worker]
    environment = {**HANDLER, "HOOKLINE_EVENTS_PER_TRANSACTION": str(arguments.per_transaction)}
    result = report.Report("latency", kind, settings)
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory):
        source, backlog = set_up(), Backlog()
        for place in places:
            backlog.clear()
            acknowledged = measure(source, backlog, place, environment, count=count, rate=arguments.rate)
            lags = backlog.lags()
            for name, values, unit, factor in (("acknowledged", acknowledged, "ms", 1000), ("lag", lags, "ms", 1000)):
                for share in (0.5, 0.99, 1.0):
                    label = f"p{share * 100:.0f}" if share < 1 else "longest"
                    result.row(f"{name}, {label}: {place}", percentile(values, share) * factor, unit)
            result.aim(
                f"p99 of the acknowledgement in ms, {place}", percentile(acknowledged, 0.99) * 1000, most=MOST_MS
            )
            result.aim(f"p99 of the lag in s, {place}", percentile(lags, 0.99), most=MOST_LAG)
        return result.finish(arguments)


def measure(
    source: Source, backlog: Backlog, place: str, environment: dict[str, str], *, count: int, rate: float
) -> list[float]:
    """Send `count` events on schedule, wait until all are processed; the seconds of each acknowledgement, in order."""
    prepared = list(requests(source, count))
    with ExitStack() as processes:
        if place == OWN:
            _, port = processes.enter_context(server("--no-worker"))
            processes.enter_context(hookline("worker", environment=environment)).wait_for("Hookline works")
        else:
            _, port = processes.enter_context(server(environment=environment))
        load = send(port, prepared, CONNECTIONS, rate).check()
        backlog.wait(count, timeout=60)
    return sorted(load.latencies)


if __name__ == "__main__":
    sys.exit(main())
