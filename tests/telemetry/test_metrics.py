"""What `GET /metrics` says, read with Prometheus' own parser."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import F
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from hookline import Discard, conf, dispatch, dispatch_many, handler, testing
from hookline.core.secrets import SecretRing
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.engine.prune import Pruner, prune
from hookline.engine.settle import release_expired
from hookline.exceptions import LeaseLost
from hookline.incoming.models import Event, Rejection, Source
from hookline.incoming.process import run as process
from hookline.incoming.process.handlers import forget
from hookline.operations import gauges
from hookline.outgoing.deliver import load
from hookline.outgoing.deliver.record import record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery, Endpoint
from hookline.replays.models import Replay
from hookline.signals import event_dead
from hookline.telemetry.emit import emit, subscribe, wanted
from hookline.telemetry.prometheus import Prometheus
from hookline.telemetry.records import RowsPruned
from hookline.tenants.models import Tenant, resolve
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events
from hookline.transport.transport import Response
from tests.engine.rows import make_event
from tests.processes import Processes
from tests.waiting import wait_until
from tests.workers import events_worker

Labels = tuple[tuple[str, str], ...]


def parsed(text: str) -> dict[tuple[str, Labels], float]:
    """Every sample by name and labels, but for the moments at which counting began."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def scrape(client: Client) -> dict[tuple[str, Labels], float]:
    gauges.gauges._read_at = float("-inf")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["content-type"].startswith("text/plain; version=")
    return parsed(answer.content.decode())


@pytest.fixture
def change(client: Client) -> Callable[..., float]:
    """By how much a sample has changed since the test began."""
    before = scrape(client)

    def since(name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return scrape(client).get(key, 0.0) - before.get(key, 0.0)

    return since


@pytest.fixture
def source(db: None) -> Source:
    source = Source(tenant=resolve(None), provider="stripe")
    source.secrets = SecretRing.of("whsec_made_up")
    source.save()
    return source


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    endpoint = Endpoint(tenant=resolve(None), url="https://consumer.example.com/hooks")
    endpoint.secrets = SecretRing.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint.save()
    return endpoint


@pytest.fixture
def handle() -> Iterator[Callable[[Callable[[Event], object]], None]]:
    registered: list[Any] = []

    def register(function: Callable[[Event], object]) -> None:
        registered.append(handler("stripe")(function))

    yield register
    for function in registered:
        forget(function)


# ---- what is counted ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_webhook_and_its_duplicate_are_counted_once_each(
    client: Client, source: Source, change: Callable[..., float]
) -> None:
    post_webhook(client, source, "invoice.paid", event_id="evt_one")
    post_webhook(client, source, "invoice.paid", event_id="evt_one")
    assert change("hookline_events_received_total", provider="stripe", outcome="accepted") == 1
    assert change("hookline_events_received_total", provider="stripe", outcome="duplicate") == 1


@pytest.mark.django_db
def test_refusals_are_counted_by_reason(client: Client, source: Source, change: Callable[..., float]) -> None:
    client.post(source.path, b"{}", "application/json", headers={"stripe-signature": "t=1,v1=00"})
    client.post("/in/nobody", b"{}", "application/json")
    assert change("hookline_requests_refused_total", provider="", reason="unknown_source", status="404") == 1
    reason = source.rejections.get().reason
    assert change("hookline_requests_refused_total", provider="stripe", reason=reason, status="401") == 1


@pytest.mark.django_db(transaction=True)
def test_runs_of_handlers_are_counted_by_what_came_of_them_and_timed(
    client: Client, source: Source, change: Callable[..., float], handle: Callable[..., None]
) -> None:
    def work(event: Event) -> None:
        if event.type == "invoice.failed":
            raise RuntimeError("made to fail")
        if event.type == "invoice.unwanted":
            raise Discard("not for us")

    post_webhook(client, source, "invoice.unhandled")
    run_events()
    handle(work)
    for name in ("invoice.paid", "invoice.failed", "invoice.unwanted"):
        post_webhook(client, source, name)
    run_events(raise_errors=False)
    for outcome in ("unhandled", "succeeded", "retried", "cancelled"):
        assert change("hookline_events_processed_total", provider="stripe", outcome=outcome) == 1
    assert change("hookline_event_processing_seconds_count", provider="stripe") == 4
    assert change("hookline_event_lag_seconds_count") == 4
    assert change("hookline_event_processing_seconds_bucket", provider="stripe", le="60.0") == 4


@pytest.mark.django_db(transaction=True)
@override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": []})
def test_a_dead_event_is_counted_as_dead(
    client: Client, source: Source, change: Callable[..., float], handle: Callable[..., None]
) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("made to fail")

    handle(fail)
    post_webhook(client, source, "invoice.paid")
    run_events(raise_errors=False)
    assert change("hookline_events_processed_total", provider="stripe", outcome="dead") == 1
    assert change("hookline_jobs_dead_total", kind="events") == 1


@pytest.mark.django_db(transaction=True)
def test_attempts_are_counted_by_outcome_and_class(endpoint: Endpoint, change: Callable[..., float]) -> None:
    for _ in range(3):
        dispatch("invoice.paid", {})
    deliver_all(StubTransport(204, 503, Response(error="timeout", duration_ms=20_000)))
    assert change("hookline_delivery_attempts_total", outcome="delivered", reason="2xx") == 1
    assert change("hookline_delivery_attempts_total", outcome="retried", reason="5xx") == 1
    assert change("hookline_delivery_attempts_total", outcome="retried", reason="timeout") == 1
    assert change("hookline_delivery_attempt_seconds_count") == 3
    assert change("hookline_delivery_attempt_seconds_bucket", le="10.0") == 2
    assert change("hookline_delivery_latency_seconds_count") == 1


@pytest.mark.django_db(transaction=True)
def test_breakers_and_suspended_endpoints_are_counted(endpoint: Endpoint, change: Callable[..., float]) -> None:
    for _ in range(10):
        dispatch("invoice.paid", {})
    deliver_all(StubTransport(500))
    assert change("hookline_breaker_changes_total", state="open") == 1
    assert change("hookline_endpoints", state="open") == 1
    endpoint.refresh_from_db()
    endpoint.enable()
    endpoint.save()
    dispatch("invoice.paid", {})
    deliver_all(StubTransport(410))
    assert change("hookline_endpoints_suspended_total") == 1
    assert change("hookline_endpoints", state="disabled") == 1
    assert change("hookline_jobs_dead_total", kind="deliveries") == 1


@pytest.mark.django_db(transaction=True)
def test_messages_are_counted_once_they_are_committed_whoever_wants_them(
    endpoint: Endpoint, change: Callable[..., float], handle: Callable[..., None], source: Source, client: Client
) -> None:
    dispatch("invoice.paid", {}, idempotency_key="one")
    dispatch("invoice.paid", {}, idempotency_key="one")
    assert change("hookline_messages_published_total") == 1
    dispatch_many([("invoice.paid", {})] * 3, tenant=Tenant.objects.create(key="without-endpoints"))
    assert change("hookline_messages_published_total") == 4
    with transaction.atomic():
        dispatch("invoice.paid", {})
        transaction.set_rollback(True)
    assert change("hookline_messages_published_total") == 4

    def forward(event: Event) -> None:
        dispatch("order.paid", {})
        dispatch("order.paid", {})

    handle(forward)
    post_webhook(client, source, "invoice.paid")
    run_events()
    assert change("hookline_messages_published_total") == 6


@pytest.mark.django_db(transaction=True)
def test_jobs_are_counted_as_they_are_claimed_lost_and_taken_back(source: Source, change: Callable[..., float]) -> None:
    events = [make_event(source) for _ in range(3)]
    leases = kind_of(Event, conf.load({})).leases()
    claimed = leases.claim(2)
    assert change("hookline_jobs_claimed_total", kind="events") == 2
    Event.objects.filter(pk=claimed[0].pk).update(claim=claimed[0].claim + 1)  # another worker has it now
    with pytest.raises(LeaseLost):
        process.run(claimed[0])
    assert change("hookline_leases_lost_total", kind="events") == 1
    Event.objects.filter(state="running").update(lease_until="2020-01-01T00:00:00Z")
    assert release_expired(Event, 9) == 2
    assert change("hookline_leases_expired_total", kind="events") == 2
    assert len(events) == 3


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_another_worker_claimed_is_counted_as_lost(
    endpoint: Endpoint, change: Callable[..., float]
) -> None:
    dispatch("invoice.paid", {})
    to_send, _ = load.prepare(claim(Delivery, 1, 60), Signers(), time.time())
    results = asyncio.run(testing._send(to_send, StubTransport(204), conf.get().delivery_retry))
    Delivery.objects.update(claim=F("claim") + 1)  # another worker has it now
    record(results)
    assert change("hookline_leases_lost_total", kind="deliveries") == 1
    assert change("hookline_delivery_attempts_total", outcome="delivered", reason="2xx") == 0


@pytest.mark.django_db(transaction=True)
def test_rows_that_were_pruned_are_counted_by_kind(source: Source, change: Callable[..., float]) -> None:
    for _ in range(2):
        make_event(source, state="succeeded", finished_at="2020-01-01T00:00:00Z")
    Rejection.objects.create(source=source, reason="bad_signature", status=401, method="POST", path="/in/x")
    prune([Pruner(Event, -60), Pruner(Rejection, -60)])  # whatever was made until a minute from now
    assert change("hookline_rows_pruned_total", kind="events") == 2
    assert change("hookline_rows_pruned_total", kind="rejections") == 1


@pytest.mark.django_db(transaction=True)
@override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": []})
def test_a_handler_that_was_given_up_on_is_counted_and_told_of(
    source: Source, change: Callable[..., float], handle: Callable[..., None]
) -> None:
    go_on, told = threading.Event(), list[str]()

    def hang(event: Event) -> None:
        assert go_on.wait(60)

    def tell(event: Event, **named: Any) -> None:
        told.append(event.public_id)

    handle(hang)
    event = make_event(source)
    worker = events_worker(conf.load({"HANDLER_TIMEOUT": 0.3, "POLL": 0.05}), threads=1)
    event_dead.connect(tell)
    worker.start()
    try:
        wait_until(lambda: Event.objects.get().state == State.DEAD)
        wait_until(lambda: told == [event.public_id])
    finally:
        event_dead.disconnect(tell)
        go_on.set()
        worker.stop(10)
    assert change("hookline_events_processed_total", provider="stripe", outcome="dead") == 1
    assert change("hookline_jobs_dead_total", kind="events") == 1
    assert change("hookline_event_processing_seconds_count", provider="stripe") == 1
    assert change("hookline_event_processing_seconds_bucket", provider="stripe", le="0.1") == 0


# ---- what waits -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_backlog_names_the_tenants_that_have_most_and_no_more_than_twenty(client: Client) -> None:
    for number in range(23):
        tenant = Tenant.objects.create(key=f"tenant-{number:02}")
        source = Source.objects.create(tenant=tenant, provider="stripe", encrypted_secrets="")
        for event in range(1 + (number == 22)):
            Event.objects.create(source=source, type="x", dedup_key=str(event), body=b"")
    samples = scrape(client)
    by_tenant = {
        dict(labels)["tenant"]: value
        for (name, labels), value in samples.items()
        if name == "hookline_tenant_pending" and dict(labels)["kind"] == "events"
    }
    assert len(by_tenant) == 21
    assert by_tenant["tenant-22"] == 2
    assert by_tenant["other"] == 3
    assert samples["hookline_jobs", (("kind", "events"), ("state", "pending"))] == 24
    assert samples["hookline_oldest_pending_seconds", (("kind", "events"),)] > 0


@pytest.mark.django_db
def test_what_waits_for_no_tenant_is_counted_too(client: Client) -> None:
    """Such as a replay of the events of all sources."""
    Replay.objects.create(what="events", until=datetime.now(UTC))
    assert scrape(client)["hookline_tenant_pending", (("kind", "replays"), ("tenant", ""))] == 1


@pytest.mark.django_db
def test_the_database_is_read_once_however_often_it_is_asked_for(client: Client) -> None:
    asked: list[float] = []
    now = [0.0]

    def read() -> Iterator[gauges.Sample]:
        asked.append(now[0])
        return gauges.read()

    cached = gauges.Gauges(read, lambda: now[0])
    for moment in (0.0, 5.0, 9.9, 10.0, 12.0):
        now[0] = moment
        assert list(cached.collect())
    assert asked == [0.0, 10.0]


# ---- who may read it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("::1", {}, 200),
        ("::ffff:192.168.1.9", {}, 200),
        ("93.184.215.14", {}, 403),
        ("::ffff:93.184.215.14", {}, 403),
        ("127.0.0.1", {"x-forwarded-for": "93.184.215.14"}, 403),
        ("127.0.0.1", {"forwarded": "for=93.184.215.14"}, 403),
        ("127.0.0.1", {"via": "1.1 proxy"}, 403),
    ],
)
@pytest.mark.django_db
def test_without_a_token_only_who_is_near_reads_metrics(
    client: Client, address: str, headers: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address, headers=headers).status_code == status


@pytest.mark.django_db
@override_settings(HOOKLINE={**django_settings.HOOKLINE, "METRICS_TOKEN": "made-up"})
def test_with_a_token_whoever_has_it_reads_metrics_and_nobody_else(client: Client) -> None:
    known = {"authorization": "Bearer made-up"}
    assert client.get("/metrics", headers=known, REMOTE_ADDR="93.184.215.14").status_code == 200
    assert client.get("/metrics", headers={"authorization": "Bearer other"}).status_code == 403
    refused = client.get("/metrics")
    assert refused.status_code == 403
    assert refused.json() == {"error": {"code": "forbidden"}}
    assert client.post("/metrics", headers={"authorization": "Bearer made-up"}).status_code == 405


# ---- the seam -------------------------------------------------------------------------------------


def test_a_sink_that_fails_harms_neither_the_others_nor_the_emitter(caplog: pytest.LogCaptureFixture) -> None:
    got: list[object] = []

    def fail(record: object) -> None:
        raise RuntimeError("made to fail")

    ends = [subscribe(RowsPruned, fail), subscribe(RowsPruned, got.append)]
    emit(RowsPruned({"events": 1}))
    for end in ends:
        end()
    assert got == [RowsPruned({"events": 1})]
    assert "a sink of telemetry failed with a RowsPruned" in caplog.text


def test_a_record_is_wanted_only_while_a_sink_takes_it() -> None:
    class Nothing:
        pass

    assert not wanted(Nothing)
    end = subscribe(Nothing, id)
    assert wanted(Nothing)
    end()
    assert not wanted(Nothing)


# ---- several processes ----------------------------------------------------------------------------


def test_several_processes_add_up_whichever_is_asked(
    processes: Processes, database_url: str, free_port: int, tmp_path: Path
) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "hookline.server.settings", "HOOKLINE_DATABASE_URL": database_url}
    server = processes.hookline(
        "serve", "--port", str(free_port), "--processes", "2", "--no-worker", environment=environment
    )
    server.wait_for_output(f"Hookline listens on http://127.0.0.1:{free_port}")
    url = f"http://127.0.0.1:{free_port}"

    def refused() -> float:
        with urlopen(f"{url}/metrics", timeout=10) as answer:
            samples = parsed(answer.read().decode())
        labels = (("provider", ""), ("reason", "unknown_source"), ("status", "404"))
        return samples.get(("hookline_requests_refused_total", labels), 0.0)

    for number in range(20):  # each on a connection of its own, and so in either process
        with pytest.raises(OSError, match="404"):
            urlopen(f"{url}/in/nobody-{number}", data=b"{}", timeout=10)
    wait_until(lambda: refused() == 20)
    assert {refused() for _ in range(10)} == {20.0}


def test_a_process_that_begins_to_count_at_this_moment_spoils_no_answer(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    """It makes its file first, and a moment later gives it a length."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for kind in ("counter", "histogram", "gauge_livesum"):
        (tmp_path / f"{kind}_1.db").touch()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"hookline_jobs" in answer.content


def test_workers_without_a_server_answer_on_an_address_of_their_own(
    processes: Processes, database_url: str, free_port: int
) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_DATABASE_URL": database_url,
        "HOOKLINE_METRICS_LISTEN": f"127.0.0.1:{free_port}",
        "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
        "HOOKLINE_DELIVERY_RETRY_DELAYS": "3600",
    }
    assert processes.hookline("migrate", environment=environment).wait() == 0
    endpoint = processes.hookline("endpoint", "create", "--url", "https://127.0.0.1:50000/", environment=environment)
    assert endpoint.wait() == 0
    sent = processes.hookline("dispatch", "order.paid", "{}", environment=environment)
    assert sent.wait() == 0
    worker = processes.hookline("worker", "--processes", "2", environment=environment)
    worker.wait_for_output("Hookline works")
    url = f"http://127.0.0.1:{free_port}"

    def claimed() -> float:
        with urlopen(f"{url}/metrics", timeout=10) as answer:
            samples = parsed(answer.read().decode())
        assert samples["hookline_jobs", (("kind", "deliveries"), ("state", "dead"))] == 0
        return samples.get(("hookline_jobs_claimed_total", (("kind", "deliveries"),)), 0.0)

    wait_until(lambda: claimed() == 1)
    assert {claimed() for _ in range(10)} == {1.0}  # whichever of the two is asked
    with pytest.raises(OSError, match="404"):
        urlopen(f"{url}/in/nobody", timeout=10)
    with pytest.raises(OSError, match="403"):
        urlopen(Request(f"{url}/metrics", headers={"x-forwarded-for": "93.184.215.14"}), timeout=10)
    taken = processes.hookline("worker", environment=environment)
    assert taken.wait() != 0
    assert f"cannot listen on METRICS_LISTEN 127.0.0.1:{free_port}" in taken.output
    assert worker.stop() == 0


def test_what_happens_before_prometheus_client_is_loaded_is_counted() -> None:
    counting = Prometheus()
    take = partial(counting._take, counting.rows_pruned)  # no sink for good, in the process of all tests
    take(RowsPruned({"attempts": 3}))
    take(RowsPruned({"attempts": 2}))
    document, _ = counting.exposition("")
    take(RowsPruned({"attempts": 1}))
    after, _ = counting.exposition("")
    counts = [
        [value for (name, _), value in parsed(text.decode()).items() if name == "hookline_rows_pruned_total"]
        for text in (document, after)
    ]
    assert counts == [[5.0], [6.0]]
