"""Whether work costs the same however much waits and however much history there is: `python -m bench.depth`.

For each size N there is a database of its own with N jobs of each kind that wait and N in history. What is measured
goes through the functions that servers, workers and the command line call, in rounds that visit each size in turn, so
that noise meets all of them. What counts is the ratio of the largest to the smallest size; more than AIM exits with 1.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

import django

from bench import report
from bench.stand import database

if TYPE_CHECKING:
    from hookline.engine.job import Job
    from hookline.engine.prune import Pruner
    from hookline.models import Delivery, Event

AIM = 1.5
BATCH = 100
DAY = 86400
#: History is spread over this time, and the older half of it is pruned.
HISTORY = 100 * DAY
BODY = b'{"id":"evt_0","object":"event","type":"invoice.paid","data":{"object":{"pad":"' + b"x" * 940 + b'"}}}'
HEADERS = (
    '{"host": "hooks.example.com", "content-type": "application/json; charset=utf-8", "content-length": "1024", '
    '"user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)", "accept": "*/*; q=0.5, application/xml"}'
)


class Router:
    """Sends every query to the database of the size that is being measured."""

    alias = "default"

    def db_for_read(self, model: object, **hints: object) -> str:
        return self.alias

    db_for_write = db_for_read


@dataclass
class Depth:
    """The database of one size, and the rows in it that measurements need."""

    size: int
    alias: str
    sources: list[Any] = field(default_factory=list)
    endpoints: list[Any] = field(default_factory=list)
    claimed: dict[str, list[Any]] = field(default_factory=dict)
    pruners: dict[str, Pruner] = field(default_factory=dict)


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rows", default="10000,100000,1000000", help="the sizes, smallest first")
    parser.add_argument("--lanes", type=int, default=50, help="sources and endpoints; the first has half of the jobs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.rows.split(",")]
    settings = dict(setting.split("=", 1) for setting in arguments.set)
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory, settings),
    ):
        depths = set_up(arguments.database, directory, sizes)
        for depth in depths:
            fill(depth, arguments.lanes)
        result = results(measure(depths, arguments.rounds), sizes, arguments.database)
        result.settings = {
            "waiting, and in history": arguments.rows,
            "lanes": arguments.lanes,
            "rounds": arguments.rounds,
            **settings,
        }
        code = result.finish(arguments)
        close()
    return code


def set_up(kind: str, directory: str, sizes: Iterable[int]) -> list[Depth]:
    """A migrated database for each size."""
    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections, router

    router.routers = [Router()]
    depths = [Depth(size, f"depth_{size}") for size in sizes]
    for depth in depths:
        name = f"{directory}/{depth.alias}.db"
        if kind == "postgresql":
            name = depth.alias
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
        connections.settings[depth.alias] = {**connections.settings["default"], "NAME": name}
        with at(depth):
            call_command("migrate", database=depth.alias, verbosity=0)
    return depths


@contextmanager
def at(depth: Depth) -> Iterator[None]:
    Router.alias = depth.alias
    try:
        yield
    finally:
        Router.alias = "default"


def fill(depth: Depth, lanes: int) -> None:
    from hookline.audit.actor import SYSTEM
    from hookline.operations import endpoints, sources

    began = time.monotonic()
    with at(depth):
        depth.sources = [sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"]) for _ in range(lanes)]
        depth.endpoints = [endpoints.create(SYSTEM, "https://consumer.example/hook") for _ in range(lanes)]
        tenant = depth.endpoints[0].tenant_id
        now = time.time()
        load(depth, "event", event_rows(depth, now))
        rows = ((made, when(made), tenant, "invoice.paid", "[]", BODY[:300]) for made in ids(depth.size * 2, now))
        load(depth, "message", rows)
        load(depth, "delivery", delivery_rows(depth, now))
        settle_down(depth)
    print(f"{depth.size:,} waiting and {depth.size:,} in history: {time.monotonic() - began:.0f} s", file=sys.stderr)


COLUMNS = {
    "event": (
        "id", "created_at", "state", "due_at", "attempts", "claim", "finished_at", "note",
        "source_id", "type", "dedup_key", "provider_id", "headers", "body",
    ),
    "message": ("id", "created_at", "tenant_id", "type", "channels", "body"),
    "delivery": (
        "id", "created_at", "state", "due_at", "attempts", "claim", "finished_at", "note",
        "endpoint_id", "message_id",
    ),
}  # fmt: skip


def ids(count: int, now: float) -> Iterator[uuid.UUID]:
    """Ids of the first half in history, and of the second half within the last hour; always the same ones."""
    from hookline.core.ids import uuid7

    random_bytes = random.Random(1).randbytes  # only distinct
    half = count // 2
    for number in range(half):
        yield uuid7(int((now - HISTORY + number * (HISTORY - 3600) / half) * 1e9), random_bytes(8))
    for number in range(half):
        yield uuid7(int((now - 3600 + number * 3600 / half) * 1e9), random_bytes(8))


def job_rows(depth: Depth, lanes: list[Any], now: float) -> Iterator[tuple[Any, ...]]:
    """id, created_at, state, due_at, attempts, claim, finished_at, note, lane: what each job table has."""
    for number, made in enumerate(ids(depth.size * 2, now)):
        lane = lanes[0 if number % 2 else (number // 2) % len(lanes)].pk
        due = when(made)
        if number >= depth.size:
            yield made, due, "pending", due, 0, 0, None, "", lane
        else:
            state = {0: "dead", 1: "cancelled"}.get(number % 40, "succeeded")
            yield made, due, state, due, 1, 1, due + timedelta(seconds=1), "", lane


def when(made: uuid.UUID) -> datetime:
    """The time in an id."""
    from hookline.core.ids import made_at

    return datetime.fromtimestamp(made_at(made), UTC)


def event_rows(depth: Depth, now: float) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(job_rows(depth, depth.sources, now)):
        key = f"evt_{uuid.UUID(int=random.Random(number).getrandbits(128)).hex[:24]}"  # only distinct
        yield (*row, "invoice.paid", f"id:{key}", key, HEADERS, BODY)


def delivery_rows(depth: Depth, now: float) -> Iterator[tuple[Any, ...]]:
    for row in job_rows(depth, depth.endpoints, now):
        yield (*row, row[0])  # the message with the same id


def load(depth: Depth, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Put rows into a table, quickly."""
    from django.db import connections, transaction

    connection = connections[depth.alias]
    columns = ", ".join(COLUMNS[name])
    with transaction.atomic(using=depth.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY hookline_{name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(COLUMNS[name]))
        sql = f"INSERT INTO hookline_{name} ({columns}) VALUES ({marks})"
        for some in batched(rows, 10_000):
            cursor.executemany(sql, [tuple(map(as_sqlite, row)) for row in some])


def batched(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(rows)
    while some := list(islice(iterator, size)):
        yield some


def as_sqlite(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def settle_down(depth: Depth) -> None:
    """What the database would have done by itself if the rows had come over months."""
    from django.db import connections

    with connections[depth.alias].cursor() as cursor:
        if connections[depth.alias].vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def close() -> None:
    from django.db import connections

    connections.close_all()


def measurements() -> dict[str, Callable[[Depth], Callable[[], object]]]:
    """Name -> what prepares a measurement for a database and returns the function to be timed."""
    from hookline.engine.prune import Pruner
    from hookline.models import Attempt, Delivery, Event

    found: dict[str, Callable[[Depth], Callable[[], object]]] = {}
    for model, lanes in ((Event, "sources"), (Delivery, "endpoints")):
        kind = model.nouns
        found[f"{kind}: claim {BATCH}"] = claiming(model, kind)
        found[f"{kind}: settle them"] = settling(kind)
        found[f"{kind}: claim {BATCH} of one lane"] = claiming(model, kind, lanes)
        found[f"{kind}: settle those"] = settling(kind)
        found[f"{kind}: insert {BATCH}"] = inserting_events if model is Event else inserting_deliveries
        for status in (None, "pending", "succeeded", "dead", "cancelled", "running"):
            found[f"{kind}: list {status or ''}".rstrip()] = listing(model, status)
        found[f"{kind}: stats"] = counting(model)
        found[f"{kind}: take back expired"] = releasing(model)
        parts = [] if model is Event else [(Attempt, "delivery")]
        found[f"{kind}: prune"] = pruning(kind, lambda m=model, p=parts: Pruner(m, HISTORY / 2, parts=p))  # type: ignore[misc]  # bound at once
    return found


def claiming(model: type[Job], kind: str, lanes: str = "") -> Callable[[Depth], Callable[[], object]]:
    from hookline.engine.claim import claim

    def prepare(depth: Depth) -> Callable[[], object]:
        busy = [lane.pk for lane in getattr(depth, lanes)[1:]] if lanes else []

        def run() -> None:
            depth.claimed[kind] = claim(model, BATCH, 60, busy=busy)
            assert len(depth.claimed[kind]) == BATCH

        return run

    return prepare


def settling(kind: str) -> Callable[[Depth], Callable[[], object]]:
    from hookline.engine.settle import settle
    from hookline.engine.settlement import Settlement

    def prepare(depth: Depth) -> Callable[[], object]:
        results = [(job, Settlement.succeed()) for job in depth.claimed[kind]]
        return lambda: settle(results)

    return prepare


def inserting_events(depth: Depth) -> Callable[[], object]:
    from django.db import transaction

    from hookline.db.insert import insert_new
    from hookline.incoming.receive.new_event import COLUMNS, NewEvent
    from hookline.models import Event

    events: list[NewEvent] = []
    for number in range(2 * BATCH):
        key, source = f"evt_{uuid.uuid4().hex[:24]}", depth.sources[number % len(depth.sources)]
        events.append(NewEvent(source, "invoice.paid", f"id:{key}", BODY, key))

    def run() -> None:
        with transaction.atomic(using=depth.alias):
            assert len(insert_new(Event, COLUMNS, events[:BATCH], unique=("source_id", "dedup_key"))) == BATCH

    with transaction.atomic(using=depth.alias):  # so that as many wait as before the two claims
        insert_new(Event, COLUMNS, events[BATCH:], unique=("source_id", "dedup_key"))
    return run


def inserting_deliveries(depth: Depth) -> Callable[[], object]:
    from django.db import transaction

    from hookline.db.insert import Insertion, insert_new
    from hookline.db.row import new_ids
    from hookline.models import Delivery, Message

    tenant = depth.endpoints[0].tenant
    made = [Message(tenant=tenant, type="invoice.paid", uid=None, channels=[], body=BODY) for _ in range(2 * BATCH)]

    def insert(messages: list[Message]) -> None:
        with transaction.atomic(using=depth.alias):
            insert_new(Message, ("id", "tenant_id", "type", "channels", "body"), messages, unique=("tenant_id", "uid"))
            endpoints = [depth.endpoints[number % len(depth.endpoints)].pk for number in range(len(messages))]
            columns = {
                "id": new_ids(len(messages)), "message": [message.pk for message in messages], "endpoint": endpoints
            }  # fmt: skip
            Insertion(Delivery, columns).run()

    insert(made[BATCH:])
    return lambda: insert(made[:BATCH])


def listing(model: type[Event | Delivery], status: str | None) -> Callable[[Depth], Callable[[], object]]:
    from hookline.models import Event
    from hookline.operations import deliveries, events
    from hookline.operations.selection import Selection

    newest = events.newest if model is Event else deliveries.newest
    return lambda _depth: lambda: newest(Selection(status=status))


def counting(model: type[Job]) -> Callable[[Depth], Callable[[], object]]:
    from hookline.engine.backlog import backlog_of

    return lambda _depth: lambda: backlog_of(model)


def releasing(model: type[Job]) -> Callable[[Depth], Callable[[], object]]:
    from hookline.engine.settle import release_expired

    return lambda _depth: lambda: release_expired(model, 9)


def pruning(kind: str, make: Callable[[], Pruner]) -> Callable[[Depth], Callable[[], object]]:
    def prepare(depth: Depth) -> Callable[[], object]:
        if kind not in depth.pruners:
            depth.pruners[kind] = make()
        return depth.pruners[kind].step

    return prepare


def measure(depths: list[Depth], rounds: int) -> dict[str, list[float]]:
    """Name -> the median seconds of each size."""
    from hookline.engine import prune

    # As many as the smallest database has for all rounds.
    prune.WINDOW = min(prune.WINDOW, depths[0].size // 2 // (rounds + 2))
    times: dict[str, list[list[float]]] = {name: [[] for _ in depths] for name in measurements()}
    for number in range(rounds + 1):
        for name, prepare in measurements().items():
            for index, depth in enumerate(depths):
                with at(depth):
                    run = prepare(depth)
                    began = time.perf_counter()
                    run()
                    took = time.perf_counter() - began
                if number:  # the first round warms up
                    times[name][index].append(took)
    return {name: [median(found) for found in sizes] for name, sizes in times.items()}


def results(times: dict[str, list[float]], sizes: list[int], kind: str) -> report.Report:
    """Figures are those of the largest size; the aims tell how they compare with those of the smallest."""
    result = report.Report("depth", kind, {})
    for name, found in times.items():
        result.row(name, found[-1] * 1000, "ms")
        result.aim(f"{name}: {sizes[-1]:,} / {sizes[0]:,} rows", found[-1] / found[0], most=AIM)
    return result


if __name__ == "__main__":
    sys.exit(main())
