"""Endpoints, messages and deliveries on the command line."""

from __future__ import annotations

import json
import time

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from hookline.engine.job import State
from hookline.models import Attempt, Delivery, Endpoint, Message
from tests.cli.conftest import Cli
from tests.engine.rows import make_endpoint
from tests.outgoing.consumer import Reply, always, running_consumer

pytestmark = pytest.mark.django_db

URL = "https://consumer.example.com/hooks"


def test_an_endpoint_is_created_with_exactly_the_fields_of_the_contract(cli: Cli) -> None:
    created = cli.json("endpoint", "create", "--url", URL, "--events", "invoice.*, order.paid")
    assert set(created) == {"id", "url", "secret", "tenant"}
    assert (created["url"], created["tenant"]) == (URL, "default")
    endpoint = Endpoint.find(created["id"])
    assert endpoint.event_types == ["invoice.*", "order.paid"]
    assert endpoint.secrets.active(time.time()) == (created["secret"],)
    assert created["secret"].startswith("whsec_")


def test_a_secret_of_the_specification_is_taken_as_it_is(cli: Cli) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert cli.json("endpoint", "create", "--url", URL, "--secret", secret)["secret"] == secret


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--url", "https://10.0.0.1/"], "10.0.0.1 is not a public address"),
        (["--url", "http://consumer.example.com/"], "plain http is not allowed"),
        (["--url", "ftp://consumer.example.com/"], "http"),
        (["--url", URL + "x" * 2000], "at most 2000"),
        (["--url", URL, "--events", "invoice paid"], "is not an event-type pattern"),
        (["--url", URL, "--secret", "not base64!"], "the secret of an endpoint cannot be used"),
        (["--url", URL, "--secret", "whsec_" + "QUJD" * 7 + "QUI="], "base64 of 24 to 75 bytes, and is one of 23"),
        (["--url", URL, "--secret", "whsec_" + "QUJD" * 25 + "QQ=="], "base64 of 24 to 75 bytes, and is one of 76"),
        (["--url", URL, "--tenant", "nobody"], "tenant 'nobody' not found"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_in_one_line(cli: Cli, arguments: list[str], reason: str) -> None:
    assert reason in cli.fails("endpoint", "create", *arguments)
    assert not Endpoint.objects.exists()


def test_the_query_of_a_url_is_shown_to_those_who_ask_for_it(cli: Cli) -> None:
    token = f"{URL}?token=made-up"
    created = cli.json("endpoint", "create", "--url", token)
    assert created["url"] == cli.json("endpoint", "show", created["id"])["url"] == f"{URL}?..."
    assert [found["url"] for found in cli.json("endpoint", "list")] == [f"{URL}?..."]
    assert cli.json("endpoint", "show", created["id"], "--reveal")["url"] == token


def test_the_list_shows_no_secret(cli: Cli) -> None:
    created = cli.json("endpoint", "create", "--url", URL)
    [listed] = cli.json("endpoint", "list")
    assert (listed["id"], listed["url"], listed["breaker"], listed["disabled"]) == (created["id"], URL, "closed", False)
    assert created["secret"] not in cli.text("endpoint", "list") + str(listed)


def test_a_rotation_signs_with_both_secrets_for_the_overlap(cli: Cli) -> None:
    created = cli.json("endpoint", "create", "--url", URL)
    rotated = cli.json("endpoint", "rotate", created["id"], "--overlap", "7d")
    secrets = Endpoint.find(created["id"]).secrets
    assert rotated["overlap_seconds"] == 604800
    assert secrets.active(time.time() + 604000) == (rotated["secret"], created["secret"])
    assert secrets.active(time.time() + 604801) == (rotated["secret"],)


def test_an_endpoint_is_disabled_and_enabled(cli: Cli) -> None:
    created = cli.json("endpoint", "create", "--url", URL)
    assert cli.json("endpoint", "disable", created["id"]) == {"id": created["id"], "disabled": True}
    endpoint = Endpoint.find(created["id"])
    assert (endpoint.disabled, endpoint.held_until is None) == (True, False)
    assert cli.json("endpoint", "enable", created["id"]) == {"id": created["id"], "disabled": False}
    endpoint = Endpoint.find(created["id"])
    assert (endpoint.disabled, endpoint.held_until) == (False, None)


def test_a_message_is_dispatched_to_the_endpoints_that_want_it(cli: Cli) -> None:
    cli.json("endpoint", "create", "--url", URL, "--events", "invoice.*")
    cli.json("endpoint", "create", "--url", URL, "--events", "order.*")
    dispatched = cli.json("dispatch", "invoice.paid", '{"amount": 5}', "--idempotency-key", "k1")
    assert set(dispatched) == {"id", "deliveries"}
    assert dispatched["deliveries"] == 1
    body = json.loads(bytes(Message.find(dispatched["id"]).body))
    assert (body["type"], body["data"]) == ("invoice.paid", {"amount": 5})
    assert cli.json("dispatch", "invoice.paid", '{"amount": 5}', "--idempotency-key", "k1") == dispatched


def test_what_cannot_be_dispatched_is_refused(cli: Cli) -> None:
    assert "is not an event type" in cli.fails("dispatch", "invoice paid", "{}")
    assert "tenant 'nobody' not found" in cli.fails("dispatch", "invoice.paid", "{}", "--tenant", "nobody")
    result = cli.run("dispatch", "invoice.paid", "{oops", "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "usage"
    assert error["message"].startswith("that is not JSON")


def test_deliveries_are_listed_shown_with_their_attempts_and_retried(cli: Cli) -> None:
    endpoint = cli.json("endpoint", "create", "--url", URL)
    message = cli.json("dispatch", "invoice.paid", '{"amount": 5}')
    [listed] = cli.json("deliveries", "list", "--status", "pending", "--since", "1h", "--limit", "5")
    assert set(listed) == {
        "id", "message", "endpoint", "url", "tenant", "type", "status", "attempts", "note", "created_at", "due_at",
        "finished_at", "order_key", "parked", "sequence",
    }  # fmt: skip
    assert (listed["message"], listed["endpoint"], listed["url"]) == (message["id"], endpoint["id"], URL)
    assert listed["created_at"].endswith("+00:00")
    assert cli.json("deliveries", "list", "--status", "dead") == []

    assert "is pending and needs no retry" in cli.fails("deliveries", "retry", listed["id"])
    delivery = Delivery.find(listed["id"])
    Delivery.objects.filter(pk=delivery.pk).update(state=State.DEAD, attempts=3)
    Attempt.objects.create(delivery=delivery, number=3, status=500, duration_ms=12, response_body="\x1b[31mno")
    shown = cli.json("deliveries", "show", listed["id"])
    assert json.loads(shown["body"])["data"] == {"amount": 5}
    assert [(a["number"], a["status"], a["duration_ms"]) for a in shown["attempts_made"]] == [(3, 500, 12)]
    text = cli.text("deliveries", "show", listed["id"])
    assert "\x1b" not in text
    assert "500" in text

    assert cli.json("deliveries", "retry", listed["id"]) == {"retried": [listed["id"]]}
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.PENDING, 0)


@pytest.mark.django_db(transaction=True)
def test_a_test_message_is_signed_sent_at_once_and_its_answer_is_shown(cli: Cli) -> None:
    allowed = {**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    with running_consumer() as consumer, override_settings(HOOKLINE=allowed):
        endpoint = make_endpoint(consumer.url(), disabled=True, event_types=["order.*"])
        consumer.script = always(Reply(202, {"x-shop": "eu"}, b"thank you"))
        told = cli.json("endpoint", "test", endpoint.public_id)
        [arrival] = consumer.arrivals
        assert (arrival.genuine, arrival.id) == (True, told["message"])
        assert json.loads(arrival.body)["type"] == told["type"] == "hookline.test"
        assert (told["delivered"], told["status"], told["response_body"]) == (True, 202, "thank you")
        assert told["response_headers"]["x-shop"] == "eu"
        assert "thank you" in cli.text("endpoint", "test", endpoint.public_id, "--type", "order.paid", "--data", "[1]")
        assert json.loads(consumer.arrivals[-1].body)["data"] == [1]

        consumer.script = always(500)
        failed = cli.run("endpoint", "test", endpoint.public_id)
        assert failed.exit_code == 1
        assert f"{endpoint.public_id} did not take it: the endpoint answered 500" in failed.stderr
    # Nothing is kept, and nothing is learnt of it.
    assert cli.json("messages", "list") == cli.json("deliveries", "list") == []
    assert (cli.json("endpoint", "show", endpoint.public_id)["breaker"], endpoint.disabled) == ("closed", True)
    assert len(cli.json("audit", "list", "--action", "endpoint.test")) == 3
    refused = cli.run("endpoint", "test", make_endpoint("https://10.0.0.1/").public_id, "--json")
    assert json.loads(refused.stdout)["error"] == "address_refused"
