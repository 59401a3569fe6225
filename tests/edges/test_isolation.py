"""What a stranger causes never stands in front of what matters: each kind of work has threads and room of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hookline.core.secrets import SecretRing
from hookline.db.group_commit import QueueFull
from hookline.incoming.receive import rejections, verification
from hookline.incoming.receive.bounded_threads import BoundedThreads
from tests.edges.senders import SECRET, Request, stripe, stripe_event
from tests.edges.servers import Edge, asgi_server
from tests.edges.test_edges import accepted, refused
from tests.engine.rows import make_source
from tests.waiting import wait_until

GOOD = stripe_event("evt_1")
#: Longer than anything here takes, so that what is held up by it is seen to be.
FOREVER = 25.0


@pytest.fixture
def asgi(transactional_db: None) -> Iterator[Edge]:
    with asgi_server() as edge:
        yield edge


class Held:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        self.waiting = 0
        self._go = threading.Event()

    def wait(self) -> None:
        self.waiting += 1
        self._go.wait(FOREVER)

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.let_go()


def post_in_the_background(count: int, post: Callable[[int], Any]) -> ThreadPoolExecutor:
    threads = ThreadPoolExecutor(count)
    for number in range(count):
        threads.submit(post, number)
    return threads


def test_a_rotated_secret_and_a_disabled_source_are_refused_while_refusals_are_slow_to_keep(
    asgi: Edge, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = make_source("stripe", SECRET), make_source("stripe", SECRET)
    accepted(asgi.post(source.path, stripe(stripe_event("evt_0"))))
    accepted(asgi.post(other.path, stripe(stripe_event("evt_0"))))
    keep = rejections.recorder.record_all

    def slow(refused: Any) -> Any:
        held.wait()
        return keep(refused)

    monkeypatch.setattr(rejections.recorder, "record_all", slow)
    with post_in_the_background(5, lambda number: asgi.post(source.path, stripe(GOOD, f"other-{number}"))):
        wait_until(lambda: held.waiting > 0)
        source.secrets = SecretRing.of("new")  # as `--overlap 0s` leaves it
        source.save()
        other.disabled = True
        other.save()
        wait_until(lambda: asgi.post(source.path, stripe(GOOD)).status == 401, timeout=5)
        wait_until(lambda: asgi.post(other.path, stripe(GOOD)).status == 404, timeout=5)
        accepted(asgi.post(source.path, stripe(stripe_event("evt_2"), "new")))
        held.let_go()


def test_long_bodies_that_take_long_to_verify_hold_up_nothing_else(
    asgi: Edge, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source("stripe", SECRET)
    accepted(asgi.post(source.path, stripe(stripe_event("evt_0"))))
    verify = verification.verify

    def slow(request: Any, *arguments: Any) -> Any:
        if len(request.body) > 70_000:
            held.wait()
        return verify(request, *arguments)

    monkeypatch.setattr(verification, "verify", slow)
    long = stripe(stripe_event("evt_long", data="x" * 80_000))
    with post_in_the_background(5, lambda _: asgi.post(source.path, long)):
        wait_until(lambda: held.waiting > 0)
        accepted(asgi.post(source.path, stripe(GOOD)))
        refused(asgi.post("/in/unknown", stripe(GOOD)), 404, "unknown_source")
        refused(asgi.post(source.path, stripe(GOOD, "other")), 401, "verification_failed")
        source.secrets = SecretRing.of("new")
        source.save()
        wait_until(lambda: asgi.post(source.path, stripe(GOOD)).status == 401, timeout=5)
        held.let_go()


def test_long_bodies_beyond_the_room_for_them_are_503(asgi: Edge, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source("stripe", SECRET)
    verify = verification.verify

    def slow(request: Any, *arguments: Any) -> Any:
        held.wait()
        return verify(request, *arguments)

    monkeypatch.setattr(verification, "verify", slow)
    body = b"x" * 5_000_000

    def post(number: int) -> int:
        return asgi.post(source.path, Request(body)).status

    with ThreadPoolExecutor(16) as threads:  # 80 MB, and 64 MiB are taken
        answers = [threads.submit(post, number) for number in range(16)]
        wait_until(lambda: sum(answer.done() for answer in answers) >= 3)
        assert {answer.result() for answer in answers if answer.done()} == {503}
        held.let_go()
        assert {answer.result(20) for answer in answers} == {503, 401}


def test_bounded_threads_refuse_what_they_have_no_room_for_and_take_it_when_they_have() -> None:
    async def check() -> None:
        room = BoundedThreads("test", 1, max_items=2, max_bytes=10)
        go = threading.Event()
        first = asyncio.create_task(room.run(50, lambda: go.wait(10)))  # one alone is let in, however large
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await room.run(1, lambda: True)
        go.set()
        assert await first
        assert await room.run(10, lambda: True)
        waiting = [asyncio.create_task(room.run(1, lambda: True)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await room.run(1, lambda: True)
        assert await asyncio.gather(*waiting) == [True, True]
        room.executor.shutdown()

    asyncio.run(check())
