"""`hookline --server`: endpoints, event types and messages of another server, which is a process of its own."""

from __future__ import annotations

import pytest

from tests.cli.test_remote import Remote
from tests.e2e.test_serve import Installation
from tests.e2e.test_serve import installation as installation  # noqa: PLC0414  # a fixture

pytestmark = pytest.mark.django_db

#: Made up.
KEY = "hk_live_made_up_for_commands_from_elsewhere"
URL = "https://consumer.example.com/hooks"


@pytest.fixture
def remote(installation: Installation) -> Remote:
    installation.serve("--no-worker", HOOKLINE_API_KEY=KEY)
    there = Remote(installation.url, KEY)
    there("tenant", "create", "acme", "--name", "Acme")
    return there


def test_endpoints_event_types_and_messages_of_another_server(remote: Remote) -> None:
    remote("event-types", "create", "order.paid", "--description", "An order was paid")
    remote("event-types", "update", "order.paid", "--description", "Paid")
    assert [found["name"] for found in remote("event-types", "list")] == ["order.paid"]
    assert remote("event-types", "show", "order.paid")["description"] == "Paid"

    token = f"{URL}?token=made-up"
    made = remote("endpoint", "create", "--url", token, "--events", "order.paid", "--uid", "shop", "--tenant", "acme")
    assert made["url"] == remote("endpoint", "show", made["id"])["url"] == f"{URL}?..."
    assert remote("endpoint", "show", made["id"], "--reveal")["url"] == token
    assert made["secret"].startswith("whsec_")
    assert [found["uid"] for found in remote("endpoint", "list", "--tenant", "acme")] == ["shop"]
    remote("endpoint", "update", made["id"], "--description", "the shop")
    assert remote("endpoint", "show", made["id"])["description"] == "the shop"
    assert remote("endpoint", "disable", made["id"]) == {"id": made["id"], "disabled": True}
    assert remote("endpoint", "enable", made["id"]) == {"id": made["id"], "disabled": False}
    rotated = remote("endpoint", "rotate", made["id"])
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]

    order = ("order.paid", "--tenant", "acme", "--idempotency-key", "k1")
    sent = remote("dispatch", *order[:1], '{"order": 7}', *order[1:], "--expires-at", "2036-01-01T00:00:00Z")
    assert sent["expires_at"] == "2036-01-01T00:00:00.000000Z"
    remote.fails("dispatch", *order[:1], '{"order": 8}', *order[1:], code="conflict")
    listed = remote("messages", "list", "--tenant", "acme", "--type", "order.paid", "--since", "1h")
    assert [found["event_id"] for found in listed] == ["k1"]
    assert remote("messages", "show", sent["id"])["payload"] == {"order": 7}

    told = remote.fails("endpoint", "create", "--url", URL, "--challenge", "--tenant", "acme", code="usage")
    assert "--challenge" in told
    remote("endpoint", "delete", made["id"])
    remote("event-types", "delete", "order.paid")
    assert remote("endpoint", "list", "--tenant", "acme") == remote("event-types", "list") == []
