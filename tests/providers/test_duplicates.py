"""What every provider must do with an event that comes again, and with another that looks like it.

Checked on the entries `retry` and `distinct` of its vectors. See the notes in vectors.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.flow import new_events
from hookline.incoming.receive.relation import Relation, relation
from tests.providers.vectors import Vector, load, load_all

#: Providers of which nobody has yet written down what changes on a retry. This list only becomes shorter.
NOT_YET = frozenset((Path(__file__).parent / "without_retry.txt").read_text().split())

RETRIES = [vector for vector in load_all() if vector.retry]
DISTINCT = [vector for vector in load_all() if vector.distinct]


def name_of(vector: Vector) -> str:
    return f"{vector.provider_name}: {vector.why[:50]}"


def events_of(vector: Vector, request: WebhookRequest) -> list[Event]:
    source = Source(provider=vector.provider_name, options=vector.options)
    return new_events(request, source, vector.receive(request))


def becomes(vector: Vector, change: dict[str, Any]) -> tuple[str, Event]:
    """What the changed request is to the vector's own, and its event."""
    first = events_of(vector, vector.request)[0]
    request, receiver = vector.changed(change)
    second = events_of(receiver, request)[0]
    return (relation(first, second) if first.dedup_key == second.dedup_key else "event"), second


@pytest.mark.parametrize("name", providers.names())
def test_a_provider_says_what_changes_on_a_retry_and_shows_it_and_a_distinct_event(name: str) -> None:
    provider, vectors = providers.get(name), load(name)
    complete = bool(provider.retries) and any(v.retry for v in vectors) and any(v.distinct for v in vectors)
    assert complete == (name not in NOT_YET), "add it, or take it off the list of those that are not done"


@pytest.mark.parametrize("vector", RETRIES, ids=name_of)
def test_what_the_sender_delivers_again_is_a_duplicate(vector: Vector) -> None:
    retry = vector.retry or {}
    assert retry["why"]
    assert retry["source"]
    what, event = becomes(vector, retry)
    assert what == retry.get("becomes", Relation.DUPLICATE)
    assert event.dedup_key == (retry["dedup_key"] if what == "event" else vector.expected["dedup_key"])


@pytest.mark.parametrize("vector", DISTINCT, ids=name_of)
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


@pytest.mark.parametrize("vector", [v for v in DISTINCT if (v.distinct or {}).get("becomes") == "repeat"], ids=name_of)
def test_a_source_that_refuses_repeated_bodies_takes_the_look_alike_for_a_duplicate(vector: Vector) -> None:
    strict = vector.with_options({"repeated_bodies": "refuse"})
    vector.provider.check_options(strict.options)
    what, _ = becomes(strict, vector.distinct or {})
    assert what == Relation.DUPLICATE
