"""An async handler's writes commit with its event, as those of any other do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import transaction

from hookline import Discard, Retry, adispatch, conf
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Message
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until
from tests.workers import events_worker


@pytest.fixture
def event(transactional_db: None) -> Event:
    """A claimed event."""
    make_event(make_source("stripe"))
    (claimed,) = claim(Event, 1, lease=60)
    return claimed


def outcome(event: Event) -> tuple[str, str]:
    found = Event.objects.get(pk=event.pk)
    return found.state, found.note


def written() -> tuple[int, int]:
    return Group.objects.count(), Message.objects.count()


def test_what_an_async_handler_writes_commits_with_its_event(event: Event, handler: Register) -> None:
    in_transaction: list[bool] = []

    @handler("stripe")
    async def write(event: Event) -> None:
        await Group.objects.acreate(name="one")
        await asyncio.gather(*(Group(name=name).asave() for name in ("two", "three")))
        await adispatch("effect", {"event": event.public_id})
        in_transaction.append(await sync_to_async(lambda: transaction.get_connection().in_atomic_block)())

    assert process.run(event).state == State.SUCCEEDED
    assert (outcome(event), written(), in_transaction) == (("succeeded", ""), (3, 1), [True])


def test_what_a_failing_async_handler_wrote_is_rolled_back(event: Event, handler: Register) -> None:
    @handler("stripe")
    async def write_and_fail(event: Event) -> None:
        await Group.objects.acreate(name="written")
        await adispatch("effect", {})
        raise ValueError("no such customer")

    assert process.run(event).state == State.PENDING
    assert written() == (0, 0)
    assert outcome(event)[1].startswith("ValueError: no such customer (at tests/incoming/test_async_handlers.py:")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Retry(60), State.PENDING),
        (Discard("a test"), State.CANCELLED),
        (SystemExit(1), State.PENDING),
        (asyncio.CancelledError(), State.PENDING),
    ],
)
def test_whatever_an_async_handler_raises_counts(
    event: Event, handler: Register, error: BaseException, state: State
) -> None:
    @handler("stripe")
    async def fail(event: Event) -> None:
        await Group.objects.acreate(name="written")
        raise error

    assert process.run(event).state == state
    assert written() == (0, 0)


def test_tasks_that_an_async_handler_leaves_behind_write_nothing_later(event: Event, handler: Register) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def late() -> None:
        await asyncio.Event().wait()
        await Group.objects.acreate(name="late")

    @handler("stripe")
    async def leaves_a_task(event: Event) -> None:
        tasks.append(asyncio.create_task(late()))
        await asyncio.sleep(0)

    assert process.run(event).state == State.SUCCEEDED
    assert tasks[0].cancelled()
    assert written() == (0, 0)


def test_a_worker_runs_async_handlers_in_its_threads(handler: Register, transactional_db: None) -> None:
    source = make_source("stripe")
    for _ in range(10):
        make_event(source)

    @handler("stripe")
    async def write(event: Event) -> None:
        await Group.objects.acreate(name=event.public_id)

    worker = events_worker(conf.get(), threads=2)
    worker.start()
    try:
        wait_until(lambda: not Event.objects.filter(state__in=["pending", "running"]).exists())
    finally:
        worker.stop(10)
    assert set(Event.objects.values_list("state", flat=True)) == {"succeeded"}
    assert Group.objects.count() == 10


async def _write() -> None:
    await Group.objects.acreate(name="written")


def _generator() -> Iterator[None]:
    yield


async def _async_generator() -> AsyncIterator[None]:
    yield


class _Awaitable:
    def __await__(self) -> Any:
        return _write().__await__()


@pytest.mark.parametrize("make", [_write, _generator, _async_generator, _Awaitable], ids=lambda make: make.__name__)
def test_a_handler_that_returns_what_has_not_run_fails_its_event(event: Event, handler: Register, make: Any) -> None:
    @handler("stripe")
    def looks_plain(event: Event) -> Awaitable[None]:
        Group.objects.create(name="before")
        result: Awaitable[None] = make()
        return result

    assert process.run(event).state == State.PENDING
    assert written() == (0, 0)
    assert "looks_plain returned a " in outcome(event)[1]
