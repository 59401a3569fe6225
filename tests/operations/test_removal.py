"""Deleting a tenant: nothing arrives or is sent any more, history stays for RETENTION, and erasing takes all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.utils import timezone

from hookline import conf, dispatch, dispatch_many
from hookline.audit.actor import user
from hookline.db.rate_use import RateUse
from hookline.engine.job import State
from hookline.engine.prune import prune
from hookline.exceptions import ConfigurationError, Conflict, NotFound
from hookline.models import Attempt, AuditEntry, Delivery, Endpoint, Event, FollowUp, Message, Rejection, Source, Tenant
from hookline.operations import endpoints, events, removal, sources, tenants
from hookline.operations.prune import pruners
from hookline.operations.selection import Selection
from hookline.outgoing.models import Sequence
from hookline.testing import run_events
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_message, make_source

pytestmark = pytest.mark.django_db(transaction=True)

ADA = user("ada")


@pytest.fixture
def acme() -> Tenant:
    return Tenant.objects.create(key="acme", name="Acme", email="ops@acme.example")


def deleted(tenant: Tenant, *, erase: bool = False) -> Tenant:
    """The tenant, deleted so long ago that no edge has its sources in memory."""
    tenants.delete(ADA, tenant, erase=erase)
    Tenant.objects.filter(pk=tenant.pk).update(deleted_at=timezone.now() - timedelta(minutes=1))
    return tenants.find(tenant.public_id, deleted=True)


def history(tenant: Tenant, count: int = 1) -> None:
    """So many rows of each kind, none of which waits."""
    source, endpoint = make_source(tenant=tenant), make_endpoint(tenant=tenant)
    for _ in range(count):
        event = make_event(source, state=State.SUCCEEDED, finished_at=timezone.now())
        FollowUp.objects.create(source=source, event=event, name="shop.mail", state="dead", finished_at=timezone.now())
        delivery = make_delivery(endpoint, state=State.DEAD, finished_at=timezone.now())
        Attempt.objects.create(delivery=delivery, number=1, status=500, duration_ms=1)
        Rejection.objects.create(source=source, status=401, reason="no_secret", method="POST", path="/")


def rest() -> dict[str, int]:
    """How many rows there are of what can belong to a tenant."""
    found = {model.nouns: model._default_manager.count() for model in removal._ALL}
    return {nouns: count for nouns, count in found.items() if count}


def test_nothing_arrives_and_nothing_is_sent_once_a_tenant_is_deleted(acme: Tenant) -> None:
    source, endpoint = make_source(tenant=acme), make_endpoint(tenant=acme)
    waits, dead = make_event(source), make_event(source, state=State.DEAD)
    delivery = make_delivery(endpoint)
    before = Tenant.objects.get(pk=acme.pk)
    tenants.delete(ADA, acme)
    assert Client().post(source.path, b"{}", "application/json").status_code == 404
    for row in (waits, delivery):
        row.refresh_from_db()
        assert (row.state, row.note) == (State.CANCELLED, "cancelled: its tenant was deleted")
    events.retry(ADA, [dead.public_id])
    assert run_events() == []
    with pytest.raises(ConfigurationError, match="tenant 'acme' not found"):
        dispatch("invoice.paid", {}, tenant="acme")
    with pytest.raises(ConfigurationError, match="or was deleted"):
        dispatch("order.late", {}, tenant=before)
    with pytest.raises(ConfigurationError, match="or was deleted"):
        dispatch_many([("order.late", {})], tenant=before)
    assert not Message.objects.filter(type="order.late").exists()
    endpoint.refresh_from_db()
    assert (endpoint.disabled, endpoint.disabled_reason) == (True, "disabled by ada: its tenant was deleted")


def test_what_belonged_to_a_deleted_tenant_stays_disabled(acme: Tenant) -> None:
    source, endpoint = make_source(tenant=acme), make_endpoint(tenant=acme)
    tenants.delete(ADA, acme)
    with pytest.raises(Conflict, match="was deleted, and what belonged to it stays disabled"):
        sources.enable(ADA, Source.objects.get(pk=source.pk))
    with pytest.raises(Conflict, match="was deleted, and what belonged to it stays disabled"):
        endpoints.enable(ADA, Endpoint.objects.get(pk=endpoint.pk))
    with pytest.raises(ConfigurationError, match="was deleted; create a new one"):
        sources.create(ADA, "stripe", tenant=acme)
    with pytest.raises(Conflict, match="is being deleted already"):
        tenants.delete(ADA, acme)


def test_the_key_of_a_deleted_tenant_is_free_and_its_history_is_found_by_its_id(acme: Tenant) -> None:
    history(acme)
    tenants.delete(ADA, acme)
    assert tenants.create(ADA, "acme").pk != acme.pk
    assert events.newest(Selection(tenant="acme")) == []
    assert len(events.newest(Selection(tenant=acme.public_id))) == 1
    with pytest.raises(NotFound):
        tenants.find(acme.public_id)
    assert [one.pk for one in tenants.newest(deleted=True)] == [acme.pk]


def test_history_stays_until_retention_and_then_the_tenant_goes(acme: Tenant) -> None:
    history(acme)
    deleted(acme)
    kinds: list[Any] = []
    prune(pruners(conf.get(), kinds))
    assert Tenant.objects.filter(pk=acme.pk).exists()
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)
    for model in (FollowUp, Event, Rejection, Attempt, Delivery, Message):  # as pruning leaves it
        model._default_manager.all().delete()
    prune(pruners(conf.get(), kinds))
    assert rest() == {}
    assert not Tenant.objects.filter(pk=acme.pk).exists()
    receipt = AuditEntry.objects.get(action="tenant.remove")
    assert (receipt.actor, receipt.object) == (ADA, acme.public_id)
    assert receipt.details["erased"] is False
    assert receipt.details["removed"] == {"sources": 1, "endpoints": 1}


def test_erasing_takes_all_of_a_tenant_in_portions_and_nothing_of_others(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Tenant.objects.create(key="other")
    history(other)
    kept = rest()
    history(acme, 7)
    RateUse.objects.create(key=f"tenant:{acme.pk.hex}", due=1.0)
    monkeypatch.setattr(removal, "PORTION", 3)
    portions = list(removal.carry_out(deleted(acme, erase=True)))
    assert max(portion.removed.total() for portion in portions) <= 6  # each delivery takes its attempt with it
    assert sum((portion.removed for portion in portions), Counter()) == {
        "attempts": 7, "deliveries": 7, "messages": 7, "follow-ups": 7, "events": 7, "rejections": 7, "sources": 1,
        "endpoints": 1, "tenants": 1,
    }  # fmt: skip
    assert rest() == kept
    assert not RateUse.objects.exists()


def test_the_receipt_tells_what_went_and_no_audit_entry_quotes_it_any_more(acme: Tenant) -> None:
    source = sources.create(ADA, "stripe", secrets=["whsec_made_up"], tenant=acme, name="Shop of Ada Lovelace")
    endpoints.create(ADA, "https://acme.example.com/ada", tenant=acme)
    make_event(source)
    (*_, last) = removal.carry_out(deleted(acme, erase=True))
    receipt = last.receipt
    assert receipt is not None
    assert (receipt.actor, receipt.action, receipt.object) == (ADA, "tenant.remove", acme.public_id)
    assert receipt.details.pop("deleted_at")
    assert receipt.details == {
        "key": "acme",
        "erased": True,
        "cancelled": {"events": 1},
        "removed": {"events": 1, "sources": 1, "endpoints": 1},
        "audit_entries_emptied": 3,
    }
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
        "source.create", "endpoint.create", "tenant.delete", "tenant.remove",
    ]  # fmt: skip
    written = json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert [word for word in ("Lovelace", "acme.example", "ops@") if word in written] == []


def test_a_running_job_of_an_erased_tenant_changes_nothing_any_more(acme: Tenant) -> None:
    source = make_source(tenant=acme)
    event = make_event(source, state=State.RUNNING, claim=4, lease_until=timezone.now() + timedelta(hours=1))
    tenant = deleted(acme, erase=True)
    event.refresh_from_db()
    assert event.state == State.RUNNING  # only what is pending is cancelled with the deletion
    removal.step(tenant.pk)
    event.refresh_from_db()
    assert (event.state, event.claim) == (State.CANCELLED, 5)


def test_sources_stay_for_a_moment_because_edges_may_still_know_them(acme: Tenant) -> None:
    make_source(tenant=acme)
    tenants.delete(ADA, acme, erase=True)
    assert not removal.step(acme.pk).more
    assert Source.objects.exists()
    Tenant.objects.update(deleted_at=timezone.now() - removal.EDGES)
    assert list(removal.carry_out(acme))[-1].receipt is not None


def test_an_erasure_goes_on_after_a_kill_and_counts_every_row_once(acme: Tenant) -> None:
    history(acme, 120)
    tenant = deleted(acme, erase=True)
    command = [sys.executable, "-m", "tests.operations.removing_process", str(tenant.pk)]
    killed = subprocess.run(command, input=databases_as_json() + "\n", text=True, timeout=60, check=False)
    assert killed.returncode == -9
    assert Delivery.objects.count() == 20  # two portions of 50 are gone, and the third is not
    pruning = removal.Remover()
    while pruning.step().more:
        pass
    assert rest() == {}
    assert AuditEntry.objects.get(action="tenant.remove").details["removed"] == {
        "attempts": 120, "deliveries": 120, "messages": 120, "follow-ups": 120, "events": 120, "rejections": 120,
        "sources": 1, "endpoints": 1,
    }  # fmt: skip


def test_every_table_that_can_belong_to_a_tenant_is_known_to_its_removal() -> None:
    belongs: set[type[models.Model]] = {Tenant}
    for _ in range(5):
        for model in apps.get_app_config("hookline").get_models():
            if any(field.related_model in belongs for field in model._meta.fields if field.related_model):
                belongs.add(model)
    # The counter of an endpoint is a part of it, and goes with it.
    assert {model.__name__ for model in belongs - {Tenant, Sequence}} == {model.__name__ for model in removal._ALL}


def test_a_message_that_was_being_published_meanwhile_is_erased_too(acme: Tenant) -> None:
    make_source(tenant=acme)
    tenant = deleted(acme)
    make_message(tenant)
    tenants.delete(ADA, tenant, erase=True)
    (*_, last) = removal.carry_out(tenants.find(tenant.public_id, deleted=True))
    assert last.receipt is not None
    assert last.receipt.details["removed"] == {"messages": 1, "sources": 1}
