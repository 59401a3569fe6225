"""Committing events, so that each is there once."""

from __future__ import annotations

from typing import Any

import pytest

from hookline.audit.actor import SYSTEM
from hookline.db.row import new_id
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.store import store
from hookline.operations import sources

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source() -> Source:
    return sources.create(SYSTEM, "stripe", secrets=["whsec_x"])


def event(source: Source, key: str, **fields: Any) -> Event:
    return Event(id=new_id(), source=source, type="invoice.paid", dedup_key=key, body=b"{}", **fields)


def test_of_the_same_event_several_times_in_one_batch_the_first_is_stored_and_the_others_name_it(
    source: Source,
) -> None:
    first, other, again, once_more = (event(source, key) for key in ("a", "b", "a", "a"))
    stored = store([first, other, again, once_more])
    assert [(item.id, item.duplicate) for item in stored] == [
        (first.id, False), (other.id, False), (first.id, True), (first.id, True),
    ]  # fmt: skip
    assert set(Event.objects.values_list("id", flat=True)) == {first.id, other.id}


def test_what_was_stored_before_is_named_by_each_of_its_duplicates_beside_what_is_new(source: Source) -> None:
    known = event(source, "a")
    store([known])
    new = event(source, "b")
    stored = store([event(source, "a"), new, event(source, "a")])
    assert [(item.id, item.duplicate) for item in stored] == [(known.id, True), (new.id, False), (known.id, True)]


def test_the_same_key_at_two_sources_is_two_events(source: Source) -> None:
    mine, theirs = event(source, "a"), event(sources.create(SYSTEM, "stripe", secrets=["whsec_y"]), "a")
    assert [item.duplicate for item in store([mine, theirs])] == [False, False]
