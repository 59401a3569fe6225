"""From the start of `hookline serve` to its first accepted webhook: `make bench`.

On a database that is up to date the clock runs until a genuine webhook is acknowledged. An empty database has no
source that could accept one, so there it runs until the first answer, which needs the tables that were just made.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import report
from bench.events import requests
from bench.load import http_request
from bench.process import HOOKLINE, Process, port_of
from bench.stand import database, set_up

#: Seconds.
MOST = 0.4


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="the median counts")
    arguments = parser.parse_args()
    kind = arguments.database
    result = report.Report("start", kind, {"rounds": arguments.rounds})
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(kind, directory):
        source = set_up()
        ready, empty = [], []
        for number in range(arguments.rounds):
            [webhook] = requests(source, 1)
            ready.append(first_answer(webhook, 200, {}))
            unknown = http_request("/in/nobody", {"content-type": "application/json"}, b"{}")
            empty.append(first_answer(unknown, 404, {"HOOKLINE_DATABASE_URL": new_database(kind, directory, number)}))
        result.row("database up to date, first accepted webhook", statistics.median(ready), "s")
        result.row("empty database, migrated and first answer", statistics.median(empty), "s")
        result.aim("seconds to the first accepted webhook", statistics.median(ready), most=MOST)
        return result.finish(arguments)


def first_answer(request: bytes, status: int, environment: dict[str, str]) -> float:
    """Seconds from the start of a server until it has answered the request. It must answer with this status."""
    server = Process(HOOKLINE, "serve", "--port", "0", environment=environment)
    try:
        port = port_of(server)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            answer = connection.recv(65536)
        seconds = time.perf_counter() - server.started
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        return seconds
    finally:
        server.stop()


def new_database(kind: str, directory: str, number: int) -> str:
    """The URL of a database without tables."""
    if kind == "sqlite":
        return f"sqlite:///{Path(directory) / f'empty{number}.db'}"
    from django.db import connection

    name = f"empty{number}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return urlsplit(os.environ["HOOKLINE_DATABASE_URL"])._replace(path=f"/{name}").geturl()


if __name__ == "__main__":
    sys.exit(main())
