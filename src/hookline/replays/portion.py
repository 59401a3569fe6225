"""One portion of a replay: what is looked at, and what of it is made due again, or loses its content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router
from django.db.models import Case, Count, DateTimeField, Q, Value, When

from hookline.db import clock
from hookline.engine.job import FINISHED, UNREAD, Job, State, requeue
from hookline.incoming.models import Event
from hookline.outgoing import content
from hookline.outgoing.models import UNNUMBERED, Delivery, Endpoint, Message
from hookline.outgoing.publish.missed import wanted
from hookline.replays.models import Replay, What
from hookline.replays.walk import Part, Place, page

#: Rows that are looked at in one transaction.
PORTION = 200
#: ... where they are only counted.
COUNTED = 2000
#: Seconds between two rows that are made due, where no rate says more: their order survives in `due_at`.
_APART = 1e-6

#: What each kind of replay walks over, and what it makes due.
WALKS: Mapping[str, type[Any]] = {
    What.EVENTS: Event,
    What.DELIVERIES: Delivery,
    What.MISSED: Message,
    What.MESSAGES: Message,
    What.CONTENTS: Message,
    What.USAGE: Delivery,
}
RENEWS: Mapping[str, type[Job]] = {
    What.EVENTS: Event,
    What.DELIVERIES: Delivery,
    What.MISSED: Delivery,
    What.MESSAGES: Delivery,
    What.CONTENTS: Delivery,
}
#: States of a delivery that is sent again.
AGAIN: Mapping[str, tuple[State, ...]] = {What.MISSED: (State.DEAD, State.CANCELLED), What.MESSAGES: FINISHED}


@dataclass(frozen=True, slots=True)
class Done:
    """What a portion came to."""

    seen: int
    renewed: int
    #: Whether there may be more.
    more: bool
    last: Place | None
    #: Of usage: what was counted so far.
    counts: Mapping[str, int] | None = None


def part_of(replay: Replay) -> Part:
    return Part(WALKS[replay.what], replay.lookups, replay.since, replay.until)


def endpoint_of(replay: Replay) -> Endpoint | None:
    """The endpoint that messages are sent to. Raises Endpoint.DoesNotExist."""
    name = replay.chosen.get("endpoint")
    return Endpoint.find(name) if name and replay.what in AGAIN else None


def count(replay: Replay) -> Done:
    """Count the next portion. Raises DatabaseError."""
    after = None if replay.at_id is None else Place(replay.at_time, replay.at_id)
    places = page(part_of(replay), after, COUNTED)
    found = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=[place.id for place in places])
    by_tenant = found.order_by().values_list("endpoint__tenant").annotate(Count("pk"))
    counts = Counter(replay.counts or {})
    counts.update({tenant.hex: number for tenant, number in by_tenant})
    last = places[-1] if places else None
    return Done(len(places), len(places), len(places) == COUNTED, last, counts)


def renew(replay: Replay, endpoint: Endpoint | None) -> Done:
    """Make the next portion due again, in the caller's transaction. Raises DatabaseError."""
    limit = PORTION if replay.rate is None else max(1, min(PORTION, int(replay.rate)))
    after = None if replay.at_id is None else Place(replay.at_time, replay.at_id)
    places = page(part_of(replay), after, limit)
    keys, note = [place.id for place in places], f"replayed by {replay.public_id}"
    apart = _APART if replay.rate is None else 1 / replay.rate
    if replay.what == What.CONTENTS:
        renewed = content.expunge(keys, f"its content was removed by {replay.public_id}").messages
    elif endpoint is None:
        renewed = _requeue(RENEWS[replay.what], keys, note, apart, may_renew(replay))
    else:
        renewed = _send(endpoint, keys, AGAIN[replay.what], note, apart)
    return Done(len(places), renewed, len(places) == limit, places[-1] if places else None)


def may_renew(replay: Replay) -> Q:
    """Which finished jobs it makes due: of events, unless it is `again`, none whose handlers have taken effect."""
    if replay.what == What.EVENTS and not replay.chosen.get("again"):
        return Q(state__in=(State.DEAD, State.CANCELLED)) | Q(unhandled=True)
    return Q()


def _requeue(model: type[Job], keys: Sequence[UUID], note: str, apart: float, which: Q) -> int:
    if not keys:
        return 0
    moments = _moments(model, len(keys), apart)
    due = Case(
        *(When(pk=key, then=Value(moment)) for key, moment in zip(keys, moments, strict=True)),
        output_field=DateTimeField(),
    )
    return requeue(model._default_manager.using(router.db_for_write(model)).filter(which, pk__in=keys), note, due)


def _send(endpoint: Endpoint, messages: Sequence[UUID], states: Sequence[State], note: str, apart: float) -> int:
    """Have the messages that an endpoint wants sent to it: new deliveries, and those in these `states`."""
    wants = wanted(endpoint.pk, messages)
    deliveries = Delivery.objects.using(router.db_for_write(Delivery)).filter(endpoint=endpoint, message__in=wants)
    known = {message: (pk, state) for pk, message, state in deliveries.values_list("pk", "message", "state")}
    chosen = [one for one in messages if one in wants and (one not in known or known[one][1] in states)]
    moments = _moments(Delivery, len(chosen), apart)
    due = dict(zip(chosen, moments, strict=True))
    missing = [one for one in chosen if one not in known]
    order_key = UNREAD if endpoint.order_by else None
    sequence = UNNUMBERED if endpoint.sequenced else None
    new = [
        Delivery(message_id=one, endpoint=endpoint, order_key=order_key, sequence=sequence, due_at=due[one], note=note)
        for one in missing
    ]
    # Somebody else may have made it meanwhile.
    Delivery.objects.using(router.db_for_write(Delivery)).bulk_create(new, ignore_conflicts=True)
    again = {known[one][0]: due[one] for one in chosen if one in known}
    if again:
        cases = Case(*(When(pk=key, then=Value(at)) for key, at in again.items()), output_field=DateTimeField())
        requeue(deliveries.filter(pk__in=again), note, cases)
    return len(chosen)


def _moments(model: type[Job], count: int, apart: float) -> list[datetime]:
    """When each of `count` jobs is due: from now on, one after the other."""
    now = clock.now(model)
    return [clock.moment(now + place * apart) for place in range(count)]
