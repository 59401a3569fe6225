"""FetchQueue: which document is fetched next, and which is not fetched at all.

Anybody who knows the URL of a source can name documents that do not exist, as fast as they like. So each source has its
own places in the queue, and a rate limit for documents that have never verified anything. Documents that have verified
something do not wait behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar
from uuid import UUID

from hookline.exceptions import CannotVerify

T = TypeVar("T")

#: Fetches under way at the same time in one process.
MAX_FETCHES = 8
#: The share of those for documents that never verified anything: in all, and of one source.
MAX_UNPROVEN_FETCHES = 6
MAX_FETCHES_PER_SOURCE = 2
#: How long something waits for a place, in seconds.
MAX_WAIT = 8.0
#: Documents that never verified anything: a source may ask for a burst of BURST, and then for one per SECONDS_EACH. It
#: needs one or two a day. This also bounds what waits.
BURST = 16
SECONDS_EACH = 4.0


@dataclass(slots=True)
class _Lane:
    """What one source has under way, waiting (the newest last) and left to ask for."""

    running: int = 0
    waiting: deque[_Fetch] = field(default_factory=deque)
    allowed: float = BURST
    counted_at: float = 0.0

    def is_idle(self, now: float) -> bool:
        return not self.running and not self.waiting and self.allowance(now) >= BURST

    def allowance(self, now: float) -> float:
        return min(BURST, self.allowed + (now - self.counted_at) / SECONDS_EACH)

    def spend(self, now: float) -> bool:
        """Whether it may ask for one more; counted then."""
        self.allowed, self.counted_at = self.allowance(now), now
        if self.allowed < 1:
            return False
        self.allowed -= 1
        return True


@dataclass(slots=True)
class _Fetch:
    work: Callable[[], object]
    since: float
    future: Future[object] = field(default_factory=Future)


class FetchQueue(Generic[T]):
    """Runs fetches on threads of its own."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._lanes: dict[UUID | None, _Lane] = {}
        self._unproven = 0

    def submit(self, source: UUID | None, work: Callable[[], T], *, proven: bool) -> Future[T]:
        """What `work` returns, later; CannotVerify if it waited too long. Raises CannotVerify for one too many.

        `proven`: the document has verified something before.
        """
        now = self._monotonic()
        fetch = _Fetch(work, now)
        if proven:
            self._run(fetch, None)
            return fetch.future  # type: ignore[return-value]  # of what `work` returns
        with self._lock:
            lane = self._lane(source, now)
            if not lane.spend(now):
                raise CannotVerify(
                    "document_unavailable",
                    "this source asked for too many documents that verified nothing; it may ask again in a moment",
                )
            lane.waiting.append(fetch)
        self._start_waiting()
        return fetch.future  # type: ignore[return-value]  # of what `work` returns

    def _lane(self, source: UUID | None, now: float) -> _Lane:
        if source not in self._lanes:
            if len(self._lanes) >= 1000:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_idle(now)}
            self._lanes[source] = _Lane(counted_at=now)
        return self._lanes[source]

    def _start_waiting(self) -> None:
        """Start what has a place; the newest first, whose sender still waits. What waited too long is given up."""
        started: list[tuple[_Fetch, _Lane]] = []
        given_up: list[_Fetch] = []
        with self._lock:
            now = self._monotonic()
            for source, lane in list(self._lanes.items()):
                while lane.waiting and now - lane.waiting[0].since > MAX_WAIT:
                    given_up.append(lane.waiting.popleft())
                while lane.waiting and lane.running < MAX_FETCHES_PER_SOURCE and self._unproven < MAX_UNPROVEN_FETCHES:
                    lane.running += 1
                    self._unproven += 1
                    started.append((lane.waiting.pop(), lane))
                    self._lanes[source] = self._lanes.pop(source)  # the next time, others go first
        for fetch in given_up:
            fetch.future.set_exception(CannotVerify("document_unavailable", "too many documents are being fetched"))
        for fetch, lane in started:
            self._run(fetch, lane)

    def _run(self, fetch: _Fetch, lane: _Lane | None) -> None:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(MAX_FETCHES, "hookline-fetch")
        self._threads.submit(self._work, fetch, lane)

    def _work(self, fetch: _Fetch, lane: _Lane | None) -> None:
        try:
            result = fetch.work()
        except BaseException as error:  # noqa: BLE001  # whoever waits must hear of it
            fetch.future.set_exception(error)
        else:
            fetch.future.set_result(result)
        finally:
            if lane is not None:
                with self._lock:
                    lane.running -= 1
                    self._unproven -= 1
                self._start_waiting()
