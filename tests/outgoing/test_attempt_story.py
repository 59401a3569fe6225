"""What is kept of each attempt: the headers of its request without its secrets, and how long each step took."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.operations import deliveries, endpoints
from hookline.outgoing.models import Attempt, Delivery
from tests.admin_pages import page_url
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import SECRET, Consumer, Reply
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "made-up-token-of-the-subscriber"


@pytest.fixture
def made(consumer: Consumer, sending: Sending, settings: Any) -> list[Attempt]:
    """Two attempts of one delivery, the second on the connection of the first."""
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    consumer.script = lambda _: Reply(503 if len(consumer.arrivals) == 1 else 200)
    endpoints.create(
        SYSTEM,
        consumer.url(),
        secret=SECRET,
        signatures=["v1", "rfc9421-hmac", "x-webhook"],
        headers={"X-Token": TOKEN, "X-Region": "eu"},
        sequenced=True,
    )
    dispatch("order.paid", {"n": 1})
    with sending(DELIVERY_RETRY_DELAYS=[0]):
        wait_until(lambda: Delivery.objects.filter(state="succeeded").exists(), 15)
    return deliveries.attempts(Delivery.objects.get())


def test_each_attempt_has_the_headers_of_its_request_without_secrets(made: list[Attempt], consumer: Consumer) -> None:
    for attempt, arrival in zip(made, consumer.arrivals, strict=True):
        shown = deliveries.request_headers(attempt)
        assert shown is not None
        by_the_client = {"host", "accept", "accept-encoding", "user-agent", "content-length"}
        assert {name.lower() for name in shown} == set(arrival.headers) - by_the_client
        for name in ("webhook-id", "webhook-timestamp", "webhook-sequence", "x-webhook-event", "content-digest"):
            assert shown[name] == arrival.headers[name]
        assert (shown["X-Token"], shown["X-Region"]) == ("***", "***")
        for name in ("webhook-signature", "signature", "x-webhook-signature"):
            sent = arrival.headers[name]
            assert shown[name] != sent
            assert shown[name].partition("...")[0] == sent[: len(shown[name].partition("...")[0])]
    assert TOKEN not in json.dumps([attempt.request for attempt in Attempt.objects.all()])


def test_each_attempt_tells_how_long_each_step_took(made: list[Attempt]) -> None:
    first, second = (attempt.request["ms"] for attempt in made if attempt.request)
    assert {"first_byte", "body"} <= set(second) <= {"connect", "first_byte", "body"}
    assert set(first) == {"connect", "first_byte", "body"}  # no name to look up, and no TLS
    for attempt, steps in zip(made, (first, second), strict=True):
        assert 0 <= sum(steps.values()) <= attempt.duration_ms + 2


def test_the_command_line_and_the_admin_tell_the_whole_story(made: list[Attempt], admin_client: Client) -> None:
    delivery = made[0].delivery
    for words in (["deliveries", "show", delivery.public_id], ["deliveries", "show", delivery.public_id, "--json"]):
        result = CliRunner().invoke(root, words, prog_name="hookline")
        assert result.exit_code == 0
        assert "first byte" in result.stdout or "first_byte" in result.stdout
        assert "webhook-signature" in result.stdout
        assert TOKEN not in result.output
    shown = json.loads(result.stdout)["attempts_made"]
    assert [(attempt["number"], attempt["status"]) for attempt in shown] == [(1, 503), (2, 200)]
    assert shown[0]["timing_ms"].keys() == {"connect", "first_byte", "body"}
    assert "first byte" in admin_client.get(page_url(delivery)).content.decode()
    page = admin_client.get(page_url(made[1])).content.decode()
    assert "webhook-signature" in page
    assert TOKEN not in page


def test_what_was_not_sent_tells_no_step_that_did_not_end(sending: Sending, settings: Any, free_port: int) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    endpoints.create(SYSTEM, f"http://127.0.0.1:{free_port}/", secret=SECRET)
    dispatch("order.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[]):
        wait_until(lambda: Delivery.objects.filter(state="dead").exists(), 15)
    (attempt,) = Attempt.objects.all()
    assert attempt.error == "connect_failed"
    assert attempt.request is not None
    assert attempt.request["ms"] == {}
