"""`hookline --server`: sources, events, rejections, replays and the audit log on another server."""

from __future__ import annotations

import pytest
from pytest_django.live_server_helper import LiveServer

from hookline.audit.actor import key as key_actor
from hookline.engine.job import State
from hookline.models import Event, Source, Tenant
from hookline.operations import keys
from tests.cli.test_remote import Remote
from tests.engine.rows import make_endpoint, make_event, make_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def remote(live_server: LiveServer) -> Remote:
    Tenant.objects.create(key="acme", name="Acme")
    return Remote(live_server.url, keys.create(key_actor("key_of_the_test"), ["all"]).text)


def test_a_source_from_creation_to_deletion(remote: Remote) -> None:
    created = remote(
        "source", "create", "--provider", "stripe", "--secret", "whsec_made_up", "--tenant", "acme", "--option",
        "tolerance=600", "--rate-limit", "50",
    )  # fmt: skip
    source = Source.find(created["id"])
    assert (source.tenant.key, source.options, source.rate_limit) == ("acme", {"tolerance": "600"}, 50)
    assert [found["id"] for found in remote("source", "list", "--tenant", "acme")] == [created["id"]]
    assert remote("source", "update", created["id"], "--name", "Shop")["name"] == "Shop"
    rotated = remote("source", "rotate", created["id"], "--secret", "whsec_the_next", "--overlap", "1h")
    assert rotated == {"id": created["id"], "secret": None, "overlap_seconds": 3600}
    assert remote("source", "show", created["id"])["secrets"] == 2
    assert remote("source", "disable", created["id"]) == {"id": created["id"], "disabled": True}
    assert "whsec" not in remote.table("audit", "list")
    assert remote("source", "delete", created["id"]) == {"id": created["id"], "deleted": True}


def test_events_are_listed_shown_and_retried(remote: Remote) -> None:
    source = make_source("stripe", tenant=Tenant.objects.get(key="acme"))
    dead = make_event(source, state=State.DEAD, attempts=9)
    make_event(source)
    assert [found["id"] for found in remote("events", "list", "--status", "dead", "--since", "1h")] == [dead.public_id]
    assert remote("events", "show", dead.public_id)["status"] == "dead"
    assert "give ids" in remote.fails("events", "retry", "--since", "1h", code="usage")
    assert remote("events", "retry", dead.public_id) == {"retried": [dead.public_id]}
    assert Event.objects.filter(state=State.PENDING).count() == 2


def test_a_replay_is_previewed_started_paused_and_cancelled(remote: Remote) -> None:
    source = make_source("stripe", tenant=Tenant.objects.get(key="acme"))
    make_event(source, state=State.DEAD)
    assert remote("replay", "events", "--source", source.public_id, "--dry-run")["count"] == 1
    started = remote("replay", "events", "--source", source.public_id, "--rate", "10/s")
    assert (started["what"], started["total"], started["rate"]) == ("events", 1, 10)
    assert remote("replay", "pause", started["id"])["status"] == "paused"
    assert remote("replay", "resume", started["id"])["status"] == "running"
    assert remote("replay", "cancel", started["id"])["status"] == "cancelled"
    assert [found["id"] for found in remote("replay", "list")] == [started["id"]]
    assert remote("rejections", "list") == []
    changes = remote("audit", "list", "--object", started["id"])
    assert [entry["action"] for entry in changes] == ["replay.cancel", "replay.resume", "replay.pause", "replay.start"]


def test_a_source_is_forwarded(remote: Remote) -> None:
    source, endpoint = make_source(), make_endpoint()
    options = ("--to", endpoint.public_id, "--type", "invoice.*", "--header", "X-Shop")
    made = remote("source", "forward", source.public_id, *options)
    shown = (made["endpoint_id"], made["event_types"], made["headers"])
    assert shown == (endpoint.public_id, ["invoice.*"], ["x-shop"])
    assert "--dry-run" in remote.fails("source", "forward", source.public_id, *options, "--dry-run", code="usage")
