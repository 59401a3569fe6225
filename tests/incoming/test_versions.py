"""Out-of-order protection, and a retry schedule of a handler's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.incoming.models import Event, ObjectVersion, Source
from hookline.incoming.process import run as process
from hookline.incoming.process.versions import comparable
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source() -> Source:
    return make_source("stripe", object_at="$.object.id", version_at="$.object.updated")


@pytest.fixture
def seen(handler: Register) -> list[Any]:
    """The versions that a handler saw; it fails at the version 13."""
    found: list[Any] = []

    @handler("stripe")
    def takes(event: Event) -> None:
        found.append(event.json["object"]["updated"])
        if found[-1] == 13:
            raise ValueError("unlucky")

    return found


def process_one(source: Source, updated: Any, name: Any = "in_1") -> Event:
    made = make_event(source, body=json.dumps({"object": {"id": name, "updated": updated}}).encode())
    (event,) = claim(Event, 1, lease=60)
    process.run(event)
    made.refresh_from_db()
    return made


def test_an_older_state_of_an_object_is_superseded_by_a_later_one_that_was_processed(
    source: Source, seen: list[Any]
) -> None:
    later = process_one(source, 20)
    older = process_one(source, 10)
    assert (older.state, later.state) == (State.CANCELLED, State.SUCCEEDED)
    assert older.note == f"superseded: {later.public_id} told a later state of in_1 and was processed already"
    assert process_one(source, 20).state == process_one(source, 21).state == State.SUCCEEDED
    assert seen == [20, 20, 21]
    assert ObjectVersion.objects.count() == 1


def test_other_objects_and_other_sources_are_not_compared(source: Source, seen: list[Any]) -> None:
    process_one(source, 20)
    process_one(source, 10, "in_2")
    process_one(make_source("stripe", object_at="$.object.id", version_at="$.object.updated"), 10)
    process_one(make_source("stripe"), 10)
    assert seen == [20, 10, 10, 10]


def test_what_cannot_be_compared_is_processed(source: Source, seen: list[Any]) -> None:
    for updated in (20, "yesterday", None, -1, "NaN"):
        assert process_one(source, updated).state == State.SUCCEEDED
    assert process_one(source, 1, None).state == State.SUCCEEDED


def test_a_state_whose_handlers_failed_supersedes_nothing(source: Source, seen: list[Any]) -> None:
    assert process_one(source, 13).state == State.PENDING
    assert process_one(source, 12).state == State.SUCCEEDED
    assert seen == [13, 12]


def test_several_states_in_one_transaction_are_compared_in_order(source: Source, seen: list[Any]) -> None:
    for updated in (3, 1, 2, 4):
        make_event(source, body=json.dumps({"object": {"id": "in_1", "updated": updated}}).encode())
    process.run_all(claim(Event, 4, lease=60))
    assert seen == [3, 4]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("9", "10"),
        ("1764250000", "1764250000.5"),
        ("2026-11-27T10:00:00Z", "2026-11-27T10:00:00.000001Z"),
        ("2026-11-27T10:00:00+02:00", "2026-11-27T09:00:00Z"),
        ("9007199254740992", "9007199254740993"),
    ],
)
def test_numbers_and_times_are_compared_as_such(earlier: str, later: str) -> None:
    before, after = comparable(earlier), comparable(later)
    assert before is not None
    assert after is not None
    assert before < after


def test_a_handler_has_a_retry_schedule_of_its_own(handler: Register) -> None:
    source = make_source("github")

    @handler("github", order=1, retry=(100,))
    def impatient(event: Event) -> None:
        raise ValueError("broken")

    @handler("github")
    def fine(event: Event) -> None: ...

    make_event(source)
    for state in (State.PENDING, State.DEAD):
        Event.objects.update(due_at="2026-01-01T00:00:00Z")
        (event,) = claim(Event, 1, lease=60)
        settlement = process.run(event)
        assert settlement.state == state
        if state == State.PENDING:
            assert 100 <= settlement.due_in <= 120
