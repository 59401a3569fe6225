"""What each kind of replay does with a portion of what it walks over. Another kind is one more entry in WORKS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import router
from django.db.models import Case, Count, DateTimeField, Q, Value, When

from hookline.db import clock
from hookline.db.row import Row
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the rows of a portion: how many were renewed, removed or counted, and by what."""

    done: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of replay. `do` gets the keys of a portion, in the order in which the rows were made."""

    over: type[Row]
    do: Callable[[Replay, Sequence[UUID]], Outcome]
    portion: int = PORTION
    #: Which of the rows it changes: so many are counted before it begins.
    changes: Callable[[Replay], Q] = lambda _: Q()
    #: Whose workers have something to do afterwards.
    wakes: type[Job] | None = None
    #: For what is sent to one endpoint: in which states a delivery is sent again.
    again: tuple[State, ...] = ()
    #: The end of the sentence `2 of 3 ...`.
    did: str = "were made due again"


@dataclass(frozen=True, slots=True)
class Done:
    """What a portion came to."""

    seen: int
    renewed: int
    #: Whether there may be more.
    more: bool
    last: Place | None
    #: What was counted so far.
    counts: Mapping[str, int] | None


def part_of(replay: Replay) -> Part:
    return Part(WORKS[replay.what].over, replay.lookups, replay.since, replay.until)


def endpoint_of(replay: Replay) -> Endpoint | None:
    """The endpoint that messages are sent to. Raises Endpoint.DoesNotExist."""
    name = replay.chosen.get("endpoint")
    return Endpoint.find(name) if name and WORKS[replay.what].again else None


def do_portion(replay: Replay) -> Done:
    """Do the next portion, in the caller's transaction. Raises DatabaseError."""
    work = WORKS[replay.what]
    limit = work.portion if replay.rate is None else max(1, min(work.portion, int(replay.rate)))
    after = None if replay.at_id is None else Place(replay.at_time, replay.at_id)
    places = page(part_of(replay), after, limit)
    outcome = work.do(replay, [place.id for place in places]) if places else Outcome(0)
    counts = Counter(replay.counts or {})
    counts.update(outcome.counts)
    last = places[-1] if places else None
    return Done(len(places), outcome.done, len(places) == limit, last, None if replay.counts is None else counts)


def _finished(replay: Replay) -> Q:
    return Q(state__in=FINISHED)


def _without_effect(replay: Replay) -> Q:
    """Unless it is `again`, no events whose handlers have taken effect."""
    if replay.chosen.get("again"):
        return _finished(replay)
    return _finished(replay) & (Q(state__in=(State.DEAD, State.CANCELLED)) | Q(unhandled=True))


def _requeue(model: type[Job], replay: Replay, keys: Sequence[UUID]) -> Outcome:
    """Make finished jobs due again."""
    moments = _moments(model, len(keys), replay)
    due = Case(
        *(When(pk=key, then=Value(moment)) for key, moment in zip(keys, moments, strict=True)),
        output_field=DateTimeField(),
    )
    jobs = model._default_manager.using(router.db_for_write(model)).filter(pk__in=keys)
    return Outcome(requeue(jobs.filter(WORKS[replay.what].changes(replay)), _note(replay), due))


def _send(replay: Replay, messages: Sequence[UUID]) -> Outcome:
    """Have the messages that an endpoint wants sent to it: new deliveries, and those in the states of this kind."""
    endpoint, states, note = Endpoint.find(replay.chosen["endpoint"]), WORKS[replay.what].again, _note(replay)
    wants = wanted(endpoint.pk, messages)
    deliveries = Delivery.objects.using(router.db_for_write(Delivery)).filter(endpoint=endpoint, message__in=wants)
    known = {message: (pk, state) for pk, message, state in deliveries.values_list("pk", "message", "state")}
    chosen = [one for one in messages if one in wants and (one not in known or known[one][1] in states)]
    moments = _moments(Delivery, len(chosen), replay)
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
    return Outcome(len(chosen))


def _remove_contents(replay: Replay, messages: Sequence[UUID]) -> Outcome:
    return Outcome(content.expunge(messages, f"its content was removed by {replay.public_id}").messages)


def _count(column: str, replay: Replay, deliveries: Sequence[UUID]) -> Outcome:
    """Count deliveries by what this column has."""
    found = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=deliveries)
    by_column = found.order_by().values_list(column).annotate(Count("pk"))
    counts = {value.hex if isinstance(value, UUID) else value: number for value, number in by_column}
    return Outcome(sum(counts.values()), counts)


def _note(replay: Replay) -> str:
    return f"replayed by {replay.public_id}"


def _moments(model: type[Job], count: int, replay: Replay) -> list[datetime]:
    """When each of `count` jobs is due: from now on, one after the other."""
    now, apart = clock.now(model), _APART if replay.rate is None else 1 / replay.rate
    return [clock.moment(now + place * apart) for place in range(count)]


WORKS: dict[str, Work] = {
    What.EVENTS: Work(Event, partial(_requeue, Event), changes=_without_effect, wakes=Event),
    What.DELIVERIES: Work(Delivery, partial(_requeue, Delivery), changes=_finished, wakes=Delivery),
    What.MISSED: Work(Message, _send, wakes=Delivery, again=(State.DEAD, State.CANCELLED)),
    What.MESSAGES: Work(Message, _send, wakes=Delivery, again=FINISHED),
    What.CONTENTS: Work(
        Message, _remove_contents, changes=lambda _: content.HAS_CONTENT, wakes=Delivery, did="lost their content"
    ),
    What.USAGE: Work(Delivery, partial(_count, "endpoint__tenant"), COUNTED, did="were counted"),
    What.TYPES: Work(Delivery, partial(_count, "message__type"), COUNTED, did="were counted"),
}
