"""Writing down what follows an event, in the transaction of its handlers."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import router

from hookline.db.insert import insert_new
from hookline.engine import notifier
from hookline.engine.job import requeue
from hookline.incoming.models import Event, FollowUp

_COLUMNS = ("id", "source_id", "event_id", "name", "key", "arguments")
_UNIQUE = ("event_id", "name", "key")


def write(events: Iterable[Event]) -> None:
    """Insert what the handlers of these events asked for. One that is there from an earlier run is made due again."""
    asked = [one for event in events if event.asked for one in event.asked.values()]
    if not asked:
        return
    new = insert_new(FollowUp, _COLUMNS, asked, unique=_UNIQUE)
    follow_ups = FollowUp.objects.using(router.db_for_write(FollowUp))
    for one in asked:
        if one.id not in new:
            known = follow_ups.filter(event=one.event_id, name=one.name, key=one.key)
            known.update(arguments=one.arguments)
            requeue(known, "the event was processed again")
    notifier.notify_after_commit(FollowUp)
