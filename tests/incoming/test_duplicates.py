"""What an event is whose key is known: a duplicate, a repeat or a conflict. The database decides what is first."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
from django.db import connections

from hookline import conf, providers
from hookline.audit.actor import SYSTEM
from hookline.core.request import WebhookRequest
from hookline.core.secrets import SecretRing
from hookline.engine.job import State
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.documents import documents
from hookline.incoming.receive.flow import Receiver, receive
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.source_cache import SourcesInDatabase
from hookline.incoming.receive.store import Stored, store
from hookline.incoming.receive.verification import new_events
from hookline.operations import sources
from hookline.tenants.models import resolve
from tests.providers.vectors import load_all

pytestmark = pytest.mark.django_db(transaction=True)

NOW = 1_700_000_000.0
RECEIVER = Receiver(conf.get, SourcesInDatabase(), documents, lambda: NOW)
SECRET = "It's a Secret to Everybody"  # GitHub's own example
#: A workflow that is started by hand twice: nothing in the body tells the two apart.
DISPATCH = {"inputs": None, "ref": "refs/heads/main", "workflow": ".github/workflows/deploy.yml"}


@pytest.fixture
def github() -> Source:
    return sources.create(SYSTEM, "github", secrets=[SECRET])


@pytest.fixture
def stripe() -> Source:
    return sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"])


def signed(source: Source, body: Any, **headers: str) -> WebhookRequest:
    """The request that the sender of this source makes."""
    names = {"content-type": ("application/json",)}
    names |= {name.replace("_", "-"): (value,) for name, value in headers.items()}
    request = WebhookRequest("POST", f"https://hooks.example.com{source.path}", names, json.dumps(body).encode())
    return providers.get(source.provider).sign(request, source.config(NOW), NOW)


def delivered(source: Source, delivery: str | None, event: str = "workflow_dispatch", body: Any = DISPATCH) -> Event:
    """GitHub delivers this, and it is acknowledged. The stored event that the answer names."""
    headers = {"x_github_event": event} | ({} if delivery is None else {"x_github_delivery": delivery})
    return posted(source, signed(source, body, **headers), "accepted")


def posted(source: Source, request: WebhookRequest, status: str) -> Event:
    reply = receive(RECEIVER, request, source.token)
    answer = json.loads(reply.body)
    assert (reply.status, answer["status"]) == (200, status)
    return Event.find(answer["id"])


def duplicate(source: Source, delivery: str, event: str = "workflow_dispatch", body: Any = DISPATCH) -> Event:
    return posted(source, signed(source, body, x_github_event=event, x_github_delivery=delivery), "duplicate")


def stripe_event(source: Source, **fields: Any) -> WebhookRequest:
    body = {"id": "evt_00000000000000", "type": "invoice.paid", "data": {"object": {"total": 1}}, **fields}
    return signed(source, body)


# ---- repeats ------------------------------------------------------------------------------------------


def test_a_known_body_under_another_delivery_id_is_a_new_event_that_names_the_first(
    github: Source, caplog: pytest.LogCaptureFixture
) -> None:
    first = delivered(github, "72d3162e")
    with caplog.at_level(logging.INFO, "hookline.incoming"):
        second, third = delivered(github, "9f1c0d2a"), delivered(github, "b0b0b0b0")
    assert first.repeat_of is None
    assert (second.repeat_of, third.repeat_of) == (first.pk, first.pk)
    assert f"{second.public_id} is a repeat of {first.public_id}" in caplog.text
    assert Event.objects.count() == 3


def test_a_redelivery_is_a_duplicate_of_the_very_event_whose_delivery_it_repeats(github: Source) -> None:
    first, second = delivered(github, "72d3162e"), delivered(github, "9f1c0d2a")
    assert duplicate(github, "72d3162e").pk == first.pk
    assert duplicate(github, "9f1c0d2a").pk == second.pk
    assert Event.objects.count() == 2


def test_a_known_body_without_any_delivery_id_is_a_new_event_each_time(github: Source) -> None:
    first = delivered(github, None)
    assert [delivered(github, None).repeat_of, delivered(github, None).repeat_of] == [first.pk, first.pk]


def test_a_known_body_under_another_event_name_is_an_event_of_its_own(github: Source) -> None:
    delivered(github, "72d3162e", "workflow_dispatch")
    other = delivered(github, "72d3162e", "repository_dispatch")
    assert (other.type, other.repeat_of) == ("repository_dispatch", None)


def test_a_source_that_refuses_repeated_bodies_takes_each_for_a_duplicate_whatever_came_with_it() -> None:
    strict = sources.create(SYSTEM, "github", secrets=[SECRET], options={"repeated_bodies": "refuse"})
    first = delivered(strict, "72d3162e")
    assert duplicate(strict, "9f1c0d2a").pk == first.pk
    assert duplicate(strict, "9f1c0d2a", "repository_dispatch").pk == first.pk
    assert Event.objects.count() == 1


def test_a_source_that_begins_to_refuse_repeated_bodies_knows_those_from_before(github: Source) -> None:
    first = delivered(github, "72d3162e")
    github.options = {"repeated_bodies": "refuse"}
    github.save()
    assert duplicate(github, "9f1c0d2a").pk == first.pk


def test_a_source_that_trusts_unsigned_ids_still_does() -> None:
    trusting = sources.create(SYSTEM, "github", secrets=[SECRET], options={"trust_unsigned_id": "true"})
    first = delivered(trusting, "72d3162e")
    assert first.dedup_key == "id:72d3162e"
    assert duplicate(trusting, "72d3162e").pk == first.pk
    assert delivered(trusting, "9f1c0d2a").repeat_of is None


def test_a_redelivery_of_what_an_earlier_version_stored_is_a_duplicate(github: Source) -> None:
    first = delivered(github, "72d3162e")
    # As it was before the event's name became part of the key: `printf '%s' BODY | openssl dgst -sha256`.
    body = '{"inputs": null, "ref": "refs/heads/main", "workflow": ".github/workflows/deploy.yml"}'
    assert bytes(first.body) == body.encode()
    old_key = "sha256:4f4334c7c2b12dbb88949302c7076d64857c9d27a45f746d3b95ed7da9fdf1c5"
    Event.objects.filter(pk=first.pk).update(dedup_key=old_key)
    assert duplicate(github, "72d3162e").pk == first.pk
    assert delivered(github, "9f1c0d2a").pk != first.pk


def test_a_redelivery_is_found_after_the_first_event_with_its_body_was_pruned(github: Source) -> None:
    first, second = delivered(github, "72d3162e"), delivered(github, "9f1c0d2a")
    first.delete()
    assert duplicate(github, "9f1c0d2a").pk == second.pk


def test_only_the_redelivered_event_of_those_that_died_is_made_due_again(github: Source) -> None:
    first, second = delivered(github, "72d3162e"), delivered(github, "9f1c0d2a")
    Event.objects.update(state=State.DEAD)
    delivered(github, "b0b0b0b0")
    assert Event.objects.filter(pk__in=[first.pk, second.pk], state=State.DEAD).count() == 2
    duplicate(github, "9f1c0d2a")
    assert Event.objects.get(pk=second.pk).state == State.PENDING
    assert Event.objects.get(pk=first.pk).state == State.DEAD


def test_look_alikes_of_one_batch_are_told_apart(github: Source) -> None:
    def event(delivery: str) -> NewEvent:
        request = signed(github, DISPATCH, x_github_event="workflow_dispatch", x_github_delivery=delivery)
        received = providers.get("github").receive(request, github.config(NOW), NOW)
        return new_events(request, github, received)[0]

    first, second, again, second_again = (event(delivery) for delivery in ("a", "b", "a", "b"))
    assert store([first, second, again, second_again]) == [
        Stored(first.id, False),
        Stored(second.id, False),
        Stored(first.id, True),
        Stored(second.id, True),
    ]
    assert Event.objects.get(pk=second.id).repeat_of == first.id


def test_look_alikes_that_come_at_once_are_stored_once_each(github: Source) -> None:
    def deliver(number: int) -> None:
        request = signed(github, DISPATCH, x_github_event="workflow_dispatch", x_github_delivery=f"d{number % 4}")
        assert receive(RECEIVER, request, github.token).status == 200

    in_threads(8, deliver)
    found = Event.objects.order_by("provider_id").values_list("provider_id", flat=True)
    assert list(found) == ["d0", "d1", "d2", "d3"]
    (first,) = Event.objects.filter(repeat_of=None)
    assert set(Event.objects.exclude(pk=first.pk).values_list("repeat_of", flat=True)) == {first.pk}


# ---- conflicts ----------------------------------------------------------------------------------------


def test_the_same_signed_id_with_other_content_is_a_new_event_that_names_the_first(
    stripe: Source, caplog: pytest.LogCaptureFixture
) -> None:
    first = posted(stripe, stripe_event(stripe), "accepted")
    second = posted(stripe, stripe_event(stripe, data={"object": {"total": 2}}), "accepted")
    third = posted(stripe, stripe_event(stripe, type="invoice.voided"), "accepted")
    assert (first.conflict_of, second.conflict_of, third.conflict_of) == (None, first.pk, first.pk)
    assert f"{second.public_id} conflicts with {first.public_id}" in caplog.text


def test_a_conflict_that_is_delivered_again_is_a_duplicate_of_itself(stripe: Source) -> None:
    first = posted(stripe, stripe_event(stripe), "accepted")
    second = posted(stripe, stripe_event(stripe, data={}), "accepted")
    assert posted(stripe, stripe_event(stripe, data={}), "duplicate").pk == second.pk
    assert posted(stripe, stripe_event(stripe), "duplicate").pk == first.pk
    assert Event.objects.count() == 2


def test_fields_in_another_order_or_that_change_on_a_retry_make_no_conflict(stripe: Source) -> None:
    fields = {"id": "evt_1", "type": "invoice.paid", "pending_webhooks": 2, "data": {"a": 1, "b": 2}}
    first = posted(stripe, signed(stripe, fields), "accepted")
    again = {"data": {"b": 2, "a": 1}, "pending_webhooks": 1, "type": "invoice.paid", "id": "evt_1"}
    assert posted(stripe, signed(stripe, again), "duplicate").pk == first.pk


def test_conflicts_that_come_at_once_are_stored_once_each(stripe: Source) -> None:
    def deliver(number: int) -> None:
        assert receive(RECEIVER, stripe_event(stripe, livemode=number % 3), stripe.token).status == 200

    in_threads(9, deliver)
    assert Event.objects.count() == 3
    (first,) = Event.objects.filter(conflict_of=None)
    assert set(Event.objects.exclude(pk=first.pk).values_list("conflict_of", flat=True)) == {first.pk}


def test_every_providers_retries_and_look_alikes_are_stored_as_its_vectors_say() -> None:
    wrong = []
    for vector in load_all():
        for change in filter(None, (vector.retry, vector.distinct)):
            request, receiver = vector.changed(change)
            source = Source(tenant=resolve(None), provider=vector.provider_name, options=vector.options)
            source.secrets = SecretRing.of("made up")  # what was verified is stored
            source.save()
            stored = [
                store(new_events(one, source, verified))[0]
                for one, verified in ((vector.request, vector.receive()), (request, receiver.receive(request)))
            ]
            event = Event.objects.get(pk=stored[1].id)
            first = stored[0].id
            found = "duplicate" if stored[1].duplicate else "event"
            found = "repeat" if event.repeat_of == first else "conflict" if event.conflict_of == first else found
            if found != change.get("becomes", "duplicate" if change is vector.retry else "event"):
                wrong.append((vector.provider_name, vector.why, found))
    assert wrong == []


def in_threads(count: int, work: Any) -> None:
    """Run `work` in threads that begin together; what any raises is raised here."""
    barrier, errors = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            work(number)
        except BaseException as error:  # noqa: BLE001  # raised again by the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
