"""Whether a tenant whose answers take long delays the deliveries of others: `python -m bench.fairness`.

One worker. A quiet tenant publishes at a steady pace to an endpoint that answers at once; from each COMMIT to the
arrival is measured, in a database in which it is alone, and in a copy of it beside a tenant with a hundred thousand
deliveries waiting for 60 endpoints that all answer after 4 seconds. The two are measured in turn, in pairs, since what
else the machine does changes from minute to minute; the median of the pairs' ratios counts. Publishing, the worker and
the consumer are processes of their own.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
import uuid
from typing import Any

from bench import report
from bench.load import percentile
from bench.process import hookline
from bench.sink import SLOW, Sink, sink
from bench.stand import copied, database, set_up, within

ENVIRONMENT = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
#: By how much the quiet tenant's median may rise.
MOST = 1.2
ALONE, BESIDE = "alone", "beside the slow tenant"


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--waiting", type=int, default=100_000, help="deliveries that wait for the slow tenant")
    parser.add_argument("--endpoints", type=int, default=60, help="of the slow tenant")
    parser.add_argument("--rate", type=float, default=20, help="messages a second of the quiet tenant")
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement")
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    settings = {
        "slow tenant": f"{arguments.waiting:,} waiting, {arguments.endpoints} endpoints, answers after {SLOW:g} s",
        "measured": f"{arguments.pairs} pairs of {arguments.rate * arguments.seconds:g} messages each",
    }
    result = report.Report("fairness", arguments.database, settings)
    times: dict[str, list[list[float]]] = {ALONE: [], BESIDE: []}
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory),
        sink() as target,
    ):
        set_up()
        quiet = add_tenant("quiet", f"http://127.0.0.1:{target.port}/quick", 1)
        with copied("crowded") as crowded:
            with within(crowded):
                crowd = add_tenant("crowd", f"http://127.0.0.1:{target.port}/slow", arguments.endpoints)
                fill(crowd, arguments.waiting // arguments.endpoints)
            for number in range(arguments.pairs):
                # The first one of a pair has no advantage, if it is the other one every second time.
                for name in (ALONE, BESIDE) if number % 2 == 0 else (BESIDE, ALONE):
                    if name == ALONE:
                        found = measure(target, quiet, 0, arguments.rate, arguments.seconds)
                    else:
                        with within(crowded):
                            found = measure(target, quiet, 200, arguments.rate, arguments.seconds)
                    times[name].append(found)
        for name, measured in times.items():
            values = sorted(itertools.chain.from_iterable(measured))
            for label, share in (("median", 0.5), ("p99", 0.99)):
                result.row(f"{label} {name}", percentile(values, share) * 1000, "ms")
        pairs = zip(times[BESIDE], times[ALONE], strict=True)
        ratios = sorted(statistics.median(beside) / statistics.median(alone) for beside, alone in pairs)
        result.row("the lowest ratio of a pair's medians", ratios[0], "times")
        result.row("the highest", ratios[-1], "times")
        result.aim("median beside the slow tenant, of that alone", statistics.median(ratios), most=MOST)
        return result.finish(arguments)


def add_tenant(key: str, url: str, endpoints: int) -> Any:
    from hookline.audit.actor import SYSTEM
    from hookline.models import Endpoint, Tenant
    from hookline.operations import endpoints as operations

    tenant = Tenant.objects.create(key=key)
    for _ in range(endpoints):
        endpoint = operations.create(SYSTEM, "https://consumer.example.com/", tenant=tenant)
        Endpoint.objects.filter(pk=endpoint.pk).update(url=url)  # loopback, which only the worker may connect to
    return tenant


def fill(tenant: Any, messages: int) -> None:
    """Have so many messages wait for each endpoint."""
    from django.db import connection

    from hookline import dispatch_many

    for start in range(0, messages, 500):
        dispatch_many([("crowd.event", {"n": 0})] * min(500, messages - start), tenant=tenant)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # what waits for long was looked after by autovacuum, not just now


def measure(target: Sink, tenant: Any, slow: int, rate: float, seconds: float) -> list[float]:
    """Seconds from COMMIT to arrival, by a worker of its own that has `slow` requests under way before."""
    target.look()
    before = target.others.get("slow", 0)
    with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
        worker.wait_for("Hookline works")
        while target.others.get("slow", 0) < before + slow:
            time.sleep(0.1)
            target.look()
        # It opens its connections; and of the slow ones the first are answered, so that from here on all is as always.
        publish(target, tenant, rate, SLOW + 1 if slow else 2)
        return publish(target, tenant, rate, seconds)


def publish(target: Sink, tenant: Any, rate: float, seconds: float) -> list[float]:
    """Publish on schedule, wait until all arrived, and return the seconds from each COMMIT to its arrival."""
    from hookline import dispatch

    committed: dict[str, float] = {}
    begin = time.perf_counter()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        event = f"evt_{uuid.uuid4().hex}"
        dispatch("quiet.event", {"id": event}, tenant=tenant)
        committed[event] = time.perf_counter()
    arrived = target.wait(committed, 120)
    return [max(0.0, arrived[event] - moment) for event, moment in committed.items()]


if __name__ == "__main__":
    sys.exit(main())
