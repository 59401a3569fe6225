"""From `dispatch_many()` to the recorded 200, per second, in one process: `make bench`.

A process calls `dispatch_many()` for thousands of messages and sends them with a worker at the same time. The clock
runs from the first call until the database has the last delivery as succeeded. It is held against a bare aiohttp loop
that posts the same bytes with the same signature to the same consumer over as many connections, and neither reads nor
writes a database. Both are measured in turn, and the medians compared.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.consumer import consumer
from bench.ingest import database
from hookline.core.standard_webhooks import Signer

#: Messages for each call of `dispatch_many()`.
BATCH = 500
#: All on one consumer. As many as fill DELIVERY_CONCURRENCY with DELIVERY_CONCURRENCY_PER_ENDPOINT of each.
ENDPOINTS = 4
DATA = {"order": 4711, "total": "20.00", "pad": "x" * 850}
SECRET = "whsec_" + "c2VjcmV0IGZvciB0aGUgYmVuY2htYXJr"
#: What the ratio is to reach.
AIM = 0.6
#: Endpoints that want the same message, and within how many seconds their deliveries are to be stored.
FAN_OUT, FAN_OUT_AIM = 10_000, 1.0


@dataclass
class Rates:
    """Deliveries per second of each round."""

    bare: list[float] = field(default_factory=list)
    hookline: list[float] = field(default_factory=list)
    dispatching: list[float] = field(default_factory=list)
    delivering: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory),
        consumer() as port,
    ):
        body = set_up(f"http://127.0.0.1:{port}/hook")
        rates = Rates()
        dispatch_and_deliver(BATCH)
        for _ in range(arguments.rounds):
            rates.bare.append(post_bare(f"http://127.0.0.1:{port}/hook", body, arguments.messages))
            rates.hookline.append(dispatch_and_deliver(arguments.messages))
            rates.dispatching.append(dispatch_all(arguments.messages))
            rates.delivering.append(deliver_backlog(arguments.messages))
    show(arguments.database, rates)


def set_up(url: str) -> bytes:
    """A migrated database with its endpoints. Returns the body of one message."""
    import os

    import django

    os.environ["HOOKLINE_ALLOWED_SUBNETS"] = "127.0.0.0/8"
    django.setup()
    from django.core.management import call_command

    from hookline import dispatch
    from hookline.outgoing import endpoints

    call_command("migrate", verbosity=0)
    body = bytes(dispatch("order.paid", DATA).body)
    for number in range(ENDPOINTS):
        endpoints.create(f"{url}/{number}", secret=SECRET, event_types=[f"order.{number}"])
    return body


def post_bare(url: str, body: bytes, count: int) -> float:
    """What a loop over aiohttp does, with the signature made for each request as it must be."""
    from hookline import conf
    from hookline.outgoing.sender import new_event_loop

    async def post_all() -> float:
        todo = iter(range(count))
        connections = conf.get().DELIVERY_CONCURRENCY
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
            started = time.perf_counter()
            await asyncio.gather(*(post_some(session, todo) for _ in range(connections)))
            return count / (time.perf_counter() - started)

    async def post_some(session: aiohttp.ClientSession, todo: object) -> None:
        signer = Signer([SECRET])
        for number in todo:  # type: ignore[attr-defined]
            headers = signer.headers(f"msg_{number:022}", int(time.time()), body)
            headers["content-type"] = "application/json"
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()
                assert response.status == 200

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(post_all())


def dispatch_and_deliver(count: int) -> float:
    """Dispatch and send at the same time."""
    with sending():
        started = now()
        dispatch_all(count)
        return count / (delivered_at() - started)


def deliver_backlog(count: int) -> float:
    """Send what is there already."""
    started = now()
    with sending():
        return count / (delivered_at() - started)


@contextmanager
def sending() -> Iterator[None]:
    """Run the part of `hookline worker` that sends."""
    from hookline import conf
    from hookline.cli.fleet import Fleet

    fleet = Fleet(conf.get(), only="outgoing")
    fleet.start()
    try:
        yield
    finally:
        fleet.stop()


def dispatch_all(count: int) -> float:
    from hookline import dispatch_many

    started = time.perf_counter()
    for start in range(0, count, BATCH):
        dispatch_many([(f"order.{number % ENDPOINTS}", DATA) for number in range(start, min(start + BATCH, count))])
    return count / (time.perf_counter() - started)


def now() -> float:
    """Unix time by the database's clock."""
    from hookline.engine import clock
    from hookline.models import Delivery

    return clock.now(Delivery)


def delivered_at() -> float:
    """Wait until every delivery is recorded as succeeded, and return when the last one was, by the database's clock.

    Raises AssertionError if one is not.
    """
    from django.db.models import Max

    from hookline.engine.job import State
    from hookline.models import Attempt, Delivery

    end = time.monotonic() + 300
    while Delivery.objects.filter(state__in=[State.PENDING, State.RUNNING]).exists():
        assert time.monotonic() < end, "the deliveries were not finished within 300 seconds"
        time.sleep(0.1)
    assert not Delivery.objects.exclude(state=State.SUCCEEDED).exists()
    assert not Attempt.objects.exclude(status=200).exists()
    last = Delivery.objects.aggregate(last=Max("finished_at"))["last"]
    assert last is not None
    return float(last.timestamp())


def show(kind: str, rates: Rates) -> None:
    bare = statistics.median(rates.bare)
    table = Table(kind, "per second", "of the bare loop", "rounds")
    for name, found in (
        ("a bare aiohttp loop", rates.bare),
        ("dispatch_many() and deliver at once", rates.hookline),
        ("dispatch_many() alone", rates.dispatching),
        ("deliver what waits", rates.delivering),
    ):
        middle = statistics.median(found)
        table.add_row(name, f"{middle:,.0f}", f"{middle / bare:.2f}", " ".join(f"{rate:,.0f}" for rate in found))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
