"""Idempotency keys that compare content, messages that are sent later, and those that are cancelled before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.exceptions import ConfigurationError, Conflict, KeyReused
from hookline.operations import messages
from hookline.outgoing.models import Delivery, Message
from hookline.testing import StubTransport, deliver_all
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def test_a_key_with_the_same_content_returns_the_first_message() -> None:
    first = dispatch("order.paid", {"a": 1, "b": {"x", "y"}}, idempotency_key="k")
    again = dispatch("order.paid", {"b": ["x", "y"], "a": 1}, idempotency_key="k")
    assert again == first


@pytest.mark.parametrize(
    ("event_type", "data"), [("order.paid", {"a": 2}), ("order.void", {"a": 1}), ("order.paid", {})]
)
def test_a_key_with_another_type_or_body_is_an_error_and_the_callers_transaction_goes_on(
    event_type: str, data: Any
) -> None:
    first = dispatch("order.paid", {"a": 1}, idempotency_key="k")
    with transaction.atomic():
        with pytest.raises(KeyReused, match=first.public_id):
            dispatch(event_type, data, idempotency_key="k")
        dispatch("other", {})
    assert Message.objects.count() == 2


@pytest.mark.parametrize("filter_text", [None, "@.data.n == 1"])
def test_a_message_is_delivered_when_it_should_be_and_not_before(filter_text: str | None) -> None:
    make_endpoint(filter=filter_text)
    moment = in_hours(2)
    message = dispatch("order.reminded", {"n": 1}, deliver_at=moment)
    (delivery,) = message.deliveries.all()
    assert delivery.due_at == moment
    consumer = StubTransport(200)
    assert deliver_all(consumer) == []
    with connection.cursor() as cursor:  # two hours later
        hour = "due_at - interval '2 hours'" if connection.vendor == "postgresql" else "datetime(due_at, '-2 hours')"
        cursor.execute(f"UPDATE hookline_delivery SET due_at = {hour}")
    assert [delivery.state for delivery in deliver_all(consumer)] == ["succeeded"]
    assert dispatch("order.reminded", {"n": 1}, deliver_at=in_hours(-1)).deliveries.count() == 1
    assert len(deliver_all(consumer)) == 1


@pytest.mark.parametrize("moment", [datetime(2030, 1, 1), in_hours(24 * 400), "2030-01-01", 7])  # noqa: DTZ001
def test_a_time_that_cannot_be_is_refused(moment: Any) -> None:
    with pytest.raises(ConfigurationError, match="deliver_at"):
        dispatch("a", {}, deliver_at=moment)


def test_what_is_cancelled_before_it_is_sent_is_never_sent() -> None:
    make_endpoint()
    make_endpoint()
    message = dispatch("order.reminded", {}, deliver_at=in_hours(2))
    assert messages.cancel(SYSTEM, message) == 2
    Delivery.objects.update(due_at=in_hours(-1))
    consumer = StubTransport(200)
    assert deliver_all(consumer) == []
    assert set(Delivery.objects.values_list("state", "note")) == {("cancelled", f"cancelled by {SYSTEM}")}
    with pytest.raises(Conflict, match="no delivery that waits"):
        messages.cancel(SYSTEM, message)
