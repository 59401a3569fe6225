"""Those who listen learn at once that there may be something to claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from hookline.engine import notifier
from hookline.engine.notifier import Notifier
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery
from tests.engine.rows import rolled_back


@pytest.fixture
def notified() -> Iterator[list[str]]:
    """An entry for each notification for events."""
    heard: list[str] = []

    def listener() -> None:
        heard.append("notified")

    notifier.of(Event).subscribe(listener)
    yield heard
    notifier.of(Event).unsubscribe(listener)


def test_every_listener_hears_a_ring_until_it_ignores_the_bell() -> None:
    notifier, heard = Notifier(), []

    def first() -> None:
        heard.append("first")

    def second() -> None:
        heard.append("second")

    notifier.subscribe(first)
    notifier.subscribe(second)
    notifier.notify()
    notifier.unsubscribe(first)
    notifier.unsubscribe(first)  # twice does no harm
    notifier.notify()
    assert heard == ["first", "second", "second"]


def test_what_was_given_to_a_worker_is_told_to_those_only_who_watch() -> None:
    notifier, heard = Notifier(), list[str]()
    notifier.subscribe(lambda: heard.append("worker"))
    notifier.watch(lambda: heard.append("poll"))
    notifier.relay(lambda: heard.append("elsewhere"))
    notifier.relay(lambda: heard.append("sibling"), to_siblings=True)
    notifier.notify_given()
    assert heard == ["poll"]
    heard.clear()
    notifier.notify_given(elsewhere=True)
    assert heard == ["poll", "elsewhere"]
    heard.clear()
    notifier.notify()
    assert heard == ["worker", "poll", "sibling", "elsewhere"]


def test_nobody_needs_to_listen() -> None:
    Notifier().notify()


def test_each_kind_of_job_has_one_bell() -> None:
    assert notifier.of(Event) is notifier.of(Event)
    assert notifier.of(Event) is not notifier.of(Delivery)


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_after_the_commit_and_not_for_a_rollback(notified: list[str]) -> None:
    with transaction.atomic():
        notifier.notify_after_commit(Event)
        assert notified == []
    assert notified == ["notified"]
    with rolled_back():
        notifier.notify_after_commit(Event)
    assert notified == ["notified"]
