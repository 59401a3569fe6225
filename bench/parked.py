"""Whether work in a lane with an order costs the same however much waits behind parked keys: `python -m bench.parked`.

For each size N there is a database of its own. Half of the N events wait behind one event whose key has the turn, and
the others behind a thousand dead ones that park their keys. Measured are claims, settlements that give the turn to the
next, and a person who lets a parked key go on, in rounds that visit each size in turn. What counts is the ratio of the
largest to the smallest size; more than AIM exits with 1.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench import report
from bench.depth import AIM, Depth, at, close, set_up, settle_down
from bench.stand import database

#: Keys that are parked, and events of other keys that arrive in each round.
PARKED, ARRIVE = 1000, 50
LONG_KEY = "cus_long"
_numbers = itertools.count()

_COLUMNS = (
    "id, source_id, type, dedup_key, provider_id, headers, body, state, due_at, created_at, order_key, has_turn, note, "
    "finished_at"
)
#: The first is what has the turn, and the others wait for it, FOREVER.
_FILL = {
    "postgresql": """
INSERT INTO hookline_event ({columns})
SELECT gen_random_uuid(), %(source)s, 'invoice.paid', %(key)s || n, %(key)s || n, '{{}}', %(body)s,
    CASE WHEN n > {first} OR {first_waits} THEN 'pending' ELSE 'dead' END,
    CASE WHEN n > {first} THEN '9999-12-31+00'::timestamptz ELSE now() END,
    now() - interval '1 day' + n * interval '1 ms',
    {order_key}, CASE WHEN n <= {first} THEN true END, '',
    CASE WHEN n > {first} OR {first_waits} THEN NULL ELSE now() END
FROM generate_series(1, %(count)s) n
""",
    "sqlite": """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %(count)s)
INSERT INTO hookline_event ({columns})
SELECT lower(hex(randomblob(16))), %(source)s, 'invoice.paid', %(key)s || n, %(key)s || n, '{{}}', %(body)s,
    CASE WHEN n > {first} OR {first_waits} THEN 'pending' ELSE 'dead' END,
    CASE WHEN n > {first} THEN '9999-12-31 00:00:00' ELSE strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') END,
    strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '-1 day', (n / 1000.0) || ' seconds'),
    {order_key}, CASE WHEN n <= {first} THEN 1 END, '',
    CASE WHEN n > {first} OR {first_waits} THEN NULL ELSE strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') END
FROM numbers
""",
}


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rows", default="4000,1000000", help="the sizes, smallest first")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.rows.split(",")]
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory, database(arguments.database, directory):
        depths = set_up(arguments.database, directory, sizes)
        for depth in depths:
            fill(depth)
        times = measure(depths, arguments.rounds)
        result = report.Report("parked", arguments.database, {"waiting": arguments.rows, "rounds": arguments.rounds})
        for name, found in times.items():
            result.row(name, found[-1] * 1000, "ms")
            result.aim(f"{name}: {sizes[-1]:,} / {sizes[0]:,} rows", found[-1] / found[0], most=AIM)
        code = result.finish(arguments)
        close()
    return code


def fill(depth: Depth) -> None:
    from django.db import connections

    from hookline.audit.actor import SYSTEM
    from hookline.operations import sources

    began, connection = time.monotonic(), connections[depth.alias]
    with at(depth):
        source = sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"], order_by="$.customer")
        depth.sources = [source]
        for key, first, first_waits, order_key in (
            ("long", 1, "1 = 1", f"'{LONG_KEY}'"),
            ("parked", PARKED, "1 = 0", f"'cus_' || (n %% {PARKED})"),
        ):
            sql = _FILL[connection.vendor].format(
                columns=_COLUMNS, first=first, first_waits=first_waits, order_key=order_key
            )
            pk = source.pk if connection.vendor == "postgresql" else source.pk.hex
            values = {"source": pk, "key": key, "body": b'{"customer": "made up"}', "count": depth.size // 2}
            with connection.cursor() as cursor:
                cursor.execute(sql, values)
        settle_down(depth)
    print(f"{depth.size:,} that wait: {time.monotonic() - began:.0f} s", file=sys.stderr)


def measure(depths: list[Depth], rounds: int) -> dict[str, list[float]]:
    """Name -> the median seconds of each size."""
    times: dict[str, list[list[float]]] = {}
    for number in range(rounds + 1):
        for index, depth in enumerate(depths):
            with at(depth):
                for name, took in one_round(depth, number).items():
                    sizes = times.setdefault(name, [[] for _ in depths])
                    if number:  # the first round warms up
                        sizes[index].append(took)
    return {name: [median(found) for found in sizes] for name, sizes in times.items()}


def one_round(depth: Depth, number: int) -> dict[str, float]:
    from hookline.engine import order
    from hookline.engine.claim import claim
    from hookline.engine.settle import settle
    from hookline.engine.settlement import Settlement
    from hookline.models import Event

    took: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = run()
        took[name] = time.perf_counter() - began
        return found

    def done(jobs: list[Event]) -> set[Any]:
        return settle([(job, Settlement.succeed()) for job in jobs])

    arrived = [arrive(depth, f"new_{next(_numbers)}") for _ in range(ARRIVE)]
    taken = timed(f"claim {ARRIVE} of other keys, and the next of the longest", lambda: claim(Event, 1000, 60))
    assert {job.pk for job in taken} > {event.pk for event in arrived}, "the events of other keys were not claimed"
    (longest,) = [job for job in taken if job.order_key == LONG_KEY]
    timed(f"settle {ARRIVE} of other keys", lambda: done([job for job in taken if job is not longest]))
    timed("settle the first of the longest key, and give its turn to the next", lambda: done([longest]))
    late = arrive(depth, f"cus_{number % PARKED}")
    rest = timed("claim one that joins a parked key, and the next of the longest", lambda: claim(Event, 1000, 60))
    assert late.pk not in {job.pk for job in rest}, "an event overtook those of its parked key"
    done(rest)
    parked = Event.objects.get(state="dead", has_turn=True, order_key=f"cus_{number % PARKED}")
    assert timed("let a parked key go on", lambda: order.release(Event, [parked.pk])) == [parked.pk]
    following = claim(Event, 1000, 60)
    dead, others = (
        [job for job in following if (job.order_key == parked.order_key) is is_it] for is_it in (True, False)
    )
    settle([(job, Settlement.die("parks its key again")) for job in dead])
    done(others)
    return took


def arrive(depth: Depth, key: str) -> Any:
    """Store an event as an edge does, its key unread."""
    from hookline.models import Event

    body = f'{{"customer": "{key}"}}'.encode()
    return Event.objects.create(
        source=depth.sources[0], type="invoice.paid", dedup_key=f"id:{next(_numbers)}", body=body, order_key=""
    )


if __name__ == "__main__":
    sys.exit(main())
