"""Ten thousand endpoints, some dead and some slow: how long the healthy ones wait: `python -m bench.crowd`.

1 % never answer, 5 % answer after 4 seconds, the rest at once. Tenants have 10 endpoints each and publish in turn, on
schedule; from each COMMIT to the arrival at each healthy endpoint is measured. One worker, with the deadline and the
retries that it has by default, so that what the dead ones hold is part of it.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from typing import Any

from bench import report
from bench.load import percentile
from bench.process import hookline
from bench.sink import SLOW, Sink, sink
from bench.stand import database, set_up

ENVIRONMENT = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
OF_A_TENANT = 10
#: Seconds at the 99th percentile of healthy endpoints.
MOST = 1.0


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--endpoints", type=int, default=10_000)
    parser.add_argument("--dead", type=float, default=0.01, help="share of the endpoints that never answer")
    parser.add_argument("--slow", type=float, default=0.05, help=f"share that answers after {SLOW:g} s")
    parser.add_argument("--rate", type=float, default=20, help="messages a second, each for 10 endpoints")
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    settings = {
        "endpoints": f"{arguments.endpoints:,}, {arguments.dead:.0%} dead, {arguments.slow:.0%} slow",
        "load": f"{arguments.rate * OF_A_TENANT:g} deliveries a second for {arguments.seconds:g} s",
    }
    result = report.Report("crowd", arguments.database, settings)
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory),
        sink() as target,
    ):
        set_up()
        tenants = add_tenants(arguments.endpoints, arguments.dead, arguments.slow, target.port)
        with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
            worker.wait_for("Hookline works")
            latencies(target, publish(tenants, arguments.rate, 3))  # connections are opened
            committed = publish(tenants, arguments.rate, arguments.seconds)
            times, missing = latencies(target, committed)
        result.row("median of healthy endpoints", percentile(times, 0.5) * 1000, "ms")
        result.row("p99 of healthy endpoints", percentile(times, 0.99) * 1000, "ms")
        result.row("the longest", times[-1] * 1000, "ms")
        result.row("healthy deliveries", len(times), "deliveries")
        for kind in ("slow", "dead"):
            result.row(f"requests to {kind} endpoints", target.others.get(kind, 0), "requests")
        result.aim("healthy deliveries that did not arrive", missing, most=0)
        result.aim("p99 of healthy endpoints, in seconds", percentile(times, 0.99), most=MOST)
        return result.finish(arguments)


def add_tenants(endpoints: int, dead: float, slow: float, port: int) -> list[tuple[Any, int]]:
    """The tenants, each with the number of its healthy endpoints; the others are spread over all of them."""
    from hookline.core.secrets import SecretRing
    from hookline.models import Endpoint, Tenant

    kinds = ["quick"] * endpoints
    for kind, share, first in (("dead", dead, 3), ("slow", slow, 7)):
        count = round(endpoints * share)
        for number in range(count):
            kinds[(first + number * endpoints // count) % endpoints] = kind
    made, rows = [], []
    for start in range(0, endpoints, OF_A_TENANT):
        tenant = Tenant.objects.create(key=f"tenant-{start}")
        numbers = range(start, min(start + OF_A_TENANT, endpoints))
        for number in numbers:
            row = Endpoint(tenant=tenant, url=f"http://127.0.0.1:{port}/{kinds[number]}/{number}")
            row.secrets = SecretRing.of("whsec_" + "c2VjcmV0IGZvciB0aGUgYmVuY2htYXJr")
            rows.append(row)
        made.append((tenant, sum(kinds[number] == "quick" for number in numbers)))
    Endpoint.objects.bulk_create(rows, batch_size=1000)
    return made


def publish(tenants: list[tuple[Any, int]], rate: float, seconds: float) -> dict[str, tuple[float, int]]:
    """Publish on schedule. Of each message: when it was committed, and how many healthy endpoints are to get it."""
    from hookline import dispatch

    committed: dict[str, tuple[float, int]] = {}
    begin = time.perf_counter()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        tenant, healthy = tenants[number * 7 % len(tenants)]
        event = f"evt_{uuid.uuid4().hex}"
        dispatch("crowd.event", {"id": event}, tenant=tenant)
        committed[event] = (time.perf_counter(), healthy)
    return committed


def latencies(target: Sink, committed: dict[str, tuple[float, int]]) -> tuple[list[float], int]:
    """Seconds from each COMMIT to each arrival, in order, and how many did not arrive within a minute."""
    end = time.monotonic() + 60
    while missing := sum(max(0, most - len(target.arrived.get(event, ()))) for event, (_, most) in committed.items()):
        if time.monotonic() > end:
            break
        time.sleep(0.2)
        target.look()
    times = [max(0.0, at - moment) for event, (moment, _) in committed.items() for at in target.arrived.get(event, ())]
    return sorted(times), missing


if __name__ == "__main__":
    sys.exit(main())
