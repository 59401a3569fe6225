"""The removal of a tenant that somebody deleted: cancel what is pending, wait until its history is gone, or erase it.

It is done a portion at a time, each in a transaction of its own that also counts what went, in the tenant's row. So it
goes on after a kill, and any process can do the next portion. `tenants.delete` begins it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from hookline.access.models import ApiKey
from hookline.audit.actor import Actor, Kind
from hookline.audit.models import AuditEntry
from hookline.audit.record import record
from hookline.db import clock
from hookline.db.rate_use import RateUse
from hookline.db.row import Row
from hookline.engine import order
from hookline.engine.job import FINISHED, Job, State
from hookline.engine.prune import Step
from hookline.gateway.models import Forward
from hookline.incoming.models import Event, FollowUp, ObjectVersion, Rejection, RejectionCount, Source
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.replays.models import Replay
from hookline.tenants.models import Tenant

#: Rows that are cancelled or erased in one transaction.
PORTION = 500
#: Seconds until a tenant whose history is kept is looked at again.
AGAIN = 600.0
#: For so long an edge may still have a source in memory that was disabled, and try to store events of it.
EDGES = timedelta(seconds=3)

CANCELLED = "cancelled: its tenant was deleted"

#: What belongs to a tenant, and how it is found: first what is history, in the order in which it can go.
HISTORY: dict[type[Row], str] = {
    Delivery: "endpoint__tenant",
    Message: "tenant",
    FollowUp: "source__tenant",
    Event: "source__tenant",
    Rejection: "source__tenant",
    RejectionCount: "source__tenant",
    ObjectVersion: "source__tenant",
    Replay: "tenant",
}
#: Then what somebody set up, which goes with the tenant itself.
SET_UP: dict[type[Row], str] = {ApiKey: "tenant", Forward: "source__tenant", Source: "tenant", Endpoint: "tenant"}
#: What goes with a row of those.
PARTS: dict[type[Row], str] = {Attempt: "delivery__endpoint__tenant"}
_ALL = HISTORY | SET_UP | PARTS


@dataclass(frozen=True, slots=True)
class Portion:
    """What one step came to: rows by their plural noun."""

    cancelled: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    #: Whether the next portion can be done now.
    more: bool = False
    #: What was recorded when the last of the tenant went.
    receipt: AuditEntry | None = None


def begin(by: Actor, *, key: str, erase: bool) -> dict[str, Any]:
    """What a tenant's `removal` is at first."""
    whom = {"kind": by.kind.value, "name": by.name}
    return {"key": key, "by": whom, "erase": erase, "cancelled": {}, "removed": {}}


def left(tenant: Tenant) -> dict[str, int]:
    """How many rows of each kind there are to erase. Counts them all."""
    found = {model.nouns: _of(model, tenant.pk).count() for model in _ALL}
    return {nouns: count for nouns, count in found.items() if count}


def step(tenant_id: UUID) -> Portion:
    """Do the next portion. Raises DatabaseError."""
    with transaction.atomic(using=router.db_for_write(Tenant)):
        # A write first: it locks the row, and SQLite refuses one behind what was read before somebody else wrote.
        if not Tenant.objects.filter(pk=tenant_id, deleted_at__isnull=False).update(removal=F("removal")):
            return Portion()
        tenant = Tenant.objects.get(pk=tenant_id)
        removal: dict[str, Any] = tenant.removal or {}
        portion = _cancel(tenant_id, running=removal["erase"])
        if not portion.cancelled:
            portion = _remove(tenant, removal)
        if portion.receipt is None and (portion.cancelled or portion.removed):
            tenant.removal = counted(removal, portion)
            tenant.save(update_fields=["removal"])
        return portion


def carry_out(tenant: Tenant, pause: float = 0.2) -> Iterator[Portion]:
    """Do all portions that can be done now, here and not in a worker. Raises DatabaseError.

    Of an erasure that is everything; it waits a moment for edges that still know its sources, and for other processes.
    """
    erase = bool(tenant.removal and tenant.removal["erase"])
    while True:
        portion = step(tenant.pk)
        yield portion
        if portion.receipt is not None or not (portion.more or erase):
            return
        if not portion.more:
            if not Tenant.objects.filter(pk=tenant.pk).exists():
                return
            time.sleep(pause)


class Remover:
    """Does the portions of all tenants that were deleted, one after the other; for workers, beside their pruning."""

    def __init__(self) -> None:
        self._queue: deque[tuple[UUID, bool]] = deque()
        self._not_before: dict[tuple[UUID, bool], float] = {}

    def step(self) -> Step:
        """Raises DatabaseError."""
        now = time.monotonic()
        if not self._queue:
            deleted = Tenant.objects.filter(deleted_at__isnull=False).order_by("id").values_list("id", "removal__erase")
            found = [(pk, bool(erase)) for pk, erase in deleted]
            self._not_before = {one: at for one, at in self._not_before.items() if at > now and one in set(found)}
            self._queue.extend(one for one in found if one not in self._not_before)
        if not self._queue:
            return Step()
        portion = step(self._queue[0][0])
        if not portion.more:
            done = self._queue.popleft()
            erase = done[1]
            self._not_before[done] = now + (EDGES.total_seconds() if erase else AGAIN)
        return Step(portion.removed, more=bool(self._queue))


def counted(removal: Mapping[str, Any], portion: Portion) -> dict[str, Any]:
    """The removal with what a portion did."""
    cancelled = Counter(removal["cancelled"]) + portion.cancelled
    removed = Counter(removal["removed"]) + portion.removed
    return {**removal, "cancelled": dict(cancelled), "removed": dict(removed)}


def cancel_some(tenant: Tenant) -> Counter[str]:
    """Cancel the first portion of what is pending, in the caller's transaction."""
    return _cancel(tenant.pk, running=False).cancelled


# ---- steps ------------------------------------------------------------------------------------------


def _cancel(tenant_id: UUID, *, running: bool) -> Portion:
    """Cancel a portion of each kind. With `running`, what workers do at this moment is rolled back or not recorded."""
    cancelled: Counter[str] = Counter()
    for model in (Event, FollowUp, Delivery):
        jobs: QuerySet[Job] = _of(model, tenant_id)
        pending = list(jobs.filter(state=State.PENDING).values_list("pk", flat=True)[:PORTION])
        cancelled[model.nouns] += len(order.cancel(model, pending, CANCELLED)) if pending else 0
        if running:
            runs = list(jobs.filter(state=State.RUNNING).values_list("pk", flat=True)[:PORTION])
            cancelled[model.nouns] += _stop(model, runs, State.RUNNING)
    replays = list(_of(Replay, tenant_id).exclude(state__in=FINISHED).values_list("pk", flat=True)[:PORTION])
    cancelled[Replay.nouns] += _stop(Replay, replays, State.PENDING, State.RUNNING)
    return Portion(cancelled=+cancelled, more=bool(+cancelled))


def _stop(model: type[Job], keys: list[UUID], *states: State) -> int:
    """End jobs with a new claim number."""
    if not keys:
        return 0
    ended = {"state": State.CANCELLED, "claim": F("claim") + 1, "finished_at": Now(), "lease_until": None}
    return model._default_manager.filter(pk__in=keys, state__in=states).update(has_turn=None, note=CANCELLED, **ended)


def _remove(tenant: Tenant, removal: Mapping[str, Any]) -> Portion:
    """Erase a portion, if that is wanted; without history, remove what was set up, and at last the tenant."""
    for model in HISTORY:
        found = _of(model, tenant.pk)
        if removal["erase"]:
            if keys := list(found.values_list("pk", flat=True)[:PORTION]):
                return Portion(removed=_deleted(model, keys), more=True)
        elif found.exists():
            return Portion()
    if _known_to_edges(tenant) and _of(Source, tenant.pk).exists():
        return Portion()
    for model in SET_UP:
        if keys := list(_of(model, tenant.pk).values_list("pk", flat=True)[:PORTION]):
            return Portion(removed=_deleted(model, keys), more=True)
    return _end(tenant, removal)


def _known_to_edges(tenant: Tenant) -> bool:
    return tenant.deleted_at is None or clock.moment(clock.now(Tenant)) - tenant.deleted_at < EDGES


def _end(tenant: Tenant, removal: Mapping[str, Any]) -> Portion:
    """Delete the row of a tenant that has nothing any more, and record what went."""
    # Whoever stores a row of this tenant shares its key until it commits, so this waits for them.
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    if any(_of(model, tenant.pk).exists() for model in (*HISTORY, *SET_UP)):
        return Portion(more=True)
    entries = AuditEntry.objects.filter(tenant_id=tenant.pk)
    emptied = entries.update(changes={}, details={}) if removal["erase"] else 0
    RateUse.objects.filter(key=f"tenant:{tenant.pk.hex}").delete()
    receipt = record(
        Actor(Kind(removal["by"]["kind"]), removal["by"]["name"]),
        "tenant.remove",
        tenant.public_id,
        tenant_id=tenant.pk,
        details={
            "key": removal["key"],
            "deleted_at": tenant.deleted_at,
            "erased": removal["erase"],
            "cancelled": removal["cancelled"],
            "removed": removal["removed"],
            "audit_entries_emptied": emptied,
        },
    )
    tenant.delete()
    return Portion(removed=Counter({Tenant.nouns: 1}), receipt=receipt)


def _of(model: type[Row], tenant_id: UUID) -> QuerySet[Any]:
    """The rows of a model that belong to a tenant."""
    return model._default_manager.filter(**{_ALL[model]: tenant_id}).order_by()


def _deleted(model: type[Row], keys: list[UUID]) -> Counter[str]:
    """Delete these rows and what goes with them."""
    if model in (Source, ApiKey):
        RateUse.objects.filter(key__in=[f"{model.noun}:{key.hex}" for key in keys]).delete()
    _, by_label = model._default_manager.filter(pk__in=keys).delete()
    names = {one._meta.label: one.nouns for one in _ALL}
    return +Counter({names[label]: count for label, count in by_label.items() if label in names})
