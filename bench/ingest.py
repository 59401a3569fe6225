"""Verified, deduplicated and committed acknowledgements per second: `make bench`.

1 kB Stripe events over 64 connections, load generator and database on the same machine, fsync on. What counts are the
ratios: against the same server answering without storing, and against the plain Django view with one INSERT for each
request, all measured in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django
from rich.console import Console
from rich.table import Table

from bench.load import Load, http_request, run
from tests.postgres import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hookline.incoming.models import Source

CONNECTIONS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--requests", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(arguments.database, directory):
        source = set_up()
        count = arguments.requests
        loads = {
            "answering without storing": measure("answering", source, count),
            "edge: group commit": measure("edge", source, count),
            "edge: the same event each time": measure("edge", source, count, same=True),
            "Django view: one INSERT each": measure("view", source, max(count // 20, 500)),
        }
    base, edge = loads["answering without storing"].rate, loads["edge: group commit"].rate
    table = Table(arguments.database, "per second", "p50 ms", "p99 ms", "edge / this")
    for name, load in loads.items():
        p50, p99 = load.percentile(0.5) * 1000, load.percentile(0.99) * 1000
        table.add_row(name, f"{load.rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{edge / load.rate:.2f}")
    Console(width=100).print(table)
    Console().print(f"stored: {edge / base:.2f} of what the same server answers without storing")


@contextmanager
def database(kind: str, directory: str) -> Iterator[None]:
    """Point the standalone server's settings at a new, durable database."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_SECRET_KEY": "made up for the benchmark",
        "HOOKLINE_ENCRYPTION_KEYS": "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    if kind == "sqlite":
        os.environ["HOOKLINE_DATABASE_URL"] = f"sqlite:///{directory}/bench.db"
        yield
        return
    with postgres_server({}) as url:
        os.environ["HOOKLINE_DATABASE_URL"] = url
        yield


def set_up() -> Source:
    django.setup()
    from django.core.management import call_command

    from hookline.incoming import sources

    call_command("migrate", verbosity=0)
    return sources.create("stripe", secrets=["whsec_made_up"])


def measure(mode: str, source: Source, count: int, *, same: bool = False) -> Load:
    """Start a server, send `count` events, and check that each is answered 200 and, if it should be, stored once."""
    from hookline.incoming.models import Event

    requests = signed(source, count, same=same)
    before = Event.objects.count()
    with server(mode) as port:
        asyncio.run(run("127.0.0.1", port, signed(source, 200), CONNECTIONS))
        load = asyncio.run(run("127.0.0.1", port, requests, CONNECTIONS)).check()
    stored = Event.objects.count() - before
    assert stored == (0 if mode == "answering" else 200 + (1 if same else count)), f"{stored} events were stored"
    return load


def signed(source: Source, count: int, *, same: bool = False) -> list[bytes]:
    """Requests as Stripe would send them, signed before the measurement begins."""
    from hookline import providers

    provider, now = providers.get("stripe"), time.time()
    config, requests = source.config(now), []
    repeated = f"evt_{uuid.uuid4().hex}"
    for _ in range(count):
        event_id = repeated if same else f"evt_{uuid.uuid4().hex}"
        request = provider.sign(provider.compose("invoice.paid", event_id, now, {"pad": "x" * 700}), config, now)
        headers = {name: values[0] for name, values in request.headers.items()}
        requests.append(http_request(source.path, headers, request.body))
    return requests


@contextmanager
def server(mode: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "bench.ingest_server", mode, str(port)], cwd=Path.cwd()) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
