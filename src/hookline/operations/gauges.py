"""How much waits, for whom and since when, as Prometheus asks for it.

Read from the database at most every ten seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from django.db import DatabaseError, router
from django.db.models import Count, Min

from hookline.core.breaker import State as Breaker
from hookline.db import clock
from hookline.engine.backlog import MOST
from hookline.engine.job import Job, State
from hookline.engine.kind import declared
from hookline.operations import doctor
from hookline.operations.stats import NAMED, backlogs
from hookline.outgoing.models import Endpoint
from hookline.telemetry import catalogue
from hookline.telemetry.catalogue import MAX_TENANTS, Metric
from hookline.telemetry.prometheus import OTHER

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

logger = logging.getLogger("hookline.telemetry")

#: How long what was read is good for, in seconds.
FRESH = 10.0

#: A metric, the values of its labels, and its value.
Sample = tuple[Metric, tuple[str, ...], float]


class Gauges:
    """A collector for prometheus-client. However many ask at once, one reads and the others get what it read."""

    def __init__(self, read: Callable[[], Iterable[Sample]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._samples: list[Sample] = []
        self._read_at = float("-inf")

    def describe(self) -> Iterable[Family]:
        """Nothing: to be registered must not ask the database."""
        return ()

    def collect(self) -> Iterator[Family]:
        """What is known now. Without a database, nothing: a gauge that is missing says more than one that is old."""
        from prometheus_client.core import GaugeMetricFamily

        families: dict[str, GaugeMetricFamily] = {}
        for metric, labels, value in self._samples_now():
            if metric.name not in families:
                families[metric.name] = GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)
            families[metric.name].add_metric(labels, value)
        yield from families.values()

    def _samples_now(self) -> list[Sample]:
        with self._lock:
            if self._monotonic() - self._read_at >= FRESH:
                try:
                    self._samples = list(self._read())
                except DatabaseError:
                    logger.warning("cannot read the backlog for /metrics", exc_info=True)
                    self._samples = []
                self._read_at = self._monotonic()
            return self._samples


def read() -> Iterator[Sample]:
    """Raises DatabaseError."""
    for kind, backlog in backlogs().items():
        for state, number in backlog.states.items():
            yield catalogue.BACKLOG, (kind, state), number
        yield catalogue.OLDEST, (kind,), backlog.oldest_pending or 0.0
        yield catalogue.LAG, (kind,), backlog.lag or 0.0
    for declaration in declared():
        yield from by_tenant(declaration.model)
    yield from endpoints()
    yield catalogue.HANGING, (), len(doctor.hanging())


def by_tenant(model: type[Job]) -> Iterator[Sample]:
    """Of the oldest 10,000 pending jobs, how many each tenant has and since when. Raises DatabaseError."""
    kind, now = model.nouns, clock.now(model)
    jobs = model._default_manager.using(router.db_for_write(model))
    oldest = jobs.filter(state=State.PENDING).order_by("created_at").values("pk")[:MOST]
    tenant = f"{model.lane}__tenant__key"
    rows = (
        jobs.filter(pk__in=oldest)
        .order_by()
        .values_list(tenant)
        .annotate(number=Count("pk"), since=Min("created_at"))
        .order_by("-number", tenant)
    )
    others: list[tuple[int, float]] = []
    for place, (key, number, since) in enumerate(rows):
        age = max(0.0, now - since.timestamp())
        if place < MAX_TENANTS:
            # A replay may be of no tenant. An empty label is to Prometheus as if there were none.
            yield catalogue.TENANT_BACKLOG, (kind, key or ""), number
            yield catalogue.TENANT_OLDEST, (kind, key or ""), age
        else:
            others.append((number, age))
    if others:
        yield catalogue.TENANT_BACKLOG, (kind, OTHER), sum(number for number, _ in others)
        yield catalogue.TENANT_OLDEST, (kind, OTHER), max(age for _, age in others)


def endpoints() -> Iterator[Sample]:
    """Those to which nothing is sent. Raises DatabaseError."""
    counted = {Breaker.OPEN: 0, Breaker.HALF_OPEN: 0}
    failing = Endpoint.objects.only("breaker_state").filter(disabled=False).exclude(breaker_state={}).order_by("id")
    for endpoint in failing[:NAMED]:
        if (state := endpoint.breaker.state) in counted:
            counted[state] += 1
    for state, number in counted.items():
        yield catalogue.ENDPOINTS, (state.value,), number
    yield catalogue.ENDPOINTS, ("disabled",), Endpoint.objects.filter(disabled=True, deleted_at=None)[:NAMED].count()


#: Of this process.
gauges = Gauges(read)
