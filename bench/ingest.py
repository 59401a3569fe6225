"""Verified, deduplicated and committed acknowledgements per second: `make bench`.

1 kB Stripe events over 64 connections, load generator and database on the same machine, fsync on. What counts are the
ratios: against a bare ASGI application that checks an HMAC and stores nothing, against the same server answering
without storing, and against the plain Django view with one INSERT for each request. The measurements take turns for
several rounds, and a ratio is the median of those within one round, so that a noisy moment does not decide.

The aim holds one server process against one process of the bare application. On PostgreSQL as many server processes as
there are cores are measured, too, and held against one bare process and against as many. On SQLite, whose one write
lock they would pass to each other, several are slower than one.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from typing import TYPE_CHECKING

from bench import bare, report
from bench.events import requests
from bench.load import Load, send
from bench.process import port_of, running, server
from bench.stand import database, set_up

if TYPE_CHECKING:
    from hookline.incoming.models import Source

CONNECTIONS = 64
ANSWERING, EDGE, SAME, VIEW = (
    "the same server answering without storing",
    "the ASGI edge: group commit",
    "the ASGI edge, the same event each time",
    "the Django view: one INSERT each, 10 threads",
)
#: Stored against the bare application; against answered without storing; and edge against view.
AIMS = {"postgresql": (0.45, 0.5, 5.0), "sqlite": (0.4, 0.35, 4.0)}
#: A duplicate may take longer than a distinct event only by what two runs of the same thing differ.
NOISE = 0.95


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="in one measurement; the view gets a tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="where several answer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(arguments.database, directory):
        source, count, processes = set_up(), arguments.requests, arguments.processes
        bares: list[float] = []
        several: list[tuple[Load, float]] = []
        rounds: list[dict[str, Load]] = []
        for _ in range(arguments.rounds):
            bares.append(bare.rate(list(requests(source, count)), CONNECTIONS))
            rounds.append(
                {
                    ANSWERING: measure("answering", source, count),
                    EDGE: measure("edge", source, count),
                    SAME: measure("edge", source, count, same=True),
                    VIEW: measure("view", source, max(count // 10, 500)),
                }
            )
            if arguments.database == "postgresql" and processes > 1:
                load = measure_serve(source, count, processes)
                several.append((load, bare.rate(list(requests(source, count)), CONNECTIONS, processes)))
        result = results(arguments.database, rounds, bares)
        if several:
            results_of_several(result, processes, several, bares)
        return result.finish(arguments)


def results_of_several(
    result: report.Report, processes: int, several: list[tuple[Load, float]], bares: list[float]
) -> None:
    """`several`: what so many processes stored, and as many of the bare application answered, in each round."""
    name, name_of_bare = f"hookline serve --no-worker --processes {processes}", f"{processes} bare processes"
    result.row(name, statistics.median(load.rate for load, _ in several), "events/s")
    result.row(name_of_bare, statistics.median(rate for _, rate in several), "requests/s")
    of_one = [load.rate / rate for (load, _), rate in zip(several, bares, strict=True)]
    result.row(f"{name}, of one bare process", statistics.median(of_one), "")
    result.row(f"{name}, of {name_of_bare}", statistics.median(load.rate / rate for load, rate in several), "")


def results(kind: str, rounds: list[dict[str, Load]], bares: list[float]) -> report.Report:
    result = report.Report(
        "ingest", kind, {"connections": CONNECTIONS, "rounds": len(rounds), "server processes": 1, "body": "1 kB"}
    )
    result.row("a bare ASGI application that stores nothing", statistics.median(bares), "requests/s")
    for name in (ANSWERING, EDGE, SAME, VIEW):
        result.row(name, statistics.median(loads[name].rate for loads in rounds), "events/s")
    for share in (0.5, 0.99):
        of_rounds = [loads[EDGE].percentile(share) for loads in rounds]
        result.row(f"{EDGE}, p{share * 100:.0f}", statistics.median(of_rounds) * 1000, "ms")

    def ratio(name: str, base: str) -> float:
        return statistics.median(loads[name].rate / loads[base].rate for loads in rounds)

    against_bare, stored, view = AIMS[kind]
    shares = [loads[EDGE].rate / rate for loads, rate in zip(rounds, bares, strict=True)]
    result.aim("stored / bare, one process each", statistics.median(shares), least=against_bare)
    result.aim("stored / answered without storing", ratio(EDGE, ANSWERING), least=stored)
    result.aim("edge / Django view", ratio(EDGE, VIEW), least=view)
    result.aim("duplicates / distinct events", ratio(SAME, EDGE), least=NOISE)
    return result


def measure(mode: str, source: Source, count: int, *, same: bool = False) -> Load:
    """Start a server, send `count` events, and check that each is answered 200 and, if it should be, stored once."""
    with running(sys.executable, "-m", "bench.ingest_server", mode) as process:
        stored = 0 if mode == "answering" else 200 + (1 if same else count)
        return sent(port_of(process), source, count, stored, same=same)


def measure_serve(source: Source, count: int, processes: int) -> Load:
    """The same of the command as somebody runs it for whom one process cannot acknowledge enough."""
    with server("--no-worker", "--processes", str(processes)) as (_, port):
        return sent(port, source, count, 200 + count)


def sent(port: int, source: Source, count: int, stored: int, *, same: bool = False) -> Load:
    """Send `count` events after 200 others, of which so many in all must be stored then."""
    from hookline.incoming.models import Event

    prepared, warm_up = list(requests(source, count, same=same)), list(requests(source, 200))
    before = Event.objects.count()
    send(port, warm_up, CONNECTIONS)
    load = send(port, prepared, CONNECTIONS).check()
    found = Event.objects.count() - before
    assert found == stored, f"{found} events were stored"
    return load


if __name__ == "__main__":
    sys.exit(main())
