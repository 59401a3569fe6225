"""`hookline --server`: what was sent, followed up and forwarded; and that no command with an operation is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings as django_settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from hookline import dispatch
from hookline.audit.actor import key as key_actor
from hookline.cli.remote.routes import REASONS, ROUTES
from hookline.cli.root import root
from hookline.engine.job import State
from hookline.models import Attempt, Delivery, Endpoint, Message
from hookline.operations import keys
from hookline.tenants.models import resolve
from hookline.testing import StubTransport, deliver_all
from tests.cli.test_remote import Remote
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source
from tests.operations.cases import World
from tests.outgoing.consumer import always, running_consumer
from tests.test_docs import COMMANDS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def remote(live_server: LiveServer) -> Remote:
    resolve(None)
    return Remote(live_server.url, keys.create(key_actor("key_of_the_test"), ["all"]).text)


def test_every_command_works_on_a_server_or_there_is_a_reason_why_it_does_not() -> None:
    commands = {" ".join(path) for path in COMMANDS}
    assert set(ROUTES) | set(REASONS) == commands
    assert set(ROUTES) & set(REASONS) == set()
    assert all(reason.startswith("because ") for reason in REASONS.values())


def test_deliveries_from_the_list_to_the_end(remote: Remote) -> None:
    make_endpoint()
    dispatch("order.paid", {"n": 1})
    deliver_all(StubTransport(500))
    Delivery.objects.update(state=State.DEAD)
    waiting = make_delivery(make_endpoint()).public_id
    [dead] = remote("deliveries", "list", "--status", "dead", "--type", "order.paid")
    assert dead["id"] in remote.table("deliveries", "list", "--endpoint", dead["endpoint_id"])
    shown = remote("deliveries", "show", dead["id"])
    assert (shown["status"], shown["attempts_made"][0]["status"]) == ("dead", 500)
    assert remote("deliveries", "retry", dead["id"]) == {"retried": [dead["id"]]}
    assert remote("deliveries", "retry", waiting, "--now") == {"retried": [waiting]}
    assert "give ids" in remote.fails("deliveries", "retry", "--status", "dead", code="usage")
    assert remote("deliveries", "discard", waiting) == {"discarded": [waiting]}
    remote.fails("deliveries", "release", waiting, code="conflict")
    attempt = Attempt.objects.get()
    assert remote("deliveries", "expunge-attempt", attempt.public_id) == {"id": attempt.public_id, "expunged": True}


def test_events_follow_ups_and_forwards(remote: Remote) -> None:
    world = World()
    event = make_event(world.source)
    assert remote("events", "discard", event.public_id) == {"discarded": [event.public_id]}
    follow_up = world.follow_up.public_id
    type(world.follow_up).objects.update(state=State.DEAD)
    assert [one["id"] for one in remote("follow-ups", "list", "--status", "dead")] == [follow_up]
    assert remote("follow-ups", "show", follow_up)["arguments"] == world.follow_up.arguments
    assert remote("follow-ups", "retry", follow_up) == {"retried": [follow_up]}
    assert remote("follow-ups", "discard", follow_up) == {"discarded": [follow_up]}

    forward, source = world.forward.public_id, world.forward.source.public_id
    assert [one["id"] for one in remote("forward", "list", "--source", source)] == [forward]
    assert remote("forward", "show", forward)["source_id"] == source
    assert remote("forward", "update", forward, "--type", "a.*", "--filter", "@.id == 7")["event_types"] == ["a.*"]
    changed = remote("forward", "update", forward, "--any-type", "--filter", "")
    assert (changed["event_types"], changed["filter"]) == (None, None)
    event = make_event(world.forward.source, body=b"{}")
    assert event.public_id in {one["event_id"] for one in remote("forward", "preview", "--source", source)}
    assert remote("forward", "delete", forward) == {"id": forward, "deleted": True}


def test_rejections_are_verified_again_each_with_its_answer(remote: Remote) -> None:
    source = make_source()
    refused = World().rejection.public_id
    result = CliRunner().invoke(root, [*remote._options, "rejections", "reverify", refused, "rej_nobody", "--json"])
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [row["id"] for row in rows] == [refused, "rej_nobody"]
    assert "not_found" in rows[1]["note"] or "not found" in rows[1]["note"].lower()
    assert remote("source", "limit", source.public_id, "--rate", "2/s", "--at-once", "3")["at_once"] == 3


def test_an_endpoint_with_every_option_is_tried_limited_and_polled(remote: Remote, tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text('{"fields": ["n"]}')
    proxy = "http://8.8.8.8:3128"
    allowed = {**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    with override_settings(HOOKLINE=allowed), running_consumer() as consumer:
        made = remote(
            "endpoint", "create", "--url", consumer.url(), "--sequence", "--order-by", "$.n", "--filter", "@.n > 0",
            "--payload", str(payload), "--signatures", "v1,svix", "--retry-delays", "1s,1m", "--deadline", "10m",
            "--proxy", proxy, "--tenant", "default",
        )  # fmt: skip
        sending = made["sending"]
        assert (sending["sequenced"], sending["retry"]) == (True, {"delays": [1, 60], "deadline": 600})
        name = made["id"]
        changed = remote("endpoint", "update", name, "--filter", "", "--proxy", "none", "--no-sequence")["sending"]
        assert changed.keys() & {"filter", "proxy", "sequenced"} == set()
        remote("endpoint", "update", name, "--sequence")
        limited = remote("endpoint", "limit", name, "--rate", "5/s", "--burst", "2", "--at-once", "3")
        assert limited == {"id": name, "rate": 5, "burst": 2, "at_once": 3}
        assert remote("endpoint", "limit", name)["at_once"] is None
        assert remote("endpoint", "test", name, "--data", '{"n": 1}')["status"] == 200
        consumer.script = always(500)
        told = CliRunner().invoke(root, [*remote._options, "endpoint", "test", name, "--json"])
        assert (told.exit_code, json.loads(told.stdout)["delivered"]) == (1, False)
        remote.fails("endpoint", "challenge", name, code="conflict")
    sent = remote("dispatch", "order.paid", '{"n": 1}')
    assert remote("messages", "resend", sent["id"], "--to", name)["endpoint"] == name
    assert remote("messages", "cancel", sent["id"])["cancelled"] == 1
    assert remote("messages", "expunge", sent["id"], "--yes") == {"id": sent["id"], "expunged": True}
    assert Message.objects.get().is_expunged
    assert "done" in remote("endpoint", "messages", name)
    assert remote("endpoint", "example", name)["type"] == "svix.ping"
    assert remote("endpoint", "delete", name, "--keep-history") == {"id": name, "deleted": True}
    assert Endpoint.objects.exclude(deleted_at=None).exists()


def test_the_catalogue_goes_out_and_in(remote: Remote, tmp_path: Path) -> None:
    remote("event-types", "create", "order.paid", "--description", "An order was paid")
    document = remote("event-types", "export")
    assert "order.paid" in document["webhooks"]
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps(document).replace("order.paid", "order.sent"))
    assert remote("event-types", "import", str(file)) == {"modified": ["order.sent"], "to_modify": None}
