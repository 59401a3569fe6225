"""POST message through the management API, acknowledged and delivered per second: `make bench ARGS="--only publish"`.

32 connections post 1 kB messages to a tenant with one endpoint, each with a key of the API and an Idempotency-Key, as
the clients of Svix do. `hookline serve` runs as it starts by default. Load generator, sink, database and Hookline share
the machine, and every message must reach the sink once. It is held against a bare ASGI application that gets the same
requests, checks the HMAC of each and stores nothing, and against the whole journey of `bench.journey`, both measured in
turns with it. What each process spends on a message is told beside it: load on the rest of the machine hardly changes
that.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import bare, report
from bench.journey import CONNECTIONS, DRAIN, SERVE, Installation, closed_loop
from bench.load import http_request, send
from bench.process import Process, port_of, running
from bench.sink import Sink, sink
from bench.spent import Spent
from bench.stand import database

KEYED, PLAIN, WHOLE = "with an Idempotency-Key", "without a key", "with key, eventId and schema"
TOKEN = "hk_made_up_for_the_benchmark_alone"
PATH = "/api/v1/app/default/msg"
SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=6000, help="messages in one closed loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="nothing but messages with a key, for a first look")
    arguments = parser.parse_args()
    result = report.Report(
        "publish", arguments.database, {"connections": CONNECTIONS, "rounds": arguments.rounds, "body": "1 kB"}
    )
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hookline-bench-"))
        stack.enter_context(database(arguments.database, directory))
        target = stack.enter_context(sink())
        os.environ["HOOKLINE_API_KEY"] = TOKEN
        here = Installation.make(Path(sys.executable).parents[2], os.environ["HOOKLINE_DATABASE_URL"], target.port)
        measure(result, here, target, arguments.count, arguments.rounds, quick=arguments.quick)
        import django

        django.setup()
        return result.finish(arguments)


def measure(result: report.Report, here: Installation, target: Sink, count: int, rounds: int, *, quick: bool) -> None:
    runs: dict[str, list[Posted]] = {}
    bares: list[float] = []
    journeys: list[float] = []
    for _ in range(rounds):
        for kind in (KEYED,) if quick else (KEYED, PLAIN, WHOLE):
            runs.setdefault(kind, []).append(posted(here, target, kind, count))
        if not quick:
            bares.append(bare.rate([one for _, one in posts(count, KEYED)], CONNECTIONS))
            journeys.append(closed_loop(here, SERVE, target, count).rate)
    for kind, measured in runs.items():
        result.row(f"{kind}: acknowledged", statistics.median(run.acknowledged_rate for run in measured), "messages/s")
        result.row(f"{kind}: whole way", statistics.median(run.rate for run in measured), "messages/s")
    for name in ("answering", "working", "database", "generator", "sink"):
        spent = statistics.median(run.spent[name] for run in runs[KEYED])
        result.row(f"processor time of {_SPENDERS[name]}", spent * 1e6, "µs/message")
    if quick:
        return
    result.row("a bare ASGI application that stores nothing", statistics.median(bares), "requests/s")
    result.row("the whole journey: whole way", statistics.median(journeys), "journeys/s")

    def ratio(rates: Sequence[float], others: Sequence[float]) -> float:
        return statistics.median(mine / other for mine, other in zip(rates, others, strict=True))

    result.aim("acknowledged / bare", ratio([run.acknowledged_rate for run in runs[KEYED]], bares), least=0.25)
    result.aim("whole way / whole journey", ratio([run.rate for run in runs[KEYED]], journeys), least=1.3)


@dataclass(frozen=True)
class Posted:
    """What one run measured: rates per second, and seconds of processor time for each message."""

    acknowledged_rate: float
    rate: float
    spent: dict[str, float]


_SPENDERS = {
    "answering": "what answers",
    "working": "what sends",
    "database": "PostgreSQL",
    "generator": "the load generator",
    "sink": "the sink",
}


def posted(here: Installation, target: Sink, kind: str, count: int) -> Posted:
    with deployed(here, schema=kind == WHOLE) as server:
        port = port_of(server)
        warm_up = posts(200, kind)
        send(port, [one for _, one in warm_up], CONNECTIONS).check(202)
        target.wait([event for event, _ in warm_up], DRAIN)
        made = posts(count, kind)
        before, began, sink_began = Spent.by(server), time.process_time(), target.spent
        load = send(port, [one for _, one in made], CONNECTIONS).check(202)
        generator = time.process_time() - began
        arrived = target.wait([event for event, _ in made], DRAIN)
        after = Spent.by(server)
    target.look()
    target.check_once([event for event, _ in made])
    seconds = {name: value - getattr(before, name) for name, value in asdict(after).items()}
    seconds |= {"generator": generator, "sink": target.spent - sink_began}
    rate = count / (max(arrived.values()) - load.started)
    return Posted(load.rate, rate, {name: value / count for name, value in seconds.items()})


@contextmanager
def deployed(here: Installation, *, schema: bool) -> Iterator[Process]:
    """`hookline serve`, and with `schema` one that holds payloads against it."""
    environment = {**here.environment, **({"HOOKLINE_EVENT_TYPES": "check"} if schema else {})}
    with running(here.hookline, "serve", "--port", "0", environment=environment) as server:
        yield server


def posts(count: int, kind: str) -> list[tuple[str, bytes]]:
    """The id of each message, and the request that posts it."""
    made = []
    for _ in range(count):
        event = f"evt_{uuid.uuid4().hex}"
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        if kind != PLAIN:
            headers["idempotency-key"] = f"auto_{uuid.uuid4()}"
        message = {"eventType": "invoice.paid", "payload": {"id": event, "pad": "x" * 850}}
        if kind == WHOLE:
            message["eventId"] = event
        made.append((event, http_request(f"{PATH}?with_content=false", headers, json.dumps(message).encode())))
    return made


if __name__ == "__main__":
    sys.exit(main())
