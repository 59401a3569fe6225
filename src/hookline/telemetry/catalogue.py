"""Every metric: name, kind, labels and meaning. Both `/metrics` and docs/metrics.md are made from this. Pure.

Labels are bounded: by the code (provider, reason, outcome) or by a number (`MAX_SERIES`, `MAX_TENANTS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Maximum number of label values of one metric; further ones are counted under "other".
MAX_SERIES = 1000
#: Tenants that are named in a backlog: those with most jobs. The others are counted under "other".
MAX_TENANTS = 20


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is as Prometheus shows it, a counter's with `_total`."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    #: Upper bounds of a histogram, in seconds.
    buckets: tuple[float, ...] = ()
    #: Read from the database for each scrape, and so the same in every process.
    from_database: bool = False


#: A handler takes a millisecond or a minute; a request to an endpoint no longer than DELIVERY_TIMEOUT.
RUN_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300)
#: From the moment something was stored: milliseconds when all is well, hours after retries.
WAIT_BUCKETS = (0.01, 0.05, 0.2, 1, 5, 30, 120, 600, 3600, 21600, 86400)

RECEIVED = Metric(
    "hookline_events_received_total",
    Kind.COUNTER,
    "Events that were verified and committed. `outcome`: `accepted`, `duplicate`, `repeat` or `conflict` of a known "
    "event (new all the same), `unreadable` item of a batch. Their sum is the number of verified events",
    ("provider", "outcome"),
)
REFUSED = Metric(
    "hookline_requests_refused_total",
    Kind.COUNTER,
    "Requests that were refused. `provider` is empty if the URL belongs to no source",
    ("provider", "reason", "status"),
)
PROCESSED = Metric(
    "hookline_events_processed_total",
    Kind.COUNTER,
    "Runs of an event's handlers. `outcome`: `succeeded`, `unhandled` (no handler matched it), `retried`, `dead`, "
    "`cancelled`",
    ("provider", "outcome"),
)
PROCESSING = Metric(
    "hookline_event_processing_seconds",
    Kind.HISTOGRAM,
    "How long one run of an event's handlers took",
    ("provider",),
    RUN_BUCKETS,
)
EVENT_LAG = Metric(
    "hookline_event_lag_seconds",
    Kind.HISTOGRAM,
    "From the moment an event was received until its first run ended",
    (),
    WAIT_BUCKETS,
)
PUBLISHED = Metric(
    "hookline_messages_published_total",
    Kind.COUNTER,
    "Messages that were dispatched and committed, whether or not they matched an endpoint",
)
PUBLISH_FAILURES = Metric(
    "hookline_publish_failures_total",
    Kind.COUNTER,
    "Changes of models that `publish()` could not dispatch. `type`: the message's type",
    ("type",),
)
ATTEMPTS = Metric(
    "hookline_delivery_attempts_total",
    Kind.COUNTER,
    "Attempts to deliver. `outcome`: `delivered`, `retried`, `dead`. `reason`: the class of the status (`2xx`, `4xx`), "
    "or the error if there was no answer, such as `timeout`",
    ("outcome", "reason"),
)
ATTEMPT_TIME = Metric(
    "hookline_delivery_attempt_seconds",
    Kind.HISTOGRAM,
    "How long the request of one attempt took",
    (),
    (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
)
DELIVERY_LATENCY = Metric(
    "hookline_delivery_latency_seconds",
    Kind.HISTOGRAM,
    "From the moment a message was dispatched until an endpoint answered 2xx, retries included",
    (),
    WAIT_BUCKETS,
)
DEAD = Metric(
    "hookline_jobs_dead_total",
    Kind.COUNTER,
    "Events and deliveries that became dead and wait for a person",
    ("kind",),
)
CLAIMED = Metric("hookline_jobs_claimed_total", Kind.COUNTER, "Jobs that workers claimed", ("kind",))
LEASES_LOST = Metric(
    "hookline_leases_lost_total", Kind.COUNTER, "Jobs that another worker claimed while this one held them", ("kind",)
)
LEASES_EXPIRED = Metric(
    "hookline_leases_expired_total", Kind.COUNTER, "Jobs that were returned because their worker died", ("kind",)
)
BREAKER_CHANGES = Metric(
    "hookline_breaker_changes_total",
    Kind.COUNTER,
    "Changes of endpoints' breakers. `state` is the new one: `closed`, `open`, `half-open`",
    ("state",),
)
SUSPENDED = Metric("hookline_endpoints_suspended_total", Kind.COUNTER, "Endpoints that Hookline suspended")
PRUNED = Metric("hookline_rows_pruned_total", Kind.COUNTER, "Rows of history that were deleted", ("kind",))
SENDER_UNDER_WAY = Metric(
    "hookline_sender_requests",
    Kind.GAUGE,
    "Deliveries that are being sent or recorded. Each process sends up to DELIVERY_CONCURRENCY at once",
)
SENDER_WAITING = Metric("hookline_sender_waiting", Kind.GAUGE, "Deliveries that were claimed and wait to be sent")
SENDER_IDLE = Metric(
    "hookline_sender_idle_connections", Kind.GAUGE, "Idle connections to endpoints, kept for the next request"
)
BACKLOG = Metric(
    "hookline_jobs",
    Kind.GAUGE,
    "Jobs by state, counted up to 10,000",
    ("kind", "state"),
    from_database=True,
)
OLDEST = Metric(
    "hookline_oldest_pending_seconds",
    Kind.GAUGE,
    "Age of the oldest pending job, 0 if there is none. Jobs that wait for a retry count, too",
    ("kind",),
    from_database=True,
)
LAG = Metric(
    "hookline_lag_seconds",
    Kind.GAUGE,
    "How long the longest overdue job has waited for a worker",
    ("kind",),
    from_database=True,
)
TENANT_BACKLOG = Metric(
    "hookline_tenant_pending",
    Kind.GAUGE,
    f"Of the 10,000 oldest pending jobs, those of each tenant; the {MAX_TENANTS} tenants with most are named by their "
    "key, the others are `other`; empty for jobs of no tenant",
    ("kind", "tenant"),
    from_database=True,
)
TENANT_OLDEST = Metric(
    "hookline_tenant_oldest_pending_seconds",
    Kind.GAUGE,
    "Age of the oldest pending job of each of these tenants",
    ("kind", "tenant"),
    from_database=True,
)
ENDPOINTS = Metric(
    "hookline_endpoints",
    Kind.GAUGE,
    "Endpoints to which nothing is sent. `state`: `open` and `half-open` are states of the breaker, `disabled` "
    "endpoints wait for a person. Counted up to 1,000",
    ("state",),
    from_database=True,
)
HANGING = Metric(
    "hookline_hanging_handlers",
    Kind.GAUGE,
    "Handlers that timed out after HANDLER_TIMEOUT and still run",
    from_database=True,
)

METRICS: tuple[Metric, ...] = (
    RECEIVED,
    REFUSED,
    PROCESSED,
    PROCESSING,
    EVENT_LAG,
    PUBLISHED,
    PUBLISH_FAILURES,
    ATTEMPTS,
    ATTEMPT_TIME,
    DELIVERY_LATENCY,
    DEAD,
    CLAIMED,
    LEASES_LOST,
    LEASES_EXPIRED,
    BREAKER_CHANGES,
    SUSPENDED,
    PRUNED,
    SENDER_UNDER_WAY,
    SENDER_WAITING,
    SENDER_IDLE,
    BACKLOG,
    OLDEST,
    LAG,
    TENANT_BACKLOG,
    TENANT_OLDEST,
    ENDPOINTS,
    HANGING,
)


def page() -> str:
    """docs/metrics.md."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.text}.{' From the database.' if metric.from_database else ''} |"
        for metric in METRICS
    ]
    return "\n".join([_INTRODUCTION, "| metric | kind | labels | meaning |", "|---|---|---|---|", *rows, ""])


_INTRODUCTION = """# Metrics

`GET /metrics` answers in Prometheus' format, in `hookline serve` and in projects that include `hookline.urls`.
`hookline worker` answers it if `METRICS_LISTEN` names an address and a port, such as `0.0.0.0:9464`; all its
processes share that.

**Who may read it.** With `METRICS_TOKEN`, clients that send `Authorization: Bearer <token>`. Without it, only requests
that come directly from a loopback or private address, without headers of a proxy (`Forwarded`, `Via`,
`X-Forwarded-For`, `X-Real-IP`). All others are answered 403. Behind a proxy, set the token.

**Several processes.** `hookline serve` and `hookline worker` add up the counts of their processes, whichever of them
answers. Under Gunicorn, for Celery, or to see `hookline worker` through the server on the same machine, set
`PROMETHEUS_MULTIPROC_DIR` to the same empty directory for all processes of a machine before they start
([as prometheus-client describes](https://prometheus.github.io/client_python/multiprocess/)). Counts are per machine, so
scrape one address on each. Metrics from the database are the same everywhere: take `max`, not `sum`, over
instances. They are read at most every ten seconds, however often you scrape.

**Dashboard and alerts.** [grafana/hookline.json](grafana/hookline.json) is a dashboard to import into Grafana;
[prometheus/alerts.yml](prometheus/alerts.yml) has alert rules for Prometheus, each with what to do.

Counting is always on and costs a microsecond or two for each event or attempt. Labels are bounded by the code, or by a
number: no label has an id of a source, an endpoint or an event. Those are in the log
([operations.md](operations.md#the-log)).
"""
