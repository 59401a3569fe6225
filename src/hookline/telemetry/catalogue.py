"""Every metric: name, kind, labels, and what it says. Both `/metrics` and docs/metrics.md are made from this. Pure.

Labels are bounded: by the code (provider, reason, outcome) or by a number (`MAX_SERIES`, `MAX_TENANTS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Label values of one metric; what comes beyond is counted under "other".
MAX_SERIES = 1000
#: Tenants that are named in a backlog: those that have most. The others are counted under "other".
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
    #: Read from the database when it is asked for, and so the same whichever process is asked.
    from_database: bool = False


#: A handler takes a millisecond or a minute; a request to an endpoint no longer than DELIVERY_TIMEOUT.
RUN_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300)
#: From the moment something was stored: milliseconds when all is well, hours after retries.
WAIT_BUCKETS = (0.01, 0.05, 0.2, 1, 5, 30, 120, 600, 3600, 21600, 86400)

RECEIVED = Metric(
    "hookline_events_received_total",
    Kind.COUNTER,
    "Events that were verified and committed. `outcome`: `accepted`, `duplicate`, `repeat` or `conflict` of a known "
    "event (new all the same), `unreadable` item of a batch. Their sum is what was verified",
    ("provider", "outcome"),
)
REFUSED = Metric(
    "hookline_requests_refused_total",
    Kind.COUNTER,
    "Requests that were refused. `provider` is empty where the URL belongs to no source",
    ("provider", "reason", "status"),
)
PROCESSED = Metric(
    "hookline_events_processed_total",
    Kind.COUNTER,
    "Runs of an event's handlers. `outcome`: `succeeded`, `unhandled` (no handler wanted it), `retried`, `dead`, "
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
    "Messages that were dispatched and committed, whether or not an endpoint wants them",
)
PUBLISH_FAILURES = Metric(
    "hookline_publish_failures_total",
    Kind.COUNTER,
    "Changes of models that `publish()` could not dispatch. `type`: of the message",
    ("type",),
)
ATTEMPTS = Metric(
    "hookline_delivery_attempts_total",
    Kind.COUNTER,
    "Attempts to deliver. `outcome`: `delivered`, `retried`, `dead`. `reason`: the class of the status (`2xx`, `4xx`), "
    "or what went wrong instead, such as `timeout`",
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
    "From the moment a message was dispatched until an endpoint took it, retries included",
    (),
    WAIT_BUCKETS,
)
DEAD = Metric(
    "hookline_jobs_dead_total",
    Kind.COUNTER,
    "Events and deliveries that have no tries left, and wait for a person",
    ("kind",),
)
CLAIMED = Metric("hookline_jobs_claimed_total", Kind.COUNTER, "Jobs that workers claimed", ("kind",))
LEASES_LOST = Metric(
    "hookline_leases_lost_total", Kind.COUNTER, "Jobs that another worker claimed while this one held them", ("kind",)
)
LEASES_EXPIRED = Metric(
    "hookline_leases_expired_total", Kind.COUNTER, "Jobs that were taken back because their worker is gone", ("kind",)
)
BREAKER_CHANGES = Metric(
    "hookline_breaker_changes_total",
    Kind.COUNTER,
    "Changes of endpoints' breakers. `state` is the new one: `closed`, `open`, `half-open`",
    ("state",),
)
SUSPENDED = Metric("hookline_endpoints_suspended_total", Kind.COUNTER, "Endpoints that answered 410 and were suspended")
PRUNED = Metric("hookline_rows_pruned_total", Kind.COUNTER, "Rows of history that were deleted", ("kind",))
SENDER_UNDER_WAY = Metric(
    "hookline_sender_requests",
    Kind.GAUGE,
    "Deliveries that are being sent or recorded. Each process sends up to DELIVERY_CONCURRENCY at once",
)
SENDER_WAITING = Metric("hookline_sender_waiting", Kind.GAUGE, "Deliveries that were claimed and wait for their turn")
SENDER_IDLE = Metric(
    "hookline_sender_idle_connections", Kind.GAUGE, "Connections to endpoints that wait for their next request"
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
    "Age of the oldest pending job, 0 where there is none. What waits for a retry counts, too",
    ("kind",),
    from_database=True,
)
LAG = Metric(
    "hookline_lag_seconds",
    Kind.GAUGE,
    "How long the job that is overdue for the longest time has waited for a worker",
    ("kind",),
    from_database=True,
)
TENANT_BACKLOG = Metric(
    "hookline_tenant_pending",
    Kind.GAUGE,
    f"Of the 10,000 oldest pending jobs, those of each tenant; the {MAX_TENANTS} that have most are named by their "
    "key, the others are `other`",
    ("kind", "tenant"),
    from_database=True,
)
TENANT_OLDEST = Metric(
    "hookline_tenant_oldest_pending_seconds",
    Kind.GAUGE,
    "Age of the oldest pending job of these tenants",
    ("kind", "tenant"),
    from_database=True,
)
ENDPOINTS = Metric(
    "hookline_endpoints",
    Kind.GAUGE,
    "Endpoints to which nothing is sent. `state`: `open` and `half-open` are breakers, `disabled` waits for a person. "
    "Counted up to 1,000",
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
    return "\n".join([_INTRODUCTION, "| metric | kind | labels | what it says |", "|---|---|---|---|", *rows, ""])


_INTRODUCTION = """# Metrics

`GET /metrics` answers in Prometheus' format, in `hookline serve` and wherever a project includes `hookline.urls`.
`hookline worker` answers it where `METRICS_LISTEN` names an address and a port, such as `0.0.0.0:9464`; all its
processes share that.

**Who may read it.** With `METRICS_TOKEN` set, whoever sends `Authorization: Bearer <token>`. Without it, only a request
that comes straight from a loopback or private address, with no sign of a proxy before it (`Forwarded`, `Via`,
`X-Forwarded-For`, `X-Real-IP`); anybody else is answered 403. Behind a proxy, set the token.

**Several processes.** `hookline serve` and `hookline worker` add up what their processes count, whichever of them
answers. Under Gunicorn, for Celery, or to see `hookline worker` through the server beside it, set
`PROMETHEUS_MULTIPROC_DIR` to the same empty directory for all processes of a machine before they start
([prometheus-client's own way](https://prometheus.github.io/client_python/multiprocess/)); it is counted per machine, so
scrape one address on each. What is read from the database is the same everywhere: take `max`, not `sum`, over
instances. It is read at most every ten seconds, however often it is asked for.

**See it, and be woken.** [grafana/hookline.json](grafana/hookline.json) is a dashboard to import into Grafana;
[prometheus/alerts.yml](prometheus/alerts.yml) has alert rules for Prometheus, each with what to do.

Counting is always on and costs a microsecond or two for each event or attempt. Labels are bounded by the code, or by a
number: no label has an id of a source, an endpoint or an event. Those are in the log
([operations.md](operations.md#the-log)).
"""
