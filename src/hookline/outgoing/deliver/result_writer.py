"""ResultWriter: what a DeliveryLoop has written to the database, on a thread that does nothing else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from django.db import InterfaceError, OperationalError

from hookline.db.connections import DATABASE_PAUSE, look_after
from hookline.db.group_commit import GroupCommit
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.outgoing.deliver.attempt import Result
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.record import Recorded, record
from hookline.outgoing.log_fields import of_outbound
from hookline.outgoing.models import Delivery

logger = logging.getLogger("hookline.outgoing")

#: Called on the event loop with what a result came to; None where it could not be recorded.
Done = Callable[[Outbound, Recorded | None], None]


class ResultWriter:
    """Records results, many at once, and gives deliveries back. For one event loop."""

    def __init__(self, leases: Leases[Delivery], thread: Executor, *, most: int, patience: float) -> None:
        """`most`: results at a time, more raise QueueFull. `patience`: for how many seconds one is retried."""
        self._leases = leases
        self._thread = thread
        self._patience = patience
        self._commit = GroupCommit[Result, Recorded](record, thread, max_items=most, look=True)

    def put(self, result: Result, done: Done) -> None:
        """Have a result recorded, trying again for a while if the database is away: the request was made."""
        self._put(result, done, time.monotonic() + self._patience)

    async def give_back(self, unbegun: Sequence[Outbound], why: str) -> None:
        """Return what was not sent, with its attempt."""
        back = Settlement.give_back(0, why)
        pairs = [(outbound, back) for outbound in unbegun]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release, pairs)

    async def begin_alone(self, outbound: Outbound) -> bool:
        """Note that a suspect is sent now. Returns whether it is still ours. Raises DatabaseError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._begin_alone, outbound)

    def _put(self, result: Result, done: Done, end: float) -> None:
        outbound = result.outbound

        def written(recorded: Recorded | None, error: Exception | None) -> None:
            if isinstance(error, OperationalError | InterfaceError) and time.monotonic() < end:
                logger.warning(
                    "cannot record the result of %s; retrying", outbound.public_id, extra=of_outbound(outbound)
                )
                asyncio.get_running_loop().call_later(DATABASE_PAUSE, self._put, result, done, end)
                return
            if recorded is None:
                logger.error(
                    "%s could not be recorded; it will be sent again when its lease expires",
                    outbound.public_id,
                    exc_info=error,
                    extra=of_outbound(outbound),
                )
            elif not recorded.ours:
                logger.warning(
                    "%s was sent, but another worker had claimed it in the meantime",
                    outbound.public_id,
                    extra=of_outbound(outbound),
                )
            done(outbound, recorded)

        self._commit.put(result, written)

    # ---- in the thread ---------------------------------------------------------------------------
    def _release(self, unbegun: Sequence[tuple[Outbound, Settlement]]) -> None:
        look_after()
        self._leases.release(unbegun)

    def _begin_alone(self, outbound: Outbound) -> bool:
        look_after()
        return self._leases.begin_alone(outbound)
