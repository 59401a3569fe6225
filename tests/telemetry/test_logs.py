"""What a line of the log carries as fields."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client, override_settings

from hookline import dispatch, handler
from hookline.core.secrets import SecretRing
from hookline.incoming.models import Event, Source
from hookline.incoming.process.handlers import forget
from hookline.outgoing.models import Endpoint, Message
from hookline.server.logs import JsonFormatter, TextFormatter
from hookline.telemetry.log_fields import LogFields
from hookline.tenants.models import resolve
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events

pytestmark = pytest.mark.django_db(transaction=True)

user_log = logging.getLogger("shop.webhooks")


class Lines(logging.Handler):
    """Keeps each line as the standalone server would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))

    def with_text(self, text: str) -> dict[str, Any]:
        (found,) = (line for line in self.lines if text in line["message"])
        return {name: value for name, value in found.items() if name not in ("time", "error", "message", "logger")}


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def source(transactional_db: None) -> Source:
    source = Source(tenant=resolve(None), provider="stripe")
    source.secrets = SecretRing.of("whsec_made_up")
    source.save()
    return source


@override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": []})
def test_what_a_handler_logs_and_its_failure_name_the_event_its_source_and_its_tenant(
    client: Client, source: Source, lines: Lines
) -> None:
    @handler("stripe")
    def work(event: Event) -> None:
        user_log.info("at work")
        raise RuntimeError("made to fail")

    try:
        post_webhook(client, source, "invoice.paid")
        run_events(raise_errors=False)
    finally:
        forget(work)
    about = {"event": Event.objects.get().public_id, "source": source.public_id, "tenant": source.tenant.public_id}
    assert lines.with_text("at work") == {"level": "info", **about}
    assert lines.with_text("is dead after 1 attempts") == {"level": "error", **about}
    user_log.info("after it")
    assert lines.with_text("after it") == {"level": "info"}


def test_a_refusal_names_its_source(client: Client, source: Source, lines: Lines) -> None:
    client.post(source.path, b"{}", "application/json")
    assert lines.with_text("missing_header") == {
        "level": "warning",
        "source": source.public_id,
        "tenant": source.tenant.public_id,
    }


@override_settings(HOOKLINE={**django_settings.HOOKLINE, "DELIVERY_RETRY_DELAYS": []})
def test_a_dead_delivery_names_its_endpoint_message_and_tenant(lines: Lines) -> None:
    endpoint = Endpoint(tenant=resolve(None), url="https://consumer.example.com/hooks")
    endpoint.secrets = SecretRing.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint.save()
    dispatch("invoice.paid", {})
    (delivery,) = deliver_all(StubTransport(500))
    assert lines.with_text("is dead after 1 attempts") == {
        "level": "error",
        "delivery": delivery.public_id,
        "endpoint": endpoint.public_id,
        "message_id": Message.objects.get().public_id,
        "tenant": endpoint.tenant.public_id,
    }


def test_a_project_with_its_own_formatter_gets_the_fields_by_a_filter(client: Client, source: Source) -> None:
    found: list[logging.LogRecord] = []
    keeper = logging.Handler()
    keeper.emit = found.append  # type: ignore[assignment, method-assign]  # all that a handler is for
    keeper.addFilter(LogFields())
    user_log.addHandler(keeper)

    @handler("stripe")
    def work(event: Event) -> None:
        user_log.warning("at work")

    try:
        post_webhook(client, source, "invoice.paid")
        run_events()
    finally:
        forget(work)
        user_log.removeHandler(keeper)
    assert [vars(record)["event"] for record in found] == [Event.objects.get().public_id]


def test_what_a_handler_raises_about_a_strangers_text_steers_no_terminal(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    @handler("stripe", "invoice.hostile")
    def quote(event: Event) -> None:
        raise ValueError(f"no invoice \x9b31m\x1b]0;owned\x07 {event.type}\n2026-01-01 ERROR made up")

    try:
        post_webhook(Client(), source, "invoice.hostile", {})
        run_events(raise_errors=False)
    finally:
        forget(quote)
    [record] = [record for record in caplog.records if "failed and will be retried" in record.getMessage()]
    assert record.getMessage().isprintable()
    written = TextFormatter().format(record)
    assert "ValueError: no invoice" in written
    assert [line for line in written.split("\n")[1:] if not line.startswith("  ")] == []
    assert [c for c in written if not c.isprintable() and c != "\n"] == []
