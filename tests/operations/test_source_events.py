"""What is committed at a source is told behind a cursor, whatever the order of the commits."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from hookline.db import clock
from hookline.models import Event, Source
from hookline.operations import source_events
from hookline.operations.source_events import Cursor
from tests.engine.rows import make_event, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return make_source()


def stored(source: Source, ago: float = 0.0) -> Event:
    """An event whose storing began so many seconds ago and ends now."""
    event = make_event(source)
    if ago:
        moment = clock.boundary(Event, event_time(event) - timedelta(seconds=ago))
        Event.objects.filter(pk=event.pk).update(created_at=moment)
    return event


def event_time(event: Event) -> datetime:
    return Event.objects.values_list("created_at", flat=True).get(pk=event.pk)


def test_without_a_time_it_begins_with_what_comes_from_now_on(source: Source) -> None:
    start = source_events.begin(source)
    first = stored(source)
    stored(make_source())  # of another source
    page = source_events.since(source, start)
    assert (page.events, page.more) == ([first], False)
    assert source_events.since(source, source_events.begin(source)).events == []
    assert source_events.since(source, page.next).events == []


def test_with_a_time_it_begins_with_what_was_stored_then(source: Source) -> None:
    old, then, new = stored(source, 3600), stored(source, 60), stored(source)
    start = source_events.begin(source, event_time(then))
    assert source_events.since(source, start).events == [then, new]
    page = source_events.since(source, source_events.begin(source, event_time(old)), limit=2)
    assert (page.events, page.more) == ([old, then], True)
    page = source_events.since(source, page.next, limit=2)
    assert (page.events, page.more) == ([new], False)
    in_a_year = source_events.begin(source, event_time(new) + timedelta(days=365))
    after = stored(source)
    assert source_events.since(source, in_a_year).events == [after]


def test_what_is_committed_after_later_ones_is_told_all_the_same(source: Source) -> None:
    page = source_events.since(source, source_events.begin(source))
    later = stored(source)
    page = source_events.since(source, page.next)
    key = source.pk, page.next.recent
    assert source_events.counts([key])[key] == page.next.seen  # nobody is woken
    earlier = stored(source, 5)
    assert source_events.counts([key])[key] != page.next.seen
    again = source_events.since(source, page.next, limit=1)
    assert (again.events, again.more) == ([earlier], True)
    again = source_events.since(source, again.next, limit=1)
    assert (again.events, again.more) == ([later], False)
    assert source_events.since(source, again.next).events == []


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_missed_in_any_order_of_commits_and_with_any_size_of_page(source: Source, seed: int) -> None:
    chance = random.Random(seed)
    cursor, told, committed = source_events.begin(source), set(), set()
    for _ in range(25):
        for _ in range(chance.randrange(3)):
            committed.add(stored(source, chance.choice([0, 0, 0.001, 0.5, 20])).pk)
        page = source_events.since(source, Cursor.parse(str(cursor)), limit=chance.randint(1, 4))
        told |= {event.pk for event in page.events}
        cursor = page.next
        if not page.events:
            assert told == committed
    while (page := source_events.since(source, cursor, limit=3)).events:
        told |= {event.pk for event in page.events}
        cursor = page.next
    assert told == committed


def test_whether_many_have_something_new_takes_one_query(
    source: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    quiet = [make_source() for _ in range(20)]
    pages = {one.pk: source_events.since(one, source_events.begin(one)).next for one in (source, *quiet)}
    stored(source)
    asked = [(key, cursor.recent) for key, cursor in pages.items()]
    with django_assert_num_queries(1):
        counted = source_events.counts(asked)
    assert {key for key in asked if counted[key] != pages[key[0]].seen} == {(source.pk, pages[source.pk].recent)}
    assert source_events.counts([]) == {}


@pytest.mark.parametrize("text", ["", "x", "äöü", "AAAA", "_" * 48, "f" * 48, "f" * 47, "f" * 49])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is no cursor: use what the last answer said"):
        Cursor.parse(text)
