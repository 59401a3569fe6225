"""Ten thousand endpoints, some dead and some slow: how long the healthy ones wait: `python -m bench.crowd`.

1 % never answer, 5 % answer after 4 seconds, the rest at once. Tenants have 10 endpoints each and publish in turn, on
schedule; from each COMMIT to the arrival at each healthy endpoint is measured. One worker, with the deadline and the
retries that it has by default, so that what the dead ones hold is part of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import report
from bench.load import percentile
from bench.process import hookline
from bench.stand import database, set_up

ENVIRONMENT = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SLOW = 4.0
OF_A_TENANT = 10
#: Seconds at the 99th percentile of healthy endpoints.
MOST = 1.0


class Consumer:
    """Endpoints at /quick/N, /slow/N and /dead/N. `arrived`: the message's number and N -> when, monotonic."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[int, int], float] = {}
        self.requests: Counter[str] = Counter()
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.lower().find(b"content-length:")
                body = await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
                _, kind, number = head.split(b" ", 2)[1].decode().split("/")
                self.requests[kind] += 1
                if kind == "dead":
                    await reader.read()  # until the sender gives up
                    return
                if kind == "slow":
                    await asyncio.sleep(SLOW)
                else:
                    self.arrived.setdefault((json.loads(body)["data"]["n"], int(number)), time.monotonic())
                writer.write(OK)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextmanager
def consuming() -> Iterator[Consumer]:
    consumer, started = Consumer(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(consumer.handle, "127.0.0.1", 0, backlog=1000)
        consumer.port = server.sockets[0].getsockname()[1]
        started.set()
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
    started.wait(10)
    yield consumer


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
        consuming() as consumer,
    ):
        set_up()
        tenants = add_tenants(arguments.endpoints, arguments.dead, arguments.slow, consumer.port)
        with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
            worker.wait_for("Hookline works")
            publish(tenants, -1000, arguments.rate, 3)  # connections are opened
            committed = publish(tenants, 0, arguments.rate, arguments.seconds)
            times, missing = latencies(consumer, committed)
        result.row("median of healthy endpoints", percentile(times, 0.5) * 1000, "ms")
        result.row("p99 of healthy endpoints", percentile(times, 0.99) * 1000, "ms")
        result.row("the longest", times[-1] * 1000, "ms")
        result.row("healthy deliveries", len(times), "deliveries")
        for kind in ("slow", "dead"):
            result.row(f"requests to {kind} endpoints", consumer.requests[kind], "requests")
        result.aim("healthy deliveries that did not arrive", missing, most=0)
        result.aim("p99 of healthy endpoints, in seconds", percentile(times, 0.99), most=MOST)
        return result.finish(arguments)


def add_tenants(endpoints: int, dead: float, slow: float, port: int) -> list[tuple[Any, list[int]]]:
    """The tenants, each with the numbers of its healthy endpoints; the others are spread over all of them."""
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
        made.append((tenant, [number for number in numbers if kinds[number] == "quick"]))
    Endpoint.objects.bulk_create(rows, batch_size=1000)
    return made


def publish(
    tenants: list[tuple[Any, list[int]]], first: int, rate: float, seconds: float
) -> dict[tuple[int, int], float]:
    """Publish on schedule. Of each message and healthy endpoint: when it was committed."""
    from hookline import dispatch

    committed: dict[tuple[int, int], float] = {}
    begin = time.monotonic()
    for number in range(first, first + round(rate * seconds)):
        time.sleep(max(0.0, begin + (number - first) / rate - time.monotonic()))
        tenant, healthy = tenants[number * 7 % len(tenants)]
        dispatch("crowd.event", {"n": number}, tenant=tenant)
        now = time.monotonic()
        committed |= {(number, endpoint): now for endpoint in healthy}
    return committed


def latencies(consumer: Consumer, committed: dict[tuple[int, int], float]) -> tuple[list[float], int]:
    """Seconds from each COMMIT to the arrival, in order, and how many did not arrive within a minute."""
    end = time.monotonic() + 60
    while not committed.keys() <= consumer.arrived.keys() and time.monotonic() < end:
        time.sleep(0.05)
    there = committed.keys() & consumer.arrived.keys()
    return sorted(max(0.0, consumer.arrived[key] - committed[key]) for key in there), len(committed) - len(there)


if __name__ == "__main__":
    sys.exit(main())
