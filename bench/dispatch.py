"""From `dispatch_many()` to the recorded 200, per second, with one process that sends: `make bench`.

An application calls `dispatch_many()` for thousands of messages, and one `hookline worker` sends them at the same time.
The clock runs from the first call until the database has the last delivery as succeeded. It is held against a bare
aiohttp loop that posts the same bytes with the same signature to the same consumer over as many connections, and
neither reads nor writes a database. Both are measured in turn, and the medians compared. The same with application and
worker in one process, and each of them alone, are shown beside it. `dispatch()` by itself, each call in a transaction
of its own, is held against bare INSERTs of the same two rows. Then one message fans out to 10,000 endpoints.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import uvloop

from bench import report
from bench.consumer import consumer
from bench.process import hookline
from bench.stand import database, set_up
from hookline.core.signatures.standard_webhooks import Signer

#: Messages for each call of `dispatch_many()`.
BATCH = 500
#: All on one consumer: as many as fill DELIVERY_CONCURRENCY with DELIVERY_CONCURRENCY_PER_ENDPOINT of each.
ENDPOINTS = 4
#: A message of about 1 kB.
DATA = {"order": 4711, "total": "20.00", "pad": "x" * 850}
SECRET = "whsec_" + "c2VjcmV0IGZvciB0aGUgYmVuY2htYXJr"

BARE = "a bare aiohttp loop"
BOTH = "dispatch_many(), and a worker that sends"
TOGETHER = "the same in one process"
DISPATCHING = "dispatch_many() alone"
ONE_BY_ONE = "dispatch(), each in a transaction of its own"
BARE_ROWS = "bare INSERTs of a message and a delivery, and COMMIT"
DELIVERING = "deliver what waits"
FANNED = "deliver one message to each of many endpoints"
BESIDE = "dispatch_many() to the same worker, in turn with that"
#: Whose endpoints they are: those of the others are not looked through for each message.
MANY = "many"


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--endpoints", type=int, default=10_000, help="how many one message fans out to; 0 leaves it out"
    )
    arguments = parser.parse_args()
    kind, count, fan_out = arguments.database, arguments.messages, arguments.endpoints
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(kind, directory),
        consumer() as port,
    ):
        url = f"http://127.0.0.1:{port}"
        body = prepare(url)
        rates: dict[str, list[float]] = defaultdict(list)
        dispatch_and_deliver(BATCH)
        for _ in range(arguments.rounds):
            rates[BARE].append(post_bare(url, body, count))
            with hookline("worker", "--only", "outgoing") as worker:
                worker.wait_for("Hookline works")
                rates[BOTH].append(dispatch_and_wait(count))
            rates[TOGETHER].append(dispatch_and_deliver(count))
            rates[DISPATCHING].append(dispatch_all(count))
            rates[DELIVERING].append(deliver_waiting(count))
            rates[BARE_ROWS].append(insert_bare(body, count // 10))
            rates[ONE_BY_ONE].append(dispatch_one_by_one(count // 10))
            deliver_waiting(count // 10)
        result = report.Report(
            "dispatch", kind, {"messages": f"{count:,} of {len(body)} bytes", "rounds": arguments.rounds}
        )
        for name in (BARE, BOTH, TOGETHER, DISPATCHING, DELIVERING, BARE_ROWS, ONE_BY_ONE):
            result.row(name, statistics.median(rates[name]), "deliveries/s")
        ratio = statistics.median(rates[BOTH]) / statistics.median(rates[BARE])
        result.aim("dispatch and deliver / the bare loop", ratio, least=0.6)
        ratio = statistics.median(rates[ONE_BY_ONE]) / statistics.median(rates[BARE_ROWS])
        result.aim("dispatch() / bare INSERTs", ratio, least=0.8)
        if fan_out:
            make_endpoints(url, fan_out)
            stored: list[float] = []
            with hookline("worker", "--only", "outgoing") as worker:
                worker.wait_for("Hookline works")
                fan(fan_out)  # a worker that runs has met its endpoints before
                for _ in range(arguments.rounds):
                    seconds, rate = fan(fan_out)
                    stored.append(seconds)
                    rates[FANNED].append(rate)
                    rates[BESIDE].append(dispatch_and_wait(fan_out))
            result.row(f"{FANNED} ({fan_out:,})", statistics.median(rates[FANNED]), "deliveries/s")
            result.row(f"{BESIDE} ({fan_out:,} messages)", statistics.median(rates[BESIDE]), "deliveries/s")
            result.aim(f"seconds to store {fan_out:,} deliveries", statistics.median(stored), most=1.0)
            ratio = statistics.median(rates[FANNED]) / statistics.median(rates[BESIDE])
            result.aim("fan-out / dispatch and deliver", ratio, least=1.0)
        return result.finish(arguments)


def prepare(url: str) -> bytes:
    """A migrated database with its endpoints, each for a type of its own. Returns the body of one message."""
    os.environ["HOOKLINE_ALLOWED_SUBNETS"] = "127.0.0.0/8"
    set_up()
    from hookline import dispatch
    from hookline.audit.actor import SYSTEM
    from hookline.operations import endpoints

    for number in range(ENDPOINTS):
        endpoints.create(SYSTEM, f"{url}/{number}", secret=SECRET, event_types=[f"order.{number}"])
    return bytes(dispatch("order.paid", DATA).body)


def make_endpoints(url: str, count: int) -> None:
    """Endpoints that all want the type `fan.out`, each with a URL of its own, of a tenant of their own."""
    from django.db import transaction

    from hookline.audit.actor import SYSTEM
    from hookline.models import Tenant
    from hookline.operations import endpoints

    with transaction.atomic():
        tenant = Tenant.objects.create(key=MANY)
        for number in range(count):
            endpoints.create(SYSTEM, f"{url}/fan/{number}", secret=SECRET, event_types=["fan.out"], tenant=tenant)


def post_bare(url: str, body: bytes, count: int) -> float:
    """What a loop over aiohttp does, with the signature made for each request, as it must be."""
    from hookline import conf

    connections = conf.get().DELIVERY_CONCURRENCY
    signer = Signer([SECRET])

    async def post_all() -> float:
        todo = iter(range(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
            started = time.perf_counter()
            await asyncio.gather(*(post_some(session, todo) for _ in range(connections)))
            return count / (time.perf_counter() - started)

    async def post_some(session: aiohttp.ClientSession, todo: Iterator[int]) -> None:
        for number in todo:
            headers = signer.headers(f"msg_{number:022}", int(time.time()), body)
            headers["content-type"] = "application/json"
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()
                assert response.status == 200

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(post_all())


def dispatch_and_wait(count: int) -> float:
    """Dispatch while somebody sends. Messages per second."""
    started = now()
    dispatch_all(count)
    return count / (delivered_at() - started)


def dispatch_and_deliver(count: int) -> float:
    """Dispatch and send at the same time, both here. Messages per second."""
    with sending():
        return dispatch_and_wait(count)


def deliver_waiting(count: int) -> float:
    """Send what is there already. Deliveries per second."""
    started = now()
    with sending():
        return count / (delivered_at() - started)


def dispatch_all(count: int) -> float:
    """Messages per second."""
    from hookline import dispatch_many

    started = time.perf_counter()
    for start in range(0, count, BATCH):
        dispatch_many([(f"order.{number % ENDPOINTS}", DATA) for number in range(start, min(start + BATCH, count))])
    return count / (time.perf_counter() - started)


def dispatch_one_by_one(count: int) -> float:
    """Messages per second."""
    from django.db import transaction

    from hookline import dispatch

    started = time.perf_counter()
    for number in range(count):
        with transaction.atomic():
            dispatch(f"order.{number % ENDPOINTS}", DATA)
    return count / (time.perf_counter() - started)


def insert_bare(body: bytes, count: int) -> float:
    """Write the same rows, whose ids and owners are known. Transactions per second; what was written is deleted."""
    from django.db import connection, transaction

    from hookline.db.row import new_ids
    from hookline.models import Delivery, Endpoint, Message

    message = "INSERT INTO hookline_message (id, tenant_id, type, channels, body) VALUES (%s, %s, %s, '[]', %s)"
    delivery = "INSERT INTO hookline_delivery (id, message_id, endpoint_id) VALUES (%s, %s, %s)"
    endpoint = Endpoint.objects.order_by("pk")[0]
    ids = new_ids(2 * count)
    tenant_id, endpoint_id, *keys = (
        one if connection.vendor == "postgresql" else one.hex for one in (endpoint.tenant_id, endpoint.pk, *ids)
    )
    started = time.perf_counter()
    for first, second in zip(keys[::2], keys[1::2], strict=True):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(message, [first, tenant_id, "order.0", body])
            cursor.execute(delivery, [second, first, endpoint_id])
    rate = count / (time.perf_counter() - started)
    Delivery.objects.filter(pk__in=ids[1::2]).delete()
    Message.objects.filter(pk__in=ids[::2]).delete()
    return rate


def fan(count: int) -> tuple[float, float]:
    """Dispatch one message to `count` endpoints while somebody sends.

    Returns the seconds to store its deliveries, and how many were delivered per second from then on.
    """
    from hookline import dispatch

    started = time.perf_counter()
    dispatch("fan.out", DATA, tenant=MANY)
    seconds, committed = time.perf_counter() - started, now()
    return seconds, count / (delivered_at() - committed)


@contextmanager
def sending() -> Iterator[None]:
    """Run the part of `hookline worker` that sends, in this process."""
    from hookline import conf
    from hookline.runtime.fleet import Fleet

    fleet = Fleet(conf.get(), only="outgoing")
    fleet.start()
    try:
        yield
    finally:
        fleet.stop()


def now() -> float:
    """Unix time by the database's clock."""
    from hookline.db import clock
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


if __name__ == "__main__":
    sys.exit(main())
