"""Running a replay: a portion, how far it has come, and when the next one is due, in one transaction."""

from __future__ import annotations

import logging
import time

from django.db import router, transaction

from hookline.core.retry import RetrySchedule
from hookline.engine import notifier
from hookline.engine.leases import Leases
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement, after_failure
from hookline.exceptions import LeaseLost
from hookline.outgoing.models import Endpoint
from hookline.replays.models import Replay
from hookline.replays.work import WORKS, Done, do_portion, endpoint_of

logger = logging.getLogger("hookline.replays")

#: Waits after a portion failed, which the database may do for a while. Then the replay is dead, and says why.
SCHEDULE = RetrySchedule((1.0, 5.0, 30.0, 120.0, 600.0), 0.2)
#: Seconds until a replay to a disabled endpoint looks again whether it was enabled.
DISABLED = 10.0


def run_next(leases: Leases[Replay]) -> bool:
    """Claim the replay that is due first, and run its next portion. Returns whether there was one.

    Raises DatabaseError when it cannot claim.
    """
    claimed = leases.claim(1)
    for replay in claimed:
        leases.begin(replay)
        try:
            run(replay)
        except LeaseLost as lost:
            logger.info("%s", lost)  # cancelled, or claimed by another worker: this portion was rolled back
        except Exception as error:
            logger.exception("a portion of %s failed", replay.public_id)
            settle([(replay, after_failure(SCHEDULE, replay.attempts, f"{type(error).__name__}: {error}"[:500]))])
        finally:
            leases.forget(replay)
    return bool(claimed)


def run(replay: Replay) -> None:
    """Run one portion. Raises LeaseLost, after which nothing of it remains, and DatabaseError."""
    began = time.monotonic()
    database = router.db_for_write(Replay)
    with transaction.atomic(using=database):
        # A write first: SQLite refuses one behind what was read before somebody else wrote.
        if not Replay.objects.using(database).filter(pk=replay.pk, claim=replay.claim).update(note=""):
            raise LeaseLost(f"{replay.public_id} was cancelled, or claimed by another worker")
        try:
            endpoint = endpoint_of(replay)
        except Endpoint.DoesNotExist:
            _settle(replay, Settlement.cancel("its endpoint was deleted"))
            return
        if endpoint is not None and endpoint.disabled:
            waits = f"waits until {endpoint.public_id} is enabled"
            _settle(replay, Settlement.give_back(DISABLED, waits))
            return
        done = do_portion(replay)
        if done.last is not None:
            Replay.objects.using(database).filter(pk=replay.pk).update(
                seen=replay.seen + done.seen,
                renewed=replay.renewed + done.renewed,
                at_time=done.last.time,
                at_id=done.last.id,
                counts=done.counts,
            )
        _settle(replay, _next(replay, done, time.monotonic() - began))
        wakes = WORKS[replay.what].wakes
        if done.renewed and wakes is not None:
            notifier.notify_after_commit(wakes)


def _next(replay: Replay, done: Done, took: float) -> Settlement:
    if not done.more:
        did, seen = replay.renewed + done.renewed, replay.seen + done.seen
        return Settlement.succeed(f"{did} of {seen} {WORKS[replay.what].did}")
    # What was made due takes so long at the rate; the next portion begins where it ends.
    due_in = 0.0 if replay.rate is None else max(0.0, done.renewed / replay.rate - took)
    return Settlement.give_back(due_in, "")


def _settle(replay: Replay, settlement: Settlement) -> None:
    if not settle([(replay, settlement)]):
        raise LeaseLost(f"{replay.public_id} was cancelled, or claimed by another worker")
