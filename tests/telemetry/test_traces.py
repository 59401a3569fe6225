"""The spans that OpenTelemetry's own SDK collects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hookline import dispatch, handler
from hookline.core.secrets import SecretRing
from hookline.incoming.models import Event, Source
from hookline.incoming.process.handlers import forget
from hookline.outgoing.models import Endpoint, Message
from hookline.telemetry import tracing
from hookline.tenants.models import resolve
from hookline.testing import StubTransport, deliver_all, run_events, sign_webhook

pytestmark = pytest.mark.django_db(transaction=True)

#: Of the W3C's specification, https://www.w3.org/TR/trace-context/#traceparent-header
TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Spans:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """What is collected while this test runs; OpenTelemetry itself takes a provider only once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield Spans(exporter)
    provider.shutdown()


@pytest.fixture
def source(transactional_db: None) -> Source:
    source = Source(tenant=resolve(None), provider="stripe")
    source.secrets = SecretRing.of("whsec_made_up")
    source.save()
    return source


@pytest.fixture
def endpoint(transactional_db: None) -> Endpoint:
    endpoint = Endpoint(tenant=resolve(None), url="https://consumer.example.com/hooks")
    endpoint.secrets = SecretRing.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint.save()
    return endpoint


def post(client: Client, source: Source, **headers: str) -> Any:
    request = sign_webhook(source, "invoice.paid")
    signed = {name: values[0] for name, values in request.headers.items() if name != "content-type"}
    return client.post(source.path, request.body, "application/json", headers={**signed, **headers})


def test_one_trace_leads_from_the_sender_to_every_attempt(
    client: Client, source: Source, endpoint: Endpoint, spans: Spans
) -> None:
    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("order.paid", {})

    try:
        post(client, source, traceparent=f"00-{TRACE_ID}-{SPAN_ID}-01")
        run_events()
    finally:
        forget(announce)
    consumer = StubTransport(503, 200)
    deliver_all(consumer)
    Message.objects.get().deliveries.update(due_at="2020-01-01T00:00Z")
    deliver_all(consumer)

    receipt, run = spans.one("receive webhook"), spans.one("process event")
    (handled,) = [span for span in spans.named("process event") if span.name == "process event"]
    call = next(span for span in spans._exporter.get_finished_spans() if span.name.endswith("announce"))
    attempts = spans.named("deliver")
    assert len(attempts) == 2
    for span in (receipt, run, handled, call, *attempts):
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert receipt.parent is not None
    assert f"{receipt.parent.span_id:016x}" == SPAN_ID
    assert run.parent is not None
    assert receipt.context is not None
    assert run.parent.span_id == receipt.context.span_id
    assert call.context is not None
    assert {attempt.parent and attempt.parent.span_id for attempt in attempts} == {call.context.span_id}
    sent = [request.headers["traceparent"] for request in consumer.sent]
    assert sent == [
        f"00-{TRACE_ID}-{attempt.context.span_id:016x}-01" for attempt in attempts if attempt.context is not None
    ]
    assert [span.status.is_ok for span in attempts] == [False, True]


def test_spans_name_what_they_are_about(client: Client, source: Source, endpoint: Endpoint, spans: Spans) -> None:
    post(client, source)
    run_events()
    dispatch("order.paid", {})
    (delivery,) = deliver_all(StubTransport(204))
    assert dict(spans.one("process event").attributes or {}) == {
        "hookline.event": Event.objects.get().public_id,
        "hookline.source": source.public_id,
        "hookline.tenant": source.tenant.public_id,
        "hookline.type": "invoice.paid",
        "hookline.attempt": 1,
    }
    assert dict(spans.one("deliver").attributes or {}) == {
        "hookline.delivery": delivery.public_id,
        "hookline.endpoint": endpoint.public_id,
        "hookline.message_id": Message.objects.get().public_id,
        "hookline.tenant": endpoint.tenant.public_id,
        "hookline.attempt": 1,
        "http.response.status_code": 204,
    }
    assert (spans.one("receive webhook").attributes or {})["http.response.status_code"] == 200


def test_a_handler_that_fails_leaves_a_failed_span(client: Client, source: Source, spans: Spans) -> None:
    @handler("stripe")
    def fail(event: Event) -> None:
        raise RuntimeError("made to fail")

    try:
        post(client, source)
        run_events(raise_errors=False)
    finally:
        forget(fail)
    assert not spans.one("process event").status.is_ok


def test_without_a_tracer_provider_nothing_is_added(client: Client, source: Source, endpoint: Endpoint) -> None:
    post(client, source)
    assert "traceparent" not in Event.objects.get().headers
    dispatch("order.paid", {})
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert "traceparent" not in consumer.sent[0].headers
    assert Message.objects.get().traceparent is None


def test_a_module_that_another_thread_is_still_importing_traces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lazy import elsewhere, as Celery's Redis client makes one, must not fail the first requests."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))

    assert tracing.tracer() is None
