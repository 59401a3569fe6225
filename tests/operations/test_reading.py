"""What the faces show is what the operations return, and a selection means the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from hookline.audit.actor import user
from hookline.cli.root import root
from hookline.core.ids import uuid7
from hookline.db.row import Row
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError, NotFound
from hookline.models import AuditEntry, Delivery, Endpoint, Event, Message, Rejection, Source, Tenant
from hookline.operations import (
    audit,
    deliveries,
    endpoint_rows,
    endpoints,
    events,
    messages,
    rejections,
    sources,
    tenants,
)
from hookline.operations import selection as selections
from hookline.operations.selection import Selection
from tests.admin_pages import listed
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_message, make_source
from tests.operations.cases import World

pytestmark = pytest.mark.django_db

LISTS: dict[str, tuple[type[Row], Callable[[], Any], Callable[[Any], dict[str, Any]]]] = {
    "tenant": (Tenant, tenants.newest, tenants.as_json),
    "source": (Source, sources.newest, sources.as_json),
    "endpoint": (Endpoint, endpoints.newest, endpoint_rows.as_json),
    "events": (Event, events.newest, events.as_json),
    "rejections": (Rejection, rejections.newest, rejections.as_json),
    "messages": (Message, messages.newest, messages.as_json),
    "deliveries": (Delivery, deliveries.newest, deliveries.as_json),
    "audit": (AuditEntry, audit.newest, audit.as_json),
}


def printed(*arguments: str) -> Any:
    result = CliRunner().invoke(root, [*arguments, "--json"], prog_name="hookline")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("noun", LISTS)
def test_a_list_shows_the_same_rows_under_every_face(noun: str) -> None:
    world = World()
    sources.update(user("ada"), world.source, name="Web shop")
    model, newest, as_json = LISTS[noun]
    rows = newest()
    assert len(rows) == model._default_manager.count() > 0
    as_text = [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in as_json(row).items()}
        for row in rows
    ]
    assert printed(noun, "list") == as_text
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    assert {row.pk for row in listed(client, model)} == {row.pk for row in rows}


@pytest.mark.parametrize("noun", ["tenant", "source", "endpoint"])
def test_one_row_is_shown_as_in_the_list(noun: str) -> None:
    World()
    for row in printed(noun, "list"):
        shown = printed(noun, "show", row["id"])
        assert {name: shown[name] for name in row} == row  # it may say more


# ---- choosing rows --------------------------------------------------------------------------------


@pytest.fixture
def acme() -> Tenant:
    return Tenant.objects.create(key="acme")


@pytest.fixture
def globex() -> Tenant:
    return Tenant.objects.create(key="globex")


def test_filters_of_events_narrow_together(acme: Tenant, globex: Tenant) -> None:
    shop, till, theirs = make_source(tenant=acme), make_source(tenant=acme), make_source(tenant=globex)
    paid = make_event(shop, type="invoice.paid", state=State.DEAD)
    sent = make_event(shop, type="invoice.sent")
    other = make_event(till, type="order.paid", state=State.DEAD)
    foreign = make_event(theirs, type="invoice.paid", state=State.DEAD)

    def found(*arguments: str) -> list[str]:
        return [event["id"] for event in printed("events", "list", *arguments)]

    ids = [event.public_id for event in (paid, sent, other, foreign)]
    assert found() == ids[::-1]
    assert found("--type", "invoice.paid") == [ids[3], ids[0]]
    assert found("--type", "invoice.*") == [ids[3], ids[1], ids[0]]
    assert found("--type", "invoice") == []
    assert found("--tenant", "acme") == found("--tenant", acme.public_id) == [ids[2], ids[1], ids[0]]
    assert found("--source", shop.public_id) == [ids[1], ids[0]]
    assert found("--status", "dead", "--type", "invoice.*", "--tenant", "acme") == [ids[0]]
    assert found("--tenant", "acme", "--limit", "2") == [ids[2], ids[1]]


def test_a_tenant_with_many_sources_lists_the_same(
    acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_event(make_source(tenant=acme)) for _ in range(3)]
    make_event(make_source(tenant=globex))
    few = events.newest(Selection(tenant="acme"))
    monkeypatch.setattr(selections, "FEW_LANES", 2)
    assert events.newest(Selection(tenant="acme")) == few == made[::-1]


def test_filters_of_deliveries_and_messages_narrow(acme: Tenant, globex: Tenant) -> None:
    endpoint, theirs = make_endpoint(tenant=acme, uid="shop"), make_endpoint(tenant=globex)
    message = make_message(acme)
    mine, other = make_delivery(endpoint, message), make_delivery(theirs, state=State.DEAD)
    for arguments in (["--endpoint", endpoint.public_id], ["--endpoint", "shop"], ["--tenant", "acme"]):
        assert [row["id"] for row in printed("deliveries", "list", *arguments)] == [mine.public_id]
    assert [row["id"] for row in printed("deliveries", "list", "--status", "dead")] == [other.public_id]
    assert [row["id"] for row in printed("messages", "list", "--tenant", "acme")] == [message.public_id]
    assert printed("messages", "list", "--type", "order.*") == []
    shown = printed("messages", "show", message.public_id)
    assert (shown["body"], [row["id"] for row in shown["deliveries"]]) == (
        '{"type":"invoice.paid"}',
        [mine.public_id],
    )


@pytest.mark.parametrize("by", [[], ["--status", "pending"]], ids=["all", "by status"])
def test_until_ends_a_list_before_its_moment_and_since_begins_at_it(by: list[str]) -> None:
    source = make_source()
    now = timezone.now()
    for hours in (3, 2, 1):
        moment = now - timedelta(hours=hours)
        made = uuid7(int(moment.timestamp() * 1e9), bytes(8))
        make_event(source, id=made, created_at=moment, type=f"t{hours}")

    def found(*arguments: str) -> list[str]:
        return [event["type"] for event in printed("events", "list", *by, *arguments)]

    assert found("--until", "90m") == ["t2", "t3"]
    assert found("--since", "150m", "--until", "90m") == ["t2"]
    assert found("--since", "150m") == ["t1", "t2"]


def test_rejections_are_found_by_reason_and_source() -> None:
    world = World()
    for arguments in (["--reason", "signature_mismatch"], ["--source", world.source.public_id], ["--tenant", "acme"]):
        assert [row["id"] for row in printed("rejections", "list", *arguments)] == [world.rejection.public_id]
    assert printed("rejections", "list", "--reason", "no_secret") == []


def test_audit_entries_are_found_by_who_what_and_which(acme: Tenant) -> None:
    source = make_source(tenant=acme)
    sources.disable(user("ada"), source)
    sources.enable(user("grace"), source)
    tenants.update(user("ada"), acme, name="Acme")

    def found(*arguments: str) -> list[str]:
        return [entry["action"] for entry in printed("audit", "list", *arguments)]

    assert found() == ["tenant.update", "source.enable", "source.disable"]
    assert found("--actor", "ada") == ["tenant.update", "source.disable"]
    assert found("--action", "source.enable") == ["source.enable"]
    assert found("--object", source.public_id) == ["source.enable", "source.disable"]
    assert found("--tenant", "acme", "--actor", "grace") == ["source.enable"]
    assert found("--action", "source.*") == ["source.enable", "source.disable"]
    assert found("--by", "user", "--action", "tenant.*") == ["tenant.update"]
    assert found("--by", "key") == []
    assert found("--until", "1h") == []
    entry = printed("audit", "list", "--action", "source.disable")[0]
    assert entry["actor"] == {"kind": "user", "name": "ada"}
    assert (entry["changes"], entry["details"]) == ({"disabled": [False, True]}, {})


def test_a_filter_that_names_nothing_is_refused() -> None:
    with pytest.raises(NotFound, match="tenant nobody not found"):
        events.newest(Selection(tenant="nobody"))
    with pytest.raises(NotFound, match="endpoint nobody not found"):
        deliveries.newest(Selection(endpoint="nobody"))
    with pytest.raises(ConfigurationError, match="messages have no reason, status"):
        messages.newest(Selection(status="dead", reason="x"))


def test_a_uid_is_found_within_its_tenant(acme: Tenant, globex: Tenant) -> None:
    mine, theirs = make_endpoint(tenant=acme, uid="shop"), make_endpoint(tenant=globex, uid="shop")
    assert endpoints.find("shop", tenant="acme") == mine
    assert printed("endpoint", "show", "shop", "--tenant", "globex")["id"] == theirs.public_id
    with pytest.raises(ConfigurationError, match="several tenants have the uid 'shop'"):
        endpoints.find("shop")


def test_an_event_is_shown_by_the_senders_own_id() -> None:
    shop, till = make_source("stripe"), make_source("github")
    signed = make_event(shop, dedup_key="id:evt_of_stripe", provider_id="evt_of_stripe")
    unsigned = make_event(till, provider_id="72d3162e-cc78-11e3")
    assert printed("events", "show", "evt_of_stripe")["id"] == signed.public_id
    assert printed("events", "show", "72d3162e-cc78-11e3")["id"] == unsigned.public_id
    make_event(make_source("stripe"), dedup_key="id:evt_of_stripe", provider_id="evt_of_stripe")
    with pytest.raises(ConfigurationError, match=r"several events have the sender's id 'evt_of_stripe', such as evt_"):
        events.find_any("evt_of_stripe")
    with pytest.raises(NotFound, match="event nobody not found"):
        events.find_any("nobody")


def test_a_list_by_type_or_reason_alone_searches_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source()
    rare, *_ = [make_event(source, type=name) for name in ("rare", "a", "b", "c")]
    assert [row["id"] for row in printed("events", "list", "--type", "rare")] == [rare.public_id]
    monkeypatch.setattr(selections, "SEARCHED", 2)
    told = CliRunner().invoke(root, ["events", "list", "--type", "rare", "--json"], prog_name="hookline")
    assert json.loads(told.stdout) == []
    assert "At most the newest 2 rows were searched; add --until for older ones" in told.stderr
    assert [row["id"] for row in printed("events", "list", "--type", "rare", "--source", source.public_id)] == [
        rare.public_id
    ]
    before = Event.objects.order_by("-id").values_list("created_at", flat=True)[1]
    later = events.newest(Selection(type="rare", until=before))
    assert later == [rare]


def test_a_rejection_that_was_admitted_says_that_nothing_is_left_to_do() -> None:
    world = World()
    assert printed("rejections", "show", world.rejection.public_id)["diagnosis"]["cause"] == "passes_now"
    rejections.reverify(user("ada"), world.rejection)
    found = printed("rejections", "show", world.rejection.public_id)["diagnosis"]
    assert found["cause"] == "admitted"
    assert "reverify" not in found["advice"]
