"""Play: one history, sent to the consumer, with what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import HooklineError
from hookline.simulator.effect import NOTHING, effect
from hookline.simulator.emulator import Emulator
from hookline.simulator.history import History, Sending
from hookline.simulator.probe import Probe
from hookline.simulator.sequence import Instance, Sequence, instance
from hookline.simulator.target import Answer, Outgoing, Target

#: Seconds between two looks at a consumer that has not settled yet.
LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Exchange:
    """One sending with its request and answer."""

    sending: Sending
    request: WebhookRequest = field(repr=False)
    answer: Answer
    #: Seconds since the play began.
    at: float


@dataclass(frozen=True, slots=True)
class Play:
    """What came of a history. `effect` is None where nothing looks at the consumer."""

    history: History
    exchanges: tuple[Exchange, ...]
    effect: Any


@dataclass(frozen=True, slots=True)
class Party:
    """A sender and the consumer's URL that it posts to: one for each tenant."""

    emulator: Emulator
    target: Target


class Limit:
    """Bounds how many requests are sent in all, and how many a second. Raises HooklineError when it is used up."""

    def __init__(self, most: int, per_second: float | None = None) -> None:
        self.most, self.sent = most, 0
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0

    def take(self, count: int) -> None:
        if self.sent + count > self.most:
            raise HooklineError(f"the limit of {self.most} requests is reached; raise it with --max-requests")
        self.sent += count
        if self._gap:
            now = time.monotonic()
            time.sleep(max(0.0, self._next - now))
            self._next = max(now, self._next) + self._gap * count


@dataclass
class Stage:
    """Everything that playing a history needs."""

    parties: tuple[Party, ...]
    sequence: Sequence
    probe: Probe | None
    #: Hexadecimal digits that no other run has.
    nonce: str
    limit: Limit
    #: Seconds to wait for an effect that an answer promised.
    settle: float = 0.5
    ignored: Collection[str] = ()
    #: The consumer says that it relies on the order of events.
    ordered: bool = False
    #: Somebody else looks at what the consumer does, so that scenarios are played without a probe, too.
    watched: bool = False
    #: Restarts the consumer, and returns when it is up again.
    restart: Callable[[], None] | None = None
    _began: float = field(default_factory=time.time)
    _played: int = 0
    _references: dict[tuple[str, ...], Any] = field(default_factory=dict)
    #: The exchange whose answer took longest.
    slowest: Exchange | None = None

    @property
    def provider_title(self) -> str:
        return self.parties[0].emulator.provider.title

    def new_instance(self, age: float = 0.0) -> Instance:
        """Of the sequence, under ids that were never used, and each event at a second of its own, `age` seconds ago."""
        self._played += 1
        now = time.time()
        # Where a receiver holds the time of the event against the tolerance, it happens now.
        time_is_checked = self.parties[0].emulator.provider.time_is_checked
        happened = now if time_is_checked else (self._began - age) // 1 - self._played * self.size()
        return instance(self.sequence, f"{self.nonce}{self._played:04x}", happened)

    def size(self) -> int:
        """How many events the sequence has."""
        return len(instance(self.sequence, self.nonce, 0).events)

    def play(self, history: History, expected: Any = None) -> Play:
        """Send a history under new ids. Where an effect is `expected`, it is waited for, at most `settle` seconds.

        Raises HooklineError where the consumer cannot be reached or looked at.
        """
        return self._play((history,), expected)

    def reference(self, *histories: History) -> Any:
        """The effect of these histories, each under ids of its own. Each is played once and then remembered."""
        key = tuple(map(str, histories))
        if key not in self._references:
            self._references[key] = self._play(histories, None).effect
        return self._references[key]

    def _play(self, histories: Seq[History], expected: Any) -> Play:
        before = self.probe() if self.probe else None
        began, exchanges, names = time.monotonic(), list[Exchange](), dict[str, str]()
        for history in histories:
            playing = self.new_instance(self.parties[0].emulator.retrying.lasts if history.old else 0.0)
            names |= playing.names
            tries = Counter[tuple[int, bool]]()
            for moment in history.moments():
                exchanges += self._send(playing, moment, began, tries)
        seen = self._settled(self.probe, before, names, expected) if self.probe else None
        return Play(histories[0], tuple(exchanges), seen)

    def request(self, sending: Sending, playing: Instance, attempt: int = 1) -> WebhookRequest | None:
        """None where this sender cannot send so."""
        return self._party(sending).emulator.request(playing, sending, time.time(), attempt)

    def possible(self, act: str, event: int = 0) -> bool:
        """Whether this sender can send so."""
        return self.request(Sending(event, act), self.new_instance()) is not None

    def tells_copies(self) -> bool:
        """Whether what the sender signs, or says beside it, tells a copy from another event."""
        playing, emulator = self.new_instance(), self.parties[0].emulator
        requests = [self.request(Sending(event), playing) for event in range(self.size())]
        return all(found is None or emulator.tells_copies(found, time.time()) for found in requests)

    def forgeries(self, acts: Seq[str]) -> list[str]:
        """Those of these acts that make a readable request with a wrong signature or time of the first event."""
        playing, emulator = self.new_instance(), self.parties[0].emulator
        requests = {act: self.request(Sending(0, act), playing) for act in acts}
        return [act for act, found in requests.items() if found and emulator.fails_its_signature(found, time.time())]

    def _send(
        self, playing: Instance, moment: Seq[Sending], began: float, tries: Counter[tuple[int, bool]]
    ) -> list[Exchange]:
        """`tries`: how often each event was sent to each party so far."""
        requests = []
        for sending in moment:
            tries[sending.event, sending.other] += 1
            request = self.request(sending, playing, tries[sending.event, sending.other])
            if request is None:
                raise HooklineError(f"{self.provider_title} cannot send {sending}: its signature does not cover that")
            requests.append(request)
        self.limit.take(len(moment))
        at = time.monotonic() - began
        outgoing: list[Outgoing] = [(request, sending.act) for request, sending in zip(requests, moment, strict=True)]
        answers = self._party(moment[0]).target.send(outgoing)
        if any(sending.act == "restart" for sending in moment) and self.restart is not None:
            self.restart()
        found = [Exchange(*parts, at) for parts in zip(moment, requests, answers, strict=True)]
        for exchange in found:
            if self.slowest is None or exchange.answer.seconds > self.slowest.answer.seconds:
                self.slowest = exchange
        return found

    def _party(self, sending: Sending) -> Party:
        return self.parties[1 if sending.other else 0]

    def _settled(self, probe: Probe, before: Any, names: Mapping[str, str], expected: Any) -> Any:
        """The effect once it is the expected one, or any, and stays so; or what it is at the end of the time."""
        deadline = time.monotonic() + self.settle
        while True:
            seen = effect(before, probe(), names, self.ignored)
            reached = seen != NOTHING if expected is None else seen == expected
            if reached or time.monotonic() >= deadline:
                break
            time.sleep(LOOK)
        while reached and self.settle:  # what comes too often may come a little later
            time.sleep(min(self.settle / 4, 0.15))
            later = effect(before, probe(), names, self.ignored)
            if later == seen or time.monotonic() >= deadline:
                return later
            seen = later
        return seen
