"""What an event and a delivery cost PostgreSQL: bytes in tables and indexes, bytes of write-ahead log, processor time.

Rows go in through the code that writes them in production: events of 1 kB are verified, stored in groups, claimed and
settled; messages of 1 kB are dispatched to one endpoint, claimed, and their results recorded. A VACUUM after each tenth
stands for autovacuum. "grown" is what the tables then take; "packed" is the same after VACUUM FULL, without free space.

The log grows most right after a checkpoint, when each page that is touched is logged whole (full_page_writes); so some
more events are stored right after one. Processor time is that of the session's backend, in microseconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.table import Table

from bench.stand import database, set_up

if TYPE_CHECKING:
    from hookline.incoming.models import Source
    from hookline.incoming.receive.new_event import NewEvent
    from hookline.outgoing.deliver.attempt import Result
    from hookline.outgoing.models import Delivery

T = TypeVar("T")


@dataclass
class Cost:
    """Bytes of write-ahead log, and the backend's processor time in microseconds."""

    log: int = 0
    cpu: float = 0.0


Costs = defaultdict[str, Cost]

#: Events that share a COMMIT: what arrives at the edge while the one before is running.
GROUP = 20
#: Jobs for each claim, and results for each record.
BATCH = 100
#: What Stripe and the proxies on the way send along.
HEADERS = {
    "accept": "*/*; q=0.5, application/xml", "cache-control": "no-cache", "user-agent": "Stripe/1.0",
    "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-request-id": "5f9c2a1e7b3d4c6e8f0a1b2c3d4e5f60",
}  # fmt: skip
ANSWERED = {
    "content-type": ("text/plain",), "content-length": ("2",), "date": ("Tue, 01 Sep 2026 12:00:00 GMT",),
    "server": ("nginx",), "connection": ("keep-alive",),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="events, and as many deliveries")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database("postgresql", directory):
        source = set_up()
        costs: Costs = defaultdict(Cost)
        grow(rows, costs, lambda count: take_in(source, count, costs))
        grow(rows, costs, lambda count: send_out(count, costs))
        grown, indexes = sizes(), largest_indexes()
        execute("CHECKPOINT")
        few = max(rows // 100, GROUP)
        costing(costs, "store, right after a checkpoint", partial(store, source, few))
        execute("VACUUM FULL")
        show(rows, few, grown, sizes(), costs)
        show_indexes(rows, indexes)


def grow(rows: int, costs: Costs, write: Callable[[int], None]) -> None:
    for _ in range(10):
        write(rows // 10)
        costing(costs, "VACUUM", partial(execute, "VACUUM"))


def take_in(source: Source, count: int, costs: Costs) -> None:
    """Store, claim and settle events."""
    from hookline.engine.settle import settle
    from hookline.engine.settlement import Settlement

    costing(costs, "store", partial(store, source, count))
    for jobs in claimed("Event", costs):
        costing(costs, "settle", partial(settle, [(job, Settlement.succeed()) for job in jobs]))


def store(source: Source, count: int) -> None:
    from hookline.incoming.receive.store import store as commit

    for start in range(0, count, GROUP):
        group = [event(source) for _ in range(min(GROUP, count - start))]
        assert not any(stored.duplicate for stored in commit(group))


def event(source: Source) -> NewEvent:
    """What the edge makes of a genuine request whose body has 1 kB."""
    from hookline import providers
    from hookline.incoming.receive.documents import documents
    from hookline.incoming.receive.verification import verified

    provider, now = providers.get(source.provider), time.time()
    request = provider.compose("invoice.paid", f"evt_{uuid.uuid4().hex}", now, {"pad": "x" * 800})
    request = replace(request, headers={name: (value,) for name, value in HEADERS.items()} | dict(request.headers))
    request = provider.sign(request, source.config(now), now)
    (row,) = verified(request, source, now, documents.cached).events
    return row


def send_out(count: int, costs: Costs) -> None:
    """Dispatch, claim and record deliveries to one endpoint."""
    from hookline import dispatch_many
    from hookline.audit.actor import SYSTEM
    from hookline.operations import endpoints
    from hookline.outgoing.deliver.record import record
    from hookline.outgoing.models import Endpoint

    if not Endpoint.objects.exists():
        endpoints.create(SYSTEM, "https://hooks.example.com/webhooks")
    for start in range(0, count, BATCH):
        items = [("invoice.paid", {"id": uuid.uuid4().hex, "pad": "x" * 850}) for _ in range(min(BATCH, count - start))]
        costing(costs, "dispatch_many", partial(dispatch_many, items))
    for jobs in claimed("Delivery", costs):
        costing(costs, "record", partial(record, [result(job) for job in jobs]))


def result(delivery: Delivery) -> Result:
    from hookline.core.outcome import classify
    from hookline.core.retry import RetrySchedule
    from hookline.outgoing.deliver.admission import Loaded
    from hookline.outgoing.deliver.attempt import Result, decide
    from hookline.outgoing.deliver.load import outbound_of
    from hookline.outgoing.deliver.signers import Signers
    from hookline.transport.transport import Response

    response = Response(200, ANSWERED, b"ok", duration_ms=87)
    outcome = classify(response.status, response.error, None, time.time())
    (outbound,) = outbound_of([Loaded.of(delivery)], Signers(), time.time())
    return Result(outbound, response, outcome, decide(outbound, response, outcome, RetrySchedule(), time.time()))


def claimed(name: str, costs: Costs) -> Iterator[list[Any]]:
    """Batches of due jobs of a model, with the rows that its worker reads beside them, until there are none."""
    from django.apps import apps
    from django.db.models import Prefetch, prefetch_related_objects

    from hookline.engine.claim import claim
    from hookline.outgoing.models import Message

    model = apps.get_model("hookline", name)
    beside = ["source__tenant"] if name == "Event" else [Prefetch("message", Message.objects.only("body")), "endpoint"]

    def take() -> list[Any]:
        jobs = claim(model, BATCH, 60)
        prefetch_related_objects(jobs, *beside)
        return jobs

    while jobs := costing(costs, f"claim {name}", take):
        yield jobs


def costing(costs: Costs, step: str, work: Callable[[], T]) -> T:
    """Run a step and add what it cost."""
    log, cpu = log_written(), backend_cpu()
    done = work()
    cost = costs[step]
    cost.cpu += backend_cpu() - cpu
    cost.log += log_written() - log
    return done


def log_written() -> int:
    return execute("SELECT pg_current_wal_insert_lsn() - '0/0'")


def backend_cpu() -> float:
    # The kernel counts nanoseconds: https://docs.kernel.org/scheduler/sched-stats.html
    statistics = Path(f"/proc/{execute('SELECT pg_backend_pid()')}/schedstat").read_text()
    return int(statistics.split()[0]) / 1000


def execute(statement: str) -> int:
    """Run a statement; its first value, or 0."""
    rows = query(statement)
    return int(rows[0][0]) if rows else 0


def query(statement: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def sizes() -> dict[str, tuple[int, int]]:
    """Bytes of each table with its TOAST, and of its indexes."""
    return {
        name: (
            execute(f"SELECT pg_table_size('hookline_{name}')"),
            execute(f"SELECT pg_indexes_size('hookline_{name}')"),
        )
        for name in ("event", "message", "delivery", "attempt")
    }


def largest_indexes() -> list[tuple[str, int]]:
    """Those of more than a page or two, with their bytes."""
    return query(
        "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes "
        "WHERE relname LIKE 'hookline_%' AND pg_relation_size(indexrelid) > 65536 ORDER BY 2 DESC"
    )


def show(
    rows: int, few: int, grown: dict[str, tuple[int, int]], packed: dict[str, tuple[int, int]], costs: Costs
) -> None:
    disk = Table("bytes for each row", "table", "indexes", "grown", "packed")
    for name, (table, indexes) in grown.items():
        small = sum(packed[name]) / (rows + few if name == "event" else rows)
        figures = (table / rows, indexes / rows, (table + indexes) / rows, small)
        disk.add_row(name, *(f"{figure:,.0f}" for figure in figures))
    steps = Table("for each row", "bytes of log", "backend CPU µs")
    for step, cost in costs.items():
        number = few if "checkpoint" in step else rows
        steps.add_row(step, f"{cost.log / number:,.0f}", f"{cost.cpu / number:,.0f}")
    console = Console(width=100)
    console.print(disk)
    console.print(steps)


def show_indexes(rows: int, indexes: list[tuple[str, int]]) -> None:
    table = Table("largest indexes", "grown, bytes for each row")
    for name, size in indexes:
        table.add_row(name, f"{size / rows:,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
