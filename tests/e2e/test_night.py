"""An operator's night: what broke is found by `hookline doctor` alone, and repaired by the commands that it names."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from django.conf import settings as django_settings
from django.test import Client, override_settings

from hookline import conf, dispatch
from hookline.cli.root import root
from hookline.engine.job import State
from hookline.incoming.process.handlers import forget, handler
from hookline.models import Delivery, Endpoint, Event
from hookline.runtime.fleet import Fleet
from hookline.testing import sign_webhook
from tests.engine.rows import make_endpoint, make_source
from tests.outgoing.consumer import Consumer, always, running_consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

RIGHT = "whsec_what_the_sender_uses"


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


@pytest.fixture
def at_work() -> Iterator[None]:
    """A worker process that may connect to loopback, and tries everything twice at once."""
    changed = {
        "ALLOWED_SUBNETS": ["127.0.0.0/8"], "ALLOW_HTTP": True, "POLL": 0.05,
        "EVENT_RETRY_DELAYS": [0], "DELIVERY_RETRY_DELAYS": [0],
    }  # fmt: skip
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, **changed}):
        fleet = Fleet(conf.get())
        fleet.start()
        yield
        fleet.stop()


class Buggy:
    """A handler with a bug, until it is repaired."""

    def __init__(self) -> None:
        self.repaired = False

    def __call__(self, event: Event) -> None:
        if not self.repaired:
            raise KeyError("amount_paid")


@pytest.fixture
def shop() -> Iterator[Buggy]:
    found = Buggy()
    handler("stripe", "invoice.*")(found)
    yield found
    forget(found)


def hookline(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(root, arguments, input=typed, prog_name="hookline")


def post(source: object, number: int, count: int) -> set[int]:
    requests = [sign_webhook(source, "invoice.paid", event_id=f"evt_{number}_{n}") for n in range(count)]  # type: ignore[arg-type]
    return {
        Client()
        .post(
            source.path,  # type: ignore[attr-defined]
            request.body,
            "application/json",
            headers={name: values[0] for name, values in request.headers.items()},
        )
        .status_code
        for request in requests
    }


def test_from_doctor_alone_each_cause_is_found_and_repaired(consumer: Consumer, at_work: None, shop: Buggy) -> None:
    wait_until(lambda: hookline("doctor").exit_code == 0)

    # The night: a deployment with a bug, an endpoint that fails, a source whose secret was mistyped.
    busy, mistyped = make_source("stripe", RIGHT, name="Shop"), make_source("stripe", RIGHT, name="Till")
    assert post(busy, 1, 50) == {200}
    hookline("source", "rotate", mistyped.public_id, "--secret", "whsec_mistyped", "--overlap", "0s")
    assert post(mistyped, 2, 12) == {401}
    endpoint = make_endpoint(consumer.url())
    consumer.script = always(500)
    dispatch("order.paid", {"number": 0})
    wait_until(lambda: Delivery.objects.filter(state=State.DEAD).exists())  # before the breaker holds the rest
    for number in range(1, 12):
        dispatch("order.paid", {"number": number})
    wait_until(lambda: Event.objects.filter(state=State.DEAD).count() == 50)
    wait_until(lambda: Endpoint.objects.get().breaker_state.get("state") == "open")

    # What the operator sees.
    told = hookline("doctor", "--json")
    assert told.exit_code == 1
    failed = {finding["check"]: finding for finding in json.loads(told.stdout) if finding["result"] == "failed"}
    assert set(failed) == {"refused requests", "dead events", "endpoints", "dead deliveries"}
    line = Buggy.__call__.__code__.co_firstlineno + 2
    assert f"50 dead events of {busy.public_id} (Shop, stripe), invoice.paid" in failed["dead events"]["detail"]
    assert f"KeyError: 'amount_paid' (at tests/e2e/test_night.py:{line})" in failed["dead events"]["detail"]
    assert f"12 requests for {mistyped.public_id} (Till, stripe)" in failed["refused requests"]["detail"]
    assert "signature_mismatch" in failed["refused requests"]["detail"]
    for check in ("endpoints", "dead deliveries"):
        assert f"{consumer.url()} ({endpoint.public_id})" in failed[check]["detail"]
        assert "the endpoint answered 500" in failed[check]["detail"]
    # Seen once, it is no news; it is still there, and what is broken still fails.
    again = {finding["check"]: finding["result"] for finding in json.loads(hookline("doctor", "--json").stdout)}
    assert (again["dead events"], again["refused requests"], again["endpoints"]) == ("warning", "warning", "failed")

    # The causes are repaired, and then every command that was named is run.
    shop.repaired, consumer.script = True, always(200)
    for finding in failed.values():
        for command in finding["next"]:
            words = shlex.split(command)
            assert words.pop(0) == "hookline"
            result = hookline(*words, typed=RIGHT)
            assert result.exit_code == 0, f"{command}: {result.output}"
    wait_until(lambda: set(Event.objects.values_list("state", flat=True)) == {State.SUCCEEDED})
    wait_until(lambda: set(Delivery.objects.values_list("state", flat=True)) == {State.SUCCEEDED})
    assert Event.objects.count() == 62
    assert {arrival.id for arrival in consumer.arrivals if arrival.genuine} >= {
        message.public_id for message in (delivery.message for delivery in Delivery.objects.select_related("message"))
    }
    assert hookline("doctor").exit_code == 0
