"""One timer for many deadlines: each is kept, none comes early, and what was lifted never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.outgoing.deliver.sender import new_event_loop
from hookline.transport.deadlines import Deadlines


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once where it would wait."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _first_timer(self) -> float:
        handles: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio's own
        return min((handle.when() for handle in handles if not handle.cancelled()), default=float("inf"))

    async def pass_until(self, moment: float) -> None:
        """Let time pass from timer to timer."""
        while (first := self._first_timer()) <= moment:
            self._now = max(self._now, first)
            for _ in range(3):  # what is due runs, and what it calls
                await asyncio.sleep(0)
        self._now = max(self._now, moment)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), st.integers(1, 30)),
        st.tuples(st.just("lift"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("pass"), st.just(0), st.integers(0, 15)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS)
def test_each_comes_at_its_time_unless_it_was_lifted(steps: list[tuple[str, int, int]]) -> None:
    clock = Clock()
    came: list[tuple[int, float]] = []
    expected: list[tuple[int, float]] = []
    waiting: dict[int, float] = {}

    def expire(number: int) -> Callable[[], None]:
        return lambda: came.append((number, clock.time()))

    expirations = [expire(number) for number in range(10)]

    async def main() -> None:
        deadlines = Deadlines()

        async def pass_(seconds: float) -> None:
            moment = clock.time() + seconds
            await clock.pass_until(moment)
            due = sorted((time, number) for number, time in waiting.items() if time <= moment)
            expected.extend((number, time) for time, number in due)
            for _, number in due:
                del waiting[number]
            assert sorted(came) == sorted(expected)
            assert len(deadlines) == len(waiting)

        for step, number, amount in steps:
            if step == "set":
                waiting[number] = clock.time() + amount
                deadlines.set(expirations[number], waiting[number])
            elif step == "lift":
                waiting.pop(number, None)
                deadlines.lift(expirations[number])
            else:
                await pass_(amount)
        await pass_(40)
        assert not waiting

    with asyncio.Runner(loop_factory=lambda: clock) as runner:
        runner.run(main())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop], ids=["asyncio", "as the sender"])
def test_one_that_is_due_now_does_not_disturb_the_others(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        deadlines, now = Deadlines(), asyncio.get_running_loop().time()
        came = [asyncio.Event() for _ in range(3)]
        for event, seconds in zip(came, (-1, 0, 0.01), strict=True):  # for what is due now uvloop has no timer
            deadlines.set(event.set, now + seconds)
        async with asyncio.timeout(10):
            await asyncio.gather(*(event.wait() for event in came))
        assert not len(deadlines)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("read", [True, False])
def test_after_a_sleep_what_has_come_is_read_first(read: bool) -> None:
    """An event loop that was stopped may call its timers before it reads what came meanwhile."""
    clock = Clock()
    came: list[float] = []

    def expire() -> None:
        came.append(clock.time())

    async def main() -> None:
        deadlines = Deadlines()
        deadlines.set(expire, 1.0)
        clock._now = 8.0
        for _ in range(3):
            await asyncio.sleep(0)
        assert came == []
        if read:
            deadlines.lift(expire)
        await clock.pass_until(9.0)
        assert came == ([] if read else [pytest.approx(8.0, abs=0.1)])
        deadlines.set(expire, 10.0)  # and later ones are on time
        await clock.pass_until(11.0)
        assert came[-1] == 10.0

    with asyncio.Runner(loop_factory=lambda: clock) as runner:
        runner.run(main())
