"""Verified, deduplicated and committed acknowledgements per second: `make bench`.

1 kB Stripe events over 64 connections, load generator and database on the same machine, fsync on. What counts are the
ratios: against a bare ASGI application that checks an HMAC and stores nothing, against the same server answering
without storing, and against the plain Django view with one INSERT for each request. The measurements take turns for
several rounds, and a ratio is the median of those within one round, so that a noisy moment does not decide.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from typing import TYPE_CHECKING

from bench import bare, report
from bench.events import requests
from bench.load import Load, send
from bench.process import port_of, running
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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(arguments.database, directory):
        source, count = set_up(), arguments.requests
        bares: list[float] = []
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
        return results(arguments.database, rounds, bares).finish(arguments)


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
    result.aim("stored / bare", statistics.median(shares), least=against_bare)
    result.aim("stored / answered without storing", ratio(EDGE, ANSWERING), least=stored)
    result.aim("edge / Django view", ratio(EDGE, VIEW), least=view)
    result.aim("duplicates / distinct events", ratio(SAME, EDGE), least=NOISE)
    return result


def measure(mode: str, source: Source, count: int, *, same: bool = False) -> Load:
    """Start a server, send `count` events, and check that each is answered 200 and, if it should be, stored once."""
    from hookline.incoming.models import Event

    prepared, warm_up = list(requests(source, count, same=same)), list(requests(source, 200))
    before = Event.objects.count()
    with running(sys.executable, "-m", "bench.ingest_server", mode) as server:
        port = port_of(server)
        send(port, warm_up, CONNECTIONS)
        load = send(port, prepared, CONNECTIONS).check()
    stored = Event.objects.count() - before
    assert stored == (0 if mode == "answering" else 200 + (1 if same else count)), f"{stored} events were stored"
    return load


if __name__ == "__main__":
    sys.exit(main())
