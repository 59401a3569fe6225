"""Replays: what they make due, in which order, at which rate, and that nothing is done twice."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import DatabaseError
from django.utils import timezone

from hookline import conf, dispatch
from hookline.audit.actor import user
from hookline.core.breaker import Breaker
from hookline.core.breaker import State as BreakerState
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.exceptions import ConfigurationError, Conflict, LeaseLost
from hookline.models import Attempt, Delivery, Endpoint, Event, Message, Replay, Tenant
from hookline.operations import deliveries, endpoints, replays
from hookline.operations.selection import Selection
from hookline.outgoing.models import EXPUNGED
from hookline.replays import work
from hookline.replays.run import run
from hookline.testing import StubTransport, deliver_all
from hookline.transport.transport import Response
from tests.engine.rows import ago, make_delivery, make_endpoint, make_event, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ADA = user("ada")


def carry_out() -> None:
    """What a worker does, until nothing is left to do now."""
    kind_of(Replay, conf.get()).share(lambda: None)


def recover(endpoint: Endpoint, since: datetime, rate: float | None = None) -> Replay:
    return replays.start(ADA, "missed", Selection(endpoint=endpoint.public_id, since=since), rate=rate)


def sent_in_order() -> list[UUID]:
    """The messages of what is pending, those first that are due first."""
    waiting = Delivery.objects.filter(state=State.PENDING).order_by("due_at", "id")
    return list(waiting.values_list("message", flat=True))


def test_what_was_published_while_an_endpoint_was_disabled_is_sent_when_it_is_recovered() -> None:
    endpoint = make_endpoint(event_types=["invoice.*"])
    got = dispatch("invoice.paid", {"n": 0})
    deliver_all()
    endpoints.disable(ADA, endpoint)
    missed = [dispatch("invoice.paid", {"n": number}) for number in range(1, 4)]
    dispatch("order.paid", {})
    selection = Selection(endpoint=endpoint.public_id, since=ago(60))
    with pytest.raises(Conflict, match=r"is disabled; enable it first: `hookline endpoint enable ep_"):
        replays.start(ADA, "missed", selection)
    endpoints.enable(ADA, endpoint)
    assert replays.preview("missed", selection, rate=2).as_json() == {"count": 3, "seconds": 2}
    replay = replays.start(ADA, "missed", selection)
    carry_out()
    assert sent_in_order() == [message.pk for message in missed]
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert sorted(sent.json["data"]["n"] for sent in consumer.sent) == [1, 2, 3]
    assert Delivery.objects.get(message=got).attempts == 1
    shown = replays.as_json(replays.find(replay.public_id))
    assert (shown["status"], shown["total"], shown["renewed"]) == ("succeeded", 3, 3)
    # What it has by now it does not get again.
    recover(endpoint, ago(60))
    carry_out()
    assert deliver_all() == []


def test_the_contents_of_all_messages_of_a_tenant_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    for what, one in work.WORKS.items():
        monkeypatch.setitem(work.WORKS, what, replace(one, portion=2))
    endpoint = make_endpoint(tenant=Tenant.objects.create(key="acme"))
    other = make_endpoint(tenant=Tenant.objects.create(key="other"))
    sent = dispatch("invoice.paid", {"n": 0}, tenant="acme")
    deliver_all(StubTransport(Response(200, body=b"thank you")))
    waiting = [dispatch("invoice.paid", {"n": number}, tenant="acme") for number in range(1, 4)]
    kept = dispatch("invoice.paid", {"n": 4}, tenant="other")
    replay = replays.start(ADA, "contents", Selection(tenant="acme"))
    later = dispatch("invoice.paid", {"n": 5}, tenant="acme")
    carry_out()
    shown = replays.as_json(replays.find(replay.public_id))
    assert (shown["status"], shown["total"], shown["seen"], shown["renewed"]) == ("succeeded", 4, 4, 4)
    assert shown["note"] == "4 of 4 lost their content"
    assert all(Message.objects.get(pk=one.pk).is_expunged for one in [sent, *waiting])
    assert Attempt.objects.get(delivery__message=sent).response_body == EXPUNGED
    states = dict(Delivery.objects.filter(endpoint=endpoint).values_list("message", "state"))
    assert [states[one.pk] for one in [sent, *waiting, later]] == ["succeeded", *["cancelled"] * 3, "pending"]
    assert Message.objects.get(pk=kept.pk).json["data"] == {"n": 4}
    assert Delivery.objects.get(endpoint=other).state == State.PENDING


def test_usage_is_counted_by_tenant_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(work.WORKS, "usage", replace(work.WORKS["usage"], portion=2))
    acme, other, idle = (Tenant.objects.create(key=key) for key in ("acme", "other", "idle"))
    for tenant in (acme, acme, other):
        make_endpoint(tenant=tenant)
    for key in ("acme", "acme", "other", "idle"):
        dispatch("invoice.paid", {}, tenant=key)
    since, made = ago(60), timezone.now()
    wait_until(lambda: timezone.now() - made > timedelta(milliseconds=2))  # ids tell the time to the millisecond
    counted = replays.count_usage(ADA, since=since)
    of_two = replays.count_usage(ADA, since=since, tenants=[other, idle])
    before = replays.count_usage(ADA, since=ago(7200), until=ago(3600))
    dispatch("invoice.paid", {}, tenant="acme")  # too late
    carry_out()
    found = [replays.as_json(replays.find(one.public_id)) for one in (counted, of_two, before)]
    assert [one["status"] for one in found] == ["succeeded"] * 3
    assert [one["usage"] for one in found] == [{"acme": 4, "other": 1}, {"other": 1, "idle": 0}, {}]
    assert found[0]["note"] == "5 of 5 were counted"
    with pytest.raises(ConfigurationError, match="must begin before it ends"):
        replays.count_usage(ADA, since=ago(60), until=ago(3600))


def test_deliveries_are_counted_by_event_type_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(work.WORKS, "types", replace(work.WORKS["types"], portion=2))
    acme = Tenant.objects.create(key="acme")
    for _ in range(2):
        make_endpoint(tenant=acme)
    for event_type in ("invoice.paid", "invoice.paid", "user.created"):
        dispatch(event_type, {}, tenant="acme")
    made = timezone.now()
    wait_until(lambda: timezone.now() - made > timedelta(milliseconds=2))  # ids tell the time to the millisecond
    counted = replays.count_types(ADA)
    before = replays.count_types(ADA, until=ago(3600))
    carry_out()
    found = [replays.as_json(replays.find(one.public_id)) for one in (counted, before)]
    assert [one["usage"] for one in found] == [{"invoice.paid": 4, "user.created": 2}, {}]
    assert found[0]["note"] == "6 of 6 were counted"
    with pytest.raises(ConfigurationError, match="must begin before it ends"):
        replays.count_types(ADA, since=ago(60), until=ago(3600))


def test_what_counts_is_no_replay_to_be_started() -> None:
    since = ago(60)
    with pytest.raises(ConfigurationError, match="'usage' cannot be replayed"):
        replays.start(ADA, "usage", Selection(since=since))


def test_contents_are_removed_of_whole_tenants_alone() -> None:
    with pytest.raises(ConfigurationError, match="name the tenant"):
        replays.start(ADA, "contents", Selection())
    Tenant.objects.create(key="acme")
    with pytest.raises(ConfigurationError, match="not by type"):
        replays.start(ADA, "contents", Selection(tenant="acme", type="invoice.paid"))


def test_recovering_sends_what_is_dead_again_under_attempt_numbers_of_its_own() -> None:
    endpoint = make_endpoint()
    message = dispatch("invoice.paid", {})
    Delivery.objects.update(attempts=9)
    deliver_all(StubTransport(500))
    assert Delivery.objects.get().state == State.DEAD
    recover(endpoint, ago(60))
    carry_out()
    deliver_all(StubTransport(500))
    deliveries.retry(ADA, [Delivery.objects.get().public_id], now=True)
    deliver_all(StubTransport(200))
    delivery = Delivery.objects.get()
    assert (delivery.message_id, delivery.state, delivery.attempts) == (message.pk, State.SUCCEEDED, 2)
    assert list(Attempt.objects.order_by("id").values_list("number", flat=True)) == [10, 11, 12]


def test_what_was_published_at_the_very_moment_since_when_is_sent_and_at_that_until_when_is_not() -> None:
    dispatch("invoice.paid", {})
    published = Message.objects.get().created_at  # as the database has it
    endpoint = make_endpoint()
    later = Selection(endpoint=endpoint.public_id, since=published)
    before = Selection(endpoint=endpoint.public_id, since=ago(60), until=published)
    for what in ("missed", "messages"):
        assert (replays.preview(what, later).count, replays.preview(what, before).count) == (1, 0)
    assert recover(endpoint, published).total == 1
    carry_out()
    assert Delivery.objects.count() == 1


def test_a_new_endpoint_gets_the_messages_of_before_it_was_made() -> None:
    messages = [dispatch("invoice.paid", {"n": number}) for number in range(3)]
    endpoint = make_endpoint()
    recover(endpoint, ago(60))
    carry_out()
    assert sent_in_order() == [message.pk for message in messages]


def test_a_rate_spreads_what_is_made_due_and_bounds_each_portion() -> None:
    for number in range(5):
        dispatch("invoice.paid", {"n": number})
    replay = recover(make_endpoint(), ago(60), rate=2)
    before = time.time()
    while replays.find(replay.public_id).state != State.SUCCEEDED:
        carry_out()
    assert time.time() - before >= 1.9  # two portions of two come before the last one
    due = [moment.timestamp() for moment in Delivery.objects.order_by("due_at").values_list("due_at", flat=True)]
    assert all(later - earlier > 0.4 for earlier, later in pairwise(due))


def test_events_are_processed_again_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for what, one in work.WORKS.items():
        monkeypatch.setitem(work.WORKS, what, replace(one, portion=2))
    source = make_source()
    made = [make_event(source, state=State.SUCCEEDED, attempts=1) for _ in range(5)]
    other = make_event(make_source(), state=State.SUCCEEDED)
    replays.start(ADA, "events", Selection(source=source.public_id), again=True)
    carry_out()
    waiting = Event.objects.filter(state=State.PENDING).order_by("due_at")
    assert [event.pk for event in waiting] == [event.pk for event in made]
    other.refresh_from_db()
    assert other.state == State.SUCCEEDED


def test_the_effect_of_an_event_that_was_processed_is_repeated_only_when_that_is_wanted() -> None:
    source = make_source()
    processed = make_event(source, state=State.SUCCEEDED)
    others = [
        make_event(source, state=State.SUCCEEDED, unhandled=True),
        make_event(source, state=State.DEAD),
        make_event(source, state=State.CANCELLED),
    ]
    everything = Selection(source=source.public_id)
    assert [replays.preview("events", everything, again=again).count for again in (False, True)] == [3, 4]
    with pytest.raises(ConfigurationError, match="--again"):
        replays.start(ADA, "events", Selection(source=source.public_id, status="succeeded"))
    with pytest.raises(ConfigurationError, match="is for events"):
        replays.start(ADA, "deliveries", Selection(since=ago(60)), again=True)
    replay = replays.start(ADA, "events", everything)
    carry_out()
    assert {event.pk for event in Event.objects.filter(state=State.PENDING)} == {event.pk for event in others}
    assert replays.find(replay.public_id).renewed == 3
    replays.start(ADA, "events", everything, again=True)
    carry_out()
    processed.refresh_from_db()
    assert processed.state == State.PENDING


def test_a_portion_that_fails_leaves_nothing_and_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source()
    event = make_event(source, state=State.DEAD)
    replay = replays.start(ADA, "events", Selection(source=source.public_id))

    def fail(*arguments: object) -> object:
        do_portion(*arguments)  # type: ignore[arg-type]
        raise DatabaseError("the disk is full")

    do_portion = work.do_portion
    monkeypatch.setattr("hookline.replays.run.do_portion", fail)
    carry_out()
    event.refresh_from_db()
    replay.refresh_from_db()
    assert (event.state, replay.state, replay.seen) == (State.DEAD, State.PENDING, 0)
    assert "the disk is full" in replay.note
    monkeypatch.undo()
    Replay.objects.update(due_at=ago(1))
    carry_out()
    event.refresh_from_db()
    assert (event.state, event.note) == (State.PENDING, f"replayed by {replay.public_id}")


def test_one_whose_worker_was_killed_is_carried_on_by_another() -> None:
    source = make_source()
    make_event(source, state=State.DEAD)
    replay = replays.start(ADA, "events", Selection(source=source.public_id))
    assert claim(Replay, 1, lease=-1)
    kind_of(Replay, conf.get()).take_back()
    carry_out()
    replay.refresh_from_db()
    assert (replay.state, replay.renewed) == (State.SUCCEEDED, 1)


def test_a_paused_one_waits_and_a_cancelled_one_ends_whoever_runs_it() -> None:
    source = make_source()
    event = make_event(source, state=State.DEAD)
    replay = replays.start(ADA, "events", Selection(source=source.public_id))
    replays.pause(ADA, replay)
    carry_out()
    event.refresh_from_db()
    assert event.state == State.DEAD
    replays.resume(ADA, replay)
    [held] = claim(Replay, 1, lease=60)
    replays.cancel(ADA, replays.find(replay.public_id))
    with pytest.raises(LeaseLost):
        run(held)
    event.refresh_from_db()
    assert event.state == State.DEAD
    with pytest.raises(Conflict, match="has ended"):
        replays.resume(ADA, replays.find(replay.public_id))


def test_what_is_not_narrowed_or_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="say what to replay"):
        replays.start(ADA, "events", Selection())
    with pytest.raises(ConfigurationError, match="needs an endpoint and a start time"):
        replays.start(ADA, "missed", Selection(since=ago(60)))
    with pytest.raises(ConfigurationError, match="pending events are not replayed"):
        replays.start(ADA, "events", Selection(status="pending"))
    with pytest.raises(ConfigurationError, match="more than 0 a second"):
        replays.start(ADA, "events", Selection(since=ago(60)), rate=0)


# ---- now ---------------------------------------------------------------------------------------------


def test_a_delivery_is_sent_now_though_the_breaker_of_its_endpoint_is_open() -> None:
    endpoint = make_endpoint()
    first = make_delivery(endpoint, due_at=ago(600))
    chosen = make_delivery(endpoint, due_at=timezone.now() + timedelta(hours=5))
    endpoint.breaker = Breaker(BreakerState.OPEN, 10, trips=5, opened_at=1.0, open_until=time.time() + 500)
    endpoint.save()
    assert claim(Delivery, 1, lease=60) == []
    assert deliveries.retry(ADA, [chosen.public_id], now=True) == [chosen.public_id]
    sent = [delivery.pk for delivery in claim(Delivery, 1, lease=60)]
    assert sent == [chosen.pk]
    first.refresh_from_db()
    assert first.state == State.PENDING


def test_one_that_needs_no_retry_does_not_keep_the_others_from_theirs() -> None:
    endpoint = make_endpoint()
    dead, running = (make_delivery(endpoint, state=state) for state in (State.DEAD, State.RUNNING))
    assert deliveries.retry(ADA, [running.public_id, dead.public_id]) == [dead.public_id]
    assert Message.objects.count() == 2
