"""Committing events, so that each is there once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from hookline.audit.actor import SYSTEM
from hookline.db.group_commit import GroupCommit
from hookline.db.insert import insert_new
from hookline.db.row import new_id
from hookline.exceptions import CannotStore
from hookline.incoming.models import Event, Source
from hookline.incoming.receive import duplicates
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import Stored, portions, store, store_by_turns
from hookline.operations import sources

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source() -> Source:
    return sources.create(SYSTEM, "stripe", secrets=["whsec_x"])


def event(source: Source, key: str, **fields: Any) -> NewEvent:
    return NewEvent(id=new_id(), source=source, type="invoice.paid", dedup_key=key, body=b"{}", **fields)


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


# ---- large batches -----------------------------------------------------------------------------------


def transactions(work: Callable[[], Any]) -> int:
    """How many transactions it commits: on PostgreSQL a statement alone, without BEGIN, is one."""
    with CaptureQueriesContext(connection) as captured:
        work()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT xmin::text) FROM hookline_event")
            return int(cursor.fetchone()[0])
    return sum(query["sql"].startswith("BEGIN") for query in captured.captured_queries)


def test_a_batch_is_committed_in_portions_of_250_events(source: Source) -> None:
    batch = [event(source, f"key-{number}") for number in range(601)]
    assert transactions(lambda: store(batch)) == 3
    assert Event.objects.count() == 601


def test_new_events_are_committed_by_one_statement(source: Source) -> None:
    store([event(source, "the first, which ends the handshake")])
    with CaptureQueriesContext(connection) as captured:
        store([event(source, "a"), event(source, "b")])
    begun = sum(query["sql"].startswith("BEGIN") for query in captured.captured_queries)
    assert begun == 0
    assert Event.objects.count() == 3


def test_and_of_a_megabyte_counting_headers_and_the_row_itself(source: Source) -> None:
    headers = {"x-long": "v" * 4000}
    batch = [event(source, f"key-{number}", headers=headers) for number in range(400)]
    assert [len(portion) for portion, _ in portions(batch)] == [232, 168]
    assert all(size <= 1024 * 1024 for _, size in portions(batch))
    assert transactions(lambda: store(batch)) == 2


def test_one_event_of_more_than_a_megabyte_is_a_portion_of_its_own(source: Source) -> None:
    batch = [event(source, "a"), event(source, "b"), event(source, "c")]
    batch[1].body = b"x" * 2_000_000
    assert [len(portion) for portion, _ in portions(batch)] == [1, 1, 1]


def test_of_a_batch_that_fails_half_way_the_rest_is_stored_when_it_comes_again(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def insert_some(model: Any, names: Any, rows: Any, unique: Any) -> Any:
        calls.append(len(rows))
        if len(calls) == 2:
            raise OperationalError("the disk is full")
        return insert_new(model, names, rows, unique)

    monkeypatch.setattr(duplicates, "insert_new", insert_some)
    with pytest.raises(CannotStore):
        store([event(source, f"key-{number}") for number in range(1_201)])
    assert Event.objects.count() == 250
    again = store([event(source, f"key-{number}") for number in range(1_201)])
    assert [item.duplicate for item in again] == [True] * 250 + [False] * 951
    assert Event.objects.count() == 1_201


def test_on_an_event_loop_what_comes_meanwhile_goes_between_two_portions(source: Source) -> None:
    batch = [event(source, f"key-{number}") for number in range(750)]
    turns: list[list[int]] = []
    acknowledged: list[str] = []

    async def main() -> None:
        def write(groups: Sequence[Sequence[NewEvent]]) -> list[list[Stored]]:
            turns.append([len(group) for group in groups])
            if len(turns) == 1:
                loop.call_soon_threadsafe(lambda: others.append(asyncio.create_task(other())))
                assert submitted.wait(20)
            return [[Stored(one.id, duplicate=False) for one in group] for group in groups]

        async def other() -> None:
            waiting = asyncio.ensure_future(commit.submit([event(source, "other")], 500))
            await asyncio.sleep(0)
            submitted.set()
            await waiting
            acknowledged.append("other")

        loop = asyncio.get_running_loop()
        others: list[asyncio.Task[None]] = []
        submitted = threading.Event()
        with ThreadPoolExecutor(1) as writer:
            commit = GroupCommit(write, writer)
            stored = await store_by_turns(batch, commit.submit)
            acknowledged.append("batch")
            assert [item.id for item in stored] == [one.id for one in batch]
            await asyncio.gather(*others)

    asyncio.run(main())
    assert sorted(map(len, turns)) == [1, 1, 1, 1]
    assert turns[0] == [250]
    assert turns[1] == [1]
    assert acknowledged == ["other", "batch"]


def test_a_batch_that_comes_again_asks_the_database_no_more_often_than_one_event_does(source: Source) -> None:
    def again(name: str, count: int) -> int:
        for _ in range(2):
            batch = [event(source, f"{name}-{number}") for number in range(count)]
            for one in batch:
                one.if_known = "conflict"
            with CaptureQueriesContext(connection) as captured:
                stored = store(batch)
        assert all(item.duplicate for item in stored)
        return len(captured)

    assert again("many", 200) <= again("one", 1) + 2


def test_items_that_cannot_be_read_are_ended_by_one_statement(source: Source) -> None:
    batch = [event(source, f"key-{number}") for number in range(200)]
    for number, one in enumerate(batch):
        one.problem = f"unreadable_json: item {number}"
    with CaptureQueriesContext(connection) as captured:
        store(batch)
    assert sum('UPDATE "hookline_event"' in query["sql"] for query in captured.captured_queries) == 1
    assert Event.objects.filter(state="dead").count() == 200
    assert Event.objects.get(dedup_key="key-199").note == "cannot be read: unreadable_json: item 199"
