"""Those who listen learn at once that there may be something to claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from hookline.db.row import new_id
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


def test_what_one_worker_takes_by_its_name_is_told_to_who_waits_for_it_and_to_no_other_process() -> None:
    notifier, heard = Notifier(), list[tuple[object, ...]]()
    one, other = new_id(), new_id()
    notifier.relay(lambda named: heard.append(("elsewhere", *named)))
    notifier.subscribe(lambda: heard.append(("poll",)))
    notifier.subscribe(lambda: heard.append(("worker looks",)), lambda named: list(named) == [one])
    notifier.notify([one])
    assert heard == [("poll",)]
    heard.clear()
    notifier.notify([other])
    assert heard == [("poll",), ("worker looks",), ("elsewhere", other)]
    heard.clear()
    notifier.notify([one] * 100)
    assert heard == [("poll",), ("worker looks",), ("elsewhere",)]


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
