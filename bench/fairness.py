"""Whether a tenant whose answers take long delays the deliveries of others: `python -m bench.fairness`.

One worker. A quiet tenant publishes at a steady pace to an endpoint that answers at once; from each COMMIT to the
arrival is measured, first alone, then beside a tenant with a hundred thousand deliveries waiting for 60 endpoints that
all answer after 4 seconds.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import report
from bench.load import percentile
from bench.process import hookline
from bench.stand import database, set_up

SLOW = 4.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENVIRONMENT = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
#: By how much the quiet tenant's median may rise.
MOST = 1.2


class Consumer:
    """Answers /slow after some seconds and all else at once. `arrived`: the number in the body -> when, monotonic."""

    def __init__(self) -> None:
        self.arrived: dict[int, float] = {}
        self.slow = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.lower().find(b"content-length:")
                body = await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
                if head.startswith(b"POST /slow"):
                    self.slow += 1
                    await asyncio.sleep(SLOW)
                else:
                    self.arrived[json.loads(body)["data"]["n"]] = time.monotonic()
                writer.write(OK)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextmanager
def consuming() -> Iterator[Consumer]:
    consumer, started = Consumer(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        server = await asyncio.start_server(consumer.handle, "127.0.0.1", 0, backlog=1000)
        consumer.port = server.sockets[0].getsockname()[1]
        loops.append(asyncio.get_running_loop())
        started.set()
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
    started.wait(10)
    yield consumer


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--waiting", type=int, default=100_000, help="deliveries that wait for the slow tenant")
    parser.add_argument("--endpoints", type=int, default=60, help="of the slow tenant")
    parser.add_argument("--rate", type=float, default=20, help="messages a second of the quiet tenant")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    arguments = parser.parse_args()
    settings = {
        "slow tenant": f"{arguments.waiting:,} waiting, {arguments.endpoints} endpoints, answers after {SLOW:g} s"
    }
    result = report.Report("fairness", arguments.database, settings)
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory),
        consuming() as consumer,
    ):
        set_up()
        quiet = add_tenant("quiet", f"http://127.0.0.1:{consumer.port}/quick", 1)
        with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
            worker.wait_for("Hookline works")
            publish(consumer, quiet, 0, arguments.rate, 3)  # it opens its connections
            alone = publish(consumer, quiet, 10_000, arguments.rate, arguments.seconds)
        crowd = add_tenant("crowd", f"http://127.0.0.1:{consumer.port}/slow", arguments.endpoints)
        fill(crowd, arguments.waiting // arguments.endpoints)
        with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
            worker.wait_for("Hookline works")
            while consumer.slow < 200:
                time.sleep(0.1)
            publish(consumer, quiet, 20_000, arguments.rate, 3)
            beside = publish(consumer, quiet, 30_000, arguments.rate, arguments.seconds)
        for name, values in (("alone", alone), ("beside the slow tenant", beside)):
            for label, share in (("median", 0.5), ("p99", 0.99)):
                result.row(f"{label} {name}", percentile(sorted(values), share) * 1000, "ms")
        ratio = statistics.median(beside) / statistics.median(alone)
        result.aim("median beside the slow tenant, of that alone", ratio, most=MOST)
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
    from hookline import dispatch_many

    for start in range(0, messages, 500):
        dispatch_many([("crowd.event", {"n": 0})] * min(500, messages - start), tenant=tenant)


def publish(consumer: Consumer, tenant: Any, first: int, rate: float, seconds: float) -> list[float]:
    """Publish on schedule, wait until all arrived, and return the seconds from each COMMIT to its arrival."""
    from hookline import dispatch

    committed: dict[int, float] = {}
    begin = time.monotonic()
    for number in range(first, first + round(rate * seconds)):
        time.sleep(max(0.0, begin + (number - first) / rate - time.monotonic()))
        dispatch("quiet.event", {"n": number}, tenant=tenant)
        committed[number] = time.monotonic()
    end = time.monotonic() + 120
    while not committed.keys() <= consumer.arrived.keys() and time.monotonic() < end:
        time.sleep(0.05)
    return [max(0.0, consumer.arrived[number] - moment) for number, moment in committed.items()]


if __name__ == "__main__":
    sys.exit(main())
