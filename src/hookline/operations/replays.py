"""Replays: doing a part of the history again, at a rate, by workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.engine import notifier
from hookline.engine.job import FINISHED, State
from hookline.exceptions import ConfigurationError, Conflict
from hookline.incoming.models import Event
from hookline.operations import deliveries, endpoints, events, rows, tenants
from hookline.operations.changes import changing
from hookline.operations.selection import Columns, Selection, lookups
from hookline.outgoing.models import Delivery, Endpoint
from hookline.outgoing.publish.missed import count_wanted
from hookline.replays.models import Replay, What
from hookline.replays.work import WORKS, part_of
from hookline.tenants.models import Tenant

__all__ = ["Preview", "What", "as_json", "cancel", "find", "newest", "pause", "preview", "resume", "start"]

_COLUMNS: Mapping[str, tuple[type[Any], Columns]] = {
    What.EVENTS: (Event, events.COLUMNS),
    What.DELIVERIES: (Delivery, deliveries.COLUMNS),
}
#: States that a replay may be asked for, where it makes only finished jobs due.
_STATUSES = tuple(state.value for state in FINISHED)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do: how many rows it would make due at most, and for how many seconds at its rate."""

    count: int
    seconds: float | None

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, "seconds": self.seconds}


def preview(what: str, selection: Selection, *, rate: float | None = None, again: bool = False) -> Preview:
    """Count what `start` would find now. Raises as that does."""
    return _previewed(_drafted(what, selection, rate, again))


def start(actor: Actor, what: str, selection: Selection, *, rate: float | None = None, again: bool = False) -> Replay:
    """Have workers do a part of the history again: finished jobs only, the oldest first, at most `rate` a second.

    `what`: `deliveries` are made due again, all finished ones unless the selection names a status; `events` that are
    dead or cancelled, or that no handler wanted, and with `again` those that were processed, whose effect is repeated.
    `missed` sends an endpoint the messages that it never got, though it wants them now, and those whose delivery is
    dead or cancelled; `messages` also those that it got. Both need an endpoint and a start time.
    `contents` removes the contents of all messages of a tenant, and what endpoints answered, for good; what waits is
    cancelled. The `limit` of the selection means nothing here.

    Raises NotFound, ValueError, Conflict for a disabled endpoint, or ConfigurationError.
    """
    replay = _drafted(what, selection, rate, again)
    replay.total = _previewed(replay).count
    with transaction.atomic(using=router.db_for_write(Replay)):
        replay.save(force_insert=True)
        record(
            actor,
            "replay.start",
            replay.public_id,
            tenant_id=replay.tenant_id,
            details={"what": replay.what, **replay.chosen, "rate": replay.rate, "count": replay.total},
        )
        notifier.notify_after_commit(Replay)
    return replay


def count_usage(
    actor: Actor, *, since: datetime, until: datetime | None = None, tenants: Collection[Tenant] = ()
) -> Replay:
    """Have workers count the deliveries that were made in a time, by tenant: of these tenants, or of all.

    Nothing is made due. `usage_of` has the result. Raises ConfigurationError.
    """
    replay = Replay(what=What.USAGE, since=since, counts={one.pk.hex: 0 for one in tenants})
    if tenants:
        replay.chosen = {"tenants": [one.public_id for one in tenants]}
        replay.lookups = {"endpoint__tenant__in": [str(one.pk) for one in tenants]}
    return _counting(actor, replay, until)


def count_types(actor: Actor, *, since: datetime | None = None, until: datetime | None = None) -> Replay:
    """Have workers count the deliveries that were made in a time, or of all that are kept, by event type.

    Nothing is made due. `types_of` has the result. Raises ConfigurationError.
    """
    return _counting(actor, Replay(what=What.TYPES, since=since, counts={}), until)


def _counting(actor: Actor, replay: Replay, until: datetime | None) -> Replay:
    replay.until = until or timezone.now()
    if replay.since is not None and replay.since >= replay.until:
        raise ConfigurationError(f"the time to count must begin before it ends, at {replay.until.isoformat()}")
    with transaction.atomic(using=router.db_for_write(Replay)):
        replay.save(force_insert=True)
        details = {"what": replay.what, **replay.chosen, "rate": None, "count": None}
        record(actor, "replay.start", replay.public_id, details=details)
        notifier.notify_after_commit(Replay)
    return replay


def usage_of(replay: Replay) -> list[tuple[Tenant, int]]:
    """What was counted until now, by tenant, the most first; of those that were not removed."""
    counts = {UUID(digits): number for digits, number in (replay.counts or {}).items()}
    found = Tenant.objects.in_bulk(list(counts))
    return sorted(((found[pk], number) for pk, number in counts.items() if pk in found), key=lambda one: -one[1])


def types_of(replay: Replay) -> list[tuple[str, int]]:
    """What was counted until now, by event type, the most first."""
    return sorted((replay.counts or {}).items(), key=lambda one: (-one[1], one[0]))


def pause(actor: Actor, replay: Replay) -> None:
    """Make nothing more due until `resume`. Raises NotFound, or Conflict for one that has ended."""
    with changing(actor, "replay.pause", replay, audited) as locked:
        _require_open(locked)
        locked.pause()
        locked.save(update_fields=["held_until"])


def resume(actor: Actor, replay: Replay) -> None:
    """Go on after a pause. Raises NotFound, or Conflict for one that has ended."""
    with changing(actor, "replay.resume", replay, audited) as locked:
        _require_open(locked)
        locked.resume()
        locked.save(update_fields=["held_until"])
        notifier.notify_after_commit(Replay)


def cancel(actor: Actor, replay: Replay) -> None:
    """End it: what was made due stays so. Raises NotFound, or Conflict for one that has ended."""
    with changing(actor, "replay.cancel", replay, audited) as locked:
        _require_open(locked)
        # With a new claim number: what a worker does at this moment is rolled back.
        ended = {"state": State.CANCELLED, "claim": F("claim") + 1, "finished_at": timezone.now(), "lease_until": None}
        Replay.objects.filter(pk=locked.pk).update(**ended, note=f"cancelled by {actor}"[:500])
        locked.refresh_from_db()


def find(public_id: str) -> Replay:
    """Raises NotFound or ValueError."""
    return rows.find(Replay.objects.select_related("tenant"), public_id)


def newest(limit: int = 50) -> list[Replay]:
    """The newest replays."""
    return list(Replay.objects.select_related("tenant").order_by("-id")[:limit])


def audited(replay: Replay) -> dict[str, Any]:
    return {"status": status_of(replay)}


def status_of(replay: Replay) -> str:
    """`running` until it has ended, unless it is `paused`; then `succeeded`, `dead` or `cancelled`."""
    if replay.paused:
        return "paused"
    return "running" if replay.state == State.PENDING else str(replay.state)


def as_json(replay: Replay) -> dict[str, Any]:
    """A replay with its progress."""
    return {
        "id": replay.public_id,
        "what": replay.what,
        **{name: replay.chosen.get(name) for name in ("source", "endpoint", "type", "status")},
        "tenant": replay.tenant.key if replay.tenant else None,
        "since": replay.since,
        "until": replay.until,
        "rate": replay.rate,
        "status": status_of(replay),
        "total": replay.total,
        "seen": replay.seen,
        "renewed": replay.renewed,
        "note": replay.note,
        **_counted(replay),
        "created_at": replay.created_at,
        "finished_at": replay.finished_at,
    }


def _counted(replay: Replay) -> dict[str, Any]:
    if replay.what == What.USAGE:
        return {"usage": {tenant.key: number for tenant, number in usage_of(replay)}}
    return {"usage": dict(types_of(replay))} if replay.what == What.TYPES else {}


# ---- what is to be done -----------------------------------------------------------------------------


def _drafted(what: str, selection: Selection, rate: float | None, again: bool) -> Replay:
    """A replay that is not stored yet."""
    if what not in _CHOOSE:
        raise ConfigurationError(f"{what!r} cannot be replayed; choose one of {', '.join(_CHOOSE)}")
    if rate is not None and not (math.isfinite(rate) and 0 < rate <= 1_000_000):
        raise ConfigurationError(f"the rate must be more than 0 a second, not {rate}")
    until = selection.until or timezone.now()
    replay = Replay(what=what, since=selection.since, until=until, rate=rate)
    _CHOOSE[what](replay, selection)
    if again and what != What.EVENTS:
        raise ConfigurationError(f"`again` is for events; a replay of {what} always sends again")
    if what == What.EVENTS and selection.status == State.SUCCEEDED and not (again or selection.unhandled):
        raise ConfigurationError("processing succeeded events again repeats their effect; add `--again` to confirm")
    if again:
        replay.chosen = {**replay.chosen, "again": True}
    return replay


def _choose_jobs(replay: Replay, selection: Selection) -> None:
    model, columns = _COLUMNS[replay.what]
    if not selection.narrowed_by() and selection.since is None:
        raise ConfigurationError("say what to replay: give a start time or another filter")
    if selection.status is not None and selection.status not in _STATUSES:
        raise ConfigurationError(
            f"{selection.status} {model.nouns} are not replayed; choose one of "
            f"{', '.join(_STATUSES)}. `{model.nouns} retry --now` makes waiting ones due at once"
        )
    found = lookups(model, selection, columns)
    replay.lookups = {name: _json_value(value) for name, value in found.items()}
    replay.chosen = selection.narrowed_by()
    tenant = found.get(columns.names["tenant"])
    lane = found.get(columns.lane or "")
    if tenant is None and lane is not None:
        tenant = model._meta.get_field(columns.lane).related_model._default_manager.get(pk=lane).tenant_id
    replay.tenant = None if tenant is None else Tenant.objects.get(pk=tenant)


def _choose_messages(replay: Replay, selection: Selection) -> None:
    if selection.endpoint is None or selection.since is None:
        raise ConfigurationError(f"a replay of {replay.what} needs an endpoint and a start time")
    if others := set(selection.narrowed_by()) - {"endpoint", "type"}:
        raise ConfigurationError(f"a replay of {replay.what} has no {', '.join(sorted(others))}")
    endpoint = endpoints.find(selection.endpoint)
    if endpoint.disabled:
        name = endpoint.public_id
        raise Conflict(f"endpoint {name} is disabled; enable it first: `hookline endpoint enable {name}`")
    replay.tenant = endpoint.tenant
    replay.chosen = {**selection.narrowed_by(), "endpoint": endpoint.public_id}
    replay.lookups = {"tenant": str(endpoint.tenant_id)}
    if selection.type is not None:
        type_only = replace(Selection(), type=selection.type)
        replay.lookups |= lookups(Endpoint, type_only, Columns({"type": "type"}, frozenset()))


def _choose_contents(replay: Replay, selection: Selection) -> None:
    if selection.tenant is None:
        raise ConfigurationError("name the tenant whose contents are to be removed")
    if others := set(selection.narrowed_by()) - {"tenant"}:
        raise ConfigurationError(f"contents are removed of whole tenants, not by {', '.join(sorted(others))}")
    replay.tenant = tenants.find(selection.tenant)
    replay.chosen = {"tenant": replay.tenant.public_id}
    replay.lookups = {"tenant": str(replay.tenant.pk)}


_CHOOSE: Mapping[str, Callable[[Replay, Selection], None]] = {
    What.EVENTS: _choose_jobs,
    What.DELIVERIES: _choose_jobs,
    What.MISSED: _choose_messages,
    What.MESSAGES: _choose_messages,
    What.CONTENTS: _choose_contents,
}


def _previewed(replay: Replay) -> Preview:
    if replay.what == What.MISSED and replay.since is not None and "type" not in replay.chosen:
        endpoint = Endpoint.find(replay.chosen["endpoint"])
        count = count_wanted(endpoint.pk, replay.since, replay.until, WORKS[What.MISSED].again)
    else:
        count = part_of(replay).rows.filter(WORKS[replay.what].changes(replay)).count()
    return Preview(count, None if replay.rate is None else math.ceil(count / replay.rate))


def _json_value(value: Any) -> Any:
    return value if isinstance(value, str | bool | int) else str(value)


def _require_open(replay: Replay) -> None:
    if replay.state in FINISHED:
        raise Conflict(f"replay {replay.public_id} has ended: it is {replay.state}")
