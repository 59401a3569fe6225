"""Making jobs due again: which, when, and that their workers hear of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from hookline.audit.actor import user
from hookline.engine.job import State
from hookline.exceptions import Conflict
from hookline.models import AuditEntry, Delivery, Event
from hookline.operations import events
from hookline.operations.selection import Selection
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source

pytestmark = pytest.mark.django_db

ADA = user("ada")


def stored(event: Event) -> tuple[str, int, bool]:
    """State, attempts, and whether it is due."""
    event.refresh_from_db()
    return event.state, event.attempts, event.due_at <= timezone.now()


def test_a_selection_without_a_status_means_what_is_dead() -> None:
    source = make_source()
    dead, done, dropped = (
        make_event(source, state=state, attempts=3) for state in (State.DEAD, State.SUCCEEDED, State.CANCELLED)
    )
    assert events.retry_selection(ADA, Selection(source=source.public_id)) == [dead.public_id]
    assert stored(done)[0] == "succeeded"
    assert events.retry_selection(ADA, Selection(status="cancelled")) == [dropped.public_id]
    assert events.retry_selection(ADA, Selection(status="succeeded")) == [done.public_id]


def test_now_makes_what_waits_due_with_the_tries_that_it_has_left() -> None:
    waiting = make_event(make_source(), attempts=3, due_at=timezone.now() + timedelta(hours=5))
    with pytest.raises(Conflict, match="is pending and needs no retry; nothing was changed"):
        events.retry(ADA, [waiting.public_id])
    assert stored(waiting) == ("pending", 3, False)
    assert events.retry(ADA, [waiting.public_id], now=True) == [waiting.public_id]
    assert stored(waiting) == ("pending", 3, True)


@pytest.mark.parametrize("now", [False, True])
def test_what_runs_is_left_alone(now: bool) -> None:
    running = make_event(make_source(), state=State.RUNNING, attempts=1)
    with pytest.raises(Conflict, match="is running"):
        events.retry(ADA, [running.public_id], now=now)
    assert events.retry_selection(ADA, Selection(status="running"), now=now) == []
    assert stored(running)[:2] == ("running", 1)
    assert not AuditEntry.objects.exists()


def test_of_many_the_entry_tells_how_many_and_names_the_first_hundred() -> None:
    source = make_source()
    made = [make_event(source, state=State.DEAD) for _ in range(101)]
    assert len(events.retry_selection(ADA, Selection(status="dead", limit=1000))) == 101
    entry = AuditEntry.objects.get()
    assert (entry.object, entry.details["count"], len(entry.details["ids"])) == ("", 101, 100)
    assert entry.details["ids"][0] == made[-1].public_id
    assert entry.tenant_id == source.tenant_id


def test_the_limit_bounds_a_retry() -> None:
    source = make_source()
    made = [make_event(source, state=State.DEAD) for _ in range(3)]
    assert events.retry_selection(ADA, Selection(limit=2)) == [made[2].public_id, made[1].public_id]


def test_a_queryset_retries_what_is_dead_and_says_who_did() -> None:
    source, other = make_source(), make_source()
    dead, done = (make_event(source, state=state, attempts=3) for state in (State.DEAD, State.SUCCEEDED))
    elsewhere = make_event(other, state=State.DEAD, attempts=3)
    assert source.events.dead().retry() == 1
    assert [stored(event)[0] for event in (dead, done, elsewhere)] == ["pending", "succeeded", "dead"]
    assert str(AuditEntry.objects.latest("pk").actor) == "code of the project"
    assert Event.objects.filter(type="invoice.paid").dead().retry(by="ada") == 1
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.object) == (ADA, "event.retry", elsewhere.public_id)


def test_a_queryset_of_deliveries_retries_too_and_leaves_alone_what_waits() -> None:
    endpoint = make_endpoint()
    for state in State.values:
        make_delivery(endpoint, state=state, attempts=1)
    assert Delivery.objects.retry(ADA) == 3
    assert (Delivery.objects.pending().count(), Delivery.objects.running().count()) == (4, 1)
    assert not (Delivery.objects.succeeded() | Delivery.objects.dead() | Delivery.objects.cancelled()).exists()
    assert Delivery.objects.dead().retry() == 0
    assert AuditEntry.objects.count() == 1


def test_many_are_retried_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookline.engine.job_queryset.PORTION", 2)
    source = make_source()
    for _ in range(5):
        make_event(source, state=State.DEAD)
    assert Event.objects.dead().order_by("pk")[:4].retry() == 4
    assert [entry.details["count"] for entry in AuditEntry.objects.all()] == [2, 2]
    assert Event.objects.dead().count() == 1
