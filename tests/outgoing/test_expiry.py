"""Messages that expire: what was not delivered by then is cancelled, and not sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings as django_settings
from django.db import transaction
from django.test.utils import override_settings

from hookline import conf, dispatch, dispatch_many
from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.engine.job import State
from hookline.engine.prune import prune
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations import deliveries, endpoints, event_types
from hookline.outgoing import retention
from hookline.outgoing.expiry import Expiring
from hookline.outgoing.models import Delivery, Message
from hookline.testing import StubTransport, deliver_all
from tests.engine.rows import ago, make_endpoint

pytestmark = pytest.mark.django_db

NOTE = "it expired before it was delivered"


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@contextmanager
def settings(**values: Any) -> Iterator[None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, **values}):
        yield


def left(message: Message) -> float:
    """Seconds until it expires, as stored."""
    stored = Message.objects.get(pk=message.pk)
    assert stored.expires_at is not None
    assert stored.expires_at == message.expires_at
    return (stored.expires_at - stored.created_at).total_seconds()


def test_what_has_expired_is_cancelled_and_not_sent() -> None:
    make_endpoint()
    message = dispatch("price.changed", {}, expires_at=in_seconds(60))
    Message.objects.update(expires_at=ago(1))
    consumer = StubTransport(200)
    (delivery,) = deliver_all(consumer)
    assert (delivery.state, delivery.note, delivery.attempts) == ("cancelled", NOTE, 0)
    assert consumer.sent == []
    with pytest.raises(Conflict, match="cannot be sent again: its message expired"):
        deliveries.retry(SYSTEM, [delivery.public_id])
    assert endpoints.missed(make_endpoint(), message.created_at) == 0


def test_until_then_it_is_sent() -> None:
    make_endpoint()
    dispatch("price.changed", {}, expires_at=in_seconds(60))
    assert [delivery.state for delivery in deliver_all()] == ["succeeded"]


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("key", [None, "price-1"])
@pytest.mark.parametrize("filter_text", [None, "@.data.n == 1"])
def test_its_publisher_says_when(scheduled: bool, key: str | None, filter_text: str | None) -> None:
    make_endpoint(filter=filter_text)
    due = in_seconds(20) if scheduled else None
    message = dispatch("price.changed", {"n": 1}, idempotency_key=key, deliver_at=due, expires_at=in_seconds(60))
    assert left(message) == pytest.approx(60, abs=10)
    (delivery,) = Delivery.objects.all()
    assert due in (None, delivery.due_at)


@pytest.mark.parametrize("moment", [in_seconds(-1), datetime(2030, 1, 1), "2030-01-01"])  # noqa: DTZ001
def test_a_time_that_cannot_be_is_refused(moment: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_at must be"):
        dispatch("price.changed", {}, expires_at=moment)


def test_it_cannot_expire_before_it_is_due() -> None:
    with pytest.raises(ConfigurationError, match="after the message is due"):
        dispatch("price.changed", {}, deliver_at=in_seconds(60), expires_at=in_seconds(30))


def test_the_settings_say_when_for_all_and_the_catalogue_for_a_type() -> None:
    event_types.create(SYSTEM, "price.changed", expires_after=60)
    with settings(MESSAGE_EXPIRES_AFTER=3600, EVENT_TYPES="check"):
        assert left(dispatch("price.changed", {})) == pytest.approx(60, abs=10)
        assert left(dispatch("order.paid", {})) == pytest.approx(3600, abs=10)
        many = dispatch_many([("price.changed", {}), ("order.paid", {})])
        assert [left(message) for message in many] == [pytest.approx(60, abs=10), pytest.approx(3600, abs=10)]
        scheduled = dispatch("price.changed", {}, deliver_at=in_seconds(500))
        assert left(scheduled) == pytest.approx(560, abs=10)
        assert left(dispatch("price.changed", {}, expires_at=in_seconds(7000))) == pytest.approx(7000, abs=10)
    with settings(MESSAGE_EXPIRES_AFTER=3600):
        assert left(dispatch("price.changed", {})) == pytest.approx(3600, abs=10)
    assert dispatch("price.changed", {}).expires_at is None


def test_a_type_expires_after_a_number_of_seconds_or_as_the_settings_say() -> None:
    def run(*words: str) -> Any:
        result = CliRunner().invoke(root, ["event-types", *words, "--json"], prog_name="hookline")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert run("create", "price.changed", "--expires-after", "2h")["expires_after"] == 7200
    document = event_types.export()
    assert event_types.import_document(SYSTEM, document).unchanged == ["price.changed"]
    assert run("update", "price.changed", "--expires-after", "0s")["expires_after"] is None
    assert event_types.import_document(SYSTEM, document).updated == ["price.changed"]
    with pytest.raises(ConfigurationError, match="expires_after must be"):
        event_types.update(SYSTEM, event_types.find("price.changed"), expires_after=-1)


def test_what_is_held_is_cancelled_when_it_expires_and_the_rest_goes_on() -> None:
    endpoint = make_endpoint()
    expired, lasting = (dispatch("price.changed", {"n": n}, expires_at=in_seconds(60)) for n in range(2))
    running = dispatch("price.changed", {}, expires_at=in_seconds(60))
    unlimited = dispatch("price.changed", {})
    Message.objects.filter(pk__in=[expired.pk, running.pk]).update(expires_at=ago(1))
    Delivery.objects.filter(message=running).update(state=State.RUNNING)
    endpoint.disable()
    endpoint.save()
    assert prune(retention.pruners(conf.get())).deleted == {"expired": 1}
    states = dict(Delivery.objects.values_list("message", "state"))
    assert [states[message.pk] for message in (expired, lasting, running, unlimited)] == [
        "cancelled", "pending", "running", "pending",
    ]  # fmt: skip
    delivery = Delivery.objects.get(message=expired)
    assert (delivery.note, delivery.finished_at is None) == (NOTE, False)


def test_the_next_of_an_order_key_goes_on_when_one_expires() -> None:
    make_endpoint(order_by="$.data.customer")
    first = dispatch("price.changed", {"customer": 7}, expires_at=in_seconds(60))
    dispatch("price.changed", {"customer": 7})
    deliver_all(StubTransport(500))
    Message.objects.filter(pk=first.pk).update(expires_at=ago(1))
    prune([Expiring()])
    assert [delivery.state for delivery in deliver_all()] == ["succeeded"]


def test_a_rollback_leaves_nothing() -> None:
    with transaction.atomic():
        dispatch("price.changed", {}, expires_at=in_seconds(60))
        transaction.set_rollback(True)
    assert not Message.objects.exists()
