"""What a source received in a time: its events by state, and what it refused."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from hookline.engine.job import State
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event, Rejection, Source

#: Without times, and at the most.
RANGE = timedelta(days=28)
#: By how much two clocks may differ.
SLACK = timedelta(minutes=5)


def count(source: Source, since: datetime | None = None, until: datetime | None = None) -> dict[str, int]:
    """Events that came in this time by state, how many of them no handler wanted, and requests that were refused.

    Raises ConfigurationError for more than 28 days.
    """
    until = until or timezone.now()
    since = since or until - RANGE
    if until - since > RANGE + SLACK or since > until:
        raise ConfigurationError(f"the range must be at most {RANGE.days} days, and begin before it ends")
    came = {"source": source, "created_at__gte": since, "created_at__lt": until}
    states = {state.value: Count("pk", Q(state=state)) for state in State}
    found = (
        Event.objects.filter(**came)
        .order_by()
        .aggregate(**states, unhandled=Count("pk", Q(unhandled=True, state=State.SUCCEEDED)))
    )
    return {**found, "rejected": Rejection.objects.filter(**came).count()}
