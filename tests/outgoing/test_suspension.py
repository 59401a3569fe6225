"""An endpoint that keeps failing is suspended, and people are told of it: once, by e-mail, signal and webhook."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test.utils import override_settings

from hookline import dispatch, signals
from hookline.core.breaker import BreakerSettings
from hookline.models import Delivery, Endpoint, Message, Tenant
from hookline.outgoing.deliver import breakers as health
from hookline.server import environment
from hookline.telemetry.courier import courier
from hookline.testing import StubTransport, deliver_all
from tests.engine.rows import ago, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = BreakerSettings(trip_after=1, first_pause=0.0, longest_pause=0.0, close_after=1, apart=0.0)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """An endpoint of a tenant with an address, whose breaker asks it again at once."""
    monkeypatch.setattr(health, "SETTINGS", QUICK)
    tenant = Tenant.objects.create(key="acme", email="ops@acme.example")
    return make_endpoint("https://hooks.acme.example/in?token=made-up", tenant=tenant)


def attempt(status: int, times: int) -> None:
    """So many attempts, one after the other."""
    for _ in range(times):
        Delivery.objects.filter(state="pending").update(due_at=ago(1))
        deliver_all(StubTransport(status))
    assert courier.drain(10)


def using(**settings: Any) -> Any:
    return override_settings(HOOKLINE={**django_settings.HOOKLINE, "DELIVERY_RETRY_DELAYS": [3600] * 20, **settings})


def told() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


def test_its_tenant_is_warned_and_then_told_by_e_mail_what_failed_since_when_and_how_to_resume(
    failing: Endpoint,
) -> None:
    with using(SUSPEND_AFTER_FAILURES=4):
        dispatch("invoice.paid", {}, tenant="acme")
        attempt(500, 1)
        assert told() == []
        attempt(500, 1)
        assert told() == ["Webhooks to hooks.acme.example are failing"]
        attempt(500, 2)
    assert told()[1:] == ["Webhooks to hooks.acme.example are suspended"]
    last = mail.outbox[-1]
    assert last.to == ["ops@acme.example"]
    text = str(last.body)
    assert "the endpoint answered 500" in text
    assert "It has failed since 20" in text
    assert f"hookline endpoint enable {failing.public_id}" in text
    assert "made-up" not in text
    failing.refresh_from_db()
    assert failing.disabled
    assert failing.disabled_at is not None
    # How long four attempts take depends on the machine.
    said = r"it failed 4 times in a row within (\d+m )?\d+s; the last one: the endpoint answered 500"
    assert re.match(said, failing.disabled_reason)


def test_one_that_recovers_is_told_of_too_and_one_that_never_failed_much_is_not(failing: Endpoint) -> None:
    with using(SUSPEND_AFTER_FAILURES=6):
        dispatch("invoice.paid", {}, tenant="acme")
        attempt(500, 3)
        attempt(200, 1)
        assert told() == [
            "Webhooks to hooks.acme.example are failing",
            "Webhooks to hooks.acme.example are delivered again",
        ]
        dispatch("invoice.paid", {}, tenant="acme")
        attempt(500, 1)
        attempt(200, 1)
    assert len(told()) == 2


def test_the_operational_tenant_gets_a_message_and_receivers_a_signal_of_each(failing: Endpoint) -> None:
    heard: list[str] = []

    def hear(name: str) -> Any:
        def receiver(endpoint: Endpoint, **more: Any) -> None:
            heard.append(name)

        return receiver

    operators = Tenant.objects.create(key="operators")
    make_endpoint("https://ops.example.com/", tenant=operators)
    receivers = {name: hear(name) for name in ("endpoint_failing", "endpoint_suspended", "endpoint_recovered")}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    try:
        with using(SUSPEND_AFTER_FAILURES=2, OPERATIONAL_TENANT="operators", NOTIFY_BY_EMAIL=False):
            dispatch("invoice.paid", {}, tenant="acme")
            attempt(500, 2)
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)
    published = Message.objects.get(tenant=operators)
    data = json.loads(bytes(published.body))["data"]
    assert (published.type, data["endpoint"]) == ("endpoint.suspended", failing.public_id)
    assert data["url"] == "https://hooks.acme.example/in?..."
    assert heard == ["endpoint_suspended"]
    assert mail.outbox == []
    assert Delivery.objects.filter(message=published).count() == 1


def test_the_url_of_a_mail_server_becomes_what_this_django_calls_it() -> None:
    given = environment.email("smtp://ops:p%40ss@mail.example.com?tls=starttls&from=hooks@example.com")
    assert given.pop("DEFAULT_FROM_EMAIL") == "hooks@example.com"
    if "MAILERS" in given:
        options = given["MAILERS"]["default"]["OPTIONS"]
    else:
        options = {name.removeprefix("EMAIL_").lower(): value for name, value in given.items()}
    assert (options["host"], options["port"], options["use_tls"], options["use_ssl"]) == (
        "mail.example.com", 587, True, False,
    )  # fmt: skip
    with override_settings(**given):
        backend: Any = mail.mailers["default"] if hasattr(mail, "mailers") else mail.get_connection()
    assert (backend.username, backend.password, backend.port) == ("ops", "p@ss", 587)
