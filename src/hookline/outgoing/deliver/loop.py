"""DeliveryLoop: sends what is due on one event loop, for Hookline's worker and for Celery's."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any
from uuid import UUID

from hookline import conf
from hookline.db.connections import look_after
from hookline.db.inflow import inflow
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.outgoing.deliver.attempt import deliver
from hookline.outgoing.deliver.claim_pace import ClaimPace
from hookline.outgoing.deliver.fair_queue import FairQueue
from hookline.outgoing.deliver.load import NOTHING, Claimed, claim
from hookline.outgoing.deliver.other_tenants import OtherTenants
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.record import Recorded
from hookline.outgoing.deliver.result_writer import ResultWriter
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.deliver.tokens import Tokens
from hookline.outgoing.log_fields import of_outbound
from hookline.outgoing.models import Delivery
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import SenderUsed
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.outgoing")


#: For every this many places there is one more for tenants that have few.
EXTRA = 4


class DeliveryLoop:
    """Claims deliveries, sends at most `DELIVERY_CONCURRENCY` of them at a time, and has their results recorded.

    `claimer` and `writer` are the threads that hold a database connection each: one claims, one writes results. No
    transaction is open while a request is under way. On the event loop there are values, no models (see `Outbound`).
    """

    def __init__(
        self,
        leases: Leases[Delivery],
        settings: conf.Settings,
        transport: Transport,
        claimer: Executor,
        writer: Executor,
        *,
        reserve: int = 0,
        on_places: Callable[[], object] = bool,
    ) -> None:
        """`on_places` is called soon after `places` may have changed.

        `reserve`: how many to hold beyond those that can be sent at once, so that none of the places is empty while
        more are claimed or results are recorded, either of which takes as long as sending a hundred."""
        self._on_places = on_places
        self._telling = False
        self._leases = leases
        self._transport = transport
        self._schedule = settings.delivery_retry
        self._signers = Signers()  # for the claimer
        self._tokens = Tokens()  # for the event loop
        self._claimer = claimer
        # A tenant whose answers take long may have all places, and hold all that may be held. Others get these besides.
        self._extra = settings.DELIVERY_CONCURRENCY // EXTRA
        self._queue = FairQueue[Outbound](
            settings.DELIVERY_CONCURRENCY, settings.DELIVERY_CONCURRENCY_PER_ENDPOINT, self._extra
        )
        # Never full: no more than that are sent or recorded at once.
        most = 2 * (settings.DELIVERY_CONCURRENCY + self._extra)
        # While a result cannot be recorded its delivery is not done, so a worker that records nothing claims no more.
        self._results = ResultWriter(leases, writer, most=most, patience=settings.LEASE)
        #: Those that may have crashed a worker are sent one at a time, this one now.
        self._suspects: deque[Outbound] = deque()
        self._suspect: Outbound | None = None
        self._concurrency = settings.DELIVERY_CONCURRENCY
        self._capacity = settings.DELIVERY_CONCURRENCY + reserve
        # A claim for each request that ends would cost as much as the request.
        self._worth_a_claim = min(settings.DELIVERY_CONCURRENCY, self._capacity // 2 + 1)
        self._others = OtherTenants(worth=max(1, self._extra // 2))
        #: The tenants beside which only others are claimed, when there was last no room for more.
        self._crowding: list[UUID] = []
        #: The places that send, and other work in progress.
        self._tasks: set[asyncio.Task[None]] = set()
        #: There is room for more, or somebody rang.
        self._changed = asyncio.Event()
        #: Whether it goes on claiming; a share of Celery's ends as soon as it gets nothing.
        self._stays = reserve > 0
        self._pace = ClaimPace(inflow.LASTS)
        #: Whether there may be something to claim: the last claim left some, or somebody rang since it began.
        self.more = True
        #: Whether the last claim was beside some tenants, and took all that is due of the others.
        self._others_drained = False
        #: When room will be looked for again, if that was too early.
        self._later: asyncio.TimerHandle | None = None
        #: Something came to its end.
        self._finished = asyncio.Event()
        self._stopped = False

    @property
    def idle(self) -> bool:
        return not (self._tasks or self._queue or self._queue.under_way or self._suspects)

    async def claim(self) -> Claimed | None:
        """Claim what is due and begin with it; None where there is no room for more yet. Raises DatabaseError."""
        loop = asyncio.get_running_loop()
        if (early := self._pace.pause(loop.time(), high_inflow=inflow.is_high)) > 0:
            self._wake_in(early)
            return None
        free = self._free
        self._crowding = self._crowding_ones() if free < self._worth_a_claim else []
        if self._crowding:
            if (wait := self._others.wait(free := free + self._extra)) is None:
                return None
            if wait:
                self._wake_in(wait)  # whoever rang is not forgotten
                return None
            take = self._take_of_others
        elif free < self._worth_a_claim:
            return None
        else:
            take = self._take
        self.more = False
        self._places_changed()
        began = loop.time()
        claimed = await loop.run_in_executor(self._claimer, take, free)
        ended = loop.time()
        if self._stays:
            drained = self._leases.drained
            self._pace.claimed(claimed.count, claimed.waited, ended, ended - began, drained=drained)
        if self._crowding:
            self._wake_in(self._others.known_for)  # there may be endpoints that are not known yet
        # Those beside which only others were claimed have more.
        self._others_drained = bool(self._crowding) and not self.more and self._leases.others_drained
        self.more = self.more or bool(self._crowding) or not self._leases.drained
        self._queue.extend(outbound for outbound in claimed.to_send if not outbound.is_suspect)
        self._suspects.extend(outbound for outbound in claimed.to_send if outbound.is_suspect)
        self._begin_suspect()
        self._begin()
        self._tell_use()
        return claimed

    @property
    def again(self) -> bool:
        """Whether another claim at once may find something, after one that did."""
        return self.more and not self._others_drained

    @property
    def places(self) -> int:
        """How many more could begin at once beside all that is here, if few wait for their turn.

        For any thread. Claims keep their own room, so that nothing that others made waits for ever.
        """
        waiting = len(self._queue)
        if self._stopped or self._crowding or waiting > self._extra or self._suspects:
            return 0
        return max(0, min(self._concurrency - self._queue.under_way - waiting, self._free - self._worth_a_claim))

    @property
    def room(self) -> int:
        """How many more could be held, of those that follow another of their key. For any thread.

        Each takes the place of one that ended, so others would never have it if claims did not keep their own room.
        """
        return 0 if self._stopped or self._crowding else max(0, self._free - self._worth_a_claim)

    def take_over(self, to_send: Sequence[Outbound]) -> None:
        """Begin with deliveries that were claimed elsewhere in this process. For the thread of the event loop."""
        if self._stopped:
            back = Settlement.give_back(0, "the worker stopped before it was sent")
            self._claimer.submit(self._leases.release, [(outbound, back) for outbound in to_send])
            return
        self._pace.was_given(asyncio.get_running_loop().time())
        self._queue.extend(to_send)
        self._begin()
        self._tell_use()

    async def pause(self, seconds: float) -> None:
        """Until there is room for more or somebody rang, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """End a pause. For the thread of the event loop."""
        self.more, self._others_drained = True, False
        self._places_changed()
        self._changed.set()

    async def finish(self, patience: float | None = None) -> None:
        """Release what has not started, and wait `patience` seconds for the rest; None: as long as it takes."""
        self._stopped = True
        self._on_places()
        unbegun = [*self._queue.clear(), *self._suspects]
        self._suspects.clear()
        if unbegun:
            await self._results.give_back(unbegun, "the worker stopped before it was sent")
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not self.idle:
                    self._finished.clear()
                    await self._finished.wait()
        if wanted(SenderUsed):
            emit(SenderUsed(id(self), 0, 0, 0))

    def _places_changed(self) -> None:
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell_places)

    def _tell_places(self) -> None:
        self._telling = False
        self._on_places()

    def _tell_use(self) -> None:
        self._places_changed()
        if wanted(SenderUsed):
            waiting = len(self._queue) + len(self._suspects)
            emit(SenderUsed(id(self), self._queue.under_way, waiting, self._transport.idle))

    def _wake_in(self, seconds: float) -> None:
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(seconds, self._changed.set)

    @property
    def _free(self) -> int:
        return self._capacity - self._queue.under_way - len(self._queue) - len(self._suspects)

    def _crowding_ones(self) -> list[UUID]:
        """The tenants that hold their share, or more, of all that may be held."""
        share = self._capacity // (self._queue.tenants + 1)
        return self._queue.holders_of(max(share, self._extra))

    def _take(self, free: int) -> Claimed:
        look_after()
        return claim(self._leases, free, self._signers)

    def _take_of_others(self, free: int) -> Claimed:
        look_after()
        crowding = self._crowding
        with self._others.asking(crowding) as theirs:
            if theirs is not None and not theirs:
                return NOTHING
            return claim(self._leases, free, self._signers, crowding, theirs)

    def _begin(self) -> None:
        while (outbound := self._next()) is not None:
            self._start(self._send(outbound))

    def _next(self) -> Outbound | None:
        return None if self._stopped else self._queue.begin()

    def _begin_suspect(self) -> None:
        if self._suspects and self._suspect is None and not self._stopped:
            self._suspect = self._suspects.popleft()
            self._start(self._queue_alone(self._suspect))

    async def _queue_alone(self, outbound: Outbound) -> None:
        """Note that it begins before it does, so that a crash counts against it and no other."""
        try:
            ours = await self._results.begin_alone(outbound)
        except Exception:
            self._suspect = None
            raise
        if ours and not self._stopped:
            self._queue.extend([outbound])
            self._begin()
            return
        self._leases.forget(outbound)
        self._suspect = None
        self._begin_suspect()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "a part of the loop failed; its deliveries will be sent again when their leases expire", exc_info=error
            )
        self._finished.set()

    async def _send(self, first: Outbound) -> None:
        """One place: send this delivery and whichever has its turn next, until none has."""
        outbound: Outbound | None = first
        while outbound is not None:
            self._leases.begin(outbound)
            try:
                # The database's clock: a worker whose own is wrong would sign what every consumer refuses.
                result = await deliver(outbound, self._transport, self._schedule, self._leases.now, self._tokens)
            except Exception:  # whatever it is, the place goes on
                logger.exception(
                    "%s could not be sent; it will be sent again when its lease expires",
                    outbound.public_id,
                    extra=of_outbound(outbound),
                )
                self._queue.sent(outbound)
                self._recorded(outbound, None)
            else:
                self._queue.sent(outbound)
                self._results.put(result, self._recorded)
            outbound = self._next()

    def _recorded(self, outbound: Outbound, recorded: Recorded | None) -> None:
        if recorded is not None and recorded.held and (unbegun := self._queue.leave(outbound.endpoint_id)):
            self._start(self._results.give_back(unbegun, "its endpoint was held before it was sent"))
            if self._suspect in unbegun:
                self._suspect = None
                self._begin_suspect()
        self._queue.recorded(outbound)
        self._places_changed()
        self._leases.forget(outbound)
        if outbound is self._suspect:
            self._suspect = None
            self._begin_suspect()
        self._begin()
        self._finished.set()
        crowded_by_others = bool(self._crowding) and outbound.tenant_id not in self._crowding
        crowded_by_others = crowded_by_others and not self._others_drained
        if self.more and (self._free >= self._worth_a_claim or crowded_by_others):
            self._changed.set()
