"""Why nothing is sent to an endpoint whose breaker is not closed."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from hookline.core.breaker import State as Breaker
from hookline.db.clock import moment
from hookline.engine.job import State
from hookline.outgoing.models import Delivery, Endpoint


def why_failing(endpoint: Endpoint) -> str:
    """Of an endpoint whose breaker is not closed: since when, the last answer, and when it is tried next."""
    breaker = endpoint.breaker
    parts = [f"its breaker is {breaker.state.value}"]
    if breaker.opened_at is not None:
        parts[0] += f" since {_time(moment(breaker.opened_at))}"
    if note := last_note(endpoint):
        parts.append(note)
    if breaker.state is Breaker.OPEN and breaker.open_until is not None:
        parts.append(f"the next try is at {_time(moment(breaker.open_until))}")
    return "; ".join(parts)


def last_note(endpoint: Endpoint) -> str:
    """What the newest delivery that was tried and did not succeed says; empty where that is not among the newest."""
    newest = Delivery.objects.filter(endpoint=endpoint).order_by("-created_at").values("pk")[:200]
    oldest = Delivery.objects.filter(endpoint=endpoint, state=State.PENDING).order_by("due_at").values("pk")[:200]
    for keys in (newest, oldest):
        tried = Delivery.objects.filter(pk__in=list(keys.values_list("pk", flat=True)), attempts__gt=0)
        note = tried.exclude(state=State.SUCCEEDED).exclude(note="").order_by("-id").values_list("note", flat=True)
        if (found := note.first()) is not None:
            return found
    return ""


def _time(value: datetime) -> str:
    return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S %Z")
