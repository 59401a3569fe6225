"""The sink Prometheus: counts records with prometheus-client, in memory or, with several processes, in shared files."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hookline.core import ids
from hookline.telemetry import catalogue, records
from hookline.telemetry.catalogue import MAX_SERIES, Kind, Metric
from hookline.telemetry.emit import subscribe

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

logger = logging.getLogger("hookline.telemetry")

#: Where several processes keep what they count, as prometheus-client has it.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

#: Seconds from the first record until prometheus-client is loaded, which takes 15 ms: then no process is starting.
LOADED_AFTER = 0.3

#: Value of each label beyond MAX_SERIES.
OTHER = "other"


class Series:
    """The time series of one metric, each kept at hand: prometheus-client takes longer to find one than to count."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        import prometheus_client

        name = metric.name.removesuffix("_total")
        self._labels = metric.labels
        self._known: dict[tuple[str, ...], Any] = {}
        if metric.kind is Kind.COUNTER:
            self._metric: Any = prometheus_client.Counter(name, metric.text, metric.labels, registry=registry)
        elif metric.kind is Kind.HISTOGRAM:
            self._metric = prometheus_client.Histogram(
                name, metric.text, metric.labels, registry=registry, buckets=metric.buckets
            )
        else:
            self._metric = prometheus_client.Gauge(
                name, metric.text, metric.labels, registry=registry, multiprocess_mode="livesum"
            )

    def of(self, *values: str) -> Any:
        """prometheus-client's own object for these label values."""
        known = self._known.get(values)
        if known is None:
            if len(self._known) >= MAX_SERIES:
                values = tuple(OTHER for _ in self._labels)
            known = self._known[values] = self._metric.labels(*values) if self._labels else self._metric
        return known


def observe_all(histogram: Any, values: Iterable[float]) -> None:
    """`observe()` of each value, at the price of one for all: prometheus-client takes a lock or two for each."""
    bounds, buckets = histogram._upper_bounds, histogram._buckets  # noqa: SLF001  # there is no public way to many
    found: dict[int, int] = {}
    total = 0.0
    for value in values:
        place = bisect_left(bounds, value)
        found[place] = found.get(place, 0) + 1
        total += value
    for place, number in found.items():
        buckets[place].inc(number)
    histogram._sum.inc(total)  # noqa: SLF001  # as above


class Prometheus:
    """Counts records. prometheus-client is loaded soon after the first one, on a thread that nobody waits for."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.connected = False
        #: What has not been counted, because prometheus-client is not loaded; then None.
        self._early: list[Callable[[], object]] | None = []
        self._loading: threading.Thread | None = None
        self._made: dict[str, Series] | None = None
        #: Sender -> what it used last.
        self._senders: dict[int, records.SenderUsed] = {}

    def connect(self) -> None:
        """Count every record from now on."""
        self.connected = True
        sinks: dict[type, Callable[[Any], object]] = {
            records.EventsStored: self.events_stored,
            records.RequestRefused: self.request_refused,
            records.EventsProcessed: self.events_processed,
            records.MessagesPublished: lambda record: self._count(catalogue.PUBLISHED, by=record.number),
            records.PublishFailed: lambda record: self._count(catalogue.PUBLISH_FAILURES, record.type),
            records.DeliveriesAttempted: self.deliveries_attempted,
            records.JobsDied: lambda record: self._count(catalogue.DEAD, record.kind, by=len(record.ids)),
            records.JobsClaimed: partial(self._count_jobs, catalogue.CLAIMED),
            records.LeasesLost: partial(self._count_jobs, catalogue.LEASES_LOST),
            records.LeasesExpired: partial(self._count_jobs, catalogue.LEASES_EXPIRED),
            records.BreakerChanged: lambda record: self._count(catalogue.BREAKER_CHANGES, record.after),
            records.EndpointSuspended: lambda _: self._count(catalogue.SUSPENDED),
            records.RowsPruned: self.rows_pruned,
            records.SenderUsed: self.sender_used,
        }
        for kind, sink in sinks.items():
            subscribe(kind, partial(self._take, sink))
        atexit.register(self.count_the_last)

    @cached_property
    def registry(self) -> CollectorRegistry:
        """Of Hookline alone: a project's own metrics are elsewhere."""
        from prometheus_client import CollectorRegistry

        return CollectorRegistry()

    def exposition(self, accept: str, beside: Iterable[Collector] = ()) -> tuple[bytes, str]:
        """All that was counted, in all processes of this machine, and what else is collected `beside` it.

        Returns the document and its content type. `accept` is the header of the request.
        """
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        self.catch_up()
        shown = CollectorRegistry()
        if directory := os.environ.get(DIRECTORY):
            shown.register(_OfAllProcesses(Path(directory)))
        else:
            shown.register(self.registry)
        for collector in beside:
            shown.register(collector)
        encode, content_type = choose_encoder(accept)
        return encode(shown), content_type

    def catch_up(self) -> None:
        """Load prometheus-client, unless it is, and count what came before."""
        with self._lock:
            early, _ = self._early, self._series
            for count in early or ():
                count()
            self._early = None

    def count_the_last(self) -> None:
        """Before this process ends: count what came just now, if others can still read it."""
        if self._early and os.environ.get(DIRECTORY):
            self.catch_up()

    def _take(self, sink: Callable[[Any], object], record: object) -> None:
        if self._early is not None:
            with self._lock:
                if self._early is not None:  # nobody loaded it meanwhile
                    self._early.append(partial(sink, record))
                    # A thread does not live on in a process that was forked.
                    if self._loading is None or not self._loading.is_alive():
                        self._loading = threading.Timer(LOADED_AFTER, self.catch_up)
                        self._loading.name, self._loading.daemon = "hookline-metrics", True
                        self._loading.start()
                    return
        sink(record)

    # ---- what is counted ---------------------------------------------------------------------------
    def events_stored(self, stored: records.EventsStored) -> None:
        counts: dict[tuple[str, str], int] = {}
        for event in stored.new:
            key = event.source.provider, _outcome_of_new(event)
            counts[key] = counts.get(key, 0) + 1
        for event in stored.duplicates:
            key = event.source.provider, "duplicate"
            counts[key] = counts.get(key, 0) + 1
        series = self._series[catalogue.RECEIVED.name]
        for (provider, outcome), number in counts.items():
            series.of(provider, outcome).inc(number)

    def request_refused(self, refused: records.RequestRefused) -> None:
        provider = refused.source.provider if refused.source is not None else ""
        self._count(catalogue.REFUSED, provider, refused.reason, str(refused.status))

    def events_processed(self, processed: records.EventsProcessed) -> None:
        counts, times, lag = (
            self._series[metric.name] for metric in (catalogue.PROCESSED, catalogue.PROCESSING, catalogue.EVENT_LAG)
        )
        now = time.time()
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        outcomes: defaultdict[tuple[str, str], int] = defaultdict(int)
        for run in processed.runs:
            provider = run.event.source.provider
            outcomes[provider, _outcome_of_run(run.settlement)] += 1
            seconds[provider].append(run.seconds)
        for labels, number in outcomes.items():
            counts.of(*labels).inc(number)
        for provider, values in seconds.items():
            observe_all(times.of(provider), values)
        first = [run.event.id for run in processed.runs if run.event.attempts == 1]
        observe_all(lag.of(), [max(0.0, now - ids.made_at(one)) for one in first])

    def deliveries_attempted(self, attempted: records.DeliveriesAttempted) -> None:
        counts, times, latency = (
            self._series[metric.name]
            for metric in (catalogue.ATTEMPTS, catalogue.ATTEMPT_TIME, catalogue.DELIVERY_LATENCY)
        )
        now = time.time()
        outcomes: defaultdict[tuple[str, str], int] = defaultdict(int)
        delivered: list[float] = []
        for result in attempted.results:
            outcome = _OUTCOMES.get(result.settlement.state, "retried")
            outcomes[outcome, result.outcome.reason] += 1
            if outcome == "delivered":
                delivered.append(max(0.0, now - ids.made_at(result.outbound.id)))
        for (outcome, reason), number in outcomes.items():
            counts.of(outcome, reason_class(reason)).inc(number)
        observe_all(times.of(), [result.response.duration_ms / 1000 for result in attempted.results])
        observe_all(latency.of(), delivered)

    def rows_pruned(self, pruned: records.RowsPruned) -> None:
        for kind, number in pruned.deleted.items():
            self._count(catalogue.PRUNED, kind, by=number)

    def sender_used(self, used: records.SenderUsed) -> None:
        with self._lock:
            self._senders[used.sender] = used
            senders = tuple(self._senders.values())
            if not (used.under_way or used.waiting or used.idle_connections):
                del self._senders[used.sender]  # it has ended, perhaps
        self._series[catalogue.SENDER_UNDER_WAY.name].of().set(sum(one.under_way for one in senders))
        self._series[catalogue.SENDER_WAITING.name].of().set(sum(one.waiting for one in senders))
        self._series[catalogue.SENDER_IDLE.name].of().set(sum(one.idle_connections for one in senders))

    def _count_jobs(
        self, metric: Metric, record: records.JobsClaimed | records.LeasesLost | records.LeasesExpired
    ) -> None:
        self._count(metric, record.kind, by=record.number)

    def _count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        self._series[metric.name].of(*labels).inc(by)

    @property
    def _series(self) -> dict[str, Series]:
        if self._made is None:
            with self._lock:
                if self._made is None:  # nobody else made it meanwhile
                    counted = [metric for metric in catalogue.METRICS if not metric.from_database]
                    self._made = {metric.name: Series(metric, self.registry) for metric in counted}
        return self._made


class _OfAllProcesses:
    """What the processes that share a directory have counted. A project's own metrics in it are left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Any]:
        from prometheus_client.multiprocess import MultiProcessCollector

        files = [str(path) for path in self._directory.glob("*.db") if _is_begun(path)]
        merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]  # prometheus-client has types for most
        return [metric for metric in merged if metric.name.startswith("hookline_")]


def _is_begun(file: Path) -> bool:
    """False for a file that its process has only just made: prometheus-client fails at one that is empty."""
    with suppress(FileNotFoundError):  # or its process has ended
        return file.stat().st_size > 0
    return False


@contextmanager
def counted_together() -> Iterator[None]:
    """Have the processes that are forked in the block count together: whichever is asked for metrics knows all.

    In a directory that goes with the block, unless the environment names one. Has no effect once prometheus-client is
    loaded, which decides then how it counts.
    """
    if os.environ.get(DIRECTORY):
        yield
        return
    if "prometheus_client" in sys.modules:
        logger.warning(
            "each process counts for itself in /metrics, since something of yours loads prometheus_client while it "
            "starts; set %s to an empty directory to have them add up",
            DIRECTORY,
        )
        yield
        return
    directory = os.environ[DIRECTORY] = tempfile.mkdtemp(prefix="hookline-metrics-")
    try:
        yield
    finally:
        del os.environ[DIRECTORY]
        shutil.rmtree(directory, ignore_errors=True)


def process_ended(pid: int) -> None:
    """A process of this machine is gone: what it used is not used any more. What it counted stays."""
    if os.environ.get(DIRECTORY):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # prometheus-client has types for most


def reason_class(reason: str) -> str:
    """`status_503` -> `5xx`; anything else is a Failure and stays."""
    return f"{reason[7]}xx" if reason.startswith("status_") else reason


_OUTCOMES = {"succeeded": "delivered", "dead": "dead", "cancelled": "dead"}


def _outcome_of_new(event: Any) -> str:
    if event.problem:
        return "unreadable"
    if event.repeat_of:
        return "repeat"
    return "conflict" if event.conflict_of else "accepted"


def _outcome_of_run(settlement: Any) -> str:
    state = settlement.state.value
    if state == "succeeded":
        return "unhandled" if settlement.note else "succeeded"
    return "retried" if state == "pending" else str(state)


#: Of this process.
prometheus = Prometheus()
