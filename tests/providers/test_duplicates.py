"""What every provider must do with an event that comes again, and with another that looks like it.

Checked on the entries `retry` and `distinct` of its vectors. See the notes in vectors.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.incoming.models import Source
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.relation import Relation, relation
from hookline.incoming.receive.verification import new_events
from tests.providers.vectors import Vector, each, load, load_all

RETRIES = [vector for vector in load_all() if vector.retry]
DISTINCT = [vector for vector in load_all() if vector.distinct]


def events_of(vector: Vector, request: WebhookRequest) -> list[NewEvent]:
    source = Source(provider=vector.provider_name, options=vector.options)
    return new_events(request, source, vector.receive(request))


def becomes(vector: Vector, change: dict[str, Any]) -> tuple[str, NewEvent]:
    """What the changed request is to the vector's own, and its event."""
    first = events_of(vector, vector.request)[0]
    request, receiver = vector.changed(change)
    second = events_of(receiver, request)[0]
    return (relation(first, second) if first.dedup_key == second.dedup_key else "event"), second


@pytest.mark.parametrize("name", providers.names())
def test_a_provider_says_what_changes_on_a_retry_and_shows_it_and_a_distinct_event(name: str) -> None:
    provider, vectors = providers.get(name), load(name)
    assert provider.retries
    assert any(vector.retry for vector in vectors)
    assert any(vector.distinct for vector in vectors)


@each(RETRIES)
def test_what_the_sender_delivers_again_is_a_duplicate(vector: Vector) -> None:
    retry = vector.retry or {}
    assert retry["why"]
    assert retry["source"]
    what, event = becomes(vector, retry)
    assert what == retry.get("becomes", Relation.DUPLICATE)
    assert event.dedup_key == (retry["dedup_key"] if what == "event" else vector.expected["dedup_key"])


@each(DISTINCT)
def test_another_event_is_new_however_like_it_is(vector: Vector) -> None:
    distinct = vector.distinct or {}
    assert distinct["why"]
    assert distinct["source"]
    what, event = becomes(vector, distinct)
    assert what == distinct.get("becomes", "event")
    assert what != Relation.DUPLICATE
    assert event.dedup_key == (distinct["dedup_key"] if what == "event" else vector.expected["dedup_key"])
    if what == Relation.REPEAT:
        assert vector.provider.repeats_bodies


@each([v for v in DISTINCT if (v.distinct or {}).get("becomes") == "repeat"])
def test_a_source_that_refuses_repeated_bodies_takes_the_look_alike_for_a_duplicate(vector: Vector) -> None:
    strict = vector.with_options({"repeated_bodies": "refuse"})
    vector.provider.check_options(strict.options)
    what, _ = becomes(strict, vector.distinct or {})
    assert what == Relation.DUPLICATE


# ---- what is signed may be written otherwise, and is then no other event -----------------------------


def relation_of(vector: Vector, request: WebhookRequest) -> Relation:
    first, second = events_of(vector, vector.request)[0], events_of(vector, request)[0]
    assert first.dedup_key == second.dedup_key
    return relation(first, second)


def test_a_form_of_paddle_classic_that_is_written_otherwise_is_a_duplicate() -> None:
    vector = next(vector for vector in load("paddle_classic") if vector.is_event)
    respelt = vector.body.replace("alert_name", "%61lert_name")
    assert respelt != vector.body
    assert relation_of(vector, replace(vector.request, body=respelt.encode())) == Relation.DUPLICATE


def test_a_message_of_sns_with_other_fields_that_are_not_signed_is_a_duplicate() -> None:
    vector = next(vector for vector in load("aws_sns") if vector.is_event)
    changed = vector.body.replace('"Type": "Notification"', '"Type": "Notification", "Added": {"a": 1}')
    assert changed != vector.body
    assert relation_of(vector, replace(vector.request, body=changed.encode())) == Relation.DUPLICATE


def test_a_body_of_box_whose_backslashes_are_spelt_otherwise_is_a_duplicate() -> None:
    body = (
        rb'{"type":"webhook_event","id":"1","trigger":"FILE.UPLOADED","source":{"id":"2","type":"file","name":"a\\b"}}'
    )
    vector = replace(load("box")[0], body=body.decode())
    request, vector = vector.signed(vector.request)
    respelt = replace(request, body=body.replace(rb"\\", rb"\\\\"))
    first = events_of(vector, request)[0]
    second = events_of(vector, vector.provider.sign(respelt, vector.config, vector.now))[0]
    assert relation(first, second) == Relation.DUPLICATE


def test_a_known_notification_of_another_salesforce_organization_is_a_conflict() -> None:
    vector = load("salesforce")[0]
    body = vector.body.replace(">00D000000000062EAA<", ">00D000000000063EAA<")
    assert body != vector.body
    assert relation_of(vector, replace(vector.request, body=body.encode())) == Relation.CONFLICT


def test_a_signature_that_anybody_has_added_does_not_say_when_a_request_was_signed() -> None:
    vector = load("http_signatures")[2]
    added = {
        "signature-input": 'x=("@method" "@target-uri" "content-digest");created=1700000004, ',
        "signature": "x=:AAAA:, ",
    }
    request = vector.request.with_headers({name: text + vector.headers[name] for name, text in added.items()})
    assert relation_of(vector, request) == Relation.DUPLICATE


def test_a_type_in_a_header_that_is_not_signed_makes_no_conflict() -> None:
    vector = load("standard")[0].with_options({"type": "header:x-type"})
    first, second = (
        events_of(vector, vector.request.with_headers({"x-type": name}))[0] for name in ("order.paid", "order.void")
    )
    assert first.dedup_key == second.dedup_key
    assert relation(first, second) == Relation.DUPLICATE


@pytest.mark.parametrize(("name", "number"), [("coinbase_cdp", 0), ("generic", 0), ("recurly", 0), ("zendesk", 1)])
def test_a_header_that_an_option_calls_the_type_is_part_of_the_key_unless_repeats_are_refused(
    name: str, number: int
) -> None:
    vector = load(name)[number].with_options({"type": "header:x-type"})
    requests = [vector.request.with_headers({"x-type": kind}) for kind in ("order.paid", "order.void")]
    assert len({events_of(vector, request)[0].dedup_key for request in requests}) == 2
    strict = vector.with_options({"repeated_bodies": "refuse"})
    vector.provider.check_options(strict.options)
    assert len({events_of(strict, request)[0].dedup_key for request in requests}) == 1
