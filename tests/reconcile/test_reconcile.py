"""Reconciling with a sender's own record, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from hookline.audit import actor
from hookline.audit.models import AuditEntry
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event
from hookline.incoming.reconcile.api import ApiFailed
from hookline.operations import reconciliation
from tests.cli.conftest import Cli
from tests.engine.rows import make_event, make_source
from tests.reconcile.server import CREDENTIAL, SenderApi, sender_api
from tests.settings import HOOKLINE

pytestmark = pytest.mark.django_db(transaction=True)
OPS = actor.command_line("ops")
LOCAL = {**HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}


@pytest.fixture
def api() -> Iterator[SenderApi]:
    with sender_api() as held, override_settings(HOOKLINE=LOCAL):
        yield held


def since() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


def stripe_event(number: int, kind: str = "invoice.paid", age: float = 60) -> dict[str, Any]:
    created = int(time.time() - age)
    return {"id": f"evt_{number}", "object": "event", "type": kind, "created": created, "data": {"object": {}}}


def delivery(number: int, event: str = "push", age: float = 60) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {"id": number, "guid": f"guid-{number}", "delivered_at": at.isoformat(), "event": event, "action": None}


def test_events_of_stripe_that_did_not_arrive_are_found_over_pages_and_admitted_once(api: SenderApi) -> None:
    source = make_source("stripe")
    make_event(source, dedup_key="id:evt_3", provider_id="evt_3")
    api.stripe_events = [stripe_event(n, age=60 + 10 * (9 - n)) for n in range(5, 0, -1)] + [stripe_event(0, age=1e6)]
    found = reconciliation.missing(source, CREDENTIAL, since(), api=api.url)
    assert (found.sent, [one.id for one in found.missing]) == (5, ["evt_5", "evt_4", "evt_2", "evt_1"])
    assert len(api.asked) == 3
    admitted = reconciliation.admit(OPS, source, found)
    assert [one["id"] for one in admitted] == ["evt_1", "evt_2", "evt_4", "evt_5"]  # as they were sent
    event = Event.objects.get(dedup_key="id:evt_1")
    assert (event.type, event.state, event.json["object"]) == ("invoice.paid", "pending", "event")
    assert reconciliation.missing(source, CREDENTIAL, since(), api=api.url).missing == ()
    entry = AuditEntry.objects.get(action="source.reconcile")
    assert entry.details == {"count": 4, "ids": ["evt_1", "evt_2", "evt_4", "evt_5"]}


def test_github_is_asked_to_deliver_again_what_did_not_arrive(api: SenderApi) -> None:
    source = make_source("github")
    make_event(source, provider_id="guid-2")
    api.github_deliveries = [delivery(n, age=60 * (5 - n)) for n in range(4, 0, -1)] + [delivery(0, age=1e6)]
    found = reconciliation.missing(source, CREDENTIAL, since(), hook="repos/octocat/hello/hooks/42", api=api.url)
    assert (found.sent, [one.id for one in found.missing]) == (4, ["guid-4", "guid-3", "guid-1"])
    assert reconciliation.admit(OPS, source, found)[0] == {"id": "guid-1", "status": "requested"}
    assert api.redelivered == [1, 3, 4]


def test_on_the_command_line_only_the_types_that_are_named_are_looked_at(cli: Cli, api: SenderApi) -> None:
    source = make_source("stripe")
    api.stripe_events = [stripe_event(2, "charge.refunded"), stripe_event(1)]
    command = ("reconcile", source.public_id, "--since", "1d", "--secret", CREDENTIAL, "--api", api.url)
    found = cli.json(*command, "--type", "invoice.*")
    assert ([one["id"] for one in found["missing"]], found["sent"], found["admitted"]) == (["evt_1"], 1, [])
    assert not Event.objects.exists()
    assert len(cli.json(*command, "--admit")["admitted"]) == 2


def test_a_wrong_credential_is_told_and_never_shown(cli: Cli, api: SenderApi) -> None:
    source = make_source("stripe")
    command = ("reconcile", source.public_id, "--since", "1d", "--api", api.url)
    said = cli.fails(*command, "--secret", "made-up-and-wrong")
    assert "answered 401; check the credential" in said
    assert "made-up-and-wrong" not in said


def test_the_api_is_asked_through_the_guard(api: SenderApi) -> None:
    source = make_source("stripe")
    with override_settings(HOOKLINE={**HOOKLINE, "ALLOWED_SUBNETS": []}), pytest.raises(ApiFailed, match="refused"):
        reconciliation.missing(source, CREDENTIAL, since(), api=api.url)
    assert api.asked == []


def test_a_sender_without_a_record_is_named() -> None:
    with pytest.raises(ConfigurationError, match="shopify has no record of what it sent"):
        reconciliation.missing(make_source("shopify"), CREDENTIAL, since())
    with pytest.raises(ConfigurationError, match="name the webhook at the sender"):
        reconciliation.missing(make_source("github"), CREDENTIAL, since())


@pytest.fixture
def cli() -> Cli:
    return Cli()
