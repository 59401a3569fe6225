"""Those who listen learn at once that there may be something to claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from hookline.engine import wakeup
from hookline.engine.wakeup import Wakeup
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery
from tests.engine.rows import rolled_back


@pytest.fixture
def rings() -> Iterator[list[str]]:
    """An entry for each ring of the bell for events."""
    heard: list[str] = []

    def listener() -> None:
        heard.append("ring")

    wakeup.of(Event).listen(listener)
    yield heard
    wakeup.of(Event).ignore(listener)


def test_every_listener_hears_a_ring_until_it_ignores_the_bell() -> None:
    bell, heard = Wakeup(), []

    def first() -> None:
        heard.append("first")

    def second() -> None:
        heard.append("second")

    bell.listen(first)
    bell.listen(second)
    bell.notify()
    bell.ignore(first)
    bell.ignore(first)  # twice does no harm
    bell.notify()
    assert heard == ["first", "second", "second"]


def test_nobody_needs_to_listen() -> None:
    Wakeup().notify()


def test_each_kind_of_job_has_one_bell() -> None:
    assert wakeup.of(Event) is wakeup.of(Event)
    assert wakeup.of(Event) is not wakeup.of(Delivery)


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_after_the_commit_and_not_for_a_rollback(rings: list[str]) -> None:
    with transaction.atomic():
        wakeup.after_commit(Event)
        assert rings == []
    assert rings == ["ring"]
    with rolled_back():
        wakeup.after_commit(Event)
    assert rings == ["ring"]
