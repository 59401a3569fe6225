"""HTTPS clients of the sender side by side, with one host and with many.

Each client posts 1 kB with the headers of a signed webhook and reads the answer up to a limit, on uvloop, over
keep-alive connections, `--concurrency` at a time, to the hosts in turn. Every measurement runs in a process of its own;
the clients alternate, and the medians of the rounds are shown. `pyreqwest` is not a dependency: `pip install pyreqwest`
adds it to the comparison.

What the columns mean: clients: how many were made, and what one costs in time and memory. first: seconds until every
host (with one host: every connection) has answered once, TLS handshakes included; then the rate with warm connections,
latency, processor time of the client's process (all threads) for a request, memory of the whole process, and how busy
the server's core was: near 1.0 it is the server that limits.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import multiprocessing
import time
from collections.abc import Awaitable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from bench.https_clients import CLIENTS, Client
from bench.tls_consumer import Served, tls_consumer


@dataclass(frozen=True)
class Task:
    """One measurement."""

    client: str
    served: Served
    hosts: int
    requests: int
    concurrency: int


@dataclass(frozen=True)
class Figures:
    """What a measurement, or the median of several, found."""

    clients: float
    ms_per_client: float
    kb_per_client: float
    first_s: float
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rss_mb: float
    server_busy: float
    reconnected: float

    @classmethod
    def middle(cls, rounds: Iterable[Figures]) -> Figures:
        kept = list(rounds)
        return cls(*(median(getattr(figures, item.name) for figures in kept) for item in fields(cls)))


def measure(task: Task) -> Figures:
    return uvloop.run(_measure(task))


async def _measure(task: Task) -> Figures:
    if "pyreqwest" in task.client:
        import pyreqwest.client  # noqa: F401 - so that the import is not a part of what a client costs
    before, started = _resident(), time.perf_counter()
    client = CLIENTS[task.client](task.served, task.hosts)
    made_s, made_kb = time.perf_counter() - started, _resident() - before
    urls = [task.served.url(host) for host in range(task.hosts)]
    first = await _run(client, islice(cycle(urls), max(task.hosts, task.concurrency)), task.concurrency)
    # A round that is not counted, so that every connection is there and warm.
    await _run(client, islice(cycle(urls), max(task.hosts, task.concurrency)), task.concurrency)
    seen, cpu = task.served.seen(), time.process_time()
    load = await _run(client, islice(cycle(urls), task.requests), task.concurrency)
    cpu, resident, after = time.process_time() - cpu, _resident(), task.served.seen()
    await client.close()
    ordered = sorted(load.latencies)
    return Figures(
        client.made, made_s * 1000 / client.made, made_kb / client.made, first.seconds, task.requests / load.seconds,
        ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000, cpu * 1e6 / task.requests,
        resident / 1024, (after.cpu - seen.cpu) / load.seconds, after.connections - seen.connections,
    )  # fmt: skip


@dataclass(frozen=True)
class _Load:
    seconds: float
    latencies: list[float]


async def _run(client: Client, urls: Iterator[str], concurrency: int) -> _Load:
    """Post to each URL, `concurrency` at a time, as fast as answers come."""
    latencies: list[float] = []

    async def work() -> None:
        for url in urls:
            started = time.perf_counter()
            status = await client.post(url)
            latencies.append(time.perf_counter() - started)
            assert status == 200, f"{url} answered {status}"

    workers: list[Awaitable[None]] = [work() for _ in range(concurrency)]
    started = time.perf_counter()
    await asyncio.gather(*workers)
    return _Load(time.perf_counter() - started, latencies)


def _resident() -> int:
    """Resident memory of this process in kB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", default="1,1000", help="numbers of hosts, with commas; 1,1000 by default")
    parser.add_argument("--requests", type=int, default=20_000, help="in one measurement")
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    names = list(CLIENTS)
    if importlib.util.find_spec("pyreqwest") is None:
        names = [name for name in names if "pyreqwest" not in name]
        Console().print("Without pyreqwest, which is not installed: pip install pyreqwest")
    numbers = [int(number) for number in arguments.hosts.split(",")]
    found: dict[tuple[int, str], list[Figures]] = {}
    spawn = multiprocessing.get_context("spawn")
    with tls_consumer() as served, ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as pool:
        for _ in range(arguments.rounds):
            for hosts in numbers:
                for name in names:
                    task = Task(name, served, hosts, arguments.requests, arguments.concurrency)
                    found.setdefault((hosts, name), []).append(pool.submit(measure, task).result())
    for hosts in numbers:
        show(hosts, {name: Figures.middle(found[hosts, name]) for name in names})


def show(hosts: int, rows: dict[str, Figures]) -> None:
    title = f"{hosts:,} host{'s' if hosts > 1 else ''}"
    table = Table(
        title, "clients", "ms each", "kB each", "first s", "per second", "/ aiohttp", "p50 ms", "p99 ms", "CPU µs",
        "RSS MB", "server", "reconnected",
    )  # fmt: skip
    for name, row in rows.items():
        table.add_row(
            name, f"{row.clients:.0f}", f"{row.ms_per_client:.2f}", f"{row.kb_per_client:.0f}", f"{row.first_s:.2f}",
            f"{row.per_second:,.0f}", f"{row.per_second / rows['aiohttp'].per_second:.2f}", f"{row.p50_ms:.1f}",
            f"{row.p99_ms:.1f}", f"{row.cpu_us:.0f}", f"{row.rss_mb:.0f}", f"{row.server_busy:.2f}",
            f"{row.reconnected:.0f}",
        )  # fmt: skip
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
