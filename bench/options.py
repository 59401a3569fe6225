"""What each option of sending costs: `python -m bench.options`.

The same messages to one endpoint that answers at once: as they are, with a filter, a schema that is enforced, a rate
limit that is never reached, an order key, and a time to be sent at. `dispatch_many()` is timed in this process, and
`dispatch()` where a time is given, which has no other form; then one worker sends what waits.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench import report
from bench.process import hookline
from bench.sink import Sink, sink
from bench.stand import database, set_up

ENVIRONMENT = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
BATCH = 500
PLAIN, ONE_BY_ONE = "plain", "plain, one by one"
#: How much longer what should cost next to nothing may take, dispatch and delivery together.
MOST = 1.3
SCHEMA = {
    "type": "object",
    "required": ["id", "total", "lines"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "total": {"type": "number", "minimum": 0},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
    },
}


@dataclass(frozen=True)
class Option:
    name: str
    #: Of the endpoint, as `endpoints.create` takes them.
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    #: Of `dispatch`, which is called for each message then, and not `dispatch_many`.
    one_by_one: Mapping[str, Any] | None = None
    #: What it is held against.
    against: str = PLAIN
    settings: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None
    #: Whether it should cost next to nothing.
    free: bool = False


OPTIONS = (
    Option(PLAIN, against=""),
    Option("filter", endpoint={"filter": "@.data.total > 10"}),
    Option("schema", settings={"EVENT_TYPES": "check"}),
    Option("rate limit that is not reached", rate=100_000, free=True),
    Option("order, 100 keys", endpoint={"order_by": "$.data.customer"}),
    Option(ONE_BY_ONE, one_by_one={}, against=""),
    Option("deliver_at", one_by_one={"deliver_at": datetime(2020, 1, 1, tzinfo=UTC)}, against=ONE_BY_ONE, free=True),
)


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=3000, help="messages of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result = report.Report("options", arguments.database, {"messages": f"{arguments.count:,} of 1 kB"})
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        database(arguments.database, directory),
        sink() as target,
    ):
        set_up()
        tenants = {option.name: prepare(option, target) for option in OPTIONS}
        times: dict[str, list[tuple[float, float]]] = {option.name: [] for option in OPTIONS}
        for _ in range(arguments.rounds):
            for option in OPTIONS:
                times[option.name].append(measure(option, tenants[option.name], target, arguments.count))
        for option in OPTIONS:
            dispatched, delivered = (statistics.median(each) for each in zip(*times[option.name], strict=True))
            result.row(f"{option.name}: dispatch", dispatched / arguments.count * 1e6, "µs/message")
            result.row(f"{option.name}: delivered", arguments.count / delivered, "messages/s")
        for option in OPTIONS:
            if option.against:
                pairs = zip(times[option.name], times[option.against], strict=True)
                ratio = statistics.median(sum(mine) / sum(base) for mine, base in pairs)
                result.row(f"{option.name}: time of dispatch and delivery / {option.against}", ratio, "times")
                if option.free:
                    result.aim(f"{option.name} / {option.against}", ratio, most=MOST)
        return result.finish(arguments)


def prepare(option: Option, target: Sink) -> Any:
    """A tenant with one endpoint."""
    from hookline.audit.actor import SYSTEM
    from hookline.models import Endpoint, Tenant
    from hookline.operations import endpoints, event_types, limits

    tenant = Tenant.objects.create(key=option.name.replace(" ", "-").replace(",", ""))
    endpoint = endpoints.create(SYSTEM, "https://consumer.example.com/", tenant=tenant, **option.endpoint)
    # Loopback, which only the worker may connect to.
    Endpoint.objects.filter(pk=endpoint.pk).update(url=f"http://127.0.0.1:{target.port}/hooks")
    if option.rate is not None:
        limits.limit(SYSTEM, endpoint, rate=option.rate)
    if option.settings:
        event_types.create(SYSTEM, "invoice.paid", schema=SCHEMA)
    return tenant


def measure(option: Option, tenant: Any, target: Sink, count: int) -> tuple[float, float]:
    """Seconds of `dispatch_many()`, and from the first arrival to the last."""
    ids = [f"evt_{uuid.uuid4().hex}" for _ in range(count)]
    with using(option.settings):
        dispatched = timed(lambda: dispatch(option, tenant, ids))
    with hookline("worker", "--only", "outgoing", environment=ENVIRONMENT) as worker:
        worker.wait_for("Hookline works")
        arrived = target.wait(ids, 120)
    target.look()
    target.check_once(ids)
    return dispatched, max(arrived.values()) - min(arrived.values())


def dispatch(option: Option, tenant: Any, ids: list[str]) -> None:
    from hookline import dispatch as dispatch_one
    from hookline import dispatch_many

    if option.one_by_one is not None:
        for number, event in enumerate(ids):
            dispatch_one("invoice.paid", data(event, number), tenant=tenant, **option.one_by_one)
        return
    for start in range(0, len(ids), BATCH):
        part = [("invoice.paid", data(event, number)) for number, event in enumerate(ids[start : start + BATCH])]
        dispatch_many(part, tenant=tenant)


def data(event: str, number: int) -> dict[str, Any]:
    lines = [{"sku": f"sku-{line}", "count": line} for line in range(5)]
    return {"id": event, "total": 100 + number, "customer": number % 100, "lines": lines, "pad": "x" * 600}


def timed(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


@contextmanager
def using(settings: Mapping[str, Any]) -> Iterator[None]:
    from django.conf import settings as django_settings
    from django.test.utils import override_settings

    with override_settings(HOOKLINE={**django_settings.HOOKLINE, **settings}):
        yield


if __name__ == "__main__":
    sys.exit(main())
