"""`hookline simulate --endpoint`: a subscriber who asked for it gets what Hookline really sends, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.models import AuditEntry, Endpoint
from hookline.operations import endpoints
from hookline.operations.simulation import SCENARIOS
from tests.outgoing.consumer import SECRET, Arrival, Consumer, Reply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def allowed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"], "DELIVERY_RETRY_DELAYS": (5, 60)}
    monkeypatch.setattr("hookline.cli.simulate.RATE_TO_ENDPOINT", 1000.0)  # the test would take half a minute


def answering(arrival: Arrival) -> Reply:
    document = json.loads(arrival.body)
    text = document["data"].get("challenge")
    return Reply(200, body=text.encode() if text else b"ok")


def subscriber(consumer: Consumer, **fields: Any) -> Endpoint:
    consumer.script = answering
    endpoint = endpoints.create(SYSTEM, consumer.url(), secret=SECRET, challenge=True, **fields)
    endpoints.challenge(SYSTEM, endpoint)
    consumer.arrivals.clear()
    return endpoint


def simulate(endpoint: Endpoint, *arguments: str) -> Result:
    words = ["simulate", "--endpoint", endpoint.public_id, "--examples", "1", "--settle", "0", *arguments]
    return CliRunner().invoke(root, words, prog_name="hookline")


def test_it_gets_copies_other_orders_and_two_signatures_all_of_them_genuine(consumer: Consumer) -> None:
    endpoint = subscriber(consumer, signatures=["v1", "rfc9421-hmac", "svix"])

    result = simulate(endpoint, "--json")

    assert result.exit_code == 0, result.output
    scenarios = {finding["scenario"]: finding["outcome"] for finding in json.loads(result.stdout)["findings"]}
    assert scenarios == dict.fromkeys([*SCENARIOS, "deadline"], "held")
    assert consumer.arrivals
    assert all(arrival.genuine for arrival in consumer.arrivals)
    assert all("signature-input" in arrival.headers for arrival in consumer.arrivals)
    assert all(arrival.headers["svix-id"] == arrival.headers["webhook-id"] for arrival in consumer.arrivals)
    ids = Counter(arrival.headers["webhook-id"] for arrival in consumer.arrivals)
    assert max(ids.values()) == 3  # the first try and the two retries of the schedule
    assert {arrival.headers["webhook-signature"].count("v1,") for arrival in consumer.arrivals} == {1, 2}
    assert AuditEntry.objects.filter(action="endpoint.simulate", object=endpoint.public_id).count() == 1


def test_nothing_is_sent_before_the_challenge_was_answered(consumer: Consumer) -> None:
    endpoint = endpoints.create(SYSTEM, consumer.url(), secret=SECRET)

    result = simulate(endpoint)

    assert result.exit_code == 1
    assert f"hookline endpoint challenge {endpoint.public_id}" in result.stderr
    assert consumer.arrivals == []


def test_no_forgery_is_sent_to_a_subscriber(consumer: Consumer) -> None:
    result = simulate(subscriber(consumer), "--scenario", "forged")

    assert result.exit_code == 2
    assert "'forged' is not for an endpoint" in result.stderr
    assert consumer.arrivals == []


def test_a_run_is_bounded(consumer: Consumer) -> None:
    result = simulate(subscriber(consumer), "--max-requests", "10")

    assert result.exit_code == 1
    assert "the limit of 10 requests is reached" in result.stderr
    assert len(consumer.arrivals) <= 10
